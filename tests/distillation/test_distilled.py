"""Students of private estimators: the teacher's price, and nothing else of the rows."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skprivacy import BudgetExceededError, PrivacyAccountant
from skprivacy.distillation import DistilledClassifier, PublicData
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.plan import Facts
from skprivacy.preprocessing import DPStandardScaler

X, Y = make_classification(1500, 5, n_redundant=0, class_sep=1.5, random_state=0)
PRIVATE, LABELS, POOL, TRUTH = X[:1000], Y[:1000], X[1000:], Y[1000:]


def teacher(**parameters):
    return DPLogisticRegression(**{"epsilon": 3.0, "clipping_norm": 3.0, **parameters})


class Witness(ClassifierMixin, BaseEstimator):
    """A student that keeps what it is shown."""

    def fit(self, X, y):
        self.rows_, self.labels_, self.classes_ = np.array(X), y, np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_the_price_is_the_teachers(adjacency):
    accountant = PrivacyAccountant(adjacency=adjacency)
    private = teacher(accountant=accountant)
    model = DistilledClassifier(private, DecisionTreeClassifier(max_depth=3))
    facts = Facts(adjacency=adjacency, n_features=5, classes=(0, 1))
    assert model.plan(facts).mechanisms == private.plan(facts).mechanisms
    assert model.plan(facts).source == "DistilledClassifier"
    model.fit(PRIVATE, LABELS, X_public=POOL)
    (entry,) = accountant.entries
    assert entry.loss == model.privacy_.loss == private.plan(facts).loss
    assert entry.source == "DPLogisticRegression"
    assert model.privacy_.entry_uid == entry.uid
    assert "The price is that of DPLogisticRegression" in model.privacy_.assumptions[-1]


def test_the_student_sees_public_rows_and_the_teachers_labels():
    model = DistilledClassifier(teacher(), Witness(), random_state=0)
    model.fit(PRIVATE, LABELS, X_public=PublicData(POOL))
    own = teacher(random_state=0).fit(PRIVATE, LABELS)
    assert np.array_equal(model.student_.rows_, POOL)
    assert np.array_equal(model.student_.labels_, own.predict(POOL))


@pytest.mark.parametrize("soft_labels", [False, True])
@pytest.mark.parametrize(
    "student",
    [None, DecisionTreeClassifier(max_depth=4), KNeighborsClassifier()],
    ids=["default", "tree", "neighbours"],
)
def test_any_student_learns(student, soft_labels):
    model = DistilledClassifier(teacher(), student, soft_labels=soft_labels, random_state=0)
    model.fit(PRIVATE, LABELS, X_public=POOL)
    assert model.score(POOL, TRUTH) > 0.85
    assert model.predict_proba(POOL).shape == (500, 2)


def test_its_own_budget_is_set_on_the_teacher():
    accountant = PrivacyAccountant()
    model = DistilledClassifier(
        teacher(), epsilon=0.7, delta=1e-5, accountant=accountant, random_state=0
    )
    model.fit(PRIVATE, LABELS, X_public=POOL)
    assert model.privacy_.epsilon == pytest.approx(0.7, rel=1e-6)
    assert model.privacy_.delta == 1e-5
    assert model.privacy_.reproducible
    assert len(accountant.entries) == 1
    assert model.private_teacher.epsilon == 3.0
    assert model.private_teacher.accountant is None


def test_an_accountant_binds_and_allocates_it():
    accountant = PrivacyAccountant(epsilon=2.0, delta=1e-6)
    model = accountant.allocate(
        make_pipeline(DPStandardScaler(bounds=(-5, 5)), DistilledClassifier(DPLogisticRegression()))
    )
    model.fit(PRIVATE, LABELS)  # rows are drawn inside the scaler's bounds
    assert len(accountant.entries) == 2
    assert accountant.spent.epsilon == pytest.approx(2.0, rel=1e-3)
    with pytest.raises(BudgetExceededError):
        model.fit(PRIVATE, LABELS)


def test_a_failed_fit_leaves_the_one_before():
    accountant = PrivacyAccountant(epsilon=3.0, delta=1e-6)
    model = DistilledClassifier(teacher(accountant=accountant), DecisionTreeClassifier())
    model.fit(PRIVATE, LABELS, X_public=POOL)
    before = model.student_
    with pytest.raises(BudgetExceededError):
        model.fit(PRIVATE[:, :4], LABELS, X_public=POOL[:, :4])
    assert model.student_ is before
    assert model.n_features_in_ == 5


def test_what_is_wrong_is_said_before_anything_is_charged():
    accountant = PrivacyAccountant()
    model = DistilledClassifier(teacher(accountant=accountant))
    with pytest.raises(ValueError, match="needs public rows to label"):
        model.fit(PRIVATE, LABELS)
    with pytest.raises(ValueError, match="X_public is X itself"):
        model.fit(PRIVATE, LABELS, X_public=PRIVATE)
    for student in (LogisticRegression(C=-1), make_pipeline(StandardScaler(), teacher())):
        with pytest.raises(ValueError, match=r"'C' parameter|own charge"):
            model.set_params(student=student).fit(PRIVATE, LABELS, X_public=POOL)
    assert len(accountant.entries) == 0
    with pytest.raises(ValueError, match="must be a private estimator"):
        DistilledClassifier(Plain()).fit(PRIVATE, LABELS, X_public=POOL)


class Plain(LogisticRegression):
    """A classifier with a method plan, and no budget."""

    def plan(self):
        return None
