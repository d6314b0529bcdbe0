"""Pure objective perturbation: exact density ratios, prices, and the noise on the output."""

import math

import numpy as np
import pytest

from skprivacy.mechanisms import random_source
from skprivacy.optimize import Huber, HuberisedHinge, Logistic, PurePerturbation, Softmax

LOSSES = [Logistic(), HuberisedHinge(), Huber()]

ADJACENCIES = ["add-remove", "replace-one"]


def calibrated(loss, epsilon, adjacency="add-remove"):
    return PurePerturbation(name="x", row_loss=loss).calibrate(adjacency, epsilon=epsilon)


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize("loss", [*LOSSES, Softmax(4)], ids=repr)
def test_price_is_the_budget(loss, adjacency):
    for epsilon in (0.01, 1.0, 20.0):
        price = calibrated(loss, epsilon, adjacency).loss(adjacency)
        assert epsilon * (1 - 1e-12) <= price.epsilon <= epsilon
        assert price.delta == 0
    from_mu = PurePerturbation(name="x").calibrate(adjacency, mu=0.7).loss(adjacency)
    assert 0.7 * (1 - 1e-6) <= from_mu.mu <= 0.7


BASES = [([], []), ([1.0] * 5, [-1.0] * 5), ([1.0] * 5, [1.0] * 5), ([1.0, -0.5], [0.4, -1.0])]


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("asked", [0.0, 3.0])
def test_densities_have_a_bounded_ratio(loss, epsilon, adjacency, asked):
    """One column: where the minimiser is w, b is minus the gradient there."""
    mechanism = calibrated(loss, epsilon, adjacency)
    scale, lam = mechanism._scale_and_regularization(asked, 1, adjacency)
    w = np.linspace(-1, 1, 20_001) * (20 * scale + 6) / lam
    objective, output = mechanism._mus(adjacency)
    assert objective + output == pytest.approx(epsilon)

    def log_density(Z, labels):
        gradient, hessian = lam * w, np.full(w.size, lam)
        for z, y in zip(Z, labels, strict=True):
            _, slopes, second = loss.terms(w * z, np.full(w.size, y))
            gradient, hessian = gradient + z * slopes, hessian + z * z * second(0, 0)
        return np.log(hessian) - np.abs(gradient) / scale

    worst = 0.0
    for Z, given in BASES:
        labels = loss.clean_labels(given).tolist()
        first = log_density([*Z, 1.0], [*labels, 1.0])
        other = (
            log_density(Z, labels)
            if adjacency == "add-remove"
            else log_density([*Z, 1.0], [*labels, -1.0])
        )
        worst = max(worst, float(np.abs(first - other).max()))
    assert worst <= objective + 1e-9
    assert worst > (0.4 if adjacency == "add-remove" else 0.25) * objective


def test_determinants_of_softmax_rows_are_within_their_bound():
    loss = Softmax(4)
    rng = np.random.default_rng(0)
    mechanism = calibrated(loss, 1.0)
    for lam in (0.1, 1.0, 10.0):
        scores = rng.normal(size=(500, 4)) * rng.choice([0.1, 1, 5], (500, 1))
        second = loss.terms(scores, np.zeros(500, int)).second
        hessians = np.array([[second(k, j) for j in range(4)] for k in range(4)])
        found = np.linalg.slogdet(np.eye(4) + hessians.transpose(2, 0, 1) / lam)[1]
        bound = mechanism._log_determinant(lam)
        assert 0.9 * bound < found.max() <= bound


def test_the_gradient_of_a_row_is_within_its_sensitivity():
    rng = np.random.default_rng(1)
    for loss, labels in ((Softmax(5), rng.integers(0, 5, 1000)), (Huber(), np.ones(1000))):
        scores = rng.normal(size=(1000, 5) if loss.n_scores else 1000) * 5
        slopes = loss.terms(scores, labels).slopes.reshape(1000, -1)
        assert np.abs(slopes).sum(axis=1).max() <= loss.absolute_slope


@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_a_larger_lambda_leaves_more_for_the_noise(adjacency):
    mechanism = calibrated(Logistic(), 1.0, adjacency)
    small, large = (mechanism._scale_and_regularization(lam, 9, adjacency)[0] for lam in (0.0, 1e6))
    assert large < small
    rows = 1 if adjacency == "add-remove" else 2
    assert large == pytest.approx(rows * 3 / mechanism._mus(adjacency)[0], rel=1e-5)


def test_a_huge_epsilon_leaves_a_problem_that_can_be_solved():
    mechanism = calibrated(Logistic(), 1e6)
    assert 1e-7 < mechanism.least_regularization() < 1e-3
    scale, _ = mechanism._scale_and_regularization(0.0, 1, "add-remove")
    assert scale == pytest.approx(1 / mechanism._mus("add-remove")[0], rel=1e-4)


def test_output_noise_covers_the_solver():
    """The L1 distance of two answers, over the noise, is what is paid for at most."""
    mechanism = calibrated(Logistic(), 1.0)
    distance = 1e-5
    source = random_source(0)
    draws = np.array(
        [mechanism._cover(np.zeros(4), distance, "add-remove", source) for _ in range(20_000)]
    )
    b = np.abs(draws).mean()
    paid = mechanism._mus("add-remove")[1]
    spent = 4 * distance / b
    assert 0.8 * paid < spent <= paid * 1.05


def test_draws_follow_the_noise():
    mechanism = calibrated(Logistic(), 0.5)
    source = random_source(0)
    # Without rows the minimiser is -b / lambda.
    lam = 50.0
    scale, _ = mechanism._scale_and_regularization(lam, 1, "add-remove")
    draws = [
        mechanism.draw(
            np.zeros((1, 1)),
            np.ones(1),
            adjacency="add-remove",
            source=source,
            rows_at_most=10.0,
            regularization=lam,
        ).value[0]
        for _ in range(1500)
    ]
    assert np.abs(draws).mean() * lam == pytest.approx(scale, rel=0.1)
    assert math.isfinite(max(draws))
