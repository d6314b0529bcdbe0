"""Disjoint parts of the rows, drawn here by a secret coin for each row.

What is fitted on one part costs a record of another part nothing, so the parts together
cost the largest of them (parallel composition). That needs each record's part to be drawn
by its own secret coin: under add-remove adjacency a public seed or the row's index would
let one inserted row move the others.
"""

import math
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length


class Part(NamedTuple):
    """One part of a partition: rows, and the accountant that pays for fits on them."""

    X: Any
    y: Any
    accountant: Any


def draw_parts(n_rows: int, n_parts: int) -> NDArray[np.int64]:
    """Return the part of every row, drawn independently from the operating system's source."""
    words = np.frombuffer(os.urandom(8 * n_rows), dtype=np.uint64)
    return (words % np.uint64(n_parts)).astype(np.int64)


def take_rows(data: Any, indices: NDArray[np.int64]) -> Any:
    """Return rows of an array, sparse matrix, data frame, series or list, in its own type."""
    if data is None:
        return None
    if hasattr(data, "iloc"):
        return data.iloc[indices]
    if isinstance(data, list | tuple):
        return type(data)(data[index] for index in indices)
    if hasattr(data, "tocsr"):
        data = data.tocsr()
    return data[indices]


def split_rows(X: Any, y: Any, n_parts: int) -> list[tuple[Any, Any]]:
    """Return the rows of every part.

    Raises
    ------
    ValueError
        If X and y have different lengths.
    """
    check_consistent_length(X, y)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    parts = draw_parts(n_rows, n_parts)
    return [
        (take_rows(X, indices), take_rows(y, indices))
        for indices in (np.flatnonzero(parts == part) for part in range(n_parts))
    ]


def check_budget(name: str, epsilon: float, delta: float, delta_reserve: float | None) -> None:
    """Check the budget of a reservation or of the parts of a partition.

    Raises
    ------
    ValueError
        If it is not a finite budget.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(
            f"The 'epsilon' parameter of {name} must be a float in the range (0, inf). "
            f"Got {epsilon!r} instead."
        )
    if not 0 <= delta < 1:
        raise ValueError(
            f"The 'delta' parameter of {name} must be a float in the range [0, 1). "
            f"Got {delta!r} instead."
        )
    if delta_reserve is not None and not 0 <= delta_reserve <= delta:
        raise ValueError(
            f"The 'delta_reserve' parameter of {name} must be a float in the range [0, delta]. "
            f"Got {delta_reserve!r} instead."
        )
