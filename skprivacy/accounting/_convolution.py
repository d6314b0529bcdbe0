"""Composition of dominating pairs by one Fourier transform, never below the truth.

The privacy loss log P/Q under P of a composition is a sum of independent losses, so
its law is a convolution. The pairs are first replaced by dominating ones on a grid
(`_dots`); two things make the transform's result a sharp bound.

*Tilting*: the masses are multiplied by e^(theta loss) and normalised before the transform
and divided by it afterwards. With theta near the saddle point of the wanted epsilon the
bulk of the tilted law lies there, so that the transform's rounding, about 1e-16 of that
bulk, is a relative error of delta, however small delta is. Untilted it would be an
absolute one, and hide every delta below about 1e-12.

*Charging*: mass that the window of the transform loses, and the rounding of transform,
powers and sums, are bounded and added to delta. A mass that was lost or misplaced at a loss
above epsilon is worth at most e^(K(theta) - theta epsilon) times its tilted size.
"""

import math
from collections.abc import Sequence

import numpy as np

from ._dots import connect_the_dots, loss_ends
from ._pairs import CURVE_ACCURACY, FloatArray
from ._tilt import Moments, Pieces, sketched_moments

_UNIT = 2.0**-53
# Tilted mass that the window of the transform may lose, bounded and charged.
_LOST = 1e-12
# How far above the wanted delta the tilt may leave e^(K - theta epsilon), over the number
# of pieces: a smaller tilt makes a shorter transform, and the error that is charged, about
# 1e-14 for each piece, stays a small part of delta.
_SLACK = 1e7
# Part of delta that may be charged for the transform before a larger tilt is tried.
_LOST_SHARE = 1e-5
# Relative error of epsilon that the grid's spacing aims at, and the largest grid.
_GRID_ERROR = 1e-6
_MAX_SIZE = 2**20
_MOST_CELLS = 2**25


def _tail(delta: float, n_pieces: int) -> float:
    """Return the mass that a piece may have above its grid: a millionth of delta in all.

    Much less would be worse than useless: losses so rare that they don't matter would govern
    the moments. Few different values, so that sketches are found again.
    """
    return 10.0 ** max(math.floor(math.log10(delta / n_pieces)) - 6, -300)


class Composition:
    """One direction of a composition, and bounds on its curve.

    Parameters
    ----------
    pieces : sequence of (DominatingPair, int)
        Pairs and how often each is composed.
    reversed_ : bool
        Whether every pair is taken reversed.
    smallest_delta : float
        Deltas well below it need not be resolved.
    step : float, default=None
        Spacing of the grid. None: such that it costs about a millionth of epsilon.
    """

    def __init__(
        self, pieces: Pieces, *, reversed_: bool, smallest_delta: float, step: float | None = None
    ) -> None:
        counts = [count for _, count in pieces]
        tail = _tail(smallest_delta, sum(counts))
        self.rough = sketched_moments(pieces, reversed_=reversed_, tail=tail)
        self.log_slack = math.log(max(min(_SLACK / sum(counts), 1e4), 1.0))
        ends = [loss_ends(pair, reversed_, tail) for pair, _ in pieces]
        longest = max(max(end) for end in ends)
        if step is None:
            step = max(self._choose_step(smallest_delta), longest / _MAX_SIZE)
            # An atom at a grid point stays one: the largest losses, where they exist, do.
            atoms = [(n, pair.largest_loss(reversed_=reversed_)) for pair, n in pieces]
            _, atom = max(atoms, key=lambda a: a[0] * a[1] if a[1] < math.inf else 0.0)
            if atom < math.inf:
                step = atom / math.ceil(atom / step)
        elif longest > _MOST_CELLS * step:
            raise ValueError(
                f"A grid of {step} would have more than {_MOST_CELLS} points for a loss that "
                f"reaches {longest:g}. Give a coarser grid, or None."
            )
        # With few digits in the step all grid points are exact.
        fraction, exponent = math.frexp(step)
        self.step = math.ldexp(round(fraction * 2**24), exponent - 24)
        cells = [tuple(max(1, math.ceil(end / self.step)) for end in pair) for pair in ends]
        self.first = -sum(n * below for n, (below, _) in zip(counts, cells, strict=True))
        self.last = sum(n * above for n, (_, above) in zip(counts, cells, strict=True))
        parts = [
            connect_the_dots(pair, reversed_, self.grid(0, below), self.grid(0, above))
            for (pair, _), (below, above) in zip(pieces, cells, strict=True)
        ]
        self.moments = Moments(parts, counts)
        self.infinity = -math.expm1(
            math.fsum(n * math.log1p(-p.infinity) for n, p in zip(counts, parts, strict=True))
        )

    def grid(self, first: int, last: int) -> FloatArray:
        """Return the losses from index `first` to index `last`."""
        return np.arange(first, last + 1, dtype=np.float64) * self.step

    def _choose_step(self, delta: float) -> float:
        """Return a step for which the variance that the grid adds moves epsilon little.

        n pieces add at most n step^2 / 4, usually n step^2 / 6, and epsilon moves by
        half of that times 1 + theta.
        """
        tilt = self.rough.saddle_of_delta(delta)
        _, epsilon, _ = self.rough.cumulants(tilt)
        scale = max(epsilon, self.rough.deviation)
        added = 2.0 * _GRID_ERROR * scale / ((1.0 + tilt) * self.rough.counts.sum())
        lazy = self.rough.lazy_tilt(epsilon, math.log(delta) + self.log_slack)
        low, high = (self.rough.end(lazy, shift, _LOST / 2) for shift in self._shifts(lazy))
        return max(math.sqrt(6.0 * added), (high - low) / _MAX_SIZE)

    def _shifts(self, theta: float) -> tuple[float, float]:
        """Return parameters of Chernoff's bound for both ends of a window."""
        return (
            self.rough.sharp_shift(theta, -1.0, _LOST / 2),
            self.rough.sharp_shift(theta, 1.0, _LOST / 2),
        )

    def bound_for_delta(self, delta: float) -> "CurveBound":
        """Return a bound on the curve that is sharp where it is about `delta`."""
        _, epsilon, _ = self.rough.cumulants(self.rough.saddle_of_delta(delta))
        bound = self._bound(epsilon, math.log(delta))
        epsilon = bound.epsilon(delta)
        if epsilon == math.inf:  # the rough epsilon was far above, and so the tilt too small
            return CurveBound(self, self.moments.saddle_of_delta(delta))
        return self._sharpened(bound, epsilon, delta)

    def bound_for_epsilon(self, epsilon: float) -> "CurveBound":
        """Return a bound on the curve that is sharp at `epsilon`."""
        rough = self.rough.log_delta(self.rough.saddle_of_epsilon(epsilon))
        bound = self._bound(epsilon, rough)
        return self._sharpened(bound, epsilon, float(bound.delta(np.array([epsilon]))[0]))

    def _bound(self, epsilon: float, log_delta: float) -> "CurveBound":
        return CurveBound(self, self.rough.lazy_tilt(epsilon, log_delta + self.log_slack))

    def _sharpened(self, bound: "CurveBound", epsilon: float, delta: float) -> "CurveBound":
        """Return a bound with a larger tilt if `bound` charges much of `delta`."""
        lost = float(bound.lost(np.array(epsilon)))
        if lost <= _LOST_SHARE * delta:
            return bound
        # What the transform charged may be most of delta: aim below both.
        limit = math.log(_LOST_SHARE / bound.error) + math.log(max(delta - lost, 1e-3 * delta))
        tilt = self.moments.lazy_tilt(epsilon, limit)
        first, last = self.window(tilt)
        if last - first > 4 * _MAX_SIZE:
            return bound
        other = CurveBound(self, tilt)
        return min(bound, other, key=lambda b: float(b.lost(np.array(epsilon))))

    def window(self, theta: float) -> tuple[int, int]:
        """Return grid indices outside which the tilted law has at most the mass `_LOST`."""
        low, high = (
            self.moments.end(theta, shift, _LOST / 2) / self.step for shift in self._shifts(theta)
        )
        return max(self.first, math.floor(low)), min(self.last, math.ceil(high))


def _convolve(
    parts: Sequence[FloatArray], counts: FloatArray, length: int, offset: int
) -> tuple[FloatArray, float]:
    """Convolve laws with themselves and each other, cyclically.

    Parameters
    ----------
    parts : sequence of arrays
        Probabilities, from index 0.
    counts : array of shape (len(parts),)
        How often each takes part.
    length, offset : int
        The result is that at the indices from `offset` to `offset + length - 1`; what lies
        outside is added to some of them.

    Returns
    -------
    law : array of shape (length,)
        Not negative.
    error : float
        Bound on the root of the sum of its squared errors.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(length, real=True)
    # Relative error of a transform, in the same norm: below 10 u log2(size) (Higham 2002,
    # theorem 24.2). A power multiplies the error of its base and adds its own.
    transform_error = 10.0 * _UNIT * math.log2(max(size, 2))
    error = transform_error
    spectrum = np.ones(size // 2 + 1, dtype=np.complex128)
    for part, count in zip(parts, counts, strict=True):
        folded = part
        if part.size > size:
            folded = np.bincount(np.arange(part.size) % size, part, size).astype(np.float64)
        transformed = rfft(folded, size)
        spectrum *= transformed ** int(count) if count > 1 else transformed
        error += float(count) * (transform_error * float(np.linalg.norm(folded)) + 10.0 * _UNIT)
    law = np.roll(irfft(spectrum, size), -offset % size)[:length]
    # Twice the first order, for the orders above it.
    return np.maximum(law, 0.0), 2.0 * error


class CurveBound:
    """Upper bound on the curve of a composition, from one transform at one tilt."""

    def __init__(self, composition: Composition, theta: float) -> None:
        moments, step = composition.moments, composition.step
        logs, weights = moments.logs(theta)
        log_mgf = float(moments.counts @ logs)
        first, last = composition.window(theta)
        parts = np.split(weights, moments.starts[1:])
        density, error = _convolve(
            parts, moments.counts, last - first + 1, first - composition.first
        )

        self.theta, self.infinity = theta, composition.infinity
        self.losses = composition.grid(first, last)
        self.center = float(
            moments.counts @ np.add.reduceat(weights * moments.losses, moments.starts)
        )
        self.log_scale = log_mgf - theta * self.center
        # Cauchy-Schwarz over the losses above epsilon turns the l2 error into one of delta.
        above = min(float(density.size), 1.0 / -math.expm1(-2.0 * theta * step))
        self.error = error * math.sqrt(above) + _LOST
        # An exponential has the relative error of its exponent's rounding.
        sizes = np.abs(theta * moments.losses) + np.abs(moments.log_mass)
        largest = np.maximum.reduceat(np.where(weights > 0, sizes, 0.0), moments.starts)
        self.relative_error = (
            float(moments.counts @ (CURVE_ACCURACY + _UNIT * (10.0 + largest + np.abs(logs))))
            + _UNIT * (20.0 + abs(log_mgf) + theta * float(np.abs(self.losses).max()))
            + _UNIT * density.size
        )
        self._accumulate(density, step)

    def _accumulate(self, density: FloatArray, step: float) -> None:
        """Sum from above, by terms that are all positive.

        With y_j the mass at loss l_j and A_i = sum_{j >= i} y_j, the curve at the grid
        points obeys delta(l_{i-1}) = (1 - e^-h) A_i + e^-h delta(l_i). It is summed in
        blocks, within which e^l doesn't leave the range of floats.
        """
        block, growth = max(1, int(500.0 / step)), -math.expm1(-step)
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            masses = np.exp(np.log(density) - self.theta * (self.losses - self.center))
            total = np.append(np.cumsum(masses[::-1])[::-1], 0.0)
            total = np.minimum(total, np.finfo(np.float64).max)
            curve = np.zeros_like(total)
            for stop in range(density.size, 0, -block):
                start = max(stop - block, 0)
                decay = np.exp(-step * np.arange(stop - start))
                terms = growth * total[start + 1 : stop + 1] * decay
                terms[-1] += curve[stop] * decay[-1] * math.exp(-step)
                curve[start:stop] = np.cumsum(terms[::-1])[::-1] / decay
        self.curve = np.minimum(curve, total)
        self.rest = total - self.curve

    def lost(self, epsilon: FloatArray) -> FloatArray:
        """Return what is charged to delta at `epsilon` for the transform."""
        with np.errstate(over="ignore", under="ignore"):
            return self.error * np.exp(self.log_scale - self.theta * (epsilon - self.center))

    def _charged(self, curve: FloatArray, epsilon: FloatArray) -> FloatArray:
        """Return a bound on delta from the transform's value."""
        with np.errstate(over="ignore", under="ignore"):
            delta = math.exp(self.log_scale) * curve + self.lost(epsilon)
            return np.minimum((1.0 + self.relative_error) * delta + self.infinity, 1.0)

    def delta(self, epsilon: FloatArray) -> FloatArray:
        """Return upper bounds on the curve at `epsilon`, of any sign."""
        above = np.searchsorted(self.losses, epsilon, side="right")
        next_loss = np.append(self.losses, np.inf)[above]
        curve = self.curve[above] - np.expm1(epsilon - next_loss) * self.rest[above]
        return self._charged(curve, epsilon)

    def epsilon(self, delta: float) -> float:
        """Return an epsilon >= 0 at which the bound is at most `delta`; infinity if none is."""
        if self.delta(np.zeros(1))[0] <= delta:
            return 0.0
        met = self._charged(self.curve[:-1], self.losses) <= delta
        met &= self.losses > 0
        index = int(np.argmax(met))
        if not met[index]:
            return math.inf
        low, high = max(0.0, float(self.losses[max(index - 1, 0)])), float(self.losses[index])
        for _ in range(60):
            middle = 0.5 * (low + high)
            if not low < middle < high:
                break
            if self.delta(np.array([middle]))[0] <= delta:
                high = middle
            else:
                low = middle
        return high
