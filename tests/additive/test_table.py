"""Tables: every cell has one code by public facts alone, whatever container it comes in."""

import traceback

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skprivacy.additive import DPAdditiveClassifier
from skprivacy.additive._table import Schema, encode, is_plain, make_schema

NAN = np.nan
ROWS = [
    [1.5, "a", True, 3],
    [NAN, "b", False, 1],
    [2.5, None, True, 2],
    [0.0, "new", False, 9],
]
CATEGORIES = {"letter": ["a", "b"], "grade": [1, 2, 3]}
EXPECTED = [[1.5, 0, 1, 2], [NAN, 1, 0, 0], [2.5, NAN, 1, 1], [0.0, 2, 0, 3]]
NAMES = ["size", "letter", "flag", "grade"]


def frames():
    pandas = pd.DataFrame(ROWS, columns=NAMES)
    yield "pandas", pandas
    yield "pandas text", pandas.astype({"letter": "string", "flag": "boolean", "size": "Float64"})
    yield "pandas categorical", pandas.astype({"letter": "category"})
    yield (
        "polars",
        pl.DataFrame(ROWS, schema=NAMES, orient="row").with_columns(pl.col("size").fill_nan(None)),
    )


@pytest.mark.parametrize(("kind", "table"), list(frames()), ids=[k for k, _ in frames()])
def test_any_frame_has_the_same_codes(kind, table):
    schema = make_schema(table, CATEGORIES, "X")
    assert not is_plain(table, None)
    assert schema.numeric.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(encode(table, schema), EXPECTED)


def test_an_array_of_objects_is_a_table_too():
    array = np.array(ROWS, dtype=object)[:, [0, 1, 3]]
    schema = make_schema(array, {1: ["a", "b"], 2: [1, 2, 3]}, "X")
    np.testing.assert_array_equal(encode(array, schema), np.array(EXPECTED)[:, [0, 1, 3]])


def test_the_schema_of_the_fit_decides():
    schema = make_schema(pd.DataFrame({"x": ["u", "v"]}), None, "X")
    assert schema.categories[0].tolist() == ["u", "v"]
    later = pd.DataFrame({"x": pd.Categorical(["w", "v", None], categories=["w", "v"])})
    np.testing.assert_array_equal(encode(later, schema)[:, 0], [2, 1, NAN])


def test_numbers_are_plain():
    assert is_plain(np.ones((2, 2)), None)
    assert is_plain([[1, 2]], None)
    assert is_plain(np.array([[1, 2.5]], dtype=object), None)
    assert is_plain(pd.DataFrame({"x": [1, None]}, dtype="Int64"), None)
    assert not is_plain(np.ones((2, 2)), {0: [1.0]})
    assert not is_plain(pd.DataFrame({"x": [True]}), None)


def test_text_among_numbers_is_refused():
    """Taken as categories, the numbers themselves would become public."""
    with pytest.raises(ValueError, match="Column '1' has both text and other values"):
        make_schema(np.array([[1.0, 2.0], [3.0, "x"]], dtype=object), None, "X")
    schema = Schema(("x",), (None,))
    with pytest.raises(ValueError, match="Column 'x' has values that are no numbers"):
        encode(np.array([["7a"]]), schema)


def test_dates_are_refused():
    with pytest.raises(TypeError, match="Dates"):
        is_plain(pd.DataFrame({"x": pd.to_datetime(["2020-01-01"])}), None)


def test_identifiers_are_refused():
    table = pd.DataFrame({"name": [f"person {i}" for i in range(2000)]})
    with pytest.raises(ValueError, match="'name' has more than 1000 categories") as refusal:
        make_schema(table, None, "X")
    # How many there are is the rows' own business.
    assert "2000" not in str(refusal.value)


@pytest.mark.parametrize(
    ("categories", "match"),
    [
        ({"y": [1]}, "names a column 'y'"),
        ({4: [1]}, "names a column 4"),
        ({"x": []}, "must list different values for column 'x'"),
        ({"x": [1, 1]}, "must list different values for column 'x'"),
    ],
)
def test_wrong_categories_are_refused(categories, match):
    with pytest.raises(ValueError, match=match):
        make_schema(pd.DataFrame({"x": [1, 2]}), categories, "X")


def test_one_missing_truth_value_does_not_change_the_kind_of_a_column():
    whole = pd.DataFrame({"b": [True, False, True, False]})
    lacking = pd.DataFrame({"b": [True, False, True, None]})
    for frame in (whole, lacking):
        schema = make_schema(frame, None, "DPAdditiveClassifier")
        assert schema.categories[0].tolist() == [False, True]


@pytest.mark.parametrize("missing", [None, NAN, np.float64("nan"), pd.NA, pd.NaT])
def test_a_missing_value_among_truth_values_changes_no_kind(missing):
    table = pd.DataFrame({"x": pd.Series([True, missing, False], dtype=object)})
    schema = make_schema(table, None, "X")
    assert schema.categories[0].tolist() == [False, True]
    np.testing.assert_array_equal(encode(table, schema)[:, 0], [1, NAN, 0])


def test_one_number_among_truth_values_makes_numbers_of_them_wherever_it_stands():
    for values in ([1, True, False], [True, 1, False]):
        table = pd.DataFrame({"x": pd.Series(values, dtype=object)})
        assert is_plain(table, None)


SECRET = "Jane Roe"


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([1.0, 10**400, 2.0], "no numbers, or too large"),
        ([1.0, [SECRET], 2.0], "no numbers"),
        ([SECRET, [SECRET], "b"], "neither numbers nor text"),
        ([1.0, complex(1, 2), 2.0], "no numbers"),
    ],
)
def test_an_odd_cell_is_refused_without_being_quoted(cells, problem):
    pd = pytest.importorskip("pandas")
    column = pd.Series(cells, dtype=object)
    X = pd.DataFrame({"odd": column, "text": list("aba")})
    with pytest.raises(ValueError, match=problem) as caught:
        encode(X, make_schema(X, None, "Model"))
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_one_cell_of_a_list_changes_no_other_row():
    rows = [[30123.5 + j, "fm"[j % 2]] for j in range(40)]
    schema = make_schema(rows, {1: ["f", "m"]}, "Model")
    assert schema.categories[0] is None
    encoded = encode(rows, schema)
    np.testing.assert_array_equal(encoded[:, 0], [row[0] for row in rows])
    codes = [[row[0], j % 2] for j, row in enumerate(rows)]
    odd = [*codes, [1.0, "x"]]
    one, other = (encode(X, make_schema(X, {1: [0, 1]}, "Model")) for X in (codes, odd))
    np.testing.assert_array_equal(one, other[:-1])
    assert other[-1].tolist() == [1.0, 2.0]


def test_bounds_of_text_are_refused():
    X, y = [[float(j), "fm"[j % 2]] for j in range(40)], np.arange(40) % 2
    model = DPAdditiveClassifier(categories={1: ["f", "m"]}, bounds={0: (0, 40), 1: (0, 1)})
    with pytest.raises(ValueError, match="categories and no numbers"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="all columns have text"):
        model.set_params(bounds=(0, 40), categories=None).fit(np.array(X), y)
    assert model.set_params(bounds={0: (0, 40)}).fit(X, y).categories_[0] is None
