"""Rows made block by block are the same numbers however they are asked for."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skprivacy.bounding import RowScaling
from skprivacy.optimize import Shape, ShapedRows, UnitRows
from skprivacy.optimize import _rows as module
from skprivacy.optimize._rows import block_norms, quick_norms


def scaling(n_columns, radius=2.0, clip=False):
    return RowScaling(np.zeros(n_columns), np.full(n_columns, 1.5), clip, radius)


def sparse_rows(n_columns, density):
    rng = np.random.default_rng(0)
    X = rng.random((200, n_columns))
    return csr_array(X * (rng.random(X.shape) < density))


def shape_of(n_columns, *, diagonal=False):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, n_columns)) / 3
    moment = rows.T @ rows + np.eye(n_columns)
    return Shape.from_moment(np.diag(moment).copy() if diagonal else moment, 2.0, 100.0)


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("n_columns", [1, 3, 31, 60])
@pytest.mark.parametrize("kept", [False, True])
def test_a_row_is_the_same_wherever_it_stands(monkeypatch, n_columns, kept, diagonal):
    X = np.random.default_rng(1).normal(size=(300, n_columns)) * 3
    shape = shape_of(n_columns + 1, diagonal=diagonal)

    def shaped(X):
        return ShapedRows(UnitRows(X, scaling(n_columns), 2.2, 1.0), shape)

    whole = shaped(X)[:]
    if not kept:
        monkeypatch.setattr(module, "KEPT", 0)
    for shift in (1, 2, 3, 7, 299):
        assert (shaped(np.asfortranarray(X[shift:]))[:] == whole[shift:]).all()
    assert (shaped(X[::-1])[:][::-1] == whole).all()
    view = shaped(X)
    for _ in range(2):
        assert (np.vstack([view[a : a + 7] for a in range(0, 300, 7)]) == whole).all()
        assert (view[100:103] == whole[100:103]).all()


def test_only_small_problems_are_kept(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 1000)
    for n_rows, kept in ((250, True), (251, False)):
        view = UnitRows(np.ones((n_rows, 3)), scaling(3), 2.0, 1.0)
        assert (view._kept is not None) == kept


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_sparse_rows_are_the_dense_ones(diagonal, constant, clip):
    X = sparse_rows(20, 0.2) * 9
    n_columns = 20 + (constant != 0)
    shape = shape_of(n_columns, diagonal=diagonal)
    views = [UnitRows(rows, scaling(20, clip=clip), 2.0, constant) for rows in (X, X.toarray())]
    units = [np.vstack(list(view.blocks())) for view in views]
    # Norms of dense rows are bounded less tightly.
    np.testing.assert_allclose(*units, atol=2e-4)
    sparse, dense = (ShapedRows(view, shape) for view in views)
    block = sparse[:]
    assert isinstance(block, csr_array) == diagonal
    np.testing.assert_allclose(block.toarray() if diagonal else block, dense[:], atol=1e-3)


@pytest.mark.parametrize("radius", [1e-9, 1.0, 1e9])
def test_quick_norms_are_bounds(radius):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 30)) * 10.0 ** rng.uniform(-6, 6, (500, 1)) * radius
    X[:3] = [[0.0], [1e300], [radius / 30**0.5]]
    norms, tight = quick_norms(X, radius), block_norms(X)
    assert (norms >= tight * (1 - 1e-14)).all()
    assert (norms <= tight + 1e-4 * radius).all()
    # The same numbers for a row wherever it stands.
    for shift in (1, 3, 7):
        assert (quick_norms(np.asfortranarray(X[shift:]), radius) == norms[shift:]).all()


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_draft_is_nearly_the_rows(monkeypatch, dtype, constant, clip):
    monkeypatch.setattr(module, "KEPT", 0)
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 6)).astype(dtype)
    middle, half = np.linspace(-0.2, 0.2, 6), np.full(6, 1.5)
    unit = UnitRows(X, RowScaling(middle, half, clip, 1.0), 1.2, constant)
    rows = ShapedRows(unit, shape_of(6 + (constant != 0)))
    draft = rows.draft()
    w = rng.normal(size=(rows.shape[1], 3))
    part = slice(100, 300)
    block = draft.block(part)
    np.testing.assert_allclose(block.scores(draft.times(w)), rows[part] @ w, atol=1e-13)
    block = draft.block(part)
    slopes = rng.normal(size=(200, 3))
    pulled = draft.back(block.pull(slopes))
    np.testing.assert_allclose(pulled, rows[part].T @ slopes, atol=1e-11)
    block = draft.block(part)
    np.testing.assert_allclose(draft.back(block.dense().T).T, rows[part], atol=1e-14)


@pytest.mark.parametrize("diagonal", [False, True])
def test_a_draft_of_sparse_rows(diagonal):
    X = sparse_rows(20, 0.2) * 9
    rows = ShapedRows(UnitRows(X, scaling(20), 2.0, 1.0), shape_of(21, diagonal=diagonal))
    rows._kept = None
    draft = rows.draft()
    w = np.random.default_rng(0).normal(size=21)
    block = draft.block(slice(50, 120))
    np.testing.assert_allclose(block.scores(draft.times(w)), rows[50:120] @ w, atol=1e-13)
    slopes = np.linspace(-1, 1, 70)
    expected = rows[50:120].T @ slopes
    np.testing.assert_allclose(draft.back(block.pull(slopes)), expected, atol=1e-11)


@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5])
def test_clipped_rows_are_the_same_from_memory(monkeypatch, part, constant):
    monkeypatch.setattr(module, "KEPT", 0)
    rng = np.random.default_rng(0)
    X = rng.uniform(-0.3, 0.3, (20000, 12))
    X[rng.permutation(20000)[: int(part * 20000)]] *= 100
    view = UnitRows(X, scaling(12), 1.3, constant)
    fresh = [view[slice(a, a + 777)] for a in range(0, 20000, 777)]
    assert view._longer is None
    whole = np.vstack(list(view.blocks()))
    assert (view._longer is None) == (part == 0.5)
    assert (np.vstack(fresh) == whole).all()
    assert (np.vstack([view[slice(a, a + 333)] for a in range(0, 20000, 333)]) == whole).all()
    norms = np.linalg.norm(whole, axis=1)
    assert norms.max() <= 1
    assert (norms > 0.999).sum() == int(part * 20000)


def test_there_is_no_draft_of_kept_rows(monkeypatch):
    X = np.full((10, 2), 1.4)
    assert ShapedRows(UnitRows(X, scaling(2), 2.0, 0.0), shape_of(2)).draft() is None
    monkeypatch.setattr(module, "KEPT", 0)
    assert ShapedRows(UnitRows(X, scaling(2), 2.0, 0.0), shape_of(2)).draft() is not None


@pytest.mark.parametrize("scale", [1e-250, 1.0, 1e250])
def test_norms_of_sparse_rows(scale):
    X = sparse_rows(50, 0.1) * scale
    norms = block_norms(X)
    np.testing.assert_allclose(norms, block_norms(X.toarray()), rtol=1e-13)
    for row, norm in zip(X.toarray() / scale, norms / scale, strict=True):
        assert np.linalg.norm(row.astype(np.longdouble)) <= norm * (1 + 1e-16)


def test_a_kept_row_that_is_not_clipped():
    X = np.array([[100.0, 0.0], [0.0, 0.1]])
    shape = Shape(np.diag([3.0, 5.0]), np.array([3.0, 5.0]), np.ones(2))
    rows = ShapedRows(UnitRows(X, scaling(2), 1.0, 0.0), shape, clip=False)[:]
    assert rows[0, 0] == pytest.approx(3.0, abs=1e-5)
    assert rows[1, 1] == pytest.approx(5 * 0.1 / 1.5, abs=1e-5)


def test_a_place_with_many_entries_is_clipped_by_their_sum():
    """400 entries of .05 in one column are one entry of 20."""
    n, d = 400, 3
    X = csr_array((np.full(n, 0.05), np.zeros(n, dtype=np.int32), [0, n]), shape=(1, d))
    X.has_canonical_format = True  # nobody's word is taken for it
    for constant in (0.0, 1.0):
        unit = UnitRows(X, scaling(d), 2.0, constant)
        norm = np.linalg.norm(unit[0:1].toarray())
        assert norm <= 1
        assert norm > 0.9
        shaped = ShapedRows(unit, shape_of(d + (constant != 0), diagonal=True))
        assert np.linalg.norm(shaped[0:1].toarray()) <= 1
    assert X.nnz == n  # the caller's rows stay as they are
