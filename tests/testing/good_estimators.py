"""Small private estimators that keep the contract, for the tests of its checks."""

import math
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skprivacy.accounting import gdp_mu
from skprivacy.base import SAFETY, UNPROTECTED, DPEstimator
from skprivacy.ledger import Receipt
from skprivacy.mechanisms import GaussianSum, LaplaceSum, SubsampledGradients, random_source
from skprivacy.plan import Facts, Plan


class Mean(DPEstimator):
    """The example of base.py, with a mode for pure differential privacy."""

    def fit(self, X, y=None):
        return self._private_fit(X, y)

    def _mechanisms(self, facts):
        kind = LaplaceSum if self.delta == 0 else GaussianSum
        return [kind(name="sum", share=0.9), kind(name="count", share=0.1)]

    def _fit(self, X, y, sample_weight, release):
        total = release.sum("sum", X)
        count = release.sum("count", np.ones((X.shape[0], 1)))
        self.mean_ = total / max(float(count[0]), 1.0)


class Weighted(Mean):
    """A mean that takes weights."""

    def __init__(
        self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, *, max_weight=1.0
    ):
        super().__init__(epsilon, delta, accountant, random_state)
        self.max_weight = max_weight

    def fit(self, X, y=None, sample_weight=None):
        return self._private_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, release):
        weights = np.ones(len(X)) if sample_weight is None else self._part(sample_weight)
        norms = np.maximum(np.linalg.norm(X, axis=1), 1.0)
        total = release.sum("sum", X * (weights / norms)[:, np.newaxis])
        count = release.sum("count", weights[:, np.newaxis])
        self.mean_ = total / max(float(count[0]), 1.0)

    def _part(self, sample_weight):
        return np.minimum(sample_weight / self.max_weight, 1.0)


class Centroid(ClassifierMixin, DPEstimator):
    """Separates two classes by the sum of rows with signs."""

    def __init__(
        self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, *, classes=None
    ):
        super().__init__(epsilon, delta, accountant, random_state)
        self.classes = classes

    def fit(self, X, y):
        return self._private_fit(X, y)

    def _mechanisms(self, facts):
        return [GaussianSum(name="direction")]

    def _fit(self, X, y, sample_weight, release):
        self.classes_ = self._public_classes(y)
        signs = np.where(y == self.classes_[0], -1.0, 1.0)
        self.direction_ = release.sum("direction", X * signs[:, np.newaxis])

    def predict(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.classes_[(X @ self.direction_ > 0).astype(int)]


class Slope(RegressorMixin, DPEstimator):
    """Regresses by the sum of y x over the sum of squared norms."""

    def fit(self, X, y):
        return self._private_fit(X, y)

    def _mechanisms(self, facts):
        return [GaussianSum(name="products")]

    def _fit(self, X, y, sample_weight, release):
        self.coef_ = release.sum("products", X * y[:, np.newaxis])

    def predict(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False) @ self.coef_


class Duck(TransformerMixin, BaseEstimator):
    """Keeps the contract without the base class, one method for each of its rules."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None):
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.random_state = random_state

    def plan(self, facts):
        self._check_parameters()
        mu = gdp_mu(self._promised(), self.delta) * math.sqrt(1 - SAFETY)
        return Plan(
            mechanisms=(GaussianSum(name="sum").calibrate(facts.adjacency, mu=mu),),
            adjacency=facts.adjacency,
            source=type(self).__name__,
            assumptions=("The number of columns is public.",),
            reproducible=self.random_state is not None,
        )

    def fit(self, X, y=None):
        X = self._checked(X)
        plan = self.plan(self._facts(X))
        source = self._source()
        entry = self._charge(plan)
        try:
            draw = self._draw(plan, X, source)
        except BaseException as error:
            self._failed(entry, error)
            raise
        self.n_features_in_ = X.shape[1]
        self.sum_ = draw.value
        self.privacy_ = self._receipt(plan, entry, draw)
        return self

    def transform(self, X):
        check_is_fitted(self)
        return check_array(X) - self.sum_

    def _check_parameters(self):
        if not 0 < self.epsilon < math.inf:
            raise ValueError("epsilon must be a float in the range (0, inf).")
        if not 0 < self.delta < 1:
            raise ValueError("delta must be a float in the range (0, 1).")

    def _promised(self):
        return self.epsilon

    def _checked(self, X):
        return check_array(X, dtype=np.float64)

    def _facts(self, X):
        adjacency = "add-remove" if self.accountant is None else self.accountant.adjacency
        return Facts(adjacency=adjacency, n_features=X.shape[1])

    def _source(self):
        return random_source(self.random_state)

    def _charge(self, plan):
        return None if self.accountant is None else self.accountant.spend(plan)

    def _draw(self, plan, X, source):
        return plan.mechanisms[0].draw(X, adjacency=plan.adjacency, source=source)

    def _failed(self, entry, error):
        if entry is not None:
            self.accountant.fail(entry.uid, type(error).__name__)

    def _receipt(self, plan, entry, draw):
        return Receipt.from_plan(
            plan,
            delta=self.delta,
            entry_uid=None if entry is None else entry.uid,
            noise_scales={"sum": draw.noise_scale},
        )


class Revealed(Mean):
    """A mean that may have no guarantee: by default it has none."""

    _parameter_constraints: ClassVar = {
        **DPEstimator._parameter_constraints,
        "epsilon": [*DPEstimator._parameter_constraints["epsilon"], None],
    }

    def __init__(self, epsilon=None, delta=1e-6, accountant=None, random_state=None):
        super().__init__(epsilon, delta, accountant, random_state)

    def _fit(self, X, y, sample_weight, release):
        if self.epsilon is None:
            self.mean_ = release.reveal(UNPROTECTED, X.mean(axis=0))
        else:
            super()._fit(X, y, sample_weight, release)


class Steps(DPEstimator):
    """Moves towards the rows by noisy gradients on samples."""

    n_steps = 3

    def fit(self, X, y=None):
        return self._private_fit(X, y)

    def _mechanisms(self, facts):
        return [SubsampledGradients(name="gradients", sampling_rate=1.0, n_steps=self.n_steps)]

    def _fit(self, X, y, sample_weight, release):
        self.centre_ = np.zeros((1, X.shape[1]))
        for _ in range(self._n_draws()):
            (total,) = release.step(
                "gradients",
                lambda rows: [(np.ones((rows.size, 1)), X[rows] - self.centre_)],
                n_rows=X.shape[0],
                shapes=[self.centre_.shape],
            )
            self.centre_ += 0.1 * total

    def _n_draws(self):
        return self.n_steps


GOOD = [
    Mean(),
    Mean(delta=0),
    Mean(epsilon=8.0, delta=1e-5),
    Weighted(max_weight=2.0),
    Centroid(),
    Centroid(classes=["no", "perhaps", "yes"]),
    Slope(),
    Duck(),
    Revealed(),
    Revealed(epsilon=1.0),
    Steps(),
]
