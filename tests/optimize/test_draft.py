"""Rows that are multiplied through give the gradient of the rows that would be made."""

import numpy as np
import pytest

from skprivacy.bounding import RowScaling
from skprivacy.optimize import Huber, HuberisedHinge, Logistic, Shape, ShapedRows, Softmax, UnitRows
from skprivacy.optimize import _rows as rows_module
from skprivacy.optimize import _solver as module
from skprivacy.optimize._solver import Objective, gradient_rounding, minimise

WIDE = np.longdouble


def make_objective(
    loss, n_rows=3000, d=7, *, seed=0, weighted=False, stretch=1.0, clip=True, penalty=False
):
    """An objective whose rows are not kept; the columns' sizes differ by a factor `stretch`."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, d)) * np.geomspace(1, 1 / stretch, d)
    scaling = RowScaling(np.full(d, 0.1), np.full(d, 1.5), False, 2.0)
    unit = UnitRows(X, scaling, 2.2, 1.0)
    whole = np.vstack([unit[slice(a, a + 500)] for a in range(0, n_rows, 500)])
    shape = Shape.from_moment(whole.T @ whole, 1e-4 if stretch > 1 else 2.0, float(n_rows))
    rows = ShapedRows(unit, shape, clip=clip)
    weights = rng.random(n_rows) if weighted else None
    if not clip:
        z = np.vstack([rows[slice(a, a + 500)] for a in range(0, n_rows, 500)])
        norms = rows_module.quick_norms(z, 1.0)
        cut = 1 / np.maximum(norms, 1.0) ** 2
        weights = cut if weights is None else weights * cut
    k = loss.n_scores
    size = d + 1 if k is None else (d + 1, k)
    labels = loss.clean_labels(rng.integers(0, k, n_rows) if k else np.sign(X[:, 0]))
    return Objective(
        loss=loss,
        Z=rows,
        labels=labels,
        weights=weights,
        offset=0.2 if k is None else np.linspace(-1, 1, k),
        regularization=2.0,
        linear=rng.normal(size=size) * 3,
        penalty=rng.normal(size=(d, d + 1)) if penalty else None,
    )


def precise_gradient(objective, w):
    """The gradient in extended precision, with rows made from integers."""
    draft = objective.Z.draft()
    n_rows = objective.Z.shape[0]
    A = draft.matrix.astype(WIDE) * WIDE(rows_module.ROW_GRID)
    total = np.zeros(objective.linear.shape, WIDE)
    for a in range(0, n_rows, 500):
        rows = slice(a, a + 500)
        block = draft.block(rows)
        units = np.column_stack([block.units, block.appended]).astype(WIDE)
        z = (units @ A) * np.broadcast_to(block.factors, units.shape[:1]).astype(WIDE)[:, None]
        scores = z @ w.reshape(objective.linear.shape).astype(WIDE) + objective.offset
        slopes = wide_slopes(objective.loss, scores, objective.labels[rows])
        if objective.weights is not None:
            slopes = (slopes.T * objective.weights[rows].astype(WIDE)).T
        total += z.T @ slopes
    flat = total.ravel() + objective.regularization * w.astype(WIDE) + objective.linear.ravel()
    if objective.penalty is not None:
        B = objective.penalty.astype(WIDE)
        flat += (B.T @ (B @ w.reshape(objective.linear.shape).astype(WIDE))).ravel()
    return flat


def wide_slopes(loss, scores, labels):
    if isinstance(loss, Logistic):
        return -labels / (1 + np.exp(np.minimum(labels * scores, WIDE(5000))))
    if isinstance(loss, HuberisedHinge):
        h = WIDE(loss.half_width)
        return -labels * np.clip((1 + h - labels * scores) / (2 * h), 0, 1)
    if isinstance(loss, Huber):
        return np.clip(scores - labels, -loss.threshold, loss.threshold)
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(labels.size), labels] -= 1
    return p


LOSSES = [Logistic(), HuberisedHinge(), Huber(), Softmax(3)]


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(rows_module, "KEPT", 0)


@pytest.mark.parametrize("stretch", [1.0, 1e4])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_rounding_is_within_its_bound(loss, clip, stretch):
    objective = make_objective(loss, stretch=stretch, clip=clip, weighted=True, penalty=True)
    rng = np.random.default_rng(3)
    for size in (0.1, 10.0, 1e3):
        w = rng.normal(size=objective.linear.size) * size
        at = objective.draft(objective.Z.draft(), w)
        error = float(np.linalg.norm((at.gradient - precise_gradient(objective, w)).astype(float)))
        assert error <= at.rounding
        # And the bound is of use.
        assert at.rounding < 1e-7 * stretch * max(size, 1)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_it_is_the_evaluation_of_the_rows_themselves(loss):
    objective = make_objective(loss, weighted=True, penalty=True)
    w = np.random.default_rng(1).normal(size=objective.linear.size)
    draft = objective.draft(objective.Z.draft(), w, hessian=True)
    made = objective.evaluate(w, hessian=True)
    assert draft.value == pytest.approx(made.value, rel=1e-12)
    np.testing.assert_allclose(draft.gradient, made.gradient, atol=1e-9)
    np.testing.assert_allclose(draft.hessian, made.hessian, atol=1e-9)
    assert made.rounding == np.inf


def test_a_stride_is_an_estimate_of_the_whole():
    objective = make_objective(Logistic(), 40_000)
    w = np.ones(objective.linear.size)
    draft = objective.Z.draft()
    whole = objective.draft(draft, w, hessian=True)
    part = objective.draft(draft, w, hessian=True, stride=4)
    assert part.value == pytest.approx(whole.value, rel=0.05)
    largest = whole.hessian.max()
    np.testing.assert_allclose(part.hessian, whole.hessian, rtol=0.1, atol=0.02 * largest)
    # A part of the rows says nothing about the tolerance.
    assert part.rounding == np.inf


@pytest.mark.parametrize("n_rows", [1, 2000, 60_000])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_minimiser_has_a_small_gradient(loss, n_rows):
    objective = make_objective(loss, n_rows, clip=not isinstance(loss, Huber))
    w = minimise(objective, 1e-6).ravel()
    assert float(np.linalg.norm(precise_gradient(objective, w).astype(float))) <= 1e-6


def test_where_the_bound_is_too_wide_rows_are_made(monkeypatch):
    """Rows whose columns differ in size by 10^4: products through the matrix lose digits."""
    objective = make_objective(Logistic(), stretch=1e4)
    made = []
    evaluate = Objective.evaluate
    monkeypatch.setattr(
        Objective, "evaluate", lambda *args, **how: made.append(1) or evaluate(*args, **how)
    )
    tolerance = 3e-11
    w = minimise(objective, tolerance)
    assert made
    rounding = gradient_rounding(
        Logistic(), 3000, 8, float(np.linalg.norm(w)), objective.regularization
    )
    assert float(np.linalg.norm(precise_gradient(objective, w))) <= tolerance + rounding
    made.clear()
    minimise(objective, 1e-6)
    assert not made


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_a_useless_hessian_is_replaced(monkeypatch, loss):
    """Blocks that differ: what every so many-th says is wrong for the rest."""
    objective = make_objective(loss, 40_000)
    n_rows, part = 40_000, rows_module.PART_ROWS
    looked_at = (np.arange(n_rows) // part) % 16 == 0
    weights = np.where(looked_at, 1.0, 1e-3)
    objective = Objective(**{**vars(objective), "weights": weights})
    monkeypatch.setattr(module, "ROWS_A_COEFFICIENT", 10)
    w = minimise(objective, 1e-7).ravel()
    assert float(np.linalg.norm(precise_gradient(objective, w).astype(float))) <= 1e-7
