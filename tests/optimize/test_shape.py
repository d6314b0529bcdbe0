"""Shaped rows have norm at most 1 and are functions of the row and the release alone."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skprivacy.bounding import RowScaling
from skprivacy.optimize import Shape, ShapedRows, UnitRows
from skprivacy.optimize._shape import ROW_GRID, simplex_projection


def unit_view(X, radius, constant):
    columns = np.ones(X.shape[1])
    return UnitRows(X, RowScaling(0 * columns, columns, False, radius), radius, constant)


def unit_rows(X, radius, constant):
    return unit_view(X, radius, constant)[:]


def exact_norm2(row):
    return sum(Fraction(float(value)) ** 2 for value in row)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-150, 150), st.floats(1e-3, 1e3), st.booleans())
def test_unit_rows_have_norm_at_most_one(seed, log_scale, radius, intercept):
    rows = np.random.default_rng(seed).normal(size=(5, 7)) * 10.0**log_scale
    for row in unit_rows(rows, radius, 1.0 if intercept and radius > 1 else 0.0):
        assert exact_norm2(row) <= 1
        assert (row / ROW_GRID == np.rint(row / ROW_GRID)).all()


def random_shape(n_columns, seed=0, noise=5.0):
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.normal(size=(400, n_columns)) * np.geomspace(1, 1e-3, n_columns), 2.0, 0.0)
    noise_matrix = rng.normal(size=(n_columns, n_columns)) * noise
    return Shape.from_moment(rows.T @ rows + noise_matrix + noise_matrix.T, noise, 400.0), rows


@pytest.mark.parametrize("n_columns", [1, 2, 13, 60])
@pytest.mark.parametrize("noise", [1e-6, 5.0, 1e6])
def test_shaped_rows_have_norm_at_most_one(n_columns, noise):
    shape, rows = random_shape(n_columns, noise=noise)
    shaped = ShapedRows(unit_view(rows, 1.0, 0.0), shape)[:]
    assert all(exact_norm2(row) <= 1 for row in shaped[:50])
    assert np.abs(shaped).max() > 0


def test_without_noise_every_direction_gets_equal_size():
    shape, rows = random_shape(5, noise=1e-9)
    moment = (rows @ shape.matrix).T @ (rows @ shape.matrix)
    np.testing.assert_allclose(moment, np.eye(5) * np.trace(moment) / 5, atol=1e-3 * 400)
    assert np.trace(moment) == pytest.approx(400, rel=1e-3)


def test_noise_alone_makes_no_direction_up():
    noise = np.random.default_rng(0).normal(size=(40, 40)) * 1e3
    shape = Shape.from_moment(noise + noise.T, 1e3, 50.0)
    assert shape.moment.min() >= 0
    assert shape.moment.sum() <= 50.0 * (1 + 1e-9)


def test_simplex_projection_is_the_nearest_point():
    values = np.array([3.0, -1.0, 0.5, 2.0])
    nearest = simplex_projection(values, 2.0)
    assert nearest.sum() == pytest.approx(2.0)
    for other in np.random.default_rng(0).dirichlet(np.ones(4), 500) * 2.0:
        assert np.linalg.norm(values - nearest) <= np.linalg.norm(values - other) + 1e-12
