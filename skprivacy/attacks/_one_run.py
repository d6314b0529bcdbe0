"""Audits by one fit: many canaries, each put in by its own coin.

m canaries are each put into the training rows with probability one half, independently; one
model is fitted, and an attacker guesses for r of them whether they are in. If v guesses are
right, how private can the algorithm be?

*Steinke, Nasr and Jagielski (2023), Theorem 5.2.* Under (epsilon, delta)-DP the number of
right guesses is, but for delta, no larger than a binomial B of r trials that succeed with
probability q = e^epsilon / (1 + e^epsilon): an adversary who knows all other coins has odds
of at most e^epsilon for each. Precisely,

    P[at least v right] <= P[B >= v] + 2 m delta max_i P[v > B >= v - i] / i.

*Mahloujifar, Melis and Chaudhuri (2024).* For a trade-off function f, the probabilities p_i
of exactly i right guesses can't fall faster than a recursion in f allows. Started at
P[at least v right] = alpha and run down to 0, with R and h for the right and wrong guesses,
each over m, it needs more than the r / m guesses there are: then alpha was too likely. For
Gaussian trade-off functions this is much closer than the first, and holds only for claims
of Gaussian differential privacy.

Both are bounds on fits with canaries that an attacker can tell apart one by one. With fewer
dimensions than canaries the canaries drown each other out, and nothing is found at any
epsilon: `skprivacy.attacks.one_run_audit` warns.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincinv, expit, gammaln, logit, ndtr, ndtri, xlog1py, xlogy

from ..accounting import gdp_epsilon
from ._bounds import Bound, check_scores, hull_vertices

BOTH_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0)
"""Shares of the canaries that guesses on both sides are tried for; each costs a part of alpha."""

LARGEST = 64.0
"""Beyond this epsilon or mu no number of canaries proves anything."""

PRECISION = 1e-9
COARSE = 16
"""Pairs of counts that are tried before all are."""


def one_run_p_value(m: int, r: int, v: int, epsilon: float, delta: float) -> float:
    """Return how likely `v` or more right guesses are at most, under (epsilon, delta)-DP.

    Parameters
    ----------
    m : int
        Canaries, each in by its own coin.
    r : int
        Guesses, at most `m`.
    v : int
        Right guesses, at most `r`.
    epsilon, delta : float
        The claim.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), "Privacy auditing with one (1) training run",
    Theorem 5.2.

    Examples
    --------
    >>> from skprivacy.attacks import one_run_p_value
    >>> round(one_run_p_value(1000, 100, 90, 1.0, 1e-6), 6)
    0.000109
    """
    _check_counts(m, r, v, delta)
    if v == 0:
        return 1.0
    q = float(expit(epsilon))
    below = np.arange(v)
    mass = np.exp(
        gammaln(r + 1)
        - gammaln(below + 1)
        - gammaln(r - below + 1)
        + xlogy(below, q)
        + xlog1py(r - below, -q)
    )
    # The tail by its own function: 1 minus a sum would have no digits where it is small.
    tail = float(_binomial_tail(np.array([v]), np.array([r]), q)[0])
    if delta > 0:
        window = np.cumsum(mass[::-1]) / np.arange(1, v + 1)
        tail += 2 * m * delta * float(window.max())
    return min(tail, 1.0)


def one_run_epsilon(m: int, r: int, v: int, delta: float, alpha: float = 0.05) -> float:
    """Return the epsilon that `v` right guesses of `r` prove.

    Parameters
    ----------
    m, r, v : int
        Canaries, guesses, right guesses.
    delta : float
        The delta of the claim.
    alpha : float, default=0.05
        Probability that the bound is wrong.

    Returns
    -------
    float
        Lower bound on epsilon; 0 where nothing is proved.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), "Privacy auditing with one (1) training run".

    Examples
    --------
    >>> from skprivacy.attacks import one_run_epsilon
    >>> round(one_run_epsilon(1000, 100, 90, delta=1e-6), 6)
    1.630358
    """
    _check_counts(m, r, v, delta)
    return _best_epsilon(m, np.array([r]), np.array([v]), delta, alpha)[0]


def one_run_mu(m: int, r: int, v: int, alpha: float = 0.05) -> float:
    """Return the mu that `v` right guesses of `r` prove, for a claim of mu-GDP.

    Parameters
    ----------
    m, r, v : int
        Canaries, guesses, right guesses.
    alpha : float, default=0.05
        Probability that the bound is wrong.

    Returns
    -------
    float
        Lower bound on mu; 0 where nothing is proved.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    Mahloujifar, Melis and Chaudhuri (2024), "Auditing f-differential privacy in one run".

    Examples
    --------
    >>> from skprivacy.accounting import gdp_epsilon
    >>> from skprivacy.attacks import one_run_mu
    >>> round(gdp_epsilon(one_run_mu(1000, 100, 90), 1e-6), 6)
    2.768683
    """
    _check_counts(m, r, v, 0.0)
    return _best_mu(m, np.array([r]), np.array([v]), alpha)[0]


def one_run_bound(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    delta: float,
    alpha: float = 0.05,
    method: str = "steinke",
    guesses: str = "both",
) -> float:
    """Return an epsilon that one fit with canaries proves, with probability 1 - alpha.

    Parameters
    ----------
    scores_in, scores_out : array-like of shape (n_canaries,)
        Scores of the canaries that were put in and of those that were not, high meaning
        "in". Which went in was drawn by independent fair coins.
    delta : float
        The delta of the claim.
    alpha : float, default=0.05
        Probability that the bound is wrong.
    method : {"steinke", "f-dp"}, default="steinke"
        "steinke" holds for any claim of (epsilon, delta), "f-dp" for a claim of Gaussian
        differential privacy.
    guesses : {"both", "in"}, default="both"
        "both": the highest scores are guessed in, as many lowest out; seven sizes are tried.
        "in": the highest alone; every vertex of the ROC curve's convex hull is tried, a
        number that depends on the scores (jax_privacy's convention, not a proof).

    Returns
    -------
    float
        Lower bound on epsilon at `delta`; 0 where nothing is proved.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), "Privacy auditing with one (1) training run".
    Mahloujifar, Melis and Chaudhuri (2024), "Auditing f-differential privacy in one run".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import one_run_bound
    >>> rng = np.random.default_rng(0)
    >>> bound = one_run_bound(rng.normal(2, 1, 500), rng.normal(0, 1, 500), delta=1e-6)
    >>> 1 < bound < 10
    True
    """
    bound, _ = one_run(
        scores_in, scores_out, delta=delta, alpha=alpha, method=method, guesses=guesses
    )
    return bound.value if method == "steinke" else gdp_epsilon(bound.value, delta)


def one_run(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    delta: float,
    alpha: float,
    method: str,
    guesses: str,
) -> tuple[Bound, tuple[int, int]]:
    """Return the bound on epsilon ("steinke") or mu ("f-dp"), and (guesses, right ones).

    The bound's error rates are those that were seen, not bounds on them.
    """
    inside, outside = check_scores(scores_in, scores_out, alpha, delta)
    if guesses == "in":
        thresholds, false_negatives, true_negatives = hull_vertices(inside, outside)
        right = inside.size - false_negatives
        guessed = right + outside.size - true_negatives
        alpha /= thresholds.size + 2
    elif guesses == "both":
        thresholds, guessed, right = _guesses_on_both_sides(inside, outside)
        alpha /= len(BOTH_SHARES)
    else:
        raise ValueError(f"guesses must be 'both' or 'in'. Got {guesses!r} instead.")
    m = inside.size + outside.size
    if method == "steinke":
        value, best = _best_epsilon(m, guessed, right, delta, alpha)
    elif method == "f-dp":
        value, best = _best_mu(m, guessed, right, alpha)
    else:
        raise ValueError(f"method must be 'steinke' or 'f-dp'. Got {method!r} instead.")
    if thresholds.size == 0:
        return Bound(0.0, np.inf, 0.0, 1.0), (0, 0)
    threshold = float(thresholds[best])
    bound = Bound(
        value,
        threshold,
        float(np.mean(outside >= threshold)),
        float(np.mean(inside < threshold)),
    )
    return bound, (int(guessed[best]), int(right[best]))


def _guesses_on_both_sides(
    inside: NDArray[np.float64], outside: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    scores = np.concatenate([inside, outside])
    member = np.arange(scores.size) < inside.size
    # Coins break ties: in the order given, ins would come before outs.
    order = np.lexsort((np.random.default_rng(0).random(scores.size), -scores))
    found = np.concatenate([[0], np.cumsum(member[order])])
    sides = np.unique(
        [max(1, int(share * scores.size / 2)) for share in BOTH_SHARES if scores.size > 1]
    )
    right = found[sides] + sides - (found[-1] - found[scores.size - sides])
    return scores[order][sides - 1], 2 * sides, right


def _check_counts(m: int, r: int, v: int, delta: float) -> None:
    if not 0 <= v <= r <= m:
        raise ValueError(f"Counts must obey 0 <= v <= r <= m. Got v={v}, r={r}, m={m} instead.")
    if not 0 <= delta < 1:
        raise ValueError(f"delta must be in the range [0, 1). Got {delta!r} instead.")


def _binomial_tail(v: NDArray[Any], r: NDArray[Any], q: float) -> NDArray[np.float64]:
    """Return P[Binomial(r, q) >= v] for v >= 1."""
    return np.asarray(betainc(v, r - v + 1, q))


def _best_epsilon(
    m: int, r: NDArray[Any], v: NDArray[Any], delta: float, alpha: float
) -> tuple[float, int]:
    """Return the largest epsilon that a pair of counts proves, and which pair."""
    some = np.flatnonzero(v > 0)
    if some.size == 0:
        return 0.0, 0
    # Without delta the answer is in closed form; with it, it can only be smaller.
    limits = logit(betaincinv(v[some], r[some] - v[some] + 1, alpha))
    best, which = 0.0, int(some[np.argmax(limits)])
    for limit, index in sorted(zip(limits, some, strict=True), reverse=True):
        if limit <= best:
            break
        counts = m, int(r[index]), int(v[index])

        def rejects(epsilon: float, counts: tuple[int, int, int] = counts) -> bool:
            return one_run_p_value(*counts, epsilon, delta) <= alpha

        if delta == 0:
            best, which = float(limit), int(index)
        elif rejects(best):
            best, which = _bisect(rejects, best, float(limit)), int(index)
    return best, which


def _bisect(rejects: Callable[[float], bool], low: float, high: float) -> float:
    """Return where rejection ends between a rejected `low` and `high`, from below."""
    while high - low > PRECISION * max(high, 1e-3):
        middle = (low + high) / 2
        if rejects(middle):
            low = middle
        else:
            high = middle
    return low


def _best_mu(m: int, r: NDArray[Any], v: NDArray[Any], alpha: float) -> tuple[float, int]:
    """Return the largest mu that a pair of counts proves, and which pair.

    All pairs are tried at one mu at a time; those that don't refute it can't be the best
    and are dropped. A few pairs first find where to begin with all.
    """
    candidates = np.flatnonzero(v > 0)
    if candidates.size == 0:
        return 0.0, 0

    def refuting(mu: float, some: NDArray[np.intp]) -> NDArray[np.intp]:
        return some[_refuted(m, r[some].astype(float), v[some].astype(float), mu, alpha)]

    low = 0.0
    for some in (candidates[:: max(1, candidates.size // COARSE)], candidates):
        left = refuting(low, some)
        if left.size == 0:
            continue
        high = LARGEST
        if low > 0:
            # From where the few have ended, all others end a little later.
            step = 1e-3 * low
            while low + step < LARGEST and (further := refuting(low + step, left)).size:
                low, left, step = low + step, further, 4 * step
            high = min(low + step, LARGEST)
        while high - low > PRECISION * max(high, 1e-3):
            middle = (low + high) / 2
            further = refuting(middle, left)
            if further.size:
                low, left = middle, further
            else:
                high = middle
        which = int(left[0])
    return (low, which) if low > 0 else (0.0, int(candidates[0]))


def _refuted(
    m: int, r: NDArray[np.float64], v: NDArray[np.float64], mu: float, alpha: float
) -> NDArray[np.bool_]:
    """Whether alpha is more than mu-GDP allows for `v` right guesses of `r`."""
    refuted = np.zeros(r.size, dtype=bool)
    left = np.arange(r.size)
    right, wrong = alpha * v / m, alpha * (r - v) / m
    i, total = v - 1, r / m
    while left.size:
        least = np.maximum(wrong, ndtr(ndtri(right) - mu))
        right = np.minimum(right + i / (r - i) * (least - wrong), 1.0)
        done = right + least >= total
        refuted[left[done]] = True
        # Once nothing is gained nothing will be.
        go_on = ~done & (least > wrong) & (i > 0)
        left, right, wrong = left[go_on], right[go_on], least[go_on]
        i, r, total = i[go_on] - 1, r[go_on], total[go_on]
    return refuted
