"""Tables of numbers, categories and missing values as one array of floats.

Whatever comes in (an array, a pandas or polars data frame), a learner works on an array of
shape (n_rows, n_columns): numbers as they are, categories as codes 0, 1, ..., a value
outside the declared list as the code after the last, and NaN where a value is missing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy import sparse

MOST_CATEGORIES = 1000
"""A column with more is an identifier, whose values would name the rows."""


@dataclass(frozen=True)
class Schema:
    """Public facts about the columns.

    Parameters
    ----------
    names : tuple of str
        Names, or numbers where there are none.
    categories : tuple of (array or None)
        The values of each categorical column; None for a numeric one.
    """

    names: tuple[str, ...]
    categories: tuple[np.ndarray | None, ...]

    @property
    def numeric(self) -> np.ndarray:
        """Mask of the numeric columns."""
        return np.array([values is None for values in self.categories], dtype=bool)


class Encoded(np.ndarray):
    """An encoded table that carries the schema it was encoded by."""

    schema: Schema

    def __array_finalize__(self, obj: Any) -> None:
        self.schema = getattr(obj, "schema", Schema((), ()))


def encoded_by(array: np.ndarray, schema: Schema) -> Encoded:
    """Return a view of an encoded table that carries its schema."""
    view = array.view(Encoded)
    view.schema = schema
    return view


def schema_of(encoded: np.ndarray) -> Schema:
    """Return the schema that an encoded table carries."""
    return cast(Encoded, encoded).schema


def is_plain(X: Any, categories: Any) -> bool:
    """Whether scikit-learn's own validation of numeric arrays is all that `X` needs."""
    if categories is not None and len(categories) > 0:
        return False
    if sparse.issparse(X):
        return True
    if hasattr(X, "columns"):
        return not any(_has_values(column) or _is_boolean(column) for column in _frame_columns(X))
    if isinstance(X, np.ndarray):
        return X.dtype.kind not in "OUS" or not _has_text(X)
    return True


def read_columns(X: Any) -> tuple[tuple[str, ...], list[Any]]:
    """Return the names and the columns of a table."""
    if hasattr(X, "columns"):
        return tuple(str(name) for name in X.columns), _frame_columns(X)
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either "
            "using array.reshape(-1, 1) if your data has a single feature or "
            "array.reshape(1, -1) if it contains a single sample."
        )
    return tuple(str(j) for j in range(array.shape[1])), list(array.T)


def make_schema(X: Any, categories: Any, name: str) -> Schema:
    """Return the schema of a table: declared categories, and those of text columns.

    Parameters
    ----------
    X : table
    categories : dict or None
        Values by name or number of a column.
    name : str
        Name of the estimator, for errors.

    Raises
    ------
    ValueError
        If a declared column is not there, or has no values or one twice; if a column has too
        many categories, or text beside other values.
    """
    names, columns = read_columns(X)
    declared = {
        _position(key, names, "categories", name): np.asarray(list(values), dtype=object)
        for key, values in (categories or {}).items()
    }
    found: list[np.ndarray | None] = []
    for j, column in enumerate(columns):
        values = declared.get(j)
        if values is not None:
            if values.size == 0 or len(set(values.tolist())) < values.size:
                raise ValueError(
                    f"The 'categories' parameter of {name} must list different values for "
                    f"column {names[j]!r}. Got {values.tolist()!r} instead."
                )
        elif _is_boolean(column):
            values = np.array([False, True], dtype=object)
        elif _has_values(column):
            values = _found_values(column, names[j])
        if values is not None and values.size > MOST_CATEGORIES:
            raise ValueError(
                f"Column {names[j]!r} has more than {MOST_CATEGORIES} categories. "
                "List the frequent ones with the parameter 'categories': the others share a cell."
            )
        found.append(values)
    return Schema(names, tuple(found))


def plain_schema(n_columns: int, names: Any) -> Schema:
    """Return the schema of a numeric array."""
    known = range(n_columns) if names is None else names
    return Schema(tuple(str(key) for key in known), (None,) * n_columns)


def encode(X: Any, schema: Schema) -> np.ndarray:
    """Return a table as an array of floats, by the schema alone.

    Raises
    ------
    ValueError
        If a numeric column has values that are no numbers.
    """
    _, columns = read_columns(X)
    encoded = np.empty((len(columns[0]) if columns else 0, len(columns)))
    for j, (column, values) in enumerate(zip(columns, schema.categories, strict=True)):
        if values is None:
            encoded[:, j] = _numbers(column, schema.names[j])
        else:
            encoded[:, j] = _codes(column, values)
    return encoded


def column_mapping(
    given: dict[Any, Any], names: Sequence[str], parameter: str, estimator: str
) -> dict[int, Any]:
    """Return a dict by name or number of columns as one by their position."""
    return {_position(key, names, parameter, estimator): value for key, value in given.items()}


def _position(key: Any, names: Sequence[str], parameter: str, estimator: str) -> int:
    if isinstance(key, int | np.integer) and 0 <= key < len(names):
        return int(key)
    if str(key) in names:
        return names.index(str(key))
    raise ValueError(
        f"The '{parameter}' parameter of {estimator} names a column {key!r} that the data does "
        f"not have. Its columns are {list(names)}."
    )


def _frame_columns(X: Any) -> list[Any]:
    if hasattr(X, "iloc"):
        return [X.iloc[:, j] for j in range(X.shape[1])]
    return [X[:, j] for j in range(X.shape[1])]


def _kind(column: Any) -> str:
    """Return the letter of a column's NumPy kind; "O" for text and categories."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return dtype.kind
    if hasattr(dtype, "is_numeric"):  # polars
        return "f" if dtype.is_numeric() else "b" if str(dtype) == "Boolean" else "O"
    return str(getattr(dtype, "kind", "O"))  # pandas extension types


def _is_boolean(column: Any) -> bool:
    if _kind(column) == "b":
        return True
    if _kind(column) != "O" or hasattr(column, "cat"):
        return False
    # A missing value makes objects of truth values: that one row must not change the kind.
    known = [value for value in _objects(column).tolist() if not _is_missing(value)]
    return bool(known) and all(isinstance(value, bool | np.bool_) for value in known)


def _has_values(column: Any) -> bool:
    """Whether a column has values to be listed, rather than numbers."""
    kind = _kind(column)
    if kind in "mM":
        raise TypeError("Dates and durations are no features here: make numbers of them first.")
    if kind in "US":
        return True
    if kind != "O":
        return False
    return _has_text(_objects(column)) or not isinstance(column.dtype, np.dtype)


def _has_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "US" or any(isinstance(value, str) for value in values.flat)


def _objects(column: Any) -> np.ndarray:
    return np.asarray(column, dtype=object)


def _is_missing(value: Any) -> bool:
    return value is None or (
        type(value).__name__ in {"NAType", "NaTType"}
        or (isinstance(value, float) and math.isnan(value))
    )


def _found_values(column: Any, name: str) -> np.ndarray:
    categorical = hasattr(column, "cat") and hasattr(column.cat, "categories")
    values = np.asarray(column.cat.categories, dtype=object) if categorical else _objects(column)
    found = {value for value in set(values.tolist()) if not _is_missing(value)}
    if len({isinstance(value, str) for value in found}) > 1:
        # Taken as categories, its numbers would be in the receipt's assumptions: a leak.
        raise ValueError(
            f"Column {name!r} has both text and other values. List its values with the parameter "
            "'categories', or make numbers of them first."
        )
    return np.array(sorted(found), dtype=object)


def _numbers(column: Any, name: str) -> np.ndarray:
    try:
        if hasattr(column, "to_numpy") and not isinstance(column.dtype, np.dtype):
            values = column.to_numpy()
            if values.dtype.kind == "O":
                values = [np.nan if _is_missing(value) else value for value in values.tolist()]
            return np.asarray(values, dtype=np.float64)
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"Column {name!r} has values that are no numbers. List its values with the "
            "parameter 'categories', or make numbers of them first."
        ) from None


def _codes(column: Any, values: np.ndarray) -> np.ndarray:
    if hasattr(column, "cat") and hasattr(column.cat, "categories"):
        # Few categories stand for many values.
        table = np.append(
            _codes_of(np.asarray(column.cat.categories, dtype=object), values), np.nan
        )
        return np.asarray(table[np.asarray(column.cat.codes)])
    return _codes_of(_objects(column), values)


def _codes_of(column: np.ndarray, values: Iterable[Any]) -> np.ndarray:
    position = {value: float(code) for code, value in enumerate(values)}
    other = float(len(position))
    return np.array(
        [
            position[value] if value in position else np.nan if _is_missing(value) else other
            for value in column.tolist()
        ]
    )
