"""The walk through a fitted estimator finds every value, and the comparison every difference."""

import functools
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from good_estimators import Mean

from skprivacy import PrivacyAccountant
from skprivacy.testing._state import differing, exact_differences, fitted_state, same

SECRET = 0.123456789


@dataclass
class Record:
    value: float


class Plain:
    def __init__(self, value):
        self.value = value

    def method(self):
        return self.value


def closure(value):
    return lambda: value


def default(value):
    def function(x=value):
        return x

    return function


@pytest.mark.parametrize(
    "hidden",
    [
        SECRET,
        np.float64(SECRET),
        [SECRET],
        (1, (2, [SECRET])),
        {SECRET},
        {"a": {"b": SECRET}},
        {SECRET: "key"},
        OrderedDict(a=SECRET),
        np.array([0.0, SECRET]),
        np.array([None, SECRET], dtype=object),
        np.array([(1, SECRET)], dtype=[("a", int), ("b", float)]),
        sp.csr_matrix([[0.0, SECRET]]),
        sp.csr_array([[0.0, SECRET]]),
        pd.Series([SECRET]),
        pd.DataFrame({"a": [SECRET]}),
        pd.DataFrame({"a": [1]}, index=[SECRET]),
        Record(SECRET),
        Plain(SECRET),
        Plain([Plain(SECRET)]),
        Plain(SECRET).method,
        closure(SECRET),
        default(SECRET),
        functools.partial(max, SECRET),
        functools.partial(max, key=closure(SECRET)),
        Mean(epsilon=SECRET),
    ],
    ids=lambda hidden: type(hidden).__name__,
)
def test_finds_a_number_wherever_it_hides(hidden):
    model = Mean()
    model._hidden = hidden
    values = fitted_state(model).values()
    numbers = [value for value in values if np.asarray(value).dtype.kind == "f"]
    assert any((np.asarray(number) == SECRET).any() for number in numbers)


def test_leaves_out_parameters_accountants_and_the_entry_that_paid():
    model = Mean(epsilon=SECRET, accountant=PrivacyAccountant())
    assert fitted_state(model) == {}
    model.fit(np.ones((20, 2)))
    assert "privacy_.entry_uid" not in fitted_state(model)
    assert not any("accountant" in path for path in fitted_state(model))


def test_ends_where_objects_hold_each_other():
    model = Mean()
    model.ring_ = [1, {}]
    model.ring_[1]["again"] = model.ring_
    model.self_ = model
    assert fitted_state(model) == {"ring_[0]": 1}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (np.nan, np.nan, True),
        (np.nan, 1.0, False),
        ("a", "a", True),
        (None, None, True),
        (np.ones(2), np.ones(2), True),
        (np.ones(2), np.ones(3), False),
        (np.ones(2), np.ones(2, dtype=np.float32), False),
        (np.array([np.nan]), np.array([np.nan]), True),
        (np.array(["a"]), np.array(["a"]), True),
        (np.random.RandomState(0), np.random.RandomState(0), True),
        (np.random.RandomState(0), np.random.RandomState(1), False),
    ],
)
def test_same(first, second, expected):
    assert same(first, second) is expected


def test_differing_counts_what_is_missing():
    assert differing({"a": 1, "b": 2}, {"a": 1, "c": 2}) == ["b", "c"]


def states(*values):
    return [{"x": value} for value in values]


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        # The same for all seeds, and another number for other rows.
        (states(1.0, 1.0), states(2.0, 2.0), True),
        (states("a", "a"), states("b", "b"), True),
        (states(None, None), states(1.0, 1.0), True),
        ([{}, {}], states(1.0, 1.0), True),
        (states(np.nan, np.nan), states(1.0, 1.0), True),
        (states(np.zeros(2), np.zeros(2)), states(np.zeros(3), np.zeros(3)), True),
        (states(np.array([1.0, 5.0]), np.array([2.0, 5.0])), states(*np.eye(2)[::-1] * 6), False),
        # One exact number among noisy ones is enough.
        (
            states(np.array([1.0, 5.0]), np.array([2.0, 5.0])),
            states(np.array([3.0, 6.0]), np.array([4.0, 6.0])),
            True,
        ),
        # Noise, or nothing that depends on the rows.
        (states(1.0, 1.1), states(2.0, 2.0), False),
        (states(1.0, 1.0), states(2.0, 2.1), False),
        (states(1.0, 1.0), states(1.0, 1.0), False),
        (states(1.0, 1.0), states(1.0 + 1e-15, 1.0 + 1e-15), False),
        (states(True, True), states(True, False), False),
        (states(np.nan, np.nan), states(np.nan, np.nan), False),
    ],
)
def test_exact_differences(first, second, apart):
    assert exact_differences(first, second) == (["x"] if apart else [])
