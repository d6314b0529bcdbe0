"""Reading a user's CSV file, with an answer for everything that can be wrong with one.

Text columns stay text, numbers become floats, the usual signs for a missing value become
NaN. Nothing is imputed and no category is invented here; see `Problem`.
"""

import csv
import difflib
import math
from pathlib import Path

import numpy as np

from ._problem import MAX_CLASSES, BenchmarkError, Problem, make_problem

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "missing"})
DELIMITERS = ",;\t|"


def read_csv(path: str | Path, target: str | None, task: str = "auto") -> Problem:
    """Read a problem from a CSV file with a header line.

    Parameters
    ----------
    path : str or Path
        The file: UTF-8, separated by commas, semicolons, tabs or bars.
    target : str or None
        Name of the column to predict. Rows without a value there are left out. None: there
        is none, and the task is unsupervised.
    task : {"auto", "classification", "regression", "unsupervised"}, default="auto"
        "auto": regression if the target has numbers alone, and more of them than a
        classifier is asked to tell apart.

    Returns
    -------
    Problem
        The problem; what it took from the rows stands in its assumptions.

    Raises
    ------
    BenchmarkError
        If the file can't be read as such a table.
    """
    path = Path(path)
    header, rows = _split(path)
    if target is not None and target not in header:
        close = difflib.get_close_matches(target, header, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else f" Columns: {', '.join(header)}."
        raise BenchmarkError(f"{path} has no column {target!r}.{hint}")
    if not rows:
        raise BenchmarkError(f"{path} has a header and no rows.")

    fields = dict(zip(header, zip(*rows, strict=True), strict=True))
    if target is None:
        everything = {name: _column(values) for name, values in fields.items()}
        return make_problem(path.name, everything, (), task="unsupervised")
    labels = [value.strip() for value in fields.pop(target)]
    known = np.array([value.lower() not in MISSING for value in labels])
    columns = {name: _column(values)[known] for name, values in fields.items()}
    dropped = int((~known).sum())
    kept = np.array(labels, dtype=object)[known]
    if task == "auto":
        many = len(set(kept)) > MAX_CLASSES and all(map(_is_number, kept))
        task = "regression" if many else "classification"
    return make_problem(
        path.name,
        columns,
        kept,
        task=task,
        assumptions=[f"{dropped} rows without a target are left out."] if dropped else [],
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _split(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchmarkError(
            f"{path} is not UTF-8 (byte {error.start}). Convert it first, for instance: "
            f"iconv -f latin1 -t utf-8 {path.name} > utf8.csv"
        ) from error
    except OSError as error:
        raise BenchmarkError(f"{path} can't be read: {error.strerror or error}.") from error
    if not text.strip():
        raise BenchmarkError(f"{path} is empty.")
    if "\0" in text:
        raise BenchmarkError(f"{path} is no text file.")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    try:
        lines = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BenchmarkError(f"{path} is no CSV file: {error}.") from error
    rows = [line for line in lines if line]
    header = [name.strip() for name in rows[0]]
    if len(set(header)) != len(header) or "" in header:
        raise BenchmarkError(f"{path} needs a header line with distinct column names.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise BenchmarkError(
                f"Record {number} of {path} has {len(row)} fields, the header has {len(header)}."
            )
    return header, rows[1:]


def _column(values: tuple[str, ...]) -> np.ndarray:
    """Return floats if every field with a value is a number, else text."""
    stripped = [value.strip() for value in values]
    present = [value.lower() not in MISSING for value in stripped]
    try:
        return np.array(
            [float(v) if here else math.nan for v, here in zip(stripped, present, strict=True)]
        )
    except ValueError:
        return np.array(
            [v if here else math.nan for v, here in zip(stripped, present, strict=True)],
            dtype=object,
        )
