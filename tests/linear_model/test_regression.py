"""Private linear regression: results, parameters, and what does not leave a fit."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_diabetes
from sklearn.linear_model import HuberRegressor, LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline

from skprivacy import PrivacyAccountant
from skprivacy.linear_model import DPLinearRegression, DPRidge
from skprivacy.mechanisms import Draw
from skprivacy.optimize import Perturbation, Shape
from skprivacy.plan import Facts
from skprivacy.preprocessing import DPStandardScaler

BOTH = [DPLinearRegression, DPRidge]


@pytest.fixture(scope="module")
def rows():
    """Four thousand rows of columns with different scales and a known model."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(4000, 4)) * [1, 10, 0.1, 1] + [0, 50, 1, 0]
    signal = X @ [3.0, 0.2, 20.0, 0.0] - 30
    return X, signal + rng.normal(size=4000), signal


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("epsilon", [0.5, 2.0])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"bounds": ([-1, 40, 0.9, -1], [1, 60, 1.1, 1]), "y_bounds": (-20, 20)}],
    ids=["private bounds", "public bounds"],
)
def test_predicts_nearly_as_well_as_the_true_model(rows, model, epsilon, parameters):
    X, y, signal = rows
    fitted = model(epsilon=epsilon, random_state=0, **parameters).fit(X, y)
    assert fitted.score(X, y) > r2_score(y, signal) - (0.15 if epsilon < 1 else 0.05)
    assert fitted.privacy_.epsilon == pytest.approx(epsilon, rel=1e-6)


def test_large_epsilon_approaches_scikit_learn(rows):
    X, y, _ = rows
    bounds = X.min(axis=0), X.max(axis=0)
    model = DPLinearRegression(30.0, bounds=bounds, y_bounds=(-15, 15), random_state=0).fit(X, y)
    twin = LinearRegression().fit(X, y)
    spread = X.std(axis=0)
    np.testing.assert_allclose(model.coef_ * spread, twin.coef_ * spread, atol=0.1)
    np.testing.assert_allclose(model.predict(X), twin.predict(X), atol=0.4)


def test_long_rows_are_weighted_and_not_shortened():
    """Shortened rows would bias the coefficient towards zero."""
    rng = np.random.default_rng(0)
    X = rng.standard_t(3, size=(20_000, 1))
    y = X[:, 0] + rng.normal(size=20_000) * 0.1
    model = DPLinearRegression(8.0, clipping_norm=20.0, y_bounds=(-8, 8), random_state=0)
    assert model.fit(X, y).coef_[0] == pytest.approx(1.0, abs=0.05)


def test_outliers_of_the_target_matter_little(rows):
    X, y, signal = rows
    y = y.copy()
    y[:80] = 1e6
    model = DPLinearRegression(4.0, y_bounds=(-15, 15), random_state=0).fit(X, y)
    robust = HuberRegressor(max_iter=10_000).fit((X - X.mean(axis=0)) / X.std(axis=0), y)
    assert r2_score(signal[80:], model.predict(X[80:])) > 0.9
    assert np.isfinite(robust.coef_).all()


@pytest.mark.parametrize("model", BOTH)
def test_replace_one_adjacency(rows, model):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=4.0, adjacency="replace-one")
    fitted = model(epsilon=4.0, accountant=accountant, random_state=0).fit(X, y)
    assert fitted.score(X, y) > 0.7
    assert fitted.privacy_.epsilon == pytest.approx(4.0, rel=1e-6)
    assert fitted.privacy_.adjacency == "replace-one"


@pytest.mark.parametrize("delta", [0.0, 1e-6])
def test_released_numbers_are_about_right(rows, monkeypatch, delta):
    """At a large epsilon: number of rows, mean target and moment, as the fit goes on with them."""
    X, y, _ = rows
    seen = {}
    original = Shape.from_moment

    def shape(moment, noise_scale, n_rows):
        seen.update(moment=moment, n_rows=n_rows)
        return original(moment, noise_scale, n_rows)

    def draw(self, Z, labels, *, offset, **options):
        seen["offset"] = offset
        return Draw(np.zeros(Z.shape[1]))

    monkeypatch.setattr(Shape, "from_moment", shape)
    monkeypatch.setattr(Perturbation, "draw", draw)
    DPRidge(epsilon=50.0, delta=delta, bounds=(0, 100), clipping_norm=2.0, y_bounds=(-15, 15)).fit(
        X, y
    )
    unit = np.column_stack([(X - 50) / 50, np.ones(len(X))])
    unit = np.clip(unit, -1, 1)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 5**0.5)
    moment = unit.T @ unit
    assert seen["n_rows"] == pytest.approx(len(X), rel=0.02)
    assert seen["offset"] == pytest.approx(np.mean(y) / 15, abs=0.02)
    expected = moment if delta else np.diag(moment)
    np.testing.assert_allclose(seen["moment"], expected, atol=0.02 * len(X))


def test_price(rows):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    model = DPRidge(accountant=accountant).fit(X, y)
    (entry,) = accountant.entries
    assert entry.mu == model.privacy_.mu
    assert model.privacy_.loss.delta == 0
    for facts in (Facts(n_features=3), Facts(n_features=4000)):
        for one in BOTH:
            price = one(epsilon=2.0).plan(facts).loss.to_epsilon(1e-6)
            assert price == pytest.approx(2.0, rel=1e-6)


def test_alpha_is_the_penalty_of_ridge(rows):
    X, y, _ = rows
    parameters = {"bounds": (0, 100), "y_bounds": (-15, 15), "epsilon": 5.0, "random_state": 0}
    norms = [np.linalg.norm(DPRidge(a, **parameters).fit(X, y).coef_) for a in (0, 1e3, 1e6, 1e9)]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < 1e-3
    plain = DPLinearRegression(**parameters).fit(X, y)
    np.testing.assert_array_equal(plain.coef_, DPRidge(0.0, **parameters).fit(X, y).coef_)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"delta": 0.0}, "delta above 0"),
        ({"y_bounds": (1, 0)}, "'y_bounds' parameter"),
        ({"y_bounds": 3}, "'y_bounds' parameter"),
        ({"y_bounds": ([0, 0], [1, 1])}, "'y_bounds' parameter"),
        ({"bounds": (1, 0)}, "'bounds' parameter"),
        ({"alpha": -1.0}, "'alpha' parameter"),
        ({"max_weight": 0}, "'max_weight' parameter"),
    ],
)
def test_bad_parameters_cost_nothing(rows, parameters, message):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=5.0)
    with pytest.raises(ValueError, match=message):
        DPRidge(accountant=accountant).set_params(**parameters).fit(X, y)
    assert len(accountant.entries) == 0


def test_sample_weight(rows):
    X, y, _ = rows
    fit = DPRidge(
        epsilon=5.0, clipping_norm=60.0, y_bounds=(-15, 15), max_weight=2.0, random_state=0
    ).fit
    one = fit(X, y, np.full(len(y), 2.0)).coef_
    assert (one == fit(X, y, np.full(len(y), 50.0)).coef_).all()
    # A row of weight 0 is a row that is not there.
    keep = np.arange(len(y)) % 3 > 0
    weighted = fit(X, y, keep * 2.0).coef_
    np.testing.assert_allclose(weighted, fit(X[keep], y[keep], np.full(keep.sum(), 2.0)).coef_)


def test_without_intercept(rows):
    X, y, _ = rows
    model = DPLinearRegression(4.0, fit_intercept=False, random_state=0).fit(X, y)
    assert model.intercept_ == 0


def test_predictions_stay_within_the_bounds_of_the_target(rows):
    X, y, _ = rows
    model = DPLinearRegression(4.0, y_bounds=(-2, 3), random_state=0).fit(X, y)
    predicted = model.predict(X * 100)
    assert predicted.min() >= -2
    assert predicted.max() <= 3


def test_pipeline_with_a_private_scaler(rows):
    X, y, _ = rows
    model = make_pipeline(
        DPStandardScaler(1.0, random_state=0), DPRidge(epsilon=2.0, random_state=0)
    )
    assert model.fit(X, y).score(X, y) > 0.5
    assert any("previous step" in text for text in model[-1].privacy_.assumptions)


def test_sparse_and_single_precision_rows():
    rng = np.random.default_rng(0)
    X = rng.random((3000, 30)) * (rng.random((3000, 30)) < 0.2)
    y = X @ np.linspace(-1, 1, 30)
    parameters = {"clipping_norm": 2.0, "y_bounds": (-2, 2), "random_state": 0, "epsilon": 4.0}
    dense = DPRidge(**parameters).fit(X, y)
    for rows in (csr_array(X), X.astype(np.float32)):
        other = DPRidge(**parameters).fit(rows, y)
        assert other.coef_.dtype == np.float64
        np.testing.assert_allclose(other.coef_, dense.coef_, atol=1e-2)


def test_beats_noisy_sufficient_statistics():
    """R2 of AdaSSP in GDP form, on the same splits: -.03, .16, .30 at epsilon .3, 1, 3."""
    X, y = load_diabetes(return_X_y=True)
    X = X * np.sqrt(len(X)) / 2
    for epsilon, least in ((1.0, 0.25), (3.0, 0.38)):
        scores = []
        for seed in range(6):
            order = np.random.default_rng(seed).permutation(len(y))
            train, test = order[:353], order[353:]
            model = DPLinearRegression(
                epsilon, 1e-5, clipping_norm=2.0, y_bounds=(25, 350), random_state=seed
            )
            scores.append(model.fit(X[train], y[train]).score(X[test], y[test]))
        assert np.mean(scores) > least


def test_nothing_of_the_rows_is_in_the_model():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(1237, 4))
    y = X[:, 0] + rng.normal(size=1237)
    model = DPRidge(epsilon=50.0).fit(X, y)
    blob = pickle.dumps(model)
    assert not any(value.tobytes() in blob for value in np.append(X.ravel(), y))
    assert "1237" not in repr(model) + str(model.privacy_) + model.privacy_.to_json()
    assert not hasattr(model, "n_iter_")
