"""Each contract check catches the estimator that breaks its rule, and passes a good one."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from skprivacy import PrivacyAccountant
from skprivacy.base import DPEstimator
from skprivacy.mechanisms import GaussianSum
from skprivacy.testing import check_dp_estimator


class Good(DPEstimator):
    """Releases a mean vector, as in the documentation of the base class."""

    def fit(self, X, y=None):
        return self._private_fit(X)

    def _mechanisms(self, facts):
        return [GaussianSum(name="sum", share=0.9), GaussianSum(name="count", share=0.1)]

    def _fit(self, X, y, sample_weight, release):
        total = release.sum("sum", X)
        count = release.sum("count", np.ones((X.shape[0], 1)))
        self.mean_ = total / max(float(count[0]), 1.0)


class GoodClassifier(ClassifierMixin, Good):
    def fit(self, X, y, sample_weight=None):
        return self._private_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.classes_ = self._public_classes(y)

    def predict(self, X):
        return self.classes_[(X @ self.mean_ > 0).astype(int)]


class ForkedAccountant(GoodClassifier):
    """Copies its accountant, as peers' estimators do under clone."""

    def __sklearn_clone__(self):
        copied = type(self)(self.epsilon, self.delta, None, self.random_state)
        if self.accountant is not None:
            copied.accountant = PrivacyAccountant(epsilon=1e4, delta=0.5)
        return copied


class Overpriced(Good):
    def plan(self, facts=None):
        return Good(10 * self.epsilon, self.delta).plan(facts)


class Uncharged(Good):
    def fit(self, X, y=None):
        accountant, self.accountant = self.accountant, None
        try:
            return self._private_fit(X)
        finally:
            self.accountant = accountant


class ChargedTwice(Good):
    def fit(self, X, y=None):
        self._private_fit(X)
        return self._private_fit(X)


class PriceFromValues(Good):
    def fit(self, X, y=None):
        epsilon, self.epsilon = self.epsilon, self.epsilon / (1 + np.abs(X).max())
        try:
            return self._private_fit(X)
        finally:
            self.epsilon = epsilon


class SetsBeforeCharge(Good):
    def fit(self, X, y=None):
        self.mean_ = np.zeros(3)
        return self._private_fit(X)


class ChargesBadInput(Good):
    def fit(self, X, y=None):
        if self.accountant is not None:
            self.accountant.spend(self.plan())
        return self._private_fit(X)


class KeepsRows(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._first = X[0].copy()


class KeepsExtreme(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.largest_ = float(X.max())


class CountsRows(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.support_ = np.array([X.shape[0] - 7, 7])


class HasLabels(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.inertia_ = self.mean_.sum()


class NoNoise(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = np.round(X.mean(axis=0) * 7, 3) / 7


class IgnoresSeed(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = self.mean_ + np.random.default_rng().normal(size=3)


class OwnAdjacency(Good):
    def _adjacency(self):
        return "add-remove"


class WritesParameters(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.delta = 1e-7


class TypeOfRows(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = self.mean_.astype(X.dtype)


class UnclippedWeights(GoodClassifier):
    def __init__(
        self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, *, max_weight=1.0
    ):
        super().__init__(epsilon, delta, accountant, random_state)
        self.max_weight = max_weight

    def _fit(self, X, y, sample_weight, release):
        weights = np.ones(len(X)) if sample_weight is None else sample_weight / 1e4
        super()._fit(X * weights[:, np.newaxis], y, None, release)


class Undeclared(Good):
    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        release.noise_scales["a second look"] = 1.0


BROKEN = {
    ForkedAccountant: "check_accountant_in_search",
    Overpriced: "check_budget_is_kept",
    Uncharged: "check_fit_charges_once",
    ChargedTwice: "check_fit_charges_once",
    PriceFromValues: "check_price_is_public",
    SetsBeforeCharge: "check_charge_comes_first",
    ChargesBadInput: "check_invalid_data_charges_nothing",
    KeepsRows: "check_no_rows_are_kept",
    KeepsExtreme: "check_no_rows_are_kept",
    CountsRows: "check_row_count_is_private",
    HasLabels: "check_no_row_attributes",
    NoNoise: "check_attributes_are_releases",
    IgnoresSeed: "check_random_state",
    OwnAdjacency: "check_adjacency_is_the_accountants",
    WritesParameters: "check_parameters_survive_fit",
    TypeOfRows: "check_types_are_fixed",
    UnclippedWeights: "check_weights_are_clipped",
    Undeclared: "check_receipt",
}


@pytest.mark.parametrize("estimator", [Good(), GoodClassifier()], ids=["transformer", "classifier"])
def test_a_good_estimator_passes(estimator):
    results = check_dp_estimator(estimator)
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    assert len(results) >= 15


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_rule_is_caught(broken):
    failed = {
        result["check_name"]
        for result in check_dp_estimator(broken(), on_fail=None)
        if result["status"] == "failed"
    }
    assert BROKEN[broken] in failed


def test_the_first_broken_rule_is_raised():
    with pytest.raises(AssertionError):
        check_dp_estimator(KeepsRows())


def test_an_estimator_without_privacy_is_no_private_estimator():
    class Plain(BaseEstimator):
        def fit(self, X, y=None):
            return self

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it lacks first
        check_dp_estimator(Plain())
