"""Private naive Bayes on codes of categories: one joint histogram by class.

A row is in one cell of each column, a category and the row's class, so one release counts
everything. Counts are drawn towards the frequencies of all classes together, by as many rows
as their noise is large. The theory is in ``docs/theory/naive_bayes.md``.
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_non_negative, validate_data

from .._sklearn import Interval
from ..base import Release
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianHistogram, Mechanism, row_blocks
from ..plan import Facts
from ._base import PrivateNB, check_priors

COUNTS = "counts of categories by class"
MOST_CATEGORIES = 2**16


class DPCategoricalNB(PrivateNB):
    """Naive Bayes on categories with differential privacy.

    Parameters
    ----------
    alpha : float, default=1.0
        Rows of every category that are added to the counts of each class, in addition to
        the smoothing by their noise.
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement; above 0.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    n_categories : int or array-like of shape (n_features,), default=64
        Public numbers of categories of the columns. Codes are 0 to ``n_categories - 1``;
        larger ones, in `fit` and in predictions, are one more category.
    fit_prior : bool, default=True
        Whether the classes' probabilities come from the released counts or are equal.
    class_prior : array-like of shape (n_classes,), default=None
        Public probabilities of the classes. None: as `fit_prior` says.
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
    class_log_prior_ : array of shape (n_classes,)
        Logarithm of each class's probability.
    category_count_ : list of n_features arrays of shape (n_classes, n_categories + 1)
        Released, noisy counts; the last column is that of other codes.
    feature_log_prob_ : list of n_features arrays of shape (n_classes, n_categories + 1)
        Logarithm of each category's probability in each class.
    n_categories_ : array of int of shape (n_features,)
        Number of categories of each column, without the one of other codes.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost; after `partial_fit`, all batches so far.

    See Also
    --------
    sklearn.naive_bayes.CategoricalNB : The same without privacy.
    DPGaussianNB : For columns of numbers.

    Notes
    -----
    Released: the counts of categories by class in all columns, in one Gaussian mechanism of
    L2 sensitivity sqrt(d) for d columns under add-remove and sqrt(2 d) under replace-one.

    References
    ----------
    .. [1] J. Vaidya, B. Shafiq, A. Basu and Y. Hong, "Differentially Private Naive Bayes
       Classification", WI-IAT, 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.naive_bayes import DPCategoricalNB
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, size=5000)
    >>> X = rng.binomial(3, 0.3 + 0.4 * y[:, np.newaxis], size=(5000, 4))
    >>> model = DPCategoricalNB(epsilon=1.0, n_categories=4, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PrivateNB._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "n_categories": [
            "array-like",
            Interval(Integral, 1, MOST_CATEGORIES, closed="both"),
        ],
        "fit_prior": ["boolean"],
        "class_prior": ["array-like", None],
    }

    _counts: tuple[np.ndarray, float]

    def __init__(
        self,
        alpha: float = 1.0,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        n_categories: Any = 64,
        fit_prior: bool = True,
        class_prior: Any = None,
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
        self.alpha = alpha
        self.n_categories = n_categories
        self.fit_prior = fit_prior
        self.class_prior = class_prior

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Release the counts and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Codes, at least 0; fractions are cut off.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPCategoricalNB
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

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
        self : DPCategoricalNB
            The model fitted on all batches so far.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong, or `n_categories`, `classes` or
            `max_weight` changed since the last batch; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._add_batch(X, y, classes, sample_weight)

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        return [GaussianHistogram(name=COUNTS)]

    def _assumptions(self, facts: Facts) -> list[str]:
        return [
            *super()._assumptions(facts),
            "That all values are finite and none is negative is public.",
            "The number of categories of each column is a public parameter.",
        ]

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
        check_non_negative(X, f"{type(self).__name__} (input X)")
        sizes = self._sizes(X.shape[1])
        self._check_units((sizes, self._public_classes(y), self.max_weight), reset=reset)
        if self.class_prior is not None:
            check_priors(self.class_prior, self._public_classes(y).size)
        return X, y, sample_weight

    def _sizes(self, n_features: int) -> np.ndarray:
        """Return the number of categories of each column."""
        sizes = np.asarray(self.n_categories)
        valid = sizes.dtype.kind in "iu" and sizes.shape in ((), (n_features,))
        if not (valid and sizes.min() >= 1 and sizes.max() <= MOST_CATEGORIES):
            raise ValueError(
                f"The 'n_categories' parameter of {type(self).__name__} must be an int in the "
                f"range [1, {MOST_CATEGORIES}], or one for each of the {n_features} columns. "
                f"Got {self.n_categories!r} instead."
            )
        return np.broadcast_to(sizes, (n_features,)).astype(np.int64)

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        classes = self._public_classes(y)
        labels = np.searchsorted(classes, np.asarray(y))
        sizes = self._sizes(X.shape[1])
        n_cells = int(sizes.max()) + 1

        def cells() -> Any:
            start = 0
            for block in row_blocks(X):
                own = labels[start : start + len(block), np.newaxis]
                start += len(block)
                yield own * n_cells + category_codes(block, sizes)

        counts = release.sum(
            COUNTS,
            cells,
            n_cells=classes.size * n_cells,
            weights=self._unit_weights(sample_weight),
        ).reshape(-1, classes.size, n_cells)
        noise = float(release.noise_scales[COUNTS])
        if release.extends:
            counts, noise = counts + self._counts[0], math.hypot(noise, self._counts[1])
        self._counts = counts, noise
        self._units = sizes, classes, self.max_weight
        used = [column[:, : size + 1] for column, size in zip(counts, sizes, strict=True)]
        totals = class_totals(used, noise)
        alpha = self.alpha / self.max_weight
        self.classes_ = classes
        self.n_categories_ = sizes
        self.class_count_ = totals * self.max_weight
        self.category_count_ = [column * self.max_weight for column in used]
        self.feature_log_prob_ = [log_parts(column, totals, alpha, noise) for column in used]
        self.class_log_prior_ = self._log_prior(totals)

    def _log_prior(self, totals: np.ndarray) -> np.ndarray:
        if self.class_prior is not None:
            with np.errstate(divide="ignore"):
                return np.log(np.asarray(self.class_prior, dtype=np.float64))
        if self.fit_prior:
            return np.log(totals / totals.sum())
        return np.full(totals.size, -np.log(totals.size))

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        check_non_negative(X, f"{type(self).__name__} (input X)")
        codes = category_codes(X, self.n_categories_)
        joint = np.tile(self.class_log_prior_, (X.shape[0], 1))
        for column, log_prob in zip(codes.T, self.feature_log_prob_, strict=True):
            joint += log_prob.T[column]
        return joint


def category_codes(block: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return codes without fractions, the number of categories for all beyond them."""
    return np.minimum(block, sizes).astype(np.int64)


def class_totals(counts: list[np.ndarray], noise: float) -> np.ndarray:
    """Return the number of rows of each class: every column counts them all.

    Parameters
    ----------
    counts : list of arrays of shape (n_classes, n_cells)
        Noisy.
    noise : float
        Standard deviation of the noise in them.

    Returns
    -------
    array of shape (n_classes,)
        At least the standard deviation of its own noise.
    """
    # The more cells a column has, the more noise is in its sum.
    precision = np.array([1.0 / column.shape[1] for column in counts])
    sums = np.stack([column.sum(axis=1) for column in counts])
    totals = precision @ sums / precision.sum()
    return np.asarray(np.maximum(totals, max(noise / np.sqrt(precision.sum()), 1e-6)))


def log_parts(counts: np.ndarray, totals: np.ndarray, alpha: float, noise: float) -> np.ndarray:
    """Return the logarithm of each category's part of each class.

    Parameters
    ----------
    counts : array of shape (n_classes, n_cells)
        Noisy.
    totals : array of shape (n_classes,)
    alpha : float
        Rows added to each cell.
    noise : float
        Standard deviation of the noise in the counts.

    Returns
    -------
    array of shape (n_classes, n_cells)
    """
    positive = np.maximum(counts, 0.0)
    whole = np.maximum(counts.sum(axis=0), 0.0) + noise
    whole /= whole.sum()
    smoothed = positive + alpha + noise * whole
    added = alpha * counts.shape[1] + noise
    return np.asarray(np.log(smoothed / (totals[:, np.newaxis] + added)))
