"""Moments of groups: no row passes the sensitivity, the worst one reaches it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skprivacy.accounting import gdp_mu
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.mechanisms import GaussianGroupMoments, random_source
from skprivacy.mechanisms._groups import COUNT, SQUARES, SUM, rounding_grid

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
by_squares = pytest.mark.parametrize("squares", [True, False])
MUS = [1e-100, 1e-9, gdp_mu(1e-4, 1e-6), 0.24, gdp_mu(1000, 1e-6), 1e4, 1e9]
N_GROUPS = 3


def release(mechanism, rows, groups, adjacency, seed=0, weights=None, **changes):
    """Return a function that draws."""
    n_columns = rows.shape[1]
    options = {
        "groups": groups,
        "n_groups": N_GROUPS,
        "low": np.full(n_columns, -2.0),
        "high": np.full(n_columns, 6.0),
        "weights": weights,
    } | changes
    return lambda: mechanism.draw(rows, adjacency=adjacency, source=random_source(seed), **options)


def squared_distance(mechanism, first, second, adjacency):
    """First and second are (rows, groups, weights)."""
    transcript = record(release(mechanism, *first[:2], adjacency, weights=first[2]))
    other = replay(
        release(mechanism, *second[:2], adjacency, seed=1, weights=second[2]), transcript
    )
    return transcript_mu_squared(transcript, other)


def pair(rows, groups, weights, adjacency):
    """All rows but the last two, with one of these and without or with the other."""
    first, last = np.arange(len(rows) - 1), np.arange(len(rows) - 2)
    if adjacency == "replace-one":
        last = np.append(last, len(rows) - 1)
    return [tuple(part[index] for part in (rows, groups, weights)) for index in (first, last)]


numbers = st.one_of(
    st.sampled_from([-2.0, 6.0, 2.0, 1e300, -math.inf, math.inf, math.nan, 5e-324]),
    st.floats(-3, 7),
    st.floats(),
)


@st.composite
def neighbouring_rows(draw):
    n_columns = draw(st.integers(1, 4))
    rows = draw(arrays(np.float64, (4, n_columns), elements=numbers))
    groups = draw(arrays(np.int64, 4, elements=st.integers(-1, N_GROUPS)))
    weight = st.one_of(st.sampled_from([0.0, 1.0, 7.0, math.nan]), st.floats(0, 1.2))
    return rows, groups, draw(arrays(np.float64, 4, elements=weight))


@by_adjacency
@by_squares
@settings(max_examples=80)
@given(neighbours=neighbouring_rows(), mu=st.sampled_from(MUS))
def test_no_row_passes_the_sensitivity(squares, adjacency, neighbours, mu):
    mechanism = GaussianGroupMoments(name="x", squares=squares).calibrate(adjacency, mu=mu)
    claimed = Fraction(mechanism.loss(adjacency).mu) ** 2
    with np.errstate(all="ignore"):
        distance = squared_distance(mechanism, *pair(*neighbours, adjacency), adjacency)
    assert distance <= claimed


@by_squares
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_no_number_passes_no_sensitivity_either(squares, value):
    mechanism = GaussianGroupMoments(name="x", squares=squares).calibrate("add-remove", mu=1.0)
    rows = np.full((2, 3), value), np.zeros(2, dtype=int), np.full(2, math.inf)
    distance = squared_distance(
        mechanism, *pair(*(part[[0, 1, 1]] for part in rows), "add-remove"), "add-remove"
    )
    assert 0.99 <= distance <= 1


@by_adjacency
@by_squares
@pytest.mark.parametrize("mu", MUS[2:-1])
@pytest.mark.parametrize("n_columns", [1, 60])
def test_the_worst_row_reaches_the_sensitivity(squares, adjacency, mu, n_columns):
    mechanism = GaussianGroupMoments(name="x", squares=squares).calibrate(adjacency, mu=mu)
    high, low = np.full(n_columns, 6.0), np.full(n_columns, -2.0)
    rows = np.stack([np.zeros(n_columns), high, low])
    groups = np.array([0, 1, 2 if squares else 1])
    distance = squared_distance(mechanism, *pair(rows, groups, np.ones(3), adjacency), adjacency)
    claimed = Fraction(mechanism.loss(adjacency).mu) ** 2
    assert claimed * Fraction(99, 100) <= distance <= claimed


@by_adjacency
@by_squares
def test_one_column_by_brute_force(squares, adjacency):
    """All pairs of 81 values, two weights and two groups, of what the release really sums."""
    mechanism = GaussianGroupMoments(name="x", squares=squares).calibrate(adjacency, mu=1.0)

    def contribution(value, group, weight):
        one = record(
            release(
                mechanism,
                np.array([[value]]),
                np.array([group]),
                adjacency,
                weights=np.array([weight]),
            )
        )
        return np.concatenate([[float(t) / a.scale for t in a.total.ravel()] for a in one.releases])

    contributions = np.array(
        [contribution(x, k, w) for x in np.linspace(-2, 6, 81) for k in (0, 1) for w in (0.4, 1.0)]
    )
    if adjacency == "add-remove":
        largest = np.linalg.norm(contributions, axis=1).max()
    else:
        largest = np.linalg.norm(contributions[:, None] - contributions, axis=2).max()
    assert 0.999 <= largest <= 1.0


def test_constants_of_the_squares():
    """Per column b^2 p^2 + 4 c^2 p^2 s^2 is at most 4 b^2, so that two groups decide."""
    p = np.linspace(0, 2, 4001)
    assert (p**2 * (SUM + 4 * SQUARES * (2 - p) ** 2)).max() == 4 * SUM == 2.0
    assert pytest.approx(1.0) == COUNT + SUM + SQUARES
    q = np.linspace(0, 2, 4001)
    assert (2 - 5.3 * q + 4.8 * q**2 - 1.2 * q**3).min() > 0.2


def test_the_grid_is_public_and_carries_every_noise():
    for exponent in range(-30, 400, 7):
        multiplier = 1.37 * 2.0**exponent
        grid = rounding_grid(multiplier)
        assert math.frexp(grid)[0] == 0.5
        # A hundred thousand columns divide the noise of a square by root .3 / 1e5.
        assert 0 < 2 * multiplier / math.sqrt(0.3 / 1e5) / grid <= 2.0**48
        assert grid <= multiplier * 2.0**-20 or grid == 2.0**-31 or multiplier >= 2.0**20


def test_beyond_the_faintest_nothing_but_noise_is_released():
    mechanism = GaussianGroupMoments(name="x", noise_multiplier=2.0**20)
    rows = np.full((5, 2), 6.0)
    transcript = record(release(mechanism, rows, np.zeros(5, dtype=int), "add-remove"))
    assert not any(one.total.any() for one in transcript.releases)


@by_squares
def test_values_are_moments_of_the_groups(squares):
    rng = np.random.default_rng(0)
    rows, groups = rng.uniform(-2, 6, (9000, 3)), rng.integers(-1, 4, 9000)
    weights = rng.uniform(0, 1, 9000)
    mechanism = GaussianGroupMoments(name="x", squares=squares, noise_multiplier=1e-6)
    draw = release(mechanism, rows, groups, "add-remove", weights=weights)()
    z = (rows - 2) / 4
    columns = [np.ones((9000, 1)), z, 2 * z**2 - 1][: 3 if squares else 2]
    expected = [(np.hstack(columns) * weights[:, None])[groups == k].sum(axis=0) for k in range(3)]
    assert np.allclose(draw.value, expected, atol=1e-3)
    assert np.allclose(draw.noise_scale, 1e-6 / mechanism.weights(3), rtol=1e-2)
    judged = release(mechanism, z, lambda block: (block[:, 0] > 0).astype(int), "add-remove")()
    assert judged.value[1, 0] == pytest.approx((z[:, 0] > 0).sum(), abs=1e-3)


@by_squares
def test_totals_do_not_depend_on_order_or_blocks(squares):
    rng = np.random.default_rng(1)
    rows, groups = rng.uniform(-3, 7, (8192 + 60, 4)), rng.integers(0, 3, 8252)
    mechanism = GaussianGroupMoments(name="x", squares=squares, noise_multiplier=0.3)
    expected = release(mechanism, rows, groups, "add-remove")().value
    order = rng.permutation(len(rows))
    for other, codes in ((rows[order], groups[order]), (np.asfortranarray(rows), groups)):
        assert np.array_equal(release(mechanism, other, codes, "add-remove")().value, expected)


def test_a_column_of_no_width_is_no_number():
    mechanism = GaussianGroupMoments(name="x", noise_multiplier=1e-6)
    flat = {"low": np.zeros(1), "high": np.zeros(1)}
    value = release(
        mechanism, np.ones((4, 1)), np.zeros(4, dtype=int), "add-remove", **flat
    )().value
    assert np.allclose(value[0], [4, 0, -4], atol=1e-3)


def statistical(n_runs, adjacency):
    mechanism = GaussianGroupMoments(name="x").calibrate(adjacency, mu=2.0)
    rows, groups = np.array([[0.0], [6.0], [-2.0]]), np.array([0, 1, 2])
    first, second = pair(rows, groups, np.ones(3), adjacency)
    direction = np.zeros((3, 3))
    direction[1] = [1.0, 1.0, 1.0]
    if adjacency == "replace-one":
        direction[2] = [-1.0, 1.0, -1.0]
    # The best test projects on the difference, each coordinate by its precision.
    direction *= mechanism.weights(1) ** 2

    def scores(data, seed):
        draw = release(mechanism, *data[:2], adjacency, seed=np.random.default_rng(seed))
        return np.array([(draw().value * direction).sum() for _ in range(n_runs)])

    return mu_lower_bound(scores(first, 0), scores(second, 1), threshold="search", alpha=ALPHA)


@by_adjacency
def test_audit_finds_no_violation_and_finds_halved_noise(adjacency):
    assert 1.5 < statistical(3000, adjacency) <= 2.0
    with halved_noise():
        assert statistical(3000, adjacency) > 2.0
