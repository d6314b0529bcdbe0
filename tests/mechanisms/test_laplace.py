"""Laplace releases: no row passes its L1 sensitivity, the worst one reaches it, audits hold."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skprivacy.accounting import laplace_mu
from skprivacy.attacks import epsilon_lower_bound, record, replay, transcript_epsilon
from skprivacy.mechanisms import LaplaceHistogram, LaplaceSum, random_source

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])

EPSILONS = [1e-100, 1e-4, 1.0, 1000.0, 1e9]
MECHANISMS = {"sum": LaplaceSum(name="x"), "histogram": LaplaceHistogram(name="x")}
by_mechanism = pytest.mark.parametrize("which", MECHANISMS)
N_CELLS = 4


def options_of(mechanism):
    return {"n_cells": N_CELLS} if isinstance(mechanism, LaplaceHistogram) else {}


def release(mechanism, rows, adjacency, seed=0):
    source = random_source(seed)
    return lambda: mechanism.draw(rows, adjacency=adjacency, source=source, **options_of(mechanism))


def distance(mechanism, first, second, adjacency):
    transcript = record(release(mechanism, first, adjacency))
    return transcript_epsilon(
        transcript, replay(release(mechanism, second, adjacency, seed=1), transcript)
    )


def neighbours(base, row, other, adjacency):
    if adjacency == "add-remove":
        return base, np.vstack([base, row])
    return np.vstack([base, other]), np.vstack([base, row])


def worst_pair(which, adjacency, n_columns):
    if which == "sum":
        row = np.full(n_columns, 1 / n_columns)
        return neighbours(np.zeros((1, n_columns)), row, -row, adjacency)
    return neighbours(
        np.zeros((1, n_columns)), np.full(n_columns, N_CELLS - 1.0), np.zeros(n_columns), adjacency
    )


# The price


@by_mechanism
@by_adjacency
@pytest.mark.parametrize("epsilon", [1e-100, 1e-4, 1.0, 50.0, 1e9])
def test_price_is_the_budget(which, adjacency, epsilon):
    loss = MECHANISMS[which].calibrate(adjacency, epsilon=epsilon).loss(adjacency)
    assert epsilon * (1 - 1e-14) <= loss.epsilon <= epsilon
    assert loss.delta == 0
    assert loss.mu == pytest.approx(laplace_mu(epsilon))


@by_mechanism
@by_adjacency
@pytest.mark.parametrize("mu", [1e-6, 0.3, 1.0, 6.0])
def test_price_in_gaussian_terms_is_the_budget(which, adjacency, mu):
    loss = MECHANISMS[which].calibrate(adjacency, mu=mu).loss(adjacency)
    assert mu * (1 - 1e-9) <= loss.mu <= mu


@by_mechanism
def test_budgets_at_the_ends(which):
    lavish = MECHANISMS[which].calibrate("add-remove", epsilon=1e100)
    assert lavish.loss("add-remove").epsilon <= 2.0**30
    value = release(lavish, np.array([[1.0, 0.0]]), "add-remove")().value
    assert np.isfinite(value).all()
    with pytest.raises(ValueError, match="too small"):
        MECHANISMS[which].calibrate("add-remove", epsilon=1e-130)
    with pytest.raises(ValueError, match="one of mu and epsilon"):
        MECHANISMS[which].calibrate("add-remove")


@by_mechanism
def test_what_has_no_meaning_is_refused(which):
    with pytest.raises(ValueError, match="adjacency"):
        MECHANISMS[which].calibrate("add_remove", epsilon=1.0)
    mechanism = MECHANISMS[which].calibrate("add-remove", epsilon=1.0)
    with pytest.raises(ValueError, match="adjacency"):
        mechanism.loss("add_remove")
    with pytest.raises(ValueError, match="not calibrated"):
        release(MECHANISMS[which], np.ones((2, 2)), "add-remove")()
    with pytest.raises(ValueError, match="at least one row"):
        release(mechanism, np.ones((0, 2)), "add-remove")()


STATED = {"1": 1, "2": 2, "d": 5, "2 d": 10}


@by_mechanism
@by_adjacency
def test_receipts_state_the_sensitivity_in_use(which, adjacency):
    mechanism = replace(MECHANISMS[which], noise_multiplier=3.0)
    words = mechanism.unit_sensitivity(adjacency).split(" (")[0]
    scale = release(mechanism, np.ones((2, 5)), adjacency)().noise_scale
    assert scale == pytest.approx(3.0 * STATED[words])


# No row passes its sensitivity

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 2.0, 1e-300, -1e300, math.inf, -math.inf, math.nan]),
    st.floats(-4, 4),
    st.floats(),
)


@st.composite
def neighbouring_rows(draw):
    n_columns = draw(st.integers(1, 5))
    rows = draw(arrays(np.float64, (4, n_columns), elements=numbers))
    return rows[:2], rows[2], rows[3]


@by_mechanism
@by_adjacency
@settings(max_examples=50)
@given(pair=neighbouring_rows(), epsilon=st.sampled_from(EPSILONS))
def test_no_row_passes_the_sensitivity(which, adjacency, pair, epsilon):
    mechanism = MECHANISMS[which].calibrate(adjacency, epsilon=epsilon)
    claimed = Fraction(mechanism.loss(adjacency).epsilon)
    assert distance(mechanism, *neighbours(*pair, adjacency), adjacency) <= claimed


@by_mechanism
@by_adjacency
@pytest.mark.parametrize("epsilon", EPSILONS[1:-1])
@pytest.mark.parametrize("n_columns", [1, 8, 60])
def test_the_worst_row_reaches_the_sensitivity(which, adjacency, epsilon, n_columns):
    mechanism = MECHANISMS[which].calibrate(adjacency, epsilon=epsilon)
    claimed = Fraction(mechanism.loss(adjacency).epsilon)
    reached = distance(mechanism, *worst_pair(which, adjacency, n_columns), adjacency)
    assert claimed * Fraction(95, 100) <= reached <= claimed


@by_mechanism
def test_totals_do_not_depend_on_order_blocks_or_layout(which):
    mechanism = MECHANISMS[which].calibrate("add-remove", epsilon=5.0)
    rows = np.random.default_rng(1).normal(0, 0.5, size=(8192 + 60, 5)).astype(np.float32)
    if which == "histogram":
        rows = np.rint(3 * rows)
    expected = release(mechanism, rows.astype(np.float64), "add-remove")().value
    for other in (
        rows,
        rows[::-1],
        np.asfortranarray(rows),
        np.repeat(rows, 2, axis=0)[::2],
        lambda: (rows[i : i + 1] for i in range(len(rows))),
    ):
        assert np.array_equal(release(mechanism, other, "add-remove")().value, expected)


def test_values_are_the_statistics():
    rng = np.random.default_rng(2)
    rows = rng.uniform(-0.2, 0.2, size=(300, 3))
    least = {"noise_multiplier": 2.0**-30}
    total = release(LaplaceSum(name="x", **least), rows, "replace-one")().value
    np.testing.assert_allclose(total, rows.sum(axis=0), atol=1e-6)
    codes = np.array([[0, 3], [1, -1], [1, 4]])
    counts = release(LaplaceHistogram(name="x", **least), codes, "replace-one")().value
    np.testing.assert_allclose(counts, [[1, 2, 0, 0], [0, 0, 0, 1]], atol=1e-6)
    weights = np.array([0.5, 7.0, math.nan])
    mechanism = LaplaceHistogram(name="x", **least)
    counts = mechanism.draw(
        codes, n_cells=2, adjacency="add-remove", source=random_source(0), weights=weights
    ).value
    np.testing.assert_allclose(counts, [[0.5, 1.0], [0, 0]], atol=1e-6)


@by_mechanism
@by_adjacency
def test_noise_has_the_scale_that_is_reported(which, adjacency):
    mechanism = MECHANISMS[which].calibrate(adjacency, epsilon=0.7)
    draw = release(mechanism, np.full((3, 3), 0.3), adjacency)
    draws = [draw() for _ in range(1000)]
    values = np.array([draw.value for draw in draws]).reshape(1000, -1)
    # The mean size of Laplace noise is its scale, with relative standard deviation 1.
    deviations = np.abs(values - np.median(values, axis=0)).mean(axis=0)
    assert np.abs(deviations / draws[0].noise_scale - 1).max() < 5 / math.sqrt(1000)


# Audits


def audit(which, adjacency, epsilon, n_draws):
    """Lower bound on epsilon from the likelihood ratio on the worst pair."""
    mechanism = MECHANISMS[which].calibrate(adjacency, epsilon=epsilon)
    pair = worst_pair(which, adjacency, 1)
    exact = replace(mechanism, noise_multiplier=2.0**-30)
    first, second = (np.ravel(release(exact, rows, adjacency)().value) for rows in pair)
    scores = []
    for seed, rows in enumerate(pair):
        draw = release(mechanism, rows, adjacency, seed)
        values = np.array([np.ravel(draw().value) for _ in range(n_draws)])
        scores.append((np.abs(values - first) - np.abs(values - second)).sum(axis=1))
    # The ratio is at its largest when all coordinates lie beyond both centres.
    most = np.abs(second - first).sum()
    return epsilon_lower_bound(*scores[::-1], threshold=0.999 * most, alpha=ALPHA)


@by_mechanism
@by_adjacency
def test_audit_finds_no_violation_and_finds_halved_noise(which, adjacency):
    epsilon = 1.5
    assert 0.6 * epsilon < audit(which, adjacency, epsilon, 4000) <= epsilon
    with halved_noise():
        assert audit(which, adjacency, epsilon, 4000) > epsilon


@pytest.mark.slow
@by_mechanism
@by_adjacency
@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0])
def test_audit_at_full_size(which, adjacency, epsilon):
    bound = audit(which, adjacency, epsilon, 60_000)
    assert 0.7 * epsilon < bound <= epsilon
