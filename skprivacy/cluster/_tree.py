"""A private k-d tree: where the rows are, as weighted points.

The box of the columns is halved again and again, at the middle of its longest side, so what
the cells of a level are is public. The counts of all levels are released at once, as many
levels as the released number of rows can be seen in. Then the tree is cut back to what stands
out from the noise, and counts that have to add up are made to add up (Hay, Rastogi, Miklau and
Suciu 2010). The cells that remain, with their counts, are a small data set that anybody may
cluster as often as they like.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from ..mechanisms import GaussianCellCounts, GaussianHistogram, Mechanism, row_blocks

if TYPE_CHECKING:
    from ..base import Release

ROWS = "number of rows"
CELLS = "counts of cells"

ROWS_SHARE = 0.02
"""Part of the tree's budget for the number of rows."""

LEAST_LEVELS, MOST_LEVELS = 2, 14
SPLIT, KEEP = 2.0, 2.0
"""A cell with a count above so many standard deviations of its noise is split, or kept."""

GROWTH = 1.15
"""Each level has so many times the part of the budget of the one above: it has fewer rows."""


def tree_mechanisms(share: float) -> list[Mechanism]:
    """Return the mechanisms that `weighted_cells` draws, together worth `share`."""
    return [
        GaussianHistogram(name=ROWS, share=share * ROWS_SHARE),
        GaussianCellCounts(name=CELLS, share=share * (1 - ROWS_SHARE)),
    ]


def suitable_levels(n_rows: float, noise: float) -> int:
    """Return how many times to halve, for `noise` in counts if there were one level alone."""
    return int(np.clip(round(math.log2(max(3 * n_rows / noise, 1.0))), LEAST_LEVELS, MOST_LEVELS))


def halved_columns(low: np.ndarray, high: np.ndarray, n_levels: int) -> list[int]:
    """Return the column that each level halves: of the longest side that is left."""
    sides = high - low
    columns = []
    for _ in range(n_levels):
        columns.append(int(sides.argmax()))
        sides = np.where(np.arange(sides.size) == columns[-1], sides / 2, sides)
    return columns


def cell_codes(
    block: np.ndarray, low: np.ndarray, high: np.ndarray, columns: list[int]
) -> np.ndarray:
    """Return the cell of each row on each level, of shape (n_rows, n_levels).

    The halves of cell i are cells 2 i and 2 i + 1 of the next level. Elementwise arithmetic
    alone: a row's cells depend on no other row.
    """
    codes = np.zeros((len(block), len(columns)), dtype=np.int32)
    code = np.zeros(len(block), dtype=np.int32)
    n_halvings = np.bincount(columns, minlength=low.size)
    places = {}
    for column in set(columns):
        size = 2 ** int(n_halvings[column])
        width = max(float(high[column] - low[column]), 1e-300)
        values = np.clip(block[:, column], low[column], high[column], dtype=np.float64)
        cells = np.floor((values - low[column]) / width * size)
        places[column] = np.clip(cells, 0, size - 1).astype(np.int32)
    left = n_halvings.tolist()
    for level, column in enumerate(columns):
        left[column] -= 1
        code = 2 * code + (places[column] >> left[column] & 1)
        codes[:, level] = code
    return codes


def cell_middles(
    codes: np.ndarray, low: np.ndarray, high: np.ndarray, columns: list[int]
) -> np.ndarray:
    """Return the middles of cells of the level below `columns`, of shape (n_cells, n_features)."""
    places = np.zeros((codes.size, low.size))
    sizes = np.ones(low.size)
    for level, column in enumerate(columns):
        places[:, column] = 2 * places[:, column] + (codes >> (len(columns) - 1 - level) & 1)
        sizes[column] *= 2
    return np.asarray(low + (high - low) * ((places + 0.5) / sizes))


def weighted_cells(
    X: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    weights: np.ndarray | None,
    release: "Release",
) -> tuple[np.ndarray, np.ndarray]:
    """Release where the rows are.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
    low, high : arrays of shape (n_features,)
        Public bounds of the columns.
    weights : array of shape (n_rows,) or None
        Weights of the rows, in [0, 1].
    release : Release
        The release of a plan that has `tree_mechanisms`.

    Returns
    -------
    points : array of shape (n_cells, n_features)
        Middles of the cells that are kept.
    sizes : array of shape (n_cells,)
        Their noisy counts, above 0.
    """
    one_cell = np.zeros((X.shape[0], 1), dtype=np.int8)
    n_rows = release.sum(ROWS, one_cell, n_cells=1, weights=weights)[0]
    n_levels = suitable_levels(float(n_rows[0]), release.mechanism(CELLS).calibrated_noise())
    columns = halved_columns(low, high, n_levels)
    sizes = [2**level for level in range(1, n_levels + 1)]
    counts = release.sum(
        CELLS,
        lambda: (cell_codes(block, low, high, columns) for block in row_blocks(X)),
        sizes=sizes,
        parts=[GROWTH**level for level in range(n_levels)],
        weights=weights,
    )
    levels = [n_rows, *np.split(counts, np.cumsum(sizes)[:-1])]
    noise = [release.noise_scales[ROWS], *release.noise_scales[CELLS]]
    found = [
        (cell_middles(cells, low, high, columns[:level]), size)
        for level, (cells, size) in enumerate(kept_cells(levels, noise))
    ]
    return np.concatenate([points for points, _ in found]), np.concatenate(
        [size for _, size in found]
    )


def kept_cells(counts: list[np.ndarray], noise: list[float]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the cells of each level that are split no further and stand out, with their counts.

    Parameters
    ----------
    counts : list of arrays of shape (2^level,)
        Noisy, from the whole box downwards.
    noise : list of float
        Standard deviations of the noise in each level.

    Returns
    -------
    list of (cells, counts)
    """
    last = len(counts) - 1
    there, splits = [np.ones(1, dtype=bool)], []
    for level, sd in enumerate(noise):
        splits.append(there[level] & (counts[level] > SPLIT * sd) & (level < last))
        there.append(np.repeat(splits[level], 2))
    # Upwards: the best estimate of a count from itself and from all counts below it.
    means = [np.array(count, dtype=np.float64) for count in counts]
    variances = [
        np.full(count.size, float(sd) ** 2) for count, sd in zip(counts, noise, strict=True)
    ]
    for level in reversed(range(last)):
        below = means[level + 1].reshape(-1, 2).sum(axis=1)
        variance = variances[level + 1].reshape(-1, 2).sum(axis=1)
        own = variance / (variance + variances[level])
        split = splits[level]
        means[level] = np.where(split, own * means[level] + (1 - own) * below, means[level])
        variances[level] = np.where(split, own * variances[level], variances[level])
    # Downwards: halves add up to the whole.
    for level in range(last):
        halves = means[level + 1].reshape(-1, 2)
        missing = np.where(splits[level], means[level] - halves.sum(axis=1), 0.0)
        part = variances[level + 1].reshape(-1, 2)
        part = part / part.sum(axis=1, keepdims=True)
        means[level + 1] = (halves + missing[:, np.newaxis] * part).ravel()
    found = []
    for level in range(last + 1):
        leaves = there[level] & ~splits[level]
        cells = np.flatnonzero(leaves & (means[level] > KEEP * np.sqrt(variances[level])))
        found.append((cells, means[level][cells]))
    return found
