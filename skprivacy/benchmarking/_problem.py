"""What a benchmark classifies: columns, target and the facts that count as public.

A `Problem` comes from a data set of the registry or from a CSV file. Whatever a private
pipeline needs to know about the columns is either declared (Adult's bounds and
categories) or taken from the rows as if it were public; the second kind is listed in
`assumptions`, which every output of the benchmark repeats.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import Bunch

MAX_CATEGORIES = 100
"""A text column with more values than this is an identifier or a date more often than a
category, and its list of values would itself tell who is in the rows: it is left out."""

MAX_CLASSES = 50
MIN_ROWS_OF_A_CLASS = 5


class BenchmarkError(ValueError):
    """The benchmark can't run on this input; the message says why and what would help."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A classification problem with its public facts.

    Parameters
    ----------
    name : str
        Name of the data set or of the file.
    columns : dict of str to ndarray
        Float arrays (NaN where missing) and object arrays of text (NaN where missing).
    target : ndarray of str of shape (n_rows,)
        Class labels.
    classes : tuple of str
        Sorted labels; taken as public.
    bounds : dict of str to (float, float)
        Declared ranges of numeric columns; a column without one has no declared range.
    categories : dict of str to tuple of str
        Values of the text columns.
    assumptions : tuple of str
        What was taken from the rows as if it were public.
    """

    name: str
    columns: dict[str, np.ndarray]
    target: np.ndarray
    classes: tuple[str, ...]
    bounds: dict[str, tuple[float, float]]
    categories: dict[str, tuple[str, ...]]
    assumptions: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.target)

    @property
    def bounded(self) -> bool:
        """Whether every numeric column has a declared range."""
        return all(name in self.bounds for name in self.columns if name not in self.categories)


def make_problem(
    name: str,
    columns: dict[str, np.ndarray],
    target: Iterable[Any],
    *,
    bounds: dict[str, tuple[float, float]] | None = None,
    categories: dict[str, tuple[str, ...]] | None = None,
    assumptions: Iterable[str] = (),
) -> Problem:
    """Check a table and complete its facts from the rows, naming each as an assumption.

    Parameters
    ----------
    name : str
        Name for messages and reports.
    columns : dict of str to ndarray
        Numeric columns and object columns of text.
    target : iterable
        Labels, one a row.
    bounds, categories : dict, default=None
        Declared facts.
    assumptions : iterable of str, default=()
        Assumptions made before.

    Returns
    -------
    Problem
        The completed problem.

    Raises
    ------
    BenchmarkError
        If there is nothing to learn from or nothing to learn.
    """
    labels = np.array([str(value) for value in target])
    assumed = list(assumptions)
    classes = _check_classes(name, labels)
    assumed.append("The list of classes is taken as public.")

    kept: dict[str, np.ndarray] = {}
    known = dict(categories or {})
    from_rows, left_out, incomplete = [], [], []
    for column, values in columns.items():
        if values.dtype == object:
            if column not in known:
                found = sorted({value for value in values if isinstance(value, str)})
                if not 0 < len(found) <= MAX_CATEGORIES:
                    left_out.append(column)
                    continue
                known[column] = tuple(found)
                from_rows.append(column)
        elif np.isinf(values).any():
            raise BenchmarkError(f"Column {column!r} of {name} has infinite values.")
        elif np.isnan(values).all():
            left_out.append(column)
            continue
        elif np.isnan(values).any():
            incomplete.append(column)
        kept[column] = values

    if not kept:
        raise BenchmarkError(f"{name} has no column to learn from besides the target.")
    if from_rows:
        assumed.append(f"The categories of {_names(from_rows)} are taken from the rows as public.")
    if incomplete:
        assumed.append(
            f"That values are missing in {_names(incomplete)} is taken as public; they are "
            "replaced by the constant 0 and marked in a column of their own."
        )
    if left_out:
        assumed.append(
            f"Left out: {_names(left_out)} (no value, or text of more than {MAX_CATEGORIES} "
            "different values, which would name persons)."
        )
    return Problem(
        name=name,
        columns=kept,
        target=labels,
        classes=classes,
        bounds={key: value for key, value in (bounds or {}).items() if key in kept},
        categories={key: value for key, value in known.items() if key in kept},
        assumptions=tuple(assumed),
    )


def problem_from_bunch(bunch: Bunch) -> Problem:
    """Return the problem of a data set of `skprivacy.datasets.load_dataset`.

    Parameters
    ----------
    bunch : sklearn.utils.Bunch
        A loaded data set.

    Returns
    -------
    Problem
        The problem.

    Raises
    ------
    BenchmarkError
        If its target is a number: there is no private regressor to benchmark.
    """
    if bunch.task == "regression":
        raise BenchmarkError(
            f"{bunch.name} is a regression problem, and the benchmark runs classifiers."
        )
    return make_problem(
        bunch.name,
        _columns(bunch.data, bunch.feature_names, set(bunch.categories)),
        bunch.target,
        bounds=bunch.bounds,
        categories=bunch.categories,
    )


def _columns(data: Any, names: list[str], text: set[str]) -> dict[str, np.ndarray]:
    """Return an array or a pandas data frame as float and object columns."""
    columns = {}
    for j, name in enumerate(names):
        values = data[:, j] if isinstance(data, np.ndarray) else data[name]
        raw = np.asarray(values, dtype=object)
        if name not in text and not any(isinstance(value, str) for value in raw):
            columns[name] = raw.astype(np.float64)
        else:
            columns[name] = np.array(
                [value if isinstance(value, str) else np.nan for value in raw], dtype=object
            )
    return columns


def _check_classes(name: str, labels: np.ndarray) -> tuple[str, ...]:
    counts = Counter(labels.tolist())
    if not counts:
        raise BenchmarkError(f"{name} has no rows with a target.")
    if len(counts) == 1:
        raise BenchmarkError(
            f"The target of {name} has one class only, {next(iter(counts))!r}: there is "
            "nothing to tell apart."
        )
    if len(counts) > MAX_CLASSES:
        raise BenchmarkError(
            f"The target of {name} has {len(counts)} different values, more than "
            f"{MAX_CLASSES}: the benchmark runs classifiers."
        )
    rare, number = min(counts.items(), key=lambda item: item[1])
    if number < MIN_ROWS_OF_A_CLASS:
        raise BenchmarkError(
            f"Class {rare!r} of {name} has {number} rows; at least {MIN_ROWS_OF_A_CLASS} are "
            "needed to split them into training and test rows."
        )
    return tuple(sorted(counts))


def _names(columns: list[str], most: int = 8) -> str:
    shown = ", ".join(columns[:most])
    return shown if len(columns) <= most else f"{shown} and {len(columns) - most} more"
