"""Rigorous bounds on the score of a row whose weight in the objective grows.

A release is mu-GDP if, all along the path on which a row's weight grows from 0 to 1, the
score, the derivative of the log density, is below N(0, mu^2) in the convex order:
E (score - c)_+ <= mu g(c / mu) for all c, with g(c) = E (N - c)_+. For objective
perturbation the score is psi'(N) - N psi(N) with one score, N standard normal, psi
nondecreasing with slopes up to m / rho and values in [0, m] or in [-m, m]. It is
proportional to m, so that m = 1 says it all.

`upper_bounds` bounds the supremum of these means over all psi by dynamic programming
over cells; `softmax_bounds` bounds those of a softmax in closed form; `worst_ratio`
compares with the Gaussian ones, between the points of the grid too. Statements and proofs:
``docs/theory/objective_perturbation.md``.
"""

import numpy as np
from scipy.special import erfcx, ndtr, ndtri

MARGIN = 6.0
"""Cells cover normal variables up to this much beyond c."""

ROUNDING = 1.0 + 1e-9
"""Covers the float rounding of the recursion, which is below 1e-11."""


def density(t):
    """Return the standard normal density."""
    return np.exp(-t * t / 2) / np.sqrt(2 * np.pi)


def excess(c):
    """Return g(c) = E (N - c)_+, without cancellation."""
    return density(c) * (1 - c * mills(c))


def mills(u):
    """Return P(N > u) over the density at u."""
    return np.sqrt(np.pi / 2) * erfcx(u / np.sqrt(2))


def mass(left, right):
    """Return the probability of [left, right] under N(0, 1), without cancellation in the tails."""
    return np.where(left > 0, ndtr(-left) - ndtr(-right), ndtr(right) - ndtr(left))


def _largest_product(sign, left, right, low, high):
    """Return the maximum of sign t k over t in [left, right] and k in [low, high]."""
    corners = [sign * t * k for t in (left, right) for k in (low, high)]
    return np.maximum.reduce(np.broadcast_arrays(*corners))


def upper_bounds(rho, c, n_levels, *, lowest=0.0, absent=False):
    """Bound the supremum over psi of E (psi'(N) - N psi(N) - c)_+.

    Parameters
    ----------
    rho : float
        Range over slope: psi rises from 0 to 1 on a length of at least rho.
    c : array, ascending and at least 0
    n_levels : int
        Number of levels of psi between 0 and 1; cells have height 1 / n_levels and
        width rho / n_levels.
    lowest : {0.0, -1.0}, default=0.0
        Lower end of the range of psi.
    absent : bool, default=False
        Bound E (N psi - psi' - c)_+, of the negative score, instead.
    """
    width, step, slope = rho / n_levels, 1 / n_levels, 1 / rho
    sign = 1 if absent else -1
    window = c + MARGIN
    n_cells = int(np.ceil(window[-1] / width))
    edges = width * np.arange(-n_cells, n_cells + 1)
    left, right = edges[:-1], edges[1:]
    nearest = np.where(left < 0, right, left)
    farthest = np.where(left < 0, left, right)
    cell_mass = mass(left, right)
    if absent:
        # A rise lowers the score: its part of the cell counts for as little as possible.
        weight = np.minimum(width * density(farthest) * (1 - 1e-14), cell_mass)
    else:
        weight = np.maximum(width * density(nearest) * (1 + 1e-14), cell_mass)
    start = np.searchsorted(window, np.abs(nearest))
    stop = np.full(left.shape, c.size)
    if lowest == 0 and not absent:
        # psi' - N psi reaches c left of a point: right of it nothing is won, and any level is free.
        best = _largest_product(sign, left, right, lowest, 1.0) + slope
        stop = np.maximum(start, np.searchsorted(c, best + 1e-12))
    level = lowest + step * np.arange(round((1 - lowest) / step) + 1)
    low = np.maximum(level - step, lowest)
    high_stay = np.minimum(level + step, 1.0)
    high_rise = np.minimum(level + 2 * step, 1.0)[:-1]
    value = np.zeros((c.size, level.size))
    stay, rise, steep = (np.empty((c.size, level.size - k)) for k in (0, 1, 1))
    for i in range(left.size - 1, -1, -1):
        rows = slice(start[i], stop[i])
        v, a, b, q = value[rows], stay[rows], rise[rows], steep[rows]
        limit = c[rows, np.newaxis]
        score = _largest_product(sign, left[i], right[i], low[:-1], high_rise)
        np.maximum(np.subtract(score, limit, out=b), 0.0, out=b)
        np.maximum(np.subtract(score - sign * slope, limit, out=q), 0.0, out=q)
        q -= b
        q *= weight[i]
        b *= cell_mass[i]
        b += q
        b += v[:, 1:]
        score = _largest_product(sign, left[i], right[i], low, high_stay)
        np.maximum(np.subtract(score, limit, out=a), 0.0, out=a)
        a *= cell_mass[i]
        v += a
        np.maximum(v[:, :-1], b, out=v[:, :-1])
    # Beyond the cells psi' - N psi is at most slope + |N|.
    ends = 2 * (density(window) - (c - slope) * ndtr(-window))
    return (value.max(axis=1) + ends) * ROUNDING


def softmax_bounds(rho, c, *, absent=False):
    """Return the supremum of E q (h - N - c)_+ over E q, h = (log q)' in [-down, up].

    It is attained by q = e^(up (t - x)) left of some x and e^(-down (t - x)) right of it.
    """
    up, down = (1 / rho, 4 / rho) if absent else (4 / rho, 1 / rho)
    x = np.linspace(-down, up, 8001) - c[:, np.newaxis]
    left, right = mills(up - x), mills(x + down)
    return ((1 - c[:, np.newaxis] * left) / (left + right)).max(axis=1) * (1 + 1e-6)


def worst_ratio(eta, c, bounds):
    """Return the largest ratio of the bounds to (1 + eta) g(c / (1 + eta)), for c[0] to c[-1].

    The true function is convex in c, so that between two points it lies below the chord of
    their bounds. The Gaussian one is convex too: where its derivative equals the slope of
    the chord, or else at an end, it comes closest.
    """
    mu = 1 + eta
    slope = np.diff(bounds) / np.diff(c)
    # The derivative is -P(N > c / mu).
    touching = -mu * ndtri(np.minimum(-slope, 0.5))
    inside = (touching > c[:-1]) & (touching < c[1:])
    chord = bounds[:-1] + slope * (touching - c[:-1])
    ratios = [bounds / (mu * excess(c / mu))]
    ratios.append(chord[inside] / (mu * excess(touching[inside] / mu)))
    return float(np.max(np.concatenate(ratios)))


def exact_curve(t, k, eps):
    """Return the hockey-stick divergence of P_k from Q for a piecewise linear k.

    Q is standard normal, and so is t + k(t) under P_k. `k` is linear between the ascending
    knots `t` and constant outside. On a piece with k = s t + c the log ratio
    log(1 + s) - t k - k^2 / 2 is concave in t: it passes eps on one interval, whose masses
    under P and Q are known.
    """
    slope = np.concatenate([[0.0], np.diff(k) / np.diff(t), [0.0]])[:, np.newaxis]
    start = np.concatenate([[-np.inf], t])[:, np.newaxis]
    end = np.concatenate([t, [np.inf]])[:, np.newaxis]
    at = np.concatenate([t[:1], t])[:, np.newaxis]
    intercept = np.concatenate([k[:1], k])[:, np.newaxis] - slope * at
    # a t^2 + b t + c <= 0 where the log ratio is at least eps.
    a = slope + slope**2 / 2
    b = intercept * (1 + slope)
    c = intercept**2 / 2 - np.log1p(slope) + eps
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, half = -b / (2 * a), np.sqrt(np.maximum(b * b - 4 * a * c, 0.0)) / (2 * a)
        above = np.where(b > 0, -np.inf, np.where(b < 0, -c / b, np.where(c < 0, -np.inf, np.inf)))
        below = np.where(b > 0, -c / b, np.where(b < 0, np.inf, np.where(c < 0, np.inf, -np.inf)))
        low = np.maximum(start, np.where(a > 0, centre - half, above))
        high = np.minimum(end, np.where(a > 0, centre + half, below))
        low = np.minimum(low, end)
        high = np.maximum(low, high)
        image_low = np.where(np.isinf(low), low, low * (1 + slope) + intercept)
        image_high = np.where(np.isinf(high), high, high * (1 + slope) + intercept)
        found = mass(image_low, image_high) - np.exp(eps) * mass(low, high)
    return np.sum(np.where(high > low, found, 0.0), axis=0)
