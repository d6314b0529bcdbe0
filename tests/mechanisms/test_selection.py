"""Permute-and-flip: exact probabilities, exact ratios on neighbours, audits."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, stats

from skprivacy.accounting import pure_mu
from skprivacy.attacks import epsilon_lower_bound
from skprivacy.mechanisms import PermuteAndFlip, RandomSource, _selection, random_source

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
RANGE = {"add-remove": 1, "replace-one": 2}


def probabilities(totals, rate):
    """Exact law of the choice, by enumeration of the orders of visit."""
    accept = np.exp(-rate * (np.max(totals) - np.asarray(totals, dtype=float)))
    result = np.zeros(len(totals))
    for order in itertools.permutations(range(len(totals))):
        reached = 1.0
        for candidate in order:
            result[candidate] += reached * accept[candidate]
            reached *= 1 - accept[candidate]
    return result / math.factorial(len(totals))


def select(mechanism, scores, adjacency, source):
    return mechanism.draw(np.asarray(scores), adjacency=adjacency, source=source).value


# The price


@by_adjacency
@pytest.mark.parametrize("epsilon", [1e-6, 0.5, 1.0, 30.0])
def test_price_is_the_budget(adjacency, epsilon):
    loss = PermuteAndFlip(name="x").calibrate(adjacency, epsilon=epsilon).loss(adjacency)
    assert epsilon * (1 - 1e-14) <= loss.epsilon <= epsilon
    assert loss.mu == pytest.approx(pure_mu(epsilon))


@by_adjacency
@pytest.mark.parametrize("mu", [1e-6, 0.3, 1.0, 5.0])
def test_price_in_gaussian_terms_is_the_budget(adjacency, mu):
    loss = PermuteAndFlip(name="x").calibrate(adjacency, mu=mu).loss(adjacency)
    assert mu * (1 - 1e-9) <= loss.mu <= mu


def test_what_has_no_meaning_is_refused():
    mechanism = PermuteAndFlip(name="x")
    with pytest.raises(ValueError, match="adjacency"):
        mechanism.calibrate("add_remove", epsilon=1.0)
    with pytest.raises(ValueError, match="one of mu and epsilon"):
        mechanism.calibrate("add-remove")
    with pytest.raises(ValueError, match="not calibrated"):
        select(mechanism, np.ones((2, 2)), "add-remove", random_source(0))
    mechanism = mechanism.calibrate("add-remove", epsilon=1.0)
    with pytest.raises(ValueError, match="at least one row"):
        select(mechanism, np.ones((0, 2)), "add-remove", random_source(0))


@by_adjacency
def test_receipts_state_the_range(adjacency):
    words = PermuteAndFlip(name="x").unit_sensitivity(adjacency)
    assert words.startswith(str(RANGE[adjacency]))


# The ideal mechanism


def neighbours_of(totals, n_candidates, adjacency):
    """All totals one row away, for rows of scores in {0, 1/2, 1}."""
    rows = list(itertools.product([0, 0.5, 1], repeat=n_candidates))
    if adjacency == "add-remove":
        return [np.add(totals, row) for row in rows]
    # The row that is replaced is part of the totals.
    return [np.add(np.subtract(totals, old), new) for old in rows for new in rows]


@by_adjacency
@pytest.mark.parametrize("epsilon", [0.3, 2.0])
def test_ratios_on_neighbours_by_brute_force(adjacency, epsilon):
    rate = epsilon / RANGE[adjacency]
    worst = 0.0
    for n_candidates in (2, 3):
        for gaps in itertools.product([0, 0.5, 1, 2], repeat=n_candidates - 1):
            totals = np.array([0.0, *gaps])
            law = probabilities(totals, rate)
            for other in neighbours_of(totals, n_candidates, adjacency):
                ratios = np.abs(np.log(probabilities(other, rate) / law))
                worst = max(worst, ratios.max())
    assert 0.999 * epsilon < worst <= epsilon * (1 + 1e-12)


def test_the_monotonic_case_needs_add_remove():
    """Range 1 under replace-one would cost twice the epsilon that is charged."""
    law = probabilities([1, 1], 1.0)
    assert math.log(law[0] / probabilities([0, 2], 1.0)[0]) == pytest.approx(2.0)


def test_the_law_is_that_of_the_noisy_maximum_with_exponential_noise():
    """Ding et al. (2021): the form in which the proof of privacy is one line."""
    totals, rate = np.array([0.0, 0.7, 1.0, -2.0]), 1.3

    def density(x, winner):
        value = rate * np.exp(-rate * (x - totals[winner])) if x > totals[winner] else 0.0
        for j, total in enumerate(totals):
            if j != winner:
                value *= max(-math.expm1(-rate * (x - total)), 0.0)
        return value

    noisy = [
        integrate.quad(density, 1.0, 40, args=(winner,), limit=200)[0]
        for winner in range(totals.size)
    ]
    np.testing.assert_allclose(noisy, probabilities(totals, rate), atol=1e-8)


# What is drawn


@by_adjacency
@pytest.mark.parametrize("totals", [[2, 2], [3, 1, 2.5], [0, 0, 0, 1], [5]])
def test_choices_follow_the_exact_law(adjacency, totals):
    epsilon, n_draws = 1.5, 3000
    mechanism = PermuteAndFlip(name="x").calibrate(adjacency, epsilon=epsilon)
    # Totals as rows of scores in [0, 1].
    rows = np.clip(np.array(totals) - np.arange(max(math.ceil(max(totals)), 1))[:, None], 0, 1)
    assert np.array_equal(rows.sum(axis=0), totals)
    source = random_source(0)
    chosen = [select(mechanism, rows, adjacency, source) for _ in range(n_draws)]
    counts = np.bincount(chosen, minlength=len(totals))
    expected = n_draws * probabilities(totals, epsilon / RANGE[adjacency])
    if len(totals) == 1:
        assert counts[0] == n_draws
    else:
        assert stats.chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 2**64, 2**64 + 1, 3 * 2**70])
def test_uniform_integers_of_any_size(bound):
    source = random_source(1)
    values = [_selection._uniform(bound, source) for _ in range(2000)]
    assert min(values) >= 0
    assert max(values) < bound
    bins = [int(value * min(bound, 7) // bound) for value in values]
    if bound > 1:
        counts = np.bincount(bins, minlength=min(bound, 7))
        assert stats.chisquare(counts).pvalue > 1e-4


class ScriptedSource(RandomSource):
    def __init__(self, words):
        self.left = list(words)

    def words(self, n):
        taken, self.left = self.left[:n], self.left[n:]
        return np.array(taken, dtype=np.uint64)


def test_the_incomplete_last_cycle_is_drawn_again():
    assert _selection._uniform(3, ScriptedSource([2**64 - 1, 5])) == 2
    assert _selection._uniform(2**64 + 1, ScriptedSource([2**64 - 1, 2**64 - 1, 7, 0])) == 7


@pytest.mark.parametrize("x", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(5, 2)])
def test_coins_of_probability_exp_minus_x(x):
    source = random_source(2)
    n_coins = 4000
    heads = sum(_selection._bernoulli_exp(x, source) for _ in range(n_coins))
    assert stats.binomtest(heads, n_coins, math.exp(-x)).pvalue > 1e-4


# What a row contributes

scores = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.0, math.inf, -math.inf, math.nan, 1e300, 5e-324]),
    st.floats(0, 1),
    st.floats(),
)


@pytest.fixture
def captured(monkeypatch):
    """Capture the exact gaps and the rate in place of a choice."""
    calls = []

    def capture(gaps, rate, source):
        calls.append((gaps, rate))
        return 0

    monkeypatch.setattr(_selection, "_permute_and_flip", capture)
    return calls


def one_row_apart(captured, adjacency, first, second, epsilon):
    """Changes of the score differences between all candidates, times the rate, exactly."""
    captured.clear()
    mechanism = PermuteAndFlip(name="x").calibrate(adjacency, epsilon=epsilon)
    for rows in (first, second):
        select(mechanism, rows, adjacency, random_source(0))
    (gaps, rate), (other, other_rate) = captured
    assert rate == other_rate
    changes = [Fraction(mine - its) * rate for mine, its in zip(gaps, other, strict=True)]
    return max(changes) - min(changes), Fraction(mechanism.loss(adjacency).epsilon)


@by_adjacency
@settings(max_examples=60)
@given(data=st.data(), epsilon=st.sampled_from([1e-6, 1.0, 50.0]))
def test_no_row_passes_the_range(adjacency, data, epsilon):
    n_candidates = data.draw(st.integers(1, 5))
    rows = data.draw(arrays(np.float64, (4, n_candidates), elements=scores))
    first = rows[:2] if adjacency == "add-remove" else rows[:3]
    second = rows[[0, 1, 3]]
    with pytest.MonkeyPatch.context() as patch:
        captured = []
        patch.setattr(
            _selection,
            "_permute_and_flip",
            lambda gaps, rate, source: captured.append((gaps, rate)) or 0,
        )
        change, claimed = one_row_apart(captured, adjacency, first, second, epsilon)
    assert change <= claimed


@by_adjacency
@pytest.mark.parametrize("epsilon", [1e-6, 1.0, 50.0])
def test_the_worst_row_reaches_the_range(captured, adjacency, epsilon):
    row, other = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    base = np.array([[0.5, 0.5]])
    first = base if adjacency == "add-remove" else np.vstack([base, other])
    change, claimed = one_row_apart(captured, adjacency, first, np.vstack([base, row]), epsilon)
    assert Fraction(999, 1000) * claimed <= change <= claimed


def test_totals_do_not_depend_on_order_blocks_or_layout(captured):
    rows = np.random.default_rng(0).uniform(-0.2, 1.2, size=(8192 + 50, 3)).astype(np.float32)
    mechanism = PermuteAndFlip(name="x").calibrate("add-remove", epsilon=1.0)
    for other in (
        rows,
        rows.astype(np.float64),
        rows[::-1],
        np.asfortranarray(rows),
        np.repeat(rows, 2, axis=0)[::2],
        lambda: (rows[i : i + 1] for i in range(len(rows))),
    ):
        mechanism.draw(other, adjacency="add-remove", source=random_source(0))
    assert len(captured) == 6
    assert all(call == captured[0] for call in captured)


# Audits


def audit(adjacency, epsilon, n_draws):
    """The trailing one of two candidates, a range further behind on the neighbour."""
    mechanism = PermuteAndFlip(name="x").calibrate(adjacency, epsilon=epsilon)
    if adjacency == "add-remove":
        pair = [[0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]
    else:
        pair = [[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]
    source = random_source(3)
    chosen = [[select(mechanism, rows, adjacency, source) for _ in range(n_draws)] for rows in pair]
    return epsilon_lower_bound(*chosen[::-1], threshold=0.5, alpha=ALPHA)


@by_adjacency
def test_audit_finds_no_violation_and_finds_halved_noise(adjacency):
    epsilon = 1.5
    assert 0.75 * epsilon < audit(adjacency, epsilon, 4000) <= epsilon
    with halved_noise():
        assert audit(adjacency, epsilon, 4000) > 1.3 * epsilon


@pytest.mark.slow
@by_adjacency
@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0])
def test_audit_at_full_size(adjacency, epsilon):
    bound = audit(adjacency, epsilon, 30_000)
    assert 0.7 * epsilon < bound <= epsilon
