"""Private linear regression, without and with a ridge penalty.

Both are fitted by `LinearRegressor`; they differ in the penalty that is added to what
privacy needs.
"""

from numbers import Real
from typing import Any, ClassVar, Self

from .._sklearn import Interval
from ..ledger import PrivacyAccountant
from ._regressor import LinearRegressor


class DPLinearRegression(LinearRegressor):
    """Linear regression with differential privacy.

    Parameters
    ----------
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement. 0 asks for pure differential
        privacy: all noise is Laplace noise, which is larger, and `y_bounds` and one of
        `bounds` and `clipping_norm` have to be given.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    clipping_norm : float, default=None
        Public bound on the Euclidean norm of a row (after scaling by `bounds`, where
        they are given). Longer rows are scaled down to it; about the .99 quantile of
        the norms is a good choice. None: found privately, for 2 % of the budget.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column; columns are
        scaled to [-1, 1] by them. None: the columns are used as they are if
        `clipping_norm` is given or if the previous step of a pipeline was a private
        scaler; else found privately, for 8 % of the budget.
    y_bounds : tuple (low, high), default=None
        Public bounds of the target, which is clipped to them. None: found privately,
        for 4 % of the budget.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is regularised like a coefficient.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.

    Attributes
    ----------
    coef_ : array of shape (n_features,)
        Coefficients, for columns as given to `fit`.
    intercept_ : float
        Intercept.
    bounds_ : tuple of two arrays of shape (n_features,), or None
        Declared or released bounds that columns are clipped to, in `fit` and in
        predictions; None if `clipping_norm` alone bounds the rows.
    y_bounds_ : tuple of two float
        Declared or released bounds of the target; predictions are clipped to them.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.linear_model.LinearRegression : The same without privacy.
    DPRidge : With a penalty on the coefficients.

    Notes
    -----
    The loss is Huber's, quadratic up to a quarter of the target's range and linear
    beyond. Released, under add-remove (replace-one) adjacency: number of rows and sum
    of the target, L2 sensitivity 1 (2); the second moment of the rows, sensitivity 1
    (sqrt(2)); the coefficients by objective perturbation, where a row's gradient has
    norm at most the loss's slope (two rows as a group), with noise for the solver's
    tolerance. All is Gaussian-DP, exactly composed. The shares of mu squared are .03, .15
    and .82.

    The strength of regularisation is chosen from released quantities.

    References
    ----------
    .. [1] P. J. Huber, "Robust Estimation of a Location Parameter", Annals of
       Mathematical Statistics 35, 1964.
    .. [2] D. Kifer, A. Smith and A. Thakurta, "Private Convex Empirical Risk
       Minimization and High-dimensional Regression", COLT 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.linear_model import DPLinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(2000, 3))
    >>> y = X @ [1.0, -2.0, 0.0] + rng.normal(scale=0.3, size=2000)
    >>> model = DPLinearRegression(1.0, bounds=(-1, 1), y_bounds=(-4, 4), random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.8
    True
    >>> round(model.privacy_.epsilon, 6)
    1.0
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        clipping_norm: float | None = None,
        bounds: Any = None,
        y_bounds: Any = None,
        fit_intercept: bool = True,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.clipping_norm = clipping_norm
        self.bounds = bounds
        self.y_bounds = y_bounds
        self.fit_intercept = fit_intercept
        self.max_weight = max_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model and charge the accountant.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPLinearRegression
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)


class DPRidge(LinearRegressor):
    """Linear regression with a ridge penalty and with differential privacy.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, as of scikit-learn's Ridge: alpha times the squared norm
        of `coef_` is added to the sum of squared residuals. It is added to the
        regularisation that privacy needs, which is chosen from released quantities; 0
        leaves that alone.
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement. 0 asks for pure differential
        privacy: all noise is Laplace noise, which is larger, and `y_bounds` and one of
        `bounds` and `clipping_norm` have to be given.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    clipping_norm : float, default=None
        Public bound on the Euclidean norm of a row (after scaling by `bounds`, where
        they are given). Longer rows are scaled down to it; about the .99 quantile of
        the norms is a good choice. None: found privately, for 2 % of the budget.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column; columns are
        scaled to [-1, 1] by them. None: the columns are used as they are if
        `clipping_norm` is given or if the previous step of a pipeline was a private
        scaler; else found privately, for 8 % of the budget.
    y_bounds : tuple (low, high), default=None
        Public bounds of the target, which is clipped to them. None: found privately,
        for 4 % of the budget.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is regularised like a coefficient.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.

    Attributes
    ----------
    coef_ : array of shape (n_features,)
        Coefficients, for columns as given to `fit`.
    intercept_ : float
        Intercept.
    bounds_ : tuple of two arrays of shape (n_features,), or None
        Declared or released bounds that columns are clipped to, in `fit` and in
        predictions; None if `clipping_norm` alone bounds the rows.
    y_bounds_ : tuple of two float
        Declared or released bounds of the target; predictions are clipped to them.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.linear_model.Ridge : The same without privacy.
    DPLinearRegression : Without the penalty.

    Notes
    -----
    The loss is Huber's, quadratic up to a quarter of the target's range and linear
    beyond. Released, under add-remove (replace-one) adjacency: number of rows and sum
    of the target, L2 sensitivity 1 (2); the second moment of the rows, sensitivity 1
    (sqrt(2)); the coefficients by objective perturbation, where a row's gradient has
    norm at most the loss's slope (two rows as a group), with noise for the solver's
    tolerance. All is Gaussian-DP, exactly composed. The shares of mu squared are .03, .15
    and .82.

    The penalty depends on no row, and makes the objective more convex: the price is the
    same for every `alpha`.

    References
    ----------
    .. [1] P. J. Huber, "Robust Estimation of a Location Parameter", Annals of
       Mathematical Statistics 35, 1964.
    .. [2] D. Kifer, A. Smith and A. Thakurta, "Private Convex Empirical Risk
       Minimization and High-dimensional Regression", COLT 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.linear_model import DPRidge
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(2000, 3))
    >>> y = X @ [1.0, -2.0, 0.0] + rng.normal(scale=0.3, size=2000)
    >>> model = DPRidge(1.0, bounds=(-1, 1), y_bounds=(-4, 4), random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.8
    True
    >>> round(model.privacy_.epsilon, 6)
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinearRegressor._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        alpha: float = 1.0,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        clipping_norm: float | None = None,
        bounds: Any = None,
        y_bounds: Any = None,
        fit_intercept: bool = True,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.alpha = alpha
        self.clipping_norm = clipping_norm
        self.bounds = bounds
        self.y_bounds = y_bounds
        self.fit_intercept = fit_intercept
        self.max_weight = max_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model and charge the accountant.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPRidge
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    def _strength(self) -> float:
        return self.alpha
