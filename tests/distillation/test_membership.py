"""Distillation without a guarantee, and soft labels for all kinds of students."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skprivacy import BudgetExceededError, PrivacyAccountant
from skprivacy.distillation import MembershipDistiller, PATEClassifier
from skprivacy.distillation._soft import apportioned, fit_soft_student, soften, weight_keyword

X, Y = make_classification(1500, 5, n_redundant=0, class_sep=1.5, random_state=0)
ROWS, LABELS, POOL, TRUTH = X[:1000], Y[:1000], X[1000:], Y[1000:]
LINEAR = LogisticRegression()


class Witness(ClassifierMixin, BaseEstimator):
    """A student that keeps what it is shown."""

    def fit(self, X, y, sample_weight=None):
        self.rows_, self.labels_, self.weights_ = np.array(X), y, sample_weight
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Unweighted(Witness):
    def fit(self, X, y):
        return super().fit(X, y)


class Outputs(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.outputs_ = y
        return self

    def predict(self, X):
        return self.outputs_[: len(X)]


# The price


def test_the_price_is_infinite_and_a_ceiling_refuses_it():
    accountant = PrivacyAccountant()
    model = MembershipDistiller(LINEAR, LINEAR, accountant=accountant)
    model.fit(ROWS, LABELS, X_public=POOL)
    assert model.privacy_.epsilon == math.inf == accountant.entries[0].loss.mu
    assert model.plan().loss.mu == math.inf
    assert "none (epsilon is infinite)" in str(model.privacy_)
    model.set_params(accountant=PrivacyAccountant(epsilon=10.0, delta=1e-6))
    with pytest.raises(BudgetExceededError):
        model.fit(ROWS, LABELS, X_public=POOL)
    with pytest.raises(ValueError, match="'epsilon' parameter"):
        model.set_params(epsilon=1.0).fit(ROWS, LABELS, X_public=POOL)


# Who sees what


def test_the_student_sees_public_rows_and_soft_labels_alone():
    model = MembershipDistiller(LINEAR, Witness(), temperature=2.0)
    model.fit(ROWS, LABELS, X_public=POOL)
    student = model.student_
    probabilities = soften(LINEAR.fit(ROWS, LABELS).predict_proba(POOL), 2.0)
    assert student.weights_ == pytest.approx(probabilities.ravel())
    assert np.array_equal(student.rows_, np.repeat(POOL, 2, axis=0))
    assert np.array_equal(student.labels_, np.tile([0, 1], 500))
    assert not any(value is student for value in vars(model.teacher).values())


def test_private_teachers_are_refused_and_rows_are_drawn_inside_bounds():
    with pytest.raises(ValueError, match="own charge"):
        MembershipDistiller(PATEClassifier()).fit(ROWS, LABELS, X_public=POOL)
    with pytest.raises(ValueError, match="needs public rows"):
        MembershipDistiller(LINEAR).fit(ROWS, LABELS)
    model = MembershipDistiller(LINEAR, Witness(), bounds=(-1, 2)).fit(ROWS, LABELS)
    assert model.student_.rows_.shape == (2000, 5)
    assert -1 <= model.student_.rows_.min() < -0.9
    assert 1.9 < model.student_.rows_.max() <= 2


def test_default_teacher_and_student():
    model = MembershipDistiller(random_state=0).fit(ROWS, LABELS, X_public=POOL)
    assert model.score(POOL, TRUTH) > 0.85


@pytest.mark.parametrize(
    "student",
    [DecisionTreeClassifier(max_depth=4), KNeighborsClassifier(), RandomForestRegressor(10)],
    ids=["weights", "copies", "regressor"],
)
def test_any_student_learns(student):
    model = MembershipDistiller(LINEAR, student, random_state=0)
    model.set_params(classes=["0", "1", "2"])
    model.fit(ROWS, LABELS.astype(str), X_public=POOL)
    assert model.score(POOL, TRUTH.astype(str)) > 0.85
    probabilities = model.predict_proba(POOL)
    assert probabilities.shape == (500, 3)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities[:, 2].max() < 0.01


# Soft labels


def test_temperature():
    p = np.array([[0.8, 0.2], [1.0, 0.0]])
    assert soften(p, 1.0) == pytest.approx(p)
    assert soften(p, 0.5)[0] == pytest.approx([0.64 / 0.68, 0.04 / 0.68])
    assert soften(p, 1e9) == pytest.approx(0.5 * np.ones((2, 2)), abs=1e-5)
    assert np.isfinite(soften(p, 1e-3)).all()


def test_students_without_weights_get_ten_copies():
    p = np.array([[0.72, 0.28], [0.0, 1.0]])
    student = fit_soft_student(Unweighted(), POOL[:2], p, np.array(["a", "b"]), 0)
    assert student.labels_.tolist() == ["a"] * 7 + ["b"] * 3 + ["b"] * 10
    assert np.array_equal(student.rows_, np.repeat(POOL[:2], 10, axis=0))


def test_regressors_get_the_probabilities():
    p = np.array([[0.7, 0.3], [0.0, 1.0]])
    assert fit_soft_student(Outputs(), POOL[:2], p, np.array([0, 1]), 0).outputs_ is p


def test_one_class_makes_a_constant_student():
    p = np.array([[1.0, 0.0]] * 4)
    student = fit_soft_student(LINEAR, POOL[:4], p, np.array([0, 1]), 0)
    assert student.predict(POOL).tolist() == [0] * 500


def test_weights_reach_the_last_step_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    assert weight_keyword(pipeline) == "logisticregression__sample_weight"
    assert weight_keyword(make_pipeline(StandardScaler(), KNeighborsClassifier())) is None
    assert weight_keyword(LINEAR) == "sample_weight"
    with config_context(enable_metadata_routing=True):
        assert weight_keyword(pipeline) is None
        model = MembershipDistiller(LINEAR, pipeline).fit(ROWS, LABELS, X_public=POOL)
    assert model.score(POOL, TRUTH) > 0.85


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(lambda p: sum(p) > 0))
def test_copies_are_in_proportion(p):
    probabilities = np.array([p]) / sum(p)
    copies = apportioned(probabilities, 10)
    assert copies.sum() == 10
    assert np.abs(copies - 10 * probabilities).max() <= 1 + 1e-9
