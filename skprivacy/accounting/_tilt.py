"""Moments of a composed loss, and the exponential tilts they lead to.

The law of the composed loss L, tilted by theta, has the density e^(theta L - K(theta)), where
K is the sum of the pieces' log moment generating functions, and the mean K'(theta).
Chernoff's bound on delta(epsilon) is e^(K(theta) - theta epsilon); it is least at the saddle
point, where K'(theta) = epsilon, and delta itself is smaller by a factor that the curvature
K'' tells. What is computed from these bounds is rigorous where it is charged; as
approximations they only choose what makes the result sharp.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from ._dots import Dots, sketch
from ._pairs import DominatingPair, FloatArray

Pieces = Sequence[tuple[DominatingPair, int]]


def _bisect_tilt(too_small: Callable[[float], bool], least: float, most: float = math.inf) -> float:
    """Return about the smallest tilt between `least` and `most` that is not too small."""
    high = least
    for _ in range(100):
        if high >= most or not too_small(high):
            break
        high *= 2.0
    low, high = high / 2.0, min(high, most)
    while high > least and high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return high


class Moments:
    """Log moment generating function of the composed loss, and its derivatives."""

    def __init__(self, parts: Sequence[Dots], counts: Sequence[int]) -> None:
        self.counts = np.asarray(counts, dtype=np.float64)
        self.starts = np.cumsum([0, *(part.mass.size for part in parts[:-1])])
        self.sizes = np.array([part.mass.size for part in parts])
        self.losses = np.concatenate([part.losses for part in parts])
        with np.errstate(divide="ignore"):
            self.log_mass = np.log(np.concatenate([part.mass for part in parts]))

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the loss."""
        return math.sqrt(max(self.cumulants(0.0)[2], 1e-300))

    @cached_property
    def least_tilt(self) -> float:
        """A tilt that makes little difference; none at all would make the charges larger."""
        return min(0.1 / self.deviation, 1.0 / float(np.abs(self.losses).max()))

    def logs(self, theta: float) -> tuple[FloatArray, FloatArray]:
        """Return log E e^(theta L) of every piece, and the tilted masses."""
        exponents = theta * self.losses + self.log_mass
        tops = np.maximum.reduceat(exponents, self.starts)
        weights = np.exp(exponents - np.repeat(tops, self.sizes))
        sums = np.add.reduceat(weights, self.starts)
        return tops + np.log(sums), weights / np.repeat(sums, self.sizes)

    def log_mgf(self, theta: float) -> float:
        """Return K(theta)."""
        return float(self.counts @ self.logs(theta)[0])

    def cumulants(self, theta: float) -> tuple[float, float, float]:
        """Return K, K' and K'' at theta."""
        logs, weights = self.logs(theta)
        means = np.add.reduceat(weights * self.losses, self.starts)
        squares = np.square(self.losses - np.repeat(means, self.sizes))
        variances = np.add.reduceat(weights * squares, self.starts)
        return (
            float(self.counts @ logs),
            float(self.counts @ means),
            float(self.counts @ variances),
        )

    def log_delta(self, theta: float) -> float:
        """Return log delta at the epsilon K'(theta), by the saddle point, approximately."""
        log_mgf, mean, variance = self.cumulants(theta)
        width = math.log1p(theta * math.sqrt(2 * math.pi * variance)) + math.log1p(theta)
        return log_mgf - theta * mean - width

    def saddle_of_delta(self, delta: float) -> float:
        """Return about the theta whose epsilon, K'(theta), has this delta."""
        target = math.log(delta)
        return self._saddle(lambda theta: self.log_delta(theta) > target)

    def saddle_of_epsilon(self, epsilon: float) -> float:
        """Return about the theta with K'(theta) = epsilon."""
        return self._saddle(lambda theta: self.cumulants(theta)[1] < epsilon)

    def _saddle(self, too_small: Callable[[float], bool]) -> float:
        """Return the least tilt that is not too small, or one that leaves little to gain.

        Where the largest losses have masses of their own, a tilt can do no more than
        gather the law in them, and theta times its deviation falls towards 0. It rises with
        theta as long as the law has a density there.
        """

        def useful(theta: float) -> bool:
            gathered = theta * math.sqrt(self.cumulants(theta)[2]) < 0.5
            return too_small(theta) and not (gathered and theta * self.deviation > 1.0)

        return _bisect_tilt(useful, self.least_tilt)

    def lazy_tilt(self, epsilon: float, limit: float) -> float:
        """Return about the least theta with K(theta) - theta epsilon <= limit.

        At most the saddle point, where the left side is least.
        """
        return _bisect_tilt(
            lambda theta: self.log_mgf(theta) - theta * epsilon > limit,
            self.least_tilt,
            self.saddle_of_epsilon(epsilon),
        )

    def end(self, theta: float, shift: float, mass: float) -> float:
        """Return a loss beyond which the law tilted by theta has at most `mass`.

        By Chernoff's bound with the parameter `shift`: above it if that is positive, else
        below it.
        """
        return (self.log_mgf(theta + shift) - self.log_mgf(theta) - math.log(mass)) / shift

    def sharp_shift(self, theta: float, sign: float, mass: float) -> float:
        """Return about the best parameter for `end`."""

        def length(shift: float) -> float:
            return sign * self.end(theta, sign * shift, mass)

        shift = 4.0 / (math.sqrt(self.cumulants(theta)[2]) + 1e-3 * self.deviation)
        best = length(shift)
        for factor in (2.0, 0.5):
            while (further := length(factor * shift)) < best - 1e-3 * abs(best):
                shift, best = factor * shift, further
        return sign * shift


def sketched_moments(pieces: Pieces, *, reversed_: bool, tail: float) -> Moments:
    """Return the moments of a composition of sketches."""
    return Moments([sketch(pair, reversed_, tail) for pair, _ in pieces], [n for _, n in pieces])


def rough_log_delta(pieces: Pieces, *, reversed_: bool, epsilon: float) -> float:
    """Return log delta of a composition at `epsilon`, to a factor of a few."""
    moments = sketched_moments(pieces, reversed_=reversed_, tail=1e-290)
    return moments.log_delta(moments.saddle_of_epsilon(epsilon))
