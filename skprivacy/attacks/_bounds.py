"""Lower bounds on the privacy loss of a release, proved by an attacker's scores.

An attacker gives every run a score. Runs on one data set are the *in* scores, runs on its
neighbour the *out* scores, and "in" is guessed where the score is at least a threshold.
False negatives and false positives are counted, and Clopper-Pearson bounds u and v on their
rates hold together with probability at least 1 - alpha, whatever the law of the scores.
Then an (epsilon, delta)-DP release has

    epsilon >= log((1 - u - delta) / v)   and   epsilon >= log((1 - v - delta) / u)

(Kairouz, Oh and Viswanath 2015), and a release that is mu-GDP but for delta has

    mu >= Phi^-1(1 - u - delta) - Phi^-1(v)

and the same with u and v exchanged (Dong, Roth and Su 2022, Definition 3). The second is
much closer, and holds only for claims of Gaussian differential privacy.

A threshold has to be fixed before the scores that are counted are seen, or be paid for.
*midpoint* and *search* choose it, and which side is "in", from every other score and count
the rest: exact at any size. *bonferroni* counts all scores at every vertex of the ROC
curve's convex hull and divides alpha by their number. That number depends on the scores,
so the division is a convention (it is jax_privacy's), not a proof: the tests measure that
it errs far less often than alpha.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression
from scipy.special import betaincinv, ndtri

Proof = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Bounds on the two error rates in, the privacy loss that they prove out; elementwise."""

THRESHOLDS = ("midpoint", "search", "bonferroni")
N_CANDIDATES = 200


@dataclass(frozen=True)
class Bound:
    """A lower bound, and the test that proves it.

    Parameters
    ----------
    value : float
        The bound on mu or epsilon, at least 0.
    threshold : float
        "In" is guessed from this score on.
    fpr_upper, fnr_upper : float
        Bounds on the rates of false positives and false negatives.
    high_is_in : bool
        False where "in" is guessed *below* the threshold.
    """

    value: float
    threshold: float
    fpr_upper: float
    fnr_upper: float
    high_is_in: bool = True


def clopper_pearson(
    count: ArrayLike, total: ArrayLike, error: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return exact bounds on the probability of an event that was counted.

    Parameters
    ----------
    count : array-like of int
        How often it came.
    total : array-like of int
        In how many independent trials.
    error : array-like of float
        Each of the two bounds fails with at most this probability.

    Returns
    -------
    low, high : ndarray
        The bounds, of the common shape of the arguments.

    References
    ----------
    Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in
    the case of the binomial".

    Examples
    --------
    >>> from skprivacy.attacks import clopper_pearson
    >>> low, high = clopper_pearson([0, 50], 100, 0.025)
    >>> high.round(4)
    array([0.0362, 0.6017])
    """
    count, total, error = np.broadcast_arrays(
        np.asarray(count, dtype=float), np.asarray(total, dtype=float), np.asarray(error, float)
    )
    some, rest = count > 0, count < total
    # 1 where the formula has no value; the mask then decides.
    low = betaincinv(np.where(some, count, 1), total - count + 1, error)
    high = betaincinv(count + 1, np.where(rest, total - count, 1), 1 - error)
    return np.where(some, low, 0.0), np.where(rest, high, 1.0)


def mu_lower_bound(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    threshold: str | float = "midpoint",
    alpha: float = 0.05,
    delta: float = 0.0,
) -> float:
    """Return a mu that the release has at least, with probability 1 - alpha.

    Parameters
    ----------
    scores_in, scores_out : array-like of shape (n_runs,)
        Independent scores of runs on each of two neighbours.
    threshold : {"midpoint", "search", "bonferroni"} or float, default="midpoint"
        Where "in" begins. "midpoint": between the means of every other score, the rest is
        counted; "search": the best for every other score; "bonferroni": the best of all
        vertices of the ROC curve's hull, alpha being divided by their number; a number: fixed
        before the scores were seen, "in" from there on.
    alpha : float, default=0.05
        Probability that the bound is wrong.
    delta : float, default=0.0
        Probability outside the Gaussian part of the claim.

    Returns
    -------
    float
        The bound; 0 where the scores prove nothing.

    Raises
    ------
    ValueError
        If a parameter is out of its range or there are too few scores.

    References
    ----------
    Dong, Roth and Su (2022), "Gaussian differential privacy", Definition 3.
    Nasr et al. (2023), "Tight auditing of differentially private machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import mu_lower_bound
    >>> rng = np.random.default_rng(0)
    >>> 0.9 < mu_lower_bound(rng.normal(1, 1, 20_000), rng.normal(0, 1, 20_000)) < 1.0
    True
    """
    return mu_bound(scores_in, scores_out, threshold=threshold, alpha=alpha, delta=delta).value


def epsilon_lower_bound(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    delta: float = 0.0,
    threshold: str | float = "search",
    alpha: float = 0.05,
) -> float:
    """Return an epsilon that the release has at least at `delta`, with probability 1 - alpha.

    Parameters
    ----------
    scores_in, scores_out : array-like of shape (n_runs,)
        Independent scores of runs on each of two neighbours.
    delta : float, default=0.0
        The delta of the claim.
    threshold : {"search", "midpoint", "bonferroni"} or float, default="search"
        As in `mu_lower_bound`.
    alpha : float, default=0.05
        Probability that the bound is wrong.

    Returns
    -------
    float
        The bound; 0 where the scores prove nothing. N runs a side can't prove more than
        about log(N / log(2 / alpha)).

    Raises
    ------
    ValueError
        If a parameter is out of its range or there are too few scores.

    References
    ----------
    Kairouz, Oh and Viswanath (2015), "The composition theorem for differential privacy".
    Jagielski, Ullman and Oprea (2020), "Auditing differentially private machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import epsilon_lower_bound
    >>> rng = np.random.default_rng(0)
    >>> 0.8 < epsilon_lower_bound(rng.laplace(1, 1, 10_000), rng.laplace(0, 1, 10_000)) < 1.0
    True
    """
    return epsilon_bound(scores_in, scores_out, delta=delta, threshold=threshold, alpha=alpha).value


def mu_bound(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    threshold: str | float,
    alpha: float,
    delta: float,
) -> Bound:
    """Return `mu_lower_bound` with the test that proves it."""

    def proof(fnr: NDArray[np.float64], fpr: NDArray[np.float64]) -> NDArray[np.float64]:
        # ndtri(0) - ndtri(0) can't come: an upper bound on a rate is above 0.
        forward = ndtri(np.maximum(1 - fnr - delta, 0)) - ndtri(fpr)
        swapped = ndtri(np.maximum(1 - fpr - delta, 0)) - ndtri(fnr)
        return np.maximum(forward, swapped)

    return _bound(scores_in, scores_out, threshold, alpha, delta, proof)


def epsilon_bound(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    delta: float,
    threshold: str | float,
    alpha: float,
) -> Bound:
    """Return `epsilon_lower_bound` with the test that proves it."""

    def proof(fnr: NDArray[np.float64], fpr: NDArray[np.float64]) -> NDArray[np.float64]:
        forward = np.maximum(1 - fnr - delta, 0) / fpr
        swapped = np.maximum(1 - fpr - delta, 0) / fnr
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(forward, swapped))

    return _bound(scores_in, scores_out, threshold, alpha, delta, proof)


def check_scores(
    scores_in: ArrayLike, scores_out: ArrayLike, alpha: float, delta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores as arrays, or say what is wrong with them."""
    arrays = []
    for name, scores in (("scores_in", scores_in), ("scores_out", scores_out)):
        array = np.asarray(scores, dtype=float)
        if array.ndim != 1 or array.size < 2:
            raise ValueError(
                f"{name} must be one-dimensional with at least 2 scores. "
                f"Got shape {array.shape} instead."
            )
        if np.isnan(array).any():
            raise ValueError(f"{name} contains NaN. Every run needs a score.")
        arrays.append(array)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in the range (0, 1). Got {alpha!r} instead.")
    if not 0 <= delta < 1:
        raise ValueError(f"delta must be in the range [0, 1). Got {delta!r} instead.")
    return arrays[0], arrays[1]


def _bound(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    threshold: Any,
    alpha: float,
    delta: float,
    proof: Proof,
) -> Bound:
    inside, outside = check_scores(scores_in, scores_out, alpha, delta)
    if threshold == "bonferroni":
        thresholds, false_negatives, true_negatives = hull_vertices(inside, outside)
        # Its two ends, which prove nothing, are counted too.
        alpha /= thresholds.size + 2
        counts = np.array([false_negatives, outside.size - true_negatives])
        return _best(thresholds, counts, (inside.size, outside.size), alpha, proof)
    high_is_in = True
    if isinstance(threshold, Real) and not math.isnan(threshold):
        point = float(threshold)
    elif threshold in ("midpoint", "search"):
        # Every other score, not the first half: callers may hand over sorted scores.
        training = inside[::2], outside[::2]
        if threshold == "midpoint":
            point, high_is_in = _midpoint(*training)
        else:
            point, high_is_in = _search(*training, alpha, proof)
        inside, outside = inside[1::2], outside[1::2]
    else:
        raise ValueError(
            f"threshold must be one of {THRESHOLDS} or a number. Got {threshold!r} instead."
        )
    points = np.array([point])
    counts = np.array([[np.sum(inside < point)], [np.sum(outside >= point)]])
    totals = inside.size, outside.size
    if not high_is_in:
        counts = np.array(totals)[:, np.newaxis] - counts
    return _best(points, counts, totals, alpha, proof, high_is_in=high_is_in)


def _best(
    thresholds: NDArray[np.float64],
    counts: NDArray[Any],
    totals: tuple[int, int],
    alpha: float,
    proof: Proof,
    *,
    high_is_in: bool = True,
) -> Bound:
    """Return the best bound of counted false negatives and false positives."""
    if thresholds.size == 0:
        return Bound(0.0, math.inf, 1.0, 1.0)
    fnr, fpr = clopper_pearson(counts, np.array(totals)[:, np.newaxis], alpha / 2)[1]
    values = proof(fnr, fpr)
    best = int(np.argmax(values))
    return Bound(
        max(0.0, float(values[best])),
        float(thresholds[best]),
        float(fpr[best]),
        float(fnr[best]),
        high_is_in,
    )


def _midpoint(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> tuple[float, bool]:
    mean_in, mean_out = inside.mean(), outside.mean()
    if not np.isfinite(mean_in + mean_out):
        raise ValueError("The midpoint needs finite scores. Use threshold='search'.")
    return float((mean_in + mean_out) / 2), bool(mean_in >= mean_out)


def _search(
    inside: NDArray[np.float64], outside: NDArray[np.float64], alpha: float, proof: Proof
) -> tuple[float, bool]:
    ordered = np.sort(np.concatenate([inside, outside]))
    ranks = np.linspace(0, ordered.size - 1, min(N_CANDIDATES, ordered.size)).astype(int)
    # Infinite scores may choose, but are no place for a threshold.
    points = np.unique(ordered[ranks])
    points = points[np.isfinite(points)]
    if points.size == 0:
        return 0.0, True
    below = np.array([np.searchsorted(np.sort(part), points) for part in (inside, outside)])
    totals = np.array([inside.size, outside.size])
    counts = np.array([below[0], totals[1] - below[1]])
    high = _best(points, counts, tuple(totals), alpha, proof)
    low = _best(points, totals[:, np.newaxis] - counts, tuple(totals), alpha, proof)
    return (high.threshold, True) if high.value >= low.value else (low.threshold, False)


def hull_vertices(
    inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the thresholds on the convex hull of the ROC curve, and what they count.

    Parameters
    ----------
    inside, outside : ndarray of shape (n,)
        Scores.

    Returns
    -------
    thresholds : ndarray of float
        Those of the hull's vertices that lie above the line of guessing.
    false_negatives, true_negatives : ndarray of int
        In and out scores below each.
    """
    points = np.unique(np.concatenate([inside, outside]))
    false_negatives = np.searchsorted(np.sort(inside), points)
    true_negatives = np.searchsorted(np.sort(outside), points)
    # The hull of a ROC curve is the isotonic regression of membership on the score: its
    # level stretches are the edges (Fawcett and Niculescu-Mizil 2007).
    members = np.diff(np.append(false_negatives, inside.size))
    sizes = members + np.diff(np.append(true_negatives, outside.size))
    edges = isotonic_regression(members / sizes, weights=sizes).blocks
    vertices = edges[1:-1]
    # Rounded means may leave points on an edge; integers decide.
    x = np.concatenate([[0], false_negatives[vertices], [inside.size]]).astype(np.int64)
    y = np.concatenate([[0], true_negatives[vertices], [outside.size]]).astype(np.int64)
    dx, dy = np.diff(x), np.diff(y)
    vertices = vertices[dy[:-1] * dx[1:] > dy[1:] * dx[:-1]]
    return points[vertices], false_negatives[vertices], true_negatives[vertices]
