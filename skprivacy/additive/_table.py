"""Tables of numbers, categories and missing values as one array of floats.

Whatever comes in (an array, a pandas or polars data frame), a learner works on an array of
shape (n_rows, n_columns): numbers as they are, categories as codes 0, 1, ..., a value
outside the declared list as the code after the last, and NaN where a value is missing.

A column of text is looked at value by value only once: its different values, of which there
are few, and where they stand are then all that is asked of it.
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from scipy import sparse

_MISSING = {"NAType", "NaTType"}

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


class Column:
    """A column of a table, of which every question is answered by one look.

    Parameters
    ----------
    values : array, or column of a data frame
    """

    def __init__(self, values: Any) -> None:
        self.values = values

    @cached_property
    def kind(self) -> str:
        """Letter of the NumPy kind; "O" for text and categories."""
        dtype = self.values.dtype
        if isinstance(dtype, np.dtype):
            return dtype.kind
        if hasattr(dtype, "is_numeric"):  # polars
            return "f" if dtype.is_numeric() else "b" if str(dtype) == "Boolean" else "O"
        return str(getattr(dtype, "kind", "O"))  # pandas extension types

    @property
    def is_categorical(self) -> bool:
        """Whether a pandas categorical lists the different values by itself."""
        return hasattr(self.values, "cat") and hasattr(self.values.cat, "categories")

    @cached_property
    def objects(self) -> list[Any]:
        """The values as Python objects."""
        return np.asarray(self.values, dtype=object).tolist()

    @cached_property
    def different(self) -> tuple[np.ndarray, np.ndarray]:
        """The different values, as objects, and the number of its value in every row.

        A number of -1 is that of a missing value, which may be among the different ones, too.
        """
        if self.is_categorical:
            categories = np.asarray(self.values.cat.categories, dtype=object)
            return categories, np.asarray(self.values.cat.codes)
        if hasattr(self.values, "factorize"):  # pandas
            codes, found = self.values.factorize(use_na_sentinel=False)
            return np.asarray(found, dtype=object), np.asarray(codes)
        found = list(dict.fromkeys(self.objects))
        number = {value: code for code, value in enumerate(found)}
        codes = np.fromiter(map(number.__getitem__, self.objects), np.intp, len(self.objects))
        return _object_array(found), codes

    @property
    def may_be_any_objects(self) -> bool:
        """Whether values may be of several types: nothing but their list tells of which."""
        return isinstance(self.values.dtype, np.dtype) and self.kind == "O"

    @cached_property
    def is_boolean(self) -> bool:
        """Whether all values that are there are truth values."""
        if self.kind == "b":
            return True
        if self.kind != "O" or hasattr(self.values, "cat"):
            return False
        # A missing value makes objects of truth values: that one row must not change the kind.
        values = self.objects if self.may_be_any_objects else self.different[0].tolist()
        if not all(_is_truth_or_missing(kind) for kind in set(map(type, values))):
            return False
        known = [value for value in values if not _is_missing(value)]
        return bool(known) and all(isinstance(value, bool | np.bool_) for value in known)

    @cached_property
    def has_values(self) -> bool:
        """Whether there are values to be listed, rather than numbers."""
        if self.kind in "mM":
            raise TypeError("Dates and durations are no features here: make numbers of them first.")
        if self.kind in "US":
            return True
        if self.kind != "O":
            return False
        return not self.may_be_any_objects or _has_text(self.objects)


@dataclass(frozen=True)
class ReadTable:
    """The names and the columns of a table."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]


def is_plain(X: Any, categories: Any) -> bool:
    """Whether scikit-learn's own validation of numeric arrays is all that `X` needs."""
    if categories is not None and len(categories) > 0:
        return False
    if isinstance(X, ReadTable):
        return not any(column.has_values or column.is_boolean for column in X.columns)
    if sparse.issparse(X):
        return True
    if hasattr(X, "columns"):
        return is_plain(read_table(X), None)
    array = _cells(X)
    if array.ndim == 2 and array.dtype.kind in "OUS":
        return array.dtype.kind == "O" and not _has_text(array.ravel().tolist())
    return True


def read_table(X: Any) -> ReadTable:
    """Return the names and the columns of a table."""
    if isinstance(X, ReadTable):
        return X
    if hasattr(X, "columns"):
        columns = [column for _, column in X.items()] if hasattr(X, "iloc") else X.get_columns()
        return ReadTable(tuple(str(name) for name in X.columns), tuple(map(Column, columns)))
    array = _cells(X)
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either "
            "using array.reshape(-1, 1) if your data has a single feature or "
            "array.reshape(1, -1) if it contains a single sample."
        )
    return ReadTable(tuple(str(j) for j in range(array.shape[1])), tuple(map(Column, array.T)))


def _cells(X: Any) -> np.ndarray:
    """Return rows that are no data frame as an array, with every cell of a list as it is.

    NumPy would make text of all cells of a list where one is text.
    """
    return np.asarray(X, dtype=object if isinstance(X, list | tuple) else None)


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
    table = read_table(X)
    names = table.names
    declared = {
        _position(key, names, "categories", name): np.asarray(list(values), dtype=object)
        for key, values in (categories or {}).items()
    }
    found: list[np.ndarray | None] = []
    for j, column in enumerate(table.columns):
        values = declared.get(j)
        if values is not None:
            if values.size == 0 or len(set(values.tolist())) < values.size:
                raise ValueError(
                    f"The 'categories' parameter of {name} must list different values for "
                    f"column {names[j]!r}. Got {values.tolist()!r} instead."
                )
        elif column.is_boolean:
            values = np.array([False, True], dtype=object)
        elif column.has_values:
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
    columns = read_table(X).columns
    n_rows = len(columns[0].values) if columns else 0
    encoded = np.empty((n_rows, len(columns)), order="F")
    for j, (column, values) in enumerate(zip(columns, schema.categories, strict=True)):
        if values is None:
            encoded[:, j] = _numbers(column.values, schema.names[j])
        else:
            found, numbers = _different(column, schema.names[j])
            encoded[:, j] = np.append(_codes_of(found, values), np.nan)[numbers]
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


def _is_truth_or_missing(kind: type) -> bool:
    """Whether a type is that of truth values, or may be that of a missing one."""
    return (
        kind in {bool, np.bool_, type(None)} or kind.__name__ in _MISSING or issubclass(kind, float)
    )


def _has_text(values: list[Any]) -> bool:
    return any(issubclass(kind, str) for kind in set(map(type, values)))


def _object_array(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _is_missing(value: Any) -> bool:
    return value is None or (
        type(value).__name__ in _MISSING or (isinstance(value, float) and math.isnan(value))
    )


def _different(column: Column, name: str) -> tuple[np.ndarray, np.ndarray]:
    # Outside of a handler, so that the error does not hold one that quotes a cell.
    with suppress(TypeError):
        return column.different
    raise ValueError(f"Column {name!r} has values that are neither numbers nor text nor missing.")


def _found_values(column: Column, name: str) -> np.ndarray:
    found = {value for value in _different(column, name)[0].tolist() if not _is_missing(value)}
    if len({isinstance(value, str) for value in found}) > 1:
        # Taken as categories, its numbers would be in the receipt's assumptions: a leak.
        raise ValueError(
            f"Column {name!r} has both text and other values. List its values with the parameter "
            "'categories', or make numbers of them first."
        )
    with suppress(TypeError):
        return np.array(sorted(found), dtype=object)
    raise ValueError(f"Column {name!r} has values that have no order. List them as 'categories'.")


def _numbers(column: Any, name: str) -> np.ndarray:
    with suppress(TypeError, ValueError, OverflowError):
        return _as_floats(column)
    raise ValueError(
        f"Column {name!r} has values that are no numbers, or too large. List its values with the "
        "parameter 'categories', or make numbers of them first."
    )


def _as_floats(column: Any) -> np.ndarray:
    if hasattr(column, "to_numpy") and not isinstance(column.dtype, np.dtype):
        values = column.to_numpy()
        if values.dtype.kind == "O":
            values = [np.nan if _is_missing(value) else value for value in values.tolist()]
    else:
        values = np.asarray(column)
        if values.dtype.kind == "c":
            raise TypeError("complex numbers")
    return np.asarray(values, dtype=np.float64)


def _codes_of(column: np.ndarray, values: Iterable[Any]) -> np.ndarray:
    position = {value: float(code) for code, value in enumerate(values)}
    other = float(len(position))
    return np.array(
        [
            position[value] if value in position else np.nan if _is_missing(value) else other
            for value in column.tolist()
        ]
    )
