"""Bounds from scores: they hold, come near the truth, and match other implementations."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from skprivacy.accounting import gdp_delta, gdp_epsilon
from skprivacy.attacks import clopper_pearson, epsilon_lower_bound, mu_lower_bound
from skprivacy.attacks._bounds import hull_vertices, mu_bound


def deterministic_normals(mean, size):
    """Evenly spaced quantiles: the inputs of jax_privacy's tests."""
    levels = np.linspace(0, 1, size, endpoint=False) + 1 / (2 * size)
    return ndtri(levels) + mean


@pytest.mark.parametrize("count", [0, 1, 37, 99, 100])
def test_clopper_pearson_inverts_the_binomial_tails(count):
    low, high = clopper_pearson(count, 100, 0.01)
    if count > 0:
        assert stats.binom.sf(count - 1, 100, low) == pytest.approx(0.01)
    if count < 100:
        assert stats.binom.cdf(count, 100, high) == pytest.approx(0.01)
    assert low <= count / 100 <= high


def test_clopper_pearson_is_elementwise():
    low, high = clopper_pearson([[0], [5]], [10, 20, 30], 0.025)
    assert low.shape == high.shape == (2, 3)
    assert high[1, 2] == clopper_pearson(5, 30, 0.025)[1]
    assert low[1, 2] == clopper_pearson(5, 30, 0.025)[0]


def test_values_of_other_implementations():
    """tensorflow_privacy's Clopper-Pearson example and jax_privacy's bounds."""
    separate = np.ones(500), np.zeros(500)
    assert epsilon_lower_bound(*separate, threshold=0.5, alpha=0.01) == pytest.approx(
        4.541916, abs=1e-6
    )
    scores = deterministic_normals(1, 2000), deterministic_normals(0, 2000)
    assert epsilon_lower_bound(*scores, delta=1e-5, threshold="bonferroni") == pytest.approx(
        1.28109, abs=5e-6
    )
    mu = mu_lower_bound(*scores, threshold="bonferroni")
    assert gdp_epsilon(mu, 1e-5) == pytest.approx(3.34943, abs=5e-6)


@pytest.mark.parametrize("mu", [0.1, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.5])
def test_gaussian_bound_is_within_five_per_cent(mu, ratio):
    rng = np.random.default_rng(0xBAD5EED)
    scores = rng.normal(mu, 1, 500_000), rng.normal(0, 1, int(500_000 * ratio))
    bound = mu_lower_bound(*scores, threshold="bonferroni", alpha=0.1)
    assert bound <= mu
    assert gdp_epsilon(bound, 0.05) == pytest.approx(gdp_epsilon(mu, 0.05), rel=0.05)


@pytest.mark.parametrize("threshold", ["midpoint", "search", "bonferroni"])
@pytest.mark.parametrize("truth", [-1.0, 0.0])
def test_nothing_and_the_wrong_way_round(threshold, truth):
    rng = np.random.default_rng(3)
    scores = rng.normal(truth, 1, 10_000), rng.normal(0, 1, 10_000)
    # The split ones find out which side is in; nobody takes an absolute value.
    found = threshold != "bonferroni" and truth != 0
    assert (mu_lower_bound(*scores, threshold=threshold, alpha=0.01) > 0.8) == found
    assert mu_lower_bound(*scores, threshold=-0.5) == 0
    if not found:
        assert mu_lower_bound(*scores, threshold=threshold, alpha=0.01) == 0
        assert epsilon_lower_bound(*scores, threshold=threshold, alpha=0.01) == 0


@pytest.mark.parametrize("threshold", ["midpoint", "search", 0.5])
def test_mu_bound_is_near_and_below_the_truth(threshold):
    rng = np.random.default_rng(0)
    scores = rng.normal(1, 1, 50_000), rng.normal(0, 1, 50_000)
    bound = mu_lower_bound(*scores, threshold=threshold, alpha=1e-3)
    assert 0.9 < bound <= 1.0
    if threshold != 0.5:
        swapped = mu_lower_bound(*scores[::-1], threshold=threshold, alpha=1e-3)
        assert swapped == pytest.approx(bound, abs=0.05)


@pytest.mark.parametrize("threshold", ["midpoint", "search", "bonferroni", 0.5])
def test_mu_bound_errs_as_seldom_as_it_says(threshold):
    rng = np.random.default_rng(1)
    n_runs = 500
    wrong = sum(
        mu_lower_bound(*rng.normal([[1], [0]], 1, (2, 200)), threshold=threshold, alpha=0.1) > 1.0
        for _ in range(n_runs)
    )
    assert stats.binomtest(wrong, n_runs, 0.1, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("threshold", ["midpoint", "search", "bonferroni", 0.0])
def test_epsilon_bound_errs_as_seldom_as_it_says(threshold):
    """On randomised response, where the bound on epsilon is as tight as can be."""
    rng = np.random.default_rng(2)
    n_runs, epsilon = 500, 1.0
    yes = 1 / (1 + np.exp(-epsilon))
    wrong = 0
    for _ in range(n_runs):
        coins = rng.random((2, 300)) < np.array([[yes], [1 - yes]])
        scores = np.where(coins, 1.0, -1.0)
        wrong += epsilon_lower_bound(*scores, threshold=threshold, alpha=0.1) > epsilon
    assert stats.binomtest(wrong, n_runs, 0.1, alternative="greater").pvalue > 1e-3


def test_sorted_scores_prove_no_more():
    """Every other score chooses the threshold: order can't move it."""
    rng = np.random.default_rng(4)
    scores = rng.normal([[1], [0]], 1, (2, 20_000))
    for threshold in ("midpoint", "search"):
        assert mu_lower_bound(*np.sort(scores), threshold=threshold) < 1.02
        assert mu_lower_bound(*np.sort(scores)[:, ::-1], threshold=threshold) < 1.02


def test_epsilon_bound_is_near_and_below_the_truth():
    rng = np.random.default_rng(2)
    outside, inside = rng.laplace(0, 1, 50_000), rng.laplace(1, 1, 50_000)
    assert 0.8 < epsilon_lower_bound(inside, outside, alpha=1e-3) <= 1.0
    assert 0.8 < epsilon_lower_bound(outside, inside, alpha=1e-3) <= 1.0
    # A scarce event that only one neighbour has is what delta is for.
    inside = np.where(rng.random(50_000) < 0.01, 100.0, inside)
    assert epsilon_lower_bound(inside, outside, threshold=50.0, alpha=1e-3) > 3
    assert epsilon_lower_bound(inside, outside, threshold=50.0, delta=0.02, alpha=1e-3) == 0


def test_the_delta_of_a_gaussian_claim_is_allowed_for():
    """TPR <= Phi(Phi^-1(FPR) + mu) + delta0: a release that fails with delta0 passes."""
    rng = np.random.default_rng(5)
    inside, outside = rng.normal(1, 1, 100_000), rng.normal(0, 1, 100_000)
    inside = np.where(rng.random(100_000) < 0.05, 100.0, inside)
    assert mu_lower_bound(inside, outside, threshold=5.0, alpha=1e-3) > 1.5
    assert mu_lower_bound(inside, outside, threshold=5.0, delta=0.05, alpha=1e-3) < 1.0
    # The other way round: who fails on the neighbour.
    assert mu_lower_bound(-outside, -inside, threshold=-5.0, alpha=1e-3) > 1.5
    assert mu_lower_bound(-outside, -inside, threshold=-5.0, delta=0.05, alpha=1e-3) < 1.0


def test_a_gaussian_bound_is_larger_and_no_bound_for_other_claims():
    """Randomised response proves more mu than its epsilon has as a Gaussian claim."""
    rng = np.random.default_rng(6)
    inside, outside = (rng.random((2, 100_000)) < np.array([[0.75], [0.25]])).astype(float)
    assert epsilon_lower_bound(inside, outside, alpha=1e-3) <= np.log(3)
    mu = mu_lower_bound(inside, outside, alpha=1e-3)
    assert gdp_delta(mu, np.log(3)) > 0.05


def test_hull_against_every_pair_of_points():
    rng = np.random.default_rng(7)
    for _ in range(20):
        inside = rng.integers(0, 30, 40) + rng.integers(0, 6)
        outside = rng.integers(0, 30, 25)
        thresholds, false_negatives, true_negatives = hull_vertices(
            inside.astype(float), outside.astype(float)
        )
        every = np.append(np.unique(np.concatenate([inside, outside])), 99)
        x = np.array([(inside < t).sum() for t in every])
        y = np.array([(outside < t).sum() for t in every])
        on_hull = [
            j
            for j in range(1, every.size - 1)
            if all(
                (y[j] - y[i]) * (x[k] - x[i]) > (y[k] - y[i]) * (x[j] - x[i])
                for i in range(j)
                for k in range(j + 1, every.size)
            )
        ]
        assert thresholds.tolist() == every[on_hull].tolist()
        assert false_negatives.tolist() == x[on_hull].tolist()
        assert true_negatives.tolist() == y[on_hull].tolist()


@pytest.mark.parametrize(("threshold", "counted"), [("midpoint", 50), ("search", 50), (0.5, 100)])
def test_scores_that_choose_are_not_counted(threshold, counted):
    bound = mu_bound(np.ones(100), np.zeros(100), threshold=threshold, alpha=0.1, delta=0.0)
    # No error among n has the upper bound 1 - (alpha / 2)^(1 / n).
    assert bound.fpr_upper == pytest.approx(1 - 0.05 ** (1 / counted))
    assert bound.fnr_upper == bound.fpr_upper


def test_infinite_scores_count():
    scores = np.full(100, np.inf), np.concatenate([np.zeros(99), [-np.inf]])
    assert epsilon_lower_bound(*scores, threshold=1.0) > 3
    assert epsilon_lower_bound(*scores, threshold="bonferroni") > 2
    with pytest.raises(ValueError, match="threshold='search'"):
        mu_lower_bound(*scores)


def test_the_test_behind_a_bound_is_told():
    rng = np.random.default_rng(8)
    inside, outside = rng.normal(2, 1, 2000), rng.normal(0, 1, 2000)
    bound = mu_bound(inside, outside, threshold="midpoint", alpha=0.05, delta=0.0)
    assert bound.threshold == pytest.approx(1.0, abs=0.1)
    assert bound.high_is_in
    for rate in (bound.fpr_upper, bound.fnr_upper):
        assert 0.159 < rate < 0.21
    assert bound.value == pytest.approx(ndtri(1 - bound.fnr_upper) - ndtri(bound.fpr_upper))
    assert not mu_bound(-inside, -outside, threshold="search", alpha=0.05, delta=0).high_is_in


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores_in": [1.0]}, "scores_in must be one-dimensional with at least 2"),
        ({"scores_out": [[1.0, 2.0]]}, "scores_out must be one-dimensional"),
        ({"scores_out": [1.0, np.nan]}, "scores_out contains NaN"),
        ({"alpha": 0.0}, "alpha must be in the range"),
        ({"delta": 1.0}, "delta must be in the range"),
        ({"threshold": "best"}, "threshold must be one of"),
        ({"threshold": float("nan")}, "threshold must be one of"),
        ({"threshold": None}, "threshold must be one of"),
    ],
)
@pytest.mark.parametrize("function", [mu_lower_bound, epsilon_lower_bound])
def test_wrong_input_is_named(function, change, message):
    arguments = {"scores_in": [1.0, 2.0, 3.0], "scores_out": [0.0, 1.0, 2.0]} | change
    with pytest.raises(ValueError, match=message):
        function(**arguments)
