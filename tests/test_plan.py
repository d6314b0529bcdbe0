"""Facts that an earlier step released, known for the very object that it made."""

import gc
import pickle
import weakref

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skprivacy import plan
from skprivacy.mechanisms import GaussianSum
from skprivacy.plan import Facts, Plan, declare_bounds, declared_bounds


def test_the_number_of_rows_is_no_fact_under_add_remove():
    with pytest.raises(ValueError, match="private under add-remove"):
        Facts(n_rows=10)
    assert Facts(adjacency="replace-one", n_rows=10).n_rows == 10
    with pytest.raises(ValueError, match="adjacency"):
        Facts(adjacency="add_remove")


def test_mechanisms_of_a_plan_have_names_of_their_own():
    mechanism = GaussianSum(name="x").calibrate("add-remove", mu=1.0)
    with pytest.raises(ValueError, match="distinct names"):
        Plan(mechanisms=(mechanism, mechanism), adjacency="add-remove", source="test")


def containers():
    X = np.arange(12.0).reshape(6, 2)
    yield X
    yield pd.DataFrame(X, columns=["a", "b"])
    yield pl.DataFrame(X, schema=["a", "b"])


@pytest.mark.parametrize("kind", range(3))
def test_bounds_are_declared_for_the_object_alone(kind):
    X = list(containers())[kind]
    low, high = np.zeros(2), np.full(2, 11.0)
    assert declared_bounds(X) is None
    declare_bounds(X, low, high)
    assert np.array_equal(declared_bounds(X), (low, high))
    copies = [X[:], X[:3], pickle.loads(pickle.dumps(X))]
    copies.append(X.clone() if isinstance(X, pl.DataFrame) else X.copy())
    for other in copies:
        assert declared_bounds(other) is None
    declare_bounds(X, low, 2 * high)
    assert np.array_equal(declared_bounds(X)[1], 2 * high)


@pytest.mark.parametrize("kind", range(3))
def test_declarations_keep_nothing_alive_and_die_with_the_object(kind):
    X = list(containers())[kind]
    before = len(plan._declared)
    for factor in (1, 2):  # the second replaces the first
        declare_bounds(X, np.zeros(2), factor * np.ones(2))
    reference = weakref.ref(X)
    assert len(plan._declared) == before + 1
    del X
    gc.collect()
    assert reference() is None
    assert len(plan._declared) == before


def test_a_new_object_at_an_old_address_has_no_bounds():
    for _ in range(200):
        X = np.empty((3, 2))
        assert declared_bounds(X) is None
        declare_bounds(X, np.zeros(2), np.ones(2))
        del X


def test_an_object_without_weak_references_has_no_bounds():
    X = [[0.0, 1.0]]
    declare_bounds(X, np.zeros(2), np.ones(2))
    assert declared_bounds(X) is None
