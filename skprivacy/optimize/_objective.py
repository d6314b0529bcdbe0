"""Objective perturbation, priced by theorem.

Add b.w with b ~ N(0, sigma^2 I) to a sum of convex losses of z.w, |z| <= 1, and to
lambda/2 |w|^2, and release the minimiser (Chaudhuri, Monteleoni and Sarwate 2011; Kifer,
Smith and Thakurta 2012). How private that is follows from the loss's slope bound L and
curvature bound beta: with lambda >= rho beta sigma / L the release is mu-GDP with
mu = (1 + eta) L / sigma, for each of the certified pairs (rho, eta) of the loss
(``docs/theory/objective_perturbation.md``). It composes exactly like a Gaussian mechanism.

The computed minimiser is released with Gaussian noise that covers the distance to
the ideal one: gradient at most tau means distance at most tau / lambda.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from ..accounting import Adjacency, PrivacyLoss, check_adjacency
from ..mechanisms import (
    Draw,
    Mechanism,
    RandomSource,
    is_sparse,
    one_entry_a_place,
    rounded_gaussian,
    rounded_up,
)
from ._losses import LARGEST_OFFSET, Logistic, Loss
from ._rows import BLOCK_VALUES, Block, ShapedRows, quick_norms
from ._shape import INSIDE
from ._solver import Objective, RowView, gradient_rounding, minimise, norm_bound

OUTPUT_SHARE = 0.0125
"""Part of the mechanism's mu squared that pays for the noise on the output."""

LARGEST = 10.0
"""More budget in mu than this, epsilon near 90, is left unused: it has no use for accuracy."""

LEAST_TOLERANCE = 1e-6
"""Gradient norms below this would cost passes over the rows and save no noise worth it."""


@dataclass(frozen=True)
class _Factored:
    """Rows of a view, each times a factor."""

    rows: RowView
    factors: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.shape

    def __getitem__(self, rows: slice) -> Block:
        block, factors = self.rows[rows], self.factors[rows]
        if is_sparse(block):
            data = block.data * np.repeat(factors, np.diff(block.indptr))
            return csr_array((data, block.indices, block.indptr), block.shape)
        return np.asarray(block * factors[:, np.newaxis])


def _row_norms(rows: RowView) -> np.ndarray:
    if isinstance(rows, ShapedRows) and rows.clipped:
        # They are made with norms at most 1, by the same bound as below.
        return np.broadcast_to(1.0, rows.shape[:1])
    step = max(1, BLOCK_VALUES // rows.shape[1])
    starts = range(0, rows.shape[0], step)
    return np.concatenate([quick_norms(rows[start : start + step], 1.0) for start in starts])


@dataclass(frozen=True, kw_only=True)
class Perturbation(Mechanism):
    """What both mechanisms share: the draw.

    Rows are clipped to norm 1, or their weights to the inverse square of their norm, and
    weights to [0, 1]: a row adds at most L to the gradient, along itself, and its part of
    the Hessian has eigenvalues at most beta.
    """

    noise: ClassVar[str] = "gaussian"
    kind: ClassVar[str] = "solve"
    is_sum: ClassVar[bool] = False

    row_loss: Loss = field(default_factory=Logistic)

    @abstractmethod
    def _mus(self, adjacency: Adjacency) -> tuple[float, float]:
        """Return mu of the objective and of the output noise."""

    @abstractmethod
    def _noise_and_regularization(self, regularization: float) -> tuple[float, float]:
        """Return sigma for a lambda, and lambda, raised to what the proof needs."""

    def _scale_and_regularization(
        self, regularization: float, n_columns: int, adjacency: Adjacency
    ) -> tuple[float, float]:
        """Return the scale of the noise for a lambda, and lambda, raised where it has to be."""
        return self._noise_and_regularization(regularization)

    def _tilt(self, size: tuple[int, ...], scale: float, source: RandomSource) -> np.ndarray:
        """Return integers distributed as the rounded noise, of a scale in their units."""
        return rounded_gaussian(size, scale, source)

    def _tilt_bound(self, size: int, scale: float) -> float:
        """Return a norm that b has more of with probability below 1e-20."""
        return scale * (math.sqrt(size) + 10.0)

    def _cover(
        self, w: np.ndarray, distance: float, adjacency: Adjacency, source: RandomSource
    ) -> np.ndarray:
        """Return the computed minimiser with noise for its distance to the ideal one."""
        return cover(w, distance, self._mus(adjacency)[1], source)

    def _floor(self, rho: float, sigma: float) -> float:
        """Return the least lambda with L / sigma >= rho beta / lambda, rounded up."""
        ratio = rho * self.row_loss.curvature / self.row_loss.slope
        return rounded_up(ratio * sigma)

    @abstractmethod
    def noise_choices(
        self, n_columns: int, adjacency: Adjacency
    ) -> tuple[tuple[float, float], ...]:
        """Return standard deviations of b and, for each, the least lambda that admits it."""

    def least_regularization(self) -> float:
        """Return the smallest lambda that the proof admits."""
        return self._noise_and_regularization(0.0)[1]

    def draw(
        self,
        Z: RowView,
        labels: np.ndarray,
        *,
        adjacency: Adjacency,
        source: RandomSource,
        rows_at_most: float,
        regularization: float,
        offset: float | np.ndarray = 0.0,
        weights: np.ndarray | None = None,
        reweight: bool = False,
        penalty: np.ndarray | None = None,
    ) -> Draw:
        """Release the minimiser.

        Parameters
        ----------
        Z : array or view of shape (n_rows, n_columns)
            Rows; what is sliced from it is used block by block.
        labels : array of shape (n_rows,)
            Labels or targets, in the form of the loss.
        adjacency, source
            Adjacency of the data and source of random words.
        rows_at_most : float
            Public or released bound on the number of rows, for the tolerance alone.
        regularization : float
            lambda; raised to `least_regularization` where it is below.
        offset : float or array of shape (n_scores,), default=0.0
            Public or released constants added to all scores, clipped to [-3, 3].
        weights : array of shape (n_rows,), default=None
            Weights, clipped to [0, 1].
        reweight : bool, default=False
            Whether rows with norm above 1 keep their length and have their weight divided
            by its square, instead of being scaled down.
        penalty : array of shape (n_penalties, n_columns), default=None
            A public or released matrix B; |B w|^2 / 2 is added to the objective, which
            only makes it more convex.

        Returns
        -------
        Draw
            `value` of shape (n_columns,) or (n_columns, n_scores); `noise_scale` is the
            scale of b: its standard deviation, or that of Laplace noise.
        """
        if reweight and self.row_loss.n_scores is not None:
            raise ValueError(f"Rows of the {self.row_loss.name} can't be longer than 1.")
        if is_sparse(Z):
            Z = one_entry_a_place(Z)
        norms = _row_norms(Z)
        if weights is not None:
            weights = np.clip(np.nan_to_num(weights), 0.0, 1.0)
        longer = norms > 1.0
        if longer.any():
            # Row by row: what becomes of a row must not depend on the rows around it.
            factors = np.ones(norms.shape)
            np.divide(INSIDE, norms, out=factors, where=longer)
            if reweight:
                factors *= factors
                weights = factors if weights is None else weights * factors
            else:
                Z = _Factored(Z, factors)
        del norms, longer
        n_columns, n_scores = Z.shape[1], self.row_loss.n_scores
        # Any lambda has the same price, so it may depend on earlier releases.
        scale, lam = self._scale_and_regularization(regularization, n_columns, adjacency)
        grid = 2.0 ** (math.floor(math.log2(scale)) - 36)
        size = (n_columns,) if n_scores is None else (n_columns, n_scores)
        b = self._tilt(size, scale / grid, source) * grid
        objective = Objective(
            loss=self.row_loss,
            Z=Z,
            labels=self.row_loss.clean_labels(labels),
            weights=weights,
            offset=np.clip(offset, -LARGEST_OFFSET, LARGEST_OFFSET),
            regularization=lam,
            linear=b,
            penalty=penalty,
        )
        # The bound serves tau alone.
        w_norm = norm_bound(self.row_loss, rows_at_most, lam, self._tilt_bound(b.size, scale))
        rounding = gradient_rounding(self.row_loss, rows_at_most, n_columns, w_norm, lam, penalty)
        tau = max(LEAST_TOLERANCE, 4 * (rounding + grid * math.sqrt(b.size)))
        w = minimise(objective, tau / 2)
        return Draw(self._cover(w, tau / lam, adjacency, source), scale)


@dataclass(frozen=True, kw_only=True)
class ObjectivePerturbation(Perturbation):
    """Noisy minimiser of a regularised loss, priced as a Gaussian mechanism.

    Released: the coefficients. Sensitivity: a row adds at most L to the gradient, along
    itself. `noise_multiplier` is 1 / mu of the minimiser under add-remove; the noise
    itself is (1 + eta) L times that, with the least eta that the regularisation admits.
    Under replace-one, two rows change, by group privacy of Gaussian differential privacy:
    twice the mu (Dong, Roth and Su 2022, Theorem 2.14).

    Parameters
    ----------
    row_loss : Loss, default=Logistic()
    """

    @staticmethod
    def _group(adjacency: Adjacency) -> int:
        return 1 if check_adjacency(adjacency) == "add-remove" else 2

    def _mus(self, adjacency: Adjacency) -> tuple[float, float]:
        objective = self._group(adjacency) / self.calibrated_noise()
        return objective, objective * math.sqrt(OUTPUT_SHARE / (1 - OUTPUT_SHARE))

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the composed loss of the objective and the output noise."""
        return PrivacyLoss(math.hypot(*self._mus(adjacency)))

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 1 / mu of the minimiser for a budget in mu, rounded up."""
        if mu is None:
            raise ValueError(
                f"Release {self.name!r} has Gaussian noise, which has no pure epsilon. "
                "Use a delta above 0."
            )
        objective = mu * math.sqrt(1 - OUTPUT_SHARE) / self._group(adjacency)
        return rounded_up(1 / min(objective, LARGEST))

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        rows = "one row" if adjacency == "add-remove" else "two rows as a group"
        return f"{self.row_loss.slope:.6g} (L2 of a row's gradient; {rows})"

    def noise_choices(
        self,
        n_columns: int = 1,
        adjacency: Adjacency = "add-remove",
    ) -> tuple[tuple[float, float], ...]:
        """Return sigma and the least lambda of each certified pair."""
        unit = self.calibrated_noise() * self.row_loss.slope
        sigmas = [(rho, rounded_up((1 + eta) * unit)) for rho, eta in self.row_loss.certified]
        return tuple((sigma, self._floor(rho, sigma)) for rho, sigma in sigmas)

    def _noise_and_regularization(self, regularization: float) -> tuple[float, float]:
        """Return the least sigma for a lambda, and lambda, raised to what is certified."""
        choices = self.noise_choices()
        admitted = [choice for choice in choices if choice[1] <= regularization]
        if not admitted:
            return min(choices, key=lambda choice: choice[1])
        return min(admitted)[0], regularization


def cover(w: np.ndarray, distance: float, mu: float, source: RandomSource) -> np.ndarray:
    """Add noise so that two vectors within 2 `distance`, rounded to a grid, are mu-GDP."""
    grid = 2.0 ** (math.floor(math.log2(distance / math.sqrt(w.size))) - 6)
    sensitivity = 2 * distance + grid * math.sqrt(w.size)
    scale = rounded_up(sensitivity / mu)
    return np.asarray((np.rint(w / grid) + rounded_gaussian(w.shape, scale / grid, source)) * grid)
