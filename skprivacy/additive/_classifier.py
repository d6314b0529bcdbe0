"""Private additive classifier."""

from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import log_expit
from sklearn.base import ClassifierMixin

from ..base import Release
from ..ledger import PrivacyAccountant
from ._base import COUNTS, AdditiveModel
from ._losses import Logistic, Loss, Softmax


class DPAdditiveClassifier(ClassifierMixin, AdditiveModel):
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **AdditiveModel._parameter_constraints,
        "classes": ["array-like", None],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        categories: Any = None,
        classes: Any = None,
        pair_columns: Any = "auto",
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(
            epsilon,
            delta,
            accountant,
            random_state,
            bounds=bounds,
            categories=categories,
            pair_columns=pair_columns,
            max_weight=max_weight,
        )
        self.classes = classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        return self._private_fit(X, y, sample_weight)

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        classes = self._public_classes(y)
        codes = np.searchsorted(classes, np.asarray(y))
        weights = (
            None if sample_weight is None else np.minimum(sample_weight / self.max_weight, 1.0)
        )
        counts = release.sum(COUNTS, codes[:, np.newaxis], n_cells=classes.size, weights=weights)[0]
        counts = np.maximum(counts, 1.0)
        n_rows = max(float(counts.sum()), 10.0)
        priors = counts / counts.sum()
        kind: type[Logistic] | type[Softmax] = Logistic if classes.size == 2 else Softmax
        loss: Loss = kind(codes, weights, priors)
        self._fit_additive(X, loss, n_rows, release, weights)
        self.classes_ = classes

    def decision_function(self, X: Any) -> np.ndarray:
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        scores = self.decision_function(X)
        best = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.asarray(log_expit(np.stack([-scores, scores], axis=1)))
        return np.asarray(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
