"""Minimising a regularised logistic loss with a linear term, to a proven tolerance.

The objective is J(w) = sum_i u_i log(1 + exp(-y_i (z_i.w + o))) + lambda/2 |w|^2 + b.w
with |z_i| <= 1: strongly convex and, with constant 1, quasi-self-concordant (Bach
2010). Damped Newton with step log(1 + |p|) / |p| therefore converges from anywhere (Sun
and Tran-Dinh 2019, Theorem 3); longer steps are tried first and kept when they lower J
enough. Nothing about the way is released: not the number of steps, not the norms.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

BLOCK = 2048
"""Rows of one block: it is read once for the margins and the gradient together."""

UNIT = 2.0**-53
DENSE_COLUMNS = 1500
"""Up to here the Hessian is formed; beyond it quasi-Newton steps do the work."""

MAX_STEPS = 400
ROUGH_STRIDE, ROUGH_STEPS, ROUGH_DECREMENT = 8, 12, 1e-2

SLOW = 0.2
"""A step that leaves more of the gradient than this calls for a new Hessian."""

Factor = tuple[np.ndarray, bool]
"""A Cholesky factor, as SciPy gives it."""


class Evaluation(NamedTuple):
    """Value, gradient and, where asked for, Hessian of the objective."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray | None

    def factor(self) -> "Factor":
        """Return the Cholesky factor of the Hessian, which was asked for."""
        if self.hessian is None:
            raise ValueError("This evaluation has no Hessian.")
        return cho_factor(self.hessian, check_finite=False)


@dataclass(frozen=True)
class LogisticObjective:
    """The objective J.

    Parameters
    ----------
    Z : array of shape (n_rows, n_columns)
        Rows of norm at most 1.
    signs : array of shape (n_rows,)
        Labels, -1.0 or 1.0.
    weights : array of shape (n_rows,) or None
        Weights u in [0, 1].
    offset : float
        Constant added to every margin.
    regularization : float
        lambda > 0.
    linear : array of shape (n_columns,)
        The vector b.
    """

    Z: np.ndarray
    signs: np.ndarray
    weights: np.ndarray | None
    offset: float
    regularization: float
    linear: np.ndarray

    def evaluate(self, w: np.ndarray, *, hessian: bool = False, stride: int = 1) -> Evaluation:
        """Return the value, gradient and Hessian at `w`.

        Parameters
        ----------
        w : array of shape (n_columns,)
        hessian : bool, default=False
        stride : int, default=1
            Use every `stride`-th block of rows, scaled up: a cheap model of J.
        """
        n_columns = w.size
        value = 0.0
        gradient = np.zeros(n_columns)
        matrix = np.zeros((n_columns, n_columns)) if hessian else None
        for start in range(0, self.Z.shape[0], BLOCK * stride):
            rows = slice(start, start + BLOCK)
            z, y = self.Z[rows], self.signs[rows]
            t = y * (z @ w + self.offset)
            small = np.exp(-np.abs(t))
            losses = np.log1p(small) - np.minimum(t, 0.0)
            slopes = np.where(t > 0, small, 1.0) / (1.0 + small)
            curvatures = small / np.square(1.0 + small)
            if self.weights is not None:
                u = self.weights[rows]
                losses, slopes, curvatures = u * losses, u * slopes, u * curvatures
            value += float(losses.sum())
            gradient -= (slopes * y) @ z
            if matrix is not None:
                scaled = np.sqrt(curvatures)[:, np.newaxis] * z
                matrix += scaled.T @ scaled
        if stride > 1:
            used = sum(
                min(BLOCK, self.Z.shape[0] - s) for s in range(0, self.Z.shape[0], BLOCK * stride)
            )
            scale = self.Z.shape[0] / used
            value, gradient = value * scale, gradient * scale
            matrix = None if matrix is None else matrix * scale
        value += float(self.regularization / 2 * (w @ w) + self.linear @ w)
        gradient += self.regularization * w + self.linear
        if matrix is not None:
            matrix[np.diag_indices(n_columns)] += self.regularization
        return Evaluation(value, gradient, matrix)


def gradient_rounding(n_rows: float, n_columns: int, norm: float, regularization: float) -> float:
    """Bound the rounding error of `LogisticObjective.evaluate`'s gradient, in Euclidean norm.

    A margin z.w of |z| <= 1, |w| <= `norm` has error at most (n_columns + 4) u norm with
    unit roundoff u, the slope, with derivative at most 1/4, and its own evaluation add
    10 u; a block's sum over rows adds at most its length times u, the sum over blocks
    their number times u, each times the sum of the terms' norms, at most `n_rows`.
    """
    n_blocks = n_rows / BLOCK + 1
    per_row = (n_columns + 4) * (norm + 4) / 4 + 10 + BLOCK + n_blocks
    return 1.01 * UNIT * (n_rows * per_row + 4 * (regularization * norm + norm + 1))


def norm_bound(n_rows: float, regularization: float, linear_norm: float) -> float:
    """Bound the norm of the minimiser: J there is at most J(0) <= (3 + log 2) n_rows."""
    ratio = linear_norm / regularization
    return ratio + math.sqrt(ratio**2 + 2 * (3 + math.log(2)) * n_rows / regularization)


def minimise(objective: LogisticObjective, tolerance: float) -> np.ndarray:
    """Return w with a gradient of computed norm at most `tolerance`.

    Parameters
    ----------
    objective : LogisticObjective
    tolerance : float
        Has to be above the rounding error of the gradient.

    Returns
    -------
    array of shape (n_columns,)

    Raises
    ------
    FloatingPointError
        If the tolerance is not met within a bound that the theory keeps; a fault of
        the arithmetic, not an outcome.
    """
    w = np.zeros(objective.linear.size)
    if w.size > DENSE_COLUMNS:
        return _quasi_newton(objective, w, tolerance)
    factor = None
    if objective.Z.shape[0] >= ROUGH_STRIDE * BLOCK:
        # A rough minimiser on a part of the blocks, and its Hessian, save passes over all.
        for _ in range(ROUGH_STEPS):
            current = objective.evaluate(w, hessian=True, stride=ROUGH_STRIDE)
            factor = current.factor()
            step, decrement = _direction(factor, current)
            w, _ = _search(objective, w, current, step, decrement, stride=ROUGH_STRIDE)
            if decrement < ROUGH_DECREMENT:
                break
    return _newton(objective, w, factor, tolerance)


def _newton(
    objective: LogisticObjective, w: np.ndarray, factor: Factor | None, tolerance: float
) -> np.ndarray:
    """Return the minimiser by Newton steps, with a new Hessian only where the last one fails."""
    current = objective.evaluate(w, hessian=factor is None)
    for _ in range(MAX_STEPS):
        norm = float(np.linalg.norm(current.gradient))
        if norm <= tolerance:
            return w
        if factor is None or current.hessian is not None:
            factor = current.factor()
        w_next, trial = _search(objective, w, current, *_direction(factor, current))
        slow = np.linalg.norm(trial.gradient) > SLOW * norm
        if slow and current.hessian is None:
            # The old factor is of no use any more: stay, and take the Hessian of this point.
            current = objective.evaluate(w, hessian=True)
        else:
            w, current = w_next, objective.evaluate(w_next, hessian=True) if slow else trial
    raise FloatingPointError("The private objective was not minimised to its tolerance.")


def _direction(factor: Factor, current: Evaluation) -> tuple[np.ndarray, float]:
    """Return the Newton step and how fast J falls along it."""
    step = -cho_solve(factor, current.gradient, check_finite=False)
    return step, float(-(step @ current.gradient))


def _search(
    objective: LogisticObjective,
    w: np.ndarray,
    current: Evaluation,
    step: np.ndarray,
    decrement: float,
    *,
    stride: int = 1,
) -> tuple[np.ndarray, Evaluation]:
    """Return the point along `step` that lowers J enough, and J there."""
    length = float(np.linalg.norm(step))
    guaranteed = math.log1p(length) / length if length > 0 else 1.0
    size = 1.0
    while True:
        trial = objective.evaluate(w + size * step, stride=stride)
        lower = trial.value <= current.value - 1e-4 * size * decrement
        # Near the minimum J is flat to rounding, and the gradient tells.
        shorter = np.linalg.norm(trial.gradient) <= 0.5 * np.linalg.norm(current.gradient)
        if lower or shorter or size <= guaranteed:
            return w + size * step, trial
        size = max(size / 2, guaranteed)


def _quasi_newton(objective: LogisticObjective, w: np.ndarray, tolerance: float) -> np.ndarray:
    def value_and_gradient(point: np.ndarray) -> tuple[float, np.ndarray]:
        evaluation = objective.evaluate(point)
        return evaluation.value, evaluation.gradient

    for _ in range(MAX_STEPS):
        result = minimize(
            value_and_gradient,
            w,
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": 1000,
                "maxfun": 2000,
                "ftol": 0.0,
                "gtol": tolerance / w.size**0.5 / 2,
            },
        )
        w = result.x
        if np.linalg.norm(objective.evaluate(w).gradient) <= tolerance:
            return w
    raise FloatingPointError("The private objective was not minimised to its tolerance.")
