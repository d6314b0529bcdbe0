"""What is charged: a plan, a price or a budget, with its description for the ledger."""

import math
from dataclasses import dataclass, field
from typing import Any

from ..accounting import PrivacyLoss
from ..plan import Plan
from ._ceiling import Limits, Terms, Totals
from ._events import plain


@dataclass(frozen=True, kw_only=True)
class Charge:
    """A price, what it is for, and what the ledger writes of it (`record`)."""

    loss: PrivacyLoss
    source: str
    mechanisms: list[dict[str, Any]]
    adjacency: str | None = None
    assumptions: tuple[str, ...] = ()
    reproducible: bool = False
    unknown_form: bool = False
    record: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Made here, so that the transaction has less to do.
        record = {
            "source": self.source,
            "mechanisms": self.mechanisms,
            "mu": self.loss.mu,
            "delta": self.loss.delta,
            "epsilon": self.loss.epsilon,
            "reproducible": self.reproducible,
            "assumptions": self.assumptions,
        }
        object.__setattr__(self, "record", plain(record))

    @classmethod
    def of_plan(cls, plan: Plan, source: str | None) -> "Charge":
        """Return the charge of a plan."""
        return cls(
            loss=plan.loss,
            source=source or plan.source,
            mechanisms=[mechanism.describe(plan.adjacency) for mechanism in plan.mechanisms],
            adjacency=plan.adjacency,
            assumptions=tuple(plan.assumptions),
            reproducible=plan.reproducible,
        )

    @classmethod
    def of_loss(
        cls,
        loss: PrivacyLoss,
        source: str,
        *,
        noise: str = "unknown",
        unknown_form: bool = False,
    ) -> "Charge":
        """Return the charge of a declared price."""
        mechanism = {
            "name": source,
            "mechanism": "declared",
            "noise": noise,
            "sensitivity": "declared",
            "noise_multiplier": None,
            "mu": loss.mu,
            "delta": loss.delta,
            "epsilon": loss.epsilon,
        }
        return cls(
            loss=loss,
            source=source,
            mechanisms=[mechanism],
            unknown_form=unknown_form,
        )

    @classmethod
    def of(
        cls,
        what: Plan | PrivacyLoss | None,
        *,
        epsilon: float | None,
        delta: float,
        mu: float | None,
        source: str | None,
    ) -> "Charge":
        """Return the charge that the arguments of `PrivacyAccountant.spend` ask for."""
        given = [value for value in (what, epsilon, mu) if value is not None]
        if len(given) != 1:
            raise ValueError(
                "spend takes exactly one of a plan or loss, epsilon=, and mu=. "
                f"Got {len(given)} of them."
            )
        if what is not None and delta != 0:
            raise ValueError("A plan or loss has its own delta: leave delta= out.")
        if isinstance(what, Plan):
            return cls.of_plan(what, source)
        if isinstance(what, PrivacyLoss):
            return cls.of_loss(what, source or "release")
        if mu is not None:
            # The release of nothing has a pure epsilon too: 0.
            loss = PrivacyLoss(float(mu), float(delta)) if mu or delta else PrivacyLoss.zero()
            return cls.of_loss(loss, source or "release", noise="gaussian")
        if epsilon is not None:
            loss = PrivacyLoss.approximate(float(epsilon), float(delta))
            noise = "unknown" if delta else "pure"
            return cls.of_loss(loss, source or "release", noise=noise, unknown_form=True)
        raise TypeError(
            f"spend takes a Plan or a PrivacyLoss. Got an object of type {type(what).__name__}."
        )


def no_guarantee(loss: PrivacyLoss) -> bool:
    """Whether a price is infinite: a release without any guarantee."""
    return loss.mu == math.inf and loss.epsilon == math.inf


def refusal(terms: Terms, limits: Limits, totals: Totals, charge: Charge) -> str:
    """Return why a charge passes the ceiling, and what can be done."""
    loss, source = charge.loss, charge.source
    if no_guarantee(loss):
        return (
            f"{source} has no privacy guarantee (its loss is infinite), and a ledger with the "
            f"ceiling epsilon = {terms.epsilon:.6g} can't pay that. Nothing was charged. Give it "
            "an epsilon, epsilon=, if it has a private mode; or give it an accountant without a "
            "ceiling, PrivacyAccountant(epsilon=inf), which records what has no guarantee."
        )
    left_mu = math.sqrt(max(limits.mu_squared - totals.mu_squared, 0.0))
    left_delta = max(limits.delta - totals.delta, 0.0)
    price = [f"mu = {loss.mu:.6g}"]
    left = [f"mu = {left_mu:.6g}"]
    if loss.delta > 0:
        price.append(f"delta = {loss.delta:.6g}")
        left.append(f"delta = {left_delta:.6g}")
    if loss.epsilon < math.inf and limits.epsilon > 0 and totals.delta == 0:
        price.append(f"pure epsilon = {loss.epsilon:.6g}")
        left.append(f"pure epsilon = {max(limits.epsilon - totals.epsilon, 0.0):.6g}")
    text = (
        f"{source} would pass the ceiling epsilon = {terms.epsilon:.6g}, "
        f"delta = {terms.delta:.6g}: it costs {', '.join(price)}, and {', '.join(left)} is left. "
        "Nothing was charged. "
    )
    if loss.delta > left_delta and totals.plus(loss).mu_squared <= limits.mu_squared:
        return text + (
            "It has a delta of its own, and the part of delta set aside for that was fixed with "
            "the first charge; open a ledger with delta_reserve= to choose it."
        )
    if charge.unknown_form:
        return text + (
            "A budget of unknown form is charged as its pure epsilon's mu. If its noise is "
            "Gaussian, spend(mu=sensitivity / noise_scale) costs less."
        )
    return text + (
        "Use a smaller epsilon, see accountant.remaining, or share out what is left with "
        "accountant.allocate."
    )
