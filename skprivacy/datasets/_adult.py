"""The Adult ("Census Income") data, with what is publicly known about its columns.

A private learner wants facts that don't come from the rows: the range of a number, the
values a category can take. For Adult they stand in the documentation of the data and of
the survey behind it, and `load_adult` returns them beside the rows.

Reference: B. Becker and R. Kohavi (1996), Adult, UCI Machine Learning Repository,
doi 10.24432/C5XW20, licence CC BY 4.0.
"""

import csv
import gzip
import io
from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._table import Table, missing_text, text_column

ADULT_BOUNDS: dict[str, tuple[float, float]] = {
    "age": (17.0, 90.0),
    "fnlwgt": (0.0, 1_500_000.0),
    "education_num": (1.0, 16.0),
    "capital_gain": (0.0, 99_999.0),
    "capital_loss": (0.0, 5_000.0),
    "hours_per_week": (1.0, 99.0),
}

# fmt: off
ADULT_CATEGORIES: dict[str, tuple[str, ...]] = {
    "workclass": (
        "Private", "Self-emp-not-inc", "Self-emp-inc", "Federal-gov", "Local-gov",
        "State-gov", "Without-pay", "Never-worked",
    ),
    "education": (
        "Bachelors", "Some-college", "11th", "HS-grad", "Prof-school", "Assoc-acdm",
        "Assoc-voc", "9th", "7th-8th", "12th", "Masters", "1st-4th", "10th", "Doctorate",
        "5th-6th", "Preschool",
    ),
    "marital_status": (
        "Married-civ-spouse", "Divorced", "Never-married", "Separated", "Widowed",
        "Married-spouse-absent", "Married-AF-spouse",
    ),
    "occupation": (
        "Tech-support", "Craft-repair", "Other-service", "Sales", "Exec-managerial",
        "Prof-specialty", "Handlers-cleaners", "Machine-op-inspct", "Adm-clerical",
        "Farming-fishing", "Transport-moving", "Priv-house-serv", "Protective-serv",
        "Armed-Forces",
    ),
    "relationship": (
        "Wife", "Own-child", "Husband", "Not-in-family", "Other-relative", "Unmarried",
    ),
    "race": ("White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"),
    "sex": ("Female", "Male"),
    "native_country": (
        "United-States", "Cambodia", "England", "Puerto-Rico", "Canada", "Germany",
        "Outlying-US(Guam-USVI-etc)", "India", "Japan", "Greece", "South", "China", "Cuba",
        "Iran", "Honduras", "Philippines", "Italy", "Poland", "Jamaica", "Vietnam", "Mexico",
        "Portugal", "Ireland", "France", "Dominican-Republic", "Laos", "Ecuador", "Taiwan",
        "Haiti", "Columbia", "Hungary", "Guatemala", "Nicaragua", "Scotland", "Thailand",
        "Yugoslavia", "El-Salvador", "Trinadad&Tobago", "Peru", "Hong", "Holand-Netherlands",
    ),
}
# fmt: on

TARGET = "income"
TARGET_NAMES = ("<=50K", ">50K")

DESCR = """\
Adult ("Census Income")
-----------------------
48842 persons of the United States census of 1994, 14 features, binary target: whether
the income is above 50000 dollars a year. The first 32561 rows are the original training
file, the others the original test file. Missing values (workclass, occupation,
native_country) are NaN.

Barry Becker and Ronny Kohavi (1996), Adult, UCI Machine Learning Repository,
doi 10.24432/C5XW20. Licence: Creative Commons Attribution 4.0 International (CC BY 4.0).
Changes: header added, "?" made an empty field, the trailing dot of the test labels
removed.

Public facts
    ``categories``: the values that the documentation of the data lists.
    ``bounds``: age, 17 (the extraction took persons above 16) to 90 (top code of the
    survey); education_num, 16 codes; capital_gain, top-coded at 99999; hours_per_week,
    a code of 1 to 99; fnlwgt and capital_loss, round numbers above what was published.
"""


def load_adult(
    *, as_frame: bool = True, return_X_y: bool = False, missing: str = "keep"
) -> Bunch | tuple[Any, Any]:
    """Load the Adult data and its public facts (binary classification).

    The data ship with the package: nothing is downloaded.

    Parameters
    ----------
    as_frame : bool, default=True
        Whether data and target are a pandas data frame and series. Otherwise data is an
        object array of numbers and text, and pandas is not needed.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    missing : {"keep", "drop"}, default="keep"
        Whether rows with missing values are kept (48842 rows) or left out (45222 rows).

    Returns
    -------
    sklearn.utils.Bunch
        With attributes ``data`` (n_rows, 14), ``target`` (strings ``"<=50K"`` and
        ``">50K"``), ``frame`` (data and target, or None), ``feature_names``,
        ``target_names``, ``DESCR``, and the public facts ``bounds`` (name to (low, high))
        and ``categories`` (name to values). Or, with `return_X_y`, data and target.

    Raises
    ------
    ValueError
        If `missing` is neither of its values.
    ImportError
        If `as_frame` is true and pandas is not installed.

    References
    ----------
    B. Becker and R. Kohavi (1996), Adult, UCI Machine Learning Repository,
    doi 10.24432/C5XW20, licence CC BY 4.0.

    Examples
    --------
    >>> from skprivacy.datasets import load_adult
    >>> adult = load_adult(as_frame=False)
    >>> adult.data.shape
    (48842, 14)
    >>> adult.bounds["age"]
    (17.0, 90.0)
    """
    bunch = adult_bunch(as_frame=as_frame, missing=missing)
    return (bunch.data, bunch.target) if return_X_y else bunch


def adult_bunch(*, as_frame: bool, missing: str) -> Bunch:
    """Return what `load_adult` returns, as a Bunch in every case."""
    if missing not in {"keep", "drop"}:
        raise ValueError(f"missing must be 'keep' or 'drop'. Got {missing!r} instead.")
    table = _read()
    if missing == "drop":
        complete = np.ones(table.n_rows, dtype=bool)
        for name in ADULT_CATEGORIES:
            complete &= ~missing_text(table.columns[name])
        table = table.take(complete)

    target, features = table.pop(TARGET)
    frame = table.to_frame() if as_frame else None
    return Bunch(
        data=features.to_array() if frame is None else frame.drop(columns=TARGET),
        target=target if frame is None else frame[TARGET],
        frame=frame,
        feature_names=list(features.columns),
        target_names=list(TARGET_NAMES),
        bounds=dict(ADULT_BOUNDS),
        categories=dict(ADULT_CATEGORIES),
        DESCR=DESCR,
    )


def _read() -> Table:
    packed = files(__package__).joinpath("data/adult.csv.gz").read_bytes()
    rows = csv.reader(io.StringIO(gzip.decompress(packed).decode("ascii")))
    header = next(rows)
    by_name = dict(zip(header, zip(*rows, strict=True), strict=True))
    columns = {
        name: np.array(values, dtype=np.int64) if name in ADULT_BOUNDS else text_column(values)
        for name, values in by_name.items()
    }
    return Table(columns, ADULT_CATEGORIES | {TARGET: TARGET_NAMES})
