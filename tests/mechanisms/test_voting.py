"""Noisy votes: anchors, sensitivity whatever a teacher does, laws of noise and deal, audits."""

import math

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.exceptions import ReleaseError
from skprivacy.mechanisms import ConfidentVotes, GaussianVotes, random_source
from skprivacy.mechanisms._voting import count_votes

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
T, Q, K = 12, 5, 3


def draw(mechanism, values, adjacency="add-remove", seed=0, vote=None, **options):
    """Release votes of teachers that answer with the largest value among their rows."""
    values = np.asarray(values, dtype=int)

    def cast(parts):
        for members, own_seed in parts:
            yield (largest if vote is None else vote)(values[members], own_seed)

    sizes = {"n_teachers": T, "n_queries": Q, "n_classes": K, **options}
    return mechanism.draw(
        values.size, cast, adjacency=adjacency, source=random_source(seed), **sizes
    )


def largest(values, seed):
    return np.full(Q, values.max() if values.size else -1)


# The price


@by_adjacency
@pytest.mark.parametrize(
    ("n_queries", "sigma", "epsilon"),
    [(100, 40, 1.35647), (286, 40, 2.43536), (1000, 100, 1.76006)],
)
def test_anchors(adjacency, n_queries, sigma, epsilon):
    """Known prices at delta = 1e-5, where dp-accounting's PLD agrees to five decimals."""
    mechanism = GaussianVotes(name="x", noise_multiplier=sigma / math.sqrt(2 * n_queries))
    assert mechanism.sensitivity(n_queries) == math.sqrt(2 * n_queries)
    assert round(mechanism.loss(adjacency).to_epsilon(1e-5), 5) == epsilon


@by_adjacency
def test_anchor_of_the_confident_votes(adjacency):
    checked, answered = 600 / 150**2, 2 * 286 / 40**2
    mechanism = ConfidentVotes(
        name="x",
        n_answers=286,
        check_share=checked / (checked + answered),
        noise_multiplier=1 / math.sqrt(checked + answered),
    )
    assert mechanism.check_scale(600) == pytest.approx(150)
    assert mechanism.answer_scale(286) == pytest.approx(40)
    loss = mechanism.loss(adjacency)
    assert round(loss.mu, 5) == 0.61981
    assert round(loss.to_epsilon(1e-5), 5) == 2.536


@by_adjacency
@pytest.mark.parametrize("mechanism", [GaussianVotes(name="x"), ConfidentVotes(name="x")])
def test_price_is_the_budget(mechanism, adjacency):
    loss = mechanism.calibrate(adjacency, mu=0.3).loss(adjacency)
    assert 0.3 * (1 - 1e-14) <= loss.mu <= 0.3
    with pytest.raises(ValueError, match="no pure epsilon"):
        mechanism.calibrate(adjacency, epsilon=1.0)
    with pytest.raises(ValueError, match="adjacency"):
        mechanism.calibrate("add_remove", mu=0.3)


@pytest.mark.parametrize("n_queries", [1, 7, 1000])
def test_both_parts_of_the_confident_votes_stay_within_mu(n_queries):
    mechanism = ConfidentVotes(name="x", noise_multiplier=4.0)
    for n_answers in (1, 3, n_queries):
        mu_squared = (
            n_queries / mechanism.check_scale(n_queries) ** 2
            + 2 * n_answers / mechanism.answer_scale(n_answers) ** 2
        )
        assert (1 - 1e-12) / 16 < mu_squared <= 1 / 16


# The release


def test_votes_are_counted_and_the_noise_has_its_scale():
    mechanism = GaussianVotes(name="x", noise_multiplier=2.0)
    exact = count_votes(
        60, lambda parts: (np.arange(Q) % K for _ in parts), T, Q, K, random_source(0)
    )
    assert np.array_equal(exact, T * (np.arange(K) == np.arange(Q)[:, np.newaxis] % K))
    noise = []
    for seed in range(400):
        drawn = draw(mechanism, np.zeros(60), seed=seed, vote=lambda *_: np.arange(Q) % K)
        noise.append(drawn.value.counts - exact)
    assert drawn.noise_scale == pytest.approx(2.0 * math.sqrt(2 * Q))
    assert drawn.value.queries.tolist() == list(range(Q))
    assert stats.kstest(np.ravel(noise), stats.norm(0, drawn.noise_scale).cdf).pvalue > 1e-4


def test_labels_are_the_noisy_winners():
    drawn = draw(
        GaussianVotes(name="x", noise_multiplier=0.01),
        np.zeros(60),
        vote=lambda *_: np.arange(Q) % K,
    )
    assert drawn.value.labels().tolist() == (np.arange(Q) % K).tolist()


def test_noise_breaks_ties_fairly():
    """Without a vote every class wins equally often, also where the noise is tiny."""
    mechanism = GaussianVotes(name="x", noise_multiplier=0.01)
    drawn = draw(mechanism, [], vote=lambda *_: np.full(3000, -1), n_queries=3000)
    assert stats.chisquare(np.bincount(drawn.value.labels(), minlength=K)).pvalue > 1e-4


def test_huge_noise_can_be_drawn():
    counts = draw(GaussianVotes(name="x", noise_multiplier=2.0**100), np.zeros(60)).value.counts
    assert np.isfinite(counts).all()


def test_each_row_is_dealt_by_a_fair_coin_of_its_own():
    """Another row, wherever it is, changes no other row's teacher: its coin is its own."""
    seen = []

    def deal(n_rows):
        def cast(parts):
            teacher = np.full(n_rows, -1)
            seen.append(teacher)
            for t, (members, _) in enumerate(parts):
                teacher[members] = t
                yield np.full(Q, -1)

        count_votes(n_rows, cast, T, Q, K, random_source(3))

    deal(6000)
    deal(6001)
    assert (seen[0] >= 0).all()
    assert np.array_equal(seen[0], seen[1][:-1])
    assert stats.chisquare(np.bincount(seen[0], minlength=T)).pvalue > 1e-4
    # Rows side by side go to any two teachers equally often.
    pairs = np.bincount(seen[0][::2] * T + seen[0][1::2], minlength=T * T)
    assert stats.chisquare(pairs).pvalue > 1e-4


def test_seeds_are_the_teachers_own_whatever_the_rows():
    def seeds(n_rows):
        found = []

        def cast(parts):
            for _, seed in parts:
                found.append(seed)
                yield np.full(Q, -1)

        count_votes(n_rows, cast, T, Q, K, random_source(3))
        return found

    assert seeds(10) == seeds(1000)
    assert len(set(seeds(10))) == T


# Sensitivity, whatever a teacher does


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.integers(-2, K + 2), min_size=1, max_size=40),
    other=st.integers(-2, K + 2),
    adjacency=st.sampled_from(["add-remove", "replace-one"]),
    rule=st.integers(0, 2**31),
)
def test_one_row_moves_one_vote_a_query(values, other, adjacency, rule):
    """For any function of a teacher's rows and seed, codes out of range included."""

    def counts(values):
        values = np.asarray(values)

        def cast(parts):
            for members, seed in parts:
                content = hash((seed, rule, *values[members].tolist()))
                yield np.random.default_rng(abs(content)).integers(-3, K + 3, size=Q)

        return count_votes(values.size, cast, T, Q, K, random_source(0))

    neighbour = values[:-1] if adjacency == "add-remove" else [*values[:-1], other]
    moved = counts(values) - counts(neighbour)
    assert (moved**2).sum() <= 2 * Q
    assert np.abs(counts(values).max(axis=1) - counts(neighbour).max(axis=1)).max() <= 1


@pytest.mark.parametrize(
    "ballot",
    [np.zeros((Q, 2), dtype=int), np.zeros(Q + 1, dtype=int), np.zeros(Q), np.eye(Q, K)],
    ids=["two votes a query", "too many queries", "no integers", "a vote in every class"],
)
def test_more_than_one_vote_a_query_is_refused(ballot):
    with pytest.raises(ReleaseError, match="one integer code for each query"):
        draw(GaussianVotes(name="x", noise_multiplier=1.0), np.zeros(9), vote=lambda *_: ballot)


def test_ballots_beyond_the_teachers_are_not_counted():
    def stuffing(parts):
        for _ in parts:
            yield np.zeros(Q, dtype=int)
        yield from [np.ones(Q, dtype=int)] * 1000

    votes = count_votes(20, stuffing, T, Q, K, random_source(0))
    assert votes.sum() == T * Q


# The confident votes


def test_only_what_the_teachers_agree_on_is_answered():
    """Queries 0 and 2 are agreed on, 1 is torn, and 3 and 4 get no votes."""

    def vote(values, seed):
        return np.array([0, seed % 2, 1, -1, -1])

    mechanism = ConfidentVotes(name="x", noise_multiplier=0.02, n_answers=Q, threshold=0.75)
    drawn = draw(mechanism, np.zeros(60), vote=vote)
    assert drawn.value.queries.tolist() == [0, 2]
    assert drawn.value.labels().tolist() == [0, 1]
    assert drawn.noise_scale.tolist() == [mechanism.check_scale(Q), mechanism.answer_scale(2)]


def test_no_more_than_the_cap_is_answered_and_at_least_one():
    everything = ConfidentVotes(name="x", noise_multiplier=0.02, n_answers=2)
    assert draw(everything, np.zeros(60)).value.queries.size == 2
    nothing = ConfidentVotes(name="x", noise_multiplier=0.02)
    assert draw(nothing, [], vote=lambda *_: np.full(Q, -1)).value.queries.size == 1
    half = ConfidentVotes(name="x", noise_multiplier=0.02)
    assert draw(half, np.zeros(60)).value.queries.size == 3


# Audits. The row that is missing or replaced flips its teacher's vote on every query.


def neighbours(adjacency):
    one = [0] * 40 + [2]
    return one, one[:-1] if adjacency == "add-remove" else [*one[:-1], 0]


def transcripts(mechanism, adjacency):
    runs = [lambda v=v: draw(mechanism, v, adjacency) for v in neighbours(adjacency)]
    first = record(runs[0])
    return first, replay(runs[1], first)


@by_adjacency
def test_transcript_uses_its_price_up_and_no_more(adjacency):
    mechanism = GaussianVotes(name="x").calibrate(adjacency, mu=0.5)
    spent = float(transcript_mu_squared(*transcripts(mechanism, adjacency)))
    assert 0.95 * 0.25 <= spent <= 0.25
    with halved_noise():
        assert transcript_mu_squared(*transcripts(mechanism, adjacency)) > 3.9 * 0.25


@by_adjacency
def test_transcript_of_the_confident_votes_stays_within_its_price(adjacency):
    mechanism = ConfidentVotes(name="x", n_answers=Q, threshold=0.0).calibrate(adjacency, mu=0.5)
    spent = float(transcript_mu_squared(*transcripts(mechanism, adjacency)))
    assert 0.95 * 0.25 <= spent <= 0.25
    with halved_noise():
        assert transcript_mu_squared(*transcripts(mechanism, adjacency)) > 3.9 * 0.25


def audit(mechanism, adjacency, n_runs):
    """Lower bound on mu: the attacker adds up the evidence of all queries."""

    def scores(values):
        found = []
        for seed in range(n_runs):
            counts = draw(mechanism, values, adjacency, seed).value.counts
            found.append((counts[:, 2] - counts[:, 0]).sum())
        return found

    one, other = neighbours(adjacency)
    return mu_lower_bound(scores(one), scores(other), threshold=Q * (1.0 - T), alpha=ALPHA)


@by_adjacency
def test_audit_finds_no_violation_and_finds_halved_noise(adjacency):
    mechanism = GaussianVotes(name="x").calibrate(adjacency, mu=1.5)
    assert 0.5 < audit(mechanism, adjacency, 1500) <= 1.5
    with halved_noise():
        assert audit(mechanism, adjacency, 1500) > 1.5
