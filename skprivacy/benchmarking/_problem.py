"""What a benchmark learns: columns, target and the facts that count as public.

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
MIN_ROWS = 20
TASKS = ("classification", "regression", "unsupervised")


class BenchmarkError(ValueError):
    """The benchmark can't run on this input; the message says why and what would help."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A table with a target, or without one, and its public facts.

    Parameters
    ----------
    name : str
        Name of the data set or of the file.
    columns : dict of str to ndarray
        Float arrays (NaN where missing) and object arrays of text (NaN where missing).
    target : ndarray of shape (n_rows,)
        Class labels as text, or numbers; zeros where nothing is predicted.
    classes : tuple of str
        Sorted labels, taken as public; empty unless the task is classification.
    bounds : dict of str to (float, float)
        Declared ranges of numeric columns; a column without one has no declared range.
    categories : dict of str to tuple of str
        Values of the text columns.
    assumptions : tuple of str
        What was taken from the rows as if it were public.
    task : {"classification", "regression", "unsupervised"}, default="classification"
    target_bounds : (float, float), default=None
        Declared range of a numeric target.
    """

    name: str
    columns: dict[str, np.ndarray]
    target: np.ndarray
    classes: tuple[str, ...]
    bounds: dict[str, tuple[float, float]]
    categories: dict[str, tuple[str, ...]]
    assumptions: tuple[str, ...]
    task: str = "classification"
    target_bounds: tuple[float, float] | None = None

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
    task: str = "classification",
    bounds: dict[str, tuple[float, float]] | None = None,
    categories: dict[str, tuple[str, ...]] | None = None,
    target_bounds: tuple[float, float] | None = None,
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
        Labels or numbers, one a row; not looked at if the task is unsupervised.
    task : {"classification", "regression", "unsupervised"}, default="classification"
        What to do.
    bounds, categories : dict, default=None
        Declared facts.
    target_bounds : (float, float), default=None
        Declared range of a numeric target.
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
    assumed = list(assumptions)
    classes: tuple[str, ...] = ()
    if task == "classification":
        labels = np.array([str(value) for value in target])
        classes = _check_classes(name, labels)
        assumed.append("The list of classes is taken as public.")
    elif task == "regression":
        labels = _check_numbers(name, target)
    else:
        labels = np.zeros(len(next(iter(columns.values()), ())))

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
        task=task,
        target_bounds=target_bounds if task == "regression" else None,
    )


def problem_from_bunch(bunch: Bunch, task: str = "auto") -> Problem:
    """Return the problem of a data set of `skprivacy.datasets.load_dataset`.

    Parameters
    ----------
    bunch : sklearn.utils.Bunch
        A loaded data set.
    task : {"auto", "classification", "regression", "unsupervised"}, default="auto"
        What to do; "auto": what the set is for.

    Returns
    -------
    Problem
        The problem.

    Raises
    ------
    BenchmarkError
        If the set is for another task than the one that is asked for.
    """
    own = "regression" if bunch.task == "regression" else "classification"
    chosen = own if task == "auto" else task
    if chosen not in {own, "unsupervised"}:
        raise BenchmarkError(f"{bunch.name} is a {own} problem, so --task {task} can't be.")
    return make_problem(
        bunch.name,
        _columns(bunch.data, bunch.feature_names, set(bunch.categories)),
        bunch.target,
        task=chosen,
        bounds=bunch.bounds,
        categories=bunch.categories,
        target_bounds=bunch.get("target_bounds"),
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
            f"{MAX_CLASSES}. If they are numbers to predict: --task regression."
        )
    rare, number = min(counts.items(), key=lambda item: item[1])
    if number < MIN_ROWS_OF_A_CLASS:
        raise BenchmarkError(
            f"Class {rare!r} of {name} has {number} rows; at least {MIN_ROWS_OF_A_CLASS} are "
            "needed to split them into training and test rows."
        )
    return tuple(sorted(counts))


def _check_numbers(name: str, target: Iterable[Any]) -> np.ndarray:
    try:
        numbers = np.array([float(value) for value in target])
    except ValueError as error:
        raise BenchmarkError(f"The target of {name} is not numeric: {error}.") from error
    if numbers.size < MIN_ROWS:
        raise BenchmarkError(
            f"{name} has {numbers.size} rows with a target; at least {MIN_ROWS} are needed."
        )
    if not np.isfinite(numbers).all():
        raise BenchmarkError(f"The target of {name} has values that are no finite numbers.")
    if np.ptp(numbers) == 0:
        raise BenchmarkError(f"The target of {name} is {numbers[0]:g} in every row.")
    return numbers


def _names(columns: list[str], most: int = 8) -> str:
    shown = ", ".join(columns[:most])
    return shown if len(columns) <= most else f"{shown} and {len(columns) - most} more"
