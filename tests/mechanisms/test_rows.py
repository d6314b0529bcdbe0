"""Blocks of rows, and norms that are functions of the row alone."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skprivacy.mechanisms import (
    ColumnScaler,
    cached_rows,
    cached_slices,
    row_blocks,
    row_norms,
)
from skprivacy.mechanisms._rows import BLOCK_ROWS, first_block


@pytest.mark.parametrize("n_rows", [0, 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS])
def test_blocks_are_the_rows_in_order_without_copies(n_rows):
    X = np.arange(2.0 * n_rows).reshape(n_rows, 2)
    blocks = list(row_blocks(X))
    assert all(0 < len(block) <= BLOCK_ROWS for block in blocks)
    assert all(np.shares_memory(block, X) for block in blocks)
    assert sum(map(len, blocks)) == n_rows
    if blocks:
        assert np.array_equal(np.concatenate(blocks), X)


def test_blocks_of_functions_are_cut_and_empty_ones_are_left_out():
    X = np.arange(2.0 * BLOCK_ROWS + 10)[:, np.newaxis]

    def blocks():
        yield X[:0]
        yield X[:3]
        yield lambda: iter([X[3:]])

    result = list(row_blocks(blocks))
    assert max(map(len, result)) <= BLOCK_ROWS
    assert np.array_equal(np.concatenate(result), X)


def test_first_block():
    X = np.arange(6.0).reshape(3, 2)
    assert np.array_equal(first_block(X), X)
    assert np.array_equal(first_block(lambda: iter([X[:0], X[1:]])), X[1:])
    for nothing in (X[:0], lambda: iter([]), lambda: iter([X[:0]])):
        with pytest.raises(ValueError, match="at least one row"):
            first_block(nothing)


floats = st.one_of(
    st.sampled_from([0.0, 1.0, 5e-324, 1e-200, 1e-160, 1e160, 1.7e308, -1.7e308]),
    st.floats(-1e308, 1e308),
)


@given(row=arrays(np.float64, st.tuples(st.just(1), st.integers(1, 6)), elements=floats))
def test_norms_are_bounds_and_tight(row):
    with np.errstate(over="ignore"):
        norm = float(row_norms(row)[0])
    squared = sum(Fraction(float(x)) ** 2 for x in row[0])
    if math.isfinite(norm):
        # Below the normal range the last step rounds to a multiple of the least float.
        slack = 5e-324 if norm < 1e-300 else 0
        assert (Fraction(norm) + Fraction(slack)) ** 2 >= squared
        assert max(Fraction(norm) - Fraction(slack), 0) ** 2 <= squared * (1 + Fraction(1, 2**40))
    else:
        assert squared > Fraction(1e308) ** 2


def test_a_norm_is_a_function_of_the_row_alone():
    rows = np.random.default_rng(0).normal(size=(400, 37))
    wide = np.zeros((800, 74))
    wide[::2, ::2] = rows
    expected = row_norms(rows)
    for other in (np.asfortranarray(rows), wide[::2, ::2], rows.copy()[:, ::-1][:, ::-1]):
        assert np.array_equal(row_norms(other), expected)
    one_by_one = np.concatenate([row_norms(rows[i : i + 1]) for i in range(400)])
    assert np.array_equal(one_by_one, expected)
    assert np.array_equal(row_norms(rows[::-1]), expected[::-1])


def test_float32_rows_are_measured_in_float64():
    rows = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    norms = row_norms(rows)
    assert norms.dtype == np.float64
    assert np.array_equal(norms, row_norms(rows.astype(np.float64)))


@pytest.mark.parametrize("limit", [None, 1.0])
@pytest.mark.parametrize("same", [False, True])
def test_scaled_columns_are_the_same_wherever_a_row_stands(same, limit):
    rng = np.random.default_rng(0)
    d, n = 13, 3 * cached_rows(13) + 5
    X = rng.normal(size=(n, d)) * 3
    centre = np.full(d, 0.3) if same else rng.normal(size=d)
    factor = np.full(d, 0.7) if same else rng.uniform(0.1, 2, d)
    low, high = centre - 2.0, centre + 2.5
    expected = (np.clip(X, low, high) - centre) * factor
    if limit is not None:
        expected = np.clip(expected, -limit, limit)
    scaler = ColumnScaler(low, high, centre, factor, limit)
    assert (np.vstack([block.copy() for block in scaler.blocks(X)]) == expected).all()
    for rows in (slice(0, 1), slice(5, 700), slice(0, n)):
        assert (scaler.apply(X[rows]) == expected[rows]).all()
        assert (scaler.apply(np.asfortranarray(X)[rows]) == expected[rows]).all()
    single = scaler.apply(X[:9].astype(np.float32))
    assert (single == scaler.apply(X[:9].astype(np.float32).astype(np.float64))).all()
    assert np.abs(single - expected[:9]).max() < 1e-5


def test_slices_cover_all_rows_once():
    for n_rows, n_columns in ((0, 3), (1, 3), (100_000, 7), (5, 10**7)):
        slices = list(cached_slices(n_rows, n_columns))
        assert np.concatenate([np.arange(n_rows)[s] for s in slices] or [[]]).size == n_rows
        assert all(0 < s.stop - s.start <= cached_rows(n_columns) for s in slices)
