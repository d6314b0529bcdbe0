"""Numerical composition: what releases cost together if all were fixed beforehand.

The fold of `PrivacyLoss` is exact for Gaussian releases and valid whatever is decided on
the way, but pure and subsampled releases lose some of their form in it. Where every
setting was fixed before the first noisy output, the composed curve itself may be used,
and is often noticeably lower. It is no ground for accepting or refusing a release whose
settings depend on earlier outputs (Honkela et al. 2026).

Every figure here is an upper bound: what grid, truncation and rounding can do is charged
to delta, as `_convolution` describes.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ._adjacency import Adjacency, check_adjacency
from ._checks import check_number
from ._convolution import Composition
from ._pairs import (
    Curve,
    DominatingPair,
    FloatArray,
    Gaussian,
    GivenCurve,
    Laplace,
    RandomizedResponse,
    SubsampledGaussian,
    SubsampledReplacement,
)
from ._tilt import rough_log_delta

_LEAST_DELTA = 1e-280


def check_subsampling(
    sampling_rate: float, noise_multiplier: float, n_steps: int
) -> tuple[float, float, int]:
    """Return the parameters of a Poisson-subsampled Gaussian, or raise ValueError."""
    q = check_number("sampling_rate", sampling_rate, 1)
    sigma = check_number("noise_multiplier", noise_multiplier)
    if n_steps < 0 or n_steps != int(n_steps):
        raise ValueError(
            f"n_steps must be an integer in the range [0, inf). Got {n_steps} instead."
        )
    return q, sigma, int(n_steps)


@dataclass(frozen=True)
class PrivacyLossDistribution:
    """The composition of releases fixed beforehand, each known by a dominating pair.

    Made by the constructors `gaussian`, `laplace`, `pure`, `subsampled_gaussian` and
    `from_delta_curve`, and combined by `compose` and `power`; nothing is computed before
    `delta`, `epsilon` or `curve` is asked for. Gaussians are folded exactly.

    Parameters
    ----------
    pieces : tuple of (pair, int), default=()
        Dominating pairs, and how often each is composed.
    infinity : float, default=0.0
        Probability of an infinite loss, beside that of the pieces.

    References
    ----------
    Koskela, Jälkö and Honkela (2020), "Computing tight differential privacy guarantees
    using FFT"; Doroshenko et al. (2022), "Connect the dots: tighter discrete
    approximations of privacy loss distributions".

    Examples
    --------
    >>> from skprivacy.accounting import PrivacyLossDistribution
    >>> fifty = PrivacyLossDistribution.laplace(0.1).power(50)
    >>> round(fifty.epsilon(1e-6), 3)
    3.121
    """

    pieces: tuple[tuple[DominatingPair, int], ...] = ()
    infinity: float = 0.0

    @classmethod
    def _of(cls, pair: DominatingPair, size: float) -> "PrivacyLossDistribution":
        """Return a single piece; nothing for size 0, no guarantee for an infinite one."""
        if size == 0:
            return cls()
        return cls((), 1.0) if size == math.inf else cls(((pair, 1),))

    @classmethod
    def gaussian(cls, mu: float) -> "PrivacyLossDistribution":
        """Return that of Gaussian noise, or of any mu-GDP release.

        Parameters
        ----------
        mu : float
            L2 sensitivity over noise scale.
        """
        mu = check_number("mu", mu)
        return cls._of(Gaussian(mu), mu)

    @classmethod
    def laplace(cls, ratio: float) -> "PrivacyLossDistribution":
        """Return that of Laplace noise on one number.

        Parameters
        ----------
        ratio : float
            L1 sensitivity over noise scale.
        """
        ratio = check_number("ratio", ratio)
        return cls._of(Laplace(ratio), ratio)

    @classmethod
    def pure(cls, epsilon: float, delta: float = 0.0) -> "PrivacyLossDistribution":
        """Return one that dominates every (epsilon, delta)-DP release.

        Parameters
        ----------
        epsilon : float
            In [0, inf].
        delta : float, default=0.0
            In [0, 1].
        """
        epsilon, delta = check_number("epsilon", epsilon), check_number("delta", delta, 1)
        finite = cls._of(RandomizedResponse(epsilon), epsilon)
        return cls(finite.pieces, max(finite.infinity, delta))

    @classmethod
    def subsampled_gaussian(
        cls,
        sampling_rate: float,
        noise_multiplier: float,
        n_steps: int = 1,
        adjacency: Adjacency = "add-remove",
    ) -> "PrivacyLossDistribution":
        """Return that of Gaussian noise on Poisson samples.

        Parameters
        ----------
        sampling_rate : float
            Probability of each row to take part in a step, independently.
        noise_multiplier : float
            Noise scale over the largest L2 norm of what one row adds to a step's sum.
        n_steps : int, default=1
        adjacency : {"add-remove", "replace-one"}, default="add-remove"
            Under replace-one the distribution is an upper bound.
        """
        replaced = check_adjacency(adjacency) == "replace-one"
        q, sigma, n_steps = check_subsampling(sampling_rate, noise_multiplier, n_steps)
        mu = 1.0 / sigma if sigma > 0 else math.inf
        if q == 1:
            return cls.gaussian(2.0 * mu if replaced else mu).power(n_steps)
        if n_steps > 0 and q > 0 and mu == math.inf:
            return cls((), -math.expm1(n_steps * math.log1p(-q)))
        pair = SubsampledReplacement(q, mu) if replaced else SubsampledGaussian(q, mu)
        return cls._of(pair, q * mu).power(n_steps)

    @classmethod
    def from_delta_curve(
        cls, forward: Curve, backward: Curve | None = None
    ) -> "PrivacyLossDistribution":
        """Return that of a release known by its curves delta(epsilon).

        Parameters
        ----------
        forward : callable
            For an array of epsilon >= 0, an array of delta(epsilon): what the output under
            the one data set exceeds e^epsilon times that under the other by, at most.
            Nonincreasing, convex in e^epsilon, relative error below 1e-12.
        backward : callable, default=None
            The same with the data sets exchanged. None: the same function.
        """
        return cls(((GivenCurve(forward, forward if backward is None else backward), 1),))

    @classmethod
    def compose(
        cls,
        distributions: Iterable["PrivacyLossDistribution"],
        counts: Iterable[int] | None = None,
    ) -> "PrivacyLossDistribution":
        """Return the composition of several.

        Parameters
        ----------
        distributions : iterable of PrivacyLossDistribution
        counts : iterable of int, default=None
            How often each is composed. None: once.

        Raises
        ------
        ValueError
            If `counts` has another length or a negative entry.
        """
        parts = tuple(distributions)
        times = (1,) * len(parts) if counts is None else tuple(counts)
        if len(times) != len(parts) or any(n < 0 or n != int(n) for n in times):
            raise ValueError(
                f"counts must give a non-negative integer for each of {len(parts)} distributions. "
                f"Got {times} instead."
            )
        merged: dict[DominatingPair, int] = {}
        for part, n in zip(parts, times, strict=True):
            for pair, count in part.pieces:
                merged[pair] = merged.get(pair, 0) + int(n) * count
        mus = [p.mu * math.sqrt(n) for p, n in merged.items() if isinstance(p, Gaussian)]
        pieces = [(p, n) for p, n in merged.items() if n > 0 and not isinstance(p, Gaussian)]
        mu = math.hypot(*mus)
        if mu > 0:
            pieces.insert(0, (Gaussian(mu), 1))
        if any(n > 0 and part.infinity == 1 for part, n in zip(parts, times, strict=True)):
            return cls((), 1.0)
        log_finite = math.fsum(
            n * math.log1p(-part.infinity) for part, n in zip(parts, times, strict=True) if n > 0
        )
        return cls(tuple(pieces), -math.expm1(log_finite))

    def power(self, n: int) -> "PrivacyLossDistribution":
        """Return the composition of `n` copies.

        Parameters
        ----------
        n : int

        Returns
        -------
        PrivacyLossDistribution
        """
        return self.compose((self,), (n,))

    def delta(self, epsilon: float, *, grid: float | None = None) -> float:
        """Return an upper bound on delta at `epsilon`.

        Parameters
        ----------
        epsilon : float
            In [0, inf].
        grid : float, default=None
            Spacing of the grid of losses. None: such that the grid adds about a millionth
            to the variance of the composed loss.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        epsilon = check_number("epsilon", epsilon)
        worst = max((self._finite_delta(epsilon, way, grid) for way in self._ways()), default=0.0)
        return min(self.infinity + (1.0 - self.infinity) * worst, 1.0)

    def epsilon(self, delta: float, *, grid: float | None = None) -> float:
        """Return an upper bound on epsilon at `delta`.

        Parameters
        ----------
        delta : float
            In [0, 1].
        grid : float, default=None
            As in `delta`.

        Returns
        -------
        float
            Infinity where `delta` is below the probability of an infinite loss.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        rest = check_number("delta", delta, 1) - self.infinity
        if rest < 0:
            return math.inf
        if rest == 0:
            return max((self._largest_loss(way) for way in self._ways()), default=0.0)
        rest = min(rest / (1.0 - self.infinity), 1.0)
        return max((self._finite_epsilon(rest, way, grid) for way in self._ways()), default=0.0)

    def curve(self, smallest_delta: float, *, grid: float | None = None) -> Curve:
        """Return a function that bounds delta(epsilon) in both directions.

        Parameters
        ----------
        smallest_delta : float
            The bound stays sharp down to about this delta.
        grid : float, default=None
            As in `delta`.

        Returns
        -------
        callable
            For an array of epsilon >= 0, an array of upper bounds.

        Raises
        ------
        ValueError
            If `smallest_delta` is not in (0, 1].
        """
        smallest_delta = check_number("smallest_delta", smallest_delta, 1, above_zero=True)
        # Each tilt's bound is sharp about its own delta, and every one is valid everywhere.
        targets = [max(smallest_delta, _LEAST_DELTA)]
        while targets[-1] < 1e-5:
            targets.append(math.sqrt(targets[-1]))
        functions = []
        for way in self._ways():
            exact = self._exact_curve(way)
            if exact is not None:
                functions.append([exact])
                continue
            composition = self._composition(way, targets[0], grid)
            functions.append([composition.bound_for_delta(target).delta for target in targets])
        return partial(_largest_of_least, functions, self.infinity)

    def _ways(self) -> tuple[bool, ...]:
        """Return the directions in which the pieces differ: reversed or not."""
        if not self.pieces:
            return ()
        return (False,) if all(pair.symmetric for pair, _ in self.pieces) else (False, True)

    def _largest_loss(self, way: bool) -> float:
        return math.fsum(n * pair.largest_loss(reversed_=way) for pair, n in self.pieces)

    def _exact_curve(self, way: bool) -> Curve | None:
        """Return the curve where there is nothing to compose."""
        if len(self.pieces) == 1 and self.pieces[0][1] == 1:
            return partial(self.pieces[0][0].curve, reversed_=way)
        return None

    def _composition(self, way: bool, delta: float, grid: float | None) -> Composition:
        if grid is not None:
            grid = check_number("grid", grid, above_zero=True, below_most=True)
        return Composition(self.pieces, reversed_=way, smallest_delta=delta, step=grid)

    def _finite_delta(self, epsilon: float, way: bool, grid: float | None) -> float:
        if epsilon >= self._largest_loss(way):
            return 0.0
        exact = self._exact_curve(way)
        if exact is not None:
            return float(exact(np.array([epsilon]))[0])
        guess = rough_log_delta(self.pieces, reversed_=way, epsilon=epsilon) - 5.0
        best = 1.0
        for _ in range(4):
            resolved = math.exp(min(max(guess, math.log(_LEAST_DELTA)), 0.0))
            bound = self._composition(way, resolved, grid).bound_for_epsilon(epsilon)
            best = min(best, float(bound.delta(np.array([epsilon]))[0]))
            # What is resolved should be a little below the result; where rare large losses
            # decide, the guess may be far off.
            if best <= _LEAST_DELTA or 1e-6 * best <= resolved <= 10.0 * best:
                break
            guess = math.log(best) - 2.0
        return best

    def _finite_epsilon(self, delta: float, way: bool, grid: float | None) -> float:
        exact = self._exact_curve(way)
        if exact is not None:
            return _solve(exact, delta)
        resolved = max(delta, _LEAST_DELTA)
        bound = self._composition(way, resolved, grid).bound_for_delta(resolved)
        return min(bound.epsilon(delta), self._largest_loss(way))


def _largest_of_least(
    functions: Sequence[Sequence[Callable[[FloatArray], FloatArray]]],
    infinity: float,
    epsilon: ArrayLike,
) -> FloatArray:
    """Return the worst direction of the best bounds, with the infinite losses."""
    points = np.asarray(epsilon, dtype=np.float64)
    worst = np.zeros_like(points)
    for bounds in functions:
        worst = np.maximum(worst, np.min([bound(points) for bound in bounds], axis=0))
    return np.minimum(infinity + (1.0 - infinity) * worst, 1.0)


def _solve(curve: Curve, delta: float) -> float:
    """Return the least epsilon >= 0 at which a nonincreasing curve is at most `delta`."""
    high = 1.0

    def over(epsilon: float) -> bool:
        return bool(curve(np.array([epsilon]))[0] > delta)

    if not over(0.0):
        return 0.0
    while over(high):
        high *= 2.0
        if high > 1e9:
            return math.inf
    low = 0.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return high
        low, high = (middle, high) if over(middle) else (low, middle)
