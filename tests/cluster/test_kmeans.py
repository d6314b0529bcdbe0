"""Private k-means: inertia beside others', parameters, and audits of a whole fit."""

import pickle

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from sklearn.base import is_clusterer
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.pipeline import make_pipeline

from skprivacy import PrivacyAccountant
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.cluster import DPKMeans, _kmeans
from skprivacy.cluster._kmeans import LOOKS, TREE_SHARE, cluster_points, moved_centres, nearest
from skprivacy.interop import diffprivlib_model
from skprivacy.preprocessing import DPMinMaxScaler

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
BOUNDS = (-15, 15)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(20_000, 5, centers=8, center_box=(-10, 10), random_state=0)[0]


def inertia(centres, X):
    return -DPKMeans.score(_fitted(centres), X)


def _fitted(centres):
    model = DPKMeans(len(centres))
    model.cluster_centers_ = np.asarray(centres)
    model.n_features_in_ = model.cluster_centers_.shape[1]
    return model


@pytest.mark.parametrize("bounds", [None, BOUNDS], ids=["private bounds", "public bounds"])
@pytest.mark.parametrize(("epsilon", "most"), [(0.5, 1.2), (1.0, 1.05), (4.0, 1.01)])
def test_inertia_is_near_scikit_learns(blobs, epsilon, most, bounds):
    best = KMeans(8, n_init=3, random_state=0).fit(blobs).inertia_
    fits = [DPKMeans(8, epsilon, bounds=bounds, random_state=seed).fit(blobs) for seed in range(5)]
    assert np.median([-fit.score(blobs) for fit in fits]) < most * best


@pytest.mark.parametrize(("epsilon", "most"), [(0.5, 5.0), (1.0, 3.5), (4.0, 1.15)])
def test_a_few_rows_are_clustered_too(blobs, epsilon, most):
    X = blobs[:2000]
    best = KMeans(8, n_init=3, random_state=0).fit(X).inertia_
    fits = [DPKMeans(8, epsilon, bounds=BOUNDS, random_state=seed).fit(X) for seed in range(5)]
    assert np.median([-fit.score(X) for fit in fits]) < most * best


@pytest.mark.parametrize("epsilon", [0.25, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("name", ["blobs", "few blobs", "digits"])
def test_is_below_diffprivlibs_inertia(blobs, name, epsilon):
    X, bounds, k = {
        "blobs": (blobs, BOUNDS, 8),
        "few blobs": (blobs[:2000], BOUNDS, 8),
        "digits": (load_digits().data, (0, 16), 10),
    }[name]
    ours, theirs = [], []
    for seed in range(5):
        parameters = {"n_clusters": k, "epsilon": epsilon, "bounds": bounds, "random_state": seed}
        ours.append(inertia(DPKMeans(**parameters).fit(X).cluster_centers_, X))
        theirs.append(inertia(diffprivlib_model("KMeans", **parameters).fit(X).cluster_centers_, X))
    assert np.median(ours) < np.median(theirs)


def test_columns_keep_their_units():
    """A wide column decides, as in scikit-learn, however narrow its bounds make it look."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (20_000, 2)) * [100, 1]
    X[:, 0] += np.where(rng.random(20_000) < 0.5, -300, 300)
    X[:, 1] = np.where(rng.random(20_000) < 0.5, -1, 1)
    model = DPKMeans(2, bounds=([-400, -1], [400, 1]), random_state=0).fit(X)
    assert np.sort(model.cluster_centers_[:, 0]) == pytest.approx([-300, 300], abs=10)


def test_sizes_weights_and_centres_at_large_epsilon(blobs):
    weights = np.random.default_rng(0).uniform(0, 2, len(blobs))
    model = DPKMeans(8, 1e5, bounds=BOUNDS, max_weight=2.0).fit(blobs, sample_weight=weights)
    assert model.cluster_sizes_.sum() == pytest.approx(weights.sum(), rel=1e-3)
    twin = KMeans(8, n_init=3, random_state=0).fit(blobs, sample_weight=weights)
    assert model.score(blobs, sample_weight=weights) == pytest.approx(-twin.inertia_, rel=0.01)


def test_predictions_are_the_nearest_centres(blobs):
    model = DPKMeans(4, bounds=BOUNDS, random_state=0)
    labels = model.fit_predict(blobs)
    distances = model.transform(blobs)
    np.testing.assert_array_equal(labels, distances.argmin(axis=1))
    np.testing.assert_allclose(-model.score(blobs), np.sum(distances.min(axis=1) ** 2), rtol=1e-9)
    np.testing.assert_array_equal(labels, model.predict(blobs))
    assert list(model.get_feature_names_out()) == [f"dpkmeans{i}" for i in range(4)]


def test_is_no_clusterer_with_labels(blobs):
    model = DPKMeans(4, bounds=BOUNDS).fit(blobs)
    assert not is_clusterer(model)
    for name in ("labels_", "inertia_", "n_iter_"):
        assert not hasattr(model, name)


def test_few_rows_many_clusters_and_extreme_columns():
    for X in (np.ones((1, 2)), np.array([[1e200, 1e-200], [-1e200, 0.0]])):
        for bounds in (None, ([-1e201, -1e-199], [1e201, 1e-199])):
            model = DPKMeans(12, 0.3, bounds=bounds).fit(X)
            assert model.cluster_centers_.shape == (12, 2)
            assert np.isfinite(model.cluster_centers_).all()
            low, high = model.bounds_
            within = (low <= model.cluster_centers_) & (model.cluster_centers_ <= high)
            assert within.all()


def test_too_few_points_are_centres_themselves():
    points = np.array([[0.5, 0.5], [-0.5, 0.1]])
    centres = cluster_points(points, np.ones(2), 4, np.array([1.0, 0.2]))
    np.testing.assert_array_equal(centres[:2], points)
    assert (np.abs(centres[2:]) <= [1.0, 0.2]).all()


def test_means_are_trusted_as_far_as_they_say_more_than_their_noise():
    rng = np.random.default_rng(0)
    true = rng.uniform(-0.8, 0.8, (6, 40))
    counts, scale = np.full(6, 100.0), np.ones(40)
    start = np.clip(true + rng.normal(scale=0.2, size=true.shape), -1, 1)

    def moved(noise, start):
        sums = 100 * true + rng.normal(scale=noise, size=true.shape)
        return moved_centres(sums, counts, np.full(40, noise), start, scale)

    np.testing.assert_allclose(moved(0.01, start), true, atol=0.01)
    between = [np.sqrt(np.mean((moved(noise, start) - true) ** 2)) for noise in (10.0, 20.0, 60.0)]
    # Better than the noisy means (.1, .2, .6) and than the start (.2).
    assert between[0] < 0.095
    assert between[1] < 0.16
    assert between[2] < 0.21
    # A start that knows nothing gives way to the mean of all.
    lost = moved(60.0, rng.uniform(-1, 1, true.shape))
    assert np.sqrt(np.mean((lost - true) ** 2)) < 1.2 * true.std()


def test_a_rows_group_depends_on_the_row_alone():
    rng = np.random.default_rng(0)
    low, high = np.full(7, -1.0), np.full(7, 1.0)
    X = rng.uniform(-1.2, 1.2, (3000, 7))
    centres = rng.uniform(-1, 1, (11, 7))
    centres[5] = centres[4]  # ties
    groups = nearest(centres, low, high, 1.0)
    expected = groups(X)
    for size in (1, 3, 1000):
        blocks = [groups(X[i : i + size]) for i in range(0, 600, size)]
        np.testing.assert_array_equal(np.concatenate(blocks)[:600], expected[:600])
    distances = ((np.clip(X, -1, 1)[:, np.newaxis] - centres) ** 2).sum(axis=2)
    best = distances.min(axis=1)
    assert (distances[np.arange(3000), expected] <= best + 1e-3).all()


@pytest.mark.parametrize(("epsilon", "n_steps"), [(0.01, 1), (1e3, 6)])
def test_weak_noise_makes_a_step_of_every_look(epsilon, n_steps, blobs, monkeypatch):
    """All looks are made; what noise there is says how many share the same centres."""
    starts = []

    def noted(centres, *rest):
        starts.append(centres)
        return nearest(centres, *rest)

    monkeypatch.setattr(_kmeans, "nearest", noted)
    model = DPKMeans(3, epsilon, bounds=BOUNDS, random_state=0).fit(blobs)
    assert len(starts) == n_steps
    assert len(model.privacy_.mechanisms) == 2 + len(LOOKS)


def test_works_after_a_private_scaler(blobs):
    accountant = PrivacyAccountant(epsilon=2.0, delta=1e-6)
    model = accountant.allocate(
        make_pipeline(DPMinMaxScaler(), DPKMeans(8)), {"dpminmaxscaler": 0.2, "dpkmeans": 0.8}
    )
    model.fit(blobs)
    assert len(accountant.entries) == 2
    names = [m["name"] for m in model[-1].privacy_.mechanisms]
    assert names == ["number of rows", "counts of cells", *LOOKS]


def test_pickle_holds_the_released_model_alone(blobs):
    model = DPKMeans(4, bounds=BOUNDS).fit(blobs)
    blob = pickle.dumps(model)
    assert len(blob) < 20_000
    np.testing.assert_array_equal(pickle.loads(blob).predict(blobs), model.predict(blobs))


# Audits


def neighbours(adjacency, crowd):
    """Many rows at a corner and one of them gone, or moved to the opposite corner."""
    X = np.ones((crowd, 2))
    if adjacency == "add-remove":
        return X, X[:-1]
    other = X.copy()
    other[-1] = -1.0
    return X, other


def fit_of(X, adjacency, bounds, epsilon=4.0):
    accountant = PrivacyAccountant(adjacency=adjacency)
    model = DPKMeans(1, epsilon, accountant=accountant, random_state=0, bounds=bounds)
    return lambda: model.fit(X)


def transcripts(adjacency, bounds, crowd=5000):
    one, other = neighbours(adjacency, crowd)
    first = record(fit_of(one, adjacency, bounds))
    return first, replay(fit_of(other, adjacency, bounds), first)


@by_adjacency
@pytest.mark.parametrize("bounds", [None, (-1, 1)], ids=["private bounds", "public bounds"])
def test_transcript_stays_within_its_price(adjacency, bounds):
    """The row goes down all levels of the tree; with one cluster it moves across it."""
    first, second = transcripts(adjacency, bounds)
    ratio = float(transcript_mu_squared(first, second)) / first.result.privacy_.mu**2
    assert ratio <= 1
    if bounds is not None and adjacency == "add-remove":
        assert ratio >= 0.95**2
    np.testing.assert_array_equal(first.result.cluster_centers_, second.result.cluster_centers_)
    np.testing.assert_array_equal(first.result.cluster_sizes_, second.result.cluster_sizes_)


def test_worst_pair_under_replace_one_uses_the_price_up():
    """Two crowds at opposite corners: the row changes its cell on every level but the first."""
    one = np.concatenate([np.ones((5000, 2)), -np.ones((5000, 2))])
    other = one.copy()
    other[0] = -1.0
    first = record(fit_of(one, "replace-one", (-1, 1)))
    second = replay(fit_of(other, "replace-one", (-1, 1)), first)
    ratio = float(transcript_mu_squared(first, second)) / first.result.privacy_.mu**2
    # The first level is one cell: its count does not move.
    assert 0.95**2 <= ratio <= 1


def test_planted_fault_is_in_the_transcript():
    price = DPKMeans(1, 4.0, bounds=(-1, 1)).plan().loss.mu ** 2
    with halved_noise():
        first, second = transcripts("add-remove", (-1, 1))
    assert transcript_mu_squared(first, second) > 2 * price


def end_to_end(n_runs, epsilon=20.0):
    """Lower bound on mu from the count and the mean of one cluster, released by the step."""
    X = np.zeros((51, 1))
    X[-1] = 1.0
    model = DPKMeans(1, epsilon, bounds=(-1, 1))

    model.set_params(random_state=np.random.RandomState(0))  # advances from fit to fit

    def scores(n_rows):
        fits = (model.fit(X[:n_rows]) for _ in range(n_runs))
        return np.array(
            [fit.cluster_sizes_[0] * (0.2 + 0.8 * fit.cluster_centers_[0, 0]) for fit in fits]
        )

    return mu_lower_bound(
        scores(51), scores(50), threshold="search", alpha=ALPHA
    ), model.privacy_.mu * np.sqrt(1 - TREE_SHARE)


@pytest.mark.slow
def test_end_to_end_finds_no_violation_and_finds_halved_noise():
    bound, claimed = end_to_end(2000)
    assert 0.4 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = end_to_end(2000)
    assert planted > claimed
