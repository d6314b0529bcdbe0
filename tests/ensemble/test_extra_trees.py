"""Private extremely randomised trees: accuracy, questions, parameters, and audits of a fit."""

import pickle

import numpy as np
import pandas as pd
import pytest
from auditing import ALPHA, halved_noise
from sklearn.datasets import load_digits, make_friedman1
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skprivacy import PrivacyAccountant
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.datasets import load_adult
from skprivacy.ensemble import DPExtraTreesClassifier, DPExtraTreesRegressor
from skprivacy.ensemble._classifier import factor_scores, leaf_log_odds
from skprivacy.ensemble._forest import FACTORS
from skprivacy.ensemble._regressor import leaf_deviations
from skprivacy.ensemble._trees import N_CUTS, Trees, category_codes, cut_cells, noisy_quantiles
from skprivacy.interop import diffprivlib_model
from skprivacy.mechanisms import Draw, PermuteAndFlip
from skprivacy.plan import Facts
from skprivacy.preprocessing import DPMinMaxScaler

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])


@pytest.fixture(scope="module")
def adult():
    """Codes of categories and numbers, their bounds, which are which, and the target."""
    bunch = load_adult()
    columns, bounds = [], []
    for name in bunch.data.columns:
        column = bunch.data[name]
        if name in bunch.categories:
            values = list(bunch.categories[name])
            columns.append(np.array([values.index(v) if v in values else 99 for v in column]))
            bounds.append((0, 99))
        else:
            columns.append(column.to_numpy(dtype=float))
            bounds.append(bunch.bounds[name])
    categorical = [name in bunch.categories for name in bunch.data.columns]
    y = (bunch.target == ">50K").to_numpy().astype(int)
    return np.column_stack(columns).astype(float), np.array(bounds).T, categorical, y


@pytest.mark.parametrize(("epsilon", "least"), [(0.5, 0.883), (1.0, 0.886), (4.0, 0.889)])
def test_adult_is_far_above_diffprivlib(adult, epsilon, least):
    X, bounds, categorical, y = adult
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    model = DPExtraTreesClassifier(
        epsilon=epsilon,
        bounds=tuple(bounds),
        categorical_features=categorical,
        random_state=0,
    ).fit(X, y)
    area = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
    assert area > least
    assert model.score(X_test, y_test) > 0.82
    theirs = diffprivlib_model(
        "RandomForestClassifier",
        epsilon=epsilon,
        bounds=tuple(bounds),
        classes=[0, 1],
        random_state=0,
    ).fit(X, y)
    assert area > roc_auc_score(y_test, theirs.predict_proba(X_test)[:, 1]) + 0.1


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_ten_classes_are_above_diffprivlib(epsilon):
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    ours = DPExtraTreesClassifier(epsilon=epsilon, bounds=(0, 16), random_state=0).fit(X, y)
    theirs = diffprivlib_model(
        "RandomForestClassifier", epsilon=epsilon, bounds=(0, 16), classes=range(10), random_state=0
    ).fit(X, y)
    assert ours.score(X_test, y_test) > theirs.score(X_test, y_test)


@pytest.mark.parametrize("bounds", ["public", "private"])
@pytest.mark.parametrize(("epsilon", "least"), [(1.0, 0.45), (4.0, 0.65), (1e4, 0.7)])
def test_regression_approaches_what_random_questions_can_do(bounds, epsilon, least):
    X, y = make_friedman1(20_000, 10, noise=1.0, random_state=0)
    known = {"bounds": (0, 1), "y_bounds": (0, 30)} if bounds == "public" else {}
    model = DPExtraTreesRegressor(epsilon=epsilon, random_state=0, **known).fit(X, y)
    assert model.score(X, y) > least
    low, high = model.y_bounds_
    predicted = model.predict(X)
    assert low <= predicted.min() < predicted.max() <= high


def test_depth_grows_with_the_rows():
    rng = np.random.default_rng(0)
    depths = []
    for n_rows in (50, 2000, 100_000):
        X = rng.uniform(size=(n_rows, 1))
        model = DPExtraTreesRegressor(4, bounds=(0, 1), y_bounds=(0, 1)).fit(X, X[:, 0])
        depths.append(model._trees.columns.shape[1])
    assert depths[0] == 3 < depths[1] < depths[2] == 8
    fixed = DPExtraTreesRegressor(4, bounds=(0, 1), y_bounds=(0, 1), max_depth=10)
    assert fixed.fit(X[:100], X[:100, 0])._trees.columns.shape == (4, 10)


@by_adjacency
@pytest.mark.parametrize("kind", [DPExtraTreesClassifier, DPExtraTreesRegressor])
def test_charges_what_it_promises(adult, adjacency, kind):
    X, _, _, y = adult
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6, adjacency=adjacency)
    model = kind(4, accountant=accountant, max_depth=2).fit(X[:500], y[:500])
    assert model.privacy_.epsilon == pytest.approx(1.0, rel=1e-6)
    (entry,) = accountant.entries
    assert entry.mu == model.privacy_.mu


def test_weights_are_rows(adult):
    X, bounds, categorical, y = adult
    X, y = X[:4000], y[:4000]
    parameters = {"max_depth": 4, "bounds": tuple(bounds), "categorical_features": categorical}
    weights = np.where(np.arange(4000) < 2000, 2.0, 0.0)
    weighted = DPExtraTreesClassifier(8, 1e5, random_state=0, max_weight=2.0, **parameters)
    half = DPExtraTreesClassifier(8, 1e5, random_state=0, **parameters).fit(X[:2000], y[:2000])
    weighted.fit(X, y, weights)
    np.testing.assert_allclose(weighted.class_prior_, half.class_prior_, atol=1e-3)
    np.testing.assert_allclose(weighted._tables, half._tables, atol=0.1)


def test_columns_of_categories_by_name_index_or_mask(adult):
    X, bounds, categorical, y = adult
    X, y = X[:3000], y[:3000]
    names = [f"c{i}" for i in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=names)
    index = np.flatnonzero(categorical)
    scores = []
    for declared in ([names[i] for i in index], index.tolist(), categorical):
        model = DPExtraTreesClassifier(8, bounds=tuple(bounds), random_state=0)
        scores.append(model.set_params(categorical_features=declared).fit(frame, y))
    for model in scores[1:]:
        np.testing.assert_array_equal(model.predict(frame), scores[0].predict(frame))
    accountant = PrivacyAccountant()
    for wrong in (["no such"], [99], [-1], [0.5], [True, False]):
        model = DPExtraTreesClassifier(8, accountant=accountant, categorical_features=wrong)
        with pytest.raises(ValueError, match="categorical_features"):
            model.fit(frame, y)
    with pytest.raises(ValueError, match="y_bounds"):
        DPExtraTreesRegressor(y_bounds=(1, 0), accountant=accountant).fit(X, y)
    assert not accountant.entries


def test_all_columns_may_be_categories():
    X = np.random.default_rng(0).integers(0, 4, (4000, 2)).astype(float)
    y = (X[:, 0] == X[:, 1]).astype(int)
    model = DPExtraTreesClassifier(epsilon=4.0, categorical_features=[0, 1], random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9
    assert np.isfinite(model.predict_log_proba(np.array([[1e9, -3.5]]))).all()


def test_numbers_after_a_private_scaler_need_no_range(adult):
    X, _, _, y = adult
    accountant = PrivacyAccountant(epsilon=2.0, delta=1e-6)
    model = make_pipeline(DPMinMaxScaler(), DPExtraTreesClassifier(8))
    weights = {"dpminmaxscaler": 0.2, "dpextratreesclassifier": 0.8}
    model = accountant.allocate(model, weights).fit(X[:3000], y[:3000])
    assert len(model[-1].privacy_.mechanisms) == 3
    assert len(accountant.entries) == 2


def test_pickle_holds_the_released_model_alone(adult):
    X, bounds, _, y = adult
    model = DPExtraTreesClassifier(8, bounds=tuple(bounds), max_depth=4).fit(X[:3000], y[:3000])
    blob = pickle.dumps(model)
    assert len(blob) < 20_000
    np.testing.assert_array_equal(
        pickle.loads(blob).predict_proba(X[:50]), model.predict_proba(X[:50])
    )


# Parts


def test_leaves_are_answers_to_the_questions():
    categorical = np.array([False, True, False])
    quantiles = [(np.array([0.0, 1.0]), np.array([-1.0, 1.0]))] * 2
    trees = Trees.random(20, 5, quantiles, categorical, np.random.default_rng(0))
    assert trees.n_leaves == 32
    # Five questions about three columns: each twice at most, and once at least.
    assert all(sorted(np.bincount(row, minlength=3)) == [1, 2, 2] for row in trees.columns)
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.uniform(-1, 1, 50), rng.integers(0, 9, 50), rng.uniform(-1, 1, 50)])
    leaves = trees.leaves(X)
    for tree in range(20):
        for row in range(50):
            bits = ""
            for level, column in enumerate(trees.columns[tree]):
                if column == 1:
                    bits += str(int(trees.subsets[tree, level, int(X[row, 1])]))
                else:
                    bits += str(int(X[row, column] > trees.thresholds[tree, level]))
            assert leaves[row, tree] == int(bits, 2)
    np.testing.assert_array_equal(trees.leaves(X[7:8]), leaves[7:8])


def test_codes_and_cells_take_every_value():
    values = np.array([0.0, 254.0, 255.0, -1.0, 3.5, 1e300, -np.inf])
    assert category_codes(values).tolist() == [0, 254, 255, 255, 255, 255, 255]
    cells = cut_cells(np.array([[-9.0], [0.0], [0.999], [1.0], [1e300]]), np.zeros(1), np.ones(1))
    assert cells[:, 0].tolist() == [0, 0, N_CUTS - 1, N_CUTS - 1, N_CUTS - 1]
    assert cut_cells(np.ones((1, 1)), np.zeros(1), np.zeros(1)).tolist() == [[0]]


def test_thresholds_follow_the_rows():
    counts = np.zeros((2, N_CUTS))
    counts[0, 10] = 1000.0
    counts[0, 50] = 5.0  # below the noise
    (parts, values), (nothing, _) = noisy_quantiles(counts, 10.0, np.zeros(2), np.full(2, 64.0))
    assert np.interp([0.01, 0.99], parts, values) == pytest.approx([10, 11], abs=0.05)
    np.testing.assert_allclose(nothing, np.linspace(0, 1, N_CUTS + 1))


def test_leaf_values_are_drawn_to_the_whole():
    counts = np.array([[[30.0, 10.0], [0.0, -5.0], [470.0, 490.0]]])
    prior, log_odds = leaf_log_odds(counts, 20.0)
    assert prior == pytest.approx([500 / 995, 495 / 995])
    part = (30 + 20 * prior[0]) / 60
    assert log_odds[0, 0, 0] == pytest.approx(np.log(part / prior[0]))
    assert log_odds[0, 1] == pytest.approx([0, 0], abs=1e-12)
    mean, deviations = leaf_deviations(counts, 20.0)
    assert mean == pytest.approx(prior[0])
    assert deviations[0, 0] == pytest.approx((30 - 40 * mean) / (40 + np.sqrt(2) * 20))


def test_scores_of_factors_are_those_of_a_rule():
    rng = np.random.default_rng(0)
    means, labels = rng.normal(size=(200, 3)), rng.integers(0, 3, 200)
    scores = factor_scores(np.log([0.5, 0.3, 0.2]), means, labels)
    assert scores.shape == (200, FACTORS.size)
    assert 0 <= scores.min() < scores.max() <= 1
    logits = np.log([0.5, 0.3, 0.2]) + FACTORS[2] * means
    right = logits.argmax(axis=1) == labels
    assert (scores[right, 2] >= 0.75).all()
    assert (scores[~right, 2] <= 0.75).all()
    one_by_one = [factor_scores(np.log([0.5, 0.3, 0.2]), means[[i]], labels[[i]]) for i in range(9)]
    np.testing.assert_array_equal(np.concatenate(one_by_one), scores[:9])


# Audits


@pytest.fixture
def no_choice(monkeypatch):
    """Make the choice of a factor, which adds no noise to a sum, a constant."""

    def draw(self, row_scores, **_):
        for block in row_scores():
            assert ((block >= 0) & (block <= 1)).all()
        return Draw(3)

    monkeypatch.setattr(PermuteAndFlip, "draw", draw)


def neighbours(adjacency):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 3))
    y = (X[:, 0] > 0).astype(int)
    X, y = np.vstack([X, [[1e6, 0.5, 1.0]]]), np.append(y, 1)
    if adjacency == "add-remove":
        return (X, y), (X[:-1], y[:-1])
    other = X.copy()
    other[-1] = -1.0
    return (X, y), (other, np.append(y[:-1], 0))


def fit_of(kind, rows, adjacency, **parameters):
    accountant = PrivacyAccountant(adjacency=adjacency)
    model = kind(16, 2.0, accountant=accountant, random_state=0, **parameters)
    if kind is DPExtraTreesClassifier:
        model.set_params(classes=[0, 1])
    return lambda: model.fit(*rows)


def transcripts(kind, adjacency, bounds):
    known = {"bounds": (-1, 1)} if bounds == "public" else {}
    if kind is DPExtraTreesRegressor and known:
        known["y_bounds"] = (0, 1)
    one, other = neighbours(adjacency)
    first = record(fit_of(kind, one, adjacency, **known))
    return first, replay(fit_of(kind, other, adjacency, **known), first)


def price_of_sums(plan):
    mechanisms = [m for m in plan.mechanisms if not isinstance(m, PermuteAndFlip)]
    return sum(m.loss(plan.adjacency).mu ** 2 for m in mechanisms)


@pytest.mark.usefixtures("no_choice")
@by_adjacency
@pytest.mark.parametrize("bounds", ["public", "private"])
@pytest.mark.parametrize("kind", [DPExtraTreesClassifier, DPExtraTreesRegressor])
def test_transcript_stays_within_its_price(kind, adjacency, bounds):
    first, second = transcripts(kind, adjacency, bounds)
    price = price_of_sums(first.result.plan(_facts(first.result)))
    ratio = float(transcript_mu_squared(first, second)) / price
    assert ratio <= 1
    if bounds == "public":
        assert ratio >= 0.95**2
    np.testing.assert_array_equal(first.result._tables, second.result._tables)


def _facts(model):
    return Facts(adjacency=model.privacy_.adjacency, n_features=3)


@pytest.mark.usefixtures("no_choice")
@pytest.mark.parametrize("kind", [DPExtraTreesClassifier, DPExtraTreesRegressor])
def test_planted_fault_is_in_the_transcript(kind):
    known = {"bounds": (-1, 1)}
    if kind is DPExtraTreesRegressor:
        known["y_bounds"] = (0, 1)
    price = price_of_sums(kind(16, 2.0, **known).plan())
    with halved_noise():
        first, second = transcripts(kind, "add-remove", "public")
    assert transcript_mu_squared(first, second) > 2 * price


def end_to_end(n_runs):
    """Lower bound on mu from the log odds of a leaf of each tree, without the factor.

    All rows are in these leaves, so the odds against the whole say nothing: the whole's are
    added. The first class is large, so that the noise of its counts matters little.
    """
    X, y = np.zeros((501, 1)), np.repeat([0, 1], [400, 101])
    model = DPExtraTreesClassifier(4, 8.0, bounds=(-1, 1), classes=[0, 1], max_depth=1)

    model.set_params(random_state=np.random.RandomState(0))  # advances from fit to fit

    def scores(n_rows):
        fits = (model.fit(X[:n_rows], y[:n_rows]) for _ in range(n_runs))
        return np.array([(fit._log_prior + fit._means(X[:1])[0]) @ [-1, 1] for fit in fits])

    bound = mu_lower_bound(scores(501), scores(500), threshold="search", alpha=ALPHA)
    return bound, model.privacy_.mu


@pytest.mark.slow
def test_end_to_end_finds_no_violation_and_finds_halved_noise():
    bound, claimed = end_to_end(2000)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = end_to_end(2000)
    assert planted > claimed
