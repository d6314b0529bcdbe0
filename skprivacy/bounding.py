"""Private ranges and row norms, for learners whose user declared none.

Two joint Gaussian histograms find the range of every column: one over signed powers
of two finds the magnitude, one over 64 equal cells inside that finds the position.
A third histogram, over row norms, gives a clipping norm. Each is a declared release
of the plan, paid from the learner's own budget.

Bounds that an earlier private step has released already are public facts (see
`skprivacy.plan.declare_bounds`): the next step saves that part of its budget.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import ndtri

from .mechanisms import (
    ColumnScaler,
    GaussianHistogram,
    Mechanism,
    Rows,
    cached_slices,
    is_sparse,
    row_blocks,
    row_norms,
)
from .plan import SMALLEST_HALF, Facts, column_bounds

if TYPE_CHECKING:
    from .base import Release

MAGNITUDE = "range of the columns, magnitude"
POSITION = "range of the columns, position"
NORM = "row norms"

SMALLEST_EXPONENT, LARGEST_EXPONENT = -64, 64
CENTRE = LARGEST_EXPONENT - SMALLEST_EXPONENT + 1
N_MAGNITUDES = 2 * CENTRE + 1
N_POSITIONS = 64
PADDING = 0.25
MOST_ROWS = 0.8
"""Part of the rows that have to be between two positions for the range to end at them."""

FALSE_ALARMS = 1e-3
"""Chance that the noise alone passes for an occupied cell, for each column and histogram."""

SECOND_CHANCE = 1e-2
"""The same for a column that would have no range otherwise, and so has little to lose."""

WINDOWS = (1, 2, 3)
"""Numbers of neighbouring cells whose counts are added up for a second chance."""

USUAL_EXPONENT = 10.0
"""Magnitudes between 2^-10 and 2^10 need the least evidence: a false alarm is worst far out."""

NORM_CELLS, NORM_OCTAVES = 32, 8
"""Few cells, since the noise of their sums counts more than a norm a little too large."""

NORM_QUANTILE = 0.99

NORM_UNITS, TINY = 2.0**20, 1e-280
"""Units of `largest` that norms are found in; below `TINY` there are no such units."""

RANGE_SHARE, NORM_SHARE = 0.08, 0.02
"""Parts of a learner's budget that go to bounds and to a clipping norm it was not given."""

FEW_COLUMNS, MOST_TIMES = 4, 4.0
"""With more columns bounds have a larger part, up to so many times as large."""


def range_mechanisms(
    share: float, names: tuple[str, str] = (MAGNITUDE, POSITION)
) -> list[Mechanism]:
    """Return the two mechanisms that `find_range` draws, together worth `share`."""
    return [GaussianHistogram(name=name, share=share / 2) for name in names]


def find_range(
    X: np.ndarray, release: "Release", names: tuple[str, str] = (MAGNITUDE, POSITION)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Release a range for every column.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Finite values or NaN; NaN counts nowhere.
    release : Release
        The release of a plan that has `range_mechanisms`.
    names : tuple of two str
        Names of the two releases.

    Returns
    -------
    low, high : arrays of shape (n_features,)
        Released bounds, low < high.
    found : array of bool of shape (n_features,)
        Whether the column's values were seen above the noise; where not, the range is
        [-1, 1] and means nothing.
    """
    counts = release.sum(names[0], lambda: map(_magnitude, _cached_blocks(X)), n_cells=N_MAGNITUDES)
    thresholds = release.noise_scales[names[0]] * _evidence(_magnitude_weights())
    first, last = _occupied(counts, thresholds)
    weak = first < 0
    first[weak], last[weak] = _likely(counts[weak], float(release.noise_scales[names[0]]))
    # A column that is mostly 0 has the range of the central cell: clipped to it, other values
    # become an indicator of their sign, which is still of use.
    found = first >= 0
    edges = _magnitude_edges()
    low, inner_low = np.where(found, [edges[first], edges[first + 1]], -1.0)
    inner_high, high = np.where(found, [edges[last], edges[last + 1]], 1.0)

    width = (high - low) / N_POSITIONS

    scaler = ColumnScaler(None, None, low, 1.0 / width)

    def position(block: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            cells = np.floor(scaler.apply(block))
            np.clip(cells, -1.0, N_POSITIONS, out=cells)
            missing = np.isnan(cells)
            if missing.any():
                cells[missing] = -1.0
        return cells.astype(np.int64)

    counts = release.sum(names[1], lambda: map(position, _cached_blocks(X)), n_cells=N_POSITIONS)
    thresholds = release.noise_scales[names[1]] * _evidence(np.ones(N_POSITIONS))
    first, last = _occupied(counts, thresholds)
    cells = np.arange(N_POSITIONS)
    between = (first[:, np.newaxis] <= cells) & (cells <= last[:, np.newaxis])
    # Where too few positions stand out, the rows are spread: the whole magnitudes stay.
    most = (counts * between).sum(axis=1) >= MOST_ROWS * counts.sum(axis=1)
    narrows = found & (first >= 0) & most
    start, end = low + width * first, low + width * (last + 1)
    padding = PADDING * (end - start)
    # So does an outermost magnitude, which has rows, if none of its positions stands out.
    start = np.where(narrows & (start < inner_low), start - padding, low)
    end = np.where(narrows & (end > inner_high), end + padding, high)
    return np.maximum(start, low), np.minimum(end, high), found


def _magnitude(block: np.ndarray) -> np.ndarray:
    """Return the cell of each entry on the line of signed powers of two; -1 for NaN."""
    values = np.ascontiguousarray(block, dtype=np.float64)
    # The upper twelve bits of a float are its sign and its exponent.
    # Numbers below 2^12, whose type numpy 2.0 does not take for an index.
    cells = np.take(_CELLS, (values.view(np.uint64) >> np.uint64(52)).view(np.int64))
    missing = np.isnan(values)
    if missing.any():
        cells[missing] = -1
    return cells


def _cells_of_upper_bits() -> np.ndarray:
    """Return the cell of each sign and exponent."""
    # 2^k <= |x| < 2^(k+1) has the biased exponent k + 1023, and cell k - SMALLEST_EXPONENT + 1.
    offset = np.clip(np.arange(2048) - 1022 - SMALLEST_EXPONENT, 0, CENTRE)
    return np.concatenate([CENTRE + offset, CENTRE - offset])


_CELLS = _cells_of_upper_bits()


def _cached_blocks(X: np.ndarray) -> Iterator[np.ndarray]:
    if is_sparse(X):
        yield from row_blocks(X)
        return
    for rows in cached_slices(*X.shape):
        yield X[rows]


def _magnitude_edges() -> np.ndarray:
    powers = np.ldexp(1.0, np.arange(SMALLEST_EXPONENT, LARGEST_EXPONENT + 2))
    return np.concatenate([-powers[::-1], powers])


def _magnitude_weights() -> np.ndarray:
    """Return how usual the magnitude of each cell is."""
    exponents = np.arange(SMALLEST_EXPONENT, LARGEST_EXPONENT + 1)
    weights = 1 / (1 + (exponents / USUAL_EXPONENT) ** 2)
    return np.concatenate([weights[::-1], [1.0], weights])


def _evidence(weights: np.ndarray, chance: float = FALSE_ALARMS) -> np.ndarray:
    """Return noise deviations above which cells count as occupied, by chance so often in all."""
    return -np.asarray(ndtri(chance * weights / weights.sum()))


def _occupied(counts: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last cell of each row of `counts` above the noise; -1 for none."""
    above = counts > thresholds
    some = above.any(axis=1)
    first = np.where(some, above.argmax(axis=1), -1)
    last = np.where(some, counts.shape[1] - 1 - above[:, ::-1].argmax(axis=1), -1)
    return first, last


def _likely(counts: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last cell of the neighbours that stand out most; -1 for none.

    Values between 10 and 30 are in two cells, each of which may be below the noise while
    their sum is above.
    """
    most = np.full(len(counts), -np.inf)
    first, last = np.full((2, len(counts)), -1)
    weights = _magnitude_weights()
    for width in WINDOWS:
        sums = np.lib.stride_tricks.sliding_window_view(counts, width, axis=1).sum(axis=2)
        usual = np.lib.stride_tricks.sliding_window_view(weights, width).max(axis=1)
        thresholds = _evidence(usual, SECOND_CHANCE / len(WINDOWS))
        excess = sums / (noise * math.sqrt(width)) - thresholds
        best = excess.argmax(axis=1)
        highest = excess[np.arange(len(counts)), best]
        better = (highest > 0) & (highest > most)
        first, last = np.where(better, best, first), np.where(better, best + width - 1, last)
        most = np.where(better, highest, most)
    return first, last


def norm_mechanism(share: float) -> Mechanism:
    """Return the mechanism that `find_norm` draws."""
    return GaussianHistogram(name=NORM, share=share)


def find_norm(
    rows: Rows, largest: float, release: "Release", *, n_longer: float | None = None
) -> float:
    """Release a norm that few rows pass, at most `largest`.

    About the .99 quantile of the row norms, and where the rows are too few to be seen
    above the noise, `largest` itself. Or, with `n_longer`, the least norm that is not seen
    to be passed by more than so many rows, and a quarter of `largest` where none is seen.

    Parameters
    ----------
    rows : array of shape (n_rows, n_features) or function that yields its blocks
    largest : float
        Public bound on the norms: the norm of the bounds of the columns.
    release : Release
        The release of a plan that has `norm_mechanism`.
    n_longer : float, default=None
        Number of rows that may be longer.
    """
    edges = largest * np.exp2((np.arange(NORM_CELLS + 1) - NORM_CELLS) * NORM_OCTAVES / NORM_CELLS)

    def cell(block: np.ndarray) -> np.ndarray:
        # Comparisons are exact where a logarithm isn't: a row's cell depends on it alone.
        least, most = _norm_range(block, largest)
        cells = np.searchsorted(edges[:-1], least)
        unclear = ~(edges[np.minimum(cells, NORM_CELLS)] >= most)
        unclear &= cells < NORM_CELLS
        if unclear.any():
            cells[unclear] = np.searchsorted(edges[:-1], row_norms(block[unclear]))
        return cells[:, np.newaxis]

    counts = release.sum(NORM, lambda: map(cell, row_blocks(rows)), n_cells=NORM_CELLS + 1)[0]
    noise = release.noise_scales[NORM]
    if n_longer is not None:
        # Row counts from each cell upwards, and twice their noise.
        passing = np.cumsum(counts[::-1])[::-1]
        evidence = n_longer + 2 * noise * np.sqrt(np.arange(counts.size, 0, -1))
        seen = np.flatnonzero(passing > evidence)
        return float(edges[seen[-1]] if seen.size else largest / 4)
    if counts.sum() < 4 * noise * math.sqrt(counts.size):
        return float(largest)
    # Sums of noisy counts wander; the running maximum makes a distribution function.
    cumulative = np.maximum.accumulate(np.cumsum(counts))
    reached = int(np.argmax(cumulative >= NORM_QUANTILE * cumulative[-1]))
    return float(edges[reached])


def _norm_range(block: np.ndarray, largest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds from below and above of what `row_norms` finds, 2^-20 sqrt(d) apart.

    In units of 2^-20 of `largest`, and truncated to integers, the entries of rows up to 64
    times that long have squares with an exact sum: both depend on the row alone, in
    whatever order the squares are added.
    """
    if not TINY < largest < 1 / TINY:
        norms = row_norms(block)
        return norms, norms
    with np.errstate(over="ignore", invalid="ignore"):
        units = block * (NORM_UNITS / largest)
        np.trunc(units, out=units)
        squares = np.einsum("ij,ij->i", units, units)
    norms = np.sqrt(squares) * (largest / NORM_UNITS)
    lost = block.shape[1] ** 0.5 * (largest / NORM_UNITS)
    return norms * (1 - 2.0**-48), (norms + lost) * (1 + (block.shape[1] + 64) * 2.0**-52)


def largest_norm(low: np.ndarray, high: np.ndarray) -> float:
    """Return the largest Euclidean norm of a row within bounds."""
    return math.hypot(*np.maximum(np.abs(low), np.abs(high)).tolist())


def bounding_mechanisms(bounds: Any, clipping_norm: float | None, facts: Facts) -> list[Mechanism]:
    """Return what a learner with these parameters has to release about its rows' size."""
    mechanisms: list[Mechanism] = []
    if bounds is None and clipping_norm is None and facts.bounds is None:
        mechanisms += range_mechanisms(RANGE_SHARE)
    if clipping_norm is None:
        mechanisms.append(norm_mechanism(NORM_SHARE))
    return mechanisms


def bounding_assumptions(bounds: Any, clipping_norm: float | None, facts: Facts) -> list[str]:
    """Return what a learner with these parameters takes as public about its rows' size."""
    assumptions = ["That all values are finite is public."]
    if bounds is not None:
        assumptions.append("The bounds of the columns were declared by the user.")
    elif clipping_norm is None and facts.bounds is not None:
        assumptions.append("The bounds of the columns were released by the previous step.")
    if clipping_norm is not None:
        assumptions.append("The clipping norm was declared by the user.")
    return assumptions


def box_share(n_features: int | None) -> float:
    """Return the part of its budget that a learner which works within a box has it found for.

    The noise of a column's counts grows as the square root of the number of columns, and
    without a box such a learner has nothing to work with.
    """
    return RANGE_SHARE * min(max(math.sqrt((n_features or 1) / FEW_COLUMNS), 1.0), MOST_TIMES)


def box_mechanisms(bounds: Any, facts: Facts) -> list[Mechanism]:
    """Return what a learner that works within a box releases about it: nothing if it is known."""
    if bounds is not None or facts.bounds is not None:
        return []
    return range_mechanisms(box_share(facts.n_features))


def box_assumptions(bounds: Any, facts: Facts) -> list[str]:
    """Return what a learner that works within a box takes as public about it."""
    assumptions = ["That all values are finite is public."]
    if bounds is not None:
        assumptions.append("The bounds of the columns were declared by the user.")
    elif facts.bounds is not None:
        assumptions.append("The bounds of the columns were released by the previous step.")
    return assumptions


def find_box(
    X: np.ndarray, bounds: Any, release: "Release", name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the columns: declared, inherited or released.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
    bounds
        The learner's parameter.
    release : Release
        The release of a plan that has `box_mechanisms`.
    name : str
        Name of the learner, for errors.

    Returns
    -------
    low, high : arrays of shape (n_features,)
        [-1, 1] where no value was seen above the noise.
    """
    declared = column_bounds(bounds, X.shape[1], name)
    known = release.facts.bounds if declared is None else declared
    if known is not None:
        return known
    low, high, _ = find_range(X, release)
    return low, high


@dataclass(frozen=True)
class RowScaling:
    """How a learner brings rows to a common size: (x - middle) / half, norm at most radius.

    Parameters
    ----------
    middle, half : arrays of shape (n_features,)
        A column with an infinite `half` is not used.
    clip : bool
        Whether scaled values are clipped to [-1, 1].
    radius : float
        Bound on the rows' norm, which the learner's mechanisms enforce.
    """

    middle: np.ndarray
    half: np.ndarray
    clip: bool
    radius: float

    @classmethod
    def from_release(
        cls,
        X: np.ndarray,
        bounds: Any,
        clipping_norm: float | None,
        release: "Release",
        *,
        centre: bool = True,
    ) -> Self:
        """Return the scaling by declared, inherited or privately found bounds.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
        bounds, clipping_norm
            The learner's parameters.
        release : Release
            The release of a plan with `bounding_mechanisms`.
        centre : bool, default=True
            Whether the middle of the bounds may be subtracted; without it they are
            made symmetric, so that 0 stays 0.
        """
        n_features = X.shape[1]
        found = np.ones(n_features, dtype=bool)
        inherited = release.facts.bounds
        declared = column_bounds(bounds, n_features, cls.__name__)
        if declared is not None:
            low, high = declared
        elif clipping_norm is None and inherited is None:
            low, high, found = find_range(X, release)
        else:
            # The columns have a common scale already, by the user's word or the last step's.
            scaling = cls(np.zeros(n_features), np.ones(n_features), False, math.inf)
            largest = math.inf if inherited is None else largest_norm(*inherited)
            largest = max(largest, SMALLEST_HALF)
            return scaling._with_radius(X, clipping_norm, largest, release)
        if not centre:
            high = np.maximum(np.abs(low), np.abs(high))
            low = -high
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        half = np.where(half < SMALLEST_HALF, 1.0, half)
        scaling = cls(np.where(found, middle, 0.0), np.where(found, half, np.inf), True, math.inf)
        return scaling._with_radius(X, clipping_norm, math.sqrt(n_features), release)

    def _with_radius(
        self, X: np.ndarray, clipping_norm: float | None, largest: float, release: "Release"
    ) -> Self:
        if clipping_norm is None:
            clipping_norm = find_norm(lambda: self._blocks(X), largest, release)
        return type(self)(self.middle, self.half, self.clip, float(clipping_norm))

    def _blocks(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the scaled rows, each block written over by the next."""
        if is_sparse(X):
            yield from map(self.apply, row_blocks(X))
            return
        low, high = self.bounds or (None, None)
        limit = 1.0 if self.clip else None
        yield from ColumnScaler(
            low, high, self.middle, 1.0 / np.maximum(self.half, TINY), limit
        ).blocks(X)

    def apply(self, block: np.ndarray) -> np.ndarray:
        """Return the scaled rows of a block, in float64."""
        scaled = (np.asarray(block, dtype=np.float64) - self.middle) / self.half
        return np.clip(scaled, -1.0, 1.0) if self.clip else scaled

    def apply_to_columns(self, values: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the scaled values of given columns, in float64: the entries of sparse rows."""
        scaled = (np.asarray(values, dtype=np.float64) - self.middle[columns]) / self.half[columns]
        return np.clip(scaled, -1.0, 1.0) if self.clip else scaled

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Bounds that values are clipped to, before scaling; None if they are not."""
        return (self.middle - self.half, self.middle + self.half) if self.clip else None

    def unscale(self, coefficient: np.ndarray) -> tuple[np.ndarray, float]:
        """Return coefficients for unscaled columns and what the intercept gains."""
        original = coefficient / self.half
        return original, -float(original @ self.middle)
