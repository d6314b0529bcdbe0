"""ROC curves of attack scores, counted exactly.

An attacker accuses the rows whose score reaches a threshold. Rates are read off the steps
of the empirical curve without interpolation; with ``hull=True`` off its concave hull,
which an attacker who may toss a coin between two thresholds reaches.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri
from scipy.stats import rankdata

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def roc_points(
    member_scores: ArrayLike, nonmember_scores: ArrayLike, *, hull: bool = False
) -> Points:
    """Return the ROC curve of scores that are high for members.

    Parameters
    ----------
    member_scores, nonmember_scores : array-like of shape (n_rows,)
        Scores of rows.
    hull : bool, default=False
        Whether to return the concave hull instead of the steps.

    Returns
    -------
    fpr, tpr : ndarray of shape (n_points,)
        From (0, 0) to (1, 1), a point for each threshold.

    Raises
    ------
    ValueError
        If a side has no scores, or a score is NaN.

    Examples
    --------
    >>> from skprivacy.attacks import roc_points
    >>> fpr, tpr = roc_points([1, 3], [0, 2])
    >>> fpr
    array([0. , 0. , 0.5, 0.5, 1. ])
    >>> tpr
    array([0. , 0.5, 0.5, 1. , 1. ])
    """
    members, nonmembers = _scores(member_scores), _scores(nonmember_scores)
    thresholds = np.unique(np.concatenate([members, nonmembers]))[::-1]
    fpr, tpr = _reaching(nonmembers, thresholds), _reaching(members, thresholds)
    if hull:
        keep = _upper_hull(fpr, tpr)
        fpr, tpr = fpr[keep], tpr[keep]
    return fpr, tpr


def tpr_at_fpr(
    member_scores: ArrayLike, nonmember_scores: ArrayLike, fpr: ArrayLike, *, hull: bool = False
) -> Any:
    """Return the share of members found at a tolerated share of false accusations.

    Parameters
    ----------
    member_scores, nonmember_scores : array-like of shape (n_rows,)
        Scores of rows, high for members.
    fpr : float or array-like
        Largest false positive rate.
    hull : bool, default=False
        Whether to interpolate on the concave hull; else the largest true positive rate of a
        threshold whose false positive rate is at most `fpr`.

    Returns
    -------
    float or ndarray
        True positive rate, of the shape of `fpr`.

    Raises
    ------
    ValueError
        If `fpr` is no rate.

    Examples
    --------
    >>> from skprivacy.attacks import tpr_at_fpr
    >>> tpr_at_fpr([1, 3], [0, 2], 0.25)
    0.5
    >>> tpr_at_fpr([1, 3], [0, 2], 0.25, hull=True)
    0.75
    """
    wanted = np.asarray(fpr, dtype=float)
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise ValueError(f"fpr must be a float in the range [0, 1]. Got {fpr!r} instead.")
    x, y = roc_points(member_scores, nonmember_scores, hull=hull)
    below = np.searchsorted(x, wanted, side="right") - 1
    found = y[below]
    if hull:
        # np.interp is not defined where x repeats: take the upper end of vertical pieces.
        after = np.minimum(below + 1, x.size - 1)
        run = np.where(x[after] > x[below], x[after] - x[below], 1.0)
        found = found + (y[after] - y[below]) * (wanted - x[below]) / run
    return float(found) if wanted.ndim == 0 else found


def roc_auc(member_scores: ArrayLike, nonmember_scores: ArrayLike, *, hull: bool = False) -> float:
    """Return the area under the ROC curve.

    Parameters
    ----------
    member_scores, nonmember_scores : array-like of shape (n_rows,)
        Scores of rows, high for members.
    hull : bool, default=False
        Whether to take the area under the concave hull.

    Returns
    -------
    float
        The probability that a random member scores above a random non-member, ties counted
        half; with `hull` never below 1/2.

    Examples
    --------
    >>> from skprivacy.attacks import roc_auc
    >>> roc_auc([0, 4, 6, 7], [1, 2, 3, 5])
    0.6875
    >>> roc_auc([0, 4, 6, 7], [1, 2, 3, 5], hull=True)
    0.8125
    """
    if hull:
        fpr, tpr = roc_points(member_scores, nonmember_scores, hull=True)
        return float(np.trapezoid(tpr, fpr))
    above_nonmembers, _ = _placements(_scores(member_scores), _scores(nonmember_scores))
    return float(above_nonmembers.mean())


def roc_auc_interval(
    member_scores: ArrayLike, nonmember_scores: ArrayLike, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Return a confidence interval of the area under the ROC curve.

    Parameters
    ----------
    member_scores, nonmember_scores : array-like of shape (n_rows,)
        Scores of rows, high for members.
    confidence : float, default=0.95
        Confidence level.

    Returns
    -------
    low, high : float
        The interval.

    Notes
    -----
    DeLong's variance, on the logit scale. Where the sides are parted without one error that
    variance is 0; the end inside is then the exact one: k disjoint pairs, k the smaller of
    the two numbers of rows, are all in order with probability AUC^k.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated
    receiver operating characteristic curves", Biometrics 44, 1988.
    """
    members, nonmembers = _scores(member_scores), _scores(nonmember_scores)
    above, below = _placements(members, nonmembers)
    area = float(above.mean())
    outside = (1 - confidence) / 2
    if area in {0.0, 1.0}:
        end = float(outside ** (1 / min(members.size, nonmembers.size)))
        return (end, 1.0) if area == 1.0 else (0.0, 1 - end)
    variance = _variance(above) / members.size + _variance(below) / nonmembers.size
    width = -ndtri(outside) * np.sqrt(variance) / (area * (1 - area))
    low, high = expit(logit(area) + np.array([-width, width]))
    return float(low), float(high)


def _reaching(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 0, and the share of scores that reach each threshold."""
    count = scores.size - np.searchsorted(np.sort(scores), thresholds)
    return np.concatenate([[0], count]) / scores.size


def _variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) if values.size > 1 else 0.25


def _placements(
    members: NDArray[np.float64], nonmembers: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each member's share of non-members below it, and the converse."""
    ranks = rankdata(np.concatenate([members, nonmembers]))
    above = (ranks[: members.size] - rankdata(members)) / nonmembers.size
    below = 1 - (ranks[members.size :] - rankdata(nonmembers)) / members.size
    return above, below


def _upper_hull(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[int]:
    """Return which points of a rising curve are the vertices of its concave hull."""
    keep: list[int] = []
    for point in range(x.size):  # Andrew's monotone chain: each point is dropped at most once
        while len(keep) > 1:
            a, b = keep[-2], keep[-1]
            turn = (x[b] - x[a]) * (y[point] - y[a]) - (y[b] - y[a]) * (x[point] - x[a])
            if turn < 0:
                break
            keep.pop()
        keep.append(point)
    return keep


def _scores(scores: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(scores, dtype=float).reshape(-1)
    if not scores.size or np.isnan(scores).any():
        raise ValueError("Scores must be numbers, at least one on each side, and not NaN.")
    return scores
