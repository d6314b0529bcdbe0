"""Rows of any container, and what has to hold of them before an attack.

An attack sees a model through `fit` and `predict`. What its rows hold is the model's
business: text, missing values, sparse matrices. Only their number, width and column names
are looked at here, and whether a row stands on both sides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._sklearn import take_rows

RESPONSES = ("predict_proba", "decision_function", "predict")


@dataclass(frozen=True)
class Pool:
    """Members and non-members of a model, one below the other.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of n_rows rows
        Members first.
    y : ndarray of shape (n_rows,)
        Their labels or targets.
    n_members : int
        How many of the rows are members.
    n_overlapping : int
        Non-members that equal a member in every column and in the label.
    """

    X: Any
    y: NDArray[Any]
    n_members: int
    n_overlapping: int

    @property
    def is_member(self) -> NDArray[np.bool_]:
        """Whether each row is a member."""
        return np.arange(self.y.size) < self.n_members


def n_rows(X: Any) -> int:
    """Return the number of rows of `X`."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def check_rows(X: Any, y: Any, who: str) -> tuple[Any, NDArray[Any]]:
    """Return rows and labels of one side, or say what is wrong with their form."""
    if isinstance(X, Sequence) and not isinstance(X, str) and len(X) and not isinstance(X[0], str):
        X = np.asarray(X)
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(
            f"y of the {who} must have shape (n_rows,): attacks are for one output. "
            f"Got shape {y.shape} instead."
        )
    count = n_rows(X)
    if y.size != count:
        raise ValueError(f"The {who} have {count} rows, but their y has {y.size}.")
    if count < 2:
        raise ValueError(
            f"The {who} have {count} row{'s' if count != 1 else ''}. An attack's rates need at "
            "least 2, and say little below some hundred."
        )
    return X, y


def make_pool(X_member: Any, y_member: Any, X_nonmember: Any, y_nonmember: Any) -> Pool:
    """Put members above non-members, after checking that they are rows of one kind."""
    X_member, y_member = check_rows(X_member, y_member, "members")
    X_nonmember, y_nonmember = check_rows(X_nonmember, y_nonmember, "non-members")
    check_same_columns(X_member, X_nonmember, "members", "non-members")
    member_keys, nonmember_keys = row_keys(X_member, y_member), row_keys(X_nonmember, y_nonmember)
    known = set(member_keys)
    return Pool(
        X=stack_rows(X_member, X_nonmember),
        y=np.concatenate([y_member, y_nonmember]),
        n_members=y_member.size,
        n_overlapping=sum(key in known for key in nonmember_keys),
    )


def check_same_columns(X: Any, other: Any, who: str, whose: str) -> None:
    """Raise unless two sets of rows have one width and, where both name columns, one naming."""
    width, other_width = (getattr(rows, "shape", (0, 0))[1:] for rows in (X, other))
    if width != other_width:
        raise ValueError(
            f"The {who} have {_columns(width)}, the {whose} {_columns(other_width)}. Both must "
            "be rows as the model takes them."
        )
    if hasattr(X, "columns") and hasattr(other, "columns"):
        names, other_names = list(X.columns), list(other.columns)
        if names != other_names:
            odd = sorted(map(str, set(names) ^ set(other_names)))
            raise ValueError(
                f"The {who} and the {whose} have columns of other names or order"
                + (f": {', '.join(odd)} on one side only." if odd else ".")
            )


def _columns(width: tuple[int, ...]) -> str:
    return " x ".join(map(str, width)) + " columns" if width else "no columns"


def check_model(model: Any) -> None:
    """Raise unless `model` answers queries and, as far as can be seen, is fitted."""
    if isinstance(model, type) or not any(hasattr(model, name) for name in RESPONSES):
        raise TypeError(
            "model must be a fitted model with predict_proba, decision_function or predict. "
            f"Got {model!r} instead."
        )
    if isinstance(model, BaseEstimator) and hasattr(model, "fit"):
        check_is_fitted(model)


def stack_rows(X: Any, other: Any) -> Any:
    """Return the rows of `X` and below them those of `other`, in the container of `X`."""
    package = type(X).__module__.partition(".")[0]
    if package == type(other).__module__.partition(".")[0]:
        if package == "pandas":
            import pandas as pd

            return pd.concat([X, other], ignore_index=True)
        if package == "polars":
            import polars as pl

            return pl.concat([X, other])
    if sparse.issparse(X) or sparse.issparse(other):
        return sparse.vstack([X, other], format="csr")
    if isinstance(X, list) and isinstance(other, list):
        return X + other
    return np.concatenate([np.asarray(X), np.asarray(other)])


def select_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of `X` by their numbers, in the container of `X`."""
    return take_rows(X, rows)


def row_keys(X: Any, y: NDArray[Any]) -> list[Any]:
    """Return one hashable key a row, equal where all columns and the label are."""
    labels = plain_values(y)
    if sparse.issparse(X):
        X = sparse.csr_array(cast("Any", X), copy=True)
        X.sum_duplicates()
        X.eliminate_zeros()
        cuts = X.indptr
        return [
            (X.indices[a:b].tobytes(), X.data[a:b].astype(float).tobytes(), label)
            for a, b, label in zip(cuts[:-1], cuts[1:], labels, strict=True)
        ]
    values = X if isinstance(X, np.ndarray) else np.asarray(X)
    if values.ndim != 1 and values.dtype.kind in "biuf":
        # Adding 0 makes -0 and 0 one; keys of bytes are many times faster than of numbers.
        block = np.ascontiguousarray(values.reshape(len(values), -1), dtype=float) + 0.0
        width = block.shape[1] * block.itemsize
        text = block.tobytes()
        return [(text[row * width : (row + 1) * width], label) for row, label in enumerate(labels)]
    rows = values.reshape(len(values), -1).tolist()
    return [(*map(_key, row), label) for row, label in zip(rows, labels, strict=True)]


def plain_values(values: NDArray[Any]) -> list[Any]:
    """Return values as Python's own, None where they are NaN."""
    return [_key(value) for value in values.tolist()]


def _key(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
