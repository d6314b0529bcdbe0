"""The Gaussian price of a release known only by its curve.

If a release's curve h, bounding both directions at every epsilon >= 0, satisfies

    h(epsilon) <= delta_mu(epsilon) + delta0    for every epsilon >= 0,

then the release is mu-GDP up to delta0, and composes as such (docs/theory/accounting.md
has the proof). `gdp_cover` finds the least such mu. A curve is nonincreasing, and so is
delta_mu: on a grid it is enough that h(e_i) <= delta_mu(e_{i+1}) + delta0 for all i, and
h <= delta0 at the end. So the result is rigorous at every grid; refining it where the
condition is tight only lowers mu.
"""

import math
from functools import partial

import numpy as np

from ._checks import check_number
from ._gdp import gdp_delta, gdp_mu
from ._pairs import Curve, FloatArray, checked_curve, curve_end

_FIRST_POINTS = 1025
_REFINEMENT = 8
_MOST_POINTS = 100_000
# Relative excess of mu that may be left to the grid.
_TOLERANCE = 1e-5
# mu is solved for slightly more than needed, so that rounding can't break the cover.
_MARGIN = 1.0 + 4e-12


def gdp_cover(curve: Curve, delta0: float) -> float:
    """Return the least mu for which a release is mu-GDP up to `delta0`.

    Parameters
    ----------
    curve : callable
        For an array of epsilon >= 0, an array of upper bounds h on the release's delta
        at epsilon, for neighbours in both orders (add and remove). Nonincreasing.
    delta0 : float
        In [0, 1); charged as the release's delta. Most curves need one: with 0 the mu
        of a subsampled Gaussian is useless, and only a curve that reaches 0 has one.

    Returns
    -------
    float
        0 where the curve nowhere exceeds `delta0`.

    Raises
    ------
    ValueError
        If `delta0` is out of its range, the curve increases, leaves [0, 1], or stays
        above `delta0`.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.accounting import gdp_cover
    >>> def laplace(epsilon):  # of ratio 1
    ...     return -np.expm1(np.minimum(epsilon - 1, 0) / 2)
    >>> round(gdp_cover(laplace, 0.0), 4)
    1.0301
    """
    delta0 = check_number("delta0", delta0, 1, below_most=True)
    values = partial(checked_curve, curve)
    end = curve_end(values, delta0)
    if values(np.array([end]))[0] > delta0:
        raise ValueError(
            f"The curve stays above delta0={delta0}, so that no mu covers it. Give a larger "
            "delta0, above the probability of an infinite loss."
        )
    grid = np.linspace(0.0, end, _FIRST_POINTS)
    while True:
        h = values(grid)
        if (np.diff(h) > 1e-9 * h[:-1] + 1e-15).any():
            raise ValueError("A privacy curve must not increase with epsilon.")
        needed = (h - delta0) * _MARGIN
        mu = _least_mu(needed[:-1], grid[1:])
        # What the points themselves ask for bounds every grid's mu from below; cells that ask
        # for more are those that a finer grid may relieve.
        least = _least_mu(needed, grid)
        if mu <= least * (1.0 + _TOLERANCE) or grid.size > _MOST_POINTS:
            return mu
        with np.errstate(under="ignore"):
            coarse = needed[:-1] > gdp_delta(least, grid[1:])
        steps = np.arange(1, _REFINEMENT) / _REFINEMENT
        left, width = grid[:-1][coarse], np.diff(grid)[coarse]
        grid = np.union1d(grid, (left[:, np.newaxis] + width[:, np.newaxis] * steps).ravel())


def _least_mu(needed: FloatArray, epsilon: FloatArray) -> float:
    """Return the least mu with delta_mu(epsilon) >= `needed` at every point.

    The worst point fixes a mu, which is enlarged until no point is left over.
    """
    mu = 0.0
    points = needed > 0
    needed, epsilon = needed[points], epsilon[points]
    while needed.size:
        with np.errstate(under="ignore"):
            over = needed > gdp_delta(mu, epsilon)
        needed, epsilon = needed[over], epsilon[over]
        if not needed.size:
            break
        with np.errstate(divide="ignore"):
            worst = np.argmax(np.log(needed) - np.log(gdp_delta(mu, epsilon)))
        mu = max(
            np.nextafter(mu, math.inf),
            gdp_mu(float(epsilon[worst]), min(float(needed[worst]), 1.0)),
        )
    return float(mu)
