"""Exactly rounded noise and exact sums: distribution, tails, bounds, low bits."""

import decimal
import hashlib
from fractions import Fraction

import hypothesis
import mpmath
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from skprivacy.mechanisms import _rounded
from skprivacy.mechanisms._random import RandomSource, random_source
from skprivacy.mechanisms._rounded import (
    lattice,
    quantise_rows,
    quantise_rows_l1,
    round_to_grid,
    rounded_gaussian,
    rounded_laplace,
    sum_rows,
)

LAWS = {
    "gaussian": (rounded_gaussian, stats.norm, _rounded._gaussian_tail),
    "laplace": (rounded_laplace, stats.laplace, _rounded._laplace_tail),
}
by_law = pytest.mark.parametrize("law", LAWS)


class ScriptedSource(RandomSource):
    """Hands out given words, then none."""

    def __init__(self, words):
        self.left = list(words)

    def words(self, n):
        taken, self.left = self.left[:n], self.left[n:]
        assert len(taken) == n, "more words than scripted were asked for"
        return np.array(taken, dtype=np.uint64)


def exact_tail(law, t):
    """P(X > t) in mpmath's precision."""
    if law == "laplace":
        return mpmath.exp(-t) / 2
    return mpmath.erfc(t / mpmath.sqrt(2)) / 2 if t < 100 else mpmath.mpf(0)


# Distribution


@by_law
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.3])
def test_probabilities_of_small_integers(law, scale):
    draw, distribution, _ = LAWS[law]
    n = 200_000
    values = draw(n, scale, random_source(int(100 * scale)))
    edge = int(np.ceil(3 * scale))
    edges = np.concatenate([[-np.inf], np.arange(-edge, edge) + 0.5, [np.inf]])
    expected = n * np.diff(distribution.cdf(edges / scale))
    counts = np.bincount(np.clip(values, -edge, edge) + edge, minlength=2 * edge + 1)
    assert expected.min() > 5
    assert stats.chisquare(counts, expected).pvalue > 1e-4


@by_law
@pytest.mark.parametrize("scale", [2.0**20, 1.7 * 2.0**31])
def test_large_scales_follow_the_real_law(law, scale):
    draw, distribution, _ = LAWS[law]
    values = draw(100_000, scale, random_source(1))
    assert stats.kstest(values / scale, distribution.cdf).pvalue > 1e-4
    # The parity of an integer of so wide a law is a fair coin.
    assert abs(np.mean(values & 1) - 0.5) < 5 * 0.5 / np.sqrt(values.size)


def test_signs_and_magnitudes_are_independent_of_each_other():
    values = rounded_gaussian(100_000, 50.0, random_source(4))
    positive, negative = np.abs(values[values > 0]), np.abs(values[values < 0])
    assert abs(positive.size - negative.size) < 5 * np.sqrt(values.size)
    assert stats.ks_2samp(positive, negative).pvalue > 1e-4


# The float path and the exact path


@by_law
@pytest.mark.parametrize("scale", [0.7, 1e3, 2.0**20, 2.0**40])
def test_exact_path_agrees_with_the_float_path(law, scale, monkeypatch):
    draw = LAWS[law][0]
    by_floats = draw(1_000, scale, random_source(2))
    # Every word becomes undecided. The words of the block are drawn before any others.
    monkeypatch.setattr(_rounded, "QUANTILE_ERROR", 2.0)
    assert np.array_equal(draw(1_000, scale, random_source(2)), by_floats)


@by_law
def test_the_filter_sends_few_words_to_the_exact_path(law, monkeypatch):
    calls = []
    exact = _rounded._round_exactly

    def counted(*arguments):
        calls.append(arguments)
        return exact(*arguments)

    monkeypatch.setattr(_rounded, "_round_exactly", counted)
    LAWS[law][0](200_000, 2.0**31, random_source(3))
    # About 2 * 2^31 * 2^-46 * (1 + x) of the words.
    assert 1 <= len(calls) < 80


@by_law
@pytest.mark.parametrize("k", [0, 1, 2, 7])
@pytest.mark.parametrize("scale", [0.9, 3.0, 1234.5])
def test_words_next_to_a_half_integer_fall_on_the_right_side(law, k, scale):
    """The tail probability of k + 1/2, one unit of its 128th bit up and down."""
    draw = LAWS[law][0]
    with mpmath.workdps(120):
        probability = exact_tail(law, mpmath.mpf(2 * k + 1) / (2 * mpmath.mpf(scale)))
        bits = int(mpmath.floor(probability * mpmath.mpf(2) ** 128))
        third = int(mpmath.floor(probability * mpmath.mpf(2) ** 192)) % 2**64
    first, second = divmod(bits, 2**64)
    assert 0 < second < 2**64 - 1
    assert 1 < third < 2**64 - 1
    for more_words, expected in [
        ([second + 1], k),
        ([second - 1], k + 1),
        ([second, third + 1], k),
        ([second, third - 1], k + 1),
    ]:
        for sign in (0, 1):
            source = ScriptedSource([first << 1 | sign, *more_words])
            assert draw(1, scale, source)[0] == (-expected if sign else expected)
            assert source.left == []


@by_law
@pytest.mark.parametrize("scale", [1e-300, 0.01, 0.5, 40.0, 2.0**20, 2.0**40, 2.0**48])
@pytest.mark.parametrize("second", [2**64 - 1, 2**63, 12345, 1, 0])
def test_first_cell_is_resolved_exactly(law, scale, second):
    """The cell below 2^-64 is unbounded: it is split by further bits, not by floats."""
    draw = LAWS[law][0]
    words = [second, 2**60 + 1, 2**63 + 99, 5]
    source = ScriptedSource([0, *words])
    value = int(draw(1, scale, source)[0])
    used = words[: len(words) - len(source.left)]
    assert value < 2**56
    with mpmath.workdps(150):
        low = sum(mpmath.mpf(w) / mpmath.mpf(2) ** (64 * (i + 2)) for i, w in enumerate(used))
        high = low + mpmath.mpf(2) ** -(64 * (len(used) + 1))
        assert exact_tail(law, (value + mpmath.mpf(1) / 2) / mpmath.mpf(scale)) <= low
        if value > 0:
            assert exact_tail(law, (value - mpmath.mpf(1) / 2) / mpmath.mpf(scale)) >= high


@by_law
def test_first_cell_takes_the_exact_path_at_every_scale(law, monkeypatch):
    monkeypatch.setattr(_rounded, "_round_exactly", lambda *_: 77)
    for scale in (0.01, 1.0, 5.0, 2.0**20):
        assert LAWS[law][0](2, scale, ScriptedSource([0, 1])).tolist() == [77, -77]


@by_law
def test_tail_probabilities_keep_their_promised_error(law):
    tail = LAWS[law][2]
    generator = np.random.default_rng(0)
    points = [0.0, 1e-12, 0.5, 9.1, 10.4, 13.0, 40.0, *generator.uniform(0, 15, 60)]
    for digits in (24, 43, 100):
        with mpmath.workdps(150), decimal.localcontext(_rounded._context(digits)):
            for t in points:
                computed = mpmath.mpf(str(tail(decimal.Decimal(t), digits)))
                exact = exact_tail(law, mpmath.mpf(t))
                assert abs(computed - exact) < mpmath.mpf(10) ** -digits


def test_exact_path_ignores_the_callers_decimal_context(monkeypatch):
    expected = rounded_gaussian(50, 1e3, random_source(2))
    monkeypatch.setattr(_rounded, "QUANTILE_ERROR", 2.0)
    with decimal.localcontext(decimal.Context(prec=3, traps=[decimal.Inexact])):
        assert np.array_equal(rounded_gaussian(50, 1e3, random_source(2)), expected)


def test_quantile_error_of_scipy_leaves_a_wide_margin():
    """The proof needs an error below 2^-46 (1 + x); SciPy's is near 2^-51."""
    generator = np.random.default_rng(5)
    v = np.concatenate(
        [
            np.floor(2.0 ** generator.uniform(0, 63, 2_500)),
            generator.integers(1, 2**63, 1_500).astype(float),
            np.arange(1.0, 200.0),
            2.0**63 - 2.0 ** np.arange(12, 62),
        ]
    )
    p = (v + 0.5) * 2.0**-64
    normal, laplace = _rounded._gaussian_quantile(p), _rounded._laplace_quantile(p)
    worst_normal = worst_laplace = 0.0
    with mpmath.workdps(40):
        for probability, x, y in zip(p, normal, laplace, strict=True):
            density = mpmath.npdf(mpmath.mpf(x))
            error = (exact_tail("gaussian", mpmath.mpf(x)) - mpmath.mpf(probability)) / density
            worst_normal = max(worst_normal, float(abs(error)) / (1 + x))
            error = mpmath.mpf(y) + mpmath.log(2 * mpmath.mpf(probability))
            worst_laplace = max(worst_laplace, float(abs(error)) / (1 + y))
    assert worst_normal < 2.0**-50
    assert worst_laplace < 2.0**-52


# Interface


def test_seeded_noise_never_changes():
    values = np.concatenate(
        [
            draw(2_000, scale, random_source(42))
            for draw in (rounded_gaussian, rounded_laplace)
            for scale in (0.8, 2.0**20, 2.0**33)
        ]
    )
    digest = hashlib.sha256(values.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "929a10dc16200c69"


@by_law
def test_shapes(law):
    draw = LAWS[law][0]
    assert draw((), 3.0, random_source(0)).shape == ()
    assert draw(0, 3.0, random_source(0)).shape == (0,)
    flat, square = draw(6, 3.0, random_source(0)), draw((2, 3), 3.0, random_source(0))
    assert flat.dtype == np.int64
    assert np.array_equal(flat.reshape(2, 3), square)


@by_law
@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 2.0**49])
def test_impossible_scales_are_refused(law, scale):
    with pytest.raises(ValueError, match="noise scale must be a float in the range"):
        LAWS[law][0](3, scale, RandomSource())


# The published attack on the last bits of a float


def suspicious(y):
    """Outputs near 0 that are no multiple of 2^-53: a float sum 1 + noise never is one."""
    return (y > 0) & (y < 0.25) & (np.ldexp(y, 53) != np.floor(np.ldexp(y, 53)))


def test_low_bits_tell_neighbours_apart_for_float_noise_only():
    n, grid = 200_000, lattice(1.0, 1.0)
    generator, source = np.random.default_rng(0), random_source(0)
    float_counts, our_counts, our_residues = [], [], []
    for x in (0.0, 1.0):
        float_counts.append(np.count_nonzero(suspicious(x + generator.standard_normal(n))))
        units = round_to_grid(np.array([x]), grid) + rounded_gaussian(n, 1.0 / grid, source)
        our_counts.append(np.count_nonzero(suspicious(units * grid)))
        our_residues.append(np.bincount(units % 256, minlength=256))
    assert float_counts[0] > 10_000
    assert float_counts[1] == 0
    assert our_counts == [0, 0]
    # Beyond that event: the last eight bits say nothing about x.
    assert stats.chi2_contingency(our_residues).pvalue > 1e-4


# The grid


@pytest.mark.parametrize("clip", [1e-200, 0.3, 1.0, 2.0**20, 1e150])
@pytest.mark.parametrize("ratio", [1e-9, 0.01, 1.0, 1.7, 1e4])
@pytest.mark.parametrize("row_cap", [1, 1000, 2**31])
def test_grid_keeps_noise_fine_and_totals_in_range(clip, ratio, row_cap):
    noise_scale = clip * ratio
    if noise_scale * 2.0**62 < clip * row_cap * 2:
        with pytest.raises(ValueError, match="too small for rows"):
            lattice(clip, noise_scale, row_cap=row_cap)
        return
    grid = lattice(clip, noise_scale, row_cap=row_cap)
    assert np.frexp(grid)[0] == 0.5
    allowed = [noise_scale < 2.0**31 * grid, row_cap * clip <= 2.0**62 * grid]
    assert all(allowed)
    # The finest grid with both properties.
    assert not all([noise_scale < 2.0**30 * grid, row_cap * clip <= 2.0**61 * grid])


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, 1e-300, 1e300])
def test_grid_refuses_impossible_scales(bad):
    with pytest.raises(ValueError, match="noise_scale must be a float"):
        lattice(1.0, bad)
    with pytest.raises(ValueError, match="clip must be a float"):
        lattice(bad, 1.0)


# Rows

QUANTISERS = {
    "l2": (quantise_rows, lambda row: sum(z * z for z in row), 2),
    "l1": (quantise_rows_l1, lambda row: sum(abs(z) for z in row), 1),
}
by_norm = pytest.mark.parametrize("norm", QUANTISERS)


def assert_norms_hold(norm, rows, clip, grid):
    quantise, power_of_norm, power = QUANTISERS[norm]
    result = quantise(rows, clip, grid=grid)
    assert np.array_equal(result, np.trunc(result))
    bound = (Fraction(clip) / Fraction(grid)) ** power
    for row in result:
        assert power_of_norm([int(z) for z in row]) <= bound
    return result


@by_norm
@hypothesis.given(
    rows=arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(0, 9)),
        elements=st.floats(allow_nan=True, allow_infinity=True),
    ),
    clip=st.sampled_from([1e-200, 0.1, 1.0, 1.5, 3.0, 1e100]),
    bits=st.integers(0, 51),
)
@hypothesis.settings(max_examples=200, deadline=None)
def test_no_row_passes_the_clipping_norm(norm, rows, clip, bits):
    grid = 2.0 ** (np.ceil(np.log2(clip)) - bits)
    assert_norms_hold(norm, rows, clip, grid)


@by_norm
@pytest.mark.parametrize("clip", [1e-200, 1e-163, 1.0, 7.3, 1e200])
@pytest.mark.parametrize("magnitude", [1e-320, 1e-200, 1.0, 1e200, 1e300])
def test_norms_of_long_rows_reach_but_never_pass_the_clipping_norm(norm, clip, magnitude):
    generator = np.random.default_rng(6)
    rows = generator.normal(size=(20, 999)) * magnitude
    # Truncation takes up to one unit an entry: fine grid, to see errors of the norm itself.
    grid = 2.0 ** (np.ceil(np.log2(clip)) - 51)
    result = assert_norms_hold(norm, rows, clip, grid)
    reached = np.array([QUANTISERS[norm][1]([int(z) for z in row]) for row in result], dtype=float)
    reached = reached ** (1 / QUANTISERS[norm][2]) * (grid / clip)
    if magnitude >= clip:
        assert reached.min() > 1 - 1e-10
    elif magnitude < clip / 1e10:
        assert reached.max() < 1e-6


@by_norm
def test_no_rounding_of_the_clipping_factor_passes_the_norm(norm):
    """At the finest grid truncation hides no rounding error of a row with one entry."""
    rows = np.random.default_rng(9).uniform(1, 1000, size=(2_000, 1))
    result = assert_norms_hold(norm, rows, 1.0, 2.0**-52)
    assert result.min() > 2.0**52 * (1 - 2.0**-48)


@by_norm
def test_rows_within_the_clipping_norm_are_only_truncated(norm):
    generator = np.random.default_rng(7)
    rows = generator.uniform(-1, 1, size=(50, 8)) / 10
    grid = 2.0**-20
    result = QUANTISERS[norm][0](rows, 1.0, grid=grid)
    assert np.array_equal(result, np.trunc(rows / grid))
    assert not QUANTISERS[norm][0](np.zeros((3, 4)), 1.0, grid=grid).any()


def test_directions_of_clipped_rows_survive():
    rows = np.array([[3e300, -4e300], [3e-5, -4e-5], [6.0, -8.0]])
    for clip in (1e-6, 1e-160, 5e-10):
        result = quantise_rows(rows, clip, grid=2.0 ** np.floor(np.log2(clip) - 45))
        assert np.allclose(result[:, 1] / result[:, 0], -4 / 3, rtol=1e-9)


@by_norm
@pytest.mark.parametrize("n_columns", [1, 2, 7, 33, 129, 1000])
def test_a_row_is_quantised_the_same_whatever_stands_around_it(norm, n_columns):
    """Otherwise one row more could change what all others contribute."""
    quantise = QUANTISERS[norm][0]
    generator = np.random.default_rng(n_columns)
    rows = generator.normal(size=(60, n_columns)) * 10.0 ** generator.uniform(-5, 5, (60, 1))
    clip, grid = 0.7, 2.0**-50
    expected = quantise(rows, clip, grid=grid)
    with_a_huge_row = np.vstack([rows, np.full((1, n_columns), 1e308)])
    strided = np.repeat(rows, 3, axis=0)[::3][:, ::-1][:, ::-1]
    assert np.array_equal(quantise(with_a_huge_row, clip, grid=grid)[:-1], expected)
    assert np.array_equal(quantise(np.asfortranarray(rows), clip, grid=grid), expected)
    assert np.array_equal(quantise(strided, clip, grid=grid), expected)
    assert np.array_equal(quantise(rows[::-1], clip, grid=grid)[::-1], expected)
    for i in range(0, 60, 7):
        assert np.array_equal(quantise(rows[i : i + 1], clip, grid=grid)[0], expected[i])


@by_norm
def test_entries_that_are_not_finite_stay_within_the_bound(norm):
    rows = np.array([[np.nan, 0.5], [np.inf, 1.0], [-np.inf, np.nan], [0.25, 0.25]])
    result = assert_norms_hold(norm, rows, 1.0, 2.0**-10)
    assert result[0].tolist() == [0.0, 512.0]
    assert result[1, 0] >= 1022
    assert result[2, 0] <= -1022
    assert result[3].tolist() == [256.0, 256.0]


@by_norm
@pytest.mark.parametrize(
    ("clip", "grid", "message"),
    [
        (0.0, 0.5, "clip must be"),
        (np.nan, 0.5, "clip must be"),
        (1e-290, 0.5, "clip must be"),
        (1.0, 0.3, "power of two"),
        (1.0, 2.0**-53, "power of two"),
        (1.0, 0.0, "grid must be"),
    ],
)
def test_impossible_grids_are_refused(norm, clip, grid, message):
    with pytest.raises(ValueError, match=message):
        QUANTISERS[norm][0](np.ones((1, 2)), clip, grid=grid)


# Sums


def test_sums_of_quantised_rows_do_not_depend_on_their_order():
    generator = np.random.default_rng(8)
    rows = generator.normal(size=(20_000, 11))
    grid = lattice(1.0, 5.0)
    quantised = quantise_rows(rows, 1.0, grid=grid)
    expected = sum_rows(quantised)
    assert expected.tolist() == [sum(int(z) for z in column) for column in quantised.T]
    for other in (quantised[::-1], generator.permutation(quantised), np.asfortranarray(quantised)):
        assert np.array_equal(sum_rows(other), expected)
        assert np.array_equal(other.sum(axis=0), expected)
        assert np.array_equal(np.ones(len(other)) @ other, expected)
    blocks = [sum_rows(quantise_rows(part, 1.0, grid=grid)) for part in np.array_split(rows, 13)]
    assert np.array_equal(np.sum(blocks, axis=0), expected)
    # The same statement about the rows themselves is false: that is why they are quantised.
    assert not np.array_equal(rows.sum(axis=0), rows[::-1].sum(axis=0))


def test_sums_are_exact_beyond_the_integers_of_a_float():
    n, entry = 2**22 + 1, 2**31 + 1
    assert sum_rows(np.full((n, 1), float(entry))).tolist() == [n * entry]


@hypothesis.given(
    values=arrays(np.float64, (2, 4), elements=st.floats(-1e6, 1e6)),
    exponent=st.integers(-20, 10),
)
def test_rounding_to_the_grid_adds_at_most_half_a_unit_a_side(values, exponent):
    grid = 2.0**exponent
    units = round_to_grid(values, grid)
    for value, unit in zip(values.ravel(), units.ravel(), strict=True):
        assert abs(Fraction(int(unit)) - Fraction(value) / Fraction(grid)) <= Fraction(1, 2)


def test_rounding_to_the_grid_clamps():
    units = round_to_grid(np.array([np.inf, -np.inf, np.nan, 1e300, 3.6]), 2.0**-2)
    assert units.tolist() == [2**62, -(2**62), 0, 2**62, 14]
    with pytest.raises(ValueError, match="power of two"):
        round_to_grid(np.ones(2), 0.3)
