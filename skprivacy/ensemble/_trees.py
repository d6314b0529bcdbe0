"""Trees whose questions are drawn by lot, without a look at the target.

All leaves of a tree are asked the same questions (an oblivious tree), so a row's leaf is a
number of `max_depth` bits. A question about a number compares it with a threshold that a
random part of the rows is below, by a private histogram; one about a category asks for a
random half of all categories.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

N_CATEGORIES = 256
"""Codes of a category run from 0 to 254; every other value is the last code."""

N_CUTS = 64
SEEN = 2.0
"""A cell with a count below so many standard deviations of its noise has no rows."""


@dataclass(frozen=True)
class Trees:
    """Random questions.

    Parameters
    ----------
    columns : array of int of shape (n_trees, depth)
        What is asked about.
    thresholds : array of shape (n_trees, depth)
        Whether the number is above; NaN for a category.
    subsets : array of bool of shape (n_trees, depth, 256) or None
        Whether the category is among these; None without categories.
    categorical : array of bool of shape (n_features,)
        Which columns are categories.
    """

    columns: np.ndarray
    thresholds: np.ndarray
    subsets: np.ndarray | None
    categorical: np.ndarray

    @classmethod
    def random(
        cls,
        n_trees: int,
        depth: int,
        quantiles: list[tuple[np.ndarray, np.ndarray]],
        categorical: np.ndarray,
        rng: np.random.Generator,
    ) -> Self:
        """Draw questions.

        Parameters
        ----------
        n_trees, depth : int
        quantiles : list of (parts, values)
            For each column that is a number, points of its distribution function.
        categorical : array of bool of shape (n_features,)
        rng : Generator
            Its numbers need not be secret.
        """
        n_features = categorical.size
        times = -(-depth // n_features)
        # A column comes up again only when all have been asked about.
        orders = [
            np.concatenate([rng.permutation(n_features) for _ in range(times)])[:depth]
            for _ in range(n_trees)
        ]
        columns = np.stack(orders)
        parts = rng.uniform(size=columns.shape)
        thresholds = np.full(columns.shape, np.nan)
        numeric = np.flatnonzero(~categorical)
        for column, (levels, values) in zip(numeric, quantiles, strict=True):
            asked = columns == column
            thresholds[asked] = np.interp(parts[asked], levels, values)
        subsets = None
        if categorical.any():
            subsets = rng.random((*columns.shape, N_CATEGORIES)) < 0.5
        return cls(columns, thresholds, subsets, categorical)

    @property
    def n_leaves(self) -> int:
        """Number of leaves of each tree."""
        return int(2 ** self.columns.shape[1])

    def leaves(self, block: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in each tree, of shape (n_rows, n_trees)."""
        values = np.ascontiguousarray(block.T, dtype=np.float64)
        codes = {j: category_codes(values[j]) for j in np.flatnonzero(self.categorical).tolist()}
        leaves = np.zeros((len(self.columns), block.shape[0]), dtype=np.int32)
        for tree, columns in enumerate(self.columns.tolist()):
            for level, column in enumerate(columns):
                if column in codes and self.subsets is not None:
                    answers = self.subsets[tree, level][codes[column]]
                else:
                    answers = values[column] > self.thresholds[tree, level]
                leaves[tree] <<= 1
                leaves[tree] |= answers
        return leaves.T


def category_codes(values: np.ndarray) -> np.ndarray:
    """Return values as codes of categories."""
    known = (values >= 0) & (values < N_CATEGORIES - 1) & (values == np.rint(values))
    return np.where(known, values, N_CATEGORIES - 1).astype(np.int64)


def cut_cells(block: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the cell of each entry on a grid of `N_CUTS` between bounds."""
    width = np.where(high > low, high - low, 1.0) / N_CUTS
    cells = np.floor((np.clip(block, low, high) - low) / width)
    return np.clip(cells, 0, N_CUTS - 1).astype(np.int64)


def noisy_quantiles(
    counts: np.ndarray, noise: float, low: np.ndarray, high: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return points of the distribution function of each column from noisy counts.

    Parameters
    ----------
    counts : array of shape (n_columns, N_CUTS)
    noise : float
        Standard deviation of the noise in them.
    low, high : arrays of shape (n_columns,)

    Returns
    -------
    list of (parts, values)
        A column in which nothing is seen is uniform between its bounds.
    """
    quantiles = []
    for row, start, end in zip(counts, low, high, strict=True):
        seen = np.where(row > SEEN * noise, row, 0.0)
        if not seen.any():
            seen = np.ones_like(row)
        parts = np.concatenate([[0.0], np.cumsum(seen) / seen.sum()])
        quantiles.append((parts, np.linspace(start, end, N_CUTS + 1)))
    return quantiles
