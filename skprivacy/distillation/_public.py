"""Public rows: the pool that teachers label and students learn from.

A student may only ever see rows that are public. They come from the user, or are drawn
inside public bounds, and never from the private rows.

Public rows have nothing to do with the private ones, not even their number. But
cross-validation cuts whatever has as many rows as `X` into folds along with it
(scikit-learn goes by the length). `PublicData` has no length, so it stays whole.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from ..plan import column_bounds

N_SYNTHETIC = 1000
"""Most synthetic rows that are drawn unless a number is asked for."""

N_REHEARSAL, N_REHEARSAL_A_CLASS = 200, 20

NO_POOL = (
    "{name} needs public rows to label: pass X_public to fit, as PublicData(rows) or an array, "
    "or give public bounds=(low, high) of the columns, inside which rows are drawn."
)


class PublicData:
    """Public rows that cross-validation passes on whole.

    scikit-learn cuts every argument of `fit` that has as many rows as `X` into folds, and
    goes by the length alone. This wrapper has no length, so the rows in it reach every fit
    untouched; a bare array of public rows does not, if it happens to be as long as `X`.

    Parameters
    ----------
    rows : array-like or data frame of shape (n_public, n_features)
        Rows that anybody may see.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.distillation import PublicData
    >>> PublicData(np.zeros((4, 2)))
    PublicData(4 rows)
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __repr__(self) -> str:
        n_rows = self.rows.shape[0] if hasattr(self.rows, "shape") else len(self.rows)
        return f"PublicData({n_rows} rows)"


@dataclass(frozen=True)
class Task:
    """What a fit works on: private rows, and the public ones beside them.

    Parameters
    ----------
    rows : array or data frame of shape (n_rows, n_features)
        Private rows, or what the user gave for them before it is checked.
    pool : array or data frame of shape (n_public, n_features) or None
        Public rows; None if they are drawn inside `bounds`.
    bounds : tuple (low, high) of arrays of shape (n_features,)
    """

    rows: Any
    pool: Any
    bounds: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the private rows."""
        return self.rows.shape

    def pool_size(self, n_wanted: int | None = None) -> int:
        """Return the number of public rows there are, or that can be drawn."""
        if self.pool is not None:
            return int(self.pool.shape[0])
        return N_SYNTHETIC if n_wanted is None else n_wanted

    def public_rows(self, n_rows: int, rng: np.random.Generator) -> Any:
        """Return that many public rows: a random part of the pool, or drawn inside bounds."""
        if self.pool is not None:
            n_pool = self.pool_size()
            if n_rows == n_pool:
                return self.pool
            return take(self.pool, np.sort(rng.choice(n_pool, n_rows, replace=False)))
        low, high = self.bounds
        return low + (high - low) * rng.random((n_rows, low.size))

    def rehearsal(self, classes: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return public rows with made-up labels, to try an estimator on."""
        n_rows = max(N_REHEARSAL, N_REHEARSAL_A_CLASS * classes.size)
        numbers = np.arange(n_rows)
        if self.pool is None:
            rows = self.public_rows(n_rows, np.random.default_rng(0))
        else:
            rows = take(self.pool, numbers % self.pool_size())
        return rows, classes[numbers % classes.size]


def is_frame(rows: Any) -> bool:
    """Whether rows are a data frame, of pandas or another library."""
    return hasattr(rows, "columns") and hasattr(rows, "dtypes") and hasattr(rows, "shape")


def take(rows: Any, indices: np.ndarray) -> Any:
    """Return the rows at some positions, of an array or a data frame."""
    return rows.iloc[indices] if hasattr(rows, "iloc") else rows[indices]


def checked_rows(estimator: Any, rows: Any, *, allow_nan: bool, reset: bool = False) -> Any:
    """Validate rows and return them as an array, or as the data frame that they are.

    Data frames are handed on as they are, because the columns' names and types mean
    something to pipelines. Columns of text or categories are the inner estimator's affair.
    """
    if is_frame(rows) and not _is_numeric(rows):
        if rows.shape[0] == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={rows.shape}) while a minimum of 1 is "
                f"required by {type(estimator).__name__}."
            )
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
        return rows
    checked = validate_data(
        estimator,
        rows,
        reset=reset,
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan" if allow_nan else True,
    )
    return rows if is_frame(rows) else checked


def _is_numeric(frame: Any) -> bool:
    return np.asarray(frame[:0]).dtype.kind in "biuf"


def checked_task(estimator: Any, task: Task, bounds: Any, *, allow_nan: bool, reset: bool) -> Task:
    """Validate private rows, public rows and bounds; the pool or the bounds must be there.

    Raises
    ------
    ValueError
        If there are neither public rows nor bounds, or the form of something is wrong.
    """
    name = type(estimator).__name__
    rows = checked_rows(estimator, task.rows, allow_nan=allow_nan, reset=reset)
    pool = task.pool.rows if isinstance(task.pool, PublicData) else task.pool
    if pool is not None:
        if pool is task.rows:
            raise ValueError(
                f"X_public is X itself. {name} shows the public rows to its student without "
                "noise: private rows can't be among them."
            )
        return Task(rows, checked_rows(estimator, pool, allow_nan=allow_nan))
    if bounds is None:
        raise ValueError(NO_POOL.format(name=name))
    if is_frame(rows) and not _is_numeric(rows):
        raise ValueError(
            f"{name} can draw rows inside bounds for numeric columns alone. Pass X_public to fit."
        )
    return Task(rows, None, column_bounds(bounds, rows.shape[1], name))


def checked_labels(estimator: Any, rows: Any, y: Any) -> np.ndarray:
    """Validate labels with scikit-learn's own errors."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_consistent_length(rows, labels)
    check_classification_targets(labels)
    return np.asarray(labels)
