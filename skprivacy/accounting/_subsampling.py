"""The price of Gaussian noise on Poisson samples, as in private stochastic gradient descent.

Each of T steps takes every row with probability q, sums their clipped contributions and
adds Gaussian noise. Under add-remove adjacency one step is dominated by the pair
(1 - q) N(0, 1) + q N(1 / sigma, 1) against N(0, 1), and by its reverse. All steps are
priced together, before the first: composed numerically in both directions, the curve
is then covered by Gaussian DP (`gdp_cover`).
"""

import math
from functools import lru_cache

from ._checks import check_number
from ._cover import gdp_cover
from ._pairs import Curve
from ._pld import PrivacyLossDistribution, check_subsampling


def subsampled_gaussian_curve(
    sampling_rate: float, noise_multiplier: float, n_steps: int, *, smallest_delta: float = 1e-12
) -> Curve:
    """Return a bound on delta(epsilon) of Gaussian noise on Poisson samples.

    Parameters
    ----------
    sampling_rate : float
        Probability of each row to take part in a step, independently, in [0, 1].
    noise_multiplier : float
        Noise scale over the L2 sensitivity of a step's sum, in [0, inf].
    n_steps : int
    smallest_delta : float, default=1e-12
        The bound stays sharp down to about this delta.

    Returns
    -------
    callable
        For an array of epsilon >= 0, an array of upper bounds for both directions (one
        row added, one row removed).

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    distribution = PrivacyLossDistribution.subsampled_gaussian(
        sampling_rate, noise_multiplier, n_steps
    )
    return distribution.curve(smallest_delta)


@lru_cache(maxsize=1024)
def subsampled_gaussian_loss(
    sampling_rate: float, noise_multiplier: float, n_steps: int, delta0: float
) -> tuple[float, float]:
    """Return mu and delta of Gaussian noise on Poisson samples, remembered once computed.

    Parameters
    ----------
    sampling_rate, noise_multiplier, n_steps : float, float, int
        As in `subsampled_gaussian_curve`.
    delta0 : float
        In (0, 1): what the cover may leave out.

    Returns
    -------
    mu, delta : float
        delta is `delta0`, or 0 where mu without sampling, sqrt(n_steps) / noise_multiplier,
        is no larger.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    q, sigma, n_steps = check_subsampling(sampling_rate, noise_multiplier, n_steps)
    delta0 = check_number("delta0", delta0, 1, above_zero=True, below_most=True)
    if q == 0 or n_steps == 0 or sigma == math.inf:
        return 0.0, 0.0
    unsampled = math.sqrt(n_steps) / sigma if sigma > 0 else math.inf
    if q == 1 or sigma == 0:
        return unsampled, 0.0
    covered = gdp_cover(subsampled_gaussian_curve(q, sigma, n_steps, smallest_delta=delta0), delta0)
    return (covered, delta0) if covered < unsampled else (unsampled, 0.0)
