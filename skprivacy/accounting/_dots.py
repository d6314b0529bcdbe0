"""Discrete pairs that dominate continuous ones.

*Connect the dots* (Doroshenko et al. 2022): a dominating pair is replaced by the one on a
given set of losses whose curve, as a function of e^epsilon, joins the pair's own values
at these losses by straight lines. A curve is convex there, so the new pair dominates, and
it is the least that does. Its masses are second differences of the curve.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from ._pairs import DominatingPair, FloatArray, curve_end

# A few roundings more for the positive term of a difference: errs upwards.
_UP = 1.0 + 2.0**-50
# Mass that a pair may hold below its lowest loss, to which it is moved up.
_LOW_TAIL = 1e-14
# Points of a sketch: even ones for a loss far from 0, others for one concentrated about it.
_SKETCH = np.union1d(np.linspace(0.0, 1.0, 201), np.geomspace(1e-4, 5e-2, 70))


@dataclass(frozen=True)
class Dots:
    """A discrete pair: `mass` at `losses`, and `infinity` beyond all of them."""

    losses: FloatArray
    mass: FloatArray
    infinity: float


def connect_the_dots(
    pair: DominatingPair, reversed_: bool, below: FloatArray, above: FloatArray
) -> Dots:
    """Return the least discrete pair with the given losses that dominates `pair`.

    Parameters
    ----------
    pair : DominatingPair
    reversed_ : bool
    below, above : arrays of shape (n,) and (m,), n and m >= 2
        Ascending from 0: the losses are -below and above.

    Notes
    -----
    At negative epsilon the curve is taken as 1 - e^epsilon + g(epsilon): differences of g,
    which is small there, keep digits that differences of the curve would lose.
    """
    right = pair.curve(above, reversed_=reversed_)
    left = pair.curve(below, reversed_=not reversed_)
    right[0] = left[0] = max(right[0], left[0])
    excess = (left * np.exp(-below))[::-1]
    rise, fall = np.diff(excess), -np.diff(right)
    left_gaps, right_gaps = np.diff(below)[::-1], np.diff(above)
    gained, given = _UP * rise / np.expm1(left_gaps), rise / -np.expm1(-left_gaps)
    taken, passed = _UP * fall / -np.expm1(-right_gaps), fall / np.expm1(right_gaps)
    mass = np.concatenate(
        (
            gained[:1] - excess[:1],
            gained[1:] - given[:-1],
            _UP - passed[:1] - given[-1:],
            taken[:-1] - passed[1:],
            taken[-1:],
        )
    )
    losses = np.concatenate((-below[:0:-1], above))
    return Dots(losses, np.maximum(mass, 0.0), float(right[-1]))


def loss_ends(pair: DominatingPair, reversed_: bool, tail: float) -> tuple[float, float]:
    """Return how far down and how far up the losses are worth a grid point."""

    def low_tail(x: FloatArray) -> FloatArray:
        return np.exp(-x) * pair.curve(x, reversed_=not reversed_)

    low = curve_end(low_tail, _LOW_TAIL)
    high = curve_end(partial(pair.curve, reversed_=reversed_), tail)
    return (
        min(low, pair.largest_loss(reversed_=not reversed_)),
        min(high, pair.largest_loss(reversed_=reversed_)),
    )


@lru_cache(maxsize=512)
def sketch(pair: DominatingPair, reversed_: bool, tail: float) -> Dots:
    """Return the pair on a coarse grid, fine about 0, to choose tilt, step and window by."""
    low, high = loss_ends(pair, reversed_, tail)
    return connect_the_dots(pair, reversed_, low * _SKETCH, high * _SKETCH)
