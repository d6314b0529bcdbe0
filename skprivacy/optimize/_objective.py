"""Objective perturbation that composes exactly like a Gaussian mechanism.

Add b.w with b ~ N(0, sigma^2 I) to a sum of convex losses of z.w, |z| <= 1, whose
derivative has one sign given the label, is bounded by L and is beta-Lipschitz, with
lambda/2 |w|^2, lambda >= rho beta sigma / L. Releasing the minimiser is
mu-GDP with mu = (1 + eta) L / sigma for a certified pair (rho, eta): the statement,
proof and certificate are in ``docs/theory/objective_perturbation.md``.

The computed minimiser is released with Gaussian noise that covers the distance to
the ideal one: gradient at most tau means distance at most tau / lambda.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency, PrivacyLoss, check_adjacency
from ..mechanisms import (
    Draw,
    Mechanism,
    RandomSource,
    rounded_gaussian,
    rounded_up,
    row_blocks,
    row_norms,
)
from ._logistic import LogisticObjective, gradient_rounding, minimise, norm_bound
from ._shape import INSIDE

CERTIFIED = ((1.5, 0.06), (2.0, 0.04), (3.0, 0.025))
"""Certified pairs (rho, eta): lambda >= rho beta sigma / L costs (1 + eta) L / sigma."""

SMALLEST, LARGEST = 0.003, 3.0
"""Certified range of m = L / sigma; more budget than `LARGEST` needs is left unused."""

OUTPUT_SHARE = 0.0125
"""Part of the mechanism's mu squared that pays for the noise on the output."""

LOGISTIC_CURVATURE = 0.25

LEAST_TOLERANCE = 1e-6
"""Gradient norms below this would cost passes over the rows and save no noise worth it."""


@dataclass(frozen=True, kw_only=True)
class ObjectivePerturbation(Mechanism):
    """Noisy minimiser of a regularised logistic loss.

    Released: the coefficient vector. Sensitivity: rows are clipped to norm 1, weights
    to [0, 1], so that a row adds at most L = 1 to the gradient, along itself.
    `noise_multiplier` is 1 / mu of the minimiser under add-remove; the noise itself is
    1 + eta times that, with the least eta that the regularisation admits. Under
    replace-one, two rows change, by group privacy of Gaussian differential privacy:
    twice the mu (Dong, Roth and Su 2022, Theorem 2.14).
    """

    noise: ClassVar[str] = "gaussian"
    kind: ClassVar[str] = "solve"
    is_sum: ClassVar[bool] = False

    @staticmethod
    def _group(adjacency: Adjacency) -> int:
        return 1 if check_adjacency(adjacency) == "add-remove" else 2

    def _mus(self, adjacency: Adjacency) -> tuple[float, float]:
        """Return mu of the objective and of the output noise."""
        objective = self._group(adjacency) / self.calibrated_noise()
        return objective, objective * math.sqrt(OUTPUT_SHARE / (1 - OUTPUT_SHARE))

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the composed loss of the objective and the output noise."""
        return PrivacyLoss(math.hypot(*self._mus(adjacency)))

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return sigma / L for a budget in mu, rounded up."""
        if mu is None:
            raise ValueError(
                f"Release {self.name!r} has Gaussian noise, which has no pure epsilon. "
                "Use a delta above 0."
            )
        objective = mu * math.sqrt(1 - OUTPUT_SHARE) / self._group(adjacency)
        least, most = (
            max((1 + eta) * SMALLEST for _, eta in CERTIFIED),
            min((1 + eta) * LARGEST for _, eta in CERTIFIED),
        )
        if objective < least:
            raise ValueError(
                f"The budget of release {self.name!r} is too small: mu = {mu:.3g}, the least that "
                f"its proof covers is {least * mu / objective:.3g}. Use a larger epsilon."
            )
        return rounded_up(1 / min(objective, most))

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        rows = "one row" if adjacency == "add-remove" else "two rows as a group"
        return f"1 (L2 of a row's gradient; {rows})"

    def least_regularization(self) -> float:
        """Return the smallest lambda that a certificate admits."""
        return self._noise_and_regularization(0.0)[1]

    def _noise_and_regularization(self, regularization: float) -> tuple[float, float]:
        """Return the least sigma for a lambda, and lambda, raised to what is certified."""
        choices = []
        for rho, eta in CERTIFIED:
            sigma = (1 + eta) * self.calibrated_noise()
            floor = math.nextafter(rho * LOGISTIC_CURVATURE * sigma, math.inf)
            choices.append((sigma, floor))
        admitted = [choice for choice in choices if choice[1] <= regularization]
        if not admitted:
            return min(choices, key=lambda choice: choice[1])
        return min(admitted)[0], regularization

    def draw(
        self,
        Z: np.ndarray,
        signs: np.ndarray,
        *,
        adjacency: Adjacency,
        source: RandomSource,
        rows_at_most: float,
        regularization: float,
        offset: float = 0.0,
        weights: np.ndarray | None = None,
    ) -> Draw:
        """Release the minimiser.

        Parameters
        ----------
        Z : array of shape (n_rows, n_columns)
            Rows; those with norm above 1 are scaled down, in place.
        signs : array of shape (n_rows,)
            Labels: positive numbers stand for 1, others for -1.
        adjacency, source
            Adjacency of the data and source of random words.
        rows_at_most : float
            Public or released bound on the number of rows, for the tolerance alone.
        regularization : float
            lambda; raised to `least_regularization` where it is below.
        offset : float, default=0.0
            Public or released constant added to all margins, clipped to [-3, 3].
        weights : array of shape (n_rows,), default=None
            Weights, clipped to [0, 1].

        Returns
        -------
        Draw
            `value` of shape (n_columns,); `noise_scale` is the standard deviation of b.
        """
        for block in row_blocks(Z):
            norms = row_norms(block)
            # Row by row: what becomes of a row must not depend on the rows around it.
            factors = np.where(norms > 1.0, INSIDE / np.maximum(norms, 1.0), 1.0)
            np.multiply(block, factors[:, np.newaxis], out=block)
        n_columns = Z.shape[1]
        # Each pair costs the same mu, so which one is taken may depend on earlier releases.
        sigma, lam = self._noise_and_regularization(regularization)
        grid = 2.0 ** (math.floor(math.log2(sigma)) - 36)
        b = rounded_gaussian((n_columns,), sigma / grid, source) * grid
        objective = LogisticObjective(
            Z=Z,
            signs=np.where(signs > 0, 1.0, -1.0),
            weights=None if weights is None else np.clip(weights, 0.0, 1.0),
            offset=float(np.clip(offset, -3.0, 3.0)),
            regularization=lam,
            linear=b,
        )
        # b has norm above this with probability below 1e-20; the bound serves tau alone.
        b_norm = sigma * (math.sqrt(n_columns) + 10.0)
        w_norm = norm_bound(rows_at_most, lam, b_norm)
        rounding = gradient_rounding(rows_at_most, n_columns, w_norm, lam)
        tau = max(LEAST_TOLERANCE, 4 * (rounding + grid * math.sqrt(n_columns)))
        w = minimise(objective, tau / 2)
        _, output_mu = self._mus(adjacency)
        return Draw(_cover(w, tau / lam, output_mu, source), sigma)


def _cover(w: np.ndarray, distance: float, mu: float, source: RandomSource) -> np.ndarray:
    """Add noise so that two vectors within 2 `distance`, rounded to a grid, are mu-GDP."""
    grid = 2.0 ** (math.floor(math.log2(distance / math.sqrt(w.size))) - 6)
    sensitivity = 2 * distance + grid * math.sqrt(w.size)
    scale = rounded_up(sensitivity / mu)
    return np.asarray((np.rint(w / grid) + rounded_gaussian(w.shape, scale / grid, source)) * grid)
