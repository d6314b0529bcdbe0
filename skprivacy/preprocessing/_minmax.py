"""Private scaling of columns to a given range."""

from typing import Any, ClassVar, Self

import numpy as np

from ..base import Release
from ..ledger import PrivacyAccountant
from ._scaler import PrivateScaler


class DPMinMaxScaler(PrivateScaler):
    """Scale columns to a range by bounds that are public or privately found.

    With declared bounds nothing is released and nothing is charged. Without them, the
    range of every column is found privately; the extreme values themselves can't be
    released, so some rows may be clipped.

    Parameters
    ----------
    epsilon : float, default=1.0
        Privacy budget of a fit without declared bounds.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement; above 0 if ranges are found.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    feature_range : tuple (min, max), default=(0, 1)
        Range of the scaled columns.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column. None: found
        privately, or taken from a private scaler before this step.
    clip : bool, default=True
        Whether values outside the bounds are clipped to them.
    missing : {"error", "ignore"}, default="error"
        Whether NaN is refused or left as it is.

    Attributes
    ----------
    data_min_, data_max_, data_range_ : arrays of shape (n_features,)
        The bounds in use and their difference: declared or released, never the
        extremes of the data.
    scale_, min_ : arrays of shape (n_features,)
        A value x becomes ``x * scale_ + min_``.
    found_ : array of bool of shape (n_features,)
        Whether the column's range was seen above the noise; the others become 0.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.preprocessing.MinMaxScaler : The same without privacy.
    DPStandardScaler : Scaling by private means and variances.

    Notes
    -----
    Released if bounds are found: two histograms over all columns jointly, L2 sensitivity
    sqrt(d) under add-remove and sqrt(2 d) under replace-one each; Gaussian-DP, half of mu
    squared for each.

    Examples
    --------
    >>> from skprivacy.preprocessing import DPMinMaxScaler
    >>> scaler = DPMinMaxScaler(bounds=([0, 100], [10, 300]))
    >>> scaler.fit_transform([[5, 150], [12, 300]])
    array([[0.5 , 0.25],
           [1.  , 1.  ]])
    >>> scaler.privacy_.epsilon
    0.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PrivateScaler._parameter_constraints,
        "feature_range": [tuple],
    }
    _range_share = 1.0

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        feature_range: tuple[float, float] = (0, 1),
        bounds: Any = None,
        clip: bool = True,
        missing: str = "error",
    ) -> None:
        super().__init__(
            epsilon, delta, accountant, random_state, bounds=bounds, clip=clip, missing=missing
        )
        self.feature_range = feature_range

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find or adopt the bounds of the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        self : DPMinMaxScaler
            The fitted scaler.
        """
        return self._private_fit(X)

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        low, high = self.feature_range
        if not low < high:
            raise ValueError(
                "The 'feature_range' parameter of DPMinMaxScaler must be a pair (min, max) with "
                f"min < max. Got {self.feature_range!r} instead."
            )
        return super()._check_data(X, y, sample_weight, reset=reset)

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        self._bound(X, release)
        self.data_min_, self.data_max_ = self.bounds_
        self.data_range_ = self.data_max_ - self.data_min_
        low, high = self.feature_range
        width = np.where(self.data_range_ > 0, self.data_range_, 1.0)
        self.scale_ = (high - low) / width
        self.min_ = low - self.data_min_ * self.scale_

    def _map(self) -> tuple[np.ndarray, np.ndarray]:
        return self.scale_, self.min_
