"""Private standardisation of columns from one joint release of their moments."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.metaestimators import available_if

from ..base import Release
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianMoments, Mechanism
from ..plan import Facts, column_bounds
from ._scaler import PrivateScaler

MOMENTS = "moments of the columns"
MOMENTS_SHARE = 0.5
"""Part of the budget for the moments where the range has to be found too."""


def _has_bounds(scaler: "DPStandardScaler") -> bool:
    if scaler.bounds is None:
        raise AttributeError(
            "partial_fit needs declared bounds: batches have to be scaled alike. "
            "Set the parameter 'bounds'."
        )
    return True


class DPStandardScaler(PrivateScaler):
    """Standardise columns by private means and standard deviations.

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
        privately with half of the budget, or taken from a private scaler before this
        step.
    with_mean : bool, default=True
        Whether to centre the columns.
    with_std : bool, default=True
        Whether to divide the columns by their standard deviation.
    clip : bool, default=True
        Whether values outside the bounds are clipped to them.
    missing : {"error", "ignore"}, default="error"
        Whether NaN is refused, or left as it is and out of the moments.

    Attributes
    ----------
    mean_, var_, scale_ : arrays of shape (n_features,)
        Released means and variances, and the factors that columns are divided by.
    noise_std_ : array of shape (n_features,)
        Standard deviation of the noise in `mean_`, for columns with all values present.
    bounds_ : tuple of two arrays of shape (n_features,)
        The bounds in use: declared or released.
    found_ : array of bool of shape (n_features,)
        Whether the column's range was seen above the noise; the others become 0.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost; after `partial_fit`, all batches so far.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same without privacy.
    DPMinMaxScaler : Scaling by bounds alone.

    Notes
    -----
    Released: count, sum and sum of squares of every column in one Gaussian mechanism; its
    L2 sensitivity jointly over d columns is sqrt(25 d / 16 + 1 / 2) under add-remove (sqrt(2 d)
    with ``missing="ignore"``) and 2 sqrt(d) under replace-one; see `GaussianMoments`.
    Without bounds, two histograms before that, as for `DPMinMaxScaler`. A variance below
    two standard deviations of its noise is replaced by that floor.

    There is no `n_samples_seen_`: under add-remove adjacency the number of rows is private.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> X = np.random.default_rng(0).normal(50, 10, size=(10000, 2))
    >>> scaler = DPStandardScaler(epsilon=1.0, bounds=(0, 100), random_state=0).fit(X)
    >>> scaler.mean_.round(), np.sqrt(scaler.var_).round()
    (array([50., 50.]), array([10., 10.]))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PrivateScaler._parameter_constraints,
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
    }
    _range_share = 1 - MOMENTS_SHARE
    _moments: tuple[np.ndarray, np.ndarray]

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        with_mean: bool = True,
        with_std: bool = True,
        clip: bool = True,
        missing: str = "error",
    ) -> None:
        super().__init__(
            epsilon, delta, accountant, random_state, bounds=bounds, clip=clip, missing=missing
        )
        self.with_mean = with_mean
        self.with_std = with_std

    def fit(self, X: Any, y: Any = None) -> Self:
        """Release the moments of the columns and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : None
            Ignored.

        Returns
        -------
        self : DPStandardScaler
            The fitted scaler.
        """
        return self._private_fit(X)

    @available_if(_has_bounds)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Add a batch of rows; every call is charged like a fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of this batch.
        y : None
            Ignored.

        Returns
        -------
        self : DPStandardScaler
            The scaler fitted on all batches so far.
        """
        return self._private_fit(X, extend=True)

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
        if not reset:
            bounds = column_bounds(self.bounds, X.shape[1], type(self).__name__)
            if not np.array_equal(np.asarray(bounds), self.bounds_):
                raise ValueError(
                    "The 'bounds' parameter changed since the last batch: moments of columns "
                    "that were scaled by other bounds can't be added. Call fit to start anew."
                )
        return X, y, sample_weight

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        return [
            *super()._mechanisms(facts),
            GaussianMoments(name=MOMENTS, share=MOMENTS_SHARE, missing=self.missing),
        ]

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        self._bound(X, release)
        low, high = self.bounds_
        moments = release.sum(MOMENTS, X, low=low, high=high)
        noise = np.asarray(release.noise_scales[MOMENTS])
        if release.extends:
            moments, noise = moments + self._moments[0], np.hypot(noise, self._moments[1])
        self._moments = moments, noise
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        counts = np.maximum(moments[0], np.maximum(noise[0], 1.0))
        mean = np.clip(moments[1] / counts, -1.0, 1.0)
        floor = np.minimum(2 * noise[2] / counts, 1.0)
        variance = np.clip(
            moments[2] / counts - mean**2, floor, np.maximum((1 - mean) * (1 + mean), floor)
        )
        self.mean_ = np.where(self.found_, middle + half * mean, 0.0)
        # Not the root of var_, which over- or underflows for columns of extreme size.
        deviation = np.where(self.found_, half * np.sqrt(variance), 1.0)
        self.var_ = deviation**2
        self.scale_ = deviation if self.with_std else np.ones_like(deviation)
        self.scale_[self.scale_ == 0] = 1.0
        self.noise_std_ = half * noise[1] / counts

    def _map(self) -> tuple[np.ndarray, np.ndarray]:
        factor = 1.0 / self.scale_
        return factor, -self.mean_ * factor if self.with_mean else np.zeros_like(factor)
