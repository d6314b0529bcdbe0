"""The only way out of the private rows during a fit.

A fit holds a `Release` made from the plan that was charged; it draws what the plan declares,
as often as was paid for, and refuses all else.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from ..accounting import Adjacency
from ..exceptions import ReleaseError
from ..mechanisms import Mechanism, RandomSource, Rows
from ..plan import Facts, Plan


class Release:
    """The only way out of the private rows during a fit.

    Every release has to be declared in the plan and can be drawn once, or as often as its
    mechanism was priced for.

    Parameters
    ----------
    plan : Plan
        The plan that was charged.
    facts : Facts
        The public facts it was made from.
    source : RandomSource
        Where the noise's random words come from.
    extends : bool, default=False
        Whether the fit adds rows to an earlier one (`partial_fit`).
    """

    def __init__(
        self, plan: Plan, facts: Facts, source: RandomSource, *, extends: bool = False
    ) -> None:
        self._plan = plan
        self.facts = facts
        self.extends = extends
        self._source = source
        self._mechanisms = {mechanism.name: mechanism for mechanism in plan.mechanisms}
        self._waiting = {mechanism.name: mechanism.n_draws for mechanism in plan.mechanisms}
        self.noise_scales: dict[str, Any] = {}

    @property
    def adjacency(self) -> Adjacency:
        """Adjacency under which the plan was priced."""
        return self._plan.adjacency

    def mechanism(self, name: str) -> Mechanism:
        """Return the calibrated mechanism called `name`, drawn or not."""
        if name not in self._mechanisms:
            raise ReleaseError(f"Release {name!r} is not declared in the plan.")
        return self._mechanisms[name]

    def sum(self, name: str, rows: Rows, **options: Any) -> np.ndarray:
        """Release a noisy sum over rows (an array, or a function that yields blocks)."""
        return np.asarray(self._draw("sum", name, rows, **options))

    def select(self, name: str, row_scores: Rows, **options: Any) -> int:
        """Release the index of a candidate with a high total of `row_scores`."""
        return int(self._draw("select", name, row_scores, **options))

    def solve(self, name: str, *rows: Any, **options: Any) -> Any:
        """Run a mechanism that owns its solver, such as objective perturbation."""
        return self._draw("solve", name, *rows, **options)

    def step(self, name: str, *rows: Any, **options: Any) -> Any:
        """Draw once from a mechanism whose price covers a number of draws."""
        return self._draw("step", name, *rows, **options)

    def reveal(self, name: str, value: Any) -> Any:
        """Release a value as it is, where the plan says that there is no guarantee."""
        return self._draw("reveal", name, value)

    def coins(self, n: int, probability: float) -> np.ndarray:
        """Return independent secret coins, True with this probability, one for each row.

        They are no release and cost nothing. A row's own coin may decide what the row is
        used for: neighbours then agree on the coins of all rows they share.
        """
        words = self._source.words(n)
        threshold = min(math.floor(Fraction(probability) * 2**64), 2**64 - 1)
        return np.asarray(words < np.uint64(threshold))

    def _draw(self, kind: str, name: str, *args: Any, **options: Any) -> Any:
        mechanism = self.mechanism(name)
        if self._waiting[name] == 0:
            if mechanism.n_draws > 1:
                raise ReleaseError(
                    f"Release {name!r} was drawn {mechanism.n_draws} times, which is all that is "
                    "paid for."
                )
            raise ReleaseError(
                f"Release {name!r} was drawn already; a second draw is not paid for."
            )
        if mechanism.kind != kind:
            raise ReleaseError(
                f"Release {name!r} is declared as a {mechanism.kind!r}, not a {kind!r}."
            )
        # Spent even if drawing fails: a second attempt would be a second look.
        self._waiting[name] -= 1
        draw = mechanism.draw(*args, adjacency=self.adjacency, source=self._source, **options)
        if draw.noise_scale is not None:
            self.noise_scales[name] = draw.noise_scale
        return draw.value
