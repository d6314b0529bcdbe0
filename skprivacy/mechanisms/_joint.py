"""Joint tables: rows as cells of a few tables, and what a table says about each of its axes.

A model over many binned columns would pass the rows once for every column. With the bins of
several columns as axes of one joint table, it passes them once for every table, to look the
scores of a row up and to add its residual to the row's cell. What belongs to one axis or to a pair
of axes is then a sum over the other axes, of integers: exact in any order.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

BLOCK_ROWS = 8192
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


class Terms(Sequence[Term]):
    """Terms of a model over joint tables, with the sparse matrix between the cells of both.

    Parameters
    ----------
    terms : sequence of Term
    shapes : sequence of tuples of int
        Shapes of the joint tables.
    """

    def __init__(self, terms: Sequence[Term], shapes: Sequence[tuple[int, ...]]) -> None:
        self._terms = tuple(terms)
        self.shapes = tuple(shapes)
        of_tables: list[list[np.ndarray]] = [[] for _ in self.shapes]
        n_own = 0
        for term in self._terms:
            shape = self.shapes[term.table]
            own = [size if axis in term.axes else 1 for axis, size in enumerate(shape)]
            size = math.prod(own)
            cells = np.arange(n_own, n_own + size, dtype=np.int32).reshape(own)
            of_tables[term.table].append(np.broadcast_to(cells, shape).ravel())
            n_own += size
        # A row for each joint cell, with a one for each term, in the column of the term's cell.
        n_terms = [len(cells) for cells in of_tables]
        n_cells = [math.prod(shape) for shape in self.shapes]
        indices = np.concatenate(
            [np.stack(cells, axis=1).ravel() for cells in of_tables if cells], dtype=np.int32
        )
        starts = np.append(0, np.cumsum(np.repeat(n_terms, n_cells))).astype(np.int32)
        self._spread = sparse.csr_array(
            (np.ones(indices.size), indices, starts), shape=(sum(n_cells), n_own)
        )
        self._gathered = self._spread.T

    def __getitem__(self, number: Any) -> Any:
        return self._terms[number]

    def __len__(self) -> int:
        return len(self._terms)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of all terms in every cell of every joint table.

        Parameters
        ----------
        values : array of shape (n_own_cells, k)
            Of the terms one after the other, over the cells of their own axes.

        Returns
        -------
        array of shape (n_cells, k)
            Over the cells of all tables, one table after the other, each in C order.
        """
        return np.asarray(self._spread @ values)

    def gather(self, sums: np.ndarray) -> np.ndarray:
        """Return for every term the sums over all axes but its own.

        Parameters
        ----------
        sums : array of shape (n_cells, k)
            Over the cells of all tables: integers whose total is below 2^53, so that doubles
            add them exactly.

        Returns
        -------
        array of shape (n_own_cells, k)
        """
        return np.asarray(self._gathered @ sums)


def block_diagonal(blocks: Sequence[np.ndarray]) -> sparse.csr_array:
    """Return the sparse matrix of blocks along its diagonal, without their zeros."""
    heights = np.array([block.shape[0] for block in blocks])
    widths = np.array([block.shape[1] for block in blocks])
    # Entries row by row; their columns count up from where the block starts.
    lengths = np.repeat(widths, heights)
    starts = np.append(0, np.cumsum(lengths))
    first = np.repeat(np.cumsum(widths) - widths, heights)
    columns = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, lengths)
    values = np.concatenate([block.ravel() for block in blocks])
    parts = values, columns.astype(np.int32), starts.astype(np.int32)
    matrix = sparse.csr_array(parts, shape=(heights.sum(), widths.sum()))
    matrix.eliminate_zeros()
    return matrix
