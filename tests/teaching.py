"""What tests of teachers and students share: a classifier that tells what it saw."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skprivacy.distillation import PATEClassifier


class Stub(ClassifierMixin, BaseEstimator):
    """A classifier that tells what it saw: a list of (method, rows, labels, seed)."""

    seen = None

    def __init__(self, random_state=None, answer=None, fails=False):
        self.random_state = random_state
        self.answer = answer
        self.fails = fails

    def fit(self, X, y, sample_weight=None):
        self._tell("fit", X, y)
        if self.fails and Stub.seen is not None:
            raise ValueError(f"the value is {X[0, 0]}")
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        self.weights_ = sample_weight
        return self

    def predict(self, X):
        self._tell("predict", X, None)
        return np.full(len(X), self.most_ if self.answer is None else self.answer)

    def _tell(self, method, X, y):
        if Stub.seen is not None:
            Stub.seen.append((method, np.array(X), y, self.random_state))


def pate(estimator=None, student=None, **parameters):
    parameters = {"random_state": 0, "n_teachers": 10, **parameters}
    return PATEClassifier(
        DecisionTreeClassifier(max_depth=3) if estimator is None else estimator,
        LogisticRegression() if student is None else student,
        **parameters,
    )
