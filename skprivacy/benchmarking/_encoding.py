"""From columns to numbers by public facts alone.

Every step knows what it does before it sees a row: categories are declared, ranges are
declared, missing values become a constant. So the encoder's `fit` learns nothing, costs
nothing, and acts on each row by itself; private pipelines and their twins get the same
encoded rows.

With every range declared each of the k columns contributes at most 1 to a row's squared
norm (a number in [0, 1], or at most a single 1 of its one-hot block or its missing mark),
so sqrt(k) is a public bound on the row norms.
"""

import math

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from ._problem import Problem


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
