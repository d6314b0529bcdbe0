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

BLOCK_VALUES = 2**20
"""Values of a block of sparse rows made dense."""

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
