"""Gaussian releases about rows that are cells: one cell of each of several tables.

An additive model over binned columns meets its rows in two ways only. It counts them, once,
in the fine cells of every column (`GaussianCellCounts`), and it sums, in every round of
its fit, what a residual says to the cells that its row lies in (`GaussianRounds`). Both
are sums of exact integers: residuals and loadings are rounded to public power-of-two grids, and a
loading times a sum over a cell is an integer product. The sums are kept as joint
histograms of small groups of tables (`CellRows`), from which those of a single table or
of a pair of tables follow by exact addition; so a round costs a few passes over the rows,
whatever the number of tables.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..accounting import Adjacency, check_adjacency
from ..exceptions import ReleaseError
from ._base import Draw, rounded_up
from ._gaussian import GaussianMechanism, cell_sums
from ._joint import CellBlock, CellRows, Term, Terms, block_diagonal
from ._random import RandomSource
from ._rounded import lattice, rounded_gaussian
from ._rows import Rows, sum_blocks

RESIDUAL_BITS, LOADING_BITS = 16, 15
"""2^31 rows of 2^16 units, times loadings of 2^15 units, keep within 2^62."""

MOST_NOISE_BITS = 34
"""Noise far above this many bits of the grid is slow to draw; the grids get coarser first."""

EXACT_BITS = 53
"""Integers of so many bits are exact in double precision."""


@dataclass(frozen=True, kw_only=True)
class GaussianCellCounts(GaussianMechanism):
    """Noisy counts of cells of several columns, each column with noise of its own.

    A row takes at most one cell of each column. With the parts p_j of the columns, which
    add up to at most 1, and noise of scale s / sqrt(p_j) on column j, a row moves the
    counts by at most sqrt(sum p_j) / s noise scales. Sensitivity (L2) of the scaled
    counts: 1 under add-remove, sqrt(2) under replace-one.
    """

    kind: ClassVar[str] = "sum"

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        inner = "1" if check_adjacency(adjacency) == "add-remove" else "sqrt(2)"
        return f"{inner} (L2, one cell a row in each column, columns scaled by public parts)"

    def draw(
        self,
        rows: Rows,
        *,
        sizes: Sequence[int],
        parts: Sequence[float],
        adjacency: Adjacency,
        source: RandomSource,
        weights: np.ndarray | None = None,
    ) -> Draw:
        """Release the counts.

        Parameters
        ----------
        rows : array of int of shape (n_rows, d), or function that yields its blocks
            Cell of each row in each column; a code outside its range counts nowhere.
        sizes : sequence of d int
            Number of cells of each column.
        parts : sequence of d floats
            Positive; divided by their sum.
        adjacency, source
            Adjacency of the data and source of random words.
        weights : array of shape (n_rows,), default=None
            Weights of the rows, clipped to [0, 1]; NaN counts as 0.

        Returns
        -------
        Draw
            `value` of shape (sum of sizes,): the columns' counts one after the other;
            `noise_scale` of shape (d,).
        """
        check_adjacency(adjacency)
        unit = self._scale(1.0 if adjacency == "add-remove" else math.sqrt(2.0))
        whole = math.fsum(parts)
        scales = [rounded_up(unit * rounded_up(math.sqrt(rounded_up(whole / p)))) for p in parts]
        grid = max(lattice(1.0, scale) for scale in scales)
        ends = np.cumsum(sizes)
        start = 0

        def part(block: np.ndarray) -> np.ndarray:
            nonlocal start
            stop = start + block.shape[0]
            units = np.full(block.shape[0], np.trunc(1.0 / grid))
            if weights is not None:
                units = np.trunc(np.nan_to_num(np.clip(weights[start:stop], 0.0, 1.0)) / grid)
            start = stop
            return np.concatenate(
                [cell_sums(codes, units, size) for codes, size in zip(block.T, sizes, strict=True)]
            )

        total = sum_blocks(rows, part)
        noise = [
            rounded_gaussian(size, scale / grid, source)
            for size, scale in zip(sizes, scales, strict=True)
        ]
        noisy = [
            total[end - size : end] + drawn
            for end, size, drawn in zip(ends, sizes, noise, strict=True)
        ]
        return Draw(np.concatenate(noisy) * grid, np.array(scales))


def cell_grids(noise_scale: float) -> tuple[int, int]:
    """Return the bits of the grids of residuals and loadings for a public noise scale.

    `noise_scale` is that of one round for sums of rows of norm 1. As it grows beyond what
    `MOST_NOISE_BITS` allows, both grids get coarser, that of loadings down to 1 bit. On a
    grid of residuals above 1, of a negative number of bits, every row contributes 0.
    """
    surplus = math.frexp(noise_scale)[1] + RESIDUAL_BITS + LOADING_BITS - MOST_NOISE_BITS
    surplus = max(surplus, 0)
    loading = max(LOADING_BITS - surplus // 2, 1)
    residual = RESIDUAL_BITS - (surplus - (LOADING_BITS - loading))
    return residual, loading


Residuals = Callable[[CellBlock], np.ndarray]
"""From a block of rows to their residuals, of shape (k, n)."""


class RoundSums:
    """What a solver holds of the rows: so many noisy sums, and no more.

    Parameters
    ----------
    n_rounds : int
        How many sums may be asked for.
    noise_scale : float
        Standard deviation of the noise of each, for rows of norm 1.
    source : RandomSource
        Where the noise comes from.
    """

    def __init__(self, n_rounds: int, noise_scale: float, source: RandomSource) -> None:
        self.n_rounds = n_rounds
        self.noise_scale = noise_scale
        self._waiting = n_rounds
        self._source = source
        self._residual_bits, self.loading_bits = cell_grids(noise_scale)

    def quantise(self, loadings: Sequence[np.ndarray]) -> "Loadings":
        """Return loadings as integers in units of 2^-loading_bits, rounded toward zero.

        Their norm is brought to at most 1 by a factor common to all, should it be more.
        """
        unit = 2.0**self.loading_bits
        norm = math.sqrt(math.fsum(_largest_square(loading) for loading in loadings))
        factor = unit * (1.0 - 2.0**-40) / max(norm, 1.0)
        return Loadings([np.trunc(loading * factor) for loading in loadings], self.loading_bits)

    def __call__(
        self,
        cells: CellRows,
        terms: Sequence[Term],
        loadings: Sequence[np.ndarray],
        residuals: Residuals,
    ) -> np.ndarray:
        """Release the sum over rows of residual times the loadings of the row's cells.

        Parameters
        ----------
        cells : CellRows
            The rows.
        terms : Terms, or sequence of Term
            What has loadings.
        loadings : sequence of int arrays of shape (n_cells, n_loadings)
            One a term, in units of 2^-loading_bits, public. The squares of their largest
            rows add up to at most 1. What `quantise` returned is known to be so.
        residuals : function
            Residuals (k, n) of a block of rows; each row is a function of that row alone
            and of earlier releases. A row of norm above 1 is scaled down to 1.

        Returns
        -------
        array of shape (sum of n_loadings, k)

        Raises
        ------
        ReleaseError
            If all rounds are used up.
        ValueError
            If loadings are too long, or are not those of the terms.
        """
        if self._waiting == 0:
            raise ReleaseError(f"All {self.n_rounds} rounds are drawn; another is not paid for.")
        self._waiting -= 1
        if not isinstance(loadings, Loadings) or loadings.bits != self.loading_bits:
            loadings = Loadings(loadings, self.loading_bits)
        if not isinstance(terms, Terms) or terms.shapes != cells.shapes:
            terms = Terms(terms, cells.shapes)
        if [loading.shape[0] for loading in loadings] != terms.sizes:
            # Which cells a row is in decides which loadings count together.
            raise ValueError("Every term needs loadings for each of its cells.")
        margins = terms.gather(self._cell_sums(cells, residuals))
        # No sum of products is above this, in whatever order they are added.
        bound = cells.n_rows << (max(self._residual_bits, 0) + self.loading_bits)
        total = loadings.summed(margins, exact_in_doubles=bound <= 1 << EXACT_BITS)
        grid = 2.0 ** -(self._residual_bits + self.loading_bits)
        noise = rounded_gaussian(total.shape, self.noise_scale / grid, self._source)
        return np.asarray((total + noise) * grid)

    def _cell_sums(self, cells: CellRows, residuals: Residuals) -> np.ndarray:
        """Return the exact sums of quantised residuals in every cell of every joint table.

        Sums of fewer than 2^31 integers of 16 bits are exact in double precision.
        """
        total: Any = 0.0
        for block in cells.blocks():
            quantised = quantise_residuals(residuals(block), self._residual_bits)
            total += block.sums(np.ascontiguousarray(quantised.T))
        return np.asarray(total)


class Loadings(Sequence[np.ndarray]):
    """Loadings that a row has at most norm 1 of, checked once for many sums.

    Parameters
    ----------
    loadings : sequence of arrays of shape (n_cells, n_loadings)
        Integers in units of 2^-bits. They are copied.
    bits : int
        Bits of their grid.

    Raises
    ------
    ValueError
        If the squares of their largest rows add up to more than 1.
    """

    def __init__(self, loadings: Sequence[np.ndarray], bits: int) -> None:
        unit = 1 << bits
        # Entries within 2^15 come first: then their squares can't overflow.
        values = [loading.ravel() for loading in loadings]
        entries = np.concatenate(values) if values else np.zeros(0)
        within = bool(np.all((entries >= -unit) & (entries <= unit)))
        integers = [loading.astype(np.int32) for loading in loadings] if within else []
        if not within or sum(map(_largest_square, integers)) > unit * unit:
            raise ValueError("The loadings of a row could have a norm above 1.")
        self.bits = bits
        self._integers = integers
        for loading in integers:
            loading.flags.writeable = False
        self._matrix = block_diagonal([loading.astype(np.float64) for loading in integers])
        self._matrix.eliminate_zeros()
        self._transposed = self._matrix.T

    def values(self, coefficients: np.ndarray) -> np.ndarray:
        """Return loadings times coefficients (n_loadings, k), over the cells of all terms."""
        return np.asarray(self._matrix @ (2.0**-self.bits * coefficients))

    def summed(self, margins: np.ndarray, *, exact_in_doubles: bool) -> np.ndarray:
        """Return the integers that margins, (cells of all terms, k), times loadings add up to."""
        if exact_in_doubles:
            return np.asarray(self._transposed @ margins).astype(np.int64)
        return np.asarray(self._transposed.astype(np.int64) @ margins.astype(np.int64))

    def __getitem__(self, number: Any) -> Any:
        return self._integers[number]

    def __len__(self) -> int:
        return len(self._integers)


def quantise_residuals(residuals: np.ndarray, bits: int) -> np.ndarray:
    """Return residuals as integers in units of 2^-bits, each column's norm at most 1.

    Parameters
    ----------
    residuals : array of shape (k, n_rows)
        NaN counts as 0.
    bits : int
        Bits of the grid.

    Returns
    -------
    array of shape (k, n_rows)
        Integer-valued; in exact arithmetic every column has norm at most 2^bits, and it
        is a function of that column of `residuals` alone.
    """
    unit = 2.0**bits
    if np.isnan(residuals.sum()):  # a sum is faster, and is NaN where a residual is
        residuals = np.where(np.isnan(residuals), 0.0, residuals)
    if residuals.shape[0] == 1:
        clipped = np.clip(residuals, -1.0, 1.0)
        clipped *= unit
        return np.asarray(np.rint(clipped, out=clipped))
    square = np.zeros(residuals.shape[1])
    for row in residuals:  # in this order, wherever the row stands
        square += row * row
    # The error of the norm and of two products, (k + 9) 2^-53 at most, is below 2^-40. A
    # square beyond the floating range is infinite and its row counts as 0.
    factor = np.minimum(1.0, (1.0 - 2.0**-40) / np.sqrt(np.maximum(square, 1e-300)))
    scaled = np.nan_to_num(residuals * factor, posinf=0.0, neginf=0.0)
    return np.asarray(np.trunc(scaled * unit))


def _largest_square(loading: np.ndarray) -> Any:
    """Return the largest squared norm of a row, as a Python int for integers."""
    kind = np.float64 if loading.dtype.kind == "f" else np.int64
    return np.einsum("ij,ij->i", loading, loading, dtype=kind).max(initial=0).item()


@dataclass(frozen=True, kw_only=True)
class GaussianRounds(GaussianMechanism):
    """Adaptive rounds of noisy sums, however many, within one budget.

    In each of T rounds a row contributes the outer product of a residual and a loading
    vector, of norm at most 1 each. Sensitivity (L2) of a round: 1 under add-remove, 2
    under replace-one. Noise of multiplier sigma sqrt(T) in each makes the whole 1/sigma-GDP
    (Dong, Roth and Su 2022, Corollary 3.3), also where T is chosen by an earlier release.
    """

    kind: ClassVar[str] = "solve"

    def sensitivity(self, adjacency: Adjacency) -> float:
        """Return the L2 sensitivity of a round."""
        return 1.0 if check_adjacency(adjacency) == "add-remove" else 2.0

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        return (
            f"{self.sensitivity(adjacency):.6g} (L2 of each of T rounds, sqrt(T) times the noise)"
        )

    def draw(
        self,
        solver: Callable[[RoundSums], Any],
        *,
        n_rounds: int,
        adjacency: Adjacency,
        source: RandomSource,
    ) -> Draw:
        """Return what `solver` makes of `n_rounds` noisy sums.

        Parameters
        ----------
        solver : function
            Gets a `RoundSums`, and depends on the rows through its sums alone.
        n_rounds : int
            Number of rounds, a function of earlier releases.
        adjacency, source
            Adjacency of the data and source of random words.
        """
        scale = self.round_scale(n_rounds, adjacency)
        return Draw(solver(RoundSums(n_rounds, scale, source)), scale)

    def round_scale(self, n_rounds: int, adjacency: Adjacency) -> float:
        """Return the noise scale of each of `n_rounds` rounds, rounded up."""
        return rounded_up(
            self._scale(self.sensitivity(adjacency)) * rounded_up(math.sqrt(n_rounds))
        )
