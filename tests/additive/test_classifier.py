"""The additive classifier: learns from mixed tables, keeps to its facts, explains itself."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from skprivacy import PrivacyAccountant
from skprivacy.additive import DPAdditiveClassifier
from skprivacy.datasets import load_adult
from skprivacy.preprocessing import DPMinMaxScaler


@pytest.fixture(scope="module")
def adult():
    return load_adult()


def halves(bunch):
    X, y = bunch.data, bunch.target
    return X[::2], X[1::2], y[::2], y[1::2]


def mixed(n_rows=4000, seed=0):
    """Numbers with gaps, text with gaps, and a target that needs all of it."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_rows)
    kind = rng.choice(["a", "b", "c"], n_rows)
    score = 2 * np.abs(size) - 2 + np.where(kind == "b", 2.0, -0.5)
    gaps = rng.uniform(size=n_rows) < 0.2
    score[gaps] = 3.0  # that a value is missing says something
    y = (rng.uniform(size=n_rows) < 1 / (1 + np.exp(-score))).astype(int)
    frame = pd.DataFrame({"size": np.where(gaps, np.nan, size), "kind": kind.astype(object)})
    return frame, y


FACTS = {"bounds": {"size": (-4, 4)}, "categories": {"kind": ["a", "b", "c"]}}


def test_adult_at_epsilon_1(adult):
    X, held_out, y, truth = halves(adult)
    model = DPAdditiveClassifier(
        1.0, bounds=adult.bounds, categories=adult.categories, random_state=0
    ).fit(X, y)
    assert roc_auc_score(truth == ">50K", model.predict_proba(held_out)[:, 1]) > 0.895
    assert model.privacy_.epsilon == pytest.approx(1.0, abs=1e-6)


def test_numbers_text_and_gaps_are_learned_from():
    X, y = mixed()
    later, truth = mixed(seed=1)
    model = DPAdditiveClassifier(4.0, random_state=0, **FACTS).fit(X, y)
    scores = model.decision_function(later)
    assert roc_auc_score(truth, scores) > 0.80
    assert scores[later["size"].isna()].mean() > scores[~later["size"].isna()].mean() + 1


def test_arrays_and_frames_give_the_same_model():
    X, y = mixed(1000)
    tables = [
        (X, FACTS),
        (pl.from_pandas(X), FACTS),
        (X.astype({"kind": "category"}), FACTS),
        (X.to_numpy(dtype=object), {"bounds": {0: (-4, 4)}, "categories": {1: ["a", "b", "c"]}}),
    ]
    scores = [
        DPAdditiveClassifier(random_state=0, **facts).fit(table, y).decision_function(table)
        for table, facts in tables
    ]
    for other in scores[1:]:
        np.testing.assert_array_equal(scores[0], other)


def test_what_is_not_declared_is_named_as_an_assumption():
    X, y = mixed(500)
    model = DPAdditiveClassifier(bounds={"size": (-4, 4)}).fit(X, y)
    assert any(
        "values of columns whose categories are not" in a for a in model.privacy_.assumptions
    )
    assert model.categories_[1].tolist() == ["a", "b", "c"]
    assert any("class labels were taken" in a for a in model.privacy_.assumptions)


def test_unknown_values_and_other_types_are_predicted():
    X, y = mixed(500)
    model = DPAdditiveClassifier(**FACTS).fit(X, y)
    strange = pd.DataFrame({"size": [1e300, np.nan, -1e9], "kind": ["z", None, 3]})
    assert np.isfinite(model.decision_function(strange)).all()


def test_private_bounds_cost_and_serve():
    rng = np.random.default_rng(0)
    X = rng.normal(50, 3, size=(5000, 2))
    y = (X[:, 0] > 50).astype(int)
    model = DPAdditiveClassifier(2.0, random_state=0).fit(X, y)
    assert roc_auc_score(y, model.decision_function(X)) > 0.95
    low, high = model.bounds_
    assert (low > 0).all()
    assert (high < 130).all()
    names = [m["name"] for m in model.privacy_.mechanisms]
    assert len(names) == 5
    assert len(DPAdditiveClassifier(bounds=(0, 1)).plan().mechanisms) == 3


def test_a_private_scaler_before_it_hands_its_bounds_on():
    rng = np.random.default_rng(0)
    X = rng.normal(50, 3, size=(3000, 2))
    y = (X[:, 0] > 50).astype(int)
    model = make_pipeline(DPMinMaxScaler(), DPAdditiveClassifier()).fit(X, y)
    receipt = model[-1].privacy_
    assert len(receipt.mechanisms) == 3
    assert any("released by the previous step" in text for text in receipt.assumptions)


def test_bounds_a_hundred_times_too_wide():
    """Denoised counts find where the rows are."""
    rng = np.random.default_rng(0)
    X = rng.uniform(19, 21, size=(3000, 5))
    y = (X[:, 0] + X[:, 1] / 2 > 30).astype(int)
    model = DPAdditiveClassifier(1.0, bounds=(-100, 100), random_state=0).fit(X, y)
    assert roc_auc_score(y, model.decision_function(X)) > 0.9


def test_pure_interactions_are_found():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(20_000, 6))
    y = (X[:, 1] * X[:, 4] > 0).astype(int)
    model = DPAdditiveClassifier(0.5, bounds=(-1, 1), random_state=0).fit(X, y)
    assert roc_auc_score(y, model.decision_function(X)) > 0.95
    first = model.explain_global()[6]
    assert set(first.columns) == {1, 4}
    assert set(np.argsort(model.feature_importances_)[-2:]) == {1, 4}
    alone = clone(model).set_params(interactions=0).fit(X, y)
    assert alone.n_pairs_ == 0
    assert len(alone.explain_global()) == 6
    limited = clone(model).set_params(interactions=1).fit(X, y)
    assert limited.n_pairs_ == 1


def test_noise_makes_no_pairs():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(20_000, 6))
    y = (rng.uniform(size=20_000) < 1 / (1 + np.exp(-3 * X[:, 0] - np.abs(X[:, 1])))).astype(int)
    model = DPAdditiveClassifier(1.0, bounds=(-1, 1), random_state=0).fit(X, y)
    assert model.n_pairs_ <= 1


def test_several_classes():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(6000, 3))
    y = np.array(["low", "middle", "top", "high"])[np.digitize(X[:, 0], [-0.5, 0.0, 0.5])]
    model = DPAdditiveClassifier(4.0, bounds=(-1, 1), random_state=0).fit(X, y)
    assert accuracy_score(y, model.predict(X)) > 0.85
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (6000, 4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert model.explain_global()[0].values.shape[-1] == 4
    assert model.intercept_.shape == (4,)


def test_weights_count():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.uniform(-1, 1, size=(4000, 1)), 2, axis=0)
    y = np.tile([0, 1], 4000)
    weights = np.where(y == 1, 1.0, np.where(X[:, 0] > 0, 0.1, 1.0))
    model = DPAdditiveClassifier(4.0, bounds=(-1, 1), random_state=0).fit(X, y, weights)
    positive, negative = model.predict_proba([[0.5], [-0.5]])[:, 1]
    assert positive > 0.8
    assert abs(negative - 0.5) < 0.15


def test_many_copies_of_a_column_do_no_harm():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(20_000, 1))
    y = (rng.uniform(size=20_000) < 1 / (1 + np.exp(-4 * x[:, 0]))).astype(int)
    X = np.repeat(x, 30, axis=1)
    for epsilon in (1.0, 8.0):
        model = DPAdditiveClassifier(epsilon, bounds=(-1, 1), random_state=0).fit(X, y)
        p = model.predict_proba(X)[:, 1]
        truth = 1 / (1 + np.exp(-4 * x[:, 0]))
        excess = truth * np.log(truth / p) + (1 - truth) * np.log((1 - truth) / (1 - p))
        assert excess.mean() < (0.1 if epsilon == 1 else 0.2)


def small(kind, seed):
    """A few hundred rows: 30 columns of three factors, or a target that is linear in 3 of 10."""
    rng = np.random.default_rng(seed)
    if kind == "factors":
        z = rng.normal(size=(2500, 3))
        X = np.clip(0.5 * z @ rng.normal(size=(3, 30)) + 0.7 * rng.normal(size=(2500, 30)), -4, 4)
        X, score = X / 4, 2 * z[:, 0] + z[:, 1]
    else:
        X = rng.uniform(-1, 1, size=(2500, 10))
        score = 3 * X[:, :3].sum(axis=1)
    y = (rng.uniform(size=2500) < 1 / (1 + np.exp(-score))).astype(int)
    return X[:500], X[500:], y[:500], y[500:]


@pytest.mark.parametrize(("kind", "least"), [("factors", 0.73), ("linear", 0.77)])
def test_500_rows_teach_something(kind, least):
    """Where counts are lost in noise, bins follow the public bounds."""
    scores = []
    for seed in range(8):
        X, held_out, y, truth = small(kind, seed)
        model = DPAdditiveClassifier(0.7, bounds=(-1, 1), random_state=seed).fit(X, y)
        scores.append(roc_auc_score(truth, model.decision_function(held_out)))
    assert np.mean(scores) > least


def test_ordered_categories_share_evidence():
    """Thirty levels of which the logit is a line: neighbours speak for each other."""
    levels = [f"{level:02d}" for level in range(30)]
    scores = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        level = rng.integers(0, 30, size=6000)
        frame = pd.DataFrame({"level": np.array(levels, dtype=object)[level]})
        y = (rng.uniform(size=6000) < 1 / (1 + np.exp(4 - level / 10))).astype(int)
        model = DPAdditiveClassifier(0.3, categories={"level": levels}, random_state=seed)
        model.set_params(bounds={}).fit(frame[:2000], y[:2000])
        scores.append(roc_auc_score(y[2000:], model.decision_function(frame[2000:])))
    assert np.mean(scores) > 0.62


def test_few_rows_and_columns():
    X, y = np.array([[0.0], [1.0], [np.nan]]), np.array([0, 1, 1])
    for parameters in ({}, {"bounds": (0, 1)}, {"bounds": (0, 1), "interactions": 5}):
        model = DPAdditiveClassifier(**parameters).fit(X, y)
        assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("epsilon", [1e-9, 1e-3, 1e3, 1e7])
def test_any_budget_can_be_spent(epsilon):
    X, y = mixed(300)
    model = DPAdditiveClassifier(epsilon, random_state=0, **FACTS).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.privacy_.epsilon <= epsilon


def test_pure_privacy_is_refused_with_a_reason():
    X, y = mixed(50)
    with pytest.raises(ValueError, match="delta above 0"):
        DPAdditiveClassifier(delta=0, **FACTS).fit(X, y)


def test_no_rows_in_the_pickle():
    X, y = mixed(5000)
    large = DPAdditiveClassifier(random_state=0, **FACTS).fit(X, y)
    data = pickle.dumps(large)
    small = DPAdditiveClassifier(random_state=0, **FACTS).fit(X[:500], y[:500])
    assert abs(len(data) - len(pickle.dumps(small))) < 500  # as large for ten times the rows
    assert X["size"].to_numpy()[0].tobytes() not in data
    np.testing.assert_array_equal(
        pickle.loads(data).decision_function(X), large.decision_function(X)
    )


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"bounds": {"size": (1, 1)}}, "low < high"),
        ({"bounds": {}}, r"no bounds for the numeric columns \['size'\]"),
        ({"bounds": {"length": (0, 1)}}, "names a column 'length'"),
        ({"bounds": (0,)}, "must be a pair"),
        ({"categories": {"other": [1]}}, "names a column 'other'"),
        ({"interactions": -1}, "interactions"),
        ({"max_weight": 0}, "max_weight"),
    ],
)
def test_wrong_parameters_charge_nothing(parameters, match):
    X, y = mixed(50)
    accountant = PrivacyAccountant()
    model = DPAdditiveClassifier(accountant=accountant, **parameters)
    with pytest.raises(ValueError, match=match):
        model.fit(X, y)
    assert len(accountant.entries) == 0
    assert not hasattr(model, "classes_")


def test_works_as_a_part(adult):
    X, _, y, _ = halves(adult)
    X, y = X[:2000], y[:2000]
    chosen = ["age", "education_num", "sex"]
    accountant = PrivacyAccountant()
    base = DPAdditiveClassifier(
        accountant=accountant,
        bounds={"age": (17, 90), "education_num": (1, 16)},
        categories={"sex": ["Female", "Male"]},
    )
    columns = ColumnTransformer([("all", "passthrough", chosen)], verbose_feature_names_out=False)
    make_pipeline(columns.set_output(transform="pandas"), base).fit(X, y).predict(X)
    assert len(accountant.entries) == 1
    CalibratedClassifierCV(base, cv=2).fit(X[chosen], y).predict_proba(X[chosen])
    assert len(accountant.entries) in {2, 3}  # one for each fold; scikit-learn may refit
    before = len(accountant.entries)
    numbers = X[["age", "education_num"]].to_numpy(dtype=float)
    one_vs_rest = OneVsRestClassifier(
        DPAdditiveClassifier(accountant=accountant, bounds=([17, 1], [90, 16]))
    )
    one_vs_rest.fit(numbers, y).predict(numbers)
    assert len(accountant.entries) > before
