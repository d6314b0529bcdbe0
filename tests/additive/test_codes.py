"""Cells of rows: found without a search, they are those that a search finds."""

import numpy as np
import pytest

from skprivacy.additive import _codes
from skprivacy.additive._bins import Bins, cell_codes
from skprivacy.additive._codes import FineCells

RANGES = [
    *((0.0, 1.0), (-2.0, 3.0), (1e15, 1e15 + 4), (-1e-3, 1e6)),
    *((0.0, 1e-300), (0.0, 5e-324), (-1e308, 1e308), (-1.0, 1e308)),
]


def values_of(low, high, edges):
    """Values at, just below and just above every edge, beyond the bounds, and missing."""
    between = np.random.default_rng(0).uniform(max(low, -8e307), min(high, 8e307), 500)
    special = [low, high, 0.0, -0.0, np.nan, -1.7e308, 1.7e308, -1e-5, 1e-5]
    return np.concatenate(
        [edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf), between, special]
    )


def cells_of(low, high, size=0):
    """Fine cells of such values and of a column of three categories."""
    bounds = np.array([low, 0.0]), np.array([high, 1.0])
    categories = [None, np.arange(3)]
    (edges, _), sizes = (fine := FineCells(np.zeros((1, 2)), bounds, categories)).edges, fine.sizes
    numbers = values_of(low, high, edges)
    codes = np.append(np.arange(numbers.size - 1) % 4.0, np.nan)
    X = np.stack([numbers, codes], axis=1)
    return FineCells(np.tile(X, (1 + size // len(X), 1)), bounds, categories), X, sizes


@pytest.mark.parametrize("bounds", RANGES)
def test_cells_are_those_that_a_search_finds(bounds):
    with np.errstate(all="ignore"):
        fine, X, sizes = cells_of(*bounds)
        found = np.concatenate(list(fine.blocks()))
        clipped = np.clip(X[:, 0], *bounds)
    np.testing.assert_array_equal(found[:, 0], cell_codes(clipped, fine.edges[0], sizes[0]))
    np.testing.assert_array_equal(found[:, 1], cell_codes(X[:, 1], None, sizes[1]))


@pytest.mark.parametrize("kept", [True, False])
def test_bins_are_looked_up_by_the_cell(kept, monkeypatch):
    if not kept:
        monkeypatch.setattr(_codes, "KEPT_CODES", 0)
    fine, X, sizes = cells_of(-2.0, 3.0, size=2 * _codes.BLOCK_VALUES)
    X = fine._X
    edges = fine.edges[0][3::17]
    bins = [
        Bins(edges, np.full(edges.size + 2, 1 / (edges.size + 2))),
        Bins(None, np.full(sizes[1], 1 / sizes[1])),
    ]
    (together, alone), (shape, _) = (cells := fine.joint(bins, [[1, 0], [0]])).codes, cells.shapes
    places = bins[1].codes(X[:, 1]), bins[0].codes(np.clip(X[:, 0], -2.0, 3.0))
    assert shape == (sizes[1], edges.size + 2)
    np.testing.assert_array_equal(together, np.ravel_multi_index(places, shape))
    np.testing.assert_array_equal(alone, places[1])


def test_a_column_in_one_bin():
    fine, X, _ = cells_of(0.0, 1.0)
    bins = [Bins(np.array([]), np.array([0.9, 0.1])), Bins(None, np.full(5, 0.2))]
    np.testing.assert_array_equal(fine.joint(bins, [[0]]).codes[0], np.isnan(X[:, 0]))
