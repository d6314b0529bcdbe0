"""Gaussian differential privacy and its conversions, exact to rounding.

A release is *mu-GDP* when telling neighbours apart by it is no easier than telling
N(0, 1) from N(mu, 1) by one draw (Dong, Roth and Su 2022). Everything skprivacy
releases is priced in this coordinate; (epsilon, delta) is only how budgets are given
and shown. The two are tied by

    delta(mu, epsilon) = Phi(-t) - e^epsilon Phi(-t - mu),    t = epsilon / mu - mu / 2,

which as written overflows, and loses all digits where mu or delta is small. With the
Mills ratio M(s) = Phi(-s) / phi(s) it is

    delta(mu, epsilon) = phi(t) (M(t) - M(t + mu)),

whose logarithm is accurate everywhere: the difference is taken as it stands for
mu > 1 and as an integral of -M' for smaller mu, where it would cancel. In this form
the derivatives are simple (d delta / d mu = phi(t), d delta / d epsilon =
-phi(t) M(t + mu)) and log delta is concave in mu and in epsilon, so that Newton's
method started beyond the solution comes down to it without a bracket.
"""

import math
from typing import Any, overload

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, erfinv, log_ndtr, ndtri_exp

from ._checks import check_number

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_SQRT_HALF_PI = math.sqrt(0.5 * math.pi)
_SQRT_HALF = math.sqrt(0.5)
_SQRT_8 = math.sqrt(8.0)

_points, _point_weights = leggauss(12)
_NODES = (_points + 1) / 2
_WEIGHTS = _point_weights / 2

# 1 - s M(s) cancels for large s, where its asymptotic series (in 1 / s^2) has converged.
_SERIES_FROM = 30.0
_SERIES = (-135135.0, 10395.0, -945.0, 105.0, -15.0, 3.0)

_MAX_NEWTON = 100
_MAX_EXPONENT = 700.0


def _mills(s: Any) -> Any:
    """Return the Mills ratio Phi(-s) / phi(s)."""
    return _SQRT_HALF_PI * erfcx(s * _SQRT_HALF)


def _mills_slope(s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -M'(s) = 1 - s M(s) for s >= -1/2."""
    small = np.minimum(s, _SERIES_FROM)
    slope: NDArray[np.float64] = 1.0 - small * _mills(small)
    if s.max(initial=0.0) > _SERIES_FROM:
        large = s > _SERIES_FROM
        inverse = 1.0 / np.square(s[large])
        slope[large] = inverse * (1.0 - inverse * np.polyval(_SERIES, inverse))
    return slope


def _log_delta(mu: float, epsilon: Any) -> Any:
    """Return log delta(mu, epsilon) for 0 < mu < inf and finite epsilon >= 0."""
    t = epsilon / mu - 0.5 * mu
    if mu > 1.0:
        ratio = erfcx((epsilon / mu + 0.5 * mu) * _SQRT_HALF) / erfcx(t * _SQRT_HALF)
        return log_ndtr(-t) + np.log1p(-ratio)
    slopes = _mills_slope(np.asarray(t)[..., np.newaxis] + mu * _NODES)
    return np.log(mu * (slopes @ _WEIGHTS)) - (0.5 * t * t + _LOG_SQRT_2PI)


@overload
def gdp_delta(mu: float, epsilon: float) -> float: ...
@overload
def gdp_delta(mu: float, epsilon: ArrayLike) -> float | NDArray[np.float64]: ...
def gdp_delta(mu: float, epsilon: ArrayLike) -> float | NDArray[np.float64]:
    """Return the delta that a mu-GDP release has at epsilon.

    Parameters
    ----------
    mu : float
        In [0, inf].
    epsilon : float or array-like
        Any real number, also negative or infinite. For a negative epsilon the value is
        1 - e^epsilon + e^epsilon delta(mu, -epsilon).

    Returns
    -------
    float or ndarray of the shape of `epsilon`
        The least delta such that the release is (epsilon, delta)-DP. For mu = inf it is
        1 at every epsilon, infinity included.

    Raises
    ------
    ValueError
        If `mu` is negative or NaN, or `epsilon` NaN.

    References
    ----------
    Dong, Roth and Su (2022), "Gaussian differential privacy", Corollary 2.13; the same
    function as in Balle and Wang (2018), "Improving the Gaussian mechanism".

    Examples
    --------
    >>> from skprivacy.accounting import gdp_delta
    >>> round(gdp_delta(1.0, 1.0), 12)
    0.126936737507
    """
    mu = check_number("mu", mu)
    values = np.asarray(epsilon, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("epsilon must not be NaN.")
    if mu == math.inf:
        result = np.ones_like(values)
    else:
        size = np.abs(values)
        finite = size < math.inf
        result = np.zeros_like(values)
        if mu > 0:
            with np.errstate(over="ignore", under="ignore", divide="ignore"):
                result[finite] = np.exp(_log_delta(mu, size[finite]))
        negative = values < 0
        if negative.any():
            below = values[negative]
            result[negative] = np.exp(below) * result[negative] - np.expm1(below)
    return result if values.ndim else float(result)


def gdp_epsilon(mu: float, delta: float) -> float:
    """Return the epsilon that a mu-GDP release has at delta.

    Parameters
    ----------
    mu : float
        In [0, inf].
    delta : float
        In [0, 1].

    Returns
    -------
    float
        The least epsilon >= 0 such that the release is (epsilon, delta)-DP: 0 where
        `delta` is large enough for that, infinity for delta = 0 (unless mu = 0).

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from skprivacy.accounting import gdp_epsilon
    >>> round(gdp_epsilon(1.0, 1e-6), 9)
    4.886554117
    """
    mu, delta = check_number("mu", mu), check_number("delta", delta, 1)
    if mu == 0 or delta == 1:
        return 0.0
    if delta == 0 or mu == math.inf:
        return math.inf
    target = math.log(delta)
    if _log_delta(mu, 0.0) <= target:
        return 0.0
    # delta <= Phi(-t) bounds epsilon from above; from there Newton descends monotonically.
    epsilon = mu * (0.5 * mu - float(ndtri_exp(target)))
    log_scale = math.log(mu) - _LOG_SQRT_2PI
    for _ in range(_MAX_NEWTON):
        t = epsilon / mu - 0.5 * mu
        log_delta = float(_log_delta(mu, epsilon))
        # mu times the slope of -log delta, phi(t) M(t + mu) / delta.
        slope = float(_mills(t + mu)) * math.exp(log_scale - 0.5 * t * t - log_delta)
        step = mu * (target - log_delta) / slope
        if not step > 4e-16 * epsilon:
            break
        epsilon -= step
    return max(epsilon, 0.0)


def gdp_mu(epsilon: float, delta: float) -> float:
    """Return the mu whose mu-GDP release is exactly (epsilon, delta)-DP.

    The Gaussian mechanism of L2 sensitivity D that spends (epsilon, delta) has the noise
    scale D / gdp_mu(epsilon, delta), which is the "analytic Gaussian mechanism".

    Parameters
    ----------
    epsilon : float
        In [0, inf].
    delta : float
        In [0, 1].

    Returns
    -------
    float
        The largest such mu: infinity for epsilon = inf or delta = 1, where nothing is
        asked, and 0 for delta = 0 with a finite epsilon, which no Gaussian noise meets.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from skprivacy.accounting import gdp_mu
    >>> round(gdp_mu(1.0, 1e-6), 12)
    0.236704380663
    """
    epsilon, delta = check_number("epsilon", epsilon), check_number("delta", delta, 1)
    if epsilon == math.inf or delta == 1:
        return math.inf
    if delta == 0:
        return 0.0
    # At epsilon = 0, delta = 2 Phi(mu / 2) - 1; elsewhere this bounds mu from below, as does
    # delta <= Phi(-t). From the larger of the two Newton ascends monotonically.
    at_zero = _SQRT_8 * float(erfinv(delta))
    if epsilon == 0:
        return at_zero
    target = math.log(delta)
    z = -float(ndtri_exp(target))
    root = math.sqrt(z * z + 2 * epsilon)
    mu = max(at_zero, 2 * epsilon / (z + root) if z > 0 else root - z)
    for _ in range(_MAX_NEWTON):
        t = epsilon / mu - 0.5 * mu
        log_delta = float(_log_delta(mu, epsilon))
        step = (target - log_delta) * math.exp(
            min(log_delta + 0.5 * t * t + _LOG_SQRT_2PI, _MAX_EXPONENT)
        )
        if not step > 4e-16 * mu:
            break
        mu += step
    return mu
