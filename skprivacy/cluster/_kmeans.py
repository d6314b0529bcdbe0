"""Private k-means: cluster a private summary of the rows, then move the centres.

A part of the budget makes a k-d tree of noisy counts (`_tree`), whose cells are clustered
with many restarts at no further cost. The rest pays six looks at the rows nearest to centres.
Where noise is strong they are averaged to one step of Lloyd's algorithm, whose noisy means are
trusted as far as they say more than their noise; where it is weak each is a step of its own.
The theory is in ``docs/theory/kmeans.md``.
"""

import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin_min
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn import Interval, check_sample_weight
from ..base import SCALE, DPEstimator, Release
from ..bounding import box_assumptions, box_mechanisms, find_box
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianGroupMoments, Mechanism
from ..plan import Facts
from ._tree import tree_mechanisms, weighted_cells

TREE_SHARE = 0.45

LOOKS = tuple(f"sums of the clusters, look {number}" for number in range(1, 7))
"""Releases of the rest, of equal noise: a step of Lloyd's algorithm takes one or several."""

NEGLIGIBLE = 0.02
"""Part of the clusters' variance that the noise of a step may be, for there to be more steps."""

N_RESTARTS = 10
SPREAD = 0.5
"""Centres that no cell was found for are spread over so much of the box."""

ASSIGNMENT_GRID = 2.0**-16


class DPKMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DPEstimator):
    """K-means clustering with differential privacy.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement; above 0.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column. None: found
        privately with 8 % of the budget, or taken from a private scaler before this
        step.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        Released centres.
    cluster_sizes_ : array of shape (n_clusters,)
        Released number of rows near each centre, or sum of their weights.
    bounds_ : tuple of two arrays of shape (n_features,)
        The bounds in use, declared or released; `fit` clips to them.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.cluster.KMeans : The same without privacy.

    Notes
    -----
    Released, under add-remove (replace-one) adjacency: the number of rows, L2 sensitivity 1
    (sqrt(2)); counts of the cells of all levels of a k-d tree, scaled by public parts,
    sensitivity 1 (sqrt(2)); six times the counts and sums of the rows nearest to each of some
    centres that earlier releases give, sensitivity 1 (1.789) each. The shares of mu squared are
    .01, .44 and .55. How many levels there are, 2 to 14, follows from the released number of
    rows, and how many of the six make a step from the released cells and sums.

    There are no `labels_` and no `inertia_`: a label is a function of its row. `fit_predict`
    fits and then predicts; whoever publishes the result publishes something about the rows.
    There is no `n_iter_`: all six are made, always.

    References
    ----------
    .. [1] A. Blum, C. Dwork, F. McSherry and K. Nissim, "Practical Privacy: The SuLQ
       Framework", PODS, 2005.
    .. [2] D. Su, J. Cao, N. Li, E. Bertino and H. Jin, "Differentially Private K-Means
       Clustering", CODASPY, 2016.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skprivacy.cluster import DPKMeans
    >>> X, _ = make_blobs(20000, centers=[[-5, 0], [5, 0], [0, 6]], random_state=0)
    >>> model = DPKMeans(3, epsilon=1.0, bounds=(-10, 10), random_state=0).fit(X)
    >>> model.cluster_centers_[model.cluster_centers_[:, 0].argsort()].round() + 0
    array([[-5.,  0.],
           [ 0.,  6.],
           [ 5.,  0.]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "bounds": ["array-like", tuple, None],
        "max_weight": [SCALE],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.n_clusters = n_clusters
        self.bounds = bounds
        self.max_weight = max_weight

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Release centres and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPKMeans
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, None, sample_weight)

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        box = box_mechanisms(self.bounds, facts)
        own = 1 - math.fsum(mechanism.share for mechanism in box)
        return [
            *box,
            *tree_mechanisms(own * TREE_SHARE),
            *(
                GaussianGroupMoments(
                    name=look, share=own * (1 - TREE_SHARE) / len(LOOKS), squares=False
                )
                for look in LOOKS
            ),
        ]

    def _assumptions(self, facts: Facts) -> list[str]:
        return [*super()._assumptions(facts), *box_assumptions(self.bounds, facts)]

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        weights = self._unit_weights(sample_weight)
        low, high = find_box(X, self.bounds, release, type(self).__name__)
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        half = np.where(half > 0, half, 1.0)
        points, sizes = weighted_cells(X, low, high, weights, release)
        # In a common unit: distances are those of the columns as they are.
        unit = float(half.max())
        cells = (points - middle) / unit
        centres = cluster_points(cells, sizes, self.n_clusters, half / unit)
        scale = np.maximum(half / unit, 1e-300)
        variance, looks = cell_variance(cells, sizes, centres), list(LOOKS)
        while looks:
            sums, noise = [], np.zeros(1)
            groups = nearest(centres, low, high, unit)
            while looks:
                look = looks.pop()
                sums.append(
                    release.sum(
                        look,
                        X,
                        groups=groups,
                        n_groups=self.n_clusters,
                        low=low,
                        high=high,
                        weights=weights,
                    )
                )
                noise = np.asarray(release.noise_scales[look]) / math.sqrt(len(sums))
                moments = np.mean(sums, axis=0)
                counts = np.maximum(moments[:, 0], noise[0])
                # Of the sums' noise on the centres, weighted by the rows that they stand for.
                spread = np.sum((noise[1:] * scale) ** 2) * np.sum(1 / counts) / counts.sum()
                if len(looks) % len(sums) == 0 and spread <= NEGLIGIBLE * variance:
                    break
            known = np.clip(centres / scale, -1.0, 1.0)
            means = moved_centres(moments[:, 1:], counts, noise[1:], known, scale)
            centres = means * scale
        self.cluster_centers_ = middle + means * half
        self.cluster_sizes_ = counts * self.max_weight
        self.bounds_ = low, high

    @property
    def _n_features_out(self) -> int:
        return int(self.n_clusters)

    def _validated(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=[np.float64, np.float32])

    def predict(self, X: Any) -> np.ndarray:
        """Return the index of the nearest centre of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of int of shape (n_samples,)
        """
        X = self._validated(X)
        labels, _ = pairwise_distances_argmin_min(X, self.cluster_centers_.astype(X.dtype))
        return np.asarray(labels)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Fit, then predict the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        array of int of shape (n_samples,)
            Labels of the rows themselves, which are not private.
        """
        return self.fit(X, sample_weight=sample_weight).predict(X)

    def transform(self, X: Any) -> np.ndarray:
        """Return the distances to the centres.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_clusters)
        """
        X = self._validated(X)
        distances = pairwise_distances(X, self.cluster_centers_.astype(X.dtype))
        return np.asarray(distances.astype(X.dtype, copy=False))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the sum of squared distances of these rows to their centres.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            An exact function of these rows: private only if they are public.
        """
        X = self._validated(X)
        _, distances = pairwise_distances_argmin_min(X, self.cluster_centers_.astype(X.dtype))
        weights = check_sample_weight(sample_weight, X, dtype=np.float64)
        return -float(weights @ np.square(distances, dtype=np.float64))


def cluster_points(
    points: np.ndarray, sizes: np.ndarray, n_clusters: int, half: np.ndarray
) -> np.ndarray:
    """Return centres of weighted points: scikit-learn's k-means, with a fixed seed.

    Where there are too few points, further centres are spread around their mean.

    Parameters
    ----------
    points : array of shape (n_points, n_features)
    sizes : array of shape (n_points,)
    n_clusters : int
    half : array of shape (n_features,)
        Half sides of the box around 0 that the points are in.

    Returns
    -------
    array of shape (n_clusters, n_features)
    """
    missing = n_clusters - len(points)
    if missing >= 0:
        middle = sizes @ points / sizes.sum() if sizes.size else np.zeros(half.size)
        spread = np.random.default_rng(0).uniform(-half, half, (missing, half.size))
        return np.concatenate([points, np.clip(middle + SPREAD * spread, -half, half)])
    model = KMeans(n_clusters, n_init=N_RESTARTS, random_state=0)
    return np.asarray(model.fit(points, sample_weight=sizes).cluster_centers_)


def cell_variance(cells: np.ndarray, sizes: np.ndarray, centres: np.ndarray) -> float:
    """Return the mean squared distance of weighted cells to their nearest centres."""
    if not sizes.size:
        return 0.0
    _, distances = pairwise_distances_argmin_min(cells, centres)
    return float(sizes @ distances**2 / sizes.sum())


def moved_centres(
    sums: np.ndarray, counts: np.ndarray, noise: np.ndarray, start: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Return centres between noisy means of clusters and what else is known of them.

    Where the noise hides how the means differ, that is where they were before the step, or
    the mean of all rows, whichever is closer to the noisy means. How far they are from it,
    beyond their noise, says how much they are to be trusted (empirical Bayes).

    Parameters
    ----------
    sums : array of shape (n_clusters, n_features)
        Noisy, in columns scaled to [-1, 1].
    counts : array of shape (n_clusters,)
        Noisy, above 0.
    noise : array of shape (n_features,)
        Standard deviations of the noise in the sums.
    start : array of shape (n_clusters, n_features)
        Centres before the step.
    scale : array of shape (n_features,)
        Unit of each column in distances.

    Returns
    -------
    array of shape (n_clusters, n_features)
        In [-1, 1].
    """
    means = np.clip(sums / counts[:, np.newaxis], -1.0, 1.0)
    variances = (noise / counts[:, np.newaxis]) ** 2
    whole = np.clip(sums.sum(axis=0) / counts.sum(), -1.0, 1.0)
    # Which the middle of the box stands for where that is noise too: a uniform prior.
    whole = whole / (1.0 + 3.0 * len(sums) * (noise / counts.sum()) ** 2)
    weights = (counts[:, np.newaxis] * scale) ** 2
    distances = [np.sum(weights * (means - known) ** 2) for known in (start, whole)]
    known = start if distances[0] <= distances[1] else np.broadcast_to(whole, start.shape)
    excess = min(distances) - np.sum(weights * variances)
    own = max(float(excess / weights.sum()), 0.0)
    trust = own / (own + np.maximum(variances, 1e-300))
    return np.asarray(known + trust * (means - known))


def nearest(
    centres: np.ndarray, low: np.ndarray, high: np.ndarray, unit: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from a block of rows to the index of each row's nearest centre.

    Rows and centres are integers of a common grid, so that the products are exact: which
    centre a row goes to depends on no other row.
    """
    middle = low / 2 + high / 2
    integers = np.rint(centres / ASSIGNMENT_GRID)
    squares = np.sum(integers**2, axis=1)

    def groups(block: np.ndarray) -> np.ndarray:
        scaled = np.clip(block, low, high, dtype=np.float64)
        scaled -= middle
        scaled *= 1.0 / unit / ASSIGNMENT_GRID
        np.rint(scaled, out=scaled)
        return np.asarray((squares - 2.0 * (scaled @ integers.T)).argmin(axis=1))

    return groups
