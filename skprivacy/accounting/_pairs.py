"""Dominating pairs: the releases whose composition is computed numerically.

A pair (P, Q) dominates a release when no two neighbours' outputs are told apart more
easily than P and Q. It is known by its curve

    H(epsilon) = sup_S [P(S) - e^epsilon Q(S)],    epsilon >= 0,

and by the curve of the reversed pair, which is all there is at negative epsilon:
H(-epsilon) = 1 - e^-epsilon + e^-epsilon H_reversed(epsilon). Curves, unlike densities,
need no grid and no truncation, keep their relative accuracy in the tail, and are closed
forms for the releases here (Zhu, Dong and Wang 2022, "Optimal accounting of differential
privacy via characteristic function", for dominating pairs).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ._gdp import gdp_delta

FloatArray = NDArray[np.float64]
Curve = Callable[[FloatArray], FloatArray]

CURVE_ACCURACY = 1e-12
"""Relative error that the curves of this module stay below."""

# Candidates for where a curve ends; neighbours differ by an eighth.
_ENDS = np.geomspace(1e-9, 1e9, 360)


@dataclass(frozen=True)
class DominatingPair(ABC):
    """A pair known by its curve in both directions."""

    @property
    def symmetric(self) -> bool:
        """Whether the reversed pair has the same curve."""
        return True

    @abstractmethod
    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return H at every `epsilon` >= 0, or that of the reversed pair."""

    def largest_loss(self, *, reversed_: bool = False) -> float:
        """Return where the curve reaches zero; infinity if it never does."""
        return math.inf


@dataclass(frozen=True)
class Gaussian(DominatingPair):
    """N(mu, 1) against N(0, 1)."""

    mu: float

    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return `gdp_delta`."""
        return np.asarray(gdp_delta(self.mu, epsilon))


@dataclass(frozen=True)
class Laplace(DominatingPair):
    """Laplace noise of scale 1, moved by `ratio`."""

    ratio: float

    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return 1 - e^((epsilon - ratio) / 2)."""
        return -np.expm1(np.minimum(epsilon - self.ratio, 0.0) / 2)

    def largest_loss(self, *, reversed_: bool = False) -> float:
        """Return the ratio."""
        return self.ratio


@dataclass(frozen=True)
class RandomizedResponse(DominatingPair):
    """A coin that is right with probability 1 / (1 + e^-epsilon): the worst pure release."""

    epsilon: float

    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return P(right) - e^epsilon P(wrong)."""
        gap = np.minimum(epsilon - self.epsilon, 0.0)
        return -float(expit(self.epsilon)) * np.expm1(gap)

    def largest_loss(self, *, reversed_: bool = False) -> float:
        """Return epsilon."""
        return self.epsilon


@dataclass(frozen=True)
class SubsampledGaussian(DominatingPair):
    """(1 - q) N(0, 1) + q N(mu, 1) against N(0, 1): one record more, taken with probability q.

    Both directions are amplified Gaussians: with R = N(mu, 1),
    (1 - q) Q + q R - e^epsilon Q = q (R - (1 + (e^epsilon - 1) / q) Q), and
    Q - e^epsilon ((1 - q) Q + q R) is a multiple of Q - gamma R likewise.
    """

    sampling_rate: float
    mu: float

    @property
    def symmetric(self) -> bool:
        """Whether the reversed pair has the same curve: it does not."""
        return False

    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return the curve of the mixture against N(0, 1), or of N(0, 1) against it."""
        q = self.sampling_rate
        if not reversed_:
            return q * np.asarray(gdp_delta(self.mu, _amplified(q, epsilon)))
        # Where e^epsilon (1 - q) passes 1 nothing is left. Just below, what is left has few
        # digits: epsilon is lowered by some roundings, which errs upwards.
        lowered = np.minimum(epsilon, 1.0 + self.largest_loss(reversed_=True)) * (1.0 - 2.0**-50)
        used = (1.0 - q) / q * np.expm1(lowered)
        inside = used < 1
        result = np.zeros_like(used)
        log_ratio = lowered[inside] - np.log1p(-used[inside])
        result[inside] = q * (1.0 - used[inside]) * gdp_delta(self.mu, log_ratio)
        return result

    def largest_loss(self, *, reversed_: bool = False) -> float:
        """Return -log(1 - q) for the reversed pair."""
        return -math.log1p(-self.sampling_rate) if reversed_ else math.inf


@dataclass(frozen=True)
class SubsampledReplacement(DominatingPair):
    """A bound on one record replaced by another under Poisson sampling and Gaussian noise.

    The outputs are P = (1 - q) F + q F_u and Q = (1 - q) F + q F_v, where F is the output
    without the record, and F_u, F_v are moved by its two contributions, each of norm at most
    mu noise scales. With gamma = 1 + (e^epsilon - 1) / q and beta = e^epsilon / gamma,

        P - e^epsilon Q = q (F_u - gamma ((1 - beta) F + beta F_v)),

    (advanced joint convexity; Balle, Barthe and Gaboardi 2018, Theorem 2), so that by
    convexity H(epsilon) <= q [(1 - beta) delta_mu + beta delta_2mu](log gamma).

    The bound is convex in e^epsilon, as the curve of a pair has to be: for fixed events S, T
    of the two terms it is linear in gamma plus (1 - q) (F_u(T) - F_u(S)) / gamma, and the
    best events have F_u(T) >= F_u(S); across epsilon = 0, where the curve goes on by symmetry
    (u and v are of one kind), its slope rises because 2 Phi(mu / 2) >= Phi(mu) + 1 / 2.
    """

    sampling_rate: float
    mu: float

    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return the bound, the same in both directions."""
        q = self.sampling_rate
        log_gamma = _amplified(q, epsilon)
        beta = q + (1.0 - q) * np.exp(-log_gamma)
        rest = (1.0 - q) * -np.expm1(-log_gamma)
        near = np.asarray(gdp_delta(self.mu, log_gamma))
        far = np.asarray(gdp_delta(2.0 * self.mu, log_gamma))
        return np.asarray(q * (rest * near + beta * far))


def _amplified(q: float, epsilon: FloatArray) -> FloatArray:
    """Return log(1 + (e^epsilon - 1) / q) without overflow."""
    with np.errstate(over="ignore"):
        small = np.log1p(np.expm1(epsilon) / q)
    large = epsilon - math.log(q) + np.log1p(-(1.0 - q) * np.exp(-epsilon))
    return np.asarray(np.where(epsilon < 1.0, small, large))


@dataclass(frozen=True)
class GivenCurve(DominatingPair):
    """A pair known by functions for its two curves."""

    forward: Curve
    backward: Curve

    @property
    def symmetric(self) -> bool:
        """Whether one function was given for both directions."""
        return self.forward is self.backward

    def curve(self, epsilon: FloatArray, *, reversed_: bool = False) -> FloatArray:
        """Return what the function says."""
        return checked_curve(self.backward if reversed_ else self.forward, epsilon)


def checked_curve(curve: Curve, epsilon: FloatArray) -> FloatArray:
    """Return a given curve's values, or raise ValueError if they can't be those of one."""
    values = np.asarray(curve(epsilon), dtype=np.float64)
    if values.shape != epsilon.shape or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            "A privacy curve must return, for an array of epsilon >= 0, an array of the same "
            "shape with values in [0, 1]."
        )
    return values


def curve_end(curve: Curve, level: float) -> float:
    """Return an epsilon from which a nonincreasing curve is at most `level`.

    It is at most an eighth above the least one. A curve that never comes so low is
    followed to where it has become flat.
    """
    values = curve(_ENDS)
    level = max(level, float(values[-1]) * (1.0 + 1e-9))
    return float(_ENDS[np.argmax(values <= level)])
