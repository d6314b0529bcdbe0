"""Histograms whose rows are divided: a part of each to a cell, the rest to its twin.

A target in [0, 1] is that part. The two counts of a cell give its number of rows and its
mean, from one release that costs no more than the counts alone.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency
from ._base import Draw
from ._gaussian import GaussianMechanism
from ._random import RandomSource
from ._rounded import lattice, rounded_gaussian
from ._rows import Rows, first_block, sum_blocks


@dataclass(frozen=True, kw_only=True)
class GaussianSplitHistogram(GaussianMechanism):
    """Noisy counts of cells that a row divides in two, in each of d columns.

    A row adds w u to its cell and w (1 - u) to the cell's twin, w and u in [0, 1].
    Sensitivity (L2): sqrt(d) under add-remove, as w^2 (u^2 + (1 - u)^2) <= 1; sqrt(2 d) under
    replace-one, since contributions are nonnegative and so are their inner products.
    """

    kind: ClassVar[str] = "sum"

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        inner = "d" if adjacency == "add-remove" else "2 d"
        return f"sqrt({inner}) (L2, one divided cell a row in each of d columns)"

    def draw(
        self,
        rows: Rows,
        *,
        parts: np.ndarray,
        n_cells: int,
        adjacency: Adjacency,
        source: RandomSource,
        weights: np.ndarray | None = None,
    ) -> Draw:
        """Release the counts.

        Parameters
        ----------
        rows : array of int of shape (n_rows, d)
            Cell of each row in each column; a code outside ``range(n_cells)`` counts
            nowhere.
        parts : array of shape (n_rows,)
            What of each row belongs to the cell itself, clipped to [0, 1]; NaN counts as 0.
        n_cells : int
            Number of cells of every column.
        adjacency, source
            Adjacency of the data and source of random words.
        weights : array of shape (n_rows,), default=None
            Weights of the rows, clipped to [0, 1]; NaN counts as 0.

        Returns
        -------
        Draw
            `value` of shape (d, n_cells, 2).
        """
        n_columns = first_block(rows).shape[1]
        scale = self._scale(math.sqrt(n_columns * (1 if adjacency == "add-remove" else 2)))
        grid = lattice(1.0, scale)
        start = 0

        def part(block: np.ndarray) -> np.ndarray:
            nonlocal start
            stop = start + block.shape[0]
            own = np.clip(np.nan_to_num(parts[start:stop]), 0.0, 1.0)
            both = np.stack([own, 1.0 - own])
            if weights is not None:
                both *= np.clip(np.nan_to_num(weights[start:stop]), 0.0, 1.0)
            # With q = trunc(u / g), 1 - q g can be represented, so the rounded 1 - u is at most
            # that, and the two truncated parts add up to 1 / g at most. Weights only lower them.
            units = np.trunc(both / grid)
            start = stop
            return np.stack([_divided(codes, units, n_cells) for codes in block.T])

        total = sum_blocks(rows, part)
        return Draw((total + rounded_gaussian(total.shape, scale / grid, source)) * grid, scale)


def _divided(codes: np.ndarray, units: np.ndarray, n_cells: int) -> np.ndarray:
    inside = (codes >= 0) & (codes < n_cells)
    cells = codes[inside].astype(np.int64)
    sums = [np.bincount(cells, unit[inside], minlength=n_cells) for unit in units]
    return np.stack(sums, axis=1).astype(np.int64)
