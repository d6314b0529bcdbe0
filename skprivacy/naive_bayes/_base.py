"""What the naive Bayes classifiers share: from a joint log likelihood to predictions."""

from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sklearn import Interval
from ..base import DPEstimator, ProbabilityMixin
from ..ledger import PrivacyAccountant


class PrivateNB(ProbabilityMixin, DPEstimator):
    """A classifier that adds up log likelihoods of single columns."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "classes": ["array-like", None],
        "max_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        classes: Any = None,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.classes = classes
        self.max_weight = max_weight

    @abstractmethod
    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        """Return log P(class) + log P(row | class), of shape (n_samples, n_classes)."""

    def predict_joint_log_proba(self, X: Any) -> np.ndarray:
        """Return the log of the joint probability of rows and classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        return self._joint_log_likelihood(X)

    def _class_scores(self, X: Any) -> np.ndarray:
        return self.predict_joint_log_proba(X)


def check_priors(priors: Any, n_classes: int) -> None:
    """Raise scikit-learn's errors if these are no probabilities of so many classes."""
    values = np.asarray(priors, dtype=np.float64)
    if values.shape != (n_classes,):
        raise ValueError("Number of priors must match number of classes.")
    if not (values >= 0).all():
        raise ValueError("Priors must be non-negative.")
    if not np.isclose(values.sum(), 1.0):
        raise ValueError("The sum of the priors should be 1.")
