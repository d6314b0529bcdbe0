"""What every mechanism is: a declared way to make one noisy release.

A mechanism is a frozen dataclass that knows its unit sensitivity under both
adjacencies, solves its own noise for a part of a budget (`calibrate`), states
its price (`loss`) and makes the release (`draw`). It enforces its sensitivity by
clipping what each row contributes, so that a wrong bound costs accuracy and
never privacy.

Noise is stated as a *multiplier*: the noise scale over the sensitivity. So a
price is known without data, even where the sensitivity grows with the number of
columns; the physical noise scale joins the receipt once the release is made.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..accounting import Adjacency, PrivacyLoss

LEAST_MULTIPLIER = 2.0**-30
"""Least noise multiplier of a sum: finer noise would fall below the grid of its total."""

GREATEST_MULTIPLIER = 2.0**400
"""Greatest noise multiplier of a sum: its square is a float, with room for columns."""


def rounded_up(value: float) -> float:
    """Return a little more than a positive quotient or product of floats: noise errs upward."""
    return math.nextafter(value, math.inf) * (1 + 2.0**-50)


def drawable_multiplier(name: str, multiplier: float) -> float:
    """Return a noise multiplier that can be drawn and is at least `multiplier`.

    Raises
    ------
    ValueError
        If there is none: the budget is too small for any release.
    """
    if not multiplier <= GREATEST_MULTIPLIER:
        raise ValueError(
            f"The budget of release {name!r} is too small: it asks for {multiplier:.3g} times "
            f"its sensitivity as noise."
        )
    return max(multiplier, LEAST_MULTIPLIER)


@dataclass(frozen=True)
class Draw:
    """One release, as it leaves a mechanism.

    Parameters
    ----------
    value : array or int
        The noisy statistic, in its own units.
    noise_scale : float, array or None
        Scale of the noise in the same units: standard deviation of Gaussian, b of
        Laplace noise; None where no noise is added to the value itself.
    """

    value: Any
    noise_scale: float | np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Mechanism(ABC):
    """A declared release.

    Parameters
    ----------
    name : str
        What is released; unique within a plan.
    share : float, default=1.0
        Part of the plan's budget, relative to the shares of the other mechanisms:
        of mu squared, or of epsilon for a pure budget (delta = 0).
    noise_multiplier : float, default=None
        Noise scale divided by sensitivity. None until `calibrate` has solved it.
    """

    name: str
    share: float = 1.0
    noise_multiplier: float | None = None

    noise: ClassVar[str]
    """Law of the noise: "gaussian", "laplace", "exponential" or another name."""

    kind: ClassVar[str]
    """How the release is asked for: "sum", "select", "solve", "step" or "reveal"."""

    is_sum: ClassVar[bool] = True
    """Whether what is released is sums plus noise, which a transcript can follow."""

    needs_delta0: ClassVar[bool] = False
    """Whether the price has a delta of its own; `calibrate` then takes ``delta0=``."""

    draw: ClassVar[Callable[..., Draw]]
    """Make the release: rows and options of the mechanism, adjacency and random source."""

    @property
    def n_draws(self) -> int:
        """Number of draws that the price covers."""
        return 1

    @abstractmethod
    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the price of this release."""

    @abstractmethod
    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return the least noise multiplier whose loss fits into `mu` or into `epsilon`."""

    @abstractmethod
    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity in words and formula, for receipts and reports."""

    def calibrate(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> Self:
        """Return a copy whose noise is solved for a budget.

        Parameters
        ----------
        adjacency : {"add-remove", "replace-one"}
        mu : float, default=None
            Budget in Gaussian differential privacy.
        epsilon : float, default=None
            Budget in pure differential privacy. Exactly one of the two is given.
        """
        return replace(self, noise_multiplier=self.solve_noise(adjacency, mu=mu, epsilon=epsilon))

    def calibrated_noise(self) -> float:
        """Return `noise_multiplier`, or raise if it was never solved."""
        if self.noise_multiplier is None:
            raise ValueError(
                f"Mechanism {self.name!r} is not calibrated yet. Call calibrate first."
            )
        return self.noise_multiplier

    def describe(self, adjacency: Adjacency) -> dict[str, Any]:
        """Return a plain description for ledgers, receipts and reports."""
        loss = self.loss(adjacency)
        return {
            "name": self.name,
            "mechanism": type(self).__name__,
            "noise": self.noise,
            "sensitivity": self.unit_sensitivity(adjacency),
            "noise_multiplier": self.noise_multiplier,
            "mu": loss.mu,
            "delta": loss.delta,
            "epsilon": loss.epsilon,
        }
