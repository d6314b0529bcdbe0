"""The mathematics of privacy loss: no data, no state, no input or output.

Every release has a price, a `PrivacyLoss`; prices compose; budgets given as (epsilon,
delta) are converted to and from them by the functions of Gaussian differential privacy.
"""

from ._adjacency import ADJACENCIES, Adjacency, check_adjacency
from ._cover import gdp_cover
from ._gdp import gdp_delta, gdp_epsilon, gdp_mu
from ._loss import PrivacyLoss
from ._pld import PrivacyLossDistribution
from ._pure import laplace_mu, laplace_ratio, pure_epsilon, pure_mu
from ._subsampling import subsampled_gaussian_curve

__all__ = [
    "ADJACENCIES",
    "Adjacency",
    "PrivacyLoss",
    "PrivacyLossDistribution",
    "check_adjacency",
    "gdp_cover",
    "gdp_delta",
    "gdp_epsilon",
    "gdp_mu",
    "laplace_mu",
    "laplace_ratio",
    "pure_epsilon",
    "pure_mu",
    "subsampled_gaussian_curve",
]
