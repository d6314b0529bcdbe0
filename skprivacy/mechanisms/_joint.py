"""Joint tables: rows as cells of a few tables, and what a table says about each of its axes.

A model over many binned columns would pass the rows once for every column. With the bins of
several columns as axes of one joint table, it passes them once for every table, to look the
scores of a row up and to add its residual to the row's cell. What belongs to one axis or to a pair
of axes is then a sum over the other axes, of integers: exact in any order.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy import sparse

BLOCK_CELLS, LEAST_BLOCK, MOST_BLOCK = 2**17, 1024, 16384
"""Rows times tables of one block, and its least and most rows: a block stays in a core's cache."""

KEPT_CELLS = 2**22
"""Rows times tables up to which the blocks' indices are kept, of 4 bytes each."""


class Codes(Protocol):
    """Cells of rows in some tables: an array (n_rows, n_tables), or what makes slices of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of rows and of tables."""

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """Return the cells of a slice of rows."""


@dataclass(frozen=True)
class CellRows:
    """Rows as cells of joint tables.

    A block of rows is a sparse matrix with a one for every table, in the column of the
    row's cell: its product with the tables' values gives scores, that of its transpose with
    residuals the sums over cells. Both pass a row's tables one after the other, so that many rows
    in one cell do not wait for each other's sum as they would in a histogram of one table.

    Parameters
    ----------
    codes : tuple of arrays of shape (n_rows, n_tables), unsigned integers
        For some joint tables each, in order: the cell of each row, in C order of the table's
        shape. What is used once may also be made slice by slice.
    shapes : tuple of tuples of int
        Shape of each joint table; an axis stands for one column or grouped column.
    """

    codes: tuple[Codes, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.codes[0].shape[0])

    @cached_property
    def n_cells(self) -> np.ndarray:
        """Number of cells of each table."""
        return np.array([math.prod(shape) for shape in self.shapes])

    def of_table(self, table: int, rows: slice = slice(None)) -> np.ndarray:
        """Return the cells of some rows in one table."""
        for part in self.codes:
            if table < part.shape[1]:
                return part[rows][:, table]
            table -= part.shape[1]
        raise IndexError(table)

    def extended(self, other: "CellRows") -> "CellRows":
        """Return these tables and those of `other`, for the same rows."""
        return CellRows(self.codes + other.codes, self.shapes + other.shapes)

    def blocks(self) -> Iterator["CellBlock"]:
        """Yield the rows block by block. A block is good until the next one is asked for."""
        if self.n_rows * len(self.shapes) <= KEPT_CELLS:
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
        n, step = self.n_rows, self._block_rows
        return [slice(start, min(start + step, n)) for start in range(0, n, step)]

    @property
    def _block_rows(self) -> int:
        return min(max(BLOCK_CELLS // len(self.shapes), LEAST_BLOCK), MOST_BLOCK)

    def frames(self, n_rows: int) -> list["_Frame"]:
        """Return what all blocks of at most so many rows share, for each array of codes."""
        longest = min(self._block_rows, self.n_rows)
        return self._frames if n_rows <= longest else self._make_frames(n_rows)

    @cached_property
    def _frames(self) -> list["_Frame"]:
        return self._make_frames(min(self._block_rows, self.n_rows))

    def _make_frames(self, n_rows: int) -> list["_Frame"]:
        frames, table = [], 0
        for part in self.codes:
            n_tables = part.shape[1]
            n_cells = self.n_cells[table : table + n_tables]
            ends = np.cumsum(n_cells)
            frames.append(
                _Frame(
                    n_cells=int(ends[-1]),
                    first=np.tile((ends - n_cells).astype(np.int32), n_rows),
                    starts=np.arange(n_rows + 1, dtype=np.int32) * np.int32(n_tables),
                    ones=np.ones(n_rows * n_tables),
                )
            )
            table += n_tables
        return frames


@dataclass(frozen=True)
class _Frame:
    """What the blocks of one array of codes share.

    Parameters
    ----------
    n_cells : int
        Cells of its tables.
    first : array of shape (n_rows * n_tables,)
        First cell of each table among them, for every row again.
    starts : array of shape (n_rows + 1,)
        Where the entries of each row start.
    ones : array of shape (n_rows * n_tables,)
        The entries.
    """

    n_cells: int
    first: np.ndarray
    starts: np.ndarray
    ones: np.ndarray


class CellBlock:
    """A block of rows as sparse matrices of ones, of (n_rows, number of cells).

    Parameters
    ----------
    cells : CellRows
        All rows.
    rows : slice
        Those of the block.
    """

    def __init__(self, cells: CellRows, rows: slice) -> None:
        self._codes = cells.codes
        self.n_rows = n = rows.stop - rows.start
        frames = cells.frames(n)
        sizes = [n * part.shape[1] for part in self._codes]
        self._first = [frame.first[:size] for frame, size in zip(frames, sizes, strict=True)]
        self._indices = [np.empty(size, dtype=np.int32) for size in sizes]
        self.move(rows)
        entries = [
            (frame.ones[: one.size], one, frame.starts[: n + 1])
            for frame, one in zip(frames, self._indices, strict=True)
        ]
        n_cells = [frame.n_cells for frame in frames]
        self._ends = list(itertools.accumulate(n_cells))
        self._scores = [
            sparse.csr_array(e, shape=(n, m)) for e, m in zip(entries, n_cells, strict=True)
        ]
        self._sums = [
            sparse.csc_array(e, shape=(m, n)) for e, m in zip(entries, n_cells, strict=True)
        ]

    def move(self, rows: slice) -> None:
        """Make it a block of as many other rows."""
        self.rows = rows
        for indices, part, first in zip(self._indices, self._codes, self._first, strict=True):
            np.copyto(indices, part[rows].reshape(-1))
            np.add(indices, first, out=indices)

    def scores(self, tables: np.ndarray) -> np.ndarray:
        """Return the sums (n_rows, k) of what tables (n_cells, k) say about each row."""
        ends = [0, *self._ends]
        parts = [
            matrix @ tables[start:end]
            for matrix, start, end in zip(self._scores, ends[:-1], ends[1:], strict=True)
        ]
        return np.asarray(parts[0] if len(parts) == 1 else sum(parts[1:], parts[0]))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums (n_cells, k) of values (n_rows, k) over the rows of each cell."""
        parts = [matrix @ values for matrix in self._sums]
        return np.asarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


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
        self.sizes: list[int] = []
        for term in self._terms:
            shape = self.shapes[term.table]
            own = [size if axis in term.axes else 1 for axis, size in enumerate(shape)]
            size = math.prod(own)
            cells = np.arange(n_own, n_own + size, dtype=np.int32).reshape(own)
            of_tables[term.table].append(np.broadcast_to(cells, shape).ravel())
            n_own += size
            self.sizes.append(size)
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
    """Return the sparse matrix of blocks along its diagonal; its data are theirs, row by row."""
    heights = np.array([block.shape[0] for block in blocks])
    widths = np.array([block.shape[1] for block in blocks])
    # Entries row by row; their columns count up from where the block starts.
    lengths = np.repeat(widths, heights)
    starts = np.append(0, np.cumsum(lengths))
    first = np.repeat(np.cumsum(widths) - widths, heights)
    columns = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, lengths)
    values = np.concatenate([block.ravel() for block in blocks])
    parts = values, columns.astype(np.int32), starts.astype(np.int32)
    return sparse.csr_array(parts, shape=(heights.sum(), widths.sum()))
