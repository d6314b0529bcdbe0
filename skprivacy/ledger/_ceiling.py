"""The ceiling: a rectangle in (mu squared, delta), fixed before any noisy output exists.

A ceiling (epsilon, delta) is split once into delta = delta_g + delta_r, and from then on a
charge is accepted if and only if

    sum mu_i^2 <= gdp_mu(epsilon, delta_g)^2    and    sum delta_i <= delta_r,

or, on a second route, if every delta_i is 0 and sum epsilon_i <= epsilon. Both stay valid
however the analyst chooses releases after seeing earlier ones; re-solving the split on
running sums does not (docs/theory/ledger.md has the proof and the attack).

Sums are rounded up. They are compared with a relative slack of 1e-12, the accuracy to
which (epsilon, delta) converts to mu, so that ten charges of a tenth fit.
"""

import math
from dataclasses import dataclass

from ..accounting import PrivacyLoss, gdp_delta, gdp_mu

SLACK = 1e-12
"""Relative slack of every comparison with the ceiling."""

RESERVED_PART = 0.1
"""Part of delta set aside for the charges' own delta, where nothing else decides."""


def add_up(first: float, second: float) -> float:
    """Return first + second, rounded up; exact where the sum is a float."""
    total = first + second
    if not math.isfinite(total):
        return total
    # Knuth's two-sum: the exact error of the addition.
    back = total - first
    error = (first - (total - back)) + (second - back)
    return math.nextafter(total, math.inf) if error > 0 else total


def square_up(mu: float) -> float:
    """Return mu squared, rounded up."""
    square = mu * mu
    return square if mu == 0 or square == math.inf else math.nextafter(square, math.inf)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the charges of a ledger, each rounded up."""

    mu_squared: float = 0.0
    delta: float = 0.0
    epsilon: float = 0.0

    def plus(self, loss: PrivacyLoss, times: int = 1) -> "Totals":
        """Return the sums after `times` charges of `loss`."""
        if times == 0:
            return self
        scale = 1.0 if times == 1 else times * (1 + 2.0**-52)
        return Totals(
            add_up(self.mu_squared, square_up(loss.mu) * scale),
            add_up(self.delta, loss.delta * scale),
            add_up(self.epsilon, loss.epsilon * scale),
        )

    @property
    def loss(self) -> PrivacyLoss:
        """The sums as one composed loss."""
        delta = min(self.delta, 1.0)
        epsilon = self.epsilon if delta == 0 else math.inf
        return PrivacyLoss(math.sqrt(self.mu_squared), delta, epsilon)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the sums may reach: the rectangle (mu_squared, delta), and pure epsilon."""

    mu_squared: float
    delta: float
    epsilon: float

    def rectangle_admits(self, totals: Totals) -> bool:
        """Whether the sums lie in the rectangle."""
        return totals.mu_squared <= self.mu_squared * (1 + SLACK) and totals.delta <= self.delta * (
            1 + SLACK
        )

    def pure_admits(self, totals: Totals) -> bool:
        """Whether the sums are those of a pure epsilon-DP composition under the limit."""
        return totals.delta == 0 and totals.epsilon <= self.epsilon * (1 + SLACK)

    def admit(self, totals: Totals) -> bool:
        """Whether either route accepts the sums."""
        return self.rectangle_admits(totals) or self.pure_admits(totals)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a ledger was opened with.

    Parameters
    ----------
    epsilon, delta : float
        The ceiling.
    adjacency : str
        What neighbours are.
    delta_reserve : float or None
        The part delta_r of delta, where the user chose it.
    reserve_default : float
        delta_r where neither the user nor the first charge decides it.
    reserve_most : float
        Largest delta_r the first charge may ask for.
    pure_route : bool
        Whether the pure route is open. It is closed for a ledger that another one has
        paid for in mu.
    """

    epsilon: float
    delta: float
    adjacency: str
    delta_reserve: float | None
    reserve_default: float
    reserve_most: float
    pure_route: bool = True

    @classmethod
    def of_ceiling(
        cls, epsilon: float, delta: float, adjacency: str, delta_reserve: float | None
    ) -> "Terms":
        """Return the terms of a ledger of its own."""
        return cls(epsilon, delta, adjacency, delta_reserve, delta * RESERVED_PART, delta)

    @classmethod
    def of_allowance(
        cls, epsilon: float, delta: float, adjacency: str, delta_reserve: float | None, paid: float
    ) -> "Terms":
        """Return the terms of a ledger that another one has paid for, delta_r included."""
        return cls(epsilon, delta, adjacency, delta_reserve, paid, paid, pure_route=delta == 0)

    def limits(self, reserve: float) -> Limits:
        """Return the limits that go with delta_r = `reserve`."""
        if self.epsilon == math.inf:
            return Limits(math.inf, math.inf, math.inf)
        mu = gdp_mu(self.epsilon, max(self.delta - reserve, 0.0))
        return Limits(square_up(mu), reserve, self.epsilon if self.pure_route else 0.0)

    def fix(self, first: PrivacyLoss) -> Limits:
        """Return the limits that the first charge fixes, from its price alone.

        delta_r is `delta_reserve` where given, else the smaller of `reserve_default` and
        the largest value that still admits the charge, but never less than the charge's
        own delta. So one estimator with the ceiling's own (epsilon, delta) fits.
        """
        if self.delta_reserve is not None or self.epsilon == math.inf:
            return self.limits(self.delta_reserve or 0.0)
        spare = self.delta - gdp_delta(first.mu, self.epsilon)
        least = min(first.delta, self.reserve_most)
        totals = Totals().plus(first)
        # The difference may be off by a rounding where the charge takes all of mu.
        for reserve in (max(min(self.reserve_default, spare), least), least):
            limits = self.limits(reserve)
            if limits.rectangle_admits(totals):
                return limits
        return self.limits(self.reserve_default)


def allowance_prices(
    epsilon: float, delta: float, delta_reserve: float | None
) -> tuple[PrivacyLoss, ...]:
    """Return what a ledger may pay for another with the ceiling (epsilon, delta).

    The first price admits every use of the inner ledger, charges with a delta of their own
    up to a hundredth included; the second admits none of those and is for an outer ledger
    that has no delta to spare.
    """
    if delta == 0:
        return (PrivacyLoss.pure(epsilon),)
    if delta_reserve is not None:
        return (PrivacyLoss(gdp_mu(epsilon, max(delta - delta_reserve, 0.0)), delta_reserve),)
    mu = gdp_mu(epsilon, delta)
    return PrivacyLoss(mu, delta / 100), PrivacyLoss(mu)
