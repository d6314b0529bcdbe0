"""A private k-d tree: where the rows are, as weighted points.

The box of the columns is halved again and again, at the middle of its longest side, wherever
the noisy count says that there are rows to separate. The cells that remain, with their noisy
counts, are a small data set that anybody may cluster as often as they like.
"""

from typing import TYPE_CHECKING

import numpy as np

from ..mechanisms import GaussianHistogram, Mechanism, row_blocks

if TYPE_CHECKING:
    from ..base import Release

DEPTH = 15
SPLIT, KEEP = 5.0, 2.0
"""A cell with a count above so many standard deviations of its noise is split, or kept."""


def level_name(level: int) -> str:
    """Return the name of the release of a level's counts."""
    return f"counts of cells, level {level}"


def tree_mechanisms(share: float) -> list[Mechanism]:
    """Return the mechanisms that `weighted_cells` draws, together worth `share`."""
    return [
        GaussianHistogram(name=level_name(level), share=share / DEPTH) for level in range(DEPTH)
    ]


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
    # A row is in a cell of the current level, or in one that is split no further (-1).
    cells = np.zeros((X.shape[0], 1), dtype=np.int32)
    lower, upper = low[np.newaxis], high[np.newaxis]
    points, sizes = [np.empty((0, low.size))], [np.empty(0)]
    for level in range(DEPTH):
        name = level_name(level)
        counts = release.sum(name, cells, n_cells=len(lower), weights=weights)[0]
        noise = release.noise_scales[name]
        splits = (counts > SPLIT * noise) & (level < DEPTH - 1)
        keeps = ~splits & (counts > KEEP * noise)
        points.append(lower[keeps] / 2 + upper[keeps] / 2)
        sizes.append(counts[keeps])
        if not splits.any():
            # The levels below have no cells, so no row is in one; they are released all the same.
            lower, upper = lower[:0], upper[:0]
            continue
        axis = (upper - lower).argmax(axis=1)
        rows = np.arange(len(lower))
        middle = lower[rows, axis] / 2 + upper[rows, axis] / 2
        # Of a cell that is split the halves are neighbours: 2 i and 2 i + 1.
        children = np.where(splits, 2 * np.cumsum(splits) - 2, -1)
        _descend(X, cells, axis, middle, children)
        lower, upper = np.repeat(lower[splits], 2, axis=0), np.repeat(upper[splits], 2, axis=0)
        even = np.arange(0, len(lower), 2)
        upper[even, axis[splits]] = middle[splits]
        lower[even + 1, axis[splits]] = middle[splits]
    return np.concatenate(points), np.concatenate(sizes)


def _descend(
    X: np.ndarray, cells: np.ndarray, axis: np.ndarray, middle: np.ndarray, children: np.ndarray
) -> None:
    """Move every row to the half of its cell that it is in; -1 where that is not split."""
    start = 0
    for block in row_blocks(X):
        part = cells[start : start + len(block), 0]
        start += len(block)
        values = block[np.arange(len(block)), axis[part]]
        child = children[part] + (values > middle[part])
        part[:] = np.where((part >= 0) & (children[part] >= 0), child, -1)
