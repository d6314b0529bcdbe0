"""Membership scores from a target model's signals and those of shadow models.

How sure a model is of a row depends on the row as much as on membership: easy rows are
always predicted well. Shadow models, fitted with and without the row, say what to expect
in both cases, and the score compares the target with them. High scores mean members.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
LEAST_SD = 1e-30
LEAST_EXPECTED = 1e-12
LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
VARIANCES = ("pooled", "per-row")


def gaussian_log_density(
    target: ArrayLike, samples: ArrayLike, chosen: ArrayLike, *, variance: str = "pooled"
) -> Array:
    """Return each row's log density of the target's signal under Gaussians of the shadows'.

    Parameters
    ----------
    target : array-like of shape (n_rows,)
        Signals of the model under attack.
    samples : array-like of shape (n_models, n_rows)
        Signals of the shadow models.
    chosen : array-like of shape (n_models, n_rows) of bool
        Which samples count.
    variance : {"pooled", "per-row"}, default="pooled"
        One variance over all rows' residuals, or one a row. Both are the maximum
        likelihood's, divided by the number of residuals.

    Returns
    -------
    ndarray of shape (n_rows,)
        Log densities. A row without samples takes the mean of the other rows' means and
        standard deviations.
    """
    mean, sd = _moments(np.asarray(samples, float), np.asarray(chosen, bool), variance)
    return -LOG_ROOT_2PI - np.log(sd) - 0.5 * ((np.asarray(target, float) - mean) / sd) ** 2


def lira_scores(
    target: ArrayLike,
    shadows: ArrayLike,
    inside: ArrayLike,
    *,
    online: bool = True,
    variance: str = "pooled",
) -> Array:
    """Return the likelihood ratio attack's scores.

    Parameters
    ----------
    target : array-like of shape (n_rows,)
        Signals of the model under attack, close to Gaussian over refits.
    shadows : array-like of shape (n_models, n_rows)
        Signals of the shadow models on the same rows.
    inside : array-like of shape (n_models, n_rows) of bool
        Which shadow models were fitted with which rows.
    online : bool, default=True
        Whether to use the models fitted with a row: log N(in) - log N(out). Otherwise
        (target - mean out) / sd out, for attackers who can't train on the row.
    variance : {"pooled", "per-row"}, default="pooled"
        One variance for all rows, better below some 64 shadow models, or one a row.

    Returns
    -------
    ndarray of shape (n_rows,)
        Scores, high for members.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Examples
    --------
    >>> from skprivacy.attacks import lira_scores
    >>> shadows = [[2.0, 1.0], [3.0, 2.0], [0.0, 5.0], [1.0, 6.0]]
    >>> inside = [[True, False], [True, False], [False, True], [False, True]]
    >>> lira_scores([2.5, 1.5], shadows, inside).round(1)
    array([  8., -32.])
    """
    target, shadows = np.asarray(target, float), np.asarray(shadows, float)
    inside = _mask(inside, shadows)
    if online:
        within = gaussian_log_density(target, shadows, inside, variance=variance)
        return within - gaussian_log_density(target, shadows, ~inside, variance=variance)
    mean, sd = _moments(shadows, ~inside, variance)
    return (target - mean) / sd


def rmia_scores(
    target: ArrayLike,
    shadows: ArrayLike,
    inside: ArrayLike,
    target_population: ArrayLike,
    shadow_population: ArrayLike,
    *,
    population_inside: ArrayLike | None = None,
    online: bool = True,
    offline_a: float = 0.3,
    gamma: float = 1.0,
) -> Array:
    """Return the robust membership inference attack's scores.

    A row x is compared with rows z of the population: the score is the share of them with
    r(x) >= gamma r(z), where r divides the target's confidence by its expectation over
    models.

    Parameters
    ----------
    target : array-like of shape (n_rows,)
        Confidence of the model under attack: probabilities of the rows' own labels.
    shadows : array-like of shape (n_models, n_rows)
        Confidence of the shadow models.
    inside : array-like of shape (n_models, n_rows) of bool
        Which shadow models were fitted with which rows.
    target_population : array-like of shape (n_population,)
        Confidence of the model under attack on rows of the population.
    shadow_population : array-like of shape (n_models, n_population)
        That of the shadow models.
    population_inside : array-like of shape (n_models, n_population) of bool, default=None
        Which shadow models were fitted with which rows of the population. None: none was.
    online : bool, default=True
        Whether the expectation is (mean in + mean out) / 2; else, without models fitted
        with the row, ((1 + a) mean out + 1 - a) / 2. Rows of the population that no shadow
        model saw are always treated in the latter way.
    offline_a : float, default=0.3
        The constant a.
    gamma : float, default=1.0
        How much larger a ratio must be.

    Returns
    -------
    ndarray of shape (n_rows,)
        Scores in [0, 1), high for members: (c + r / (1 + r)) / (n_population + 1), where c
        is the number of population rows and the small second term ranks rows of equal c by
        their ratios, so that scores rise strictly with the ratio.

    References
    ----------
    Zarifzadeh, Liu and Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML
    2024.

    Examples
    --------
    >>> from skprivacy.attacks import rmia_scores
    >>> scores = rmia_scores([0.9, 0.5], [[0.9, 0.5], [0.5, 0.5]], [[True, False], [False, True]],
    ...                      [0.7, 0.3], [[0.5, 0.5], [0.5, 0.5]])
    >>> (scores * 3).astype(int)
    array([2, 1])
    """
    shadows, shadow_population = np.asarray(shadows, float), np.asarray(shadow_population, float)
    inside = _mask(inside, shadows)
    if population_inside is None:
        population_online, population_inside = False, np.zeros(shadow_population.shape, bool)
    else:
        population_online = online
        population_inside = _mask(population_inside, shadow_population)
    ratio = np.asarray(target, float) / _expected(shadows, inside, online, offline_a)
    other = np.asarray(target_population, float) / _expected(
        shadow_population, population_inside, population_online, offline_a
    )
    count = np.searchsorted(np.sort(other), ratio / gamma, side="right")
    return (count + ratio / (1 + ratio)) / (other.size + 1)


def difficulty_calibrated_scores(target: ArrayLike, shadows: ArrayLike, inside: ArrayLike) -> Array:
    """Return the target's signals less the mean of models fitted without the row.

    Parameters
    ----------
    target : array-like of shape (n_rows,)
        Signals of the model under attack.
    shadows : array-like of shape (n_models, n_rows)
        Signals of the shadow models.
    inside : array-like of shape (n_models, n_rows) of bool
        Which shadow models were fitted with which rows.

    Returns
    -------
    ndarray of shape (n_rows,)
        Scores, high for members.

    References
    ----------
    Watson, Guo, Cormode and Sablayrolles, "On the Importance of Difficulty Calibration in
    Membership Inference Attacks", ICLR 2022.
    """
    shadows = np.asarray(shadows, float)
    return np.asarray(target, float) - _means(shadows, ~_mask(inside, shadows))


def _mask(inside: ArrayLike, shadows: Array) -> NDArray[np.bool_]:
    mask = np.asarray(inside, dtype=bool)
    if mask.shape != shadows.shape or shadows.ndim != 2:
        raise ValueError(
            "Shadow signals and the mask of rows inside must have one shape (n_models, n_rows). "
            f"Got {shadows.shape} and {mask.shape} instead."
        )
    return mask


def _expected(shadows: Array, inside: NDArray[np.bool_], online: bool, offline_a: float) -> Array:
    outside = _means(shadows, ~inside)
    if online:
        expected = 0.5 * (outside + _means(shadows, inside))
    else:
        expected = 0.5 * ((1 + offline_a) * outside + 1 - offline_a)
    return np.maximum(expected, LEAST_EXPECTED)


def _means(samples: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return the means of chosen samples of each row; of rows without, the mean of those."""
    count = chosen.sum(axis=0)
    mean = np.where(chosen, samples, 0.0).sum(axis=0) / np.maximum(count, 1)
    return _fill(mean, count > 0)


def _fill(values: Array, known: NDArray[np.bool_]) -> Array:
    if known.all():
        return values
    if not known.any():
        raise ValueError(
            "No shadow model is on the side that the score needs: fit at least two, on halves "
            "that complement each other."
        )
    return np.where(known, values, values[known].mean())


def _moments(samples: Array, chosen: NDArray[np.bool_], variance: str) -> tuple[Array, Array]:
    if variance not in VARIANCES:
        raise ValueError(f"variance must be 'pooled' or 'per-row'. Got {variance!r} instead.")
    mean = _means(samples, chosen)
    squares = np.where(chosen, (samples - mean) ** 2, 0.0)
    if variance == "pooled":
        sd = np.full(mean.shape, math.sqrt(squares.sum() / chosen.sum()))
    else:
        count = chosen.sum(axis=0)
        sd = _fill(np.sqrt(squares.sum(axis=0) / np.maximum(count, 1)), count > 0)
    return mean, sd + LEAST_SD
