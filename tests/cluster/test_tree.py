"""The k-d tree: its cells, how deep it is, and what is kept of its counts."""

import numpy as np
import pytest

from skprivacy.cluster._tree import (
    KEEP,
    MOST_LEVELS,
    cell_codes,
    cell_middles,
    halved_columns,
    kept_cells,
    suitable_levels,
)

LOW, HIGH = np.array([-1.0, 0.0, 5.0]), np.array([3.0, 1.0, 7.0])


def test_the_longest_side_is_halved():
    # Sides 4, 1, 2; then 2, 1, 2; 1, 1, 2; 1, 1, 1.
    assert halved_columns(LOW, HIGH, 5) == [0, 0, 2, 0, 1]


def test_rows_are_in_the_cells_whose_middles_are_near():
    X = np.random.default_rng(0).uniform(LOW - 0.5, HIGH + 0.5, (500, 3))
    X[0], X[1] = HIGH, LOW
    columns = halved_columns(LOW, HIGH, 9)
    codes = cell_codes(X, LOW, HIGH, columns)
    assert codes.shape == (500, 9)
    for level in range(1, 9):
        np.testing.assert_array_equal(codes[:, level] >> 1, codes[:, level - 1])
    for level in range(10):
        own = codes[:, level - 1] if level else np.zeros(500, dtype=np.int32)
        middles = cell_middles(own, LOW, HIGH, columns[:level])
        halvings = np.bincount(columns[:level], minlength=3)
        sides = (HIGH - LOW) / 2.0**halvings
        assert (np.abs(np.clip(X, LOW, HIGH) - middles) <= sides / 2 + 1e-12).all()
    # A row's cells depend on the row alone.
    np.testing.assert_array_equal(cell_codes(X[7:8], LOW, HIGH, columns)[0], codes[7])


def test_depth_follows_rows_over_noise():
    depths = [suitable_levels(n_rows, 10.0) for n_rows in (-50.0, 10, 100, 1000, 10_000, 1e9)]
    assert depths == sorted(depths)
    assert (depths[0], depths[-1]) == (2, MOST_LEVELS)
    assert suitable_levels(1000.0, 10.0) == suitable_levels(2000.0, 20.0)


def test_counts_of_kept_cells_add_up_and_are_better_than_their_own():
    rng = np.random.default_rng(0)
    exact = [np.full(2**level, 4096.0 / 2**level) for level in range(6)]
    errors = []
    for _ in range(200):
        counts = [count + rng.normal(scale=10.0, size=count.size) for count in exact]
        found = kept_cells(counts, [10.0] * 6)
        assert [cells.size for cells, _ in found] == [0, 0, 0, 0, 0, 32]
        errors.append([found[5][1] - 128.0, counts[5] - 128.0])
    kept, own = np.std(errors, axis=(0, 2))
    assert own == pytest.approx(10, rel=0.05)
    # Least squares on a tree of five levels below the top.
    assert kept < 0.8 * own


def test_noise_is_no_cell():
    rng = np.random.default_rng(1)
    sizes = [2**level for level in range(8)]
    n_kept = []
    for _ in range(200):
        found = kept_cells([rng.normal(scale=3.0, size=size) for size in sizes], [3.0] * 8)
        n_kept.append(sum(cells.size for cells, _ in found))
        assert all((size > KEEP).all() for _, size in found)
    assert np.mean(n_kept) < 0.2
    one = [np.zeros(size) for size in sizes]
    for level, count in enumerate(one):
        count[2**level // 3] = 1000.0
    found = kept_cells(one, [3.0] * 8)
    assert [cells.tolist() for cells, _ in found[:-1]] == [[]] * 7
    assert found[-1][0].tolist() == [2**7 // 3]
    assert found[-1][1] == pytest.approx([1000.0])
