import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skprivacy.datasets import load_adult


@pytest.fixture(scope="module")
def adult():
    return load_adult()


def test_rows_and_classes_are_those_of_the_published_data(adult):
    assert adult.data.shape == (48842, 14)
    assert (adult.target == ">50K").sum() == 11687
    assert (adult.target[:32561] == ">50K").sum() == 7841
    assert adult.data.isna().sum().to_dict() == {
        name: {"workclass": 2799, "occupation": 2809, "native_country": 857}.get(name, 0)
        for name in adult.feature_names
    }


def test_the_first_row_is_the_first_person(adult):
    row = adult.data.iloc[0]
    assert (row["age"], row["occupation"], row["capital_gain"]) == (39, "Adm-clerical", 2174)


def test_every_value_lies_within_the_declared_facts(adult):
    assert sorted(adult.bounds) + sorted(adult.categories) == (
        sorted(adult.data.select_dtypes("number")) + sorted(adult.data.select_dtypes("category"))
    )
    for name, (low, high) in adult.bounds.items():
        assert adult.data[name].between(low, high).all()
    raw, _ = load_adult(as_frame=False, return_X_y=True)
    for name, values in adult.categories.items():
        column = raw[:, adult.feature_names.index(name)]
        assert {value for value in column if isinstance(value, str)} <= set(values)


def test_array_and_frame_hold_the_same(adult):
    data, target = load_adult(as_frame=False, return_X_y=True)
    assert data.shape == (48842, 14)
    for j, name in enumerate(adult.feature_names):
        left, right = data[:, j], adult.data[name].to_numpy(dtype=object)
        both_missing = pd.isna(left) & pd.isna(right)
        assert ((left == right) | both_missing).all()
    assert (target == adult.target.to_numpy(dtype=object)).all()


def test_missing_drop_leaves_the_complete_rows(adult):
    complete = load_adult(missing="drop")
    assert complete.data.shape == (45222, 14)
    assert complete.frame.equals(adult.frame.dropna().reset_index(drop=True))


def test_missing_must_be_one_of_its_values():
    with pytest.raises(ValueError, match="missing must be 'keep' or 'drop'"):
        load_adult(missing="impute")


def test_the_attribution_is_kept(adult):
    for words in ("Barry Becker", "Ronny Kohavi", "1996", "10.24432/C5XW20", "CC BY 4.0"):
        assert words in adult.DESCR


def test_it_works_without_pandas():
    script = (
        "import sys; sys.modules['pandas'] = None\n"
        "from skprivacy.datasets import load_adult, load_dataset\n"
        "assert load_adult(as_frame=False).data.shape == (48842, 14)\n"
        "assert load_dataset('adult').data.shape == (45222, 14)\n"
        "try: load_adult()\n"
        "except ImportError as error: assert 'skprivacy[report]' in str(error)\n"
        "else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_object_array_is_object_and_numbers_stay_numbers():
    data, _ = load_adult(as_frame=False, return_X_y=True)
    assert data.dtype == object
    assert np.issubdtype(type(data[0, 0]), np.integer)
