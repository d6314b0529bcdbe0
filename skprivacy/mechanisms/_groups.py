"""Moments of groups of rows: counts, sums and squares by class or by cluster.

Columns are mapped to z in [-1, 1] by public bounds. A row belongs to one group and adds
there a vector of Euclidean norm at most 1, whose coordinates have public weights. Groups are
disjoint, so however many there are the sensitivity is that of one row: one noise pays
for all of them. The proof is in ``docs/theory/mechanisms.md``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency, check_adjacency
from ._base import Draw, rounded_up
from ._gaussian import GaussianMechanism
from ._random import RandomSource
from ._rounded import rounded_gaussian
from ._rows import ColumnScaler, Rows, cached_slices, first_block, sum_blocks

FINEST_GRID = 2.0**-31
"""A row adds at most 2^31 units to a coordinate: totals of 2^31 rows keep within 64 bits."""

ROUNDING = 1.02
"""What rounding adds to a distance of two weighted contributions, in units of the grid."""

SMALLEST_HALF = 1e-300
"""What keeps the inverse of a width finite."""

FAINTEST = 2.0**20
"""From this noise multiplier on the rows are left out: there is nothing but noise to see."""

COUNT, SUM, SQUARES = 0.2, 0.5, 0.3
"""Parts of a row's squared norm: of its count, its d values, its d squares."""


def rounding_grid(multiplier: float) -> float:
    """Return the public grid of contributions for a noise multiplier."""
    grid = max(FINEST_GRID, 2.0 ** (math.ceil(math.log2(multiplier)) - 30))
    return grid if multiplier < FAINTEST else max(grid, 4.0)


@dataclass(frozen=True, kw_only=True)
class GaussianGroupMoments(GaussianMechanism):
    """Noisy count, sums and sums of squares of the columns in disjoint groups of rows.

    A row with z in [-1, 1]^d contributes to its group

    - with squares: (a, b z, c (2 z^2 - 1)), where a^2 = .2, b^2 = .5 / d, c^2 = .3 / d. Its
      squared norm is convex in every z_j^2 and at most a^2 + d (b^2 + c^2) = 1. Two rows
      are at distance at most sqrt(2), in the same group or not;
    - without: (a, b z), where a^2 = .2, b^2 = .8 / d: norm 1, and the distance of opposite
      corners in one group is 2 sqrt(.8).

    Parameters
    ----------
    squares : bool, default=True
        Whether the sums of squares are released.
    """

    kind: ClassVar[str] = "sum"
    squares: bool = True

    def sensitivity(self, adjacency: Adjacency) -> float:
        """Return the L2 sensitivity of the weighted moments of all groups together."""
        check_adjacency(adjacency)
        if adjacency == "add-remove":
            return 1.0
        return math.sqrt(2.0) if self.squares else 2.0 * math.sqrt(1.0 - COUNT)

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        return f"{self.sensitivity(adjacency):.6g} (L2 of the weighted moments, disjoint groups)"

    def weights(self, n_columns: int) -> np.ndarray:
        """Return the weights of the coordinates: count, d sums and, with squares, d squares."""
        if self.squares:
            parts = [COUNT, *[SUM / n_columns] * n_columns, *[SQUARES / n_columns] * n_columns]
        else:
            parts = [COUNT, *[(1.0 - COUNT) / n_columns] * n_columns]
        return np.sqrt(parts)

    def draw(
        self,
        rows: Rows,
        *,
        groups: np.ndarray | Callable[[np.ndarray], np.ndarray],
        n_groups: int,
        low: np.ndarray,
        high: np.ndarray,
        adjacency: Adjacency,
        source: RandomSource,
        weights: np.ndarray | None = None,
    ) -> Draw:
        """Release the moments.

        Parameters
        ----------
        rows : array of shape (n_rows, d) or function that yields its blocks
        groups : array of int of shape (n_rows,) or callable
            Group of each row, or a function that returns the groups of a block and has to
            judge each row by itself; a code outside ``range(n_groups)`` counts nowhere.
        n_groups : int
            Number of groups.
        low, high : arrays of shape (d,)
            Public bounds of the columns.
        adjacency, source
            Adjacency of the data and source of random words.
        weights : array of shape (n_rows,), default=None
            Weights of the rows, clipped to [0, 1]; NaN counts as 0.

        Returns
        -------
        Draw
            `value` of shape (n_groups, 1 + 2 d): count, sums of z, sums of 2 z^2 - 1; or
            (n_groups, 1 + d) without squares. `noise_scale` of shape (1 + 2 d,) or (1 + d,).
        """
        multiplier = self.calibrated_noise()
        grid = rounding_grid(multiplier)
        sensitivity = self.sensitivity(adjacency) + (ROUNDING * grid if grid < 1 else 0.0)
        n_columns = first_block(rows).shape[1]
        scales = rounded_up(multiplier * sensitivity) / self.weights(n_columns)
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        half = np.where(half > 0, half, 1.0)
        kinds = np.arange(n_groups)[:, np.newaxis]
        start = 0

        scaler = ColumnScaler(low, high, middle, 1.0 / np.maximum(half, SMALLEST_HALF), 1.0)

        def part(block: np.ndarray) -> np.ndarray:
            nonlocal start
            codes = groups(block) if callable(groups) else groups[start : start + block.shape[0]]
            sums = np.zeros((n_groups, scales.size))
            for inner in cached_slices(*block.shape):
                z = scaler.apply(block[inner])
                if np.isnan(z.sum()):
                    np.nan_to_num(z, copy=False, nan=-1.0)
                member = (codes[inner] == kinds).astype(np.float64)
                count = np.full((z.shape[0], 1), 1.0 / grid)
                if weights is not None:
                    rows = slice(start + inner.start, start + inner.stop)
                    clipped = np.nan_to_num(np.clip(weights[rows], 0.0, 1.0))[:, np.newaxis]
                    count *= clipped
                # Integers up to 2^31: the sums over a block are exact in any order.
                sums[:, :1] += member @ np.rint(count)
                if self.squares:
                    squares = z * z
                    squares *= 2.0
                    squares -= 1.0
                    if weights is not None:
                        squares *= clipped
                    squares *= 1.0 / grid
                    sums[:, 1 + n_columns :] += member @ np.rint(squares, out=squares)
                if weights is not None:
                    z *= clipped
                z *= 1.0 / grid
                sums[:, 1 : 1 + n_columns] += member @ np.rint(z, out=z)
            start += block.shape[0]
            return np.asarray(sums.astype(np.int64))

        total = sum_blocks(rows, part)
        noisy = []
        for first, stop in ((0, 1), (1, 1 + n_columns), (1 + n_columns, 1 + 2 * n_columns)):
            kind = total[:, first:stop]  # one scale for all coordinates of a kind
            if kind.size:
                scale = float(scales[first]) / grid
                noisy.append(kind + rounded_gaussian(kind.shape, scale, source))
        return Draw(np.concatenate(noisy, axis=1) * grid, scales)
