"""What the naive Bayes classifiers share: from a joint log likelihood to predictions."""

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sklearn import StrOptions
from ..base import SCALE, DPEstimator, ProbabilityMixin
from ..ledger import PrivacyAccountant


class PrivateNB(ProbabilityMixin, DPEstimator):
    """A classifier that adds up log likelihoods of single columns."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "classes": ["array-like", None],
        "max_weight": [SCALE],
        "unknown_labels": [StrOptions({"error", "ignore"})],
    }

    _units: tuple[Any, ...]
    """What the released sums are sums of."""

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        classes: Any = None,
        max_weight: float = 1.0,
        unknown_labels: str = "error",
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.classes = classes
        self.max_weight = max_weight
        self.unknown_labels = unknown_labels

    def _add_batch(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Self:
        """Add rows to those of earlier calls, of which the first one has to know the classes."""
        name = type(self).__name__
        if classes is None:
            if self.classes is None and not hasattr(self, "classes_"):
                raise ValueError(
                    "classes must be passed on the first call to partial_fit, or be declared by "
                    f"the 'classes' parameter of {name}."
                )
        elif self.classes is not None:
            if not np.isin(classes, self.classes).all():
                raise ValueError(
                    f"The classes {classes!r} are not all among the 'classes' parameter of {name}, "
                    f"{self.classes!r}. Leave them out."
                )
            classes = None
        elif hasattr(self, "classes_") and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        if classes is None and self.classes is None:
            classes = self.classes_
        return self._private_fit(X, y, sample_weight, extend=True, classes=classes)

    def _check_units(self, units: tuple[Any, ...], *, reset: bool) -> None:
        """Raise a ValueError unless a batch's sums are in the units of the last one's."""
        same = reset or all(map(np.array_equal, units, self._units))
        if not same:
            raise ValueError(
                f"A parameter of {type(self).__name__} that says what is summed changed since the "
                "last batch: sums of other units can't be added. Call fit to start anew."
            )

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
