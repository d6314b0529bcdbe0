"""Histograms of divided rows: no row passes the sensitivity, the worst one reaches it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.mechanisms import GaussianSplitHistogram, random_source

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
MUS = [1e-100, 1e-9, 0.24, 30.0, 1e9]
N_CELLS = 4


def release(mechanism, rows, adjacency, seed=0):
    """Return a function that draws; `rows` is (codes, parts, weights)."""
    codes, parts, weights = rows
    return lambda: mechanism.draw(
        codes,
        parts=parts,
        n_cells=N_CELLS,
        adjacency=adjacency,
        source=random_source(seed),
        weights=weights,
    )


def squared_distance(mechanism, rows, adjacency):
    """Between all rows but the last one, and those without or with it in place of another."""
    count = len(rows[1])
    first, last = np.arange(count - 1), np.arange(count - 2)
    if adjacency == "replace-one":
        last = np.append(last, count - 1)
    one, other = (tuple(part[index] for part in rows) for index in (first, last))
    transcript = record(release(mechanism, one, adjacency))
    return transcript_mu_squared(
        transcript, replay(release(mechanism, other, adjacency, 1), transcript)
    )


unit = st.one_of(
    st.sampled_from([0.0, 1.0, -3.0, 7.0, math.nan, math.inf, 5e-324, 1 - 2**-53]),
    st.floats(0, 1),
)


@st.composite
def three_rows(draw):
    codes = draw(arrays(np.int64, (4, 3), elements=st.integers(-1, N_CELLS)))
    return (
        codes,
        draw(arrays(np.float64, 4, elements=unit)),
        draw(arrays(np.float64, 4, elements=unit)),
    )


@by_adjacency
@settings(max_examples=80)
@given(rows=three_rows(), mu=st.sampled_from(MUS))
def test_no_row_passes_the_sensitivity(adjacency, rows, mu):
    mechanism = GaussianSplitHistogram(name="x").calibrate(adjacency, mu=mu)
    claimed = Fraction(mechanism.loss(adjacency).mu) ** 2
    assert squared_distance(mechanism, rows, adjacency) <= claimed


@by_adjacency
@pytest.mark.parametrize("mu", MUS[2:-1])
@pytest.mark.parametrize("n_columns", [1, 64])
def test_the_worst_row_reaches_the_sensitivity(adjacency, mu, n_columns):
    mechanism = GaussianSplitHistogram(name="x").calibrate(adjacency, mu=mu)
    rows = np.zeros((3, n_columns), dtype=int), np.array([0.0, 1.0, 0.0]), np.ones(3)
    claimed = Fraction(mechanism.loss(adjacency).mu) ** 2
    assert claimed * Fraction(999, 1000) <= squared_distance(mechanism, rows, adjacency) <= claimed


def test_values_are_divided_counts_in_any_order():
    rng = np.random.default_rng(0)
    codes, parts = rng.integers(-1, 5, (9000, 2)), rng.uniform(0, 1, 9000)
    weights = rng.uniform(0, 1, 9000)
    mechanism = GaussianSplitHistogram(name="x", noise_multiplier=1e-6)
    value = release(mechanism, (codes, parts, weights), "add-remove")().value
    for column in range(2):
        for cell in range(N_CELLS):
            inside = codes[:, column] == cell
            expected = [(weights * part)[inside].sum() for part in (parts, 1 - parts)]
            assert value[column, cell] == pytest.approx(expected, abs=1e-3)
    order = rng.permutation(9000)
    again = release(mechanism, (codes[order], parts[order], weights[order]), "add-remove")().value
    np.testing.assert_array_equal(again, value)


def statistical(n_runs):
    mechanism = GaussianSplitHistogram(name="x").calibrate("replace-one", mu=2.0)

    def scores(part, seed):
        rows = np.zeros((1, 3), dtype=int), np.array([part]), None
        draw = release(mechanism, rows, "replace-one", np.random.default_rng(seed))
        return np.array([np.subtract(*draw().value[:, 0].sum(axis=0)) for _ in range(n_runs)])

    return mu_lower_bound(scores(1.0, 0), scores(0.0, 1), threshold="search", alpha=ALPHA)


def test_audit_finds_no_violation_and_finds_halved_noise():
    assert 1.5 < statistical(3000) <= 2.0
    with halved_noise():
        assert statistical(3000) > 2.0
