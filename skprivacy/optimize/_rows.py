"""Rows of a linear learner, made block by block from the rows it was given.

A learner's rows go through three maps: its columns are scaled by bounds, the row, with a
constant for the intercept, is clipped to a ball and brought to norm 1 (`UnitRows`), and
the result is shaped and clipped again (`ShapedRows`). Each map takes a row to the same
numbers wherever the row stands: norms are summed in one order, and products are exact.
So nothing has to be kept: a block is made again whenever a solver asks for it. Small
problems are kept whole, since that is faster.

Sparse rows stay sparse where columns are shaped one by one, and are made dense a block
at a time where they are shaped together.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack

from ..bounding import RowScaling
from ..mechanisms import is_sparse, one_entry_a_place, row_norms
from ._shape import INSIDE, ROW_GRID, Shape

Block = Any
"""A dense array or a CSR array of rows."""

KEPT = 2**23
"""Problems of up to this many values are kept in memory, as 64 MB at most."""

NORM_UNITS = 2.0**16

BLOCK_VALUES = 2**18
"""Values of a block made for a sum over all rows."""


def block_norms(block: Block) -> np.ndarray:
    """Return an upper bound of each row's norm, as `row_norms`; also for sparse rows."""
    if not is_sparse(block):
        return row_norms(block)
    sizes = np.diff(block.indptr)
    exponent = np.zeros(block.shape[0], dtype=np.int64)
    some = sizes > 0
    if some.any():
        largest = np.maximum.reduceat(np.abs(block.data), block.indptr[:-1][some])
        exponent[some] = np.clip(np.frexp(largest)[1], -1000, 1000)
    squares = np.square(block.data * np.repeat(np.ldexp(1.0, -exponent), sizes))
    # A sparse product adds each row's entries in their order, one after the other.
    sums = csr_array((squares, block.indices, block.indptr), block.shape) @ np.ones(block.shape[1])
    slack = 1.0 + (block.shape[1] + 8) * 2.0**-53
    return np.asarray(np.ldexp(np.sqrt(sums) * slack, exponent))


def quick_norms(block: Block, radius: float) -> np.ndarray:
    """Return an upper bound of each row's norm, within 2^-16 sqrt(d) of `radius` or tight.

    Rounded to multiples of 2^-16 of the radius, the entries of a row of norm up to 32 times
    the radius have squares whose sum is exact, in whatever order it is made.
    """
    if is_sparse(block):
        return block_norms(block)
    with np.errstate(over="ignore", invalid="ignore"):
        units = np.trunc(block * (NORM_UNITS / radius))
        squares = np.einsum("ij,ij->i", units, units)
    # Truncation takes less than 1 from an entry, and the product's rounding next to nothing.
    lost = block.shape[1] ** 0.5 * (1 + 2.0**-30)
    norms = (np.sqrt(squares) + lost) * (radius / NORM_UNITS) * (1 + 2.0**-48)
    long = ~(squares <= (32.0 * NORM_UNITS) ** 2)
    if long.any():
        norms[long] = block_norms(block[long])
    return np.asarray(norms)


class _Rows:
    """What both row views share: norms are found once, small problems are kept whole."""

    shape: tuple[int, int]

    def __init__(self, shape: tuple[int, int], *, keep: bool) -> None:
        self.shape = shape
        self._factors = np.zeros(shape[0])
        self._kept: np.ndarray | None = None
        if keep and shape[0] * shape[1] <= KEPT:
            kept = np.empty(shape)
            for rows in self._slices():
                kept[rows] = self._make(rows)
            self._kept = kept

    def _slices(self) -> Iterator[slice]:
        step = max(1, BLOCK_VALUES // self.shape[1])
        for start in range(0, self.shape[0], step):
            yield slice(start, min(start + step, self.shape[0]))

    def _make(self, rows: slice) -> Block:
        raise NotImplementedError

    def _row_factors(self, block: Block, rows: slice, radius: float) -> np.ndarray:
        """Return what brings the rows of a block to `radius`, found now or before."""
        found = self._factors[rows]
        if (found == 0.0).any():
            # A little inside, so that rounding to the grid takes no row out of the ball.
            inside = INSIDE - self.shape[1] ** 0.5 * ROW_GRID
            found[:] = inside / np.maximum(quick_norms(block, radius), radius)
        return found

    def __getitem__(self, rows: slice) -> Block:
        if self._kept is not None:
            return self._kept[rows]
        start, stop, _ = rows.indices(self.shape[0])
        return self._make(slice(start, stop))

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all rows in dense blocks, for a sum."""
        for rows in self._slices():
            block = self[rows]
            yield block.toarray() if is_sparse(block) else block


class UnitRows(_Rows):
    """Rows [x; constant], clipped to norm `radius` and divided by it, on a grid.

    Parameters
    ----------
    X : array or CSR array of shape (n_rows, n_features)
    scaling : RowScaling
        How columns are scaled; with a middle at 0 where X is sparse.
    radius : float
        Bound on the norm of [x; constant].
    constant : float
        Value of the appended intercept coordinate; none is appended for 0.
    """

    def __init__(self, X: Block, scaling: RowScaling, radius: float, constant: float) -> None:
        self._X, self._scaling = one_entry_a_place(X) if is_sparse(X) else X, scaling
        self._radius, self._constant = radius, constant
        shape = (X.shape[0], X.shape[1] + (constant != 0))
        super().__init__(shape, keep=not is_sparse(X))

    def _make(self, rows: slice) -> Block:
        block: Block = self._X[rows]
        n_rows = block.shape[0]
        constant = np.full((n_rows, 1), self._constant)
        if is_sparse(block):
            block = csr_array(block)
            data = self._scaling.apply_to_columns(block.data, block.indices)
            block = csr_array((data, block.indices, block.indptr), block.shape)
            if self._constant:
                block = hstack([block, csr_array(constant)], format="csr")
        else:
            block = self._scaling.apply(block)
            if self._constant:
                block = np.concatenate([block, constant], axis=1)
        factors = self._row_factors(block, rows, self._radius)
        if is_sparse(block):
            data = block.data * np.repeat(factors, np.diff(block.indptr))
            data = np.rint(data / ROW_GRID) * ROW_GRID
            return csr_array((data, block.indices, block.indptr), block.shape)
        # A power of two: no rounding.
        block *= (factors / ROW_GRID)[:, np.newaxis]
        np.rint(block, out=block)
        block *= ROW_GRID
        return block

    def draft(self) -> "Draft | None":
        """Return the rows as products with X, nearly, or None where they aren't products."""
        if is_sparse(self._X) or self._kept is not None:
            return None
        bounds = self._scaling.bounds
        for rows in self._slices():
            block = self._X[rows]
            if bounds is not None and not ((block >= bounds[0]) & (block <= bounds[1])).all():
                return None
        return Draft(self._X, self._scaling, self._factors, self._constant)


@dataclass
class Draft:
    """Rows that are not made but multiplied through: for steps that need not be exact.

    A row is a factor times the scaled [x; constant] times a matrix, up to the rounding to a
    grid. So scores are products of X itself, many times cheaper than making the rows.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
    scaling : RowScaling
        Without effect of its clipping on any value.
    factors : array of shape (n_rows,)
    constant : float
    matrix : array of shape (n_columns, n_columns), default=None
        Shaping matrix.
    """

    X: np.ndarray
    scaling: RowScaling
    factors: np.ndarray
    constant: float
    matrix: np.ndarray | None = None

    def scores(self, rows: slice, coefficients: np.ndarray) -> np.ndarray:
        """Return the products of a block of rows with coefficients."""
        v = coefficients if self.matrix is None else self.matrix @ coefficients
        n_features = self.X.shape[1]
        weights = (v[:n_features].T / self.scaling.half).T
        shift = -(self.scaling.middle @ weights)
        if self.constant:
            shift = shift + self.constant * v[-1]
        scores = self.X[rows] @ weights.astype(self.X.dtype) + shift
        return np.asarray((scores.T * self.factors[rows]).T)

    def pull(self, rows: slice, slopes: np.ndarray) -> np.ndarray:
        """Return the block's transpose times slopes, before the shaping matrix."""
        pulled = (slopes.T * self.factors[rows]).T
        total = pulled.sum(axis=0)
        X = self.X[rows]
        sums = X.T @ pulled.astype(X.dtype) - np.multiply.outer(self.scaling.middle, total)
        sums = (sums.T / self.scaling.half).T
        return np.concatenate([sums, [self.constant * total]]) if self.constant else sums

    def shaped(self, pulled: np.ndarray) -> np.ndarray:
        """Return a sum of pulled slopes times the shaping matrix."""
        return pulled if self.matrix is None else np.asarray(self.matrix @ pulled)


class ShapedRows(_Rows):
    """Unit rows times a shaping matrix, clipped to norm 1 unless that is left to weights.

    Parameters
    ----------
    unit : UnitRows
    shape : Shape
    clip : bool, default=True
    """

    def __init__(self, unit: UnitRows, shape: Shape, *, clip: bool = True) -> None:
        self._unit, self._matrix, self.clipped = unit, shape.matrix, clip
        dense = shape.matrix.ndim == 2 or not is_sparse(unit[:1])
        super().__init__(unit.shape, keep=dense)

    def draft(self) -> Draft | None:
        """Return the rows as products with the given ones, nearly, if they are large and dense."""
        draft = None if self._kept is not None or self._matrix.ndim == 1 else self._unit.draft()
        if draft is None:
            return None
        factors = draft.factors
        if self.clipped:
            if (self._factors == 0.0).any():
                for rows in self._slices():
                    self._make(rows)
            factors = factors * self._factors
        return replace(draft, factors=factors, matrix=self._matrix)

    def _make(self, rows: slice) -> Block:
        block: Block = self._unit[rows]
        if self._matrix.ndim == 1:
            if is_sparse(block):
                data = block.data * self._matrix[block.indices]
                block = csr_array((data, block.indices, block.indptr), block.shape)
            else:
                block = block * self._matrix
        else:
            # Exact by the grids of both, so that the order of additions doesn't matter.
            block = (block.toarray() if is_sparse(block) else block) @ self._matrix
        if not self.clipped:
            return block
        factors = self._row_factors(block, rows, 1.0)
        if is_sparse(block):
            data = block.data * np.repeat(factors, np.diff(block.indptr))
            return csr_array((data, block.indices, block.indptr), block.shape)
        block *= factors[:, np.newaxis]
        return block
