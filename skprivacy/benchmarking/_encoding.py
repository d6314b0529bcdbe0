"""From columns to numbers by public facts alone.

Every step knows what it does before it sees a row: categories are declared, ranges are
declared, missing values become a constant. So the encoder's `fit` learns nothing, costs
nothing, and acts on each row by itself; private pipelines and their twins get the same
rows, in the form that suits them (`make_rows`):

=========  ===========================================================================
encoded    numbers scaled to [0, 1], text one-hot, missing numbers 0 and marked
mixed      numbers as they are, NaN where missing; text as codes, missing a code more
filled     the same with the lowest declared value, or 0, for missing numbers
codes      text as codes, numbers with bounds cut into cells of equal width
numbers    numbers alone, scaled to [0, 1], missing 0
=========  ===========================================================================

With every range declared each of the k columns contributes at most 1 to a row's squared
norm (a number in [0, 1], or at most a single 1 of its one-hot block or its missing mark),
so sqrt(k) is a public bound on the row norms.
"""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from ._problem import Problem

N_CELLS = 16
FORMS = ("encoded", "mixed", "filled", "codes", "numbers")


@dataclass(frozen=True)
class Facts:
    """What is publicly known of rows in one of the forms.

    Parameters
    ----------
    n_categories : array of int of shape (n_columns,)
        Numbers of categories; 0 for a column of numbers. A missing or undeclared value is
        the code after the last.
    bounds : (low, high) or None
        Arrays of one number a column; None where a column has no declared range.
    norm : float or None
        Bound on the norms of the rows.
    """

    n_categories: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray] | None
    norm: float | None

    @property
    def range(self) -> tuple[float, float] | None:
        """One range for all columns."""
        if self.bounds is None:
            return None
        return float(self.bounds[0].min()), float(self.bounds[1].max())


@dataclass(frozen=True)
class Rows:
    """Rows in one of the forms, of shape (n_rows, n_columns), and the facts about them."""

    X: np.ndarray
    facts: Facts


def public_encoder(problem: Problem) -> ColumnTransformer:
    """Return the transformer of a problem's columns; its `fit` reads no row.

    Parameters
    ----------
    problem : Problem
        The problem, whose facts the encoder is made of.

    Returns
    -------
    ColumnTransformer
        For an object array of shape (n_rows, n_columns), columns in the problem's order.
    """
    steps: list[tuple[str, FunctionTransformer | OneHotEncoder, list[int]]] = []
    for j, (name, values) in enumerate(problem.columns.items()):
        if name in problem.categories:
            encoder = OneHotEncoder(
                categories=[list(problem.categories[name])],
                handle_unknown="ignore",
                sparse_output=False,
            )
            steps.append((name, encoder, [j]))
        else:
            facts = {
                "bounds": problem.bounds.get(name),
                "mark_missing": bool(np.isnan(values).any()),
            }
            steps.append((name, FunctionTransformer(encode_number, kw_args=facts), [j]))
    return ColumnTransformer(steps)


def encode(problem: Problem) -> np.ndarray:
    """Return the encoded rows, a float array of shape (n_rows, n_encoded).

    Parameters
    ----------
    problem : Problem
        The problem.
    """
    table = np.empty((problem.n_rows, len(problem.columns)), dtype=object)
    for j, values in enumerate(problem.columns.values()):
        table[:, j] = values
    return np.ascontiguousarray(public_encoder(problem).fit_transform(table), dtype=np.float64)


def encode_number(
    column: np.ndarray, bounds: tuple[float, float] | None, mark_missing: bool
) -> np.ndarray:
    """Return a column scaled to [0, 1] by its bounds, missing values 0 and marked.

    Parameters
    ----------
    column : array of shape (n_rows, 1)
        Numbers, NaN where missing.
    bounds : (float, float) or None
        Declared range; values outside are clipped. None leaves the numbers as they are.
    mark_missing : bool
        Whether a column of 0 and 1 says where values are missing.

    Returns
    -------
    array of shape (n_rows, 1) or (n_rows, 2)
        The encoded column and, if asked for, its mark.
    """
    values = np.asarray(column, dtype=np.float64)
    missing = np.isnan(values)
    if bounds is not None:
        low, high = bounds
        values = (np.clip(values, low, high) - low) / (high - low)
    values = np.where(missing, 0.0, values)
    return np.hstack([values, missing]) if mark_missing else values


def norm_bound(problem: Problem) -> float | None:
    """Return the public bound on the norms of encoded rows, or None if there is none.

    Parameters
    ----------
    problem : Problem
        The problem.
    """
    return math.sqrt(len(problem.columns)) if problem.bounded else None


def make_rows(problem: Problem, form: str) -> Rows:
    """Return the rows of a problem in one of the `FORMS`.

    Parameters
    ----------
    problem : Problem
        The problem.
    form : str
        One of `FORMS`.

    Returns
    -------
    Rows
        Without columns if the problem has none that this form keeps.
    """
    if form == "encoded":
        X, norm = encode(problem), norm_bound(problem)
        unit = None if norm is None else (np.zeros(X.shape[1]), np.ones(X.shape[1]))
        return Rows(X, Facts(np.zeros(X.shape[1], dtype=int), unit, norm))
    columns: list[np.ndarray] = []
    sizes: list[int] = []
    bounds: list[tuple[float, float] | None] = []
    for name, values in problem.columns.items():
        declared = problem.bounds.get(name)
        if name in problem.categories:
            if form == "numbers":
                continue
            kinds = problem.categories[name]
            columns.append(_codes(values, kinds))
            sizes.append(len(kinds))
            bounds.append((0.0, float(len(kinds))))
        elif form == "codes":
            if declared is None:
                continue
            columns.append(_cells(values, declared))
            sizes.append(N_CELLS)
            bounds.append((0.0, float(N_CELLS)))
        elif form == "numbers":
            columns.append(encode_number(values[:, None], declared, mark_missing=False)[:, 0])
            sizes.append(0)
            bounds.append(None if declared is None else (0.0, 1.0))
        else:
            fill = np.nan if form == "mixed" else 0.0 if declared is None else declared[0]
            columns.append(np.where(np.isnan(values), fill, values))
            sizes.append(0)
            bounds.append(declared)
    X = np.column_stack([np.empty((problem.n_rows, 0)), *columns])
    if not columns or None in bounds:
        return Rows(X, Facts(np.array(sizes, dtype=int), None, None))
    low, high = np.array(bounds).T
    norm = math.hypot(*np.maximum(np.abs(low), np.abs(high)))
    return Rows(X, Facts(np.array(sizes), (low, high), norm))


def _codes(values: np.ndarray, kinds: tuple[str, ...]) -> np.ndarray:
    """Return the place of each value in the list of its kinds; anything else is the last."""
    place = {value: float(code) for code, value in enumerate(kinds)}
    return np.array([place.get(value, float(len(kinds))) for value in values])


def _cells(values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Return which of `N_CELLS` cells of equal width a number is in; missing is the last."""
    scaled = encode_number(values[:, None], bounds, mark_missing=False)[:, 0]
    cells = np.minimum(np.floor(scaled * N_CELLS), N_CELLS - 1.0)
    return np.where(np.isnan(values), float(N_CELLS), cells)
