"""Private Gaussian naive Bayes: the moments of all classes in one release.

A row belongs to one class, so the classes are disjoint and one noise covers them all.
Means and variances follow from the noisy moments; a class whose own variance is below the
noise borrows the variance of all classes. The theory is in ``docs/theory/naive_bayes.md``.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from ..base import Release
from ..bounding import box_assumptions, box_mechanisms, find_box
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianGroupMoments, Mechanism
from ..plan import Facts, column_bounds
from ._base import PrivateNB, check_priors

MOMENTS = "moments of the classes"
LEAST_VARIANCE = 1e-3
"""Least variance of a column scaled to [-1, 1]."""


def _can_add(model: "DPGaussianNB") -> bool:
    if model.bounds is None:
        raise AttributeError(
            "partial_fit needs declared bounds: batches have to be summed alike. Set the "
            "parameter 'bounds'."
        )
    return True


class DPGaussianNB(PrivateNB):
    """Gaussian naive Bayes with differential privacy.

    Parameters
    ----------
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
    priors : array-like of shape (n_classes,), default=None
        Public prior probabilities of the classes. None: from the noisy counts.
    classes : array-like, default=None
        All labels that can occur. None: the labels in `y` are taken to be public, and
        the receipt says so.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.
    unknown_labels : {"error", "ignore"}, default="error"
        What becomes of labels that `classes` does not declare. The error, before any
        charge, tells that there are some; ignored, such rows have weight 0.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    class_count_ : array of shape (n_classes,)
        Released number of rows of each class, or sum of their weights.
    class_prior_ : array of shape (n_classes,)
        Probability of each class.
    theta_, var_ : arrays of shape (n_classes, n_features)
        Released means and variances of each column in each class.
    bounds_ : tuple of two arrays of shape (n_features,)
        The bounds in use, declared or released; `fit` and predictions clip to them.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost; after `partial_fit`, all batches so far.

    See Also
    --------
    sklearn.naive_bayes.GaussianNB : The same without privacy.
    DPCategoricalNB : For columns of codes.

    Notes
    -----
    Released: count, sums and sums of squares of the scaled columns of every class in one
    Gaussian mechanism, of L2 sensitivity 1 under add-remove and sqrt(2) under replace-one;
    see `GaussianGroupMoments`. Without bounds, two histograms before that.

    Variances of scaled columns are mixed with the pooled variance by the noise they have,
    and are at least .001, so there is no `var_smoothing`.

    References
    ----------
    .. [1] J. Vaidya, B. Shafiq, A. Basu and Y. Hong, "Differentially Private Naive Bayes
       Classification", WI-IAT, 2013.
    .. [2] J. Dong, A. Roth and W. J. Su, "Gaussian Differential Privacy", JRSS B 84, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skprivacy.naive_bayes import DPGaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DPGaussianNB(epsilon=3.0, bounds=(0, 8), random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.8
    True
    >>> round(model.privacy_.epsilon, 6)
    3.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PrivateNB._parameter_constraints,
        "bounds": ["array-like", tuple, None],
        "priors": ["array-like", None],
    }
    _moments: tuple[np.ndarray, np.ndarray]

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        priors: Any = None,
        classes: Any = None,
        max_weight: float = 1.0,
        unknown_labels: str = "error",
    ) -> None:
        super().__init__(
            epsilon,
            delta,
            accountant,
            random_state,
            classes=classes,
            max_weight=max_weight,
            unknown_labels=unknown_labels,
        )
        self.bounds = bounds
        self.priors = priors

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Release the moments of the classes and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPGaussianNB
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    @available_if(_can_add)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Add a batch of rows; every call is charged like a fit.

        Every call is one more release and is charged like a fit, in full: the receipt adds
        them up, as if all batches had the same rows. If they are different rows, each row is
        protected by the price of its own batch, but nothing here can know that. Where it is
        public that batches are disjoint, `PrivacyAccountant.partition` charges their
        maximum.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of this batch.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like, default=None
            All labels that can occur, on the first call, unless the parameter `classes`
            has them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPGaussianNB
            The model fitted on all batches so far.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong, or `bounds`, `classes` or `max_weight`
            changed since the last batch; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._add_batch(X, y, classes, sample_weight)

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        box = box_mechanisms(self.bounds, facts)
        own = 1 - math.fsum(mechanism.share for mechanism in box)
        return [*box, GaussianGroupMoments(name=MOMENTS, share=own)]

    def _assumptions(self, facts: Facts) -> list[str]:
        return [*super()._assumptions(facts), *box_assumptions(self.bounds, facts)]

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
        bounds = column_bounds(self.bounds, X.shape[1], type(self).__name__)
        if self.priors is not None:
            check_priors(self.priors, self._public_classes(y).size)
        self._check_units((bounds, self._public_classes(y), self.max_weight), reset=reset)
        return X, y, sample_weight

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        classes = self._public_classes(y)
        low, high = find_box(X, self.bounds, release, type(self).__name__)
        moments = release.sum(
            MOMENTS,
            X,
            groups=np.searchsorted(classes, np.asarray(y)),
            n_groups=classes.size,
            low=low,
            high=high,
            weights=self._unit_weights(sample_weight),
        )
        noise = np.asarray(release.noise_scales[MOMENTS])
        if release.extends:
            moments, noise = moments + self._moments[0], np.hypot(noise, self._moments[1])
        self._moments = moments, noise
        self._units = (low, high), classes, self.max_weight
        counts, mean, variance = estimates(moments, noise)
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        half = np.where(half > 0, half, 1.0)
        self.classes_ = classes
        self.bounds_ = low, high
        self.class_count_ = counts * self.max_weight
        self.class_prior_ = (
            counts / counts.sum() if self.priors is None else np.array(self.priors, dtype=float)
        )
        self.theta_ = middle + half * mean
        self.var_ = half**2 * variance
        self._scaled = middle, half, mean, variance

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        middle, half, mean, variance = self._scaled
        # Scaled columns: squares of columns of extreme size would overflow.
        z = (np.clip(X, *self.bounds_) - middle) / half
        with np.errstate(divide="ignore"):
            joint = np.log(self.class_prior_) - np.log(variance).sum(axis=1) / 2
        joint = joint - np.sum(mean**2 / variance, axis=1) / 2
        joint = joint + z @ (mean / variance).T - (z * z) @ (0.5 / variance).T
        return np.asarray(joint - np.log(math.sqrt(2 * math.pi) * half).sum())


def estimates(moments: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, means and variances of scaled columns from noisy moments.

    Parameters
    ----------
    moments : array of shape (n_classes, 1 + 2 n_features)
    noise : array of shape (1 + 2 n_features,)
        Standard deviations of the noise in them.

    Returns
    -------
    counts : array of shape (n_classes,)
    mean, variance : arrays of shape (n_classes, n_features)
        In [-1, 1] and [`LEAST_VARIANCE`, 1].
    """
    n_features = moments.shape[1] // 2
    counts = np.maximum(moments[:, 0], max(float(noise[0]), 1e-6))
    mean = np.clip(moments[:, 1 : 1 + n_features] / counts[:, np.newaxis], -1.0, 1.0)
    square = np.clip((moments[:, 1 + n_features :] / counts[:, np.newaxis] + 1) / 2, 0.0, 1.0)
    # The noise in the mean makes the difference too small; and then it is a distance that
    # rows have from the mean in addition to their own.
    of_mean = (noise[1 : 1 + n_features] / counts[:, np.newaxis]) ** 2
    variance = np.clip(square - mean**2 + of_mean, 0.0, 1.0)
    # A class too small to show its own variance has the one of all classes.
    pooled = np.maximum(counts @ variance / counts.sum(), LEAST_VARIANCE)
    error = noise[1 + n_features :] / 2 / counts[:, np.newaxis]
    own = 1 / (1 + (error / pooled) ** 2)
    variance = own * variance + (1 - own) * pooled
    return counts, mean, np.maximum(variance + of_mean, LEAST_VARIANCE)
