"""Plain tables: columns of numbers and of text, with or without pandas.

A loader reads a file into a `Table` of NumPy columns. From it comes a pandas data frame
where the caller wants one, or one array: float where every column is numeric, object
otherwise. So pandas stays optional.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Table:
    """Named columns of equal length.

    Parameters
    ----------
    columns : dict of str to ndarray
        Float or integer arrays for numeric columns; object arrays for text columns, in
        which a missing value is NaN.
    categories : dict of str to tuple of str
        Declared values of text columns.
    """

    columns: dict[str, np.ndarray]
    categories: dict[str, tuple[str, ...]]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def take(self, rows: np.ndarray) -> "Table":
        """Return the table of the chosen rows (indices or a mask)."""
        return Table({name: values[rows] for name, values in self.columns.items()}, self.categories)

    def pop(self, name: str) -> tuple[np.ndarray, "Table"]:
        """Return the column `name` and the table without it."""
        rest = {key: values for key, values in self.columns.items() if key != name}
        return self.columns[name], Table(rest, self.categories)

    def to_frame(self) -> Any:
        """Return a pandas data frame; columns with declared categories are categorical."""
        pd = import_pandas()
        data = {
            name: pd.Categorical(values, categories=list(self.categories[name]))
            if name in self.categories
            else values
            for name, values in self.columns.items()
        }
        return pd.DataFrame(data)

    def to_array(self) -> np.ndarray:
        """Return one array of shape (n_rows, n_columns)."""
        columns = list(self.columns.values())
        numeric = all(np.issubdtype(values.dtype, np.number) for values in columns)
        out = np.empty((self.n_rows, len(columns)), dtype=float if numeric else object)
        for j, values in enumerate(columns):
            out[:, j] = values
        return out


def import_pandas() -> Any:
    """Import pandas, or say which extra brings it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "as_frame=True needs pandas. Install it with pip install 'skprivacy[report]', "
            "or pass as_frame=False."
        ) from error
    return pd


def missing_text(values: np.ndarray) -> np.ndarray:
    """Return where a text column has no value."""
    return np.array([not isinstance(value, str) for value in values])


def text_column(values: Sequence[str]) -> np.ndarray:
    """Return text as an object array, empty fields as NaN."""
    column = np.array(list(values), dtype=object)
    column[column == ""] = np.nan
    return column
