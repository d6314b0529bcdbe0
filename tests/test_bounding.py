"""Private ranges and norms: what a row can change, what is found, who may know bounds."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from skprivacy import bounding
from skprivacy.attacks import record, replay, transcript_mu_squared
from skprivacy.base import DPEstimator, Release, calibrate
from skprivacy.bounding import (
    RowScaling,
    bounding_assumptions,
    bounding_mechanisms,
    find_norm,
    find_range,
    largest_norm,
    norm_mechanism,
    range_mechanisms,
)
from skprivacy.mechanisms import GaussianSum, random_source, row_norms
from skprivacy.plan import Facts, Plan

ADJACENCIES = ["add-remove", "replace-one"]
by_adjacency = pytest.mark.parametrize("adjacency", ADJACENCIES)


def a_release(mechanisms, *, epsilon=1.0, adjacency="add-remove", seed=0, **facts):
    plan = Plan(
        mechanisms=calibrate(mechanisms, epsilon, 1e-6, adjacency),
        adjacency=adjacency,
        source="test",
    )
    return Release(plan, Facts(adjacency=adjacency, **facts), random_source(seed)), plan


def ranges(X, **options):
    return find_range(X, a_release(range_mechanisms(1.0), **options)[0])


def norm_of(rows, largest, **options):
    return find_norm(rows, largest, a_release([norm_mechanism(1.0)], **options)[0])


def neighbours(base, row, other, adjacency):
    if adjacency == "add-remove":
        return base, np.vstack([base, row])
    return np.vstack([base, other]), np.vstack([base, row])


def transcripts(find, mechanisms, pair, adjacency, epsilon=1.0):
    """Squared mu of the whole transcript, and what the plan claims, both exact."""

    def run(rows, seed):
        release, plan = a_release(mechanisms, epsilon=epsilon, adjacency=adjacency, seed=seed)
        return lambda: (find(rows, release), plan.loss.mu)[1]

    first = record(run(pair[0], 0))
    second = replay(run(pair[1], 1), first)
    return transcript_mu_squared(first, second), Fraction(first.result) ** 2


# What one row can change

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, math.nan, math.inf, -math.inf]),
    st.floats(-10, 10),
    st.floats(),
)


@st.composite
def neighbouring_rows(draw):
    n_columns = draw(st.integers(1, 4))
    rows = draw(arrays(np.float64, (4, n_columns), elements=numbers))
    return rows[:2], rows[2], rows[3]


@by_adjacency
@settings(max_examples=40)
@given(rows=neighbouring_rows(), epsilon=st.sampled_from([1e-4, 1.0, 1000.0]))
def test_no_row_passes_the_price_of_a_range(adjacency, rows, epsilon):
    pair = neighbours(*rows, adjacency)
    # As in a fit, where floating-point warnings are kept in.
    with np.errstate(all="ignore"):
        moved, claimed = transcripts(find_range, range_mechanisms(1.0), pair, adjacency, epsilon)
    assert moved <= claimed


@by_adjacency
@pytest.mark.parametrize("epsilon", [1e-4, 1.0, 1000.0])
@pytest.mark.parametrize("n_columns", [1, 12])
def test_the_worst_row_reaches_the_price_of_a_range(adjacency, epsilon, n_columns):
    # At large budgets the two middle magnitudes are found, and both rows have positions.
    base = np.vstack([np.full((50, n_columns), -1.9), np.full((50, n_columns), 1.9)])
    low, high = np.full(n_columns, -0.4), np.full(n_columns, 0.4)
    if epsilon < 1000:  # nothing is found: positions lie in [-1, 1]
        base = base[:1] / 2
    moved, claimed = transcripts(
        find_range,
        range_mechanisms(1.0),
        neighbours(base, high, low, adjacency),
        adjacency,
        epsilon,
    )
    assert Fraction(95, 100) ** 2 * claimed <= moved <= claimed


@by_adjacency
@settings(max_examples=40)
@given(rows=neighbouring_rows())
def test_no_row_passes_the_price_of_a_norm(adjacency, rows):
    def find(X, release):
        return find_norm(X, 3.0, release)

    with np.errstate(all="ignore"):
        moved, claimed = transcripts(
            find, [norm_mechanism(1.0)], neighbours(*rows, adjacency), adjacency
        )
    assert moved <= claimed


@by_adjacency
def test_the_worst_row_reaches_the_price_of_a_norm(adjacency):
    base, small, large = np.ones((3, 2)), np.full(2, 1e-9), np.full(2, 2.0)
    moved, claimed = transcripts(
        lambda X, release: find_norm(X, 3.0, release),
        [norm_mechanism(1.0)],
        neighbours(base, large, small, adjacency),
        adjacency,
    )
    assert Fraction(95, 100) ** 2 * claimed <= moved <= claimed


def test_no_place_or_layout_of_a_row_changes_what_is_found():
    rng = np.random.default_rng(0)
    X = rng.normal(0, [1, 1e-3, 1e5], size=(8192 + 77, 3)).astype(np.float32)
    wide = np.zeros((2 * len(X), 6))
    wide[::2, ::2] = X
    layouts = [X, X.astype(np.float64), X[::-1], np.asfortranarray(X), wide[::2, ::2]]
    found = [np.concatenate(ranges(rows)) for rows in layouts]
    norms = [norm_of(rows, 1e6) for rows in layouts]
    norms.append(norm_of(lambda: (X[i : i + 1] for i in range(len(X))), 1e6))
    assert all(np.array_equal(result, found[0]) for result in found)
    assert len(set(norms)) == 1


def test_a_norm_next_to_an_edge_falls_on_its_own_side():
    """The cell is an exact comparison: a logarithm may round to the other side."""
    largest = 3.7
    cells = np.arange(-bounding.NORM_CELLS, 1)
    edges = largest * np.exp2(cells * bounding.NORM_OCTAVES / bounding.NORM_CELLS)
    for edge in edges[[1, len(edges) // 2, -2]]:
        below = edge / (1 + 12 * 2.0**-53) * (1 - 2.0**-50)
        rows = np.full((5000, 1), below)
        assert row_norms(rows[:1])[0] <= edge
        assert norm_of(rows, largest, epsilon=10) == edge
        rows = np.full((5000, 1), edge * (1 + 2.0**-48))
        assert norm_of(rows, largest, epsilon=10) > edge


# What is found

N_ROWS = 20_000
rng = np.random.default_rng(0)
COLUMNS = {
    "normal": rng.normal(size=N_ROWS),
    "shifted": 1e9 + 1e6 * rng.normal(size=N_ROWS),
    "tiny": 1e-12 * rng.normal(size=N_ROWS),
    "huge": 1e15 * rng.normal(size=N_ROWS),
    "negative": -rng.gamma(2, 50, N_ROWS),
    "years": rng.integers(1900, 2025, N_ROWS) * 1.0,
    "one in three": (rng.random(N_ROWS) < 0.3) * 1.0,
    "mostly zero": np.where(rng.random(N_ROWS) < 0.1, rng.normal(5, 1, N_ROWS), 0.0),
    "heavy tail": np.exp(3 * rng.normal(size=N_ROWS)),
    "constant": np.full(N_ROWS, 7.0),
    "a constant of 2^k": np.full(N_ROWS, -8.0),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("epsilon", [0.1, 1.0])
@by_adjacency
def test_ranges_hold_nearly_all_rows_and_little_else(name, epsilon, adjacency):
    x = COLUMNS[name]
    low, high, found = ranges(x[:, np.newaxis], epsilon=epsilon, adjacency=adjacency)
    assert found[0]
    inside = (low[0] <= x) & (x <= high[0])
    assert inside.mean() > (0.9 if name == "heavy tail" else 0.95)
    true_low, true_high = np.quantile(x, [0.005, 0.995])
    if name != "constant" and "2^k" not in name:
        assert high[0] - low[0] < 10 * (true_high - true_low)
    assert high[0] - low[0] < 1.1 * max(abs(true_low), abs(true_high)) * 4


def test_ranges_of_columns_of_all_kinds_at_once():
    X = np.stack(list(COLUMNS.values()), axis=1)
    low, high, found = ranges(X, epsilon=1.0)
    assert found.all()
    assert ((low <= X) & (high >= X)).mean(axis=0).min() > 0.9


def test_positions_do_not_cut_off_magnitudes_with_rows():
    """A tenth of the rows spread over [3, 7] is seen as a magnitude, and by no position."""
    for seed in range(20):
        low, high, _ = ranges(COLUMNS["mostly zero"][:, np.newaxis], epsilon=0.15, seed=seed)
        assert high[0] > 6
        assert -1e-18 < low[0] <= 0


def test_few_positions_above_the_noise_do_not_end_the_range():
    """Rows spread over all positions, of which only some pass their thresholds by chance."""
    X = np.random.default_rng(1).normal(50, 10, size=(5000, 5))
    for seed in range(20):
        low, high, found = ranges(X, epsilon=0.1, seed=seed)
        assert found.all()
        assert ((low <= X) & (high >= X)).mean(axis=0).min() > 0.85


def test_one_row_alone_never_shows():
    """The singleton that a bin or an extreme would give away."""
    X = np.random.default_rng(2).normal(size=(1000, 1))
    X[0] = 1e6
    for seed in range(100):
        low, high, _ = ranges(X, epsilon=0.5, seed=seed)
        assert high[0] < 1e3
        assert low[0] > -1e3


def test_false_alarms_are_as_rare_as_stated():
    nothing = np.full((1, 400), math.nan)
    alarms = sum(int(ranges(nothing, seed=seed)[2].sum()) for seed in range(20))
    # By the union bound, over windows that overlap.
    most = bounding.FALSE_ALARMS + bounding.SECOND_CHANCE
    assert stats.binomtest(alarms, 400 * 20, most, alternative="greater").pvalue > 1e-3
    assert alarms > 0.4 * most * 400 * 20
    # Far out they are rarer than among the usual magnitudes.
    evidence = bounding._evidence(bounding._magnitude_weights())
    assert evidence[[0, -1]].min() > 4.8
    assert evidence.min() < 4.2


def test_neighbours_that_are_below_the_noise_each_are_found_together():
    """Three columns of which one is known well, one in three cells, and one empty."""
    noise, counts = 10.0, np.zeros((3, bounding.N_MAGNITUDES))
    counts[0, 140] = 500.0
    counts[1, 131:134] = 33.0
    counts[2, 10] = 42.0  # much for a usual place, too little so far out
    first, last = bounding._likely(counts, noise)
    assert (first[1], last[1]) == (131, 133)
    assert first[0] <= 140 <= last[0]
    assert first[2] == last[2] == -1
    thresholds = noise * bounding._evidence(bounding._magnitude_weights())
    assert bounding._occupied(counts, thresholds)[0].tolist() == [140, -1, -1]


def test_many_columns_have_a_larger_part_for_their_box():
    shares = [bounding.box_share(n) for n in (None, 1, 4, 16, 64, 10_000)]
    assert shares[:3] == [bounding.RANGE_SHARE] * 3
    assert shares[3:] == [pytest.approx(0.16), pytest.approx(0.32), pytest.approx(0.32)]
    X = np.random.default_rng(0).uniform(10, 30, (600, 30))
    low, high = find_in(X, epsilon=1.0)
    inside = (low > 1) & (high < 150)
    assert inside.mean() > 0.7


def find_in(X, epsilon):
    facts = Facts(n_features=X.shape[1])
    release, _ = a_release(
        [*bounding.box_mechanisms(None, facts), GaussianSum(name="rest", share=0.78)],
        epsilon=epsilon,
        n_features=X.shape[1],
    )
    return bounding.find_box(X, None, release, "test")


def test_columns_that_were_not_found():
    X = np.full((30, 2), 5.0)
    X[:, 1] = math.nan
    low, high, found = ranges(X, epsilon=0.01)
    assert not found.any()
    assert (low == -1).all()
    assert (high == 1).all()


def test_missing_and_infinite_values():
    X = np.random.default_rng(3).normal(size=(5000, 1))
    X[::2] = math.nan
    with np.errstate(invalid="ignore"):
        low, high, found = ranges(X, epsilon=5)
        assert found[0]
        assert -8 <= low[0] < -2
        assert 2 < high[0] <= 8
        X[1::4] = math.inf
        low, high, found = ranges(X, epsilon=5)
    assert np.isfinite([low[0], high[0]]).all()
    assert high[0] > 1e18


@given(x=st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_magnitudes_are_between_their_edges(x):
    cell = int(bounding._magnitude(np.array([[x]]))[0, 0])
    edges = bounding._magnitude_edges()
    assert len(edges) == bounding.N_MAGNITUDES + 1
    if abs(x) < edges[-1]:
        assert edges[cell] <= x < edges[cell + 1] or (x < 0 and edges[cell] < x <= edges[cell + 1])
    else:
        assert cell == (0 if x < 0 else bounding.N_MAGNITUDES - 1)


def test_norms_are_about_the_quantile():
    rows = np.random.default_rng(4).normal(size=(20_000, 6))
    norms = np.linalg.norm(rows, axis=1)
    for seed in range(5):
        found = norm_of(rows, 30.0, epsilon=2, seed=seed)
        below = (norms <= found).mean()
        assert below > 0.96
        assert found < 2 * np.quantile(norms, 0.99)


def test_norms_at_the_ends():
    assert norm_of(np.full((1000, 2), 1e9), 3.0) == 3.0
    tiny = norm_of(np.full((1000, 2), 1e-9), 3.0, epsilon=50)
    assert tiny == pytest.approx(3.0 * 2.0**-bounding.NORM_OCTAVES)
    assert norm_of(np.zeros((1000, 2)), 3.0, epsilon=50) == tiny
    # All columns constant: the last step released bounds (0, 0).
    assert norm_of(np.zeros((1000, 2)), 0.0) == 0.0
    # Noise alone: some value in the range.
    for seed in range(20):
        assert tiny <= norm_of(np.ones((1, 2)), 3.0, epsilon=0.001, seed=seed) <= 3.0


# Parameters


def test_largest_norm():
    assert largest_norm(np.array([-3.0, 0.0]), np.array([1.0, 4.0])) == 5.0
    assert largest_norm(np.array([-1e300]), np.array([0.0])) == 1e300


def test_what_has_to_be_released_and_what_is_taken_as_public():
    unknown, known = Facts(), Facts(bounds=(np.zeros(2), np.ones(2)))
    expected = {
        (False, False, False): 3,
        (False, False, True): 1,
        (True, False, False): 1,
        (False, True, False): 0,
        (True, True, True): 0,
    }
    for (bounds, norm, inherited), n_releases in expected.items():
        parameters = ((0, 1) if bounds else None, 1.0 if norm else None)
        facts = known if inherited else unknown
        assert len(bounding_mechanisms(*parameters, facts)) == n_releases
        words = " ".join(bounding_assumptions(*parameters, facts))
        assert ("declared by the user" in words) == (bounds or norm)
        assert ("previous step" in words) == (inherited and not bounds and not norm)


# How learners use it


def test_rows_are_scaled_by_declared_bounds():
    X = np.array([[0.0, 10.0], [5.0, 30.0], [-5.0, 20.0]])
    release, _ = a_release([norm_mechanism(1.0)])
    scaling = RowScaling.from_release(X, ((0, 10), (10, 30)), 1.5, release)
    assert scaling.radius == 1.5
    assert np.array_equal(scaling.apply(X), [[-1, -1], [0, 1], [-1, 0]])
    assert np.array_equal(scaling.bounds, ([0, 10], [10, 30]))
    coefficient = np.array([2.0, -1.0])
    original, shift = scaling.unscale(coefficient)
    inside = np.array([[2.0, 15.0]])
    assert (inside @ original + shift)[0] == pytest.approx((scaling.apply(inside) @ coefficient)[0])


def test_rows_without_a_centre_keep_their_zero():
    X = np.array([[0.0], [5.0], [-20.0]])
    release, _ = a_release([norm_mechanism(1.0)])
    scaling = RowScaling.from_release(X, (-2, 10), 1.0, release, centre=False)
    assert np.array_equal(scaling.apply(X), [[0], [0.5], [-1]])


def test_rows_with_inherited_bounds_or_a_norm_are_left_alone():
    X = np.array([[3.0, 4.0]])
    release, _ = a_release([norm_mechanism(1.0)])
    scaling = RowScaling.from_release(X, None, 2.0, release)
    assert np.array_equal(scaling.apply(X), X)
    assert scaling.bounds is None
    bounds = np.full(2, -5.0), np.full(2, 12.0)
    release, _ = a_release([norm_mechanism(1.0)], bounds=bounds, epsilon=50)
    rows = np.tile(X, (2000, 1))
    scaling = RowScaling.from_release(rows, None, None, release)
    assert np.array_equal(scaling.apply(X), X)
    assert 5.0 <= scaling.radius <= 5.0 * 2 ** (bounding.NORM_OCTAVES / bounding.NORM_CELLS)


def test_columns_whose_range_is_unknown_are_not_used():
    X = np.random.default_rng(5).normal(size=(3000, 2))
    X[:, 1] = math.nan
    mechanisms = [*range_mechanisms(0.8), norm_mechanism(0.2)]
    release, _ = a_release(mechanisms, epsilon=3)
    with np.errstate(invalid="ignore"):
        scaling = RowScaling.from_release(X, None, None, release)
    rows = scaling.apply(np.array([[0.5, 1e300]]))
    assert 0 < rows[0, 0] < 1
    assert rows[0, 1] == 0
    original, _ = scaling.unscale(np.ones(2))
    assert original[1] == 0


def test_a_norm_that_few_rows_pass():
    """With `n_longer`, the least norm that is not seen to be passed by more rows."""

    class FromNorms(DPEstimator):
        def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, allowed=0):
            super().__init__(epsilon, delta, accountant, random_state)
            self.allowed = allowed

        def fit(self, X):
            return self._private_fit(X)

        def _mechanisms(self, facts):
            return [bounding.norm_mechanism(1.0)]

        def _fit(self, X, y, sample_weight, release):
            self.norm_ = bounding.find_norm(X, 16.0, release, n_longer=self.allowed)

    rows = np.concatenate([np.full(9000, 0.9), np.full(900, 1.8), np.full(100, 7.0)])[:, np.newaxis]
    norms = [
        FromNorms(2.0, random_state=0, allowed=allowed).fit(rows).norm_
        for allowed in (0, 200, 5000, 1e6)
    ]
    assert norms[0] == pytest.approx(7.0, rel=0.2)
    assert norms[1] == pytest.approx(1.8, rel=0.2)
    assert norms[2] == pytest.approx(0.9, rel=0.2)
    assert norms[3] == 4.0  # nothing is seen
    assert all(norm >= size for norm, size in zip(norms, (7.0, 1.8, 0.9), strict=False))
