"""Private support vector classification: results, and what it shares with its siblings."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import roc_auc_score
from sklearn.svm import LinearSVC

from skprivacy import PrivacyAccountant
from skprivacy.linear_model import DPLinearSVC
from skprivacy.plan import Facts


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 4)) * [1, 5, 0.2, 1] + [0, 20, 1, 0]
    logits = 2 * (X - [0, 20, 1, 0]) @ [1.0, -0.3, 4.0, 0.0] - 0.5
    return X, (rng.random(4000) < expit(logits)).astype(int), logits


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_ranks_nearly_as_well_as_the_true_model(rows, adjacency):
    X, y, logits = rows
    accountant = PrivacyAccountant(epsilon=2.0, adjacency=adjacency)
    model = DPLinearSVC(2.0, random_state=0, accountant=accountant).fit(X, y)
    assert roc_auc_score(y, model.decision_function(X)) > roc_auc_score(y, logits) - 0.02
    assert model.privacy_.epsilon == pytest.approx(2.0, rel=1e-6)
    assert model.privacy_.loss.delta == 0


def test_large_epsilon_approaches_scikit_learn(rows):
    X, y, _ = rows
    low, high = X.min(axis=0), X.max(axis=0)
    model = DPLinearSVC(30.0, bounds=(low, high), random_state=0).fit(X, y)
    scaled = (X - (low + high) / 2) / (high - low)
    twin = LinearSVC(C=100.0, loss="hinge", max_iter=100_000, random_state=0).fit(scaled, y)
    assert model.score(X, y) > twin.score(scaled, y) - 0.01
    agree = model.predict(X) == twin.predict(scaled)
    assert agree.mean() > 0.95


def test_several_classes_are_one_against_the_rest():
    X, y = load_iris(return_X_y=True)
    model = DPLinearSVC(10.0, bounds=(0, 8), random_state=0).fit(X, y)
    assert model.coef_.shape == (3, 4)
    assert model.decision_function(X).shape == (150, 3)
    assert model.score(X, y) > 0.7
    names = [m.name for m in DPLinearSVC().plan(Facts(classes=(0, 1, 2))).mechanisms]
    assert sum("against the rest" in name for name in names) == 3


def test_better_than_chance_at_small_epsilon():
    X, y = load_breast_cancer(return_X_y=True)
    scores = [
        DPLinearSVC(0.3, bounds=(0, X.max(axis=0)), random_state=seed).fit(X, y).score(X, y)
        for seed in range(10)
    ]
    assert np.mean(scores) > 0.75


def test_without_intercept(rows):
    X, y, _ = rows
    model = DPLinearSVC(4.0, fit_intercept=False, random_state=0).fit(X, y)
    assert (model.intercept_ == 0).all()
    assert not hasattr(model, "n_iter_")


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_sparse_rows(kind):
    rng = np.random.default_rng(0)
    X = rng.random((3000, 40)) * (rng.random((3000, 40)) < 0.1)
    y = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
    parameters = {"clipping_norm": 2.0, "random_state": 0, "epsilon": 4.0}
    sparse = DPLinearSVC(**parameters).fit(kind(X), y)
    dense = DPLinearSVC(**parameters).fit(X, y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-3 * np.abs(dense.coef_).max())
    np.testing.assert_allclose(
        sparse.decision_function(kind(X)), sparse.decision_function(X), atol=1e-9
    )
    found = DPLinearSVC(4.0, random_state=0).fit(kind(X), y)
    assert found.score(kind(X), y) > 0.6
    assert len(pickle.dumps(sparse)) < 10_000
