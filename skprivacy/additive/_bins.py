"""Cells of columns: fine ones from public bounds, merged by noisy counts into bins.

The fine cells of a numeric column do not depend on the rows: a uniform grid between its
bounds, and a geometric one from either end and around 0, for heavy tails and for bounds that
are wider than the values. One noisy histogram over them decides, as post-processing, which
neighbours are merged: until a bin has enough rows and stands out from the noise.
"""

import math
from dataclasses import dataclass

import numpy as np

UNIFORM_CELLS, GEOMETRIC_CELLS = 256, 64
SMALLEST_STEP, LARGEST_STEP = 1e-5, 0.25
"""First and last point of the geometric grid, in widths of the column's range."""

EVIDENCE = 2.5
"""Standard deviations of noise that the rows of a bin stand out by."""


@dataclass(frozen=True)
class Bins:
    """Bins of one column.

    Parameters
    ----------
    edges : array or None
        Inner edges of a numeric column, ascending: bin b has ``edges[b-1] <= x <
        edges[b]``, and the last bin, after those, is for missing values. None for a
        categorical column: its codes, one bin for other values, one for missing ones.
    mass : array of shape (n_bins,)
        Released parts of the rows; positive, they add up to 1.
    """

    edges: np.ndarray | None
    mass: np.ndarray

    @property
    def n_bins(self) -> int:
        """Number of bins, with that of missing values."""
        return int(self.mass.size)

    def codes(self, column: np.ndarray) -> np.ndarray:
        """Return the bin of each value of an encoded column, in 0, ..., n_bins - 1."""
        return cell_codes(column, self.edges, self.n_bins)


def cell_codes(column: np.ndarray, edges: np.ndarray | None, n_cells: int) -> np.ndarray:
    """Return the cell of each value; the last one is for NaN."""
    missing = np.isnan(column)
    if edges is None:
        codes = np.where(missing, n_cells - 1.0, column)
        return np.clip(codes, 0, n_cells - 1).astype(np.intp)
    codes = np.searchsorted(edges, column, side="right")
    codes[missing] = n_cells - 1
    return codes


def fine_edges(low: float, high: float) -> np.ndarray:
    """Return the inner edges of the fine cells between public bounds."""
    width = high - low
    steps = width * np.geomspace(SMALLEST_STEP, LARGEST_STEP, GEOMETRIC_CELLS)
    above_low = np.nextafter(low, np.inf)
    points = [
        np.linspace(low, high, UNIFORM_CELLS + 1)[1:-1],
        low + steps,
        high - steps,
        [above_low],
    ]
    if low < 0 < high:
        points += [steps, -steps, [0.0, np.nextafter(0.0, 1.0)]]
    return np.unique(np.clip(np.concatenate(points), above_low, high))


def merge_cells(
    edges: np.ndarray, counts: np.ndarray, noise: float, n_rows: float, n_bins: int
) -> Bins:
    """Merge fine cells from left to right into at most `n_bins` bins that stand out.

    Parameters
    ----------
    edges : array
        Inner edges of the fine cells.
    counts : array of shape (len(edges) + 2,)
        Noisy counts of the cells, the last that of missing values.
    noise : float
        Standard deviation of the counts' noise.
    n_rows : float
        Released number of rows.
    n_bins : int
        Most bins, and that of missing values.
    """
    enough = max(n_rows, 1.0) / n_bins
    kept, masses = [], []
    mass, cells = 0.0, 0
    for edge, count in zip([*edges, None], counts[:-1], strict=True):
        mass, cells = mass + count, cells + 1
        if edge is not None and mass >= max(enough, EVIDENCE * noise * math.sqrt(cells)):
            kept.append(edge)
            masses.append(mass)
            mass, cells = 0.0, 0
    masses.append(max(mass, 0.0))
    if len(masses) > 1 and masses[-1] < enough / 2:
        masses[-2] += masses.pop()
        kept.pop()
    return Bins(np.array(kept), _parts([*masses, counts[-1]]))


def category_bins(counts: np.ndarray) -> Bins:
    """Return the bins of a categorical column from the noisy counts of its cells."""
    return Bins(None, _parts(counts))


def _parts(counts: np.ndarray | list[float]) -> np.ndarray:
    positive = np.maximum(np.asarray(counts, dtype=np.float64), 1.0)
    return np.asarray(positive / positive.sum())


def pack_columns(sizes: list[int], most_cells: int) -> list[list[int]]:
    """Return groups of columns whose joint tables have at most `most_cells` cells.

    First fit, largest first: rows are passed once a group instead of once a column.
    """
    groups: list[list[int]] = []
    cells: list[int] = []
    for column in sorted(range(len(sizes)), key=lambda j: -sizes[j]):
        for group, size in enumerate(cells):
            if size * sizes[column] <= most_cells:
                groups[group].append(column)
                cells[group] *= sizes[column]
                break
        else:
            groups.append([column])
            cells.append(sizes[column])
    return groups
