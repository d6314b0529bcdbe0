"""Laplace releases, for budgets of pure differential privacy.

The same exact sums as the Gaussian ones, clipped in L1 norm, with exactly rounded
Laplace noise (Dwork, McSherry, Nissim and Smith 2006, Theorem 1). A ledger in
Gaussian differential privacy charges them by Laplace's own trade-off function.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency, PrivacyLoss, check_adjacency, laplace_ratio
from ._base import Draw, Mechanism, drawable_multiplier, rounded_up
from ._gaussian import cell_counts
from ._random import RandomSource
from ._rounded import lattice, quantise_rows_l1, rounded_laplace, sum_rows
from ._rows import Rows, first_block, sum_blocks


@dataclass(frozen=True, kw_only=True)
class LaplaceMechanism(Mechanism):
    """Price and calibration of a release with Laplace noise."""

    noise: ClassVar[str] = "laplace"

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the loss of pure epsilon = 1 / noise multiplier."""
        check_adjacency(adjacency)
        return PrivacyLoss.laplace(1.0, self.calibrated_noise())

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return the noise multiplier for a budget in mu or in epsilon, rounded up."""
        check_adjacency(adjacency)
        if epsilon is None:
            if mu is None:
                raise ValueError("Give one of mu and epsilon.")
            epsilon = laplace_ratio(mu) * (1 - 1e-12)
        multiplier = rounded_up(1.0 / epsilon)
        return drawable_multiplier(self.name, multiplier)

    def _scale(self, sensitivity: float) -> float:
        """Return b for a statistic of this sensitivity, rounded up."""
        return rounded_up(self.calibrated_noise() * sensitivity)


@dataclass(frozen=True, kw_only=True)
class LaplaceSum(LaplaceMechanism):
    """Noisy sum of rows, each clipped to L1 norm 1.

    Sensitivity (L1): 1 under add-remove, 2 under replace-one.
    """

    kind: ClassVar[str] = "sum"

    def sensitivity(self, adjacency: Adjacency) -> float:
        """Return the L1 sensitivity of the sum."""
        check_adjacency(adjacency)
        return 1.0 if adjacency == "add-remove" else 2.0

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        return f"{self.sensitivity(adjacency):.6g} (L1, rows of L1 norm at most 1)"

    def draw(self, rows: Rows, *, adjacency: Adjacency, source: RandomSource) -> Draw:
        """Release the sum of `rows`, of shape (n_rows, n_columns)."""
        scale = self._scale(self.sensitivity(adjacency))
        grid = lattice(1.0, scale)
        total = sum_blocks(rows, lambda block: sum_rows(quantise_rows_l1(block, 1.0, grid=grid)))
        return Draw((total + rounded_laplace(total.shape, scale / grid, source)) * grid, scale)


@dataclass(frozen=True, kw_only=True)
class LaplaceHistogram(LaplaceMechanism):
    """Noisy counts of cells, where a row takes at most one cell in each of d columns.

    Sensitivity (L1): d under add-remove, 2 d under replace-one.
    """

    kind: ClassVar[str] = "sum"

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        inner = "d" if adjacency == "add-remove" else "2 d"
        return f"{inner} (L1, one cell a row in each of d columns)"

    def draw(
        self,
        rows: Rows,
        *,
        n_cells: int,
        adjacency: Adjacency,
        source: RandomSource,
        weights: np.ndarray | None = None,
    ) -> Draw:
        """Release the counts; parameters and result as of `GaussianHistogram.draw`."""
        n_columns = first_block(rows).shape[1]
        scale = self._scale(float(n_columns * (1 if adjacency == "add-remove" else 2)))
        grid = lattice(1.0, scale)
        total = cell_counts(rows, n_cells, weights, grid)
        return Draw((total + rounded_laplace(total.shape, scale / grid, source)) * grid, scale)
