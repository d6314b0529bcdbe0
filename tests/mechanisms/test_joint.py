"""Joint tables: what they add up is what adding up row by row gives, to the last bit."""

import itertools
import math

import numpy as np
import pytest

from skprivacy.mechanisms import CellBlock, CellRows, Term, Terms, block_diagonal
from skprivacy.mechanisms import _joint as joint

SHAPES = [(5,), (3, 4), (2, 3, 4), (2, 3, 2, 3), (2, 3, 2, 2, 3)]
N_CELLS = sum(map(math.prod, SHAPES))


def all_terms():
    """Every constant, axis, and set of axes of every table."""
    return [
        Term(table, axes)
        for table, shape in enumerate(SHAPES)
        for size in range(len(shape) + 1)
        for axes in itertools.combinations(range(len(shape)), size)
    ]


def n_cells(term):
    return math.prod(SHAPES[term.table][axis] for axis in term.axes)


def random_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return CellRows(
        tuple(rng.integers(0, math.prod(shape), n).astype(np.uint16) for shape in SHAPES),
        tuple(SHAPES),
    )


@pytest.mark.parametrize("k", [1, 3])
def test_margins_are_the_very_sums_over_the_other_axes(k):
    sums = np.random.default_rng(0).integers(-(2**40), 2**40, size=(N_CELLS, k)).astype(float)
    tables = np.split(sums, np.cumsum([math.prod(shape) for shape in SHAPES])[:-1])
    margins = Terms(all_terms(), SHAPES).gather(sums)
    ends = np.cumsum([n_cells(term) for term in all_terms()])
    for term, margin in zip(all_terms(), np.split(margins, ends[:-1]), strict=True):
        shape = SHAPES[term.table]
        others = tuple(axis for axis in range(len(shape)) if axis not in term.axes)
        expected = tables[term.table].reshape(*shape, k).sum(axis=others).reshape(-1, k)
        np.testing.assert_array_equal(margin, expected)


@pytest.mark.parametrize("k", [1, 3])
def test_spreading_and_gathering_are_transposes(k):
    rng = np.random.default_rng(0)
    terms = Terms([*all_terms(), Term(0, ()), Term(3, (1, 2))], SHAPES)  # also one twice
    values = rng.normal(size=(sum(map(n_cells, terms)), k))
    sums = rng.normal(size=(N_CELLS, k))
    assert (terms.spread(values) * sums).sum() == pytest.approx((values * terms.gather(sums)).sum())


def test_blocks_along_the_diagonal():
    blocks = [np.array([[1.0, 0.0, 2.0]]), np.zeros((2, 1)), np.array([[3.0], [4.0]])]
    expected = np.zeros((5, 5))
    expected[0, :3], expected[3:, 4] = [1, 0, 2], [3, 4]
    np.testing.assert_array_equal(block_diagonal(blocks).toarray(), expected)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("n", [1, 7, 2 * joint.BLOCK_ROWS + 11])
def test_blocks_hold_every_row_once(n, kept, monkeypatch):
    if not kept:
        monkeypatch.setattr(joint, "KEPT_CELLS", 0)
    cells = random_rows(n)
    rng = np.random.default_rng(1)
    values = rng.integers(-(2**16), 2**16, size=(n, 2)).astype(float)
    tables = rng.normal(size=(N_CELLS, 2))
    starts = np.cumsum([0, *(math.prod(shape) for shape in SHAPES)])
    scores, sums = np.zeros((n, 2)), np.zeros((N_CELLS, 2))
    for start, code in zip(starts, cells.codes, strict=False):
        scores += tables[start + code]
        np.add.at(sums, start + code.astype(int), values)
    for _ in range(2):  # blocks can be asked for again
        found, total, seen = np.empty((n, 2)), np.zeros((N_CELLS, 2)), np.zeros(n)
        for block in cells.blocks():
            found[block.rows] = block.scores(tables)
            total += block.sums(values[block.rows])
            seen[block.rows] += 1
        np.testing.assert_array_equal(found, scores)
        np.testing.assert_array_equal(total, sums)
        np.testing.assert_array_equal(seen, 1)


@pytest.mark.parametrize("k", [1, 3])
def test_scores_of_a_row_do_not_depend_on_where_it_stands(k):
    cells, tables = random_rows(1001), np.random.default_rng(2).normal(size=(N_CELLS, k))
    together = CellBlock(cells, slice(0, 1001)).scores(tables)
    for start in range(0, 1001, 97):
        alone = CellBlock(cells, slice(start, start + 1)).scores(tables)
        np.testing.assert_array_equal(alone[0], together[start])
