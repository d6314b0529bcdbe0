"""The audits' own tools: their bounds hold, come near the truth, and see a planted fault."""

import math
from fractions import Fraction

import numpy as np
import pytest
from auditing import (
    clopper_pearson,
    epsilon_lower_bound,
    halved_noise,
    mu_lower_bound,
    record,
    replay,
    transcript_epsilon,
    transcript_mu_squared,
)
from scipy import stats

from skprivacy.mechanisms import GaussianSum, LaplaceSum, random_source


@pytest.mark.parametrize("count", [0, 1, 37, 99, 100])
def test_clopper_pearson_inverts_the_binomial_tails(count):
    low, high = clopper_pearson(count, 100, 0.01)
    if count > 0:
        assert stats.binom.sf(count - 1, 100, low) == pytest.approx(0.01)
    if count < 100:
        assert stats.binom.cdf(count, 100, high) == pytest.approx(0.01)
    assert low <= count / 100 <= high


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_mu_bound_is_near_and_below_the_truth(threshold):
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 50_000), rng.normal(1, 1, 50_000)
    bound = mu_lower_bound(first, second, threshold=threshold)
    assert 0.9 < bound <= 1.0
    assert mu_lower_bound(second, first, threshold=threshold) == pytest.approx(bound, abs=0.05)


def test_mu_bound_errs_as_seldom_as_it_says():
    rng = np.random.default_rng(1)
    n_runs = 500
    wrong = sum(
        mu_lower_bound(*rng.normal([[0], [1]], 1, (2, 200)), confidence=0.9) > 1.0
        for _ in range(n_runs)
    )
    assert stats.binomtest(wrong, n_runs, 0.1, alternative="greater").pvalue > 1e-3


def test_epsilon_bound_is_near_and_below_the_truth():
    rng = np.random.default_rng(2)
    first, second = rng.laplace(0, 1, 50_000), rng.laplace(1, 1, 50_000)
    assert 0.8 < epsilon_lower_bound(first, second) <= 1.0
    # A scarce event that only one neighbour has is what delta is for.
    first = np.where(rng.random(50_000) < 0.01, 100.0, first)
    assert epsilon_lower_bound(first, second, threshold=50.0) > 3
    assert epsilon_lower_bound(first, second, threshold=50.0, delta=0.02) == 0


def test_equal_laws_prove_nothing():
    first, second = np.random.default_rng(3).normal(size=(2, 10_000))
    assert mu_lower_bound(first, second) == 0
    assert epsilon_lower_bound(first, second) == 0


def a_sum(mechanism, rows, seed=0):
    def run():
        return mechanism.draw(
            np.array(rows), adjacency="add-remove", source=random_source(seed)
        ).value

    return run


def test_transcripts_are_exact_and_condition_on_the_outputs():
    mechanism = GaussianSum(name="sum").calibrate("add-remove", mu=0.5)
    first = record(a_sum(mechanism, [[0.0, 0.0]]))
    second = replay(a_sum(mechanism, [[0.0, 0.0], [0.0, -1.0]], seed=1), first)
    assert (first.result == second.result).all()
    assert (first.result == a_sum(mechanism, [[0.0, 0.0]])()).all()
    squared = transcript_mu_squared(first, second)
    assert squared <= Fraction(mechanism.loss("add-remove").mu) ** 2
    assert math.sqrt(squared) == pytest.approx(0.5)

    mechanism = LaplaceSum(name="sum").calibrate("add-remove", epsilon=0.5)
    first = record(a_sum(mechanism, [[0.0, 0.0]]))
    second = replay(a_sum(mechanism, [[0.0, 0.0], [0.5, -0.5]]), first)
    assert float(transcript_epsilon(first, second)) == pytest.approx(0.5)


def test_a_scale_or_shape_that_depends_on_the_rows_is_seen():
    mechanism = GaussianSum(name="sum").calibrate("add-remove", mu=0.5)
    first = record(a_sum(mechanism, [[1.0, 0.0]]))
    with pytest.raises(AssertionError, match="shape tells"):
        replay(a_sum(mechanism, [[1.0]]), first)
    with pytest.raises(AssertionError, match="noise tells"):
        replay(a_sum(mechanism.calibrate("add-remove", mu=0.4), [[1.0, 0.0]]), first)
    with pytest.raises(AssertionError, match="fewer"):
        replay(lambda: None, first)


def test_halved_noise_is_halved_and_ends():
    mechanism = GaussianSum(name="sum").calibrate("add-remove", mu=0.5)
    with halved_noise():
        halved = mechanism.draw(
            np.ones((1, 1)), adjacency="add-remove", source=random_source(0)
        ).noise_scale
    whole = mechanism.draw(
        np.ones((1, 1)), adjacency="add-remove", source=random_source(0)
    ).noise_scale
    assert halved == pytest.approx(whole / 2)
