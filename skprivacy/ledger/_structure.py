"""What an estimator is made of: private steps, and steps that read rows uncharged.

The walk knows scikit-learn's containers by the name of their class, so nothing is imported
for it and subclasses elsewhere count as what they derive from. A private estimator is
known by its interface: the parameters ``epsilon``, ``delta`` and ``accountant``, and a
method ``plan``. Inside a private estimator nothing is looked at: its plan answers for it.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sklearn.utils import get_tags

from ..exceptions import PrivacyWarning

FitsOf = Callable[[Any, str], int | None]
"""Rule for how often a container fits what is in one of its parameters; None if unknown."""

BUDGET_PARAMETERS = {"epsilon", "delta", "accountant"}

UNKNOWN_FITS = (
    "How often {name} fits what is inside it can't be known (if it depends on the classes, "
    "declare classes=). Give its parts an accountant with bind, and let the ceiling refuse what "
    "passes it."
)


@dataclass(frozen=True)
class Leaf:
    """A private step: its path in the parameters, itself, and how often it is fitted."""

    path: str
    estimator: Any
    fits: int


@dataclass
class Structure:
    """What a walk found."""

    leaves: list[Leaf] = field(default_factory=list)
    searches: list[Any] = field(default_factory=list)
    not_covered: list[str] = field(default_factory=list)

    def warn(self, stacklevel: int = 4) -> None:
        """Name what the ledger does not cover."""
        if self.not_covered:
            warnings.warn(
                "Not covered by the ledger: " + "; ".join(self.not_covered) + ".",
                PrivacyWarning,
                stacklevel=stacklevel,
            )


def is_estimator(value: Any) -> bool:
    """Whether a value is an estimator, and not a class of estimators."""
    return hasattr(value, "get_params") and hasattr(value, "fit") and not isinstance(value, type)


def is_private(estimator: Any) -> bool:
    """Whether an estimator keeps the contract of a private one."""
    parameters = estimator.get_params(deep=False)
    return callable(getattr(estimator, "plan", None)) and BUDGET_PARAMETERS.issubset(parameters)


def kinds(estimator: Any) -> set[str]:
    """Return the names of an estimator's classes, bases included."""
    return {base.__name__ for base in type(estimator).__mro__}


def is_search(estimator: Any) -> bool:
    """Whether an estimator is one of scikit-learn's parameter searches."""
    return "BaseSearchCV" in kinds(estimator)


def is_stateless(estimator: Any) -> bool:
    """Whether an estimator says that fitting it reads nothing from the rows."""
    try:
        return not get_tags(estimator).requires_fit
    except (AttributeError, TypeError, ValueError):
        return False


def join(path: str, name: str) -> str:
    """Return the path of a nested parameter."""
    return f"{path}__{name}" if path else name


def walk(
    estimator: Any,
    *,
    fits_of: FitsOf,
    path: str = "",
    fits: int = 1,
    found: Structure | None = None,
) -> Structure:
    """Find private steps, searches and uncovered steps inside an estimator.

    Parameters
    ----------
    estimator : estimator
        Where to look.
    fits_of : callable
        ``fits_of(container, parameter)``: how often a container fits what is in one of its
        parameters.
    path, fits, found
        Where the walk is.
    """
    found = Structure() if found is None else found
    if is_private(estimator):
        found.leaves.append(Leaf(path, estimator, fits))
        return found
    children = list(iterate_children(estimator))
    names = kinds(estimator)
    if is_search(estimator):
        found.searches.append(estimator)
    reason = _uncovered(estimator, names, has_children=bool(children))
    if reason is not None and fits > 0:
        name = type(estimator).__name__
        found.not_covered.append(f"{path!r} ({name}) {reason}" if path else f"{name} {reason}")
    for parameter, name, child in children:
        times = fits_of(estimator, parameter)
        before = len(found.leaves)
        inner = fits * (1 if times is None else times)
        walk(child, fits_of=fits_of, path=join(path, name), fits=inner, found=found)
        if times is None and len(found.leaves) > before:
            raise ValueError(UNKNOWN_FITS.format(name=type(estimator).__name__))
    return found


def iterate_children(estimator: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield (parameter, name in nested parameters, child) of an estimator's inner ones."""
    for parameter, value in estimator.get_params(deep=False).items():
        if is_estimator(value):
            yield parameter, parameter, value
        elif isinstance(value, list | tuple):
            # Named parts: (name, estimator) or, in a ColumnTransformer, (name, it, columns).
            for item in value:
                if isinstance(item, tuple) and len(item) >= 2 and is_estimator(item[1]):
                    yield parameter, str(item[0]), item[1]


_CONTAINERS = {
    "Pipeline",
    "FeatureUnion",
    "ColumnTransformer",
    "TransformedTargetRegressor",
    "_BaseVoting",
    "SelectFromModel",
    "FrozenEstimator",
    "OneVsRestClassifier",
    "OneVsOneClassifier",
}


def _uncovered(estimator: Any, names: set[str], *, has_children: bool) -> str | None:
    """Return why an estimator's own work is not covered, or None if it is."""
    if "BaseSearchCV" in names:
        return "chooses by exact scores on the rows"
    if "BaseBagging" in names and has_children:
        if estimator.bootstrap:
            return (
                "may draw a row several times into one fit, whose price holds for once: use "
                "bootstrap=False"
            )
        return None
    if names & _CONTAINERS and has_children:
        return None
    if not has_children and is_stateless(estimator):
        return None
    return "reads rows without a charge"


def known_fits(n_classes: int | None, search_fits: Callable[[Any], int | None]) -> FitsOf:
    """Return the rule for how often containers fit what is inside them.

    Parameters
    ----------
    n_classes : int or None
        Number of classes, where it was declared.
    search_fits : callable
        Number of fits of a parameter search.
    """

    def fits_of(container: Any, parameter: str) -> int | None:
        names = kinds(container)
        if "BaseSearchCV" in names:
            return search_fits(container)
        if "FrozenEstimator" in names:
            return 0
        if "SelectFromModel" in names:
            return 0 if container.prefit else 1
        if "BaseBagging" in names:
            return int(container.n_estimators)
        if "OneVsRestClassifier" in names:
            return None if n_classes is None else 1 if n_classes == 2 else n_classes
        if "OneVsOneClassifier" in names:
            return None if n_classes is None else math.comb(n_classes, 2)
        if "CalibratedClassifierCV" in names:
            splits = n_splits(container, default=5)
            # "auto" is an ensemble wherever there is something to fit.
            return splits if splits is None or container.ensemble else splits + 1
        if names & {"_BaseStacking", "StackingClassifier", "StackingRegressor"}:
            if parameter == "final_estimator":
                return 1
            splits = n_splits(container, default=5)
            return None if splits is None else splits + 1
        return 1 if names & _CONTAINERS else None

    return fits_of


def n_splits(estimator: Any, default: int) -> int | None:
    """Return the number of splits of an estimator's ``cv`` parameter, or None if unknown."""
    cv = default if estimator.cv is None else estimator.cv
    if isinstance(cv, str):
        return None
    if isinstance(cv, int):
        return cv
    if hasattr(cv, "get_n_splits"):
        try:
            return int(cv.get_n_splits())
        except (TypeError, ValueError):
            return None
    return len(cv) if hasattr(cv, "__len__") else None


def count_free(_container: Any, _parameter: str) -> int:
    """Count every container as one fit: for walks that need no number of fits."""
    return 1
