"""Private mean and covariance: accuracy, and audits of the release that two learners share."""

import numpy as np
import pytest
from auditing import ALPHA, halved_noise

from skprivacy import PrivacyAccountant
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.base import DPEstimator
from skprivacy.moments import eigenvalues, find_moments, moment_mechanisms

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])


class Moments(DPEstimator):
    """Nothing but the release."""

    def __init__(
        self,
        epsilon=1.0,
        delta=1e-6,
        accountant=None,
        random_state=None,
        bounds=None,
        centred=False,
    ):
        super().__init__(epsilon, delta, accountant, random_state)
        self.bounds = bounds
        self.centred = centred

    def fit(self, X):
        return self._private_fit(X)

    def _mechanisms(self, facts):
        return moment_mechanisms(self.bounds, facts)

    def _fit(self, X, y, sample_weight, release):
        self.moments_ = find_moments(X, self.bounds, release, "Moments", centred=self.centred)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    return rng.normal(size=(20_000, 4)) @ mixing * [1, 10, 0.1, 1] + [5, 0, 1, -3]


BOUNDS = ([-15, -120, -0.5, -20], [25, 120, 2.5, 14])


@by_adjacency
@pytest.mark.parametrize("bounds", [None, BOUNDS], ids=["private bounds", "public bounds"])
def test_moments_are_near_the_true_ones(rows, adjacency, bounds):
    accountant = PrivacyAccountant(adjacency=adjacency)
    moments = Moments(2.0, accountant=accountant, random_state=0, bounds=bounds).fit(rows).moments_
    scale = rows.std(axis=0)
    assert np.abs(moments.mean - rows.mean(axis=0)).max() < 0.05 * scale.max()
    error = (moments.covariance - np.cov(rows.T)) / np.outer(scale, scale)
    assert np.abs(error).max() < 0.1
    if adjacency == "replace-one":
        assert moments.n_rows == len(rows)
    else:
        assert moments.n_rows != len(rows)
        assert moments.n_rows == pytest.approx(len(rows), rel=0.01)


def test_a_known_mean_of_zero_is_used(rows):
    moments = Moments(5.0, random_state=0, bounds=BOUNDS, centred=True).fit(rows).moments_
    assert moments.mean.tolist() == [0, 0, 0, 0]
    second = rows.T @ rows / len(rows)
    scale = np.sqrt(np.diag(second))
    assert np.abs((moments.covariance - second) / np.outer(scale, scale)).max() < 0.1


def test_few_rows_and_extreme_columns_stay_finite():
    for X in (np.ones((1, 3)), np.array([[1e200, 1e-200, 0.0]] * 5)):
        for bounds in (None, ([-1e201, -1e-199, -1], [1e201, 1e-199, 1])):
            moments = Moments(0.5, bounds=bounds).fit(X).moments_
            variances, directions = eigenvalues(moments.covariance)
            assert np.isfinite(variances).all()
            np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-9)


def test_eigenvalues_are_sorted_and_never_negative():
    rng = np.random.default_rng(0)
    for scale in (1e-250, 1.0, 1e250):
        matrix = rng.normal(size=(5, 5))
        matrix = (matrix + matrix.T) * scale
        variances, directions = eigenvalues(matrix)
        assert (np.diff(variances) <= 0).all()
        assert variances.min() == 0 < variances.max()
        assert (directions[np.arange(5), np.abs(directions).argmax(axis=1)] > 0).all()
        expected = np.maximum(np.linalg.eigvalsh(matrix / scale)[::-1], 0) * scale
        np.testing.assert_allclose(variances, expected)
    np.testing.assert_array_equal(eigenvalues(np.zeros((2, 2)))[0], [0, 0])


# Audits


def neighbours(adjacency):
    """Rows near the middle, and one at a corner that goes to another corner or away.

    With nine columns two corners are nearly orthogonal, for the second moment.
    """
    X = np.random.default_rng(0).uniform(-0.1, 0.1, (80, 9))
    corner = np.ones(9)
    X = np.vstack([X, corner])
    if adjacency == "add-remove":
        return X, X[:-1]
    other = X.copy()
    other[-1, ::2] = -1.0
    return X, other


def fit_of(X, adjacency, bounds):
    accountant = PrivacyAccountant(adjacency=adjacency)
    return lambda: Moments(2.0, accountant=accountant, random_state=0, bounds=bounds).fit(X)


def transcripts(adjacency, bounds):
    one, other = neighbours(adjacency)
    first = record(fit_of(one, adjacency, bounds))
    return first, replay(fit_of(other, adjacency, bounds), first)


@by_adjacency
@pytest.mark.parametrize("bounds", [None, (-1, 1)], ids=["private bounds", "public bounds"])
def test_transcript_stays_within_its_price(adjacency, bounds):
    first, second = transcripts(adjacency, bounds)
    ratio = float(transcript_mu_squared(first, second)) / first.result.privacy_.mu**2
    assert ratio <= 1
    if bounds is not None:
        assert ratio >= 0.95**2
    np.testing.assert_array_equal(
        first.result.moments_.covariance, second.result.moments_.covariance
    )


def test_planted_fault_is_in_the_transcript():
    price = Moments(2.0, bounds=(-1, 1)).plan().loss.mu ** 2
    with halved_noise():
        first, second = transcripts("add-remove", (-1, 1))
    assert transcript_mu_squared(first, second) > 2 * price


def end_to_end(n_runs, epsilon=8.0):
    """Lower bound on mu from the variance and count that one row makes."""
    X = np.zeros((3, 1))
    X[-1] = 1.0
    model = Moments(epsilon, bounds=(-1, 1), centred=True)

    model.set_params(random_state=np.random.RandomState(0))  # advances from fit to fit

    def scores(n_rows):
        fits = (model.fit(X[:n_rows]).moments_ for _ in range(n_runs))
        return np.array([fit.covariance[0, 0] * fit.n_rows for fit in fits])

    return mu_lower_bound(scores(3), scores(2), threshold="search", alpha=ALPHA), model.privacy_.mu


@pytest.mark.slow
def test_end_to_end_finds_no_violation_and_finds_halved_noise():
    bound, claimed = end_to_end(2000)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = end_to_end(2000)
    assert planted > claimed
