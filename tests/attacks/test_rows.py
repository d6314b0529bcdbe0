import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skprivacy.attacks._rows import make_pool, row_keys, select_rows, stack_rows

NUMBERS = np.array([[0.0, 1.0], [np.nan, 2.0], [3.0, 4.0], [0.0, 5.0]])


def frame(kind):
    columns = {"a": [1.0, np.nan, 3.0, 1.0], "b": ["x", "y", None, "x"]}
    return pd.DataFrame(columns) if kind == "pandas" else pl.DataFrame(columns)


CONTAINERS = {
    "array": NUMBERS,
    "objects": np.array([[1, "x"], [np.nan, "y"], [3, None], [1, "x"]], dtype=object),
    "sparse": sparse.csr_array(np.nan_to_num(NUMBERS)),
    "pandas": frame("pandas"),
    "polars": frame("polars"),
    "text": ["one", "two", "three", "one"],
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_rows_are_stacked_and_selected_in_their_container(kind):
    X = CONTAINERS[kind]
    stacked = stack_rows(X, X)
    assert type(stacked) is type(X)
    y = np.zeros(4)
    keys = row_keys(X, y)
    assert row_keys(stacked, np.zeros(8)) == keys + keys
    assert row_keys(select_rows(stacked, np.array([6, 1])), y[:2]) == [keys[2], keys[1]]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_overlapping_rows_are_counted(kind):
    X = CONTAINERS[kind]
    y = np.array([0, 1, 0, 1])
    assert make_pool(X, y, X, y).n_overlapping == 4
    assert make_pool(X, y, X, 1 - y).n_overlapping == (0 if kind in {"array", "sparse"} else 2)


def test_keys_know_zero_and_its_negative_as_one_number():
    assert row_keys(np.array([[-0.0]]), np.zeros(1)) == row_keys(np.array([[0.0]]), np.zeros(1))
    explicit = sparse.csr_array(([0.0], ([0], [0])), shape=(1, 2))
    assert row_keys(explicit, np.zeros(1)) == row_keys(sparse.csr_array((1, 2)), np.zeros(1))


def test_members_come_first():
    pool = make_pool([[1], [2]], [0, 1], [[3], [4], [5]], [1, 1, 0])
    np.testing.assert_array_equal(pool.X, [[1], [2], [3], [4], [5]])
    np.testing.assert_array_equal(pool.is_member, [True, True, False, False, False])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_nonmember": np.zeros((3, 5))}, "members have 2 columns, the non-members 5 columns"),
        ({"y_member": [0, 1]}, "The members have 3 rows, but their y has 2"),
        (
            {"X_nonmember": np.zeros((1, 2)), "y_nonmember": [0]},
            "non-members have 1 row. An attack",
        ),
        ({"X_member": np.zeros((0, 2)), "y_member": []}, "The members have 0 rows"),
        ({"y_member": np.zeros((3, 2))}, r"shape \(n_rows,\): attacks are for one output"),
    ],
)
def test_rows_of_a_wrong_form_are_named(change, message):
    rows = {
        "X_member": np.zeros((3, 2)),
        "y_member": [0, 1, 0],
        "X_nonmember": np.zeros((3, 2)),
        "y_nonmember": [0, 1, 0],
    }
    with pytest.raises(ValueError, match=message):
        make_pool(**(rows | change))


def test_columns_of_other_names_are_named():
    y = [0, 1]
    left, right = pd.DataFrame(np.zeros((2, 2)), columns=["age", "sex"]), pd.DataFrame()
    right = left.rename(columns={"sex": "gender"})
    with pytest.raises(ValueError, match="gender, sex on one side only"):
        make_pool(left, y, right, y)
    with pytest.raises(ValueError, match="columns of other names or order$|or order\\."):
        make_pool(left, y, left[["sex", "age"]], y)
