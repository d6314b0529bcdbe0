"""The solver reaches its tolerance from anywhere, and the bounds it relies on hold."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from skprivacy.optimize import Huber, HuberisedHinge, Logistic, Softmax
from skprivacy.optimize import _solver as module
from skprivacy.optimize._solver import (
    BLOCK,
    DENSE_SIZE,
    Objective,
    _descend,
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
    return Objective(
        Logistic(), Z, signs, weights, offset, regularization, rng.normal(size=n_columns)
    )


def precise_gradient(objective, w):
    """The gradient in extended precision, summed row by row."""
    wide = np.longdouble
    Z, y, w = objective.Z.astype(wide), objective.labels.astype(wide), w.astype(wide)
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
    objective = Objective(
        Logistic(), objective.Z, objective.labels, None, 0.0, objective.regularization, np.zeros(6)
    )
    twin = LogisticRegression(C=1 / objective.regularization, fit_intercept=False, tol=1e-10)
    twin.fit(objective.Z, objective.labels)
    np.testing.assert_allclose(minimise(objective, 1e-8), twin.coef_[0], atol=1e-5)


def test_separable_rows_and_a_strong_tilt():
    Z = np.repeat([[1.0, 0.0], [0.0, 1.0]], 200, axis=0)
    objective = Objective(Logistic(), Z, np.ones(400), None, 3.0, 1e-3, np.array([1e4, -1e4]))
    w = minimise(objective, 1e-6)
    assert np.linalg.norm(precise_gradient(objective, w)) < 1.1e-6


def test_many_columns_use_quasi_newton_steps():
    objective = make_objective(50, DENSE_SIZE + 1, regularization=2.0)
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


@pytest.mark.parametrize("scale", [0.1, 10.0, 1e4])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (5000, 3), (20000, 40)])
def test_rounding_error_is_within_its_bound(scale, n_rows, n_columns):
    objective = make_objective(n_rows, n_columns, weighted=True)
    w = scale * np.random.default_rng(2).normal(size=n_columns)
    error = np.linalg.norm(objective.evaluate(w).gradient - precise_gradient(objective, w))
    norm = float(np.linalg.norm(w))
    assert error <= gradient_rounding(Logistic(), n_rows, n_columns, norm, objective.regularization)


def test_norm_bound_holds():
    for seed in range(20):
        objective = make_objective(200, seed=seed, regularization=10.0 ** (seed % 5 - 3))
        w = minimise(objective, 1e-7)
        bound = norm_bound(
            Logistic(), 200, objective.regularization, float(np.linalg.norm(objective.linear))
        )
        assert np.linalg.norm(w) <= bound


LOSSES = [Logistic(), HuberisedHinge(), HuberisedHinge(0.05), Huber(), Softmax(4)]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("regularization", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("n_rows", [1, 300, 17 * BLOCK])
def test_every_loss_is_minimised(loss, regularization, n_rows):
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(n_rows, 5))
    Z /= np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1.0)
    labels = rng.integers(0, 4, n_rows) if loss.n_scores else rng.uniform(-1, 1, n_rows)
    size = (5, 4) if loss.n_scores else (5,)
    offset = rng.normal(size=4) if loss.n_scores else 0.5
    objective = Objective(
        loss,
        Z,
        loss.clean_labels(labels),
        rng.random(n_rows),
        offset,
        regularization,
        3 * rng.normal(size=size),
    )
    w = minimise(objective, 1e-6)
    assert w.shape == size
    slopes = loss.terms(Z @ w + offset, objective.labels).slopes
    slopes = (slopes.T * objective.weights).T
    gradient = Z.T @ slopes + regularization * w + objective.linear
    assert np.linalg.norm(gradient) < 1.1e-6


@pytest.mark.parametrize("loss", [HuberisedHinge(), Huber(), Softmax(4)], ids=repr)
def test_derivatives_of_every_loss_match_differences(loss):
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(300, 3)) / 3
    labels = loss.clean_labels(rng.integers(0, 4, 300) / (1 if loss.n_scores else 4))
    size = (3, 4) if loss.n_scores else (3,)
    objective = Objective(loss, Z, labels, rng.random(300), 0.1, 0.7, rng.normal(size=size))
    w = rng.normal(size=objective.linear.size)
    at = objective.evaluate(w, hessian=True)
    for j, step in enumerate(np.eye(w.size) * 1e-6):
        up, down = objective.evaluate(w + step), objective.evaluate(w - step)
        assert (up.value - down.value) / 2e-6 == pytest.approx(at.gradient[j], abs=1e-4)
        np.testing.assert_allclose((up.gradient - down.gradient) / 2e-6, at.hessian[j], atol=0.05)


def test_many_scores_use_quasi_newton_steps():
    rng = np.random.default_rng(5)
    loss = Softmax(40)
    Z = rng.normal(size=(60, 40)) / 10
    objective = Objective(
        loss, Z, rng.integers(0, 40, 60), None, 0.0, 1.0, rng.normal(size=(40, 40))
    )
    assert objective.linear.size > DENSE_SIZE
    w = minimise(objective, 1e-6)
    assert np.linalg.norm(objective.evaluate(w.ravel()).gradient) <= 1e-6


@pytest.mark.parametrize("loss", [HuberisedHinge(), Huber()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("n_rows", [4, 6, 10, 40])
def test_no_tilt_makes_newton_steps_turn_in_a_circle(loss, n_rows):
    """Whether a fit ends must not depend on a row: the minimiser is reached at every tilt."""
    Z = np.ones((n_rows, 1))
    labels = loss.clean_labels(np.ones(n_rows))
    for sigma in (0.4, 1.0, 3.0):
        for tilt in np.linspace(-3, 3, 121) * sigma:
            objective = Objective(
                loss, Z, labels, None, 0.0, sigma * loss.curvature * 1.5, np.array([tilt])
            )
            w = minimise(objective, 1e-9)
            assert abs(objective.evaluate(w).gradient[0]) <= 1e-9


@pytest.mark.parametrize("loss", [Logistic(), HuberisedHinge(), Huber()], ids=lambda x: x.name)
def test_plain_descent_reaches_every_minimiser(loss):
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(300, 40))
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    objective = Objective(
        loss,
        Z,
        loss.clean_labels(rng.choice([-1.0, 1.0], 300)),
        rng.random(300),
        0.0,
        0.5,
        rng.normal(size=40),
        penalty=rng.normal(size=(2, 40)),
    )
    w = _descend(objective, 5 * rng.normal(size=40), 1e-9)
    assert np.linalg.norm(objective.evaluate(w).gradient) <= 1e-9
    np.testing.assert_allclose(w, minimise(objective, 1e-9), atol=1e-8)


def test_quasi_newton_steps_that_stop_short_are_finished(monkeypatch):
    rng = np.random.default_rng(5)
    Z = rng.normal(size=(60, 30)) / 6
    objective = Objective(
        Logistic(), Z, rng.choice([-1.0, 1.0], 60), None, 0.0, 0.3, rng.normal(size=30)
    )
    monkeypatch.setattr(module, "DENSE_SIZE", 10)
    monkeypatch.setattr(module, "MAX_RESTARTS", 0)
    w = minimise(objective, 1e-9)
    assert np.linalg.norm(objective.evaluate(w).gradient) <= 1e-9
