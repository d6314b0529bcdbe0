"""From scores of the classes to predictions, the same for every private classifier."""

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import log_expit
from sklearn.base import ClassifierMixin


class ScoreMixin(ClassifierMixin):
    """A classifier whose classes have scores."""

    classes_: np.ndarray

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    @abstractmethod
    def _class_scores(self, X: Any) -> np.ndarray:
        """Return the scores of rows.

        Of shape (n_samples,) with two classes, positive for ``classes_[1]``; or of shape
        (n_samples, n_classes). Where the classifier has probabilities these are log odds,
        or their logarithms up to a constant of each row.
        """

    def predict(self, X: Any) -> np.ndarray:
        """Return the class with the highest score for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of any kind that `fit` takes.

        Returns
        -------
        array of shape (n_samples,)
        """
        scores = self._class_scores(X)
        best = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[best])


class ProbabilityMixin(ScoreMixin):
    """A classifier whose scores are logarithms of probabilities, up to a constant."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of any kind that `fit` takes.

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, without underflow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of any kind that `fit` takes.

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        scores = self._class_scores(X)
        if scores.ndim == 1:
            return np.asarray(log_expit(np.stack([-scores, scores], axis=1)))
        return np.asarray(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
