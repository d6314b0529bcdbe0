"""Rows of a linear learner, made block by block from the rows it was given.

A learner's rows go through three maps: its columns are scaled by bounds, the row, with a
constant for the intercept, is clipped to a ball and brought to norm 1 (`UnitRows`), and
the result is shaped and clipped again (`ShapedRows`). Each map takes a row to the same
numbers wherever the row stands: unit rows are integers in units of 2^-20, so that sums of
their squares and their products with the shaping matrix are exact. So nothing has to be
kept: a block is made again whenever a solver asks for it. Tiny problems are kept whole.

A shaped row is a factor times a matrix times a unit row. Scores and gradients can be had
from the unit rows (`Draft`), without a product of every row with the matrix.

Sparse rows stay sparse where columns are shaped one by one, and are made dense a block
at a time where they are shaped together.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack

from ..bounding import RowScaling
from ..mechanisms import (
    ColumnScaler,
    cached_rows,
    cached_slices,
    is_sparse,
    one_entry_a_place,
    row_norms,
)
from ._shape import INSIDE, ROW_GRID, Shape

Block = Any
"""A dense array or a CSR array of rows."""

KEPT = 2**18
"""Problems of up to this many values are kept in memory, as 2 MB at most."""

PART_ROWS = 256
"""Rows of a block, where only some blocks are looked at."""

KEPT_LONGER = 0.03
"""Part of the rows up to which clipped unit rows are kept."""

SMALLEST_HALF = 1e-300
"""What keeps the inverse of a width finite."""

NORM_UNITS = 2.0**16

BLOCK_VALUES = 2**17
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
        units = block * (NORM_UNITS / radius)
        np.trunc(units, out=units)
        squares = np.einsum("ij,ij->i", units, units)
    # Truncation takes less than 1 from an entry, and the product's rounding next to nothing.
    lost = block.shape[1] ** 0.5 * (1 + 2.0**-30)
    norms = (np.sqrt(squares) + lost) * (radius / NORM_UNITS) * (1 + 2.0**-48)
    long = ~(squares <= (32.0 * NORM_UNITS) ** 2)
    if long.any():
        norms[long] = block_norms(block[long])
    return np.asarray(norms)


class _Rows:
    """What both row views share: norms are found once, tiny problems are kept whole."""

    shape: tuple[int, int]

    def __init__(self, shape: tuple[int, int], *, keep: bool) -> None:
        self.shape = shape
        self._kept: np.ndarray | None = None
        if keep and shape[0] * shape[1] <= KEPT:
            kept = np.empty(shape)
            for rows in self._slices():
                kept[rows] = self._make(rows)
            self._kept = kept

    def _slices(self) -> Iterator[slice]:
        return cached_slices(*self.shape)

    def _make(self, rows: slice) -> Block:
        raise NotImplementedError

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
        self.sparse = is_sparse(X)
        self._X, self._scaling = one_entry_a_place(X) if self.sparse else X, scaling
        self._radius, self._constant = radius, constant
        n_features = X.shape[1]
        shape = (X.shape[0], n_features + (constant != 0))
        # A little inside, so that rounding to the grid takes no row out of the ball.
        self._inside = (INSIDE - shape[1] ** 0.5 * ROW_GRID) / ROW_GRID
        self.appended = float(np.rint(constant * (self._inside / radius)))
        half = np.maximum(scaling.half, SMALLEST_HALF)
        low, high = scaling.bounds or (None, None)
        factor = self._inside / radius / half
        self._scaler = ColumnScaler(low, high, scaling.middle, factor)
        self._factors = np.zeros(X.shape[0] if self.sparse else 0)
        self._longer: tuple[np.ndarray, np.ndarray] | None = None
        super().__init__(shape, keep=not self.sparse)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all rows in dense blocks; what is clipped is kept then, if it is little."""
        if self.sparse or self._kept is not None:
            yield from super().blocks()
            return
        indices, clipped, most = [], [], KEPT_LONGER * self.shape[0]
        for rows in self._slices():
            units, appended, longer = self._make_units(rows)
            if longer is not None and most >= 0:
                most -= longer.size
                indices.append(rows.start + longer)
                ends = np.zeros((longer.size, 0)) if appended is None else appended[longer, None]
                clipped.append(np.concatenate([units[longer], ends], axis=1))
            yield self._scaled(units, appended)
        if most >= 0:
            none = np.zeros(0, dtype=np.intp), np.zeros((0, self.shape[1]))
            self._longer = (np.concatenate(indices), np.concatenate(clipped)) if indices else none

    def units(self, rows: slice) -> tuple[Block, np.ndarray | None]:
        """Return a block in integers, in units of `ROW_GRID`, and what is appended to each row.

        The block of dense rows is written over by the next call; that of sparse rows has
        the appended column in it, and None stands for it.
        """
        if self.sparse:
            return self._make_sparse(rows), None
        if self._longer is None:
            return self._make_units(rows)[:2]
        units = self._scaler.apply(self._X[rows])
        np.rint(units, out=units)
        appended = np.full(units.shape[0], self.appended)
        indices, clipped = self._longer
        first, stop = np.searchsorted(indices, [rows.start, rows.stop])
        if stop > first:
            at = indices[first:stop] - rows.start
            units[at] = clipped[first:stop, : units.shape[1]]
            if self._constant:
                appended[at] = clipped[first:stop, -1]
        return units, appended if self._constant else None

    def _make_units(self, rows: slice) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return what `units` does, for dense rows, and the indices of rows that were clipped."""
        block = self._X[rows]
        units = self._scaler.apply(block)
        np.rint(units, out=units)
        appended = np.full(block.shape[0], self.appended)
        # Sums of squares of integers up to 2^20 are exact, and one that passes 2^40 stays above.
        squares = np.einsum("ij,ij->i", units, units)
        longer = np.flatnonzero(~(squares <= 2.0**40 - self.appended**2))
        if longer.size:
            whole = np.empty((longer.size, self.shape[1]))
            whole[:, : block.shape[1]] = self._scaling.apply(block[longer])
            whole[:, block.shape[1] :] = self._constant
            norms = np.maximum(block_norms(whole), self._radius)
            whole *= (self._inside / norms)[:, np.newaxis]
            np.rint(whole, out=whole)
            units[longer] = whole[:, : block.shape[1]]
            if self._constant:
                appended[longer] = whole[:, -1]
        return units, appended if self._constant else None, longer if longer.size else None

    def _make_sparse(self, rows: slice) -> Block:
        block = csr_array(self._X[rows])
        data = self._scaling.apply_to_columns(block.data, block.indices)
        block = csr_array((data, block.indices, block.indptr), block.shape)
        if self._constant:
            appended = csr_array(np.full((block.shape[0], 1), self._constant))
            block = hstack([block, appended], format="csr")
        factors = self._factors[rows]
        if (factors == 0.0).any():
            factors[:] = self._inside / np.maximum(block_norms(block), self._radius)
        data = np.rint(block.data * np.repeat(factors, np.diff(block.indptr)))
        return csr_array((data, block.indices, block.indptr), block.shape)

    def _make(self, rows: slice) -> Block:
        units, appended = self.units(rows)
        if self.sparse:
            units.data *= ROW_GRID  # a power of two: no rounding
            return units
        return self._scaled(units, appended)

    def _scaled(self, units: np.ndarray, appended: np.ndarray | None) -> np.ndarray:
        block = np.empty((units.shape[0], self.shape[1]))
        np.multiply(units, ROW_GRID, out=block[:, : units.shape[1]])
        if appended is not None:
            block[:, -1] = appended * ROW_GRID
        return block


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
        self._factors = np.zeros(unit.shape[0] if clip else 0, dtype=np.float32)
        self._ends: np.ndarray | None = None
        dense = shape.matrix.ndim == 2 or not unit.sparse
        super().__init__(unit.shape, keep=dense)

    def draft(self) -> "Draft | None":
        """Return the rows as products with unit rows, if they are not kept."""
        return None if self._kept is not None else Draft(self._unit, self, self._matrix)

    def factors(self, rows: slice, units: Block, appended: np.ndarray | None) -> Any:
        """Return what brings shaped rows to norm 1 at most: found now, or before."""
        if not self.clipped:
            return 1.0
        if (self._factors[rows] == 0.0).any():
            self._clip(rows, self._product(units, appended))
        return self._factors[rows]

    def _clip(self, rows: slice, block: Block) -> np.ndarray:
        found = self._factors[rows]
        if (found == 0.0).any():
            # Rounded to single precision, they come out no larger.
            found[:] = (1 - 2.0**-23) / np.maximum(quick_norms(block, 1.0), 1.0)
        return found

    def _product(self, units: Block, appended: np.ndarray | None) -> Block:
        """Return units times the matrix: exact by the grids of both, in whatever order."""
        if self._matrix.ndim == 1:
            matrix = self._matrix * ROW_GRID
            if is_sparse(units):
                data = units.data * matrix[units.indices]
                return csr_array((data, units.indices, units.indptr), units.shape)
            n_features = units.shape[1]
            block = np.empty((units.shape[0], self.shape[1]))
            np.multiply(units, matrix[:n_features], out=block[:, :n_features])
            if appended is not None:
                block[:, -1] = appended * matrix[-1]
            return block
        matrix = self._matrix * ROW_GRID
        if appended is None:
            return (units.toarray() if is_sparse(units) else units) @ matrix
        block = np.asarray(units @ matrix[:-1])
        if self._ends is None:
            n_rows = cached_rows(self.shape[1] - 1)
            self._ends = np.tile(self._unit.appended * matrix[-1], (n_rows, 1))
        if len(block) <= len(self._ends):
            block += self._ends[: len(block)]
            others = np.flatnonzero(appended != self._unit.appended)
            block[others] += np.multiply.outer(appended[others] - self._unit.appended, matrix[-1])
        else:
            block += np.multiply.outer(appended, matrix[-1])
        return block

    def _make(self, rows: slice) -> Block:
        block = self._product(*self._unit.units(rows))
        if not self.clipped:
            return block
        factors = self._clip(rows, block)
        if is_sparse(block):
            data = block.data * np.repeat(factors, np.diff(block.indptr))
            return csr_array((data, block.indices, block.indptr), block.shape)
        block *= factors[:, np.newaxis]
        return block


@dataclass
class Draft:
    """Shaped rows that are not made but multiplied through.

    A row is f A z with its factor f, the shaping matrix A and its unit row z. So scores of
    w are products of z with A w, and a gradient is A times a sum over unit rows: two
    products with a vector in place of one with a matrix.

    Parameters
    ----------
    unit : UnitRows
    shaped : ShapedRows
    matrix : array of shape (n_columns, n_columns) or (n_columns,)
    """

    unit: UnitRows
    shaped: ShapedRows
    matrix: np.ndarray

    def slices(self, stride: int) -> list[slice]:
        """Return the rows of every `stride`-th block; shorter ones where some are left out."""
        n_rows, n_columns = self.unit.shape
        if stride == 1:
            return list(cached_slices(n_rows, n_columns))
        step = min(PART_ROWS, cached_rows(n_columns))
        return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step * stride)]

    def block(self, rows: slice) -> "DraftBlock":
        """Return a block; it is written over by the next."""
        units, appended = self.unit.units(rows)
        return DraftBlock(units, appended, self.shaped.factors(rows, units, appended))

    def times(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the shaping matrix times coefficients of shaped rows."""
        if self.matrix.ndim == 2:
            return np.asarray(self.matrix @ coefficients * ROW_GRID)
        return np.asarray((self.matrix * coefficients.T).T * ROW_GRID)

    def back(self, sums: np.ndarray) -> np.ndarray:
        """Return the transposed matrix times sums over unit rows."""
        # The matrix is symmetric but for the last digit of its own rounding.
        if self.matrix.ndim == 2:
            return np.asarray(self.matrix.T @ sums * ROW_GRID)
        return self.times(sums)

    @property
    def size(self) -> tuple[float, float]:
        """Bounds of the spectral and the Frobenius norm of the matrix."""
        frobenius = float(np.linalg.norm(self.matrix)) * (1 + 1e-9)
        entries = np.abs(self.matrix)
        if self.matrix.ndim == 1:
            return float(entries.max()), frobenius
        sums = float(entries.sum(axis=0).max()), float(entries.sum(axis=1).max())
        return min(frobenius, math.sqrt(sums[0] * sums[1]) * (1 + 1e-9)), frobenius


@dataclass
class DraftBlock:
    """Unit rows in integers, what is appended to them, and their factors."""

    units: Block
    appended: np.ndarray | None
    factors: Any

    def scores(self, v: np.ndarray) -> np.ndarray:
        """Return the rows' scores, from the shaping matrix times coefficients."""
        if self.appended is None:
            scores = self.units @ v
        else:
            scores = self.units @ v[:-1]
            scores += np.multiply.outer(self.appended, v[-1])
        return np.asarray((scores.T * self.factors).T)

    def pull(self, slopes: np.ndarray) -> np.ndarray:
        """Return the sum of unit rows, each times its factor and its slopes."""
        slopes = (slopes.T * self.factors).T
        pulled = self.units.T @ slopes
        if self.appended is None:
            return np.asarray(pulled)
        return np.concatenate([pulled, (self.appended @ slopes)[np.newaxis]])

    def dense(self) -> np.ndarray:
        """Return the unit rows, dense, each times its factor."""
        block = self.units.toarray() if is_sparse(self.units) else self.units
        if self.appended is not None:
            block = np.concatenate([block, self.appended[:, np.newaxis]], axis=1)
        return np.asarray((block.T * self.factors).T)
