"""Choosing one of several candidates by their private scores: permute-and-flip.

Candidates are visited in random order; each is taken with probability
exp(epsilon (score - best) / range), and the visit goes round until one is. It is
epsilon-DP and never worse in expectation than the exponential mechanism (McKenna and
Sheldon 2020). The range is that of a neighbour's effect on score differences: a row
adds scores in [0, 1], so it is 1 under add-remove, where all scores move the same way
(their monotonic case), and 2 under replace-one.

Scores are exact integers and every coin is exact: Bernoulli(exp(-x)) of a rational x
by von Neumann's method as in Canonne, Kamath and Steinke (2020), Algorithm 1. How
long the coins take depends on the scores: do not let a stranger time it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ..accounting import Adjacency, PrivacyLoss, check_adjacency, pure_epsilon
from ._base import Draw, Mechanism, rounded_up
from ._random import RandomSource
from ._rows import Rows, sum_blocks

SCORE_GRID = 2.0**-26
"""Lattice of a row's scores: totals of 2^31 rows keep within 64 bits."""


@dataclass(frozen=True, kw_only=True)
class PermuteAndFlip(Mechanism):
    """Private choice of the candidate with a nearly best total score.

    Sensitivity: a row's scores are clipped to [0, 1]; the difference of two
    candidates' totals changes by at most 1 under add-remove, 2 under replace-one.
    `noise_multiplier` is 1 / epsilon.
    """

    noise: ClassVar[str] = "exponential"
    kind: ClassVar[str] = "select"
    is_sum: ClassVar[bool] = False

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the loss of pure epsilon = 1 / noise multiplier."""
        check_adjacency(adjacency)
        return PrivacyLoss.pure(1.0 / self.calibrated_noise())

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 1 / epsilon, rounded up."""
        check_adjacency(adjacency)
        if epsilon is None:
            if mu is None:
                raise ValueError("Give one of mu and epsilon.")
            epsilon = pure_epsilon(mu) * (1 - 1e-12)
        return rounded_up(1.0 / epsilon)

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        return f"{1 if adjacency == 'add-remove' else 2} (range of score differences)"

    def draw(self, row_scores: Rows, *, adjacency: Adjacency, source: RandomSource) -> Draw:
        """Choose a column of `row_scores`, of shape (n_rows, n_candidates)."""

        def part(block: np.ndarray) -> np.ndarray:
            clipped = np.trunc(np.clip(np.nan_to_num(block), 0.0, 1.0) / SCORE_GRID)
            return np.asarray(clipped.astype(np.int64).sum(axis=0))

        total = sum_blocks(row_scores, part)
        spread = 1 if adjacency == "add-remove" else 2
        # Rounded down, so that the epsilon in use is at most the one that is charged.
        epsilon = Fraction(math.nextafter(1.0 / self.calibrated_noise(), 0.0))
        rate = epsilon * Fraction(SCORE_GRID) / spread
        gaps = [int(gap) for gap in total.max() - total]
        return Draw(_permute_and_flip(gaps, rate, source))


def _permute_and_flip(gaps: list[int], rate: Fraction, source: RandomSource) -> int:
    """Return the index that is taken; `gaps` are the distances to the best score."""
    remaining = list(range(len(gaps)))
    while True:
        # Drawing without replacement visits the candidates in uniformly random order;
        # the best one is taken whenever it is met, so the loop ends.
        chosen = remaining.pop(_uniform(len(remaining), source))
        if _bernoulli_exp(rate * gaps[chosen], source):
            return chosen


def _uniform(bound: int, source: RandomSource) -> int:
    """Return an exactly uniform integer in [0, bound) for any size of bound."""
    n_words = (bound - 1).bit_length() // 64 + 1
    top = 1 << (64 * n_words)
    limit = top - top % bound
    while True:
        value = int.from_bytes(source.words(n_words).tobytes(), "little")
        if value < limit:
            return value % bound


def _bernoulli(p: Fraction, source: RandomSource) -> bool:
    return _uniform(p.denominator, source) < p.numerator


def _bernoulli_exp(x: Fraction, source: RandomSource) -> bool:
    """Return True with probability exp(-x), exactly, for x >= 0."""
    whole = x.numerator // x.denominator
    return all(_series(Fraction(1), source) for _ in range(whole)) and _series(x - whole, source)


def _series(x: Fraction, source: RandomSource) -> bool:
    k = 1
    while _bernoulli(x / k, source):
        k += 1
    return k % 2 == 1
