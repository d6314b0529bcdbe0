"""A privacy curve of objective perturbation for losses of any sign and number of scores.

Let one row's gradient have norm at most m sigma, and its Hessian eigenvalues at most
kappa lambda with sum at most s lambda. Weighting rows by alpha and by 1 - alpha instead of 1
tilts the law of the minimiser exactly, and bounds the Renyi divergences. With one row more
or less, for every alpha > 1,

    D_alpha(with || without) <= alpha / 2 (m^2 + kappa s),
    D_alpha(without || with) <= alpha / 2 (m^2 + kappa s / (1 - (alpha - 1) kappa)),

and with one row replaced by another

    D_alpha <= alpha / 2 (4 m^2 + 2 kappa s / (1 - (alpha - 1) kappa)^2),

as if the release were nearly Gaussian with mu = m, or 2 m. Proof, and how the curve
follows: ``docs/theory/objective_perturbation.md``, section "Theorem B".
"""

import math
from functools import lru_cache

import numpy as np

from ..accounting import Adjacency, check_adjacency, gdp_cover, gdp_delta

ORDERS = 1.0 + np.geomspace(1e-2, 1e5, 800)
"""Renyi orders tried; each gives a valid bound."""

KNOTS = 400
"""Points at which the curve is bounded; between them it is convex in e^epsilon."""


def _from_renyi(divergences: np.ndarray, orders: np.ndarray, epsilon: np.ndarray) -> np.ndarray:
    """Return min over orders of e^((a-1)(D_a - eps)) (1 - 1/a)^(a-1) / a, at most 1."""
    if not orders.size:
        return np.ones_like(epsilon)
    logs = (orders - 1) * (divergences - epsilon[:, np.newaxis])
    logs += (orders - 1) * np.log1p(-1 / orders) - np.log(orders)
    return np.asarray(np.exp(np.minimum(logs.min(axis=1), 0.0)))


def curve_knots(
    m: float,
    kappa: float,
    s: float,
    n_tails: int,
    epsilon: np.ndarray,
    adjacency: Adjacency = "add-remove",
) -> np.ndarray:
    """Bound the hockey-stick divergences of neighbours in both orders.

    Parameters
    ----------
    m : float
        Bound on the norm of a row's gradient, over sigma.
    kappa, s : float
        Bounds on the largest eigenvalue and on the trace of its Hessian, over lambda.
    n_tails : int
        Number of extreme points, for a given label, of the set of a row's gradients, the
        origin not counted.
    epsilon : array, at least 0
    adjacency : {"add-remove", "replace-one"}, default="add-remove"
    """
    orders = ORDERS[(ORDERS - 1) * kappa < 0.999]
    rest = 1 - (orders - 1) * kappa
    if check_adjacency(adjacency) == "add-remove":
        size = m * m + kappa * s
        present = _from_renyi(ORDERS / 2 * size, ORDERS, epsilon)
        absent = n_tails * gdp_delta(m, epsilon)
        tilted = _from_renyi(orders / 2 * (m * m + kappa * s / rest), orders, epsilon)
        bound = np.maximum(present, np.minimum(absent, tilted))
    else:
        size = 4 * m * m + 2 * kappa * s
        tilted = _from_renyi(orders / 2 * (4 * m * m + 2 * kappa * s / rest**2), orders, epsilon)
        # The log determinants differ by at most s, the gradients by a sum of two extreme points.
        beyond = np.maximum(epsilon - s, 0.0)
        tails = (n_tails + 1) ** 2 * gdp_delta(2 * m, beyond)
        bound = np.minimum(tilted, np.where(epsilon > s, tails, 1.0))
    # All orders of neighbours: from the affinity, the integral of sqrt(p q).
    gap = -math.expm1(-size / 4)
    lead = -np.expm1(-epsilon)
    both = 2 * gap / (np.sqrt(lead**2 + 4 * np.exp(-epsilon) * gap) + lead)
    return np.asarray(np.minimum(np.minimum(both, bound), 1.0))


def _convex_hull(e: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertices of the largest convex function below points of ascending `e`."""
    hull: list[int] = []
    for i in range(e.size):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (values[b] - values[a]) * (e[i] - e[b]) < (values[i] - values[b]) * (e[b] - e[a]):
                break
            hull.pop()
        hull.append(i)
    return e[hull], values[hull]


@lru_cache(maxsize=4096)
def tilted_mu(
    m: float, kappa: float, s: float, n_tails: int, delta0: float, adjacency: Adjacency
) -> float:
    """Return a mu such that the release is mu-GDP up to `delta0`.

    Parameters
    ----------
    m, kappa, s, n_tails, adjacency
        As of `curve_knots`.
    delta0 : float
        In (0, 1).
    """
    replaced = adjacency == "replace-one"
    mu = math.hypot(2 * m if replaced else m, math.sqrt((1 + replaced) * kappa * s))
    # There the Renyi divergences, or the tails, leave less than delta0.
    end = mu * mu / 2 + mu * math.sqrt(2 * math.log(100 * (n_tails + 1) ** 2 / delta0)) + s
    knots = end * np.linspace(0.0, 1.0, KNOTS) ** 1.5
    values = curve_knots(m, kappa, s, n_tails, knots, adjacency)
    e, values = _convex_hull(np.expm1(knots), np.minimum.accumulate(values))

    def curve(epsilon: np.ndarray) -> np.ndarray:
        # The true curve is convex in e^epsilon: it lies below the chords of its bounds.
        return np.asarray(np.interp(np.expm1(np.minimum(epsilon, end)), e, values))

    return gdp_cover(curve, delta0)


@lru_cache(maxsize=1024)
def slope_over_noise(
    mu: float, rho: float, trace_ratio: float, n_tails: int, delta0: float, adjacency: Adjacency
) -> float:
    """Return an m, almost the largest, whose `tilted_mu` is at most `mu`.

    Parameters
    ----------
    mu : float
    rho : float
        Least m / kappa that the regularisation will see to.
    trace_ratio : float
        s / kappa.
    n_tails, delta0, adjacency
        As of `tilted_mu`.
    """

    def price(m: float) -> float:
        return tilted_mu(m, m / rho, trace_ratio * m / rho, n_tails, delta0, adjacency)

    m = mu / (1.4 if adjacency == "add-remove" else 2.8)
    for _ in range(40):
        found = price(m)
        if mu * (1 - 1e-4) <= found <= mu:
            return m
        # The price is nearly proportional to m.
        m *= (1 - 5e-5) * mu / found
    while price(m) > mu:
        m *= 0.99
    return m
