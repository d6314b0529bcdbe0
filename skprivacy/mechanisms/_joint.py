"""Joint tables: rows as cells of a few tables, and what a table says about each of its axes.

A model over many binned columns would pass the rows once for every column. With the bins of
several columns as axes of one joint table, it passes them once for every table, to look the
scores of a row up and to add its residual to the row's cell. What belongs to one axis or to a pair
of axes is then a sum over the other axes, of integers: exact in any order.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy import sparse

BLOCK_ROWS = 16384
"""Rows of one block: what is made of them stays in a core's cache."""

KEPT_CELLS = 2**22
"""Rows times tables up to which the blocks' indices are kept, of 4 bytes each."""


@dataclass(frozen=True)
class CellRows:
    """Rows as cells of joint tables.

    A block of rows is a sparse matrix with a one for every table, in the column of the
    row's cell: its product with the tables' values gives scores, that of its transpose with
    residuals the sums over cells. Both pass a row's tables one after the other, so that many rows
    in one cell do not wait for each other's sum as they would in a histogram of one table.

    Parameters
    ----------
    codes : tuple of arrays of shape (n_rows,), unsigned integers
        One array a joint table: the cell of each row, in C order of the table's shape.
    shapes : tuple of tuples of int
        Shape of each joint table; an axis stands for one column or grouped column.
    """

    codes: tuple[np.ndarray, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.codes[0].shape[0])

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where the cells of each table start among all cells, and their number at the end."""
        return np.cumsum([0, *map(math.prod, self.shapes)])

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the indices of each row of a block start."""
        n_tables = len(self.codes)
        return np.arange(min(self.n_rows, BLOCK_ROWS) + 1, dtype=np.int32) * np.int32(n_tables)

    @cached_property
    def ones(self) -> np.ndarray:
        """Entries of every block."""
        return np.ones(int(self.starts[-1]))

    def extended(self, other: "CellRows") -> "CellRows":
        """Return these tables and those of `other`, for the same rows."""
        return CellRows(self.codes + other.codes, self.shapes + other.shapes)

    def blocks(self) -> Iterator["CellBlock"]:
        """Yield the rows block by block. A block is good until the next one is asked for."""
        if self.n_rows * len(self.codes) <= KEPT_CELLS:
            yield from self._kept_blocks
        else:
            yield from self._made_blocks()

    @cached_property
    def _kept_blocks(self) -> list["CellBlock"]:
        return [CellBlock(self, rows) for rows in self._slices()]

    def _made_blocks(self) -> Iterator["CellBlock"]:
        block: CellBlock | None = None
        for rows in self._slices():
            if block is None or rows.stop - rows.start < block.n_rows:
                block = CellBlock(self, rows)
            else:
                block.move(rows)
            yield block

    def _slices(self) -> list[slice]:
        n = self.n_rows
        return [slice(start, min(start + BLOCK_ROWS, n)) for start in range(0, n, BLOCK_ROWS)]


class CellBlock:
    """A block of rows as a sparse matrix of ones, (n_rows, number of all cells).

    Parameters
    ----------
    cells : CellRows
        All rows.
    rows : slice
        Those of the block.
    """

    def __init__(self, cells: CellRows, rows: slice) -> None:
        self._cells = cells
        self.n_rows, n_tables = rows.stop - rows.start, len(cells.codes)
        shape = self.n_rows, int(cells.offsets[-1])
        indices = np.empty(self.n_rows * n_tables, dtype=np.int32)
        starts, ones = cells.starts[: self.n_rows + 1], cells.ones[: indices.size]
        self._indices = indices.reshape(self.n_rows, n_tables)
        self.move(rows)
        self._scores = sparse.csr_array((ones, indices, starts), shape=shape)
        self._sums = sparse.csc_array((ones, indices, starts), shape=shape[::-1])

    def move(self, rows: slice) -> None:
        """Make it a block of so many other rows."""
        self.rows = rows
        for number, code in enumerate(self._cells.codes):
            np.add(
                code[rows],
                self._cells.offsets[number],
                out=self._indices[:, number],
                casting="unsafe",
            )

    def scores(self, tables: np.ndarray) -> np.ndarray:
        """Return the sums (n_rows, k) of what tables (n_cells, k) say about each row."""
        return np.asarray(self._scores @ tables)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums (n_cells, k) of values (n_rows, k) over the rows of each cell."""
        return np.asarray(self._sums @ values)


@dataclass(frozen=True)
class Term:
    """What a model adds up: a function of some axes of one joint table.

    Parameters
    ----------
    table : int
        Number of the joint table.
    axes : tuple of int
        Axes of it, ascending; none for a constant.
    """

    table: int
    axes: tuple[int, ...]


def spread(
    terms: Sequence[Term], values: Sequence[np.ndarray], shapes: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """Return the sum of all terms in every cell of every joint table.

    Parameters
    ----------
    terms : sequence of Term
    values : sequence of arrays of shape (n_cells, k)
        Of each term, over the cells of its own axes.
    shapes : sequence of tuples of int
        Shapes of the joint tables.

    Returns
    -------
    array of shape (n_cells, k)
        Over the cells of all tables, one table after the other, each in C order.
    """
    n_outputs = values[0].shape[1]
    of_tables: list[dict[tuple[int, ...], np.ndarray]] = [{} for _ in shapes]
    for term, value in zip(terms, values, strict=True):
        own = of_tables[term.table]
        own[term.axes] = value.T + own[term.axes] if term.axes in own else value.T
    tables = [
        _spread_range(own, shape, 0, len(shape), n_outputs)
        for own, shape in zip(of_tables, shapes, strict=True)
    ]
    return np.ascontiguousarray(np.concatenate(tables, axis=1).T)


def _spread_range(
    own: dict[tuple[int, ...], np.ndarray],
    shape: tuple[int, ...],
    low: int,
    high: int,
    n_outputs: int,
) -> np.ndarray:
    """Return the sum of the terms within axes low, ..., high - 1, over the cells of these.

    Both halves are made first, so that few additions are as long as the whole.
    """
    if high - low == 1:
        total = own[(low,)] if (low,) in own else np.zeros((n_outputs, shape[low]))
        return total + own[()] if low == 0 and () in own else total
    middle = (low + high) // 2
    left = _spread_range(own, shape, low, middle, n_outputs)
    right = _spread_range(own, shape, middle, high, n_outputs)
    total = left[:, :, np.newaxis] + right[:, np.newaxis, :]
    across = [axes for axes in own if axes and low <= axes[0] < middle <= axes[-1] < high]
    if across:
        total = total.reshape(n_outputs, *shape[low:high])
        for axes in across:
            kept = [shape[axis] if axis in axes else 1 for axis in range(low, high)]
            total += own[axes].reshape(n_outputs, *kept)
    return np.asarray(total).reshape(n_outputs, -1)


def gather(
    terms: Sequence[Term], sums: np.ndarray, shapes: Sequence[tuple[int, ...]]
) -> list[np.ndarray]:
    """Return for every term the sums over all axes but its own.

    Parameters
    ----------
    terms : sequence of Term
    sums : array of shape (n_cells, k)
        Over the cells of all tables, one table after the other, each in C order: integers
        whose total is below 2^53, so that doubles add them exactly.
    shapes : sequence of tuples of int
        Shapes of the joint tables.

    Returns
    -------
    list of arrays of shape (k, n_cells of the term)
    """
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    tables = np.split(np.ascontiguousarray(sums.T), ends[:-1], axis=1)
    known: dict[Term, np.ndarray] = {
        Term(table, tuple(range(len(shape)))): one
        for table, (one, shape) in enumerate(zip(tables, shapes, strict=True))
    }

    def margin(term: Term) -> np.ndarray:
        if term not in known:
            shape = shapes[term.table]
            wider, before, group, after = _step(term.axes, shape)
            known[term] = _sum_out(margin(Term(term.table, wider)), before, group, after)
        return known[term]

    return [margin(term) for term in terms]


@cache
def _step(axes: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, int, int]:
    """Return from which wider axes to sum, and the cells before, in and after what is dropped.

    Axes of one half of the table come from the sums over that half; others from those with one
    axis more. So a table is passed about as often as it has halves or pairs across them.
    """
    if not axes:
        return _cells_around((0,), (0,), shape)
    low, high = 0, len(shape)
    while high - low > 1:
        middle = (low + high) // 2
        left, right = tuple(range(low, middle)), tuple(range(middle, high))
        if axes in {left, right}:
            return _cells_around(left + right, right if axes == left else left, shape)
        if axes[-1] < middle:
            high = middle
        elif axes[0] >= middle:
            low = middle
        else:
            break
    lacking = max(axis for axis in range(low, high) if axis not in axes)
    return _cells_around(tuple(sorted((*axes, lacking))), (lacking,), shape)


def _cells_around(
    wider: tuple[int, ...], dropped: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], int, int, int]:
    before = math.prod(shape[axis] for axis in wider if axis < dropped[0])
    group = math.prod(shape[axis] for axis in dropped)
    after = math.prod(shape[axis] for axis in wider if axis > dropped[-1])
    return wider, before, group, after


def _sum_out(sums: np.ndarray, before: int, group: int, after: int) -> np.ndarray:
    n_outputs = sums.shape[0]
    if after == 1:
        total = sums.reshape(-1, group) @ np.ones(group)
    elif before == 1:
        total = np.ones(group) @ sums.reshape(n_outputs, group, after)
    else:
        total = sums.reshape(n_outputs * before, group, after).sum(axis=1)
    return np.asarray(total).reshape(n_outputs, -1)
