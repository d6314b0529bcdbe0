"""Rows in, one block at a time, each treated the same wherever it stands.

Sensitivity is a statement about one row's contribution, so a contribution has to be
a function of the row alone: `row_norms` adds in one fixed order, where a library's sum
may choose its order by memory layout or block size.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np
from scipy.sparse import issparse

from ._rounded import fold_columns

BLOCK_ROWS = 8192
"""Rows of one block: a block of a hundred columns stays in cache."""

BLOCK_VALUES = 2**17
"""Values of a block of sparse rows made dense."""

CACHED_VALUES = 2**17
"""Values of a block that several operations go over while it stays in a core's own cache."""

Rows = np.ndarray | Callable[[], Iterable[np.ndarray]]
"""An array of shape (n_rows, ...) or a function that yields its blocks."""


def is_sparse(rows: Any) -> bool:
    """Whether rows are a sparse array or matrix."""
    return bool(issparse(rows))


def one_entry_a_place(rows: Any) -> Any:
    """Return CSR rows in which no place has several entries, which add up.

    A norm or a clip that looks at entries one by one would miss their sum. The flag that a
    matrix carries is not believed.
    """
    fresh = type(rows)((rows.data, rows.indices, rows.indptr), shape=rows.shape)
    if fresh.has_canonical_format:
        return fresh
    fresh = fresh.copy()
    fresh.sum_duplicates()
    return fresh


def row_blocks(rows: Rows) -> Iterator[np.ndarray]:
    """Yield blocks of at most `BLOCK_ROWS` rows without copying the whole.

    Blocks of sparse rows are made dense, each with fewer rows where there are many columns.
    """
    if callable(rows):
        for block in rows():
            yield from row_blocks(block)
        return
    if is_sparse(rows):
        step = min(BLOCK_ROWS, max(1, BLOCK_VALUES // rows.shape[1]))
        for start in range(0, rows.shape[0], step):
            yield cast("Any", rows[start : start + step]).toarray()
        return
    for start in range(0, rows.shape[0], BLOCK_ROWS):
        yield rows[start : start + BLOCK_ROWS]


def cached_slices(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield the rows of blocks of at most about `CACHED_VALUES` values."""
    step = cached_rows(n_columns)
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def cached_rows(n_columns: int) -> int:
    """Return the number of rows of such a block."""
    return max(1, min(BLOCK_ROWS, CACHED_VALUES // max(n_columns, 1)))


class ColumnScaler:
    """Columns clipped, shifted and scaled in place, in one buffer that is used again and again.

    Vectors with a number for each column are repeated for every row of a block once: then
    an operation on a block is a single loop over its values, many times faster than loops
    over short rows. Every value is made by itself, whatever stands around it.

    Parameters
    ----------
    low, high : arrays of shape (n_columns,) or None
        What values are clipped to first.
    centre, factor : arrays of shape (n_columns,)
        What is subtracted, and what the difference is multiplied by.
    limit : float, default=None
        Products are clipped to [-limit, limit].
    """

    def __init__(
        self,
        low: np.ndarray | None,
        high: np.ndarray | None,
        centre: np.ndarray,
        factor: np.ndarray,
        limit: float | None = None,
    ) -> None:
        n_rows = cached_rows(centre.size)
        self._buffer = np.empty((n_rows, centre.size))
        steps: list[tuple[Any, list[Any]]] = []
        if low is not None and high is not None:
            steps.append((np.clip, [low, high]))
        if centre.any():
            steps.append((np.subtract, [centre]))
        steps.append((np.multiply, [factor]))
        if limit is not None:
            steps.append((np.clip, [-limit, limit]))
        self._steps = [(step, [_repeated(one, n_rows) for one in rest]) for step, rest in steps]

    def apply(self, block: np.ndarray) -> np.ndarray:
        """Return what becomes of a block; the next call writes over it."""
        n_rows, most = block.shape[0], self._buffer.shape[0]
        if n_rows > most:
            parts = [self.apply(block[i : i + most]).copy() for i in range(0, n_rows, most)]
            return np.concatenate(parts)
        out = self._buffer[:n_rows]
        if block.dtype != np.float64 or not block.flags.c_contiguous:
            np.copyto(out, block)
            block = out
        for step, operands in self._steps:
            step(block, *[one[:n_rows] if np.ndim(one) else one for one in operands], out=out)
            block = out
        return out

    def blocks(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield what becomes of all rows, each block written over by the next."""
        for rows in cached_slices(*X.shape):
            yield self.apply(X[rows])


def _repeated(vector: Any, n_rows: int) -> Any:
    """Return a vector for each of so many rows, or a number where all of it is the same."""
    values = np.ravel(vector)
    return float(values[0]) if (values == values[:1]).all() else np.tile(values, (n_rows, 1))


def first_block(rows: Rows) -> np.ndarray:
    """Return the first block, or raise where there is no row at all."""
    block = next(row_blocks(rows), None)
    if block is None:
        raise ValueError("A release needs at least one row.")
    return block


def sum_blocks(rows: Rows, part: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the exact sum over blocks of what `part` makes of each, in 64-bit integers."""
    total: np.ndarray | None = None
    for block in row_blocks(rows):
        one = part(block)
        total = one if total is None else total + one
    if total is None:
        raise ValueError("A release needs at least one row.")
    return total


def row_norms(block: np.ndarray) -> np.ndarray:
    """Return an upper bound of each row's Euclidean norm, tight to rounding.

    The bound is a function of the row alone. Rows are scaled by a power of two first,
    so that neither tiny nor huge entries spoil the squares. A norm below 1e-300 may miss
    by the least float.
    """
    rows = np.asarray(block, dtype=np.float64)
    exponent = np.frexp(np.max(np.abs(rows), axis=1, initial=0.0))[1]
    # Powers of two at the ends of the floating range are not to be had; nor needed.
    exponent = np.clip(exponent, -1000, 1000)
    scaled = rows * np.ldexp(1.0, -exponent)[:, np.newaxis]
    slack = 1.0 + (rows.shape[1] + 8) * 2.0**-53
    return np.asarray(np.ldexp(np.sqrt(fold_columns(scaled * scaled)) * slack, exponent))
