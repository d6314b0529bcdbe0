"""Canaries are neighbours, and reach the shares of a proved sensitivity that were measured."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skprivacy.attacks import (
    Canary,
    audit_epsilon,
    audit_output_noise,
    flipped_label_canary,
    orthogonal_canary,
    saturated_canaries,
)
from skprivacy.linear_model import DPLogisticRegression

N_ROWS, REGULARIZATION = 1000, 0.01
ADJACENCIES = ["add-remove", "replace-one"]


@pytest.fixture(scope="module", name="data")
def rows_of_norm_at_most_one():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N_ROWS)
    X = rng.normal(size=(N_ROWS, 5)) + np.where(y, 1.0, -1.0)[:, np.newaxis] * [2, 1, 0, 0, 0]
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1), y


def coefficients(X, y, n_rows=N_ROWS):
    """Minimiser of sum of logistic losses / n_rows + REGULARIZATION |w|^2 / 2."""
    model = LogisticRegression(
        C=1 / (n_rows * REGULARIZATION), fit_intercept=False, tol=1e-10, max_iter=1000
    )
    return model.fit(X, y).coef_.ravel()


def sensitivity(adjacency, n_rows):
    """Each row's gradient is at most 1: L2 sensitivity (Chaudhuri et al. 2011)."""
    return (1 if adjacency == "add-remove" else 2) / (n_rows * REGULARIZATION)


def assert_neighbours(canary):
    (X, y), (X_neighbour, y_neighbour) = canary.D, canary.D_neighbour
    assert X.shape[1] == X_neighbour.shape[1]
    n_shared = len(X) - 1
    assert (X[:n_shared] == X_neighbour[:n_shared]).all()
    assert (y[:n_shared] == y_neighbour[:n_shared]).all()
    assert len(X_neighbour) - n_shared == (canary.adjacency == "replace-one")


def test_shares_of_the_proved_sensitivity(data):
    """In order: a flipped label .25, an orthogonal row .49 (in theory 1/2), a saturated pair .6."""
    natural = [
        flipped_label_canary(*data, row=row, adjacency="replace-one") for row in range(0, 200, 20)
    ]
    orthogonal = orthogonal_canary(*data, adjacency="replace-one")
    saturated = saturated_canaries(*data, coefficients(*data))
    proved = sensitivity("replace-one", N_ROWS)
    flipped = np.mean([canary.share(coefficients, proved) for canary in natural])
    assert flipped == pytest.approx(0.252, abs=0.1)
    assert orthogonal.share(coefficients, proved) == pytest.approx(0.488, abs=0.003)
    assert saturated.share(coefficients, proved) >= 0.608
    for canary in (*natural, orthogonal, saturated):
        assert isinstance(canary, Canary)
        assert_neighbours(canary)
        assert canary.share(coefficients, proved) <= 1


@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_every_kind_under_either_adjacency(data, adjacency):
    made = [
        flipped_label_canary(*data, adjacency=adjacency),
        orthogonal_canary(*data, norm=0.5, adjacency=adjacency),
        saturated_canaries(*data, coefficients(*data), adjacency=adjacency),
    ]
    assert [canary.kind for canary in made] == ["flipped label", "orthogonal", "saturated"]
    for canary in made:
        assert_neighbours(canary)
        assert canary.adjacency == adjacency
        assert np.linalg.norm(canary.D[0][-1]) <= 1 + 1e-12
        assert 0.05 < canary.share(coefficients, sensitivity(adjacency, N_ROWS)) <= 1
    assert np.linalg.norm(made[1].D[0][-1]) == pytest.approx(0.5)


def test_a_direction_of_its_own_is_found_or_made(data):
    X, y = data
    canary = orthogonal_canary(X, y)
    assert canary.D[0].shape == (N_ROWS + 1, 6)
    flat = np.hstack([X, X[:, :1] - X[:, 1:2]])
    canary = orthogonal_canary(flat, y)
    assert canary.D[0].shape == (N_ROWS + 1, 6)
    assert np.abs(flat @ canary.D[0][-1]).max() < 1e-9
    few = orthogonal_canary(X[:3], [0, 1, 0])
    assert np.abs(X[:3] @ few.D[0][-1]).max() < 1e-9


def test_labels_are_flipped_to_another_class():
    X, y = np.eye(3), np.array(["a", "b", "c"])
    assert flipped_label_canary(X, y, row=-1).D[1].tolist() == ["a", "b", "a"]
    canary = orthogonal_canary(X, y, label="b", adjacency="replace-one")
    assert (canary.D[1][-1], canary.D_neighbour[1][-1]) == ("b", "c")


def test_the_share_limits_what_an_audit_sees(data):
    """Output perturbation with the proved sensitivity: a true claim, seen to its share."""
    canary = orthogonal_canary(*data, adjacency="replace-one")
    rng = np.random.default_rng(1)
    mu, proved = 2.0, sensitivity("replace-one", N_ROWS)
    one, other = (coefficients(*data) for data in (canary.D, canary.D_neighbour))
    for fault, violated in ((1, False), (2, False), (5, True)):
        audit = audit_output_noise(
            one,
            other,
            lambda n, fault=fault: rng.normal(0, proved / mu / fault, (n, one.size)),
            delta=1e-6,
            mu=mu,
            canary=canary.kind,
        )
        assert audit.violated == violated
        assert audit.mu_lower == pytest.approx(0.488 * mu * fault, rel=0.1)
        assert "orthogonal" in str(audit)


def test_canaries_go_into_audits_of_estimators(data):
    canary = orthogonal_canary(data[0][:50], data[1][:50])
    audit = audit_epsilon(
        DPLogisticRegression(8.0, clipping_norm=1.0, classes=[0, 1]),
        canary.D,
        canary.D_neighbour,
        n_runs=30,
        canary=canary.kind,
    )
    assert not audit.violated


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: flipped_label_canary(np.eye(2), [0, 0]), "two classes"),
        (lambda: flipped_label_canary(np.eye(2), [0, 1], adjacency="near"), "adjacency"),
        (lambda: flipped_label_canary([[np.nan], [1.0]], [0, 1]), "finite"),
        (lambda: orthogonal_canary(np.eye(2), [0, 1], norm=0), "norm must be"),
        (lambda: saturated_canaries(np.eye(2), [0, 1], [1.0]), "coef must be 2"),
        (lambda: saturated_canaries(np.eye(2), [0, 1], [0.0, 0.0]), "not all zero"),
        (lambda: saturated_canaries(np.eye(3), [0, 1, 2], np.ones(3)), "two classes"),
        (
            lambda: orthogonal_canary(np.eye(2), [0, 1]).share(lambda X, y: X.sum(), 0.0),
            "sensitivity must be",
        ),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
