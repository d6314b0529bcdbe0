"""The mathematics of privacy loss: no data, no state, no input or output.

Every release has a price, a `PrivacyLoss`; prices compose; budgets given as (epsilon,
delta) are converted to and from them by the functions of Gaussian differential privacy.
"""

from ._adjacency import ADJACENCIES, Adjacency, check_adjacency
from ._gdp import (
    gdp_delta,
    gdp_epsilon,
    gdp_mu,
    laplace_mu,
    laplace_ratio,
    pure_epsilon,
    pure_mu,
)
from ._loss import PrivacyLoss

__all__ = [
    "ADJACENCIES",
    "Adjacency",
    "PrivacyLoss",
    "check_adjacency",
    "gdp_delta",
    "gdp_epsilon",
    "gdp_mu",
    "laplace_mu",
    "laplace_ratio",
    "pure_epsilon",
    "pure_mu",
]
