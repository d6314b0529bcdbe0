"""The solver reaches its tolerance from anywhere, and the bounds it relies on hold."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skprivacy.optimize._logistic import (
    BLOCK,
    DENSE_COLUMNS,
    LogisticObjective,
    gradient_rounding,
    minimise,
    norm_bound,
)


def make_objective(
    n_rows=500, n_columns=6, *, seed=0, weighted=False, regularization=0.5, offset=0.3
):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n_rows, n_columns))
    Z /= np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1.0)
    signs = np.where(rng.random(n_rows) < expit(6 * Z[:, 0]), 1.0, -1.0)
    weights = rng.random(n_rows) if weighted else None
    return LogisticObjective(Z, signs, weights, offset, regularization, rng.normal(size=n_columns))


def precise_gradient(objective, w):
    """The gradient in extended precision, summed row by row."""
    wide = np.longdouble
    Z, y, w = objective.Z.astype(wide), objective.signs.astype(wide), w.astype(wide)
    t = y * ((Z * w).sum(axis=1) + wide(objective.offset))
    u = np.ones(len(y), wide) if objective.weights is None else objective.weights.astype(wide)
    slopes = u / (1 + np.exp(np.minimum(t, wide(5000))))
    return (
        -((slopes * y)[:, None] * Z).sum(axis=0) + objective.regularization * w + objective.linear
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("regularization", [1e-4, 0.5, 100.0])
@pytest.mark.parametrize("n_rows", [1, 500, 3 * BLOCK + 17, 17 * BLOCK])
def test_minimiser_has_a_small_gradient(weighted, regularization, n_rows):
    objective = make_objective(n_rows, weighted=weighted, regularization=regularization)
    w = minimise(objective, 1e-7)
    assert np.linalg.norm(precise_gradient(objective, w)) < 1.1e-7


def test_agrees_with_scikit_learn():
    objective = make_objective(offset=0.0)
    objective = LogisticObjective(
        objective.Z, objective.signs, None, 0.0, objective.regularization, np.zeros(6)
    )
    twin = LogisticRegression(C=1 / objective.regularization, fit_intercept=False, tol=1e-10)
    twin.fit(objective.Z, objective.signs)
    np.testing.assert_allclose(minimise(objective, 1e-8), twin.coef_[0], atol=1e-5)


def test_separable_rows_and_a_strong_tilt():
    Z = np.repeat([[1.0, 0.0], [0.0, 1.0]], 200, axis=0)
    objective = LogisticObjective(Z, np.ones(400), None, 3.0, 1e-3, np.array([1e4, -1e4]))
    w = minimise(objective, 1e-6)
    assert np.linalg.norm(precise_gradient(objective, w)) < 1.1e-6


def test_many_columns_use_quasi_newton_steps():
    objective = make_objective(50, DENSE_COLUMNS + 1, regularization=2.0)
    w = minimise(objective, 1e-6)
    assert np.linalg.norm(precise_gradient(objective, w)) < 1.1e-6


def test_an_unreachable_tolerance_is_a_fault():
    with pytest.raises(FloatingPointError, match="tolerance"):
        minimise(make_objective(20, 3), 1e-30)


def test_derivatives_match_differences():
    objective = make_objective(weighted=True)
    w = np.random.default_rng(1).normal(size=6)
    at = objective.evaluate(w, hessian=True)
    for j, step in enumerate(np.eye(6) * 1e-5):
        up, down = objective.evaluate(w + step), objective.evaluate(w - step)
        assert (up.value - down.value) / 2e-5 == pytest.approx(at.gradient[j], abs=1e-6)
        np.testing.assert_allclose((up.gradient - down.gradient) / 2e-5, at.hessian[j], atol=1e-6)


def test_a_stride_is_an_estimate_of_the_whole():
    objective = make_objective(16 * BLOCK, regularization=1e-3)
    objective = LogisticObjective(
        objective.Z, objective.signs, None, 0.0, objective.regularization, np.zeros(6)
    )
    w = np.ones(6)
    whole = objective.evaluate(w, hessian=True)
    part = objective.evaluate(w, hessian=True, stride=4)
    assert part.value == pytest.approx(whole.value, rel=0.05)
    np.testing.assert_allclose(
        part.hessian, whole.hessian, rtol=0.1, atol=0.02 * whole.hessian.max()
    )


@pytest.mark.parametrize("scale", [0.1, 10.0, 1e4])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (5000, 3), (20000, 40)])
def test_rounding_error_is_within_its_bound(scale, n_rows, n_columns):
    objective = make_objective(n_rows, n_columns, weighted=True)
    w = scale * np.random.default_rng(2).normal(size=n_columns)
    error = np.linalg.norm(objective.evaluate(w).gradient - precise_gradient(objective, w))
    norm = float(np.linalg.norm(w))
    assert error <= gradient_rounding(n_rows, n_columns, norm, objective.regularization)


def test_norm_bound_holds():
    for seed in range(20):
        objective = make_objective(200, seed=seed, regularization=10.0 ** (seed % 5 - 3))
        w = minimise(objective, 1e-7)
        bound = norm_bound(200, objective.regularization, float(np.linalg.norm(objective.linear)))
        assert np.linalg.norm(w) <= bound
