import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprivacy.benchmarking import (
    FORMS,
    encode,
    encode_number,
    make_problem,
    make_rows,
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


@pytest.fixture(scope="module")
def adult():
    return problem_from_bunch(load_dataset("adult"))


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


def test_the_norm_bound_holds_on_adult(adult):
    problem = adult
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


def test_every_form_has_the_rows_it_says(problem):
    mixed, filled = make_rows(problem, "mixed"), make_rows(problem, "filled")
    np.testing.assert_array_equal(mixed.X[1:4], [[1, 0], [2, 2], [np.nan, 2]])
    np.testing.assert_array_equal(filled.X[1:4], [[1, 0], [2, 2], [0, 2]])
    np.testing.assert_array_equal(mixed.facts.n_categories, [0, 2])
    np.testing.assert_array_equal(mixed.facts.bounds, [[0, 0], [10, 2]])
    codes = make_rows(problem, "codes")
    np.testing.assert_array_equal(codes.X[[1, 3, 16], 0], [1, 16, 15])  # missing, clipped
    np.testing.assert_array_equal(codes.facts.n_categories, [16, 2])
    numbers = make_rows(problem, "numbers")
    np.testing.assert_allclose(numbers.X[1:4, 0], [0.1, 0.2, 0.0])
    assert numbers.X.shape == (20, 1)
    assert numbers.facts.range == (0.0, 1.0)


@pytest.mark.parametrize("form", FORMS)
def test_the_declared_facts_hold_in_every_form(form, adult):
    rows = make_rows(adult, form)
    low, high = rows.facts.bounds
    assert ((low <= rows.X) & (high >= rows.X)).all()
    assert np.linalg.norm(rows.X, axis=1).max() <= rows.facts.norm


def test_forms_that_need_what_is_not_declared_say_so():
    problem = make_problem("t", {"x": np.arange(20.0), "y": np.ones(20)}, LABELS)
    assert make_rows(problem, "codes").X.shape == (20, 0)
    assert make_rows(problem, "mixed").facts.bounds is None
    text = make_problem("t", {"town": np.array(["a", "b"] * 10, dtype=object)}, LABELS)
    assert make_rows(text, "numbers").X.shape == (20, 0)
    assert make_rows(text, "mixed").facts.norm == 2.0
