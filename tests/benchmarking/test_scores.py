import math

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.svm import LinearSVC

from skprivacy.benchmarking._scores import score


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) * [3.0, 1.0, 0.5]
    return X, (X[:, 0] > 1).astype(int) + (X[:, 0] > -2)


def test_several_classes_are_scored_one_against_the_rest(rows):
    X, y = rows
    model = LogisticRegression().fit(X, y)
    found = score(model, X, y, "classification", (0, 1, 2))
    expected = roc_auc_score(y, model.predict_proba(X), multi_class="ovr")
    assert found["auc"] == pytest.approx(expected)
    assert found["accuracy"] == model.score(X, y)
    assert set(found) == {"auc", "accuracy", "log_loss"}


def test_a_model_without_probabilities_is_scored_by_its_margins(rows):
    X, y = rows
    for labels, classes in ((y, (0, 1, 2)), (np.minimum(y, 1), (0, 1))):
        model = LinearSVC().fit(X, labels)
        found = score(model, X, labels, "classification", classes)
        assert set(found) == {"auc", "accuracy"}
        assert found["accuracy"] == model.score(X, labels)
        assert found["auc"] > 0.7
    flipped = score(LinearSVC().fit(X, 1 - labels), X, labels, "classification", classes)
    assert flipped["auc"] < 0.1


def test_a_regressor_has_r2(rows):
    X, _ = rows
    model = Ridge().fit(X, X[:, 1])
    assert score(model, X, X[:, 1], "regression") == {"r2": model.score(X, X[:, 1])}


def test_each_unsupervised_model_has_the_score_of_its_kind(rows):
    X, y = rows
    kmeans = KMeans(3, n_init=1, random_state=0).fit(X)
    assert score(kmeans, X, y, "unsupervised") == {
        "inertia": pytest.approx(kmeans.inertia_ / len(X))
    }
    components = PCA(2).fit(X)
    assert score(components, X, y, "unsupervised") == {
        "captured_variance": pytest.approx(components.explained_variance_ratio_.sum())
    }
    exact = EmpiricalCovariance().fit(X)
    assert score(exact, X, y, "unsupervised")["covariance_error"] == pytest.approx(0, abs=1e-12)
    exact.covariance_ = 2 * exact.covariance_
    assert math.isclose(score(exact, X, y, "unsupervised")["covariance_error"], 1)
