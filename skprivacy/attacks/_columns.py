"""Single columns of dense tables, and tables as numbers for a classifier."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

Array = NDArray[np.float64]


def column_values(X: Any, column: int | str) -> NDArray[Any]:
    """Return one column by name or number."""
    if hasattr(X, "columns"):
        names = list(X.columns)
        if column in names:
            return np.asarray(X[column])
        if isinstance(column, str):
            raise ValueError(f"There is no column {column!r}. There are {names}.")
        return np.asarray(X[names[_number(column, len(names))]])
    X = np.asarray(X)
    return X[:, _number(column, X.shape[1])]


def with_value(X: Any, column: int | str, value: Any) -> Any:
    """Return a copy of a table in which one column has one value."""
    if hasattr(X, "columns"):
        names = list(X.columns)
        name: Any = column if column in names else names[_number(column, len(names))]
        if type(X).__module__.startswith("polars"):
            import polars as pl

            return X.with_columns(pl.lit(value).cast(X.schema[name]).alias(name))
        # From a list, so that a categorical column stays one.
        filled = X[[name]].copy().astype(object)
        filled.iloc[:, 0] = value
        return X.assign(**{name: filled[name].astype(X[name].dtype)})
    X = np.array(X)
    X[:, _number(column, X.shape[1])] = value
    return X


def _number(column: Any, width: int) -> int:
    if isinstance(column, bool) or not isinstance(column, (int, np.integer)):
        raise TypeError(
            f"A column of a table without names must be named by its number. Got {column!r} "
            "instead."
        )
    if not -width <= column < width:
        raise ValueError(f"There is no column {column!r}: the table has {width}.")
    return int(column)


class ColumnFeatures:
    """All columns but one, and the labels, as numbers: text one-hot, missing values NaN.

    Parameters
    ----------
    left_out : int or str
        The column that is no feature.
    """

    def __init__(self, left_out: int | str) -> None:
        self.left_out = left_out

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        """Learn which columns are text, and their categories."""
        self.encoders_ = [
            None
            if _as_numbers(values) is not None
            else OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(_text(values))
            for values in self._columns(X)
        ]
        # Labels are classes, even where they are numbers.
        self.labels_ = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(_text(y))
        return self

    def transform(self, X: Any, y: NDArray[Any]) -> Array:
        """Return the numbers, of shape (n_rows, n_features)."""
        blocks = [self.labels_.transform(_text(y))]
        for values, encoder in zip(self._columns(X), self.encoders_, strict=True):
            numbers = _as_numbers(values)
            if encoder is not None:
                blocks.append(encoder.transform(_text(values)))
            elif numbers is not None:
                blocks.append(numbers[:, np.newaxis])
            else:
                raise ValueError("A column that held numbers alone holds text here.")
        return np.concatenate(blocks, axis=1)

    def _columns(self, X: Any) -> list[NDArray[Any]]:
        if hasattr(X, "columns"):
            names = list(X.columns)
            out = self.left_out if self.left_out in names else names[int(self.left_out)]
            return [np.asarray(X[name]) for name in names if name != out]
        X = np.asarray(X)
        out = range(X.shape[1])[int(self.left_out)]
        return [X[:, column] for column in range(X.shape[1]) if column != out]


def _as_numbers(values: NDArray[Any]) -> Array | None:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return None


def _text(values: NDArray[Any]) -> NDArray[np.str_]:
    return np.asarray(values).astype(str)[:, np.newaxis]
