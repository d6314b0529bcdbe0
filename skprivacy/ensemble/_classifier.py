"""Private extremely randomised trees for classes.

A leaf's counts give its log odds against the whole; a forest's score is their mean over the
trees, where every leaf is drawn towards 0 by as many rows as its noise is large.
"""

from typing import Any, ClassVar, Self

import numpy as np

from .._sklearn import StrOptions
from ..base import ProbabilityMixin, Release
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianHistogram, Mechanism, row_blocks
from ._forest import FACTORS, LEAVES, PrivateForest

LEAST_PROBABILITY = 1e-3


class DPExtraTreesClassifier(ProbabilityMixin, PrivateForest):
    """Extremely randomised trees with differential privacy, for classes.

    Parameters
    ----------
    n_estimators : int, default=64
        Number of trees.
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement; above 0.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    max_depth : int, default=None
        Number of questions of each tree, at most 16; all of its 2 ** max_depth leaves
        are asked the same ones. None: 3 to 8, by the released number of rows.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column; those of categories
        are not used. None: found privately with 8 % of the budget, or taken from a
        private scaler before this step.
    categorical_features : array-like, default=None
        Names or indices of the columns that are codes of categories, or a mask. Codes are
        0 to 254; all other values are one more category. None: all columns are numbers.
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
    class_prior_ : array of shape (n_classes,)
        Released part of the rows of each class.
    factor_ : float
        Released factor of the mean of the trees' log odds.
    bounds_ : tuple of two arrays of shape (n_features,)
        The bounds in use, declared or released; NaN for categories.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.ensemble.ExtraTreesClassifier : The same without privacy.
    DPExtraTreesRegressor : For numbers as targets.

    Notes
    -----
    Released, for M trees and d columns that are numbers, under add-remove (replace-one)
    adjacency: histograms of the columns, L2 sensitivity sqrt(d + 1)
    (sqrt(2 d + 2)); the class counts of
    all leaves of all trees, sqrt(M) (sqrt(2 M)); one of 8 factors, by permute-and-flip. The
    shares of mu squared are .07, .90 and .03. The questions are drawn without a look at
    the labels.

    References
    ----------
    .. [1] P. Geurts, D. Ernst and L. Wehenkel, "Extremely Randomized Trees", Machine
       Learning 63, 2006.
    .. [2] G. Jagannathan, K. Pillaipakkamnatt and R. N. Wright, "A Practical
       Differentially Private Random Decision Tree Classifier", ICDM Workshops, 2009.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skprivacy.ensemble import DPExtraTreesClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X[:, :10]
    >>> high = [40, 50, 250, 3000, .2, .4, .5, .3, .4, .1]
    >>> model = DPExtraTreesClassifier(epsilon=3.0, bounds=(0, high), random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.85
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PrivateForest._parameter_constraints,
        "classes": ["array-like", None],
        "unknown_labels": [StrOptions({"error", "ignore"})],
    }

    def __init__(
        self,
        n_estimators: int = 64,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        max_depth: int | None = None,
        bounds: Any = None,
        categorical_features: Any = None,
        classes: Any = None,
        max_weight: float = 1.0,
        unknown_labels: str = "error",
    ) -> None:
        super().__init__(
            n_estimators,
            epsilon,
            delta,
            accountant,
            random_state,
            max_depth=max_depth,
            bounds=bounds,
            categorical_features=categorical_features,
            max_weight=max_weight,
        )
        self.classes = classes
        self.unknown_labels = unknown_labels

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Release the leaves and charge the accountant.

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
        self : DPExtraTreesClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    def _leaf_mechanism(self, share: float) -> Mechanism:
        return GaussianHistogram(name=LEAVES, share=share)

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        classes = self._public_classes(y)
        codes = np.searchsorted(classes, np.asarray(y))
        weights = self._unit_weights(sample_weight)
        categorical = self._categorical(X.shape[1])
        low, high = self._find_bounds(X, codes, categorical, release)
        self._grow(X, low, high, categorical, weights, release)

        def cells() -> Any:
            start = 0
            for block in row_blocks(X):
                own = codes[start : start + len(block), np.newaxis]
                start += len(block)
                yield self._trees.leaves(block) * classes.size + own

        n_leaves = self._trees.n_leaves
        counts = release.sum(LEAVES, cells, n_cells=n_leaves * classes.size, weights=weights)
        counts = counts.reshape(self.n_estimators, n_leaves, classes.size)
        prior, self._tables = leaf_log_odds(counts, release.noise_scales[LEAVES])
        self._log_prior = np.log(prior)

        def row_scores(start: int, means: np.ndarray) -> np.ndarray:
            labels = codes[start : start + len(means)]
            return factor_scores(self._log_prior, means, labels)

        self.classes_ = classes
        self.class_prior_ = prior
        self.bounds_ = low, high
        self.factor_ = self._choose_factor(X, weights, release, FACTORS, row_scores)

    def _class_scores(self, X: Any) -> np.ndarray:
        means = self._all_means(X)
        return np.asarray(self._log_prior + self.factor_ * means)


def leaf_log_odds(counts: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of the classes, and the logarithm of each leaf's parts over these.

    Parameters
    ----------
    counts : array of shape (n_trees, n_leaves, n_classes)
        Noisy.
    noise : float
        Standard deviation of the noise in them.

    Returns
    -------
    prior : array of shape (n_classes,)
    log_odds : array of shape (n_trees, n_leaves, n_classes)
    """
    # Each tree counts all rows: the mean over the trees has less noise.
    totals = np.maximum(counts.sum(axis=(0, 1)) / counts.shape[0], 1.0)
    prior = np.clip(totals / totals.sum(), LEAST_PROBABILITY, None)
    prior /= prior.sum()
    positive = np.maximum(counts, 0.0)
    parts = (positive + noise * prior) / (positive.sum(axis=2, keepdims=True) + noise)
    return prior, np.log(np.clip(parts, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY) / prior)


def factor_scores(log_prior: np.ndarray, means: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how well each factor serves each row, in [0, 1].

    A Brier score of the margin between the label and the best other class. The sigmoid is
    algebraic, so that nothing but arithmetic, exactly the same for every row wherever it
    stands, goes into a private choice.

    Parameters
    ----------
    log_prior : array of shape (n_classes,)
    means : array of shape (n_rows, n_classes)
    labels : array of int of shape (n_rows,)

    Returns
    -------
    array of shape (n_rows, n_factors)
    """
    rows = np.arange(len(means))
    scores = np.empty((len(means), FACTORS.size))
    for index, factor in enumerate(FACTORS.tolist()):
        logits = log_prior + factor * means
        own = logits[rows, labels]
        logits[rows, labels] = -np.inf
        margin = own - logits.max(axis=1)
        miss = 0.5 - 0.5 * margin / (2.0 + np.abs(margin))
        scores[:, index] = 1.0 - miss * miss
    return scores
