"""Private principal components from a noisy covariance.

Noise goes on the covariance matrix, as in Analyze Gauss (Dwork et al. 2014); the eigenvectors
of a released matrix are post-processing. See `skprivacy.moments` for the release.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._sklearn import Interval
from ..base import DPEstimator, Release
from ..bounding import box_assumptions
from ..ledger import PrivacyAccountant
from ..mechanisms import Mechanism
from ..moments import eigenvalues, find_moments, moment_mechanisms
from ..plan import Facts


class DPPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DPEstimator):
    """Principal component analysis with differential privacy.

    Parameters
    ----------
    n_components : int, float or None, default=None
        Number of components; as a float in (0, 1), the part of the released variance that
        they have to explain; None keeps all.
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
    whiten : bool, default=False
        Whether transformed columns are divided by their standard deviation.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        Directions of the largest released variance; the largest entry of each is positive.
    explained_variance_ : array of shape (n_components,)
        Released variance along each; where the noise makes it negative, 0.
    explained_variance_ratio_ : array of shape (n_components,)
        The same as part of all released variance.
    mean_ : array of shape (n_features,)
        Released mean.
    noise_variance_ : float
        Mean released variance along the directions left out.
    n_components_ : int
        Number of components.
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
    sklearn.decomposition.PCA : The same without privacy.
    skprivacy.covariance.DPEmpiricalCovariance : The covariance itself.

    Notes
    -----
    Released, under add-remove (replace-one) adjacency: count and mean, L2 sensitivity 1
    (1.789); a histogram of row norms, 1 (sqrt(2)); the second moment of the rows around the
    released mean, clipped to a released norm, 1 (sqrt(2)). All are Gaussian and compose
    exactly; the shares of mu squared are .10, .03 and .87. Singular values and the
    number of rows are not released.

    References
    ----------
    .. [1] C. Dwork, K. Talwar, A. Thakurta and L. Zhang, "Analyze Gauss: Optimal Bounds
       for Privacy-Preserving Principal Component Analysis", STOC, 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skprivacy.decomposition import DPPCA
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = DPPCA(2, epsilon=2.0, bounds=(0, 16), random_state=0)
    >>> pca.fit_transform(X).shape
    (1797, 2)
    >>> bool(pca.explained_variance_[0] > pca.explained_variance_[1] > 0)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "bounds": ["array-like", tuple, None],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components: float | None = None,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        whiten: bool = False,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.n_components = n_components
        self.bounds = bounds
        self.whiten = whiten

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Release the moments of the rows and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite.
        y : None
            Ignored.

        Returns
        -------
        self : DPPCA
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X)

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        return moment_mechanisms(self.bounds, facts)

    def _assumptions(self, facts: Facts) -> list[str]:
        return [*super()._assumptions(facts), *box_assumptions(self.bounds, facts)]

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
        if self.n_components is not None and self.n_components > X.shape[1]:
            raise ValueError(
                f"The 'n_components' parameter of {type(self).__name__} must be at most the "
                f"number of columns, {X.shape[1]}. Got {self.n_components} instead."
            )
        return X, y, sample_weight

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        moments = find_moments(X, self.bounds, release, type(self).__name__)
        variances, directions = eigenvalues(moments.covariance)
        total = max(float(variances.sum()), 1e-300)
        ratios = variances / total
        self.n_components_ = self._number_of_components(ratios)
        kept = slice(self.n_components_)
        left_out = variances[self.n_components_ :]
        self.mean_ = moments.mean
        self.bounds_ = moments.bounds
        self.components_ = directions[kept].copy()
        self.explained_variance_ = variances[kept].copy()
        self.explained_variance_ratio_ = ratios[kept].copy()
        self.noise_variance_ = float(left_out.mean()) if left_out.size else 0.0

    def _number_of_components(self, ratios: np.ndarray) -> int:
        if self.n_components is None:
            return ratios.size
        if self.n_components >= 1:
            return int(self.n_components)
        return min(int(np.searchsorted(np.cumsum(ratios), self.n_components)) + 1, ratios.size)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def transform(self, X: Any) -> Any:
        """Project rows on the components.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        projected = X @ self.components_.T - self.mean_ @ self.components_.T
        if self.whiten:
            projected /= self._deviations()
        return projected.astype(X.dtype, copy=False)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the rows in the space of the columns that have these projections.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)

        Returns
        -------
        array of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            If X has another number of columns than there are components.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32])
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {X.shape[1]} columns, but there are {self.n_components_} components. "
                "Pass what transform returned."
            )
        projected = X * self._deviations() if self.whiten else X
        return projected @ self.components_ + self.mean_

    def get_covariance(self) -> np.ndarray:
        """Return the covariance of the model: components, and equal noise in the rest.

        Returns
        -------
        array of shape (n_features, n_features)
        """
        check_is_fitted(self)
        beyond = self.explained_variance_ - self.noise_variance_
        model = (self.components_.T * np.maximum(beyond, 0.0)) @ self.components_
        return np.asarray(model + self.noise_variance_ * np.eye(self.n_features_in_))

    def _deviations(self) -> np.ndarray:
        deviations = np.sqrt(self.explained_variance_)
        return np.where(deviations > 0, deviations, 1.0)
