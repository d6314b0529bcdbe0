import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprivacy.benchmarking import (
    encode,
    encode_number,
    make_problem,
    norm_bound,
    problem_from_bunch,
    public_encoder,
)
from skprivacy.datasets import load_dataset

LABELS = ["no", "yes"] * 10


@pytest.fixture
def problem():
    age = np.arange(20.0)
    age[3] = np.nan
    town = np.array(["a", "b", np.nan, "c"] * 5, dtype=object)
    return make_problem(
        "t",
        {"age": age, "town": town},
        LABELS,
        bounds={"age": (0.0, 10.0)},
        categories={"town": ("b", "a")},
    )


def test_numbers_are_scaled_clipped_and_marked_and_text_is_one_hot(problem):
    X = encode(problem)
    assert X.shape == (20, 4)
    np.testing.assert_allclose(X[2], [0.2, 0.0, 0.0, 0.0])  # town missing
    np.testing.assert_allclose(X[3], [0.0, 1.0, 0.0, 0.0])  # age missing, town undeclared
    np.testing.assert_allclose(X[1], [0.1, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(X[16], [1.0, 0.0, 0.0, 1.0])  # clipped


def test_a_row_is_encoded_the_same_whoever_else_is_there(problem):
    whole = encode(problem)
    encoder = public_encoder(problem)
    table = np.empty((20, 2), dtype=object)
    for j, values in enumerate(problem.columns.values()):
        table[:, j] = values
    alone = encoder.fit(table[:1]).transform(table[7:8])
    np.testing.assert_array_equal(alone, whole[7:8])


def test_the_norm_bound_holds(problem):
    assert norm_bound(problem) == math.sqrt(2)
    assert np.linalg.norm(encode(problem), axis=1).max() <= norm_bound(problem)


def test_the_norm_bound_holds_on_adult():
    problem = problem_from_bunch(load_dataset("adult"))
    X = encode(problem)
    assert X.shape == (45222, 105)
    assert norm_bound(problem) == math.sqrt(14)
    assert np.linalg.norm(X, axis=1).max() <= math.sqrt(14)
    assert (X.sum(axis=1) >= 8).all()  # eight text columns, none missing


def test_without_declared_ranges_there_is_no_bound_and_numbers_stay():
    problem = make_problem("t", {"x": np.arange(20.0) * 1000}, LABELS)
    assert norm_bound(problem) is None
    np.testing.assert_array_equal(encode(problem)[:, 0], np.arange(20.0) * 1000)


@given(
    value=st.floats(allow_nan=True, allow_infinity=True),
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
)
def test_any_number_becomes_a_point_of_the_unit_square(value, low, width):
    encoded = encode_number(np.array([[value]]), (low, low + width), mark_missing=True)
    assert encoded.shape == (1, 2)
    assert 0.0 <= encoded[0, 0] <= 1.0
    assert encoded[0, 1] == math.isnan(value)
    assert np.linalg.norm(encoded) <= 1.0
