"""Bins: every value has one cell, and noise alone makes no bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skprivacy.additive._bins import (
    Bins,
    category_bins,
    cell_codes,
    denoise,
    fine_edges,
    merge_cells,
    pack_columns,
)

FLOATS = st.floats(-1e300, 1e300)


@given(low=FLOATS, high=FLOATS, values=st.lists(FLOATS | st.just(np.nan), min_size=1))
@settings(max_examples=200, deadline=None)
def test_every_value_has_one_fine_cell(low, high, values):
    low, high = min(low, high), max(low, high)
    if not low < high:
        return
    with np.errstate(all="ignore"):
        edges = fine_edges(low, high)
    assert (np.diff(edges) > 0).all()
    values = np.clip(values, low, high)
    codes = cell_codes(values, edges, edges.size + 2)
    missing = np.isnan(values)
    assert (codes[missing] == edges.size + 1).all()
    assert ((codes[~missing] >= 0) & (codes[~missing] <= edges.size)).all()


def test_the_lower_bound_and_0_have_cells_of_their_own():
    edges = fine_edges(-2.0, 5.0)
    codes = cell_codes(np.array([-2.0, np.nextafter(-2.0, 0), -5e-324, 0.0, 5e-324]), edges, 10**4)
    assert codes[0] == 0
    assert codes[1] == 1
    assert np.diff(codes[2:]).tolist() == [1, 1]


def test_categories_have_cells_for_others_and_for_missing_values():
    codes = cell_codes(np.array([0.0, 2.0, 3.0, np.nan]), None, 5)
    assert codes.tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_denoising_removes_noise(size):
    rng = np.random.default_rng(0)
    smooth = [denoise(rng.normal(scale=10, size=size), 10.0, 100.0) for _ in range(50)]
    assert np.min(smooth) >= 0
    # Nothing but noise: nearly always, all cells share the total.
    assert np.mean([np.ptp(one) < 1e-9 for one in smooth]) > 0.5
    counts = np.zeros(size)
    counts[size // 2] = 1000.0
    found = denoise(counts + rng.normal(scale=10, size=size), 10.0, 1000.0)
    assert abs(found[size // 2] - 1000) < 60
    assert found.sum() - found[size // 2] < 60


def test_denoising_without_noise_changes_nothing():
    counts = np.random.default_rng(0).integers(0, 100, size=100).astype(float)
    np.testing.assert_allclose(denoise(counts, 0.0, counts.sum()), counts, atol=1e-9)


def test_rows_in_a_hundredth_of_the_range_are_still_told_apart():
    rng = np.random.default_rng(0)
    edges = fine_edges(-100.0, 100.0)
    values = rng.uniform(19, 21, size=3000)
    counts = np.bincount(cell_codes(values, edges, edges.size + 2), minlength=edges.size + 2)
    bins = merge_cells(edges, counts + rng.normal(scale=30, size=counts.size), 30.0, 3000.0, 64)
    assert ((bins.edges > 19) & (bins.edges < 21)).sum() >= 2
    held = bins.mass[:-1][(np.append(bins.edges, 100.0) > 19) & (np.append(bins.edges, 100.0) < 22)]
    assert held.sum() > 0.4


def test_bins_follow_the_public_bounds_where_noise_is_all_there_is():
    rng = np.random.default_rng(0)
    edges = fine_edges(-1.0, 1.0)
    ends = []
    for _ in range(20):
        counts = rng.normal(scale=300, size=edges.size + 2)
        bins = merge_cells(edges, counts, 300.0, 300.0, 32)
        assert 16 <= bins.n_bins <= 33
        ends.append(np.interp([0.25, 0.5, 0.75], np.linspace(0, 1, bins.edges.size), bins.edges))
    np.testing.assert_allclose(np.median(ends, axis=0), [-0.5, 0.0, 0.5], atol=0.2)


def test_counts_of_categories_lean_to_each_other_as_far_as_noise_explains():
    rng = np.random.default_rng(0)
    counts = np.array([900.0, 60.0, 40.0, 0.0, 0.0])
    clear = category_bins(counts + rng.normal(scale=2, size=5), 2.0, 1000.0).mass
    np.testing.assert_allclose(clear[:3], counts[:3] / 1000, atol=0.02)
    blurred = [
        category_bins(counts + rng.normal(scale=2000, size=5), 2000.0, 1000.0).mass
        for _ in range(50)
    ]
    assert np.median(np.abs(np.array(blurred)[:, :3] - 1 / 3)) < 0.05


def test_many_rows_make_many_bins_of_like_mass():
    rng = np.random.default_rng(0)
    edges = fine_edges(0.0, 1.0)
    values = np.append(rng.uniform(size=50_000), np.zeros(50_000))
    counts = np.bincount(cell_codes(values, edges, edges.size + 2), minlength=edges.size + 2)
    bins = merge_cells(edges, counts + rng.normal(scale=3, size=counts.size), 3.0, 1e5, 64)
    assert 45 <= bins.n_bins <= 66
    assert bins.mass.sum() == pytest.approx(1.0)
    assert bins.mass[0] == pytest.approx(0.5, abs=0.01)  # an atom, which takes no bins from others
    codes = bins.codes(values)
    assert np.abs(np.bincount(codes, minlength=bins.n_bins) / 1e5 - bins.mass).max() < 0.002


def test_packs_hold_every_column_once_within_their_size():
    sizes = [66, 66, 5, 3, 44, 20, 2, 9000]
    packs = pack_columns(sizes, 4096)
    assert sorted(column for pack in packs for column in pack) == list(range(len(sizes)))
    for pack in packs:
        assert np.prod([sizes[j] for j in pack]) <= 4096 or len(pack) == 1
    assert len(packs) <= 5


def test_masses_are_positive():
    assert category_bins(np.array([-50.0, 3.0, 0.0]), 1.0, 3.0).mass.min() > 0
    assert Bins(None, np.ones(3) / 3).n_bins == 3
