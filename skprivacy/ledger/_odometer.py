"""What can be read off a ledger: the ceiling, the odometer, and what remains.

Only the *ceiling* is certified whatever the analyst does. The *odometer* (`Spent`) is the
sum so far: it is a guarantee if neither the entries nor the decision to stop here depended
on noisy outputs, for an analyst who stops because of what was seen can put up to about
twice delta outside it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..accounting import PrivacyLoss, gdp_epsilon, gdp_mu
from ._ceiling import SLACK, Limits, Terms, Totals, square_up

CAVEAT = (
    "The ceiling is certified whatever was done. This is an odometer: it is a guarantee only if "
    "neither the entries nor the decision to stop depended on noisy outputs."
)
FIXED_LABEL = "if every setting was fixed beforehand"

_PLD_LEAST_DELTA = 1e-12


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The guarantee that a ledger certifies.

    Parameters
    ----------
    epsilon, delta : float
        What all charges together are certified not to pass.
    adjacency : {"add-remove", "replace-one"}
        What neighbouring data sets are.
    mu : float or None
        Side of the rectangle in Gaussian differential privacy; None until the first
        charge fixes it.
    delta_reserve : float or None
        Side of the rectangle for the charges' own delta; None until it is fixed.
    """

    epsilon: float
    delta: float
    adjacency: str
    mu: float | None
    delta_reserve: float | None

    @classmethod
    def of(cls, terms: Terms, limits: Limits | None) -> "Ceiling":
        """Return the ceiling of a ledger's terms and of its rectangle, if that is fixed."""
        return cls(
            epsilon=terms.epsilon,
            delta=terms.delta,
            adjacency=terms.adjacency,
            mu=None if limits is None else math.sqrt(limits.mu_squared),
            delta_reserve=terms.delta_reserve if limits is None else limits.delta,
        )

    def __str__(self) -> str:
        if self.epsilon == math.inf:
            return f"no ceiling (epsilon = inf), {self.adjacency} adjacency"
        return f"epsilon = {self.epsilon:.6g}, delta = {self.delta:.6g}, {self.adjacency} adjacency"


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Odometer of a ledger.

    Parameters
    ----------
    loss : PrivacyLoss
        Composed price of all charges.
    delta : float
        The ceiling's delta, at which `epsilon` is stated.
    n_entries : int
        Number of charges.
    mechanisms : tuple of dict
        All mechanisms charged so far.
    """

    loss: PrivacyLoss
    delta: float
    n_entries: int
    mechanisms: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def mu(self) -> float:
        """Root of the summed squares of mu."""
        return self.loss.mu

    @cached_property
    def epsilon(self) -> float:
        """The epsilon that the sums amount to at `delta`."""
        return self.loss.to_epsilon(self.delta)

    @cached_property
    def fixed_epsilon(self) -> float:
        """The epsilon at `delta` if every setting was fixed beforehand.

        It composes the privacy loss distributions of all mechanisms, which is tighter than
        the odometer where noise is not Gaussian, and does not hold if a setting was chosen
        after seeing a noisy output.
        """
        return min(self.epsilon, fixed_epsilon(self.mechanisms, self.delta))

    def __str__(self) -> str:
        return (
            f"epsilon = {self.epsilon:.6g} at delta = {self.delta:.6g} (mu = {self.mu:.6g}) in "
            f"{self.n_entries} entries; epsilon = {self.fixed_epsilon:.6g} {FIXED_LABEL}. {CAVEAT}"
        )


def fixed_epsilon(mechanisms: Iterable[Mapping[str, Any]], delta: float) -> float:
    """Return the epsilon at `delta` of mechanisms that were all fixed beforehand.

    Parameters
    ----------
    mechanisms : iterable of mapping
        Descriptions as in `Entry.mechanisms`: a pure mechanism counts with its epsilon
        (Laplace noise with its own curve), any other with its mu and delta.
    delta : float
        Total delta, what the mechanisms have themselves included.
    """
    laplace: Counter[float] = Counter()
    pure: Counter[float] = Counter()
    mu_squared = spent_delta = 0.0
    for mechanism in mechanisms:
        if mechanism["epsilon"] == math.inf:
            mu_squared += mechanism["mu"] ** 2
            spent_delta += mechanism["delta"]
        elif mechanism["epsilon"] > 0:
            (laplace if mechanism["noise"] == "laplace" else pure)[mechanism["epsilon"]] += 1
    rest = delta - spent_delta
    if mu_squared == math.inf or rest < 0:
        return math.inf
    if not laplace and not pure:
        return gdp_epsilon(math.sqrt(mu_squared), rest)
    if rest < _PLD_LEAST_DELTA:
        # Below this the composer's own rounding would count.
        return math.inf

    from ..accounting import PrivacyLossDistribution

    parts = [PrivacyLossDistribution.laplace(ratio) for ratio in laplace]
    parts += [PrivacyLossDistribution.pure(epsilon) for epsilon in pure]
    counts = [*laplace.values(), *pure.values()]
    if mu_squared > 0:
        parts.append(PrivacyLossDistribution.gaussian(math.sqrt(mu_squared)))
        counts.append(1)
    return float(PrivacyLossDistribution.compose(parts, counts).epsilon(rest))


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """What a ledger can still pay.

    Parameters
    ----------
    mu, delta : float
        What is left of the rectangle's sides. Until the first charge fixes the rectangle,
        the largest each can be.
    epsilon : float
        The epsilon that one more fit may have at the ceiling's delta.
    fits_like_last : float or None
        How many more charges like the last one fit; None if there was none yet.
    """

    mu: float
    delta: float
    epsilon: float
    fits_like_last: float | None

    @classmethod
    def of(
        cls, terms: Terms, limits: Limits | None, totals: Totals, last: PrivacyLoss | None
    ) -> "Remaining":
        """Return what remains of a ledger's terms after its sums."""
        if limits is None:
            reserve = terms.delta_reserve
            mu = gdp_mu(terms.epsilon, max(terms.delta - (reserve or 0.0), 0.0))
            delta = terms.reserve_default if reserve is None else reserve
            limits = Limits(square_up(mu), delta, terms.epsilon if terms.pure_route else 0.0)
        if limits.mu_squared == math.inf:
            return cls(mu=math.inf, delta=math.inf, epsilon=math.inf, fits_like_last=math.inf)
        mu = math.sqrt(max(limits.mu_squared - totals.mu_squared, 0.0))
        pure = max(limits.epsilon - totals.epsilon, 0.0) if totals.delta == 0 else 0.0
        return cls(
            mu=mu,
            delta=max(limits.delta - totals.delta, 0.0),
            epsilon=max(min(gdp_epsilon(mu, terms.delta), terms.epsilon), pure),
            fits_like_last=None if last is None else how_many(limits, totals, last),
        )

    def __str__(self) -> str:
        text = f"epsilon = {self.epsilon:.6g} (mu = {self.mu:.6g}, delta = {self.delta:.6g})"
        if self.fits_like_last is not None:
            text += f", {self.fits_like_last:.0f} more fits like the last"
        return text


def how_many(limits: Limits, totals: Totals, loss: PrivacyLoss) -> float:
    """Return how many more charges of `loss` the limits admit."""

    def room(limit: float, total: float, price: float) -> float:
        if price == 0:
            return math.inf
        return max(limit * (1 + SLACK) - total, 0.0) / price

    rectangle = min(
        room(limits.mu_squared, totals.mu_squared, square_up(loss.mu)),
        room(limits.delta, totals.delta, loss.delta),
    )
    pure = room(limits.epsilon, totals.epsilon, loss.epsilon) if totals.delta == 0 else 0.0
    count = max(rectangle, pure)
    if count == math.inf:
        return count
    whole = math.floor(count * (1 + SLACK))
    while whole > 0 and not limits.admit(totals.plus(loss, whole)):
        whole -= 1
    return whole
