"""Gaussian releases: exact integer sums over clipped rows plus exactly rounded noise.

Every class here quantises what a row contributes to a public power-of-two grid, so
that the sum over the rows is exact in any order, and adds Gaussian noise rounded to
that grid. The release is then a rounding, hence a post-processing, of the ideal
Gaussian mechanism: exactly mu-GDP with mu = sensitivity / noise scale (Dong, Roth
and Su 2022, Theorem 2.7), with nothing left for floating point to betray.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency, PrivacyLoss, check_adjacency
from ._base import Draw, Mechanism, drawable_multiplier, rounded_up
from ._random import RandomSource
from ._rounded import lattice, quantise_rows, rounded_gaussian, sum_rows
from ._rows import Rows, first_block, row_blocks, sum_blocks

PRODUCT_GRID = 2.0**-16
"""Finest lattice of entries that are multiplied: 2^31 products keep within 64 bits."""


@dataclass(frozen=True, kw_only=True)
class GaussianMechanism(Mechanism):
    """Price and calibration of a release with Gaussian noise."""

    noise: ClassVar[str] = "gaussian"

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return mu = 1 / noise multiplier."""
        check_adjacency(adjacency)
        return PrivacyLoss.gaussian(1.0, self.calibrated_noise())

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 1 / mu, rounded up, or the least multiplier that can be drawn."""
        check_adjacency(adjacency)
        if mu is None:
            raise ValueError(
                f"Release {self.name!r} has Gaussian noise, which has no pure epsilon. "
                "Use a delta above 0."
            )
        multiplier = rounded_up(1.0 / mu)
        return drawable_multiplier(self.name, multiplier)

    def _scale(self, sensitivity: float) -> float:
        """Return the standard deviation for a statistic of this sensitivity, rounded up."""
        return rounded_up(self.calibrated_noise() * sensitivity)


def product_grid(noise_scale: float) -> float:
    """Return a public lattice for entries in [-1, 1] whose products are summed.

    `PRODUCT_GRID`, or coarser where the noise is so large that its scale would pass
    2^42 units of the products, or 2^46 units of the entries. From a grid of 1 on, every
    row contributes 0.
    """
    exponent = math.log2(noise_scale)
    return max(PRODUCT_GRID, 2.0 ** math.ceil(max(exponent / 2 - 21, exponent - 46)))


@dataclass(frozen=True, kw_only=True)
class GaussianSum(GaussianMechanism):
    """Noisy sum of rows, each clipped to Euclidean norm 1.

    Sensitivity (L2): 1 under add-remove, 2 under replace-one; sqrt(2) under
    replace-one if ``nonnegative=True``, since rows in the nonnegative orthant have
    nonnegative inner products.

    Parameters
    ----------
    nonnegative : bool, default=False
        Whether negative entries are set to 0 before clipping.
    """

    kind: ClassVar[str] = "sum"
    nonnegative: bool = False

    def sensitivity(self, adjacency: Adjacency) -> float:
        """Return the L2 sensitivity of the sum."""
        check_adjacency(adjacency)
        if adjacency == "add-remove":
            return 1.0
        return math.sqrt(2.0) if self.nonnegative else 2.0

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        return f"{self.sensitivity(adjacency):.6g} (L2, rows of norm at most 1)"

    def draw(self, rows: Rows, *, adjacency: Adjacency, source: RandomSource) -> Draw:
        """Release the sum of `rows`, of shape (n_rows, n_columns)."""
        scale = self._scale(self.sensitivity(adjacency))
        grid = lattice(1.0, scale)

        def part(block: np.ndarray) -> np.ndarray:
            contributions = np.maximum(block, 0.0) if self.nonnegative else block
            return sum_rows(quantise_rows(contributions, 1.0, grid=grid))

        total = sum_blocks(rows, part)
        return Draw((total + rounded_gaussian(total.shape, scale / grid, source)) * grid, scale)


@dataclass(frozen=True, kw_only=True)
class GaussianHistogram(GaussianMechanism):
    """Noisy counts of cells, where a row takes at most one cell in each of d columns.

    Sensitivity (L2): sqrt(d) under add-remove, sqrt(2 d) under replace-one, where one
    row leaves one cell of every column and enters another.
    """

    kind: ClassVar[str] = "sum"

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        inner = "d" if adjacency == "add-remove" else "2 d"
        return f"sqrt({inner}) (L2, one cell a row in each of d columns)"

    def draw(
        self,
        rows: Rows,
        *,
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
        n_cells : int
            Number of cells of every column.
        adjacency, source
            Adjacency of the data and source of random words.
        weights : array of shape (n_rows,), default=None
            Weights of the rows, clipped to [0, 1]; NaN counts as 0.

        Returns
        -------
        Draw
            `value` of shape (d, n_cells).
        """
        n_columns = first_block(rows).shape[1]
        scale = self._scale(math.sqrt(n_columns * (1 if adjacency == "add-remove" else 2)))
        grid = lattice(1.0, scale)
        total = cell_counts(rows, n_cells, weights, grid)
        return Draw((total + rounded_gaussian(total.shape, scale / grid, source)) * grid, scale)


def cell_counts(rows: Rows, n_cells: int, weights: np.ndarray | None, grid: float) -> np.ndarray:
    """Return the exact weighted counts, of shape (d, n_cells), in units of `grid`."""
    start = 0

    def part(block: np.ndarray) -> np.ndarray:
        nonlocal start
        stop = start + block.shape[0]
        first, start = start, stop
        if weights is None:
            return cell_numbers(block, n_cells) * math.trunc(1.0 / grid)
        unit = np.trunc(np.nan_to_num(np.clip(weights[first:stop], 0.0, 1.0)) / grid)
        return np.stack([cell_sums(column, unit, n_cells) for column in block.T])

    return sum_blocks(rows, part)


def cell_numbers(codes: np.ndarray, n_cells: int) -> np.ndarray:
    """Return how many rows are in each cell of each column, of shape (d, n_cells)."""
    n_columns = codes.shape[1]
    # One count over all columns; what counts nowhere takes a cell of its own.
    inside = (codes >= 0) & (codes < n_cells)
    cells = np.where(inside, codes, 0).astype(np.int64)
    np.copyto(cells, n_cells, where=~inside)
    cells += np.arange(n_columns) * (n_cells + 1)
    numbers = np.bincount(cells.ravel(), minlength=n_columns * (n_cells + 1))
    return np.asarray(numbers.reshape(n_columns, n_cells + 1)[:, :n_cells])


def cell_sums(codes: np.ndarray, unit: np.ndarray, n_cells: int) -> np.ndarray:
    if codes.size and not (codes.min() >= 0 and codes.max() < n_cells):  # NaN is not inside
        inside = (codes >= 0) & (codes < n_cells)
        codes, unit = codes[inside], unit[inside]
    sums = np.bincount(codes.astype(np.int64, copy=False), unit, minlength=n_cells)
    return np.asarray(sums.astype(np.int64))


@dataclass(frozen=True, kw_only=True)
class GaussianSecondMoment(GaussianMechanism):
    """Noisy sum of z z' over rows z, each clipped to Euclidean norm 1.

    The vector of the diagonal and sqrt(2) times the upper triangle has norm ``|z|^2``, and
    two such vectors have inner product (z.z')^2 >= 0. Sensitivity (L2): 1 under
    add-remove, sqrt(2) under replace-one. The noise on the diagonal has the full
    scale, that on the other entries the scale over sqrt(2).
    """

    kind: ClassVar[str] = "sum"

    def sensitivity(self, adjacency: Adjacency) -> float:
        """Return the L2 sensitivity of the vectorised moment."""
        check_adjacency(adjacency)
        return 1.0 if adjacency == "add-remove" else math.sqrt(2.0)

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        return f"{self.sensitivity(adjacency):.6g} (L2 of the vectorised z z', |z| at most 1)"

    def draw(self, rows: Rows, *, adjacency: Adjacency, source: RandomSource) -> Draw:
        """Release the moment, a symmetric matrix of shape (n_columns, n_columns)."""
        scale = self._scale(self.sensitivity(adjacency))
        grid = product_grid(scale)

        def part(block: np.ndarray) -> np.ndarray:
            # Integers up to 2^16: the products and their sum over a block are exact.
            entries = quantise_rows(block, 1.0, grid=grid)
            return (entries.T @ entries).astype(np.int64)

        total = sum_blocks(rows, part)
        n_columns = total.shape[0]
        upper = np.triu_indices(n_columns, 1)
        # The vectorised moment carries sqrt(2) on the upper triangle; its noise is divided back.
        off_scale = scale / math.sqrt(2.0) / grid**2
        off = total[upper] + rounded_gaussian(upper[0].shape, off_scale, source)
        noisy = np.diag(total.diagonal() + rounded_gaussian((n_columns,), scale / grid**2, source))
        noisy[upper] = off
        noisy[upper[::-1]] = off
        return Draw(noisy * grid**2, scale)


@dataclass(frozen=True, kw_only=True)
class GaussianMoments(GaussianMechanism):
    """Noisy count, sum and sum of squares of every column, in one joint release.

    A column is mapped to z in [-1, 1] by public bounds and clipped. A row contributes

    - under add-remove: (z, sqrt(2) (z^2 - 1/2), c) a column, of squared norm
      z^2 + 2 (z^2 - 1/2)^2 + c^2 <= 3/2 + c^2. With ``missing="error"`` all columns
      share one count and the squared sensitivity is 3 d / 2 + c^2, c^2 = 1/2 + d / 16;
      with ``missing="ignore"`` every column has its own count, c^2 = 1/2: 2 d;
    - under replace-one: (z, 3/2 z^2, 3/4) a column. For two rows the squared distance
      is at most ``max |t - s|^2 (1 + 9/4 (t + s)^2) = 4`` a column, and 1 + 9/4 + 9/16 < 4
      against a missing entry, which contributes zeros: sensitivity 2 sqrt(d).

    Parameters
    ----------
    missing : {"error", "ignore"}, default="error"
        Whether NaN entries are counted as missing, in each column by itself.
    """

    kind: ClassVar[str] = "sum"
    missing: str = "error"

    def __post_init__(self) -> None:
        # The sensitivity and the draw both read it: a third value would part them.
        if self.missing not in ("error", "ignore"):
            raise ValueError(f"missing must be 'error' or 'ignore'. Got {self.missing!r} instead.")

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        if adjacency == "replace-one":
            return "2 sqrt(d) (L2, jointly over d columns)"
        if self.missing == "ignore":
            return "sqrt(2 d) (L2, jointly over d columns)"
        return "sqrt(25 d / 16 + 1 / 2) (L2, jointly over d columns)"

    def sensitivity(self, adjacency: Adjacency, n_columns: int) -> float:
        """Return the joint L2 sensitivity for a number of columns."""
        check_adjacency(adjacency)
        if adjacency == "replace-one":
            return 2.0 * math.sqrt(n_columns)
        if self.missing == "ignore":
            return math.sqrt(2.0 * n_columns)
        return math.sqrt(1.5 * n_columns + self._count_weight(adjacency, n_columns) ** 2)

    def _count_weight(self, adjacency: Adjacency, n_columns: int) -> float:
        if adjacency == "replace-one":
            return 0.75
        if self.missing == "ignore":
            return math.sqrt(0.5)
        # A shared count costs little and steadies every mean: give it more with more columns.
        return math.sqrt(0.5 + n_columns / 16.0)

    def draw(
        self,
        rows: Rows,
        *,
        low: np.ndarray,
        high: np.ndarray,
        adjacency: Adjacency,
        source: RandomSource,
    ) -> Draw:
        """Release the moments.

        Parameters
        ----------
        rows : array of shape (n_rows, d)
        low, high : arrays of shape (d,)
            Public bounds of the columns.
        adjacency, source
            Adjacency of the data and source of random words.

        Returns
        -------
        Draw
            `value` of shape (3, d): count, sum of z and sum of z^2; `noise_scale` of
            shape (3, d), the standard deviation of each.
        """
        n_columns = low.size
        add_remove = adjacency == "add-remove"
        scale = self._scale(self.sensitivity(adjacency, n_columns))
        # A coordinate that enters with a weight has its noise divided by that weight.
        square_scale = scale / (math.sqrt(2.0) if add_remove else 1.5)
        count_scale = scale / self._count_weight(adjacency, n_columns)
        grid = product_grid(square_scale)
        shared = self.missing == "error"
        count = np.zeros(1 if shared else n_columns, dtype=np.int64)
        first, second = np.zeros((2, n_columns), dtype=np.int64)
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        half = np.where(half > 0, half, 1.0)
        top = max(1.0 / grid - 1.0, 0.0)
        # Under add-remove squares are centred at 1/2, on their own grid.
        centre = math.trunc(0.5 / grid**2) if add_remove else 0
        for block in row_blocks(rows):
            z = (np.clip(block, low, high) - middle) / half
            # Absence of NaN is validated before where it is an error; then NaN counts as 0.
            valid = np.ones(z.shape, dtype=bool) if shared else ~np.isnan(z)
            z = np.clip(np.rint(np.nan_to_num(z) / grid), -top, top)
            first += z.sum(axis=0).astype(np.int64)
            second += np.where(valid, z * z - centre, 0.0).sum(axis=0).astype(np.int64)
            count += valid.shape[0] if shared else valid.sum(axis=0)
        sums = (first + rounded_gaussian(first.shape, scale / grid, source)) * grid
        squares = (
            second + rounded_gaussian(second.shape, square_scale / grid**2, source)
        ) * grid**2
        if shared and not add_remove:
            counts, count_scale = 1.0 * count, 0.0  # the number of rows is public
        else:
            count_grid = lattice(1.0, count_scale)
            unit = int(1 / count_grid)
            counts = (
                count * unit + rounded_gaussian(count.shape, count_scale / count_grid, source)
            ) * count_grid
        counts = np.broadcast_to(counts, (n_columns,))
        if add_remove:
            squares = squares + counts / 2
            square_scale = math.hypot(square_scale, count_scale / 2)
        scales = np.repeat([[count_scale], [scale], [square_scale]], n_columns, axis=1)
        return Draw(np.stack([counts, sums, squares]), scales)
