"""Private naive Bayes on categories: results, parameters, and audits of a whole fit."""

import pickle

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import CategoricalNB

from skprivacy import PrivacyAccountant
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.datasets import load_adult
from skprivacy.interop import diffprivlib_model
from skprivacy.naive_bayes import DPCategoricalNB
from skprivacy.naive_bayes._categorical import category_codes, class_totals, log_parts

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])


@pytest.fixture(scope="module")
def rows():
    """Six thousand rows of four columns of 3 to 6 codes, in three classes."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, 6000, p=[0.5, 0.3, 0.2])
    sizes = np.array([3, 4, 5, 6])
    parts = [rng.dirichlet(np.ones(size), size=3) for size in sizes]
    X = [[rng.choice(size, p=part[k]) for k in y] for size, part in zip(sizes, parts, strict=True)]
    return np.array(X).T, y, sizes


def test_large_epsilon_gives_scikit_learns_model(rows):
    X, y, sizes = rows
    weights = np.random.default_rng(1).uniform(0, 2, len(y))
    model = DPCategoricalNB(0.5, 1e6, n_categories=sizes, max_weight=2.0).fit(X, y, weights)
    twin = CategoricalNB(alpha=0.5, min_categories=sizes + 1).fit(X, y, weights)
    np.testing.assert_allclose(model.class_count_, twin.class_count_, rtol=1e-3)
    np.testing.assert_allclose(model.class_log_prior_, twin.class_log_prior_, atol=1e-3)
    for mine, other in zip(model.category_count_, twin.category_count_, strict=True):
        np.testing.assert_allclose(mine, other, atol=0.5)
    for mine, other in zip(model.feature_log_prob_, twin.feature_log_prob_, strict=True):
        np.testing.assert_allclose(mine[:, :-1], other[:, :-1], atol=0.01)
    np.testing.assert_allclose(model.predict_proba(X), twin.predict_proba(X), atol=0.01)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("sizes", ["declared", "default"])
def test_usual_epsilon_is_nearly_as_good(rows, sizes, epsilon):
    X, y, known = rows
    parameters = {"n_categories": known} if sizes == "declared" else {}
    model = DPCategoricalNB(epsilon=epsilon, random_state=0, **parameters).fit(X, y)
    assert model.score(X, y) > CategoricalNB().fit(X, y).score(X, y) - 0.03


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 4.0])
def test_adult_is_above_diffprivlibs_naive_bayes_on_the_same_codes(epsilon):
    bunch = load_adult()
    codes = []
    for name in bunch.categories:
        values = list(bunch.categories[name])
        codes.append([values.index(v) if v in values else len(values) for v in bunch.data[name]])
    sizes = np.array([len(values) for values in bunch.categories.values()])
    X, y = np.array(codes).T, (bunch.target == ">50K").to_numpy().astype(int)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    ours = DPCategoricalNB(epsilon=epsilon, n_categories=sizes, random_state=0).fit(X, y)
    theirs = diffprivlib_model(
        "GaussianNB", epsilon=epsilon, bounds=(np.zeros(8), 1.0 * sizes), random_state=0
    ).fit(X, y)
    twin = CategoricalNB(min_categories=sizes + 1).fit(X, y)
    areas = [
        roc_auc_score(y_test, np.nan_to_num(model.predict_proba(X_test)[:, 1]))
        for model in (theirs, ours, twin)
    ]
    assert areas[0] < areas[1] > areas[2] - 0.03


@by_adjacency
def test_charges_what_it_promises(rows, adjacency):
    X, y, _ = rows
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6, adjacency=adjacency)
    model = DPCategoricalNB(accountant=accountant).fit(X, y)
    assert model.privacy_.epsilon == pytest.approx(1.0, rel=1e-6)
    (entry,) = accountant.entries
    assert entry.mu == model.privacy_.mu


def test_batches_add_up(rows):
    X, y, sizes = rows
    accountant = PrivacyAccountant()
    model = DPCategoricalNB(epsilon=1e5, n_categories=sizes, accountant=accountant)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    assert not accountant.entries
    # The first batch lacks a class.
    first = (y < 2) & (np.arange(len(y)) < 3000)
    model.partial_fit(X[first], y[first], classes=[0, 1, 2])
    model.partial_fit(X[~first], y[~first]).partial_fit(X[:5], y[:5], classes=[2, 1, 0])
    whole = DPCategoricalNB(epsilon=1e5, n_categories=sizes).fit(X, y)
    np.testing.assert_allclose(model.class_count_, whole.class_count_, atol=6)
    np.testing.assert_allclose(model.predict_proba(X), whole.predict_proba(X), atol=0.01)
    assert len(accountant.entries) == len(model.privacy_.mechanisms) == 3
    assert model.privacy_.mu == pytest.approx(np.sqrt(3) * whole.privacy_.mu)
    assert not any("taken from y" in text for text in model.privacy_.assumptions)
    for classes in ([0, 1], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match="not the same as on last call"):
            model.partial_fit(X, y, classes=classes)
    for changed in ({"n_categories": 9}, {"max_weight": 2.0}):
        with pytest.raises(ValueError, match="changed since the last batch"):
            clone_of(model).set_params(**changed).partial_fit(X, y)
    # fit starts anew, and forgets what a call has named.
    model.fit(X[first], y[first])
    assert model.classes_.tolist() == [0, 1]
    assert len(model.privacy_.mechanisms) == 1
    assert any("taken from y" in text for text in model.privacy_.assumptions)


def clone_of(model):
    """Return a copy, fitted too."""
    return pickle.loads(pickle.dumps(model.set_params(accountant=None)))


def test_a_batch_that_fails_leaves_the_model_as_it_was(rows):
    X, y, sizes = rows
    model = DPCategoricalNB(n_categories=sizes, random_state=0).partial_fit(X, y, [0, 1, 2])
    before = pickle.dumps(model)
    for wrong in ((-X, y), (X[:, :3], y), (X, y + 1)):
        with pytest.raises(ValueError, match="."):
            model.partial_fit(*wrong)
    assert pickle.dumps(model) == before


def test_a_row_without_a_weight_has_weight_one(rows):
    X, y, sizes = rows
    for max_weight in (0.5, 1.0, 4.0):
        model = DPCategoricalNB(epsilon=1e4, n_categories=sizes, max_weight=max_weight).fit(X, y)
        np.testing.assert_allclose(
            model.class_count_, min(max_weight, 1.0) * np.bincount(y), rtol=0.01
        )


def test_priors(rows):
    X, y, _ = rows
    model = DPCategoricalNB(class_prior=[0.2, 0.2, 0.6]).fit(X, y)
    np.testing.assert_allclose(np.exp(model.class_log_prior_), [0.2, 0.2, 0.6])
    np.testing.assert_allclose(
        np.exp(DPCategoricalNB(fit_prior=False).fit(X, y).class_log_prior_), [1 / 3] * 3
    )


def test_what_is_wrong_is_refused_before_the_charge(rows):
    X, y, _ = rows
    accountant = PrivacyAccountant()
    wrong = {
        "n_categories": [{"n_categories": sizes} for sizes in ([3, 4], [0, 1, 2, 3], [0.5] * 4)],
        "number of classes": [{"class_prior": [1.0]}],
        "delta above 0": [{"delta": 0.0}],
    }
    for text, cases in wrong.items():
        for parameters in cases:
            with pytest.raises(ValueError, match=text):
                DPCategoricalNB(accountant=accountant, **parameters).fit(X, y)
    with pytest.raises(ValueError, match="Negative values in data passed to DPCategoricalNB"):
        DPCategoricalNB(accountant=accountant).fit(X - 1, y)
    assert not accountant.entries
    model = DPCategoricalNB().fit(X, y)
    with pytest.raises(ValueError, match="Negative values"):
        model.predict(X - 1)


def test_codes_beyond_the_declared_ones_are_one_category(rows):
    X, y, _ = rows
    sizes = np.array([2, 300])
    codes = category_codes(np.array([[0.9, 299.0], [2.0, 300.0], [1e300, 1e9]]), sizes)
    assert codes.tolist() == [[0, 299], [2, 300], [2, 300]]
    model = DPCategoricalNB(n_categories=3, random_state=0).fit(X, y)
    np.testing.assert_array_equal(
        model.predict_proba(np.full((1, 4), 3)), model.predict_proba(np.full((1, 4), 1e15))
    )


def test_totals_and_parts():
    counts = [np.array([[10.0, 20.0], [-3.0, 1.0]]), np.array([[12.0, 9.0, 9.0], [1.0, -2.0, 0.0]])]
    totals = class_totals(counts, 1.0)
    assert totals[0] == pytest.approx(30)
    assert totals[1] == pytest.approx(1 / np.sqrt(1 / 2 + 1 / 3))
    parts = np.exp(log_parts(np.array([[6.0, 3.0], [1.0, 0.0]]), np.array([9.0, 1.0]), 1.0, 2.0))
    whole = np.array([9, 5]) / 14
    assert parts[0] == pytest.approx((np.array([7, 4]) + 2 * whole) / 13)


def test_pickle_holds_the_released_model_alone(rows):
    X, y, sizes = rows
    model = DPCategoricalNB(n_categories=sizes).fit(X, y)
    blob = pickle.dumps(model)
    assert len(blob) < 20_000
    np.testing.assert_array_equal(pickle.loads(blob).predict_proba(X), model.predict_proba(X))


# Audits


def neighbours(adjacency):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 3, (60, 3)), rng.integers(0, 2, 60)
    if adjacency == "add-remove":
        return (X, y), (X[:-1], y[:-1])
    other = X.copy()
    other[-1] = 99
    return (X, y), (other, np.append(y[:-1], 1 - y[-1]))


def fit_of(rows, adjacency):
    accountant = PrivacyAccountant(adjacency=adjacency)
    model = DPCategoricalNB(
        epsilon=2.0, accountant=accountant, random_state=0, classes=[0, 1], n_categories=3
    )
    return lambda: model.fit(*rows)


@by_adjacency
def test_transcript_stays_within_its_price_and_uses_it_up(adjacency):
    one, other = neighbours(adjacency)
    first = record(fit_of(one, adjacency))
    second = replay(fit_of(other, adjacency), first)
    ratio = float(transcript_mu_squared(first, second)) / first.result.privacy_.mu**2
    assert 0.95**2 <= ratio <= 1
    for mine, replayed in zip(
        first.result.feature_log_prob_, second.result.feature_log_prob_, strict=True
    ):
        np.testing.assert_array_equal(mine, replayed)


def test_planted_fault_is_in_the_transcript():
    one, other = neighbours("add-remove")
    price = DPCategoricalNB(epsilon=2.0).plan().loss.mu ** 2
    with halved_noise():
        first = record(fit_of(one, "add-remove"))
        second = replay(fit_of(other, "add-remove"), first)
    assert transcript_mu_squared(first, second) > 2 * price


def end_to_end(n_runs, epsilon=8.0):
    """Lower bound on mu from one row of two columns in a class of its own."""
    X, y = np.zeros((2, 2)), np.array([0, 1])
    model = DPCategoricalNB(epsilon=epsilon, classes=[0, 1], n_categories=1)

    model.set_params(random_state=np.random.RandomState(0))  # advances from fit to fit

    def scores(n_rows):
        fits = (model.fit(X[:n_rows], y[:n_rows]) for _ in range(n_runs))
        return np.array([sum(column[1, 0] for column in fit.category_count_) for fit in fits])

    return mu_lower_bound(scores(2), scores(1), threshold="search", alpha=ALPHA), model.privacy_.mu


@pytest.mark.slow
def test_end_to_end_finds_no_violation_and_finds_halved_noise():
    bound, claimed = end_to_end(2000)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = end_to_end(2000)
    assert planted > claimed
