"""Private extremely randomised trees for numbers.

The target is scaled to [0, 1] by its bounds, and that part of a row goes to its leaf, the
rest to the leaf's twin: two counts, of which one release gives rows and mean.
"""

import math
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import RegressorMixin

from ..base import Release
from ..bounding import find_range
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianSplitHistogram, Mechanism, row_blocks
from ..plan import Facts, column_bounds
from ._forest import FACTORS, LEAVES, PrivateForest


class DPExtraTreesRegressor(RegressorMixin, PrivateForest):
    """Extremely randomised trees with differential privacy, for numbers.

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
    y_bounds : tuple (low, high), default=None
        Public bounds of the target, which is clipped to them. None: found privately,
        together with those of the columns.
    categorical_features : array-like, default=None
        Names or indices of the columns that are codes of categories, or a mask. Codes are
        0 to 254; all other values are one more category. None: all columns are numbers.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.

    Attributes
    ----------
    y_bounds_ : tuple of two float
        Declared or released bounds of the target; predictions are clipped to them.
    factor_ : float
        Released factor of the mean of the trees' deviations.
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
    sklearn.ensemble.ExtraTreesRegressor : The same without privacy.
    DPExtraTreesClassifier : For classes as targets.

    Notes
    -----
    Released, for M trees and d columns that are numbers, under add-remove (replace-one)
    adjacency: histograms of the columns, L2 sensitivity sqrt(d + 1)
    (sqrt(2 d + 2)); the divided counts
    of all leaves of all trees, sqrt(M) (sqrt(2 M)); one of 9 factors, by permute-and-flip. The
    shares of mu squared are .07, .90 and .03. The questions are drawn without a look at
    the target.

    References
    ----------
    .. [1] P. Geurts, D. Ernst and L. Wehenkel, "Extremely Randomized Trees", Machine
       Learning 63, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.ensemble import DPExtraTreesRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(20000, 3))
    >>> y = np.abs(X[:, 0]) + X[:, 1] ** 2
    >>> model = DPExtraTreesRegressor(bounds=(-1, 1), y_bounds=(0, 2), random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PrivateForest._parameter_constraints,
        "y_bounds": ["array-like", tuple, None],
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
        y_bounds: Any = None,
        categorical_features: Any = None,
        max_weight: float = 1.0,
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
        self.y_bounds = y_bounds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Release the leaves and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Target, finite.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPExtraTreesRegressor
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    def _needs_range(self, facts: Facts) -> bool:
        return self.y_bounds is None or super()._needs_range(facts)

    def _leaf_mechanism(self, share: float) -> Mechanism:
        return GaussianSplitHistogram(name=LEAVES, share=share)

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = super()._assumptions(facts)
        if self.y_bounds is not None:
            assumptions.append("The bounds of the target were declared by the user.")
        return assumptions

    def _find_bounds(
        self, X: np.ndarray, y: np.ndarray, categorical: np.ndarray, release: Release
    ) -> tuple[np.ndarray, np.ndarray]:
        target = self._declared_target()
        if target is not None:
            self.y_bounds_ = target
            return super()._find_bounds(X, y, categorical, release)
        # One search for the columns whose bounds nobody knows and for the target.
        declared = column_bounds(self.bounds, X.shape[1], type(self).__name__)
        known = release.facts.bounds if declared is None else declared
        columns = ~categorical if known is None else np.zeros(X.shape[1], dtype=bool)
        low, high = np.full((2, X.shape[1]), np.nan) if known is None else known
        low, high = low.copy(), high.copy()
        ranges = find_range(np.column_stack([X[:, columns], y]), release)
        low[columns], high[columns] = ranges[0][:-1], ranges[1][:-1]
        self.y_bounds_ = float(ranges[0][-1]), float(ranges[1][-1])
        return low, high

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        target = np.asarray(y, dtype=np.float64)
        weights = self._unit_weights(sample_weight)
        categorical = self._categorical(X.shape[1])
        low, high = self._find_bounds(X, target, categorical, release)
        self._grow(X, low, high, categorical, weights, release)
        start, end = self.y_bounds_
        parts = np.clip((np.clip(target, start, end) - start) / (end - start), 0.0, 1.0)
        counts = release.sum(
            LEAVES,
            lambda: map(self._trees.leaves, row_blocks(X)),
            parts=parts,
            n_cells=self._trees.n_leaves,
            weights=weights,
        )
        self._mean, self._tables = leaf_deviations(counts, release.noise_scales[LEAVES])

        factors = np.append(0.0, FACTORS)  # 0: nothing is known but the mean

        def row_scores(start: int, means: np.ndarray) -> np.ndarray:
            guesses = np.clip(self._mean + means[:, np.newaxis] * factors, 0.0, 1.0)
            return 1.0 - (guesses - parts[start : start + len(means), np.newaxis]) ** 2

        self.bounds_ = low, high
        self.factor_ = self._choose_factor(X, weights, release, factors, row_scores)

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted target of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        means = self._all_means(X)
        parts = np.clip(self._mean + self.factor_ * means, 0.0, 1.0)
        low, high = self.y_bounds_
        return np.asarray(low + parts * (high - low))


def leaf_deviations(counts: np.ndarray, noise: float) -> tuple[float, np.ndarray]:
    """Return the mean of the scaled target, and how far each leaf is from it.

    Parameters
    ----------
    counts : array of shape (n_trees, n_leaves, 2)
        Noisy: of the target's part, and of the rest.
    noise : float
        Standard deviation of the noise in them.

    Returns
    -------
    mean : float
    deviations : array of shape (n_trees, n_leaves)
    """
    own, rest = np.maximum(counts.sum(axis=(0, 1)) / counts.shape[0], 1.0)
    mean = float(own / (own + rest))
    rows = counts.sum(axis=2)
    excess = (1 - mean) * counts[..., 0] - mean * counts[..., 1]
    deviations = excess / (np.maximum(rows, 0.0) + math.sqrt(2) * noise)
    return mean, np.clip(deviations, -1.0, 1.0)
