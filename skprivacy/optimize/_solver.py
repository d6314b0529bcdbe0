"""Minimising a regularised loss with a linear term, to a proven tolerance.

The objective is J(w) = sum_i u_i f(z_i w + o, y_i) + lambda/2 |w|^2 + b.w with convex f
and u_i |z_i|^2 <= 1. It is strongly convex. Where f is quasi-self-concordant (logistic
loss, cross entropy; Bach 2010), damped Newton with step log(1 + M |p|) / (M |p|)
converges from anywhere (Sun and Tran-Dinh 2019, Theorem 3). Where f is made of parabolas
and lines (Huber's loss, the Huberised hinge), Newton steps with backtracking do: J has a
Lipschitz gradient, and near the minimum a step is exact. Longer steps are tried first and
kept when they lower J enough. Nothing about the way is released: not the number of
steps, not the norms.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from ..mechanisms import is_sparse
from ._losses import Loss
from ._rows import Draft, ShapedRows
from ._shape import ROW_GRID

BLOCK = 2048
"""Rows of one block: it is read once for the scores and the gradient together."""

UNIT = 2.0**-53
DENSE_SIZE = 1500
"""Up to this many coefficients the Hessian is formed; beyond, quasi-Newton steps do the work."""

MAX_STEPS, MAX_RESTARTS, MAX_DRAFTS = 100, 3, 40
STRIDES, ROUGH_STEPS = (128, 16, 4), 12
"""Every so many-th block is looked at first, for up to two of these numbers with enough rows,
and how many steps are taken there."""

FINER = 4
"""So many times the rows are looked at for the Hessian near the minimum."""

ROWS_A_COEFFICIENT = 100
"""With fewer rows for each coefficient, a part of the blocks tells too little."""

ROUGH_DECREMENT = 0.03
"""A part of the blocks moves the minimum by a decrement of about the stride for each
coefficient: steps stop at this part of it."""

SLOW = 0.2
"""A step that leaves more of the gradient than this calls for a new Hessian."""

SHORTEST = 2.0**-40
"""Shortest step tried along a direction."""

FLAT = 1e-12
"""Relative changes of J below this may be rounding."""

Factor = tuple[np.ndarray, bool]
"""A Cholesky factor, as SciPy gives it."""


class RowView(Protocol):
    """An array of shape (n_rows, n_columns), or what gives its blocks when sliced."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""

    def __getitem__(self, rows: slice, /) -> Any:
        """Return a block of rows, dense or sparse: the same numbers on every call."""


class Evaluation(NamedTuple):
    """Value, gradient and, where asked for, Hessian of the objective.

    `rounding` bounds the error of the gradient, in Euclidean norm, where rows were not made
    but multiplied through.
    """

    value: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    rounding: float = math.inf

    def factor(self) -> "Factor":
        """Return the Cholesky factor of the Hessian, which was asked for."""
        if self.hessian is None:
            raise ValueError("This evaluation has no Hessian.")
        return cho_factor(self.hessian, check_finite=False)


@dataclass(frozen=True)
class Objective:
    """The objective J.

    Parameters
    ----------
    loss : Loss
    Z : RowView of shape (n_rows, n_columns)
        Rows of norm at most 1.
    labels : array of shape (n_rows,)
        Clean labels of the loss.
    weights : array of shape (n_rows,) or None
        Weights u in [0, 1].
    offset : float or array of shape (n_scores,)
        Constants added to every row's scores.
    regularization : float
        lambda > 0.
    linear : array of shape (n_columns,) or (n_columns, n_scores)
        The vector b.
    penalty : array of shape (n_penalties, n_columns), default=None
        A matrix B; |B w|^2 / 2 is added to J.
    """

    loss: Loss
    Z: RowView
    labels: np.ndarray
    weights: np.ndarray | None
    offset: float | np.ndarray
    regularization: float
    linear: np.ndarray
    penalty: np.ndarray | None = None

    def evaluate(self, w: np.ndarray, *, hessian: bool = False) -> Evaluation:
        """Return the value, gradient and Hessian at `w`, a flat array of coefficients."""
        n_rows = self.Z.shape[0]
        coefficients = w.reshape(self.linear.shape)
        value = 0.0
        gradient = np.zeros(self.linear.shape)
        n_scores = self.loss.n_scores or 1
        n_columns = self.linear.shape[0]
        matrix = np.zeros((n_scores, n_scores, n_columns, n_columns)) if hessian else None
        for start in range(0, n_rows, BLOCK):
            rows = slice(start, start + BLOCK)
            z = self.Z[rows]
            losses, slopes, second = self.loss.terms(
                z @ coefficients + self.offset, self.labels[rows]
            )
            u = None if self.weights is None else self.weights[rows]
            if u is not None:
                losses = u * losses
                slopes = u * slopes if slopes.ndim == 1 else u[:, np.newaxis] * slopes
            value += float(losses.sum())
            gradient += z.T @ slopes
            if matrix is not None:
                _add_curvature(matrix, z.toarray() if is_sparse(z) else z, second, u)
        return self._regularised(w, value, gradient, matrix)

    def draft(
        self, draft: Draft, w: np.ndarray, *, hessian: bool = False, stride: int = 1
    ) -> Evaluation:
        """Return what `evaluate` does, from rows that are not made but multiplied through.

        The rows are the same. With unit roundoff u, and v the shaping matrix A times w, a
        score has an error of at most (n_columns + 5) u (|A| |w| + |v|) + 8 u, as a row's
        factor and its unit row have norms of at most 1; it reaches the gradient times the
        curvature. The sum over unit rows has at most its length in blocks and in rows of
        a block times u times the sum of the absolute slopes, and comes to the gradient
        times the spectral norm of A. The bound counts what was met, not what could be.
        """
        n_rows, n_columns = self.Z.shape
        coefficients = w.reshape(self.linear.shape)
        v = draft.times(coefficients)
        n_scores = self.loss.n_scores or 1
        matrix = np.zeros((n_scores, n_scores, n_columns, n_columns)) if hessian else None
        pulled = np.zeros(self.linear.shape)
        value, used, slope_sum, n_blocks, longest = 0.0, 0, 0.0, 0, 0
        slices = draft.slices(stride)
        for rows in slices:
            block = draft.block(rows)
            losses, slopes, second = self.loss.terms(
                block.scores(v) + self.offset, self.labels[rows]
            )
            u = None if self.weights is None else self.weights[rows]
            if u is not None:
                losses = u * losses
                slopes = (slopes.T * u).T
            value += float(losses.sum())
            pulled += block.pull(slopes)
            slope_sum += float(np.abs(slopes).sum())
            used, n_blocks, longest = used + losses.size, n_blocks + 1, max(longest, losses.size)
            if matrix is not None:
                _add_curvature(matrix, block.dense(), second, u, spent=True)
        scale = n_rows / used
        if matrix is not None:
            matrix *= scale
            for k in range(n_scores):
                for j in range(k + 1):
                    matrix[k, j] = draft.back(draft.back(matrix[k, j]).T)
        spectral, frobenius = draft.size
        w_norm, v_norm = float(np.linalg.norm(w)), float(np.linalg.norm(v)) / ROW_GRID
        per_score = (n_columns + 5) * (frobenius * w_norm + v_norm) + 8.0 * n_scores
        per_slope = self.loss.curvature * per_score + (12 + 2 * n_scores) * self.loss.slope
        sums = (longest + n_blocks + 6) * spectral * slope_sum
        sums += (n_columns + 2) * frobenius * float(np.linalg.norm(pulled)) * ROW_GRID
        evaluation = self._regularised(w, value * scale, draft.back(pulled) * scale, matrix)
        rest = w_norm * self.regularization + float(np.linalg.norm(self.linear))
        if self.penalty is not None:
            rest += (sum(self.penalty.shape) + 4) * float((self.penalty**2).sum()) * w_norm
        rounding = 1.01 * UNIT * (n_rows * per_slope + sums + 8 * rest)
        return evaluation._replace(rounding=rounding if stride == 1 else math.inf)

    def _regularised(
        self, w: np.ndarray, value: float, gradient: np.ndarray, matrix: np.ndarray | None
    ) -> Evaluation:
        """Return the sums over rows with what does not depend on rows added."""
        coefficients = w.reshape(self.linear.shape)
        value += float(self.regularization / 2 * (w @ w) + self.linear.ravel() @ w)
        if self.penalty is not None:
            penalised = self.penalty @ coefficients
            value += float((penalised**2).sum()) / 2
            gradient = gradient + self.penalty.T @ penalised
        flat = (gradient + self.linear).ravel() + self.regularization * w
        if matrix is None:
            return Evaluation(value, flat, None)
        for k in range(matrix.shape[0]):
            if self.penalty is not None:
                matrix[k, k] += self.penalty.T @ self.penalty
            for j in range(k):
                matrix[j, k] = matrix[k, j]  # each block is symmetric
        square = matrix.transpose(2, 0, 3, 1).reshape(w.size, w.size)
        square[np.diag_indices(w.size)] += self.regularization
        return Evaluation(value, flat, square)


def _add_curvature(
    matrix: np.ndarray,
    rows: np.ndarray,
    second: Callable[[int, int], np.ndarray],
    weights: np.ndarray | None,
    *,
    spent: bool = False,
) -> None:
    """Add a block's part of the Hessian to the lower blocks of `matrix`.

    With ``spent=True`` nobody needs `rows` any more, and one score writes over them.
    """
    n_scores = matrix.shape[0]
    out = rows if spent and n_scores == 1 else None
    for k in range(n_scores):
        for j in range(k + 1):
            curvatures = second(k, j) if weights is None else weights * second(k, j)
            if k == j:
                scaled = np.multiply(np.sqrt(curvatures)[:, np.newaxis], rows, out=out)
                matrix[k, k] += scaled.T @ scaled
            else:
                matrix[k, j] += (curvatures[:, np.newaxis] * rows).T @ rows


def gradient_rounding(
    loss: Loss,
    n_rows: float,
    n_columns: int,
    norm: float,
    regularization: float,
    penalty: np.ndarray | None = None,
) -> float:
    """Bound the rounding error of `Objective.evaluate`'s gradient, in Euclidean norm.

    With unit roundoff u, a score z.w of |w| <= `norm` has error at most
    (n_columns + 4) u (|z| norm + 4); through the slope, which multiplies a weight and
    |z| with weight |z|^2 <= 1, it adds at most the curvature times that. The slope's own
    evaluation adds (10 + 2 n_scores) u of its bound; a block's sum over rows adds its
    length times u, the sum over blocks their number times u, each times the sum of the
    terms' norms, at most `n_rows` times the slope's bound. The products with the penalty
    and its transpose add their lengths times u |B|^2 |w|, with the Frobenius norm.
    """
    n_blocks = n_rows / BLOCK + 1
    own = 10 + 2 * (loss.n_scores or 1) + BLOCK + n_blocks
    per_row = loss.curvature * (n_columns + 4) * (norm + 4) + loss.slope * own
    more = 0.0
    if penalty is not None:
        more = (sum(penalty.shape) + 4) * float((penalty**2).sum()) * norm
    return 1.01 * UNIT * (n_rows * per_row + 4 * (regularization * norm + norm + 1) + more)


def norm_bound(loss: Loss, n_rows: float, regularization: float, linear_norm: float) -> float:
    """Bound the norm of the minimiser: J there is at most J(0), and losses are at least 0."""
    ratio = linear_norm / regularization
    return ratio + math.sqrt(ratio**2 + 2 * loss.largest_at_zero * n_rows / regularization)


def minimise(objective: Objective, tolerance: float) -> np.ndarray:
    """Return w with a gradient of computed norm at most `tolerance`.

    Parameters
    ----------
    objective : Objective
    tolerance : float
        Has to be above the rounding error of the gradient.

    Returns
    -------
    array of the shape of ``objective.linear``

    Raises
    ------
    FloatingPointError
        If the tolerance is not met within a bound that the theory keeps; a fault of
        the arithmetic, not an outcome.
    """
    w = np.zeros(objective.linear.size)
    if w.size > DENSE_SIZE:
        return _quasi_newton(objective, w, tolerance).reshape(objective.linear.shape)
    draft = objective.Z.draft() if isinstance(objective.Z, ShapedRows) else None
    if draft is None:
        return _newton(objective, w, None, tolerance).reshape(objective.linear.shape)
    factor: Factor | None = None
    try:
        w, factor, done = _drafted(objective, draft, tolerance)
    except np.linalg.LinAlgError:
        # A matrix far from orthogonal on both sides can round a Hessian to an indefinite one.
        done = False
    if not done:
        w = _newton(objective, w, factor, tolerance)
    return w.reshape(objective.linear.shape)


def _drafted(
    objective: Objective, draft: Draft, tolerance: float
) -> tuple[np.ndarray, Factor, bool]:
    """Return a minimiser by steps that don't make rows, a Hessian's factor, and whether it's done.

    It is where the gradient, with a bound on its rounding error, keeps the tolerance. Steps on
    a part of the blocks, and the Hessian there, save passes over all.
    """
    w = np.zeros(objective.linear.size)
    n_rows, size = objective.Z.shape[0], w.size
    usable = [one for one in STRIDES if n_rows >= one * ROWS_A_COEFFICIENT * size]
    strides = usable[:2] or [1]
    fine = max(1, strides[-1] // FINER)
    for stride in strides:

        def evaluate(point: np.ndarray, *, hessian: bool = False, one: int = stride) -> Evaluation:
            return objective.draft(draft, point, hessian=hessian, stride=one)

        for _ in range(ROUGH_STEPS):
            current = evaluate(w, hessian=True)
            factor = current.factor()
            step, decrement = _direction(factor, current)
            w, trial = _search(evaluate, objective.loss.concordance, w, current, step, decrement)
            if _direction(factor, trial)[1] < ROUGH_DECREMENT * stride * size:
                break
    current = objective.draft(draft, w)
    refined = strides == [1]
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(MAX_DRAFTS):
        norm = float(np.linalg.norm(current.gradient))
        if norm + current.rounding <= tolerance:
            return w, factor, True
        step = -_secant_product(factor, pairs, current.gradient)
        trial = objective.draft(draft, w + step)
        pairs.append((step, trial.gradient - current.gradient))
        if not np.linalg.norm(trial.gradient) <= 0.5 * norm:
            if strides == [1] or norm <= tolerance:
                break
            # The Hessian of a part of the rows is no good here: one of all is taken, once.
            strides, pairs, refined = [1], [], True
            current = objective.draft(draft, w, hessian=True)
            factor = current.factor()
            continue
        w, current = w + step, trial
        if not refined:
            refined, pairs = True, []
            factor = objective.draft(draft, w, hessian=True, stride=fine).factor()
    return w, factor, False


def _secant_product(
    factor: Factor, pairs: list[tuple[np.ndarray, np.ndarray]], gradient: np.ndarray
) -> np.ndarray:
    """Return the inverse Hessian, as pairs of steps and changes correct it, times a gradient.

    This is the two-loop recursion of L-BFGS (Nocedal and Wright 2006, section 7.2), which
    starts from the factor.
    """
    pairs = [pair for pair in pairs if pair[0] @ pair[1] > 0]
    q, parts = gradient.copy(), []
    for step, change in reversed(pairs):
        part = (step @ q) / (step @ change)
        q -= part * change
        parts.append(part)
    product = cho_solve(factor, q, check_finite=False)
    for (step, change), part in zip(pairs, reversed(parts), strict=True):
        product += (part - (change @ product) / (step @ change)) * step
    return np.asarray(product)


def _newton(
    objective: Objective, w: np.ndarray, factor: Factor | None, tolerance: float
) -> np.ndarray:
    """Return the minimiser by Newton steps, with a new Hessian only where the last one fails."""
    current = objective.evaluate(w, hessian=factor is None)
    for _ in range(MAX_STEPS):
        norm = float(np.linalg.norm(current.gradient))
        if norm <= tolerance:
            return w
        if factor is None or current.hessian is not None:
            factor = current.factor()
        w_next, trial = _search(
            objective.evaluate,
            objective.loss.concordance,
            w,
            current,
            *_direction(factor, current),
        )
        slow = np.linalg.norm(trial.gradient) > SLOW * norm
        if slow and current.hessian is None:
            # The old factor is of no use any more: stay, and take the Hessian of this point.
            current = objective.evaluate(w, hessian=True)
        else:
            w, current = w_next, objective.evaluate(w_next, hessian=True) if slow else trial
    return _descend(objective, w, tolerance)


def _direction(factor: Factor, current: Evaluation) -> tuple[np.ndarray, float]:
    """Return the Newton step and how fast J falls along it."""
    step = -cho_solve(factor, current.gradient, check_finite=False)
    return step, float(-(step @ current.gradient))


def _search(
    evaluate: Callable[[np.ndarray], Evaluation],
    concordance: float | None,
    w: np.ndarray,
    current: Evaluation,
    step: np.ndarray,
    decrement: float,
) -> tuple[np.ndarray, Evaluation]:
    """Return the point along `step` that lowers J enough, and J there."""
    length = 0.0 if concordance is None else concordance * float(np.linalg.norm(step))
    guaranteed = math.log1p(length) / length if length > 0 else SHORTEST
    size = 1.0
    while True:
        trial = evaluate(w + size * step)
        lower = trial.value <= current.value - 1e-4 * size * decrement
        # Near the minimum J is flat to rounding, and the gradient tells.
        level = trial.value <= current.value + FLAT * abs(current.value)
        shorter = np.linalg.norm(trial.gradient) <= 0.5 * np.linalg.norm(current.gradient)
        flatter = abs(trial.gradient @ step) <= 0.5 * decrement
        if lower or (level and (shorter or flatter)) or size <= guaranteed:
            return w + size * step, trial
        size = max(size / 2, guaranteed)


def _quasi_newton(objective: Objective, w: np.ndarray, tolerance: float) -> np.ndarray:
    def value_and_gradient(point: np.ndarray) -> tuple[float, np.ndarray]:
        evaluation = objective.evaluate(point)
        return evaluation.value, evaluation.gradient

    for _ in range(MAX_RESTARTS):
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
    return _descend(objective, w, tolerance)


def _descend(objective: Objective, w: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the minimiser by accelerated gradient steps, which lead there from anywhere.

    The faster ways have no theorem for every loss, and what they do depends on single rows:
    where one of them stops short this must not be seen. J is lambda-strongly convex, and its
    gradient is Lipschitz with L = lambda + beta n + |B|^2. After k steps J is above its
    minimum by at most (L + lambda) / 2 |w - w*|^2 (1 - sqrt(lambda / L))^k, with
    |w - w*| <= |gradient| / lambda, and the squared gradient is at most 2 L times that
    (Nesterov 2018, section 2.2). The values of J, which are flat to rounding near the end,
    are not looked at.
    """
    lam = objective.regularization
    lipschitz = lam + objective.loss.curvature * objective.Z.shape[0]
    if objective.penalty is not None:
        lipschitz += float((objective.penalty**2).sum())
    ratio = math.sqrt(lam / lipschitz)
    momentum = (1 - ratio) / (1 + ratio)
    gradient = objective.evaluate(w).gradient
    distance = float(np.linalg.norm(gradient)) / lam
    excess = lipschitz * (lipschitz + lam) * (distance / tolerance) ** 2
    # The gradient is looked at where the steps are taken from, a little aside: four times.
    n_steps = 4 * math.ceil(math.log(max(excess, math.e)) / ratio)
    point = before = w
    for _ in range(n_steps):
        gradient = objective.evaluate(point).gradient
        if np.linalg.norm(gradient) <= tolerance:
            return point
        after = point - gradient / lipschitz
        point, before = after + momentum * (after - before), after
    raise FloatingPointError("The private objective was not minimised to its tolerance.")
