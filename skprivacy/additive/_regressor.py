"""Private additive regressor."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin

from ..base import Release
from ..ledger import PrivacyAccountant
from ..plan import Facts
from ._base import COUNTS, LEAST_ROWS, AdditiveModel
from ._losses import Squared


class DPAdditiveRegressor(RegressorMixin, AdditiveModel):
    """Regression by a sum of functions of single columns, with differential privacy.

    The regressor that belongs to `DPAdditiveClassifier`: same columns, same rounds, a
    squared loss whose residuals are clipped.

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
        Public bounds of the numeric columns; see `DPAdditiveClassifier`. None: found
        privately, for 8 % of the budget.
    y_bounds : tuple (low, high), default=None
        Public bounds of the target, to which it is clipped. None: found privately; where
        the columns' bounds have to be found too, together with them.
    categories : dict, default=None
        Values of categorical columns; see `DPAdditiveClassifier`.
    interactions : int or "auto", default="auto"
        Most functions of pairs of columns; see `DPAdditiveClassifier`.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.

    Attributes
    ----------
    intercept_ : float
        Mean prediction over the released parts of the rows.
    bounds_ : tuple of two arrays of shape (n_features,)
        The columns' bounds in use: declared or released; NaN for categorical columns.
    y_bounds_ : tuple of two floats
        The target's bounds in use.
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
    DPAdditiveClassifier : The classifier.
    skprivacy.inspection.ShapeFunctionDisplay : Drawings of the shape functions.

    Notes
    -----
    Released as by `DPAdditiveClassifier`, with the number of rows in place of the class counts.
    Predictions lie within the target's bounds.

    References
    ----------
    .. [1] J. Dong, A. Roth and W. J. Su, "Gaussian Differential Privacy", JRSS B 84,
       2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.additive import DPAdditiveRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(5000, 3))
    >>> y = np.sin(3 * X[:, 0]) + X[:, 1] ** 2
    >>> model = DPAdditiveRegressor(
    ...     epsilon=2.0, bounds=(-1, 1), y_bounds=(-1, 2), random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AdditiveModel._parameter_constraints,
        "y_bounds": ["array-like", tuple, None],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        y_bounds: Any = None,
        categories: Any = None,
        interactions: Any = "auto",
        max_weight: float = 1.0,
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
        self.y_bounds = y_bounds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model and charge the accountant.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)
            Training rows: numbers, categories, missing values; nothing infinite.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPAdditiveRegressor
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    def _knows_all_ranges(self, facts: Facts) -> bool:
        return self._knows_ranges(facts) and self.y_bounds is not None

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = super()._assumptions(facts)
        if self.y_bounds is not None:
            assumptions.append("The bounds of the target were declared by the user.")
        return assumptions

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        target = np.asarray(y, dtype=np.float64)
        weights = self._unit_weights(sample_weight)
        declared = self._declared_target()
        lows, highs = self._ranges(X, release, *([target] if declared is None else []))
        low, high = (float(lows[-1]), float(highs[-1])) if declared is None else declared
        one_cell = np.zeros((target.size, 1), dtype=np.int64)
        counts = release.sum(COUNTS, one_cell, n_cells=1, weights=weights)
        n_rows = max(float(counts[0, 0]), LEAST_ROWS)
        loss = Squared((np.clip(target, low, high) - low) / (high - low), weights)
        bounds = lows[: X.shape[1]], highs[: X.shape[1]]
        self.y_bounds_ = low, high
        self._fit_additive(X, loss, n_rows, bounds, release)
        self.intercept_ = float(low + (high - low) * self._model.intercept[0])

    def _unit(self) -> float:
        low, high = self.y_bounds_
        return high - low

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
            Within `y_bounds_`.
        """
        scores = np.clip(self._scores(X)[:, 0], 0.0, 1.0)
        low, high = self.y_bounds_
        return np.asarray(low + (high - low) * scores)
