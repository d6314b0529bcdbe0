import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skprivacy import PrivacyAccountant
from skprivacy.attacks import ShadowModels, model_signals
from skprivacy.attacks._shadow import random_halves, seeded_clone, without_accountants
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.preprocessing import DPStandardScaler

X, Y = load_iris(return_X_y=True)


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers, in what it answers, which rows it was fitted on: rows are their numbers."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.rows_ = np.asarray(X)[:, 0]
        return self

    def predict_proba(self, X):
        own = np.where(np.isin(np.asarray(X)[:, 0], self.rows_), 0.9, 0.2)
        return np.stack([own, 1 - own], axis=1)


def test_inside_is_what_the_models_were_fitted_on():
    rows = np.arange(42.0)[:, np.newaxis]
    y = np.r_[np.zeros(40), 1, 1]
    shadows = ShadowModels(Recorder(), n_models=6, random_state=0).fit(rows, y)
    confidence = np.where(shadows.inside_, 0.9, 0.2)
    confidence[:, 40:] = 1 - confidence[:, 40:]
    np.testing.assert_allclose(shadows.confidence_, confidence)
    np.testing.assert_array_equal(shadows.correct_[:, :40], shadows.inside_[:, :40])
    assert shadows.n_saturated_.sum() == 0


def test_two_models_share_a_split_and_every_row_is_in_half_of_them():
    shadows = ShadowModels(GaussianNB(), n_models=6, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(shadows.inside_.sum(axis=1), 75)
    np.testing.assert_array_equal(shadows.inside_.sum(axis=0), 3)
    np.testing.assert_array_equal(shadows.inside_[::2], ~shadows.inside_[1::2])
    np.testing.assert_array_equal(shadows.partner_, [1, 0, 3, 2, 5, 4])


def test_an_odd_last_model_has_no_partner():
    shadows = ShadowModels(GaussianNB(), n_models=3, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(shadows.partner_, [1, 0, -1])
    assert shadows.inside_[2].sum() == 75


def test_fewer_rows_than_half_stay_disjoint_and_spread_over_the_classes():
    shadows = ShadowModels(GaussianNB(), n_models=4, n_inside=30, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(shadows.inside_.sum(axis=1), 30)
    assert not (shadows.inside_[::2] & shadows.inside_[1::2]).any()
    for inside in shadows.inside_:
        np.testing.assert_array_equal(np.bincount(Y[inside]), 10)


def test_a_class_of_two_rows_is_in_both_halves():
    y = np.repeat(["a", "b", "c"], [31, 2, 8])
    for seed in range(20):
        inside = random_halves(2, 20, np.random.RandomState(seed), y, y.size)
        assert set(y[inside[0]]) == set(y[inside[1]]) == {"a", "b", "c"}


def test_each_row_is_inside_as_often_whatever_its_place():
    inside = random_halves(2000, 5, np.random.RandomState(0), np.repeat([0, 1], [3, 7]), 10)
    # Halves of 10 rows: inside with probability 1/2, standard deviation .011 of 2000.
    np.testing.assert_allclose(inside.mean(axis=0), 0.5, atol=0.05)
    together = (inside[:, 3] & inside[:, 4]).mean()
    assert together == pytest.approx(3 / 7 / 2, abs=0.05)  # 7 dealt as 4 and 3


def test_signals_are_those_of_a_model_fitted_on_the_inside():
    shadows = ShadowModels(GaussianNB(), n_models=2, random_state=0).fit(X, Y)
    inside = shadows.inside_[1]
    signals = model_signals(GaussianNB().fit(X[inside], Y[inside]), X, Y)
    np.testing.assert_allclose(shadows.statistic_[1], signals.statistic)


def test_a_population_is_asked_about_and_never_fitted_on():
    shadows = ShadowModels(Recorder(), n_models=4, random_state=0).fit(
        np.arange(20.0)[:, None],
        np.r_[np.zeros(19), 1],
        X_population=np.arange(100.0, 107)[:, None],
        y_population=np.zeros(7),
    )
    assert shadows.statistic_.shape == (4, 20)
    np.testing.assert_allclose(shadows.population_confidence_, np.full((4, 7), 0.2))


def test_a_probe_is_asked_of_each_model():
    shadows = ShadowModels(Recorder(), n_models=4, random_state=0).fit(
        np.arange(20.0)[:, None],
        np.r_[np.zeros(19), 1],
        probe=lambda model: np.isin(np.arange(20.0), model.rows_).astype(float),
    )
    np.testing.assert_array_equal(shadows.probe_, shadows.inside_)


def test_models_are_the_same_in_worker_processes_and_stay_in_order():
    forest = DecisionTreeClassifier(max_features=1)
    one = ShadowModels(forest, n_models=4, random_state=0).fit(X, Y)
    two = ShadowModels(forest, n_models=4, random_state=0, n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(one.statistic_, two.statistic_)
    assert (one.statistic_[0] != one.statistic_[1]).any()


def test_seeds_are_set_wherever_there_is_one_and_nowhere_else():
    nested = make_pipeline(StandardScaler(), BaggingClassifier(SGDClassifier(), random_state=3))
    seeded = seeded_clone(*without_accountants(nested), 0)
    bagging = seeded[-1]
    assert bagging.random_state not in {None, 3}
    assert bagging.estimator.random_state not in {None, bagging.random_state}
    assert nested[-1].random_state == 3
    assert seeded_clone(*without_accountants(nested), 0)[-1].random_state == bagging.random_state
    assert isinstance(seeded_clone(*without_accountants(GaussianNB()), 0), GaussianNB)


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_shadow_models_charge_nothing_and_keep_the_adjacency(tmp_path, adjacency, n_jobs):
    accountant = PrivacyAccountant(
        epsilon=1.0, path=tmp_path / "patients.ledger", adjacency=adjacency
    )
    scaler, learner = DPStandardScaler(bounds=(0, 8)), DPLogisticRegression(bounds=(-3, 3))
    model = accountant.bind(make_pipeline(scaler, learner))
    ShadowModels(model, n_models=4, random_state=0, n_jobs=n_jobs).fit(X[:100], Y[:100])
    assert len(accountant.entries) == 0
    assert model[-1].accountant is accountant
    shadow = seeded_clone(*without_accountants(model), 0)
    assert shadow[-1].accountant is not accountant
    assert shadow[0].accountant is shadow[-1].accountant
    assert shadow[-1].accountant.adjacency == adjacency
    assert shadow[-1].accountant.path != accountant.path


def table(kind):
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["city"] = pd.Categorical(np.where(np.arange(150) % 3, "Bern", "Basel"))
    return pl.from_pandas(frame.astype({"city": str})) if kind == "polars" else frame


def as_numbers(frame):
    city = np.asarray(frame["city"]) == "Bern"
    return np.column_stack([city, *(np.asarray(frame[name]) for name in "abcd")])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_data_frames_keep_their_text(kind):
    encode = FunctionTransformer(as_numbers)
    shadows = ShadowModels(make_pipeline(encode, GaussianNB()), n_models=2, random_state=0)
    frame = table(kind)
    shadows.fit(frame, Y, X_population=frame[:10], y_population=Y[:10])
    assert shadows.statistic_.shape == (2, 150)
    assert shadows.population_confidence_.shape == (2, 10)


def test_sparse_rows_stay_sparse():
    class SparseOnly(LogisticRegression):
        def fit(self, X, y):
            assert sparse.issparse(X)
            return super().fit(X, y)

    rows = sparse.csr_array(X)
    sparse_shadows = ShadowModels(SparseOnly(max_iter=1000), n_models=2, random_state=0)
    dense = ShadowModels(LogisticRegression(max_iter=1000), n_models=2, random_state=0).fit(X, Y)
    np.testing.assert_allclose(sparse_shadows.fit(rows, Y).statistic_, dense.statistic_, atol=1e-3)


def test_regressors_have_residuals_and_unstratified_halves():
    shadows = ShadowModels(LinearRegression(), n_models=4, random_state=0).fit(X[:, 1:], X[:, 0])
    assert shadows.is_regression_
    assert shadows.confidence_ is None
    assert shadows.correct_ is None
    np.testing.assert_array_equal(shadows.inside_.sum(axis=1), 75)


def test_progress_is_drawn_if_asked_for(capsys):
    ShadowModels(GaussianNB(), n_models=2, verbose=True).fit(X, Y)
    assert "shadow models [" in capsys.readouterr().err
    ShadowModels(GaussianNB(), n_models=2).fit(X, Y)
    assert capsys.readouterr().err == ""


def test_a_failing_shadow_names_itself():
    class Failing(GaussianNB):
        def fit(self, X, y):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no") as caught:
        ShadowModels(Failing(), n_models=2).fit(X, Y)
    assert caught.value.__notes__ == ["This was shadow model 0, on 75 rows."]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_models": 1}, r"n_models must be an int in the range \[2, inf\). Got 1 instead"),
        ({"n_models": 4.0}, "n_models must be an int"),
        ({"n_inside": 0}, "n_inside must be an int"),
        ({"n_inside": 76}, "n_inside must be at most half of the 150 rows. Got 76"),
        ({"clip": 0.0}, "clip must be a float"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        ShadowModels(GaussianNB(), **parameters).fit(X, Y)


def test_what_is_cloned_must_be_an_estimator():
    with pytest.raises(TypeError, match="estimator instance that can be cloned and fitted"):
        ShadowModels(GaussianNB).fit(X, Y)
