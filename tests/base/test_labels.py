"""Declared labels, and rows with others: an error, or no weight."""

import numpy as np
import pandas as pd
import pytest
from listing import public_estimators

from skprivacy import PrivacyAccountant
from skprivacy.attacks import record, replay, transcript_mu_squared
from skprivacy.base._labels import known_labels, without_unknown
from skprivacy.naive_bayes import DPCategoricalNB, DPGaussianNB

KINDS = sorted(
    (kind for kind in public_estimators() if "unknown_labels" in kind().get_params()), key=str
)
NAMES = [kind.__name__ for kind in KINDS]
by_kind = pytest.mark.parametrize("kind", KINDS, ids=NAMES)
SUMS = [DPCategoricalNB, DPGaussianNB]


@pytest.fixture(scope="module")
def rows():
    X = np.abs(np.random.default_rng(0).normal(size=(400, 3)))
    return X, (X[:, 0] > 0.7).astype(int)


def made(kind, **changes):
    parameters = {"classes": [0, 1], "unknown_labels": "ignore", "random_state": 0, **changes}
    return kind().set_params(**parameters)


def test_labels_and_weights():
    def of(y, classes, weights=None):
        labels, known = known_labels(y, np.array(classes))
        return labels.tolist(), without_unknown(weights, known, len(y)).tolist()

    assert of(np.array(["a", "x", "a"]), ["a", "longer"]) == (["a", "a", "a"], [1, 0, 1])
    assert of(np.array([5, 2]), [2, 3], np.array([0.5, 3.0])) == ([2, 2], [0, 3])
    for strange in (["b", None, np.nan, 1], [True, "b", 2.5, "B"], [["b"], "b", {}, 1j]):
        labels, weights = of(strange, ["a", "b"])
        assert set(labels) <= {"a", "b"}
        assert sum(weights) == 1
    assert of(np.array(["1", "2"]), [1, 2]) == ([1, 1], [0, 0])


@pytest.mark.parametrize("odd", ["x", b"x", np.nan, None, ["x"], 10**400, 1j])
@pytest.mark.parametrize("kind", [list, tuple, pd.Series, "array"])
def test_one_odd_label_changes_no_other(odd, kind):
    labels = [0, 1, 1, 0, odd]
    given = kind(labels) if callable(kind) else np.empty(5, dtype=object)
    if not callable(kind):
        given[:] = labels
    found, known = known_labels(given, np.array([0, 1]))
    assert found[:4].tolist() == [0, 1, 1, 0]
    assert known.tolist() == [True] * 4 + [False]


@by_kind
@pytest.mark.parametrize("odd", ["x", np.nan, None])
def test_an_odd_label_in_a_list_is_a_row_without_weight(kind, rows, odd):
    X, y = rows
    labels = y.tolist()
    labels[3] = odd
    model = made(kind).fit(X, labels)
    weights = (np.arange(len(y)) != 3).astype(float)
    twin = made(kind, unknown_labels="error").fit(X, y, weights)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))


@by_kind
@pytest.mark.parametrize("max_weight", [1.0, 3.0])
def test_rows_with_unknown_labels_have_no_weight(kind, rows, max_weight):
    X, y = rows
    strange = np.where(np.arange(len(y)) < 60, 7, y)
    model = made(kind, max_weight=max_weight).fit(X, strange)
    weights = (np.arange(len(y)) >= 60).astype(float)
    twin = made(kind, max_weight=max_weight, unknown_labels="error").fit(X, y, weights)
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))
    assert model.classes_.tolist() == [0, 1]
    assert model.privacy_.mu == twin.privacy_.mu
    assert any("no weight" in text for text in model.privacy_.assumptions)


@by_kind
def test_unknown_labels_of_every_kind_leave_no_error(kind, rows):
    X, y = rows
    accountant = PrivacyAccountant()
    model = made(kind, accountant=accountant)
    for labels in (np.full(400, 9), np.where(np.arange(400) < 5, 0.5, y), np.full(400, "x")):
        assert np.isfinite(model.fit(X, labels).predict(X)).all()
    names = np.array(["no", "yes"])
    model.set_params(classes=["no", "perhaps"]).fit(X, names[y])
    assert model.classes_.tolist() == ["no", "perhaps"]
    assert len({entry.mu for entry in accountant.entries}) == 1


@by_kind
def test_unknown_labels_are_an_error_before_the_charge(kind, rows):
    X, y = rows
    accountant = PrivacyAccountant()
    model = made(kind, unknown_labels="error", accountant=accountant)
    with pytest.raises(ValueError, match="does not declare"):
        model.fit(X, y + 1)
    with pytest.raises(ValueError, match="needs declared classes"):
        model.set_params(unknown_labels="ignore", classes=None).fit(X, y)
    with pytest.raises(ValueError, match="'unknown_labels' parameter"):
        model.set_params(unknown_labels="drop").fit(X, y)
    assert not accountant.entries


@pytest.mark.parametrize("kind", SUMS)
@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_a_label_that_becomes_unknown_stays_within_the_price(kind, adjacency):
    X, y = np.ones((50, 2)), np.arange(50) % 2
    other = np.append(y[:-1], 9)

    def fit_of(labels):
        accountant = PrivacyAccountant(adjacency=adjacency)
        model = made(kind, accountant=accountant)
        if "bounds" in model.get_params():
            model.set_params(bounds=(-1, 1))
        return lambda: model.fit(X, labels)

    first = record(fit_of(y))
    moved = float(transcript_mu_squared(first, replay(fit_of(other), first)))
    # The row is gone, whatever its label: one step of add-remove, half of a replacement's.
    whole = first.result.privacy_.mu**2 / (1 if adjacency == "add-remove" else 2)
    assert moved == pytest.approx(whole, rel=0.05)
