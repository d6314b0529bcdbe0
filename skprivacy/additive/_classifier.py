"""Private additive classifier."""

from typing import Any, ClassVar, Self

import numpy as np

from .._sklearn import StrOptions
from ..base import ProbabilityMixin, Release
from ..ledger import PrivacyAccountant
from ._base import COUNTS, LEAST_ROWS, AdditiveModel
from ._losses import Logistic, Softmax


class DPAdditiveClassifier(ProbabilityMixin, AdditiveModel):
    """Classification by a sum of functions of single columns, with differential privacy.

    An explainable boosting machine's form (a step function of every column, and of some
    pairs of columns), fitted by noisy quasi-Newton rounds. Numbers, categories and missing
    values may stand in one table; nothing has to be scaled or encoded.

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
    bounds : tuple (low, high) or dict, default=None
        Public bounds of the numeric columns: two numbers, or two arrays of one number a
        column (those of categorical columns are not used), or a dict from name or number
        of each numeric column to its (low, high). Values outside are clipped. None:
        taken from a private scaler before this step, else found privately, for 8 % of
        the budget.
    categories : dict, default=None
        Values of categorical columns, by name or number of the column. A column of text,
        or of a categorical type, that is not in it has its values taken from the rows; the
        receipt says so. All other values share a cell of their own.
    classes : array-like, default=None
        All labels that can occur. None: the labels in `y` are taken to be public, and
        the receipt says so.
    interactions : int or "auto", default="auto"
        Most functions of pairs of columns. Pairs are screened in one of the rounds, and
        those that stand out from the noise are added. "auto": 15, or none where the
        released number of rows is small beside the noise.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.
    unknown_labels : {"error", "ignore"}, default="error"
        What becomes of labels that `classes` does not declare. The error, before any
        charge, tells that there are some; ignored, such rows have weight 0.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    intercept_ : array of shape (1,) or (n_classes,)
        Mean scores over the released parts of the rows.
    bounds_ : tuple of two arrays of shape (n_features,)
        The columns' bounds in use: declared or released; NaN for categorical columns.
    categories_ : list of (array or None)
        Values of each categorical column; None for numeric ones.
    feature_importances_ : array of shape (n_features,)
        Importance of every column.
    n_pairs_ : int
        Number of pairs in the model.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    DPAdditiveRegressor : The regressor.
    skprivacy.linear_model.DPLogisticRegression : A linear model, for few rows.
    skprivacy.inspection.ShapeFunctionDisplay : Drawings of the shape functions.

    Notes
    -----
    Released, under add-remove (replace-one) adjacency: class counts, L2 sensitivity 1
    (sqrt(2)); counts of the fine cells of all columns jointly, sensitivity 1 (sqrt(2)) after
    scaling; in each round a sum of residuals times loadings, sensitivity 1 (2). All noise
    is Gaussian, exactly composed; the shares of mu squared are .01, .08 and .91. Shape
    functions, their bands and importances are functions of the releases.

    References
    ----------
    .. [1] J. Dong, A. Roth and W. J. Su, "Gaussian Differential Privacy", JRSS B 84,
       2022.
    .. [2] H. Nori, R. Caruana, Z. Bu, J. H. Shen and J. Kulkarni, "Accuracy,
       Interpretability, and Differential Privacy via Explainable Boosting", ICML 2021.

    Examples
    --------
    >>> from skprivacy.additive import DPAdditiveClassifier
    >>> from skprivacy.datasets import load_adult
    >>> adult = load_adult()
    >>> model = DPAdditiveClassifier(
    ...     epsilon=1.0, bounds=adult.bounds, categories=adult.categories, random_state=0
    ... )
    >>> model.fit(adult.data, adult.target).score(adult.data, adult.target) > 0.84
    True
    >>> round(model.privacy_.epsilon, 6)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AdditiveModel._parameter_constraints,
        "classes": ["array-like", None],
        "unknown_labels": [StrOptions({"error", "ignore"})],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        categories: Any = None,
        classes: Any = None,
        interactions: Any = "auto",
        max_weight: float = 1.0,
        unknown_labels: str = "error",
    ) -> None:
        super().__init__(
            epsilon,
            delta,
            accountant,
            random_state,
            bounds=bounds,
            categories=categories,
            interactions=interactions,
            max_weight=max_weight,
        )
        self.classes = classes
        self.unknown_labels = unknown_labels

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model and charge the accountant.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)
            Training rows: numbers, categories, missing values; nothing infinite.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPAdditiveClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        labels = np.asarray(y)
        named = labels if self.classes is None else np.asarray(self.classes)
        classes = np.asarray(release.facts.classes, dtype=named.dtype)
        if classes.size == 2:
            codes = (labels == classes[1]).view(np.uint8)
        else:
            codes = np.searchsorted(classes, labels)
        weights = self._unit_weights(sample_weight)
        bounds = self._ranges(X, release)
        counts = release.sum(COUNTS, codes[:, np.newaxis], n_cells=classes.size, weights=weights)[0]
        counts = np.maximum(counts, 1.0)
        n_rows = max(float(counts.sum()), LEAST_ROWS)
        priors = counts / counts.sum()
        kind = Logistic if classes.size == 2 else Softmax
        self._fit_additive(X, kind(codes, weights, priors), n_rows, bounds, release)
        self.intercept_ = self._model.intercept
        self.classes_ = classes

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores of the classes.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            Log odds of ``classes_[1]`` with two classes, else of each class, up to a
            constant.
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def _class_scores(self, X: Any) -> np.ndarray:
        return self.decision_function(X)
