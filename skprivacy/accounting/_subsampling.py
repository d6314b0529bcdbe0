"""The price of Gaussian noise on Poisson samples, as in private stochastic gradient descent.

Each of T steps takes every row with probability q, sums their clipped contributions and
adds Gaussian noise. Under add-remove adjacency one step is dominated by the pair
(1 - q) N(0, 1) + q N(1 / sigma, 1) against N(0, 1), and by its reverse; under replace-one
it has a bound of its own (`_pairs.SubsampledReplacement`). All steps are priced together,
before the first: composed numerically in both directions, the curve is then covered by
Gaussian DP (`gdp_cover`).
"""

import math
from functools import lru_cache

from ._adjacency import Adjacency, check_adjacency
from ._checks import check_number
from ._cover import gdp_cover
from ._pairs import Curve
from ._pld import PrivacyLossDistribution, check_subsampling


def subsampled_gaussian_curve(
    sampling_rate: float,
    noise_multiplier: float,
    n_steps: int,
    *,
    smallest_delta: float = 1e-12,
    adjacency: Adjacency = "add-remove",
) -> Curve:
    """Return a bound on delta(epsilon) of Gaussian noise on Poisson samples.

    Parameters
    ----------
    sampling_rate : float
        Probability of each row to take part in a step, independently, in [0, 1].
    noise_multiplier : float
        Noise scale over the largest L2 norm of what one row adds to a step's sum, in
        [0, inf].
    n_steps : int
    smallest_delta : float, default=1e-12
        The bound stays sharp down to about this delta.
    adjacency : {"add-remove", "replace-one"}, default="add-remove"

    Returns
    -------
    callable
        For an array of epsilon >= 0, an array of upper bounds for neighbours in either
        order.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    distribution = PrivacyLossDistribution.subsampled_gaussian(
        sampling_rate, noise_multiplier, n_steps, adjacency
    )
    return distribution.curve(smallest_delta)


@lru_cache(maxsize=1024)
def subsampled_gaussian_loss(
    sampling_rate: float,
    noise_multiplier: float,
    n_steps: int,
    delta0: float,
    adjacency: Adjacency = "add-remove",
) -> tuple[float, float]:
    """Return mu and delta of Gaussian noise on Poisson samples, remembered once computed.

    Parameters
    ----------
    sampling_rate, noise_multiplier, n_steps : float, float, int
        As in `subsampled_gaussian_curve`.
    delta0 : float
        In (0, 1): what the cover may leave out.
    adjacency : {"add-remove", "replace-one"}, default="add-remove"

    Returns
    -------
    mu, delta : float
        delta is `delta0`, or 0 where mu without sampling, sqrt(n_steps) / noise_multiplier
        (twice that under replace-one), is no larger.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    q, sigma, n_steps = check_subsampling(sampling_rate, noise_multiplier, n_steps)
    delta0 = check_number("delta0", delta0, 1, above_zero=True, below_most=True)
    if q == 0 or n_steps == 0 or sigma == math.inf:
        return 0.0, 0.0
    moved = 1.0 if check_adjacency(adjacency) == "add-remove" else 2.0
    unsampled = moved * math.sqrt(n_steps) / sigma if sigma > 0 else math.inf
    if q == 1 or sigma == 0:
        return unsampled, 0.0
    curve = subsampled_gaussian_curve(q, sigma, n_steps, smallest_delta=delta0, adjacency=adjacency)
    covered = gdp_cover(curve, delta0)
    return (covered, delta0) if covered < unsampled else (unsampled, 0.0)
