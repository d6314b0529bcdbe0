"""Objective perturbation with pure differential privacy.

With b of independent Laplace coordinates, of scale s, in place of Gaussian ones, the
densities of the minimiser on neighbours have a ratio of at most

    exp(|change of the gradient|_1 / s) * det(H + F) / det(H),

where F is a row's part of the Hessian: Chaudhuri, Monteleoni and Sarwate (2011), with the
noise in coordinates, which can be drawn exactly. Any convex loss will do. Statement and
proof: ``docs/theory/objective_perturbation.md``, section "Theorem 3".
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency, PrivacyLoss, check_adjacency, pure_epsilon
from ..mechanisms import RandomSource, rounded_laplace, rounded_up
from ._objective import OUTPUT_SHARE, Perturbation

CURVATURE_SHARE = 0.25
"""Largest part of epsilon that the Hessian's change may take; lambda is raised until it fits."""


@dataclass(frozen=True, kw_only=True)
class PurePerturbation(Perturbation):
    """Noisy minimiser of any regularised convex loss, with Laplace noise.

    Released: the coefficients. Sensitivity (L1): a row of norm at most 1 adds at most
    sqrt(d) times the loss's absolute slope to the gradient. `noise_multiplier` is
    1 / epsilon, of which `OUTPUT_SHARE` pays for noise on the output.

    Parameters
    ----------
    row_loss : Loss
    """

    noise: ClassVar[str] = "laplace"

    def _mus(self, adjacency: Adjacency) -> tuple[float, float]:
        """Return epsilon of the objective and of the output noise."""
        check_adjacency(adjacency)
        epsilon = 1 / self.calibrated_noise()
        return epsilon * (1 - OUTPUT_SHARE), epsilon * OUTPUT_SHARE

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the pure loss of the objective and the output noise."""
        return PrivacyLoss.pure(math.fsum(self._mus(adjacency)))

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 1 / epsilon, rounded up."""
        check_adjacency(adjacency)
        if epsilon is None:
            if mu is None:
                raise ValueError("Give one of mu and epsilon.")
            epsilon = pure_epsilon(mu) * (1 - 1e-12)
        return rounded_up(1 / epsilon)

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        rows = 1 if check_adjacency(adjacency) == "add-remove" else 2
        return f"{rows * self.row_loss.absolute_slope:.6g} sqrt(d) (L1 of the gradient's change)"

    def _log_determinant(self, regularization: float) -> float:
        """Bound log det(H + F) - log det(H): by the mean of the eigenvalues."""
        rank = self.row_loss.rank
        return rank * math.log1p(self.row_loss.trace / (rank * regularization)) * (1 + 1e-12)

    def _noise_and_regularization(self, regularization: float) -> tuple[float, float]:
        """Return the scale of b for a unit change of the gradient, and lambda."""
        epsilon, _ = self._mus("add-remove")
        rank = self.row_loss.rank
        # With a huge epsilon lambda keeps a size that the solver can work with.
        exponent = min(CURVATURE_SHARE * epsilon / rank, 12.0)
        floor = self.row_loss.trace / (rank * math.expm1(exponent))
        lam = max(regularization, rounded_up(floor))
        return rounded_up(1 / (epsilon - self._log_determinant(lam))), lam

    def _scale_and_regularization(
        self, regularization: float, n_columns: int, adjacency: Adjacency
    ) -> tuple[float, float]:
        unit, lam = self._noise_and_regularization(regularization)
        rows = 1 if check_adjacency(adjacency) == "add-remove" else 2
        change = rows * self.row_loss.absolute_slope * math.sqrt(n_columns)
        return rounded_up(rounded_up(change) * unit), lam

    def noise_choices(
        self, n_columns: int, adjacency: Adjacency
    ) -> tuple[tuple[float, float], ...]:
        """Return the standard deviation of a coordinate of b for a large lambda, and the least."""
        scale, _ = self._scale_and_regularization(math.inf, n_columns, adjacency)
        return ((math.sqrt(2.0) * scale, self.least_regularization()),)

    def _tilt(self, size: tuple[int, ...], scale: float, source: RandomSource) -> np.ndarray:
        return rounded_laplace(size, scale, source)

    def _tilt_bound(self, size: int, scale: float) -> float:
        # Each coordinate is above this with probability e^-50.
        return scale * 50.0 * math.sqrt(size)

    def _cover(
        self, w: np.ndarray, distance: float, adjacency: Adjacency, source: RandomSource
    ) -> np.ndarray:
        """Add noise so that two vectors within 2 `distance`, rounded to a grid, are private."""
        _, epsilon = self._mus(adjacency)
        grid = 2.0 ** (math.floor(math.log2(distance / math.sqrt(w.size))) - 6)
        sensitivity = rounded_up(2 * distance * math.sqrt(w.size)) + grid * w.size
        scale = rounded_up(sensitivity / epsilon)
        noise = rounded_laplace(w.shape, scale / grid, source)
        return np.asarray((np.rint(w / grid) + noise) * grid)
