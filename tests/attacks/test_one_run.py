"""Audits by one fit: theorems against other implementations, and how often they err."""

import itertools
import math
import time

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr, ndtri

from skprivacy.accounting import gdp_epsilon, gdp_mu
from skprivacy.attacks import one_run_bound, one_run_epsilon, one_run_mu, one_run_p_value
from skprivacy.attacks._one_run import one_run


def deterministic_normals(mean, size):
    levels = np.linspace(0, 1, size, endpoint=False) + 1 / (2 * size)
    return ndtri(levels) + mean


@pytest.mark.parametrize(
    ("shift", "steinke", "f_dp"),
    [(0, 0, 0), (1, 1.13346, 2.164749), (2, 2.311945, 4.7218075), (4, 4.395568, 9.133752)],
)
def test_table_of_jax_privacy(shift, steinke, f_dp):
    scores = deterministic_normals(shift, 10_000), deterministic_normals(0, 10_000)
    for method, expected in (("steinke", steinke), ("f-dp", f_dp)):
        start = time.perf_counter()
        bound = one_run_bound(*scores, delta=1e-6, method=method, guesses="in")
        assert time.perf_counter() - start < 10
        assert bound == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("counts", "delta", "epsilon", "f_dp"),
    [
        ((1000, 100, 90), 1e-6, 1.6303580, 2.7686827),
        ((100, 100, 99), 1e-3, 2.8409636, 5.0855974),
        ((10_000, 500, 480), 1e-5, 2.7703875, 3.7903606),
    ],
)
def test_examples_of_jax_privacy(counts, delta, epsilon, f_dp):
    assert one_run_epsilon(*counts, delta) == pytest.approx(epsilon, abs=6e-8)
    assert one_run_p_value(*counts, epsilon, delta) == pytest.approx(0.05, rel=1e-6)
    assert gdp_epsilon(one_run_mu(*counts), delta) == pytest.approx(f_dp, rel=1e-6)


def p_value_as_written(m, r, v, epsilon, delta):
    """Theorem 5.2, term by term."""
    binomial = stats.binom(r, math.exp(epsilon) / (1 + math.exp(epsilon)))
    worst = max(sum(binomial.pmf(v - j) for j in range(1, i + 1)) / i for i in range(1, v + 1))
    return min(1.0, binomial.sf(v - 1) + 2 * m * delta * worst)


@pytest.mark.parametrize("counts", [(50, 20, 1), (50, 20, 11), (50, 20, 19), (50, 50, 50)])
@pytest.mark.parametrize("delta", [0.0, 1e-6, 1e-3])
def test_p_value_is_the_theorem_s_and_rises_with_epsilon(counts, delta):
    epsilons = np.linspace(0, 8, 33)
    values = [one_run_p_value(*counts, epsilon, delta) for epsilon in epsilons]
    assert values == pytest.approx([p_value_as_written(*counts, e, delta) for e in epsilons])
    # So that what is refuted is an interval, up to where the p-value is large in any case.
    assert all(b >= a for a, b in itertools.pairwise(values) if a < 0.5)


def recursion_as_written(m, r, v, mu, alpha):
    """Algorithm 3 of Mahloujifar, Melis and Chaudhuri, index by index."""
    right, wrong = np.zeros(r + 1), np.zeros(r + 1)
    right[v], wrong[v] = alpha * v / m, alpha * (r - v) / m
    for i in range(v - 1, -1, -1):
        inverse = ndtr(ndtri(min(right[i + 1], 1.0)) - mu)
        wrong[i] = max(wrong[i + 1], inverse)
        right[i] = right[i + 1] + i / (r - i) * (wrong[i] - wrong[i + 1])
    return right[0] + wrong[0] >= r / m


@pytest.mark.parametrize("counts", [(100, 60, 45), (100, 100, 80), (1000, 300, 200)])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_mu_is_where_the_recursion_ends(counts, alpha):
    mu = one_run_mu(*counts, alpha)
    assert mu > 0
    assert recursion_as_written(*counts, mu * (1 - 1e-6), alpha)
    assert not recursion_as_written(*counts, mu * (1 + 1e-6), alpha)


def test_no_right_guess_and_half_right_prove_nothing():
    assert one_run_p_value(10, 5, 0, 1.0, 1e-6) == 1
    for counts in ((10, 5, 0), (100, 50, 25), (10, 0, 0)):
        assert one_run_epsilon(*counts, 1e-6) == 0
        assert one_run_mu(*counts) == 0
    scores = np.zeros(20), np.zeros(20)
    for guesses in ("in", "both"):
        for method in ("steinke", "f-dp"):
            assert one_run_bound(*scores, delta=0.0, guesses=guesses, method=method) == 0


def test_without_delta_the_bound_is_a_binomial_s():
    epsilon = one_run_epsilon(1000, 200, 150, 0.0, 0.01)
    chance = 1 / (1 + math.exp(-epsilon))
    assert stats.binom.sf(149, 200, chance) == pytest.approx(0.01)
    assert one_run_epsilon(1000, 200, 150, 1e-12, 0.01) == pytest.approx(epsilon, rel=1e-6)


def ideal_canaries(rng, mu, m):
    """Scores of canaries that don't touch each other, each mu-GDP by itself."""
    inside = rng.random(m) < 0.5
    scores = rng.normal(mu * inside, 1)
    return scores[inside], scores[~inside]


@pytest.mark.parametrize("guesses", ["both", "in"])
@pytest.mark.parametrize("method", ["steinke", "f-dp"])
def test_bound_passes_the_truth_as_seldom_as_it_says(method, guesses):
    rng = np.random.default_rng(0)
    n_runs, mu, delta, alpha = 100, 1.0, 1e-3, 0.1
    truth = gdp_epsilon(mu, delta)
    wrong = sum(
        one_run_bound(
            *ideal_canaries(rng, mu, 300), delta=delta, alpha=alpha, method=method, guesses=guesses
        )
        > truth
        for _ in range(n_runs)
    )
    assert stats.binomtest(wrong, n_runs, alpha, alternative="greater").pvalue > 1e-3


def test_theorem_is_tight_for_randomised_response():
    """There the number right is the binomial itself: errors come near alpha, and no higher."""
    rng = np.random.default_rng(1)
    n_runs, epsilon, r, alpha = 2000, 1.0, 100, 0.1
    right = rng.binomial(r, 1 / (1 + math.exp(-epsilon)), n_runs)
    wrong = sum(one_run_epsilon(r, r, int(v), 0.0, alpha) > epsilon for v in right)
    assert stats.binomtest(wrong, n_runs, alpha, alternative="greater").pvalue > 1e-3
    assert wrong > 0.03 * n_runs


@pytest.mark.parametrize(
    ("epsilon", "m", "steinke", "f_dp"),
    [(3, 1000, 1.07, 1.42), (3, 4000, 1.37, 1.77), (8, 1000, 2.71, 4.13), (8, 4000, 3.39, 4.87)],
)
def test_ideal_canaries_prove_what_was_measured(epsilon, m, steinke, f_dp):
    rng = np.random.default_rng(2)
    mu, delta = gdp_mu(epsilon, 1e-5), 1e-5
    for method, expected in (("steinke", steinke), ("f-dp", f_dp)):
        bounds = [
            one_run_bound(*ideal_canaries(rng, mu, m), delta=delta, method=method) for _ in range(8)
        ]
        assert np.mean(bounds) == pytest.approx(expected, abs=0.25 * expected)
        assert max(bounds) < epsilon


def test_an_audit_of_thousands_of_canaries_is_quick():
    scores = ideal_canaries(np.random.default_rng(3), 1.0, 10_000)
    for method in ("steinke", "f-dp"):
        for guesses in ("both", "in"):
            start = time.perf_counter()
            one_run_bound(*scores, delta=1e-5, method=method, guesses=guesses)
            assert time.perf_counter() - start < 5


def test_ties_are_not_broken_by_the_order_of_the_rows():
    """Equal scores tell nothing: half of such guesses are right."""
    _, (guessed, right) = one_run(
        np.zeros(500), np.zeros(500), delta=0, alpha=0.05, method="steinke", guesses="both"
    )
    assert abs(right - guessed / 2) <= 3 * math.sqrt(guessed) / 2


@pytest.mark.parametrize(
    ("counts", "delta", "message"),
    [((10, 11, 5), 0.0, "0 <= v"), ((10, 5, 6), 0.0, "0 <= v"), ((10, 5, 3), 1.0, "delta must")],
)
def test_wrong_counts_are_named(counts, delta, message):
    with pytest.raises(ValueError, match=message):
        one_run_epsilon(*counts, delta)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"method": "x"}, "method must be"), ({"guesses": "x"}, "guesses must be")],
)
def test_wrong_options_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        one_run_bound([1.0, 2.0], [0.0, 1.0], delta=0.0, **change)
