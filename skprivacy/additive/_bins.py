"""Cells of columns: fine ones from public bounds, merged by noisy counts into bins.

The fine cells of a numeric column do not depend on the rows: a uniform grid between its
bounds, and a geometric one from either end and around 0, for heavy tails and for bounds that
are wider than the values. One noisy histogram over them decides, as post-processing, which
neighbours are merged into bins of about equal mass. Before that the counts are denoised: what
the noise explains is spread over the cells by a public prior. So there are bins with few rows
and wide bounds too, and where little is known they follow the public bounds.
"""

from dataclasses import dataclass

import numpy as np

UNIFORM_CELLS, GEOMETRIC_CELLS = 256, 64
SMALLEST_STEP, LARGEST_STEP = 1e-5, 0.25
"""First and last point of the geometric grid, in widths of the column's range."""

WIDTH_PART = 0.75
"""Part of the rows that, where counts say nothing, lie in cells by width; the others by number."""

MISSING_PENALTY, OTHER_PENALTY = 1.0, 3.0
"""Deviations of noise taken from the count of missing values of a number, and those below which
a categorical column's missing and unknown values are taken for none."""

THRESHOLD = 3.0
"""Deviations of noise from which the difference of two halves is taken for real."""

STANDS_OUT = 5.0
"""Deviations of noise from which a single cell is taken for real."""

REFINEMENTS = 5


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
    points: list[np.ndarray] = [
        np.linspace(low, high, UNIFORM_CELLS + 1)[1:-1],
        low + steps,
        high - steps,
        np.array([above_low]),
    ]
    if low < 0 < high:
        points += [steps, -steps, np.array([0.0, np.nextafter(0.0, 1.0)])]
    return np.unique(np.clip(np.concatenate(points), above_low, high))


def denoise(
    counts: np.ndarray, noise: float, total: float, prior: np.ndarray | None = None
) -> np.ndarray:
    """Return counts without what noise alone would explain, and none below 0.

    A cell that stands out by itself keeps its count. What is left of the total is halved and
    halved again over the other cells; a half keeps its noisy part of the whole only where that
    differs from the prior part of its cells by `THRESHOLD` deviations of the noise (hard
    thresholding of Haar coefficients). So empty stretches, however many cells they have,
    do not add up noise, and few rows are found in a wide range.

    Parameters
    ----------
    counts : array of shape (n_cells,)
        Noisy counts.
    noise : float
        Standard deviation of their noise.
    total : float
        Released number of rows in all cells together.
    prior : array of shape (n_cells,), default=None
        Parts of the rows where counts say nothing, up to a factor. None: equal ones.
    """
    size = 1 << (counts.size - 1).bit_length()
    heavy = counts > STANDS_OUT * noise
    sums, cells, priors = [np.zeros(size)], [np.zeros(size)], [np.zeros(size)]
    sums[0][: counts.size] = np.where(heavy, 0.0, counts)
    cells[0][: counts.size] = ~heavy
    priors[0][: counts.size] = ~heavy * (1.0 if prior is None else prior)
    while sums[-1].size > 1:
        sums.append(sums[-1].reshape(-1, 2).sum(axis=1))
        cells.append(cells[-1].reshape(-1, 2).sum(axis=1))
        priors.append(priors[-1].reshape(-1, 2).sum(axis=1))
    smooth = np.maximum(total - counts[heavy].sum(keepdims=True), 0.0)
    for level in range(len(sums) - 2, -1, -1):
        pairs, halves = sums[level].reshape(-1, 2), cells[level].reshape(-1, 2)
        share = priors[level][::2] / np.maximum(priors[level + 1], 1e-300)
        excess = pairs[:, 0] - share * pairs.sum(axis=1)
        deviation = noise * np.sqrt((1 - share) ** 2 * halves[:, 0] + share**2 * halves[:, 1])
        excess = np.where(np.abs(excess) > THRESHOLD * deviation, excess, 0.0)
        left = np.clip(share * smooth + excess, 0.0, smooth)
        smooth = np.stack([left, smooth - left], axis=1).ravel()
    return np.where(heavy, counts, smooth[: counts.size])


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
        Most bins, without that of missing values.
    """
    missing = max(float(counts[-1]) - MISSING_PENALTY * noise, 0.0)
    width = np.concatenate([[0.0], np.diff(edges), [0.0]])
    prior = WIDTH_PART * width / max(width.sum(), 1e-300) + (1 - WIDTH_PART) / width.size
    inner = denoise(counts[:-1], noise, n_rows - missing, prior)
    enough = _enough(inner, n_bins)
    kept: list[float] = []
    masses: list[float] = []
    mass = 0.0
    for edge, count in zip(edges, inner[:-1], strict=True):
        mass += count
        if mass >= enough and len(kept) < n_bins - 1:
            kept.append(edge)
            masses.append(mass)
            mass = 0.0
    masses.append(mass + inner[-1])
    if len(masses) > 1 and masses[-1] < enough / 2:
        rest = masses.pop()
        masses[-1] += rest
        kept.pop()
    return Bins(np.array(kept), _parts([*masses, missing]))


def _enough(counts: np.ndarray, n_bins: int) -> float:
    """Return the mass of a bin, if cells heavier than that have bins of their own."""
    enough = max(float(counts.sum()), 1.0) / n_bins
    for _ in range(REFINEMENTS):
        heavy = counts >= enough
        if heavy.sum() >= n_bins / 2:
            break
        enough = max(float(counts[~heavy].sum()), 1.0) / (n_bins - heavy.sum())
    return enough


def category_bins(counts: np.ndarray, noise: float, n_rows: float) -> Bins:
    """Return the bins of a categorical column from the noisy counts of its cells.

    Counts lean to equal ones of the listed values as the noise explains what they differ by
    (positive-part shrinkage of James and Stein).

    Parameters
    ----------
    counts : array
        Noisy counts: of listed values, then of others and of missing ones.
    noise : float
        Standard deviation of their noise.
    n_rows : float
        Released number of rows.
    """
    n_listed = counts.size - 2
    expected = np.full(counts.size, n_rows / max(n_listed, 1))
    rest = counts[n_listed:]
    expected[n_listed:] = np.where(rest > OTHER_PENALTY * noise, rest, 0.0)
    apart = counts - expected
    kept = 1 - counts.size * noise**2 / max(float(apart @ apart), 1e-300)
    return Bins(None, _parts(expected + max(kept, 0.0) * apart))


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
