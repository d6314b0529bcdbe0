"""Gaussian releases: no row passes its sensitivity, the worst one reaches it, audits hold."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skprivacy.accounting import gdp_mu
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.mechanisms import (
    GaussianHistogram,
    GaussianMoments,
    GaussianSecondMoment,
    GaussianSum,
    random_source,
)
from skprivacy.mechanisms._gaussian import cell_counts, product_grid

ADJACENCIES = ["add-remove", "replace-one"]
by_adjacency = pytest.mark.parametrize("adjacency", ADJACENCIES)

# mu of epsilon 1e-4, 1 and 1000 at delta 1e-6; the ends of what grids carry.
MUS = [1e-100, 1e-12, gdp_mu(1e-4, 1e-6), 0.24, gdp_mu(1000, 1e-6), 1e4, 1e9]

MECHANISMS = {
    "sum": GaussianSum(name="x"),
    "nonnegative sum": GaussianSum(name="x", nonnegative=True),
    "histogram": GaussianHistogram(name="x"),
    "second moment": GaussianSecondMoment(name="x"),
    "moments": GaussianMoments(name="x"),
    "moments with missing values": GaussianMoments(name="x", missing="ignore"),
}
by_mechanism = pytest.mark.parametrize("which", MECHANISMS)
N_CELLS = 4


def options_of(mechanism, n_columns):
    if isinstance(mechanism, GaussianMoments):
        return {"low": np.full(n_columns, -1.0), "high": np.full(n_columns, 1.0)}
    return {"n_cells": N_CELLS} if isinstance(mechanism, GaussianHistogram) else {}


def release(mechanism, rows, adjacency, seed=0, **options):
    """Return a function that draws; `rows` may be an array or a function of blocks."""
    if not options:
        options = options_of(mechanism, np.shape(rows)[1])
    return lambda: mechanism.draw(rows, adjacency=adjacency, source=random_source(seed), **options)


def squared_distance(mechanism, first, second, adjacency, **options):
    transcript = record(release(mechanism, first, adjacency, **options))
    return transcript_mu_squared(
        transcript, replay(release(mechanism, second, adjacency, seed=1, **options), transcript)
    )


def neighbours(base, row, other, adjacency):
    """Two data sets that differ in the last row."""
    if adjacency == "add-remove":
        return base, np.vstack([base, row])
    return np.vstack([base, other]), np.vstack([base, row])


def worst_rows(which, adjacency, n_columns):
    """The two rows (the second is not used under add-remove) that move most."""
    d = n_columns
    unit = np.full(d, d**-0.5)
    first, last = np.eye(d)[0], np.eye(d)[-1]
    return {
        "sum": (unit, -unit),
        "nonnegative sum": (first, last),
        "histogram": (np.zeros(d), np.full(d, N_CELLS - 1.0)),
        "second moment": (first, last),
        "moments": (np.ones(d), -np.ones(d)),
        "moments with missing values": (np.ones(d), -np.ones(d)),
    }[which]


# The price


@by_mechanism
@by_adjacency
@pytest.mark.parametrize("mu", [1e-100, 1e-6, 0.3, 1.0, 1e3, 1e9])
def test_price_is_the_budget(which, adjacency, mu):
    loss = MECHANISMS[which].calibrate(adjacency, mu=mu).loss(adjacency)
    assert mu * (1 - 1e-14) <= loss.mu <= mu
    assert (loss.delta, loss.epsilon) == (0.0, math.inf)


@by_mechanism
def test_budgets_at_the_ends(which):
    mechanism = MECHANISMS[which]
    # More than any grid carries is left unused; less than any float carries is refused.
    lavish = mechanism.calibrate("add-remove", mu=1e100)
    assert lavish.loss("add-remove").mu <= 2.0**30
    rows = np.ones((2, 2))
    assert np.isfinite(release(lavish, rows, "add-remove")().value).all()
    for mu in (1e-130, 1e-310):
        with pytest.raises(ValueError, match="too small"):
            mechanism.calibrate("add-remove", mu=mu)
    with pytest.raises(ValueError, match="delta above 0"):
        mechanism.calibrate("add-remove", epsilon=1.0)


@by_mechanism
def test_what_has_no_meaning_is_refused(which):
    mechanism = MECHANISMS[which].calibrate("add-remove", mu=1.0)
    with pytest.raises(ValueError, match="adjacency"):
        mechanism.loss("add_remove")
    with pytest.raises(ValueError, match="adjacency"):
        MECHANISMS[which].calibrate("add_remove", mu=1.0)
    with pytest.raises(ValueError, match="not calibrated"):
        release(MECHANISMS[which], np.ones((2, 2)), "add-remove")()


def test_moments_know_two_ways_with_missing_values():
    with pytest.raises(ValueError, match="Ignore"):
        GaussianMoments(name="x", missing="Ignore")


def test_moments_do_not_take_a_misspelt_adjacency_for_public_counts():
    mechanism = MECHANISMS["moments"].calibrate("add-remove", mu=1.0)
    with pytest.raises(ValueError, match="adjacency"):
        release(mechanism, np.ones((2, 2)), "add_remove")()


STATED = {
    "1": lambda d: 1.0,
    "2": lambda d: 2.0,
    "1.41421": lambda d: math.sqrt(2),
    "sqrt(d)": math.sqrt,
    "sqrt(2 d)": lambda d: math.sqrt(2 * d),
    "2 sqrt(d)": lambda d: 2 * math.sqrt(d),
    "sqrt(25 d / 16 + 1 / 2)": lambda d: math.sqrt(25 * d / 16 + 1 / 2),
}


@by_mechanism
@by_adjacency
def test_receipts_state_the_sensitivity_in_use(which, adjacency):
    mechanism = MECHANISMS[which]
    words = mechanism.unit_sensitivity(adjacency)
    for n_columns in (1, 5, 40):
        noise = release(
            replace(mechanism, noise_multiplier=3.0), np.ones((2, n_columns)), adjacency
        )
        stated = STATED[words.split(" (")[0]](n_columns)
        # The first moment, like every other total here, enters with weight 1.
        scale = np.ravel(noise().noise_scale)
        used = scale[n_columns] if "moments" in which else scale[0]
        assert used == pytest.approx(3.0 * stated, rel=1e-5)


# No row passes its sensitivity

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-300, -1e300, math.inf, -math.inf, math.nan, 5e-324]),
    st.floats(-1.5, 1.5),
    st.floats(width=32),
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
@given(pair=neighbouring_rows(), mu=st.sampled_from(MUS))
def test_no_row_passes_the_sensitivity(which, adjacency, pair, mu):
    mechanism = MECHANISMS[which].calibrate(adjacency, mu=mu)
    base, row, other = pair
    if which == "histogram":  # codes of every kind, mostly near the cells
        with np.errstate(over="ignore"):
            base, row, other = (np.rint(np.abs(x) * 3) - 1 for x in (base, row, other))
    claimed = Fraction(mechanism.loss(adjacency).mu) ** 2
    distance = squared_distance(mechanism, *neighbours(base, row, other, adjacency), adjacency)
    assert distance <= claimed


@by_mechanism
@by_adjacency
@pytest.mark.parametrize("mu", MUS[2:-1])
@pytest.mark.parametrize("n_columns", [1, 60])
def test_the_worst_row_reaches_the_sensitivity(which, adjacency, mu, n_columns):
    if which in ("nonnegative sum", "second moment"):
        n_columns += 1  # two rows that are orthogonal
    mechanism = MECHANISMS[which].calibrate(adjacency, mu=mu)
    row, other = worst_rows(which, adjacency, n_columns)
    pair = neighbours(np.zeros((1, n_columns)), row, other, adjacency)
    distance = squared_distance(mechanism, *pair, adjacency)
    claimed = Fraction(mechanism.loss(adjacency).mu) ** 2
    assert claimed * Fraction(95, 100) ** 2 <= distance <= claimed


@by_adjacency
@pytest.mark.parametrize("missing", ["error", "ignore"])
def test_moments_of_one_column_by_brute_force(adjacency, missing):
    """All pairs of 161 values, and of a missing one, of what the release really sums."""
    mechanism = GaussianMoments(name="x", missing=missing).calibrate(adjacency, mu=1.0)
    values = [*np.linspace(-1, 1, 161), *([math.nan] if missing == "ignore" else [])]
    nothing = record(release(mechanism, np.empty((0, 1)), adjacency))
    contributions = []
    for value in values:
        one = record(release(mechanism, np.array([[value]]), adjacency))
        contributions.append(
            [
                float((a.total - b.total)[0] / a.scale)
                for a, b in zip(one.releases, nothing.releases, strict=True)
            ]
        )
    contributions = np.array(contributions)
    assert contributions.shape[1] == (2 if adjacency == "replace-one" and missing == "error" else 3)
    if adjacency == "add-remove":
        distances = np.linalg.norm(contributions, axis=1)
        worst = values[int(distances.argmax())]
        assert abs(worst) == 1.0
    else:
        distances = np.linalg.norm(contributions[:, None] - contributions, axis=2)
        pair = np.unravel_index(distances.argmax(), distances.shape)
        assert {values[i] for i in pair} == {-1.0, 1.0}
    assert 0.99 <= distances.max() <= 1.0


def test_constants_of_the_moments_under_replace_one():
    """The second moment is free up to b^2 = 2.77 and no further; a missing entry stays below."""
    t = np.linspace(-1, 1, 801)[:, None]
    s = t.T

    def widest(b_squared):
        return ((t - s) ** 2 * (1 + b_squared * (t + s) ** 2)).max()

    assert widest(9 / 4) == widest(2.77) == 4.0
    assert widest(2.79) > 4.0
    assert 1 + 9 / 4 + 9 / 16 < 4.0


def test_constants_of_the_moments_under_add_remove():
    z = np.linspace(-1, 1, 801)
    squared = z**2 + 2 * (z**2 - 0.5) ** 2
    assert squared.max() == squared[0] == squared[-1] == 1.5
    # Without the centre at 1/2 the same row would have norm 3.
    assert (z**2 + 2 * z**4).max() == 3.0
    for d in (1, 10, 1000):
        mechanism = GaussianMoments(name="x")
        c = mechanism._count_weight("add-remove", d)
        assert mechanism.sensitivity("add-remove", d) ** 2 == pytest.approx(1.5 * d + c**2)


def test_a_missing_entry_contributes_nothing():
    mechanism = GaussianMoments(name="x", missing="ignore").calibrate("add-remove", mu=1.0)
    base = np.array([[0.5, -0.25]])
    pair = base, np.vstack([base, [math.nan, math.nan]])
    assert squared_distance(mechanism, *pair, "add-remove") == 0


@by_mechanism
@by_adjacency
@pytest.mark.parametrize("mu", [1e-100, 1e-30, 1e-14])
def test_noise_beyond_all_rows_hides_them_and_stays_finite(which, adjacency, mu):
    mechanism = MECHANISMS[which].calibrate(adjacency, mu=mu)
    rows = np.ones((5, 3))
    draw = release(mechanism, rows, adjacency)()
    assert np.isfinite(draw.value).all()
    assert np.isfinite(draw.noise_scale).all()


def test_grid_of_products_is_public_and_carries_every_noise():
    for exponent in range(-60, 440, 7):
        scale = 1.37 * 2.0**exponent
        grid = product_grid(scale)
        assert math.frexp(grid)[0] == 0.5
        assert grid >= 2.0**-16
        assert 0 < scale / grid**2 <= 2.0**48
        assert scale / grid <= 2.0**48
        # Coarse only where a unit of the grid is far below the noise.
        assert grid == 2.0**-16 or grid <= scale * 2.0**-20


# A contribution is a function of the row alone


def layouts(rows):
    """The same rows in other orders, blocks, strides and types."""
    order = np.random.default_rng(0).permutation(len(rows))
    wide = np.zeros((2 * len(rows), 3 * rows.shape[1]))
    wide[::2, ::3] = rows
    yield "reversed", rows[::-1]
    yield "permuted", rows[order]
    yield "Fortran order", np.asfortranarray(rows)
    yield "strided", wide[::2, ::3]
    yield "read only", np.frombuffer(rows.tobytes()).reshape(rows.shape)
    yield "blocks of one", lambda: (rows[i : i + 1] for i in range(len(rows)))
    yield "blocks with empty ones", lambda: iter([rows[:0], rows[:7], rows[7:7], rows[7:]])
    yield "nested blocks", lambda: iter([lambda: iter([rows[:9]]), rows[9:]])
    if (rows.astype(np.float32) == rows).all():
        yield "float32", rows.astype(np.float32)
        yield "big endian", rows.astype(">f8")


@by_mechanism
@by_adjacency
def test_totals_do_not_depend_on_order_blocks_or_layout(which, adjacency):
    mechanism = MECHANISMS[which].calibrate(adjacency, mu=5.0)
    rng = np.random.default_rng(1)
    # More rows than a block; norms on both sides of the clipping norm; exact in float32.
    rows = rng.normal(0, 0.5, size=(8192 + 60, 5)).astype(np.float32).astype(np.float64)
    if which == "histogram":
        rows = np.rint(3 * rows)
    options = options_of(mechanism, 5)
    expected = mechanism.draw(rows, adjacency=adjacency, source=random_source(0), **options).value
    for name, other in layouts(rows):
        value = mechanism.draw(other, adjacency=adjacency, source=random_source(0), **options).value
        assert np.array_equal(value, expected), name


@by_mechanism
def test_integers_are_rows_too(which):
    mechanism = MECHANISMS[which].calibrate("add-remove", mu=1.0)
    rows = np.array([[0, 1], [1, 0], [3, 3]])
    values = [
        release(mechanism, rows.astype(dtype), "add-remove")().value
        for dtype in (np.int64, np.uint8, np.float64)
    ]
    assert np.array_equal(values[0], values[2])
    assert np.array_equal(values[1], values[2])


@by_mechanism
def test_rows_are_not_written_to(which):
    rows = np.array([[3.0, -4.0], [math.nan, 0.5], [math.inf, 0.1]])
    before = rows.copy()
    release(MECHANISMS[which].calibrate("add-remove", mu=1.0), rows, "add-remove")()
    assert np.array_equal(rows, before, equal_nan=True)


@by_mechanism
def test_no_rows_at_all(which):
    mechanism = MECHANISMS[which].calibrate("add-remove", mu=1.0)
    options = options_of(mechanism, 2)
    for rows in (np.empty((0, 2)), lambda: iter([]), lambda: iter([np.empty((0, 2))])):

        def draw(rows=rows):
            source = random_source(0)
            return mechanism.draw(rows, adjacency="add-remove", source=source, **options).value

        if isinstance(mechanism, GaussianMoments):
            assert 0 < np.abs(draw()).max() < 20  # noise alone
        else:
            with pytest.raises(ValueError, match="at least one row"):
                draw()


# Values


def test_values_are_the_statistics():
    """With the least noise, what is released is what the docstrings say."""
    rng = np.random.default_rng(2)
    rows = rng.uniform(-0.5, 0.5, size=(300, 3))
    least = {"noise_multiplier": 2.0**-30}
    total = release(GaussianSum(name="x", **least), rows, "replace-one")().value
    np.testing.assert_allclose(total, rows.sum(axis=0), atol=1e-6)
    moment = release(GaussianSecondMoment(name="x", **least), rows, "replace-one")().value
    np.testing.assert_allclose(moment, rows.T @ rows, atol=300 * 2.0**-15)
    assert np.array_equal(moment, moment.T)
    low, high = np.array([-1.0, -0.5, 0.0]), np.array([1.0, 0.5, 0.25])
    z = (np.clip(rows, low, high) - (low + high) / 2) / ((high - low) / 2)
    for adjacency in ADJACENCIES:
        counts, sums, squares = release(
            GaussianMoments(name="x", **least), rows, adjacency, low=low, high=high
        )().value
        np.testing.assert_allclose(counts, 300, atol=1e-6)
        np.testing.assert_allclose(sums, z.sum(axis=0), atol=300 * 2.0**-16)
        np.testing.assert_allclose(squares, (z**2).sum(axis=0), atol=300 * 2.0**-15)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float64, bool])
@pytest.mark.parametrize("n_cells", [1, 2, 300])
def test_cells_are_counted_in_every_type_of_codes(dtype, n_cells):
    codes = np.random.default_rng(0).integers(0, 127, (5000, 3)).astype(dtype)
    if dtype in (np.int8, np.int64):
        codes[::7] *= -1
    weighted = cell_counts(codes, n_cells, np.ones(5000), 0.25)
    assert (cell_counts(codes, n_cells, None, 0.25) == weighted).all()
    expected = [[4 * (column == cell).sum() for cell in range(n_cells)] for column in codes.T]
    assert (weighted == expected).all()


def test_histogram_counts_cells_and_only_cells():
    codes = np.array([[0, 3], [1, -1], [1, 4], [2, 10**12], [-(10**12), 0]])
    mechanism = GaussianHistogram(name="x", noise_multiplier=2.0**-30)
    value = release(mechanism, codes, "add-remove")().value
    expected = np.array([[1, 2, 1, 0], [1, 0, 0, 1]])
    np.testing.assert_allclose(value, expected, atol=1e-6)
    floats = codes + 0.25
    floats[4] = math.nan, math.inf
    value = release(mechanism, floats, "add-remove")().value
    expected[1, 0] = 0
    np.testing.assert_allclose(value, expected, atol=1e-6)


@by_adjacency
def test_weights_of_a_histogram_are_clipped(adjacency):
    mechanism = GaussianHistogram(name="x", noise_multiplier=2.0**-30)
    codes = np.zeros((7, 1), dtype=int)
    weights = np.array([0.5, 1.0, 7.0, -3.0, math.nan, math.inf, -math.inf])
    value = release(mechanism, codes, adjacency, n_cells=2, weights=weights)().value
    np.testing.assert_allclose(value, [[3.5, 0.0]], atol=1e-5)


@by_adjacency
@given(
    weights=st.tuples(*[st.one_of(st.floats(0, 1), st.floats())] * 2),
    codes=st.tuples(*[st.integers(-1, 2)] * 2),
)
def test_no_weighted_row_passes_the_sensitivity(adjacency, weights, codes):
    mechanism = GaussianHistogram(name="x").calibrate(adjacency, mu=1.0)

    def draw(code, weight):
        return release(
            mechanism,
            np.array([[0], [code]])[: None if weight is not None else 1],
            adjacency,
            n_cells=2,
            weights=np.array([1.0, weight])[: None if weight is not None else 1].astype(float),
        )

    first = record(draw(codes[0], None if adjacency == "add-remove" else weights[0]))
    second = replay(draw(codes[1], weights[1]), first)
    assert transcript_mu_squared(first, second) <= 1


@by_mechanism
@by_adjacency
def test_noise_has_the_scale_that_is_reported(which, adjacency):
    mechanism = MECHANISMS[which].calibrate(adjacency, mu=0.7)
    rows = np.full((3, 3), 0.5)
    source = random_source(5)
    options = options_of(mechanism, 3)
    draws = [
        mechanism.draw(rows, adjacency=adjacency, source=source, **options) for _ in range(1000)
    ]
    values = np.array([draw.value for draw in draws])
    scales = np.broadcast_to(draws[0].noise_scale, values.shape[1:]).copy()
    if which == "second moment":
        scales[~np.eye(3, dtype=bool)] /= math.sqrt(2)
    public = scales == 0
    assert public.any() == (which == "moments" and adjacency == "replace-one")
    assert (values.std(axis=0)[public] == 0).all()
    ratios = values.std(axis=0)[~public] / scales[~public]
    # The standard deviation of such a ratio is 1 / sqrt(2000).
    assert np.abs(ratios - 1).max() < 5 / math.sqrt(2000)


# Audits


def coordinates(which, value, adjacency):
    """What of a value has independent noise of the reported scale, as one vector."""
    if which == "second moment":
        upper = np.triu_indices(len(value), 1)
        return np.concatenate([np.diag(value), math.sqrt(2) * value[upper]])
    if which.startswith("moments"):
        counts, sums, squares = value
        if which == "moments":
            counts = counts[:1]
        if adjacency == "replace-one":
            # Weights of the joint release; equal noise on all.
            return np.concatenate([0.75 * counts, sums, 1.5 * squares])
        centred = math.sqrt(2) * (squares - value[0] / 2)
        weight = GaussianMoments(name="x", missing="error" if which == "moments" else "ignore")
        return np.concatenate(
            [weight._count_weight("add-remove", sums.size) * counts, sums, centred]
        )
    return np.ravel(value)


def audit(which, adjacency, mu, n_draws, n_columns=2):
    """Lower bound on mu from the likelihood ratio on the worst pair."""
    mechanism = MECHANISMS[which].calibrate(adjacency, mu=mu)
    base = np.zeros((1, n_columns))
    pair = neighbours(base, *worst_rows(which, adjacency, n_columns), adjacency)
    options = options_of(mechanism, n_columns)
    exact = replace(mechanism, noise_multiplier=2.0**-30)
    source = random_source(7)

    def draw(mechanism, rows):
        value = mechanism.draw(rows, adjacency=adjacency, source=source, **options).value
        return coordinates(which, value, adjacency)

    first, second = (draw(exact, rows) for rows in pair)
    direction = second - first
    scores = [[draw(mechanism, rows) @ direction for _ in range(n_draws)] for rows in pair]
    threshold = (first + second) @ direction / 2
    return mu_lower_bound(*scores[::-1], threshold=threshold, alpha=ALPHA)


@by_mechanism
@by_adjacency
def test_audit_finds_no_violation_and_finds_halved_noise(which, adjacency):
    mu = 2.0  # where few draws tell most
    assert 0.6 * mu < audit(which, adjacency, mu, 600) <= mu
    with halved_noise():
        assert audit(which, adjacency, mu, 600) > mu


@pytest.mark.slow
@by_mechanism
@by_adjacency
@pytest.mark.parametrize("mu", [0.3, 1.0, 3.0])
def test_audit_at_full_size(which, adjacency, mu):
    bound = audit(which, adjacency, mu, 30_000, n_columns=3)
    assert 0.7 * mu < bound <= mu
