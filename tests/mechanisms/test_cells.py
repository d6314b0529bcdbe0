"""Cells: sums are exact, no row passes its sensitivity, the worst one reaches it."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from auditing import halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skprivacy.accounting import gdp_mu
from skprivacy.attacks import record, replay, transcript_mu_squared
from skprivacy.exceptions import ReleaseError
from skprivacy.mechanisms import (
    CellRows,
    GaussianCellCounts,
    GaussianRounds,
    RoundSums,
    Term,
    random_source,
)
from skprivacy.mechanisms._cells import cell_grids, quantise_residuals

ADJACENCIES = ["add-remove", "replace-one"]
by_adjacency = pytest.mark.parametrize("adjacency", ADJACENCIES)

# mu of epsilon 1e-4, 1 and 1000 at delta 1e-6; the ends of what grids carry.
MUS = [1e-100, gdp_mu(1e-4, 1e-6), 0.24, gdp_mu(1000, 1e-6), 1e6]

SHAPES = ((3, 2), (4,))
TERMS = [Term(0, ()), Term(0, (0,)), Term(0, (1,)), Term(1, (0,)), Term(0, (0, 1))]
SIZES = [1, 3, 2, 4, 6]


def cells_of(codes):
    """Rows with a code in each of the columns of sizes 3, 2 and 4."""
    a, b, c = np.asarray(codes, dtype=int).reshape(-1, 3).T
    return CellRows(((2 * a + b).astype(np.uint16), c.astype(np.uint16)), SHAPES)


def loadings_of(rng=None):
    """Loadings of all terms; without a generator every row of every one is of full length."""
    weights = [0.2, 0.3, 0.1, 0.25, 0.15]
    made = []
    for weight, size in zip(weights, SIZES, strict=True):
        rows = np.eye(size) if rng is None else rng.normal(size=(size, 3))
        rows = rows / np.sqrt((rows**2).sum(axis=1).max())
        made.append(math.sqrt(weight) * rows)
    return made


def rounds(mechanism, codes, residuals, adjacency, n_rounds=3, loadings=None, seed=0):
    """Return a function that draws `n_rounds` sums of fixed residuals (k, n)."""
    cells, residuals = cells_of(codes), np.asarray(residuals, dtype=float)

    def solver(sums):
        integers = sums.quantise(loadings_of() if loadings is None else loadings)
        return [
            sums(cells, TERMS, integers, lambda block: residuals[:, block.rows])
            for _ in range(sums.n_rounds)
        ]

    return lambda: mechanism.draw(
        solver, n_rounds=n_rounds, adjacency=adjacency, source=random_source(seed)
    )


def calibrated(kind, adjacency, mu):
    return kind(name="x").calibrate(adjacency, mu=mu)


@given(
    arrays(
        float,
        st.tuples(st.integers(1, 4), st.integers(1, 6)),
        elements=st.floats(width=64) | st.floats(-1.5, 1.5),
    ),
    st.integers(-3, 16),
)
@settings(max_examples=200, deadline=None)
def test_residuals_have_norm_at_most_1_exactly(residuals, bits):
    with np.errstate(all="ignore"):
        quantised = quantise_residuals(residuals, bits)
    assert np.array_equal(quantised, np.rint(quantised))
    for column in quantised.T:
        assert sum(Fraction(x) ** 2 for x in column) <= Fraction(2) ** (2 * bits)


@pytest.mark.parametrize("k", [1, 3])
def test_a_quantised_residual_is_a_function_of_its_row(k):
    residuals = np.random.default_rng(0).normal(size=(k, 1001))
    together = quantise_residuals(residuals, 16)
    alone = [quantise_residuals(residuals[:, i : i + 1], 16)[:, 0] for i in range(0, 1001, 50)]
    np.testing.assert_array_equal(together[:, ::50].T, alone)
    assert (
        np.abs(together / 2**16 - residuals / np.maximum(1, np.sqrt((residuals**2).sum(0)))).max()
        < 2**-15
    )


def test_sums_are_exact():
    """Joint tables give the very integers that adding up row by row gives."""
    rng = np.random.default_rng(0)
    n = 40_000  # several blocks
    codes = rng.integers(0, [3, 2, 4], size=(n, 3))
    residuals = rng.uniform(-1, 1, size=(2, n)) / 1.5
    loadings = loadings_of(rng)
    mechanism = calibrated(GaussianRounds, "add-remove", 0.5)
    transcript = record(rounds(mechanism, codes, residuals, "add-remove", 1, loadings))
    residual_bits, loading_bits = cell_grids(mechanism.round_scale(1, "add-remove"))
    quantised = quantise_residuals(residuals, residual_bits).astype(object)
    a, b, c = codes.T
    expected = []
    integers = RoundSums(1, mechanism.round_scale(1, "add-remove"), None).quantise(loadings)
    for loading, cell in zip(integers, [0 * a, a, b, c, 2 * a + b], strict=True):
        sums = np.zeros((loading.shape[0], 2), dtype=object)
        np.add.at(sums, cell, quantised.T)
        expected.append(loading.T.astype(object) @ sums)
    assert loading_bits > 10
    np.testing.assert_array_equal(
        transcript.releases[0].total, np.concatenate(expected).astype(np.int64)
    )


@by_adjacency
@pytest.mark.parametrize("mu", MUS)
def test_the_worst_row_of_rounds_uses_its_price_up(mu, adjacency):
    base = np.random.default_rng(0).integers(0, [3, 2, 4], size=(20, 3))
    residuals = np.random.default_rng(1).uniform(-1, 1, size=(1, 20))
    mechanism = calibrated(GaussianRounds, adjacency, mu)
    with_row = np.vstack([base, [2, 1, 3]]), np.append(residuals, [[1e9]], axis=1)
    other = (
        (base, residuals)
        if adjacency == "add-remove"
        else (np.vstack([base, [2, 1, 3]]), np.append(residuals, [[-1.0]], axis=1))
    )
    first = record(rounds(mechanism, *with_row, adjacency))
    second = replay(rounds(mechanism, *other, adjacency, seed=1), first)
    spent = float(transcript_mu_squared(first, second))
    assert spent <= mechanism.loss(adjacency).mu ** 2 * (1 + 1e-12)
    if mu > 1e-6:  # far below, the grid is above 1 and no row counts
        assert spent >= 0.99 * min(mu, 2.0**30) ** 2


@by_adjacency
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), size=st.sampled_from([0.1, 1.0, 1e6]))
@settings(max_examples=40, deadline=None)
def test_no_row_of_rounds_passes_its_price(adjacency, seed, k, size):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, [3, 2, 4], size=(6, 3))
    residuals = size * rng.normal(size=(k, 6))
    loadings = loadings_of(rng)
    mechanism = calibrated(GaussianRounds, adjacency, 0.3)
    if adjacency == "add-remove":
        other = codes[:-1], residuals[:, :-1]
    else:
        changed = residuals.copy()
        changed[:, -1] *= -rng.uniform(0, 2)
        other = np.vstack([codes[:-1], rng.integers(0, [3, 2, 4])]), changed
    first = record(rounds(mechanism, codes, residuals, adjacency, 2, loadings))
    second = replay(rounds(mechanism, *other, adjacency, 2, loadings), first)
    assert transcript_mu_squared(first, second) <= Fraction(mechanism.loss(adjacency).mu) ** 2


def test_halved_noise_is_found():
    base, residuals = np.zeros((1, 3), int), np.zeros((1, 1))
    mechanism = calibrated(GaussianRounds, "add-remove", 0.3)
    with halved_noise():
        first = record(rounds(mechanism, np.zeros((2, 3)), np.array([[0.0, 1.0]]), "add-remove"))
        second = replay(rounds(mechanism, base, residuals, "add-remove"), first)
    assert transcript_mu_squared(first, second) > 3 * 0.3**2


def test_only_so_many_rounds():
    mechanism = calibrated(GaussianRounds, "add-remove", 0.3)
    cells = cells_of([[0, 0, 0]])

    def greedy(sums):
        integers = sums.quantise(loadings_of())
        for _ in range(sums.n_rounds + 1):
            sums(cells, TERMS, integers, lambda _: np.ones((1, 1)))

    with pytest.raises(ReleaseError, match="All 2 rounds"):
        mechanism.draw(greedy, n_rounds=2, adjacency="add-remove", source=random_source(0))


@pytest.mark.parametrize("wrong", [2, 2**40, -(2**63)])
def test_long_loadings_are_refused(wrong):
    mechanism = calibrated(GaussianRounds, "add-remove", 0.3)
    cells = cells_of([[0, 0, 0]])

    def solver(sums):
        integers = [loading.copy() for loading in sums.quantise(loadings_of())]
        integers[1][0, 0] = wrong if abs(wrong) > 2 else wrong * 2**sums.loading_bits
        return sums(cells, TERMS, integers, lambda _: np.ones((1, 1)))

    with pytest.raises(ValueError, match="norm above 1"):
        mechanism.draw(solver, n_rounds=1, adjacency="add-remove", source=random_source(0))


def counts_of(mechanism, codes, adjacency, weights=None, seed=0):
    return lambda: mechanism.draw(
        np.asarray(codes),
        sizes=[3, 2, 40],
        parts=[1.0, 0.3, 1.0],
        weights=weights,
        adjacency=adjacency,
        source=random_source(seed),
    )


@by_adjacency
@pytest.mark.parametrize("mu", MUS)
def test_the_worst_row_of_counts_uses_its_price_up(mu, adjacency):
    base = np.random.default_rng(0).integers(0, [3, 2, 40], size=(20, 3))
    mechanism = calibrated(GaussianCellCounts, adjacency, mu)
    other = base if adjacency == "add-remove" else np.vstack([base, [0, 0, 0]])
    first = record(counts_of(mechanism, np.vstack([base, [2, 1, 39]]), adjacency))
    second = replay(counts_of(mechanism, other, adjacency, seed=1), first)
    spent = float(transcript_mu_squared(first, second))
    assert spent <= mechanism.loss(adjacency).mu ** 2 * (1 + 1e-12)
    if mu > 1e-6:
        assert spent >= 0.99 * min(mu, 2.0**30) ** 2


def test_counts_are_counts():
    codes = [[0, 0, 39], [0, 1, 0], [7, -1, 0]]
    mechanism = replace(calibrated(GaussianCellCounts, "add-remove", 1e6))
    counts = counts_of(mechanism, codes, "add-remove", weights=np.array([0.5, 7.0, np.nan]))()
    expected = np.zeros(45)
    expected[[0, 3, 4, 5, 44]] = 1.5, 0.5, 1.0, 1.0, 0.5
    np.testing.assert_allclose(counts.value, expected, atol=1e-4)
    assert counts.noise_scale[1] == pytest.approx(counts.noise_scale[0] / math.sqrt(0.3))
