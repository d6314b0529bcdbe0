"""Binding an estimator to an accountant, and sharing a budget out over its steps."""

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from ..accounting import gdp_delta, gdp_epsilon
from ..exceptions import BudgetExceededError
from ..plan import Facts
from ._ceiling import SLACK
from ._ledger import Ledger
from ._search import (
    candidate_estimators,
    check_countable,
    explore,
    n_search_fits,
    searched_names,
    spaces,
)
from ._structure import Leaf, Structure, count_free, is_estimator, known_fits

if TYPE_CHECKING:
    from ._accountant import PrivacyAccountant

DELTA0_PART = 0.01
"""Part of its delta that an estimator takes for itself where it needs one."""

EXHAUSTED_PART = 1e-8
"""Part of the ceiling that counts as nothing: calibration leaves 1e-9 of it unused."""

MOST_RESERVED = 0.1
"""Largest part of the ceiling's delta that all steps together set aside."""


def bind(accountant: "PrivacyAccountant", estimator: Any) -> Any:
    """Set the accountant of every private step; see `PrivacyAccountant.bind`."""
    found = explore(estimator, count_free, "bind")
    _set_accountant(accountant, found)
    found.warn()
    return estimator


def _set_accountant(accountant: "PrivacyAccountant", found: Structure) -> None:
    for search in found.searches:
        if "accountant" in searched_names(search):
            raise ValueError(
                f"{type(search).__name__} varies an accountant. Leave it out of the candidates: "
                "bind sets it."
            )
    for leaf in found.leaves:
        leaf.estimator.set_params(accountant=accountant)
    for search in found.searches:
        # With error_score=nan a candidate that could not be paid would lose in silence.
        search.set_params(error_score="raise")


def allocate(
    accountant: "PrivacyAccountant",
    ledger: Ledger,
    estimator: Any,
    weights: Mapping[str, float] | None,
    *,
    classes: Sequence[Any] | None,
) -> Any:
    """Share out what remains over a clone's private steps; see `PrivacyAccountant.allocate`."""
    if not is_estimator(estimator):
        raise TypeError(f"allocate takes an estimator. Got {estimator!r} instead.")
    estimator = clone(estimator)
    n_classes = None if classes is None else len(classes)
    fits_of = known_fits(n_classes, n_search_fits)
    found = explore(estimator, fits_of, "allocate")
    for search in found.searches:
        _check_shareable(search)
    leaves = [leaf for leaf in found.leaves if leaf.fits > 0]
    shares = _shares(leaves, weights)
    _check_private_modes(leaves)
    terms = ledger.terms()
    if terms.epsilon == math.inf:
        raise ValueError(
            "allocate needs a ceiling to share out. Open the accountant with a finite epsilon."
        )
    if terms.delta == 0:
        _share_epsilon(ledger, leaves, shares)
    else:
        facts = Facts(
            adjacency=accountant.adjacency, classes=None if classes is None else tuple(classes)
        )
        _share_mu(ledger, leaves, shares, facts)
    _set_accountant(accountant, found)
    found.warn()
    return estimator


def _check_shareable(search: Any) -> None:
    check_countable(search)
    varied = searched_names(search) & {"epsilon", "delta"}
    if varied:
        raise ValueError(
            f"allocate decides every epsilon and delta, but {type(search).__name__} varies "
            f"{', '.join(sorted(varied))}. Leave them out of its candidates, or use bind and set "
            "the budgets yourself."
        )
    if any(True for _ in candidate_estimators(search)):
        replaced = sorted({name for space in spaces(search) for name in space})
        raise ValueError(
            f"{type(search).__name__} puts other estimators in the place of steps (it varies "
            f"{', '.join(replaced)}), so there is no one budget to share out. Use bind and set "
            "the budgets yourself, or allocate to each candidate in a search of its own."
        )


def _check_private_modes(leaves: list[Leaf]) -> None:
    lacking = [
        leaf.path or type(leaf.estimator).__name__
        for leaf in leaves
        if not getattr(leaf.estimator, "_has_private_mode", True)
    ]
    if lacking:
        raise ValueError(
            f"No budget can be shared out to {lacking}: they have no private mode, so each of "
            "their fits has an infinite price. Bind them to an accountant without a ceiling, "
            "PrivacyAccountant(epsilon=inf), which records that."
        )


def _matches(key: str, path: str) -> bool:
    """Whether a weight's key names a step or something that holds it."""
    names = [path, path.removeprefix("estimator__")]
    return any(name == key or name.startswith(f"{key}__") for name in names)


def _shares(leaves: list[Leaf], weights: Mapping[str, float] | None) -> list[float]:
    """Return each step's part of the budget; the parts add up to 1."""
    if weights is None:
        return [1 / len(leaves)] * len(leaves)
    for key, weight in weights.items():
        if not 0 < weight < math.inf:
            raise ValueError(f"The weight of {key!r} must be a number above 0. Got {weight!r}.")
    owners = [
        max((key for key in weights if _matches(key, leaf.path)), key=len, default=None)
        for leaf in leaves
    ]
    paths = [leaf.path or type(leaf.estimator).__name__ for leaf in leaves]
    lacking = [path for path, owner in zip(paths, owners, strict=True) if owner is None]
    idle = [key for key in weights if key not in owners]
    if lacking or idle:
        raise ValueError(
            f"The weights must name every private step and nothing else. The steps are {paths}; "
            f"without a weight: {lacking}; weights for no step: {idle}."
        )
    whole = math.fsum(weights.values())
    return [weights[owner] / whole / owners.count(owner) for owner in owners if owner is not None]


def _share_epsilon(ledger: Ledger, leaves: list[Leaf], shares: list[float]) -> None:
    """Share out a pure budget: epsilon adds up."""
    terms, _, totals = ledger.standing()
    left = terms.epsilon - totals.epsilon
    if left <= terms.epsilon * EXHAUSTED_PART:
        raise BudgetExceededError(_EXHAUSTED)
    for leaf, share in zip(leaves, shares, strict=True):
        leaf.estimator.set_params(epsilon=left * share / leaf.fits, delta=0.0)


_EXHAUSTED = (
    "Nothing remains of the ceiling, so there is nothing to allocate. See accountant.entries; a "
    "larger ceiling needs a new ledger, and covers only what is charged to it."
)


def _share_mu(ledger: Ledger, leaves: list[Leaf], shares: list[float], facts: Facts) -> None:
    """Share out mu squared, and a little delta for the steps that need one.

    A step calibrates itself to mu = gdp_mu(epsilon, delta), or, if it needs a delta of its
    own, to gdp_mu(epsilon, .99 delta) beside delta / 100: its epsilon is chosen such that
    this mu is its part.
    """
    terms = ledger.terms()
    needs = [_need_of_delta(leaf, facts, terms.epsilon, terms.delta) for leaf in leaves]
    n_needs = sum(map(bool, needs))
    part = min(DELTA0_PART, MOST_RESERVED / max(n_needs, 1))
    limits, totals = ledger.fix_reserve(n_needs * part * terms.delta)
    mu_squared = limits.mu_squared - totals.mu_squared
    delta_left = limits.delta - totals.delta
    if mu_squared <= limits.mu_squared * EXHAUSTED_PART:
        raise BudgetExceededError(_EXHAUSTED)
    reserve = 0.0
    if n_needs:
        reserve = min(part * terms.delta, delta_left / n_needs)
        if reserve <= terms.delta * SLACK:
            names = [leaf.path for leaf, need in zip(leaves, needs, strict=True) if need]
            raise BudgetExceededError(
                f"The steps {names} may need a delta of their own, and nothing remains of the part "
                "of delta that the ceiling sets aside for that. Open a ledger with delta_reserve=, "
                "or declare classes= if their need depends on that."
            )
    for leaf, share, need in zip(leaves, shares, needs, strict=True):
        mu = math.sqrt(mu_squared * share / leaf.fits)
        delta = reserve / DELTA0_PART / leaf.fits if need else terms.delta
        # Where the need is unknown, the epsilon that keeps to its part either way.
        usable = (1 - DELTA0_PART) * delta if need is _Need.YES else delta
        # At epsilon = 0 a step would be given more than its mu.
        while gdp_delta(mu, 0.0) <= usable:
            delta, usable = delta / 10, usable / 10
        leaf.estimator.set_params(epsilon=gdp_epsilon(mu, usable), delta=delta)


class _Need(Enum):
    """Whether a step's fit has a delta of its own."""

    NO = 0
    YES = 1
    UNKNOWN = 2

    def __bool__(self) -> bool:
        return self is not _Need.NO


def _need_of_delta(leaf: Leaf, facts: Facts, epsilon: float, delta: float) -> _Need:
    """Return whether a step's plan has a delta of its own, if it can be priced yet."""
    trial = clone(leaf.estimator).set_params(epsilon=epsilon, delta=delta)
    try:
        return _Need.YES if trial.plan(facts).loss.delta > 0 else _Need.NO
    except (TypeError, ValueError):
        return _Need.UNKNOWN
