"""What the private scalers share: bounds declared, inherited or found; clipped output."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn import StrOptions
from ..base import DPEstimator, Release
from ..bounding import find_range, range_mechanisms
from ..ledger import PrivacyAccountant
from ..mechanisms import Mechanism
from ..plan import Facts, column_bounds, declare_bounds


class PrivateScaler(OneToOneFeatureMixin, TransformerMixin, DPEstimator):
    """A column-wise affine map from private statistics, applied to clipped columns."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "bounds": ["array-like", tuple, None],
        "clip": ["boolean"],
        "missing": [StrOptions({"error", "ignore"})],
    }

    _range_share: ClassVar[float]

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        clip: bool = True,
        missing: str = "error",
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.bounds = bounds
        self.clip = clip
        self.missing = missing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._missing_is_allowed()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _missing_is_allowed(self) -> bool:
        return self.missing == "ignore"

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        if self.bounds is None and facts.bounds is None:
            return range_mechanisms(self._range_share)
        return []

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = super()._assumptions(facts)
        if self.missing == "error":
            assumptions.append("That all values are finite is public.")
        if self.bounds is not None:
            assumptions.append("The bounds of the columns were declared by the user.")
        elif facts.bounds is not None:
            assumptions.append("The bounds of the columns were released by the previous step.")
        return assumptions

    def _bound(self, X: np.ndarray, release: Release) -> None:
        """Set `bounds_` and `found_` from declared, inherited or released bounds."""
        declared = column_bounds(self.bounds, X.shape[1], type(self).__name__)
        known = release.facts.bounds if declared is None else declared
        if known is None:
            low, high, self.found_ = find_range(X, release)
            self.bounds_ = low, high
        else:
            self.bounds_ = known
            self.found_ = np.ones(X.shape[1], dtype=bool)

    @abstractmethod
    def _map(self) -> tuple[np.ndarray, np.ndarray]:
        """Return factor and shift: a value x becomes x * factor + shift."""

    def transform(self, X: Any) -> Any:
        """Scale columns, after clipping them to their bounds if `clip`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features)
            A column whose range was not found is 0; NaN stays NaN.
        """
        check_is_fitted(self)
        X = self._validated(X)
        factor, shift = self._map()
        low, high = self.bounds_
        scaled = np.clip(X, low, high) if self.clip else np.array(X, dtype=np.float64)
        scaled = scaled * factor + shift
        scaled[:, ~self.found_] *= 0.0
        return self._declare(scaled.astype(X.dtype, copy=False))

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, then transform the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : None
            Ignored.
        **fit_params : dict
            Passed to `fit`.

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        # set_output may have made another object of it, so it is declared again.
        return self._declare(self.fit(X, y, **fit_params).transform(X))

    def inverse_transform(self, X: Any) -> Any:
        """Undo the scaling (not the clipping).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = self._validated(X)
        factor, shift = self._map()
        return ((X - shift) / factor).astype(X.dtype, copy=False)

    def _validated(self, X: Any) -> np.ndarray:
        return validate_data(
            self,
            X,
            reset=False,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if self._missing_is_allowed() else True,
        )

    def _declare(self, output: Any) -> Any:
        """Tell the next step of a pipeline the bounds of `output`, which are released facts."""
        if self.clip:
            factor, shift = self._map()
            ends = [np.where(self.found_, end * factor + shift, 0.0) for end in self.bounds_]
            declare_bounds(output, np.minimum(*ends), np.maximum(*ends))
        return output
