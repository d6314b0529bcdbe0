"""Pure releases in Gaussian differential privacy.

A pure epsilon-DP release, and Laplace noise in particular, is mu-GDP for a mu that is
found at the fixed point of its trade-off function f (the error of the second kind as a
function of that of the first): f and the trade-off function of mu-GDP are both symmetric, and
the latter lies below f everywhere once it does so there. The proofs are in
docs/theory/accounting.md.
"""

import math

from scipy.special import erfinv, log_expit, log_ndtr, ndtri_exp

from ._checks import check_number

_SQRT_8 = math.sqrt(8.0)


def pure_mu(epsilon: float) -> float:
    """Return the least mu such that every epsilon-DP release is mu-GDP.

    mu = -2 Phi^-1(1 / (1 + e^epsilon)): the trade-off function of an epsilon-DP release
    lies above two straight lines that meet at the fixed point 1 / (1 + e^epsilon), and a
    convex function with the same ends lies under them once it passes under their meeting
    point.

    Parameters
    ----------
    epsilon : float
        In [0, inf].

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `epsilon` is negative or NaN.

    Examples
    --------
    >>> from skprivacy.accounting import pure_mu
    >>> round(pure_mu(1.0), 4)
    1.232
    """
    epsilon = check_number("epsilon", epsilon)
    if epsilon < 1:
        return _SQRT_8 * float(erfinv(math.tanh(0.5 * epsilon)))
    if epsilon == math.inf:
        return math.inf
    return -2.0 * float(ndtri_exp(log_expit(-epsilon)))


def pure_epsilon(mu: float) -> float:
    """Return the largest epsilon whose epsilon-DP releases are all mu-GDP.

    The inverse of `pure_mu`: log(Phi(mu / 2) / Phi(-mu / 2)).

    Parameters
    ----------
    mu : float
        In [0, inf].

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `mu` is negative or NaN.
    """
    mu = check_number("mu", mu)
    if mu < 1:
        return 2.0 * math.atanh(math.erf(mu / _SQRT_8))
    return float(log_ndtr(0.5 * mu) - log_ndtr(-0.5 * mu))


def laplace_mu(ratio: float) -> float:
    """Return the least mu such that the Laplace mechanism is mu-GDP.

    mu = -2 Phi^-1(e^(-ratio / 2) / 2), the fixed point of Laplace's trade-off function.
    It holds for vectors too: mu^2 is convex in the ratio and vanishes at 0, so that a
    sensitivity spread over coordinates costs no more than one spent in a single one.

    Parameters
    ----------
    ratio : float
        L1 sensitivity over noise scale (the release's pure epsilon), in [0, inf].

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `ratio` is negative or NaN.

    Examples
    --------
    >>> from skprivacy.accounting import laplace_mu
    >>> round(laplace_mu(1.0), 4)
    1.0301
    """
    ratio = check_number("ratio", ratio)
    if ratio < 1:
        return _SQRT_8 * float(erfinv(-math.expm1(-0.5 * ratio)))
    if ratio == math.inf:
        return math.inf
    return -2.0 * float(ndtri_exp(-0.5 * ratio - math.log(2.0)))


def laplace_ratio(mu: float) -> float:
    """Return the largest ratio at which the Laplace mechanism is mu-GDP.

    The inverse of `laplace_mu`: noise of scale sensitivity / laplace_ratio(mu) spends mu.

    Parameters
    ----------
    mu : float
        In [0, inf].

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `mu` is negative or NaN.
    """
    mu = check_number("mu", mu)
    if mu < 1:
        return -2.0 * math.log1p(-math.erf(mu / _SQRT_8))
    return -2.0 * (float(log_ndtr(-0.5 * mu)) + math.log(2.0))
