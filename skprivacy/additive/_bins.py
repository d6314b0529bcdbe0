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


MODE = "haar"
THRESHOLD = 3.0
ATOMS = True


def denoise(counts: np.ndarray, noise: float) -> np.ndarray:
    """Return counts whose insignificant Haar coefficients are 0, and no count negative."""
    size = 1 << (counts.size - 1).bit_length()
    level = np.zeros(size)
    level[: counts.size] = counts
    present = np.zeros(size)
    present[: counts.size] = 1.0
    sums, cells = [level], [present]
    while sums[-1].size > 1:
        sums.append(sums[-1].reshape(-1, 2).sum(axis=1))
        cells.append(cells[-1].reshape(-1, 2).sum(axis=1))
    smooth = np.maximum(sums[-1], 0.0)
    for level, present, parent_cells in zip(sums[-2::-1], cells[-2::-1], cells[:0:-1], strict=True):
        pair, number = level.reshape(-1, 2), present.reshape(-1, 2)
        share = number[:, 0] / np.maximum(parent_cells, 1.0)
        # The left child's excess over its share by cells, and the noise in that difference.
        excess = pair[:, 0] - share * pair.sum(axis=1)
        deviation = noise * np.sqrt(share * (1 - share) * parent_cells)
        excess = np.where(np.abs(excess) > THRESHOLD * deviation, excess, 0.0)
        left = np.clip(share * smooth + excess, 0.0, smooth)
        smooth = np.stack([left, smooth - left], axis=1).ravel()
    return smooth[: counts.size]


def merge_cells(
    edges: np.ndarray, counts: np.ndarray, noise: float, n_rows: float, n_bins: int
) -> Bins:
    inner = counts[:-1]
    if MODE == "haar":
        inner = denoise(inner, noise)
    total = max(inner.sum(), 1.0)
    enough = total / n_bins
    if ATOMS:
        for _ in range(5):
            heavy = inner >= enough
            if heavy.sum() >= n_bins / 2: break
            enough = max(inner[~heavy].sum(), 1.0) / (n_bins - heavy.sum())
    enough = max(enough, EVIDENCE * noise) if MODE == "haar" else enough
    kept, masses = [], []
    mass, cells = 0.0, 0
    for edge, count in zip([*edges, None], inner, strict=True):
        mass, cells = mass + count, cells + 1
        if edge is not None and mass >= (enough if MODE=="haar" else max(enough, EVIDENCE * noise * math.sqrt(cells))):
            kept.append(edge)
            masses.append(mass)
            mass, cells = 0.0, 0
    masses.append(max(mass, 0.0))
    if len(masses) > 1 and masses[-1] < enough / 2:
        rest = masses.pop()
        masses[-1] += rest
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
