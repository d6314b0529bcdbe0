"""Private Gaussian naive Bayes: results, batches, parameters, and audits of a whole fit."""

import pickle

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skprivacy import PrivacyAccountant
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.interop import diffprivlib_model
from skprivacy.naive_bayes import DPGaussianNB
from skprivacy.naive_bayes._gaussian import LEAST_VARIANCE, estimates
from skprivacy.preprocessing import DPStandardScaler

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])


@pytest.fixture(scope="module")
def rows():
    """Four thousand rows of three columns and three classes of different spread."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, 4000, p=[0.5, 0.3, 0.2])
    means = np.array([[10, 0.0, 5], [20, 0.1, 5], [20, 0.3, -5]])
    spread = np.array([[3, 0.05, 2], [5, 0.1, 1], [2, 0.05, 3]])
    return means[y] + spread[y] * rng.normal(size=(4000, 3)), y


BOUNDS = ([0, -0.3, -15], [40, 0.6, 15])


def test_large_epsilon_gives_scikit_learns_model(rows):
    X, y = rows
    X = np.clip(X, *BOUNDS)
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    model = DPGaussianNB(1e5, bounds=BOUNDS, max_weight=2.0).fit(X, y, weights)
    twin = GaussianNB().fit(X, y, weights)
    np.testing.assert_allclose(model.class_count_, twin.class_count_, rtol=1e-4)
    np.testing.assert_allclose(model.class_prior_, twin.class_prior_, rtol=1e-4)
    np.testing.assert_allclose(model.theta_, twin.theta_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.var_, twin.var_, rtol=1e-2)
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(X), atol=0.01)
    np.testing.assert_allclose(
        model.predict_joint_log_proba(X), twin.predict_joint_log_proba(X), rtol=0.01, atol=0.2
    )
    assert (model.predict(X) == twin.predict(X)).mean() > 0.99


@pytest.mark.parametrize("bounds", [None, BOUNDS], ids=["private bounds", "public bounds"])
def test_epsilon_of_one_is_nearly_as_good(rows, bounds):
    X, y = rows
    model = DPGaussianNB(1.0, bounds=bounds, random_state=0).fit(X, y)
    assert model.score(X, y) > GaussianNB().fit(X, y).score(X, y) - 0.02
    assert (model.bounds_[0] < model.bounds_[1]).all()


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_is_above_diffprivlib(name, epsilon):
    X, y = {"breast_cancer": load_breast_cancer, "digits": load_digits}[name](return_X_y=True)
    bounds = X.min(axis=0), np.maximum(X.max(axis=0), X.min(axis=0) + 1e-3)

    def score(model):
        model.fit(X, y)
        if y.max() == 1:
            return roc_auc_score(y, np.nan_to_num(model.predict_proba(X)[:, 1]))
        return model.score(X, y)

    ours = [score(DPGaussianNB(epsilon, bounds=bounds, random_state=seed)) for seed in range(3)]
    theirs = [
        score(diffprivlib_model("GaussianNB", epsilon=epsilon, bounds=bounds, random_state=seed))
        for seed in range(3)
    ]
    assert np.mean(ours) > np.mean(theirs)


@by_adjacency
def test_charges_what_it_promises(rows, adjacency):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6, adjacency=adjacency)
    model = DPGaussianNB(accountant=accountant).fit(*rows)
    assert model.privacy_.epsilon == pytest.approx(1.0, rel=1e-6)
    (entry,) = accountant.entries
    assert entry.mu == model.privacy_.mu


def test_batches_add_up(rows):
    X, y = rows
    parameters = {"bounds": BOUNDS, "classes": [0, 1, 2], "max_weight": 2.0}
    weights = np.full(len(y), 2.0)
    model = DPGaussianNB(1e5, **parameters)
    model.partial_fit(X[:1000], y[:1000], sample_weight=weights[:1000])
    model.partial_fit(X[1000:], y[1000:], [0, 1, 2], weights[1000:])
    whole = DPGaussianNB(1e5, **parameters).fit(X, y, weights)
    np.testing.assert_allclose(model.theta_, whole.theta_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.class_count_, whole.class_count_, rtol=1e-4)
    assert len(model.privacy_.mechanisms) == 2
    assert model.privacy_.mu == pytest.approx(np.sqrt(2) * whole.privacy_.mu)
    with pytest.raises(ValueError, match="not all among"):
        model.partial_fit(X, y, [0, 9])
    for changed in ({"bounds": (0, 1)}, {"classes": [0, 1, 2, 3]}, {"max_weight": 1.0}):
        model.set_params(**{**parameters, **changed})
        with pytest.raises(ValueError, match="changed since the last batch"):
            model.partial_fit(X, y)


def test_batches_need_bounds():
    assert not hasattr(DPGaussianNB(classes=[0, 1]), "partial_fit")
    assert hasattr(DPGaussianNB(bounds=(0, 1)), "partial_fit")


def test_priors_are_taken_and_checked(rows):
    X, y = rows
    model = DPGaussianNB(bounds=BOUNDS, priors=[0.2, 0.2, 0.6]).fit(X, y)
    assert model.class_prior_.tolist() == [0.2, 0.2, 0.6]
    accountant = PrivacyAccountant()
    wrong = {
        "number of classes": [0.5, 0.5],
        "non-negative": [1.5, -0.25, -0.25],
        "should be 1": [1, 1, 1],
    }
    for text, priors in wrong.items():
        with pytest.raises(ValueError, match=text):
            DPGaussianNB(priors=priors, accountant=accountant).fit(X, y)
    assert not accountant.entries


def test_a_declared_class_without_rows_and_a_column_of_no_width(rows):
    X, y = rows
    X = np.hstack([X, np.ones((len(X), 1))])
    model = DPGaussianNB(1.0, classes=[0, 1, 2, 3], random_state=0).fit(X, y)
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert (model.predict(X) == 3).mean() < 0.05


def test_rows_far_outside_and_columns_of_extreme_size(rows):
    X, y = rows
    scale = np.array([1e200, 1.0, 1e-200])
    bounds = tuple(np.array(bound) * scale for bound in BOUNDS)
    model = DPGaussianNB(1.0, bounds=bounds, random_state=0).fit(X * scale, y)
    plain = DPGaussianNB(1.0, bounds=BOUNDS, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X * scale), plain.predict_proba(X), atol=1e-6)
    assert np.isfinite(plain.predict_log_proba(np.full((1, 3), 1e300))).all()


def test_pure_epsilon_is_refused_before_any_charge(rows):
    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match="delta above 0"):
        DPGaussianNB(delta=0, accountant=accountant).fit(*rows)
    assert not accountant.entries


def test_estimates_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    moments = rng.normal(0, 50, size=(4, 11))
    counts, mean, variance = estimates(moments, np.full(11, 50.0))
    assert (counts >= 50).all()
    assert (np.abs(mean) <= 1).all()
    assert (variance >= LEAST_VARIANCE).all()


def test_works_in_pipelines_and_meta_estimators(rows):
    X, y = rows
    accountant = PrivacyAccountant()
    model = make_pipeline(
        DPStandardScaler(0.5, random_state=0), DPGaussianNB(1.0, random_state=0)
    ).set_params(dpstandardscaler__accountant=accountant, dpgaussiannb__accountant=accountant)
    assert model.fit(X, y).score(X, y) > 0.9
    # The scaler's bounds are known: the classifier finds no range again.
    assert [m["name"] for m in model[-1].privacy_.mechanisms] == ["moments of the classes"]
    private = DPGaussianNB(1.0, bounds=BOUNDS, accountant=accountant)
    assert len(accountant.entries) == 2
    OneVsRestClassifier(private).fit(X, y)
    assert len(accountant.entries) == 5
    CalibratedClassifierCV(private, cv=2).fit(X, y)
    assert len(accountant.entries) == 7


def test_pickle_is_small_and_predicts_the_same(rows):
    X, y = rows
    model = DPGaussianNB(1.0, bounds=BOUNDS).fit(X, y)
    blob = pickle.dumps(model)
    assert len(blob) < 20_000
    np.testing.assert_array_equal(pickle.loads(blob).predict_proba(X), model.predict_proba(X))


# Audits


def neighbours(adjacency):
    """Rows, and the same without a corner row or with it moved to another class's corner."""
    rng = np.random.default_rng(0)
    X, y = rng.uniform(-1, 1, (60, 2)), rng.integers(0, 2, 60)
    X, y = np.vstack([X, [[1e6, 1.0]]]), np.append(y, 1)
    if adjacency == "add-remove":
        return (X, y), (X[:-1], y[:-1])
    other = X.copy()
    other[-1] = -1.0
    return (X, y), (other, np.append(y[:-1], 0))


def fit_of(rows, adjacency, bounds):
    accountant = PrivacyAccountant(adjacency=adjacency)
    model = DPGaussianNB(2.0, accountant=accountant, random_state=0, classes=[0, 1], bounds=bounds)
    return lambda: model.fit(*rows)


@by_adjacency
@pytest.mark.parametrize("bounds", [None, (-1, 1)], ids=["private bounds", "public bounds"])
def test_transcript_stays_within_its_price(adjacency, bounds):
    one, other = neighbours(adjacency)
    first = record(fit_of(one, adjacency, bounds))
    second = replay(fit_of(other, adjacency, bounds), first)
    ratio = float(transcript_mu_squared(first, second)) / first.result.privacy_.mu**2
    assert ratio <= 1
    if bounds is not None:
        assert ratio >= 0.95**2
    # What leaves the fit is a function of the outputs.
    for name in ("theta_", "var_", "class_count_", "class_prior_", "bounds_"):
        mine, replayed = (getattr(run.result, name) for run in (first, second))
        np.testing.assert_array_equal(mine, replayed)


def test_planted_fault_is_in_the_transcript():
    one, other = neighbours("add-remove")
    price = DPGaussianNB(2.0, bounds=(-1, 1)).plan().loss.mu ** 2
    with halved_noise():
        first = record(fit_of(one, "add-remove", (-1, 1)))
        second = replay(fit_of(other, "add-remove", (-1, 1)), first)
    assert transcript_mu_squared(first, second) > 2 * price


def end_to_end(n_runs, epsilon=8.0):
    """Lower bound on mu from the fitted counts and means: one row in an empty class."""
    X, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    model = DPGaussianNB(epsilon, bounds=(-1, 1), classes=[0, 1])

    model.set_params(random_state=np.random.RandomState(0))  # advances from fit to fit

    def scores(n_rows):
        fits = (model.fit(X[:n_rows], y[:n_rows]) for _ in range(n_runs))
        # The stored sums are post-processing of the release, weighted by their precision.
        return np.array([fit._moments[0][1] @ [0.2, 0.5, 0.3] for fit in fits])

    return mu_lower_bound(scores(2), scores(1), threshold="search", alpha=ALPHA), model.privacy_.mu


@pytest.mark.slow
def test_end_to_end_finds_no_violation_and_finds_halved_noise():
    bound, claimed = end_to_end(2000)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = end_to_end(2000)
    assert planted > claimed
