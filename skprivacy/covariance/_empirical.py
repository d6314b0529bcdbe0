"""A private covariance matrix with the methods of scikit-learn's.

The release is that of `skprivacy.moments`; Mahalanobis distances, scores and norms of errors
are scikit-learn's own methods on the released matrix.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.linalg import pinvh
from sklearn.covariance import EmpiricalCovariance

from ..base import DPEstimator, Release
from ..bounding import box_assumptions
from ..ledger import PrivacyAccountant
from ..mechanisms import Mechanism
from ..moments import eigenvalues, find_moments, moment_mechanisms
from ..plan import Facts


class DPEmpiricalCovariance(DPEstimator, EmpiricalCovariance):
    """Covariance of rows with differential privacy.

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
    store_precision : bool, default=True
        Whether the (pseudo-)inverse is computed once and kept.
    assume_centered : bool, default=False
        Whether the mean is publicly 0.

    Attributes
    ----------
    location_ : array of shape (n_features,)
        Released mean; 0 with `assume_centered`.
    covariance_ : array of shape (n_features, n_features)
        Released covariance; directions in which the noise makes the variance negative have
        variance 0.
    precision_ : array of shape (n_features, n_features) or None
        Its pseudo-inverse, if it is stored.
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
    sklearn.covariance.EmpiricalCovariance : The same without privacy.
    skprivacy.decomposition.DPPCA : Its principal directions.

    Notes
    -----
    Released, under add-remove (replace-one) adjacency: count and mean, L2 sensitivity 1
    (1.789); a histogram of row norms, 1 (sqrt(2)); the second moment of the rows around the
    released mean, clipped to a released norm, 1 (sqrt(2)). All are Gaussian and compose
    exactly; the shares of mu squared are .10, .03 and .87.

    References
    ----------
    .. [1] C. Dwork, K. Talwar, A. Thakurta and L. Zhang, "Analyze Gauss: Optimal Bounds
       for Privacy-Preserving Principal Component Analysis", STOC, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.covariance import DPEmpiricalCovariance
    >>> rng = np.random.default_rng(0)
    >>> X = rng.multivariate_normal([0, 0], [[1.0, 0.6], [0.6, 2.0]], size=20000)
    >>> DPEmpiricalCovariance(bounds=(-10, 10), random_state=0).fit(X).covariance_.round(1)
    array([[1. , 0.6],
           [0.6, 2. ]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "bounds": ["array-like", tuple, None],
        "store_precision": ["boolean"],
        "assume_centered": ["boolean"],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        store_precision: bool = True,
        assume_centered: bool = False,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.bounds = bounds
        self.store_precision = store_precision
        self.assume_centered = assume_centered

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
        self : DPEmpiricalCovariance
            The fitted estimator.

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
        assumptions = [*super()._assumptions(facts), *box_assumptions(self.bounds, facts)]
        if self.assume_centered:
            assumptions.append("That the mean is 0 was declared by the user.")
        return assumptions

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        moments = find_moments(
            X, self.bounds, release, type(self).__name__, centred=self.assume_centered
        )
        variances, directions = eigenvalues(moments.covariance)
        self.bounds_ = moments.bounds
        self.location_ = moments.mean
        self.covariance_ = (directions.T * variances) @ directions
        self.precision_ = (
            pinvh(self.covariance_, check_finite=False) if self.store_precision else None
        )
