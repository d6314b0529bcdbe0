"""Private logistic regression: results, parameters, bounds, and what does not leave a fit."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skprivacy import PrivacyAccountant
from skprivacy.datasets import load_adult
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.linear_model import _problem as module
from skprivacy.optimize import _rows
from skprivacy.plan import Facts
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler

ADJACENCIES = ["add-remove", "replace-one"]


@pytest.fixture(scope="module")
def rows():
    """Five thousand rows of five columns with different scales and a known model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 5)) * [1, 10, 0.1, 1, 1] + [0, 50, 1, 0, -3]
    true = np.array([1.0, -0.15, 10.0, 0.0, 0.5])
    logits = X @ true - np.array([0, 50, 1, 0, -3]) @ true - 0.5
    return X, (rng.random(5000) < expit(logits)).astype(int), logits


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"bounds": ([-5, 0, 0.4, -5, -8], [5, 100, 1.6, 5, 2])}],
    ids=["private bounds", "public bounds"],
)
def test_ranks_nearly_as_well_as_the_true_model(rows, epsilon, parameters):
    X, y, logits = rows
    model = DPLogisticRegression(epsilon, random_state=0, **parameters).fit(X, y)
    assert roc_auc_score(y, model.decision_function(X)) > roc_auc_score(y, logits) - 0.02


def test_large_epsilon_approaches_scikit_learn(rows):
    X, y, _ = rows
    low, high = X.min(axis=0), X.max(axis=0)
    model = DPLogisticRegression(30.0, bounds=(low, high), random_state=0).fit(X, y)
    twin = LogisticRegression(C=1e3, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), twin.coef_ * X.std(axis=0), atol=0.15)
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(X), atol=0.08)


@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_charges_what_it_promises(rows, adjacency):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6, adjacency=adjacency)
    model = DPLogisticRegression(accountant=accountant).fit(X, y)
    assert model.privacy_.epsilon == pytest.approx(1.0, rel=1e-6)
    assert model.privacy_.adjacency == adjacency
    (entry,) = accountant.entries
    assert entry.mu == model.privacy_.mu


def test_adult_pipeline_from_raw_columns():
    adult = load_adult(as_frame=True)
    columns = ["age", "education-num", "hours-per-week"]
    columns = [c for c in adult.data.columns if c.replace("_", "-") in columns]
    X, y = adult.data[columns], adult.target
    model = make_pipeline(
        DPStandardScaler(0.3, random_state=0), DPLogisticRegression(0.7, random_state=0)
    )
    scores = cross_val_score(model, X, y, scoring="roc_auc", cv=3)
    twin = cross_val_score(LogisticRegression(), X, y, scoring="roc_auc", cv=3)
    assert scores.mean() > twin.mean() - 0.02


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize(("load", "least"), [(load_iris, 0.75), (load_digits, 0.85)])
def test_several_classes(load, least, adjacency):
    X, y = load(return_X_y=True)
    names = np.array([f"class {label}" for label in y])
    accountant = PrivacyAccountant(epsilon=20.0, adjacency=adjacency)
    model = DPLogisticRegression(
        20.0 if adjacency == "replace-one" else 8.0,
        bounds=(0, 16 if X.max() > 10 else 8),
        random_state=0,
        accountant=accountant,
    )
    model.fit(X, names)
    n_classes = len(np.unique(y))
    assert model.score(X, names) > least
    assert model.coef_.shape == (n_classes, X.shape[1])
    assert model.intercept_.shape == (n_classes,)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(X)).all()
    solved = [m for m in model.privacy_.mechanisms if "coefficients" in m["name"]]
    assert len(solved) == 1
    assert model.privacy_.epsilon == pytest.approx(model.epsilon, rel=1e-6)
    assert model.privacy_.loss.delta <= model.delta / 100 * (1 + 1e-9)


def test_declared_classes(rows):
    X, y, _ = rows
    model = DPLogisticRegression(classes=[0, 1, 2], random_state=0).fit(X, y)
    assert list(model.classes_) == [0, 1, 2]
    assert model.predict_proba(X)[:, 2].mean() < 0.2
    assert not any("taken from y" in text for text in model.privacy_.assumptions)
    assert any(
        "taken from y" in text for text in DPLogisticRegression().fit(X, y).privacy_.assumptions
    )
    only_one = DPLogisticRegression(classes=[0, 1], random_state=0).fit(X[:50], np.zeros(50, int))
    assert (only_one.predict(X[:50]) == 0).mean() > 0.5


def test_classes_of_one_row_can_be_declared_against_the_membership_of_a_rare_label(rows):
    X, y, _ = rows
    rare = y.copy()
    rare[0] = 2
    declared = {"classes": [0, 1, 2]}
    with_rare = DPLogisticRegression(random_state=0, **declared).fit(X, rare)
    without = DPLogisticRegression(random_state=0, **declared).fit(X, y)
    assert with_rare.coef_.shape == without.coef_.shape


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epsilon": 0}, "'epsilon' parameter"),
        ({"epsilon": float("inf")}, "'epsilon' parameter"),
        ({"delta": 1.0}, "'delta' parameter"),
        ({"delta": 0.0}, "delta above 0"),
        ({"clipping_norm": 0}, "'clipping_norm' parameter"),
        ({"clipping_norm": -1.0}, "'clipping_norm' parameter"),
        ({"bounds": (1, 0)}, "low < high"),
        ({"bounds": (0, np.nan)}, "low < high"),
        ({"bounds": ([0, 0], [1, 1])}, "5 columns"),
        ({"bounds": 3}, "'bounds' parameter"),
        ({"bounds": (-1e308, 1e308)}, "1e300"),
        ({"classes": [0]}, "at least 2"),
        ({"classes": [0, 7]}, "does not declare"),
        ({"max_weight": 0}, "'max_weight' parameter"),
        ({"C": 0.0}, "'C' parameter"),
        ({"accountant": "mine"}, "'accountant' parameter"),
    ],
)
def test_bad_parameters_cost_nothing(rows, parameters, message):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=5.0)
    model = DPLogisticRegression(accountant=accountant).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert len(accountant.entries) == 0
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("kind", ["nan", "inf", "text", "ragged", "no rows", "1-d", "continuous y"])
def test_bad_data_costs_nothing(rows, kind):
    X, y, _ = (part.copy() for part in rows)
    accountant = PrivacyAccountant(epsilon=5.0)
    model = DPLogisticRegression(accountant=accountant)
    if kind == "nan":
        X[3, 2] = np.nan
    elif kind == "inf":
        X[3, 2] = np.inf
    elif kind == "text":
        X = X.astype(object)
        X[0, 0] = "a secret"
    elif kind == "ragged":
        y = y[:-1]
    elif kind == "no rows":
        X, y = X[:0], y[:0]
    elif kind == "1-d":
        X = X[:, 0]
    else:
        y = X[:, 0]
    with pytest.raises(ValueError):  # noqa: PT011 - scikit-learn's own messages
        model.fit(X, y)
    assert len(accountant.entries) == 0


def test_sample_weight(rows):
    X, y, _ = rows
    fit = DPLogisticRegression(5.0, clipping_norm=60.0, max_weight=2.0, random_state=0).fit
    one = fit(X, y, np.full(len(y), 2.0)).coef_
    assert (one == fit(X, y, np.full(len(y), 50.0)).coef_).all()
    assert not np.allclose(one, fit(X, y, np.full(len(y), 0.5)).coef_)
    # Under add-remove, a row of weight 0 is a row that is not there.
    keep = np.arange(len(y)) % 3 > 0
    weighted = fit(X, y, keep * 2.0).coef_
    np.testing.assert_allclose(weighted, fit(X[keep], y[keep], np.full(keep.sum(), 2.0)).coef_)
    with pytest.raises(ValueError, match="[Nn]egative"):
        fit(X, y, -np.ones(len(y)))


def test_weights_move_the_model_towards_heavy_rows(rows):
    X, y, _ = rows
    model = DPLogisticRegression(5.0, random_state=0).fit(X, y, np.where(y == 1, 1.0, 0.05))
    assert (
        model.predict(X).mean()
        > DPLogisticRegression(5.0, random_state=0).fit(X, y).predict(X).mean()
    )


def test_without_intercept(rows):
    X, y, _ = rows
    model = DPLogisticRegression(4.0, fit_intercept=False, random_state=0).fit(X, y)
    assert (model.intercept_ == 0).all()
    assert (model.decision_function(np.zeros((1, 5))) == 0).all()


def test_one_scale_of_columns_is_as_good_as_another(rows):
    X, y, _ = rows
    huge = X * [1e12, 1, 1e-12, 1, 1]
    model = DPLogisticRegression(2.0, random_state=0).fit(huge, y)
    assert roc_auc_score(y, model.decision_function(huge)) > 0.75


def test_one_enormous_row_changes_little(rows):
    X, y, _ = rows
    X = X.copy()
    X[0] = np.finfo(float).max
    model = DPLogisticRegression(2.0, random_state=0).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert roc_auc_score(y[1:], model.decision_function(X[1:])) > 0.75


def test_predictions_are_clipped_like_the_training_rows(rows):
    X, y, _ = rows
    model = DPLogisticRegression(4.0, bounds=(-10, 100), random_state=0).fit(X, y)
    far = np.full((1, 5), 1e9)
    np.testing.assert_allclose(model.decision_function(far), model.decision_function(far * 0 + 100))


def test_bounds_of_a_private_scaler_are_inherited(rows):
    X, y, _ = rows
    released = {}
    for name, scaler in {
        "clipped": DPStandardScaler(),
        "free": DPStandardScaler(clip=False),
    }.items():
        model = make_pipeline(scaler, DPLogisticRegression()).fit(X, y)
        released[name] = [m["name"] for m in model[-1].privacy_.mechanisms]
    assert len(released["free"]) == len(released["clipped"]) + 2
    assert not any("range" in name for name in released["clipped"])
    model = make_pipeline(DPMinMaxScaler(bounds=(-20, 100)), DPLogisticRegression()).fit(X, y)
    assert any("previous step" in text for text in model[-1].privacy_.assumptions)


def test_plan_knows_the_price_without_data():
    model = DPLogisticRegression(2.0)
    price = model.plan().loss.to_epsilon(1e-6)
    assert price == pytest.approx(2.0, rel=1e-6)
    for facts in (Facts(n_features=3), Facts(n_features=4000, classes=(0, 1, 2, 3))):
        assert model.plan(facts).loss.to_epsilon(1e-6) == pytest.approx(2.0, rel=1e-6)


def test_grid_search_over_its_parameters(rows):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=20.0)
    search = GridSearchCV(
        DPLogisticRegression(0.5, accountant=accountant),
        {"clipping_norm": [30.0, 60.0], "fit_intercept": [True, False]},
        cv=3,
        error_score="raise",
    ).fit(X, y)
    assert len(accountant.entries) == 13
    assert search.best_estimator_.accountant is accountant


def test_data_frames_and_float32(rows):
    X, y, _ = rows
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = DPLogisticRegression(2.0, random_state=0).fit(frame, y)
    assert list(model.feature_names_in_) == list("abcde")
    np.testing.assert_array_equal(
        model.predict(frame), DPLogisticRegression(2.0, random_state=0).fit(X, y).predict(X)
    )
    single = DPLogisticRegression(2.0, random_state=0).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float64
    np.testing.assert_allclose(single.coef_, model.coef_, rtol=0.05, atol=0.05)


def test_log_probabilities_do_not_underflow(rows):
    X, y, _ = rows
    model = DPLogisticRegression(4.0, clipping_norm=60.0, random_state=0).fit(X, y)
    logs = model.predict_log_proba(X * 1e6)
    assert np.isfinite(logs).all()
    assert logs.min() < -1000


def test_one_hot_columns_of_adult(tmp_path):
    adult = load_adult(as_frame=True)
    text = adult.data.select_dtypes(exclude="number").astype(str)
    Z = OneHotEncoder(sparse_output=False).fit_transform(text)
    model = DPLogisticRegression(1.0, clipping_norm=text.shape[1] ** 0.5, random_state=0)
    model.fit(Z, adult.target)
    twin = LogisticRegression(max_iter=500).fit(Z, adult.target)
    positive = adult.target == twin.classes_[1]
    assert roc_auc_score(positive, model.decision_function(Z)) > (
        roc_auc_score(positive, twin.decision_function(Z)) - 0.01
    )


def test_nothing_of_the_rows_is_in_the_model():
    rng = np.random.default_rng(5)
    n_rows = 1237
    X = rng.normal(size=(n_rows, 4))
    y = (X[:, 0] > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = DPLogisticRegression(50.0).fit(X, y)
    blob = pickle.dumps(model)
    assert not any(value.tobytes() in blob for value in X.ravel())
    text = repr(model) + str(model.privacy_) + model.privacy_.to_json()
    assert str(n_rows) not in text
    assert not hasattr(model, "n_iter_")
    assert not any(np.any(np.asarray(v, dtype=object) == n_rows) for v in vars(model).values())


def test_add_remove_never_reads_the_number_of_rows(rows, monkeypatch):
    """Rows that contribute nothing leave the noisy result unchanged."""
    X, y, _ = rows
    seen = []
    original = module.Shape.from_moment

    def recorded(moment, noise_scale, n_rows):
        seen.append(n_rows)
        return original(moment, noise_scale, n_rows)

    monkeypatch.setattr(module.Shape, "from_moment", recorded)
    model = DPLogisticRegression(1.0, clipping_norm=60.0)
    model.fit(X, y)
    assert seen[0] != len(X)
    replace_one = PrivacyAccountant(epsilon=2.0, adjacency="replace-one")
    clone(model).set_params(accountant=replace_one).fit(X, y)
    assert seen[1] == len(X)


def test_breast_cancer_beats_a_coin_at_small_epsilon():
    X, y = load_breast_cancer(return_X_y=True)
    scores = [
        roc_auc_score(
            y,
            DPLogisticRegression(1.0, bounds=(0, X.max(axis=0)), random_state=seed)
            .fit(X, y)
            .decision_function(X),
        )
        for seed in range(5)
    ]
    assert np.mean(scores) > 0.95


def test_a_small_c_is_the_penalty_of_scikit_learn(rows):
    """Where the penalty rules, what privacy adds doesn't matter."""
    X, y, _ = rows
    X = X / X.std(axis=0)
    X -= X.mean(axis=0)
    fit = DPLogisticRegression(40.0, clipping_norm=6.0, C=1e-3, random_state=0).fit
    twin = LogisticRegression(C=1e-3).fit(X, y)
    np.testing.assert_allclose(fit(X, y).coef_, twin.coef_, atol=0.02)
    # Weights of 2 double the loss, in both.
    doubled = DPLogisticRegression(
        40.0, clipping_norm=6.0, C=1e-3, max_weight=2.0, random_state=0
    ).fit(X, y, np.full(len(y), 2.0))
    twin.fit(X, y, np.full(len(y), 2.0))
    np.testing.assert_allclose(doubled.coef_, twin.coef_, atol=0.03)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_c_only_adds_regularisation(rows, n_classes):
    X, y, _ = rows
    if n_classes == 3:
        y = y + (X[:, 0] > 1)
    norms = [
        np.linalg.norm(DPLogisticRegression(4.0, C=c, random_state=0).fit(X, y).coef_)
        for c in (None, 1e6, 1e-3, 1e-9)
    ]
    assert norms[1] == pytest.approx(norms[0], rel=0.05)
    assert norms[1] > 10 * norms[2]
    assert norms[2] > 10 * norms[3]
    plans = [DPLogisticRegression(4.0, C=c).plan().loss for c in (None, 1e-9)]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("bounds", [None, (-6, 6)])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_made_block_by_block_give_the_same_fit(monkeypatch, n_classes, bounds):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 3))
    y = (X[:, 0] + rng.normal(size=20_000) > 0).astype(int) + (n_classes - 2) * (X[:, 1] > 1)
    model = DPLogisticRegression(1.0, clipping_norm=3.0, bounds=bounds, random_state=0)
    kept = clone(model).fit(X, y)
    monkeypatch.setattr(_rows, "KEPT", 0)
    streamed = clone(model).fit(X, y)
    # The same minimiser, up to the noise that covers the solver.
    np.testing.assert_allclose(streamed.coef_, kept.coef_, atol=1e-4)
    single = clone(model).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(single.coef_, kept.coef_, atol=1e-2)


@pytest.mark.slow
def test_memory_is_that_of_the_rows_and_a_block():
    resource = pytest.importorskip("resource")
    X = np.random.default_rng(0).random((1_000_000, 100), dtype=np.float32)
    y = (X[:, 0] + X[:, 1] > 1).astype(int)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    DPLogisticRegression(1.0, clipping_norm=6.0).fit(X, y)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert more < 0.2 * X.nbytes


@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_pure_differential_privacy(rows, adjacency):
    X, y, logits = rows
    bounds = X.min(axis=0), X.max(axis=0)
    accountant = PrivacyAccountant(epsilon=4.0, delta=0.0, adjacency=adjacency)
    model = DPLogisticRegression(
        4.0, 0.0, bounds=bounds, random_state=0, accountant=accountant
    ).fit(X, y)
    assert model.privacy_.epsilon == pytest.approx(4.0, rel=1e-6)
    assert {m["noise"] for m in model.privacy_.mechanisms} == {"laplace"}
    assert roc_auc_score(y, model.decision_function(X)) > roc_auc_score(y, logits) - 0.03
    with pytest.raises(ValueError, match="'bounds' or 'clipping_norm'"):
        DPLogisticRegression(4.0, 0.0).fit(X, y)
