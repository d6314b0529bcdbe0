"""The price of every fit before the first."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from sklearn.base import clone

from .._frames import pandas_for
from ..accounting import PrivacyLoss
from ..plan import Facts
from ._ledger import Ledger
from ._odometer import Remaining
from ._search import candidates, explore, n_search_fits, splits
from ._structure import (
    FitsOf,
    Structure,
    is_private,
    is_search,
    iterate_children,
    join,
    known_fits,
)


@dataclass(frozen=True, kw_only=True)
class Price:
    """Price of one kind of fit.

    Parameters
    ----------
    path : str
        Nested parameter path of the step; empty for the estimator itself.
    source : str
        Its class.
    loss : PrivacyLoss
        Price of one fit.
    epsilon : float
        That price as epsilon, at the ceiling's delta.
    fits : int
        How many fits have this price.
    note : str
        "at most" where the fit is the refit of a search whose choice is not known yet.
    """

    path: str
    source: str
    loss: PrivacyLoss
    epsilon: float
    fits: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What fitting an estimator will cost.

    Parameters
    ----------
    prices : tuple of Price
        The fits, in order of their first.
    total : PrivacyLoss
        Composed price of all fits.
    epsilon : float
        The total as epsilon, at `delta`.
    delta : float
        The ceiling's delta.
    fits_in_ceiling : bool
        Whether the ledger would admit all fits now.
    remaining : Remaining
        What remains of the ceiling before the first fit.
    not_covered : tuple of str
        What reads rows without a charge.
    """

    prices: tuple[Price, ...]
    total: PrivacyLoss
    epsilon: float
    delta: float
    fits_in_ceiling: bool
    remaining: Remaining
    not_covered: tuple[str, ...]

    @property
    def n_fits(self) -> int:
        """Number of charged fits."""
        return sum(price.fits for price in self.prices)

    def _verdict(self) -> str:
        verdict = "fits in" if self.fits_in_ceiling else "DOES NOT FIT in"
        return (
            f"Total: {self.n_fits} fits, epsilon = {self.epsilon:.6g} at delta = {self.delta:.6g} "
            f"(mu = {self.total.mu:.6g}, delta = {self.total.delta:.6g}); {verdict} what remains: "
            f"{self.remaining}"
        )

    def _table(self) -> list[tuple[str, ...]]:
        return [
            (
                price.path or "(itself)",
                price.source,
                str(price.fits),
                f"{price.note} {price.epsilon:.6g}".strip(),
                f"{price.loss.mu:.6g}",
                f"{price.loss.delta:.6g}",
            )
            for price in self.prices
        ]

    def __str__(self) -> str:
        table = [_COLUMNS, *self._table()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        lines.append(self._verdict())
        lines.extend(f"Not covered: {what}" for what in self.not_covered)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._table()
        )
        notes = "".join(f"<p>Not covered: {escape(what)}</p>" for what in self.not_covered)
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{escape(self._verdict())}</p>{notes}"
        )

    def to_frame(self) -> Any:
        """Return the prices as a pandas DataFrame, one row each.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = pandas_for("prices", "preview.prices")
        return pd.DataFrame(
            [
                {
                    "path": price.path,
                    "source": price.source,
                    "fits": price.fits,
                    "epsilon": price.epsilon,
                    "mu": price.loss.mu,
                    "delta": price.loss.delta,
                    "note": price.note,
                }
                for price in self.prices
            ]
        )


_COLUMNS = ("step", "estimator", "fits", "epsilon", "mu", "delta")


@dataclass(frozen=True)
class _Cost:
    path: str
    source: str
    loss: PrivacyLoss
    note: str = ""


def preview(ledger: Ledger, estimator: Any, facts: Facts) -> Preview:
    """Price every fit of an estimator; see `PrivacyAccountant.preview`."""
    n_classes = None if facts.classes is None else len(facts.classes)
    fits_of = known_fits(n_classes, n_search_fits)
    found = explore(estimator, fits_of, "preview")
    costs: dict[_Cost, int] = {}
    _price(estimator, "", 1, facts, fits_of, costs)
    found.warn()
    return _assemble(ledger, costs, found)


def _price(
    estimator: Any,
    path: str,
    fits: int,
    facts: Facts,
    fits_of: FitsOf,
    costs: dict[_Cost, int],
) -> None:
    """Add the price of fitting an estimator `fits` times to `costs`."""
    if fits == 0:
        return
    if is_private(estimator):
        try:
            loss = estimator.plan(facts).loss
        except (TypeError, ValueError) as error:
            name = path or type(estimator).__name__
            raise ValueError(f"The price of {name!r} can't be told: {error}") from error
        cost = _Cost(path, type(estimator).__name__, loss)
        costs[cost] = costs.get(cost, 0) + fits
    elif is_search(estimator):
        _price_search(estimator, path, fits, facts, fits_of, costs)
    else:
        for parameter, name, child in iterate_children(estimator):
            # Unknown only where nothing inside is private: the walk has seen to that.
            times = fits * (fits_of(estimator, parameter) or 0)
            _price(child, join(path, name), times, facts, fits_of, costs)


def _price_search(
    search: Any, path: str, fits: int, facts: Facts, fits_of: FitsOf, costs: dict[_Cost, int]
) -> None:
    """Price every candidate on every split, and the refit at the dearest of them."""
    folds = splits(search)
    found: list[dict[_Cost, int]] = []
    for candidate in candidates(search):
        trial = clone(search.estimator).set_params(**clone(candidate, safe=False))
        own: dict[_Cost, int] = {}
        _price(trial, join(path, "estimator"), 1, facts, fits_of, own)
        for cost, times in own.items():
            costs[cost] = costs.get(cost, 0) + times * fits * folds
        found.append(own)
    if search.refit:
        for cost, times in _dearest(found).items():
            costs[cost] = costs.get(cost, 0) + times * fits


def _dearest(found: list[dict[_Cost, int]]) -> dict[_Cost, int]:
    """Return fits that cost at least as much as those of every candidate."""
    if all(own == found[0] for own in found):
        return found[0]
    totals = [_total(own) for own in found]
    for own, total in zip(found, totals, strict=True):
        if all(other <= total for other in totals):
            return {replace(cost, note="at most"): times for cost, times in own.items()}
    # None of them is dearest in every coordinate: for each step, the largest of each.
    losses: dict[tuple[str, str], list[PrivacyLoss]] = {}
    most: dict[tuple[str, str], int] = {}
    for own in found:
        counted: Counter[tuple[str, str]] = Counter()
        for cost, times in own.items():
            key = (cost.path, cost.source)
            losses.setdefault(key, []).append(cost.loss)
            counted[key] += times
        for key, times in counted.items():
            most[key] = max(most.get(key, 0), times)
    return {
        _Cost(path, source, PrivacyLoss.parallel(losses[path, source]), "at most"): times
        for (path, source), times in most.items()
    }


def _assemble(ledger: Ledger, costs: Mapping[_Cost, int], found: Structure) -> Preview:
    terms, limits, totals = ledger.standing()
    remaining = Remaining.of(terms, limits, totals, None)
    first = next(iter(costs), None)
    if limits is None:
        limits = terms.fix(first.loss if first is not None else PrivacyLoss.zero())
    spent = totals
    for cost, times in costs.items():
        spent = spent.plus(cost.loss, times)
    return Preview(
        prices=tuple(
            Price(
                path=cost.path,
                source=cost.source,
                loss=cost.loss,
                epsilon=cost.loss.to_epsilon(terms.delta),
                fits=times,
                note=cost.note,
            )
            for cost, times in costs.items()
        ),
        total=(total := _total(costs)),
        epsilon=total.to_epsilon(terms.delta),
        delta=terms.delta,
        fits_in_ceiling=limits.admit(spent),
        remaining=remaining,
        not_covered=tuple(found.not_covered),
    )


def _total(costs: Mapping[_Cost, int]) -> PrivacyLoss:
    delta = min(math.fsum(cost.loss.delta * times for cost, times in costs.items()), 1.0)
    mu_squared = math.fsum(cost.loss.mu**2 * times for cost, times in costs.items())
    epsilon = math.fsum(cost.loss.epsilon * times for cost, times in costs.items())
    return PrivacyLoss(math.sqrt(mu_squared), delta, epsilon if delta == 0 else math.inf)
