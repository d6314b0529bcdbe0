"""Small private estimators that keep the contract, for the ledger's own tests.

They are a module of their own, importable by worker processes.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skprivacy.accounting import PrivacyLoss, gdp_mu
from skprivacy.exceptions import BudgetExceededError
from skprivacy.ledger import Receipt
from skprivacy.mechanisms import GaussianSum, LaplaceSum, random_source
from skprivacy.plan import Facts, Plan

SAFETY = 1e-9


@dataclass(frozen=True, kw_only=True)
class SumWithDelta(GaussianSum):
    """A Gaussian sum that also has a delta of its own."""

    own_delta: float = 0.0
    noise: ClassVar[str] = "thresholded"

    def loss(self, adjacency):
        return PrivacyLoss(1.0 / self.calibrated_noise(), self.own_delta)


class PrivateStep(BaseEstimator):
    """The order of a private fit: validate, plan, charge, draw."""

    def __init__(
        self,
        epsilon=1.0,
        delta=1e-6,
        accountant=None,
        random_state=None,
        own_delta=False,
        needs_classes=False,
        fail=False,
    ):
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.random_state = random_state
        self.own_delta = own_delta
        self.needs_classes = needs_classes
        self.fail = fail

    def plan(self, facts):
        if self.needs_classes and facts.classes is None:
            raise ValueError("The price depends on the classes.")
        if self.delta == 0:
            mechanism = LaplaceSum(name="sum").calibrate(
                facts.adjacency, epsilon=self.epsilon * (1 - SAFETY)
            )
        elif self.own_delta:
            mu = gdp_mu(self.epsilon, 0.99 * self.delta) * math.sqrt(1 - SAFETY)
            mechanism = SumWithDelta(name="sum", own_delta=self.delta / 100).calibrate(
                facts.adjacency, mu=mu
            )
        else:
            mu = gdp_mu(self.epsilon, self.delta) * math.sqrt(1 - SAFETY)
            mechanism = GaussianSum(name="sum").calibrate(facts.adjacency, mu=mu)
        return Plan(
            mechanisms=(mechanism,),
            adjacency=facts.adjacency,
            source=type(self).__name__,
            assumptions=("The number of columns is public.",),
            reproducible=self.random_state is not None,
        )

    def private_fit(self, X, y=None):
        X = validate_data(self, X) if y is None else validate_data(self, X, y)[0]
        adjacency = "add-remove" if self.accountant is None else self.accountant.adjacency
        classes = None if y is None else tuple(np.unique(y))
        plan = self.plan(Facts(adjacency=adjacency, n_features=X.shape[1], classes=classes))
        entry = None if self.accountant is None else self.accountant.spend(plan)
        try:
            if self.fail:
                raise RuntimeError("row 17 has the value 42")  # noqa: TRY301
            draw = plan.mechanisms[0].draw(
                X, adjacency=adjacency, source=random_source(self.random_state)
            )
        except Exception as error:
            if entry is not None:
                self.accountant.fail(entry.uid, type(error).__name__)
            raise
        self.sum_ = draw.value
        self.privacy_ = Receipt.from_plan(
            plan,
            delta=self.delta,
            entry_uid=None if entry is None else entry.uid,
            noise_scales={"sum": draw.noise_scale},
        )
        return self


class PrivateShift(TransformerMixin, PrivateStep):
    """Subtracts a noisy vector."""

    def fit(self, X, y=None):
        return self.private_fit(X)

    def transform(self, X):
        check_is_fitted(self)
        return np.asarray(X) - self.sum_


class PrivateSign(ClassifierMixin, PrivateStep):
    """Predicts one of two classes by the sign of a noisy projection."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self.private_fit(X, y)

    def decision_function(self, X):
        check_is_fitted(self)
        return np.asarray(X) @ self.sum_

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


def try_to_spend(accountant, mu):
    """Charge and return whether the ceiling admitted it."""
    try:
        accountant.spend(mu=mu)
    except BudgetExceededError:
        return False
    return True
