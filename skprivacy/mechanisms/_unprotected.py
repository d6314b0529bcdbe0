"""The release of something as it is: for estimators that have no guarantee.

Not everything that lowers leakage is differentially private. An estimator whose model
leaves the rows without noise declares that too, as a release of infinite loss: so its
receipt, the ledger and a ceiling treat it as what it is.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..accounting import Adjacency, PrivacyLoss, check_adjacency
from ._base import Draw, Mechanism
from ._random import RandomSource


@dataclass(frozen=True, kw_only=True)
class Unprotected(Mechanism):
    """A value computed on the rows, released without noise. Its loss is infinite."""

    noise: ClassVar[str] = "no"
    kind: ClassVar[str] = "reveal"

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the infinite loss, whatever the budget."""
        check_adjacency(adjacency)
        return PrivacyLoss.none()

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 0: there is no noise."""
        check_adjacency(adjacency)
        return 0.0

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return that nothing bounds it."""
        check_adjacency(adjacency)
        return "unbounded"

    def draw(self, value: Any, *, adjacency: Adjacency, source: RandomSource) -> Draw:
        """Release `value` itself."""
        check_adjacency(adjacency)
        return Draw(value)
