"""The additive regressor."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from skprivacy import PrivacyAccountant
from skprivacy.additive import DPAdditiveRegressor


def rows(n_rows=6000, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n_rows, 4))
    X[rng.uniform(size=n_rows) < 0.1, 3] = np.nan
    y = 100 * (np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + np.isnan(X[:, 3])) + rng.normal(0, 20, n_rows)
    return X, y


@pytest.mark.parametrize(
    "facts",
    [
        {"bounds": (-1, 1), "y_bounds": (-200, 400)},
        {},
        {"bounds": (-1, 1)},
        {"y_bounds": [-200, 400]},
    ],
)
def test_learns(facts):
    X, y = rows()
    later, truth = rows(seed=1)
    model = DPAdditiveRegressor(2.0, random_state=0, **facts).fit(X, y)
    assert r2_score(truth, model.predict(later)) > 0.75
    low, high = model.y_bounds_
    assert -400 < low < -80
    assert 200 < high < 700
    if "y_bounds" in facts:
        assert model.y_bounds_ == (-200.0, 400.0)
    assert isinstance(model.intercept_, float)


def test_predictions_stay_within_the_bounds_of_the_target():
    X, y = rows(500)
    model = DPAdditiveRegressor(y_bounds=(0, 1), bounds=(-1, 1)).fit(X, y)
    predicted = model.predict(X)
    assert predicted.min() >= 0
    assert predicted.max() <= 1


def test_explanations_are_in_units_of_the_target():
    X, y = rows()
    model = DPAdditiveRegressor(
        20.0, bounds=(-1, 1), y_bounds=(-300, 500), random_state=0, interactions=0
    ).fit(X, y)
    sine = model.explain_global()[0]
    middles = (sine.edges[0][:-1] + sine.edges[0][1:]) / 2
    assert np.abs(sine.values[:-1, 0] - 100 * np.sin(3 * middles)).mean() < 15
    total = model.intercept_ + sum(
        f.values[np.searchsorted(f.edges[0][1:-1], X[7, j], side="right"), 0]
        for j, f in enumerate(model.explain_global())
    )
    assert total == pytest.approx(model.predict(X[7:8])[0])


def test_what_is_found_and_what_is_declared_is_in_the_receipt():
    X, y = rows(300)
    names = {
        len(DPAdditiveRegressor(**facts).fit(X, y).privacy_.mechanisms)
        for facts in ({}, {"bounds": (-1, 1)}, {"y_bounds": (0, 1)})
    }
    assert names == {5}
    declared = DPAdditiveRegressor(bounds=(-1, 1), y_bounds=(0, 1)).fit(X, y)
    assert len(declared.privacy_.mechanisms) == 3
    assert any("bounds of the target were declared" in a for a in declared.privacy_.assumptions)


@pytest.mark.parametrize("y_bounds", [(1, 0), (0, np.inf), 3, ("a", "b"), (0, 1, 2)])
def test_wrong_bounds_of_the_target_charge_nothing(y_bounds):
    X, y = rows(50)
    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match="'y_bounds' parameter"):
        DPAdditiveRegressor(accountant=accountant, y_bounds=y_bounds).fit(X, y)
    assert len(accountant.entries) == 0
