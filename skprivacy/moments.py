"""Private mean and covariance of rows, for every learner that starts from them.

Four releases: the bounds of the columns if nobody knows them, the mean, the norm of the
rows around that mean, and their second moment, by far the largest part of the budget. Noise
in the second moment grows with the square of the norm, so it pays to look for a centre and
a norm first: rows that lie close together in a wide box have short differences from their
mean. The theory is in ``docs/theory/covariance.md``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .bounding import box_mechanisms, find_box, find_norm, largest_norm, norm_mechanism
from .mechanisms import ColumnScaler, GaussianGroupMoments, GaussianSecondMoment, Mechanism
from .plan import Facts

if TYPE_CHECKING:
    from .base import Release

MEAN = "mean of the rows"
SCATTER = "second moment of the centred rows"
MEAN_SHARE, NORM_SHARE = 0.1, 0.03

SMALLEST_HALF = 1e-300
"""What keeps the inverse of a width finite."""

LARGEST_ENTRY = 1e290
"""What keeps sums of entries finite, for columns of extreme size."""


@dataclass(frozen=True)
class RowMoments:
    """Released moments of rows.

    Parameters
    ----------
    n_rows : float
        Number of rows; at least its own noise.
    mean : array of shape (n_features,)
    covariance : array of shape (n_features, n_features)
        Symmetric; because of the noise it may have negative eigenvalues.
    bounds : tuple of two arrays of shape (n_features,)
        Bounds that values were clipped to.
    """

    n_rows: float
    mean: np.ndarray
    covariance: np.ndarray
    bounds: tuple[np.ndarray, np.ndarray]


def moment_mechanisms(bounds: Any, facts: Facts) -> list[Mechanism]:
    """Return what `find_moments` draws."""
    box = box_mechanisms(bounds, facts)
    own = 1 - math.fsum(mechanism.share for mechanism in box)
    return [
        *box,
        GaussianGroupMoments(name=MEAN, share=own * MEAN_SHARE, squares=False),
        norm_mechanism(own * NORM_SHARE),
        GaussianSecondMoment(name=SCATTER, share=own * (1 - MEAN_SHARE - NORM_SHARE)),
    ]


def find_moments(
    X: np.ndarray, bounds: Any, release: "Release", name: str, *, centred: bool = False
) -> RowMoments:
    """Release the mean and the covariance of rows.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Finite rows.
    bounds
        The learner's parameter.
    release : Release
        The release of a plan that has `moment_mechanisms`.
    name : str
        Name of the learner, for errors.
    centred : bool, default=False
        Whether the mean is publicly 0.

    Returns
    -------
    RowMoments
    """
    n_features = X.shape[1]
    low, high = find_box(X, bounds, release, name)
    sums = release.sum(
        MEAN, X, groups=np.zeros(X.shape[0], dtype=np.int8), n_groups=1, low=low, high=high
    )[0]
    noise = np.asarray(release.noise_scales[MEAN])
    known = release.facts.n_rows
    n_rows = max(float(sums[0] if known is None else known), float(noise[0]), 1.0)
    middle, half = low / 2 + high / 2, high / 2 - low / 2
    half = np.where(half > 0, half, 1.0)
    mean = np.clip(-middle / half if centred else sums[1:] / n_rows, -1.0, 1.0)

    centre, factor = middle + half * mean, 1.0 / np.maximum(half, SMALLEST_HALF)

    def around_mean() -> Iterator[np.ndarray]:
        return ColumnScaler(low, high, centre, factor).blocks(X)

    scatter = release.mechanism(SCATTER)
    sensitivity = scatter.sensitivity(release.adjacency)  # type: ignore[attr-defined]
    sigma = scatter.calibrated_noise() * sensitivity
    # Where the norm is cut at r, noise of about sigma d r^2 / sqrt(2) in Frobenius norm stands
    # against what the longer rows lose; the sum is least when so many rows are longer.
    n_longer = min(sigma * n_features / math.sqrt(2), n_rows / 2)
    largest = largest_norm(-1.0 - mean, 1.0 - mean)
    radius = find_norm(around_mean, largest, release, n_longer=n_longer)

    def unit_blocks() -> Iterator[np.ndarray]:
        return ColumnScaler(low, high, centre, factor / radius).blocks(X)

    moment = release.sum(SCATTER, unit_blocks) * radius**2 / n_rows
    covariance = np.clip(moment * half * half[:, np.newaxis], -LARGEST_ENTRY, LARGEST_ENTRY)
    centre = np.zeros(n_features) if centred else middle + half * mean
    return RowMoments(n_rows, centre, covariance, (low, high))


def eigenvalues(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances, largest first and none negative, and their directions as rows.

    Parameters
    ----------
    covariance : array of shape (n_features, n_features)
        Symmetric.

    Returns
    -------
    variances : array of shape (n_features,)
    directions : array of shape (n_features, n_features)
        Unit vectors whose largest entry is positive.
    """
    scale = max(float(np.abs(covariance).max()), 1e-300)
    values, vectors = np.linalg.eigh(covariance / scale)
    directions = vectors.T[::-1]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return np.maximum(values[::-1], 0.0) * scale, directions * signs[:, np.newaxis]
