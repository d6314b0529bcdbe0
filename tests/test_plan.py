"""Plans and their prices, facts, and bounds that an earlier step released."""

import gc
import math
import pickle
import weakref
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skprivacy import PrivacyAccountant, plan
from skprivacy.accounting import PrivacyLoss
from skprivacy.ledger import Receipt
from skprivacy.mechanisms import GaussianSum, LaplaceSum
from skprivacy.plan import (
    Facts,
    Plan,
    column_bounds,
    declare_bounds,
    declared_bounds,
    target_bounds,
)


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


# Plans


def plan_of(*mus, adjacency="add-remove", **options):
    mechanisms = tuple(
        GaussianSum(name=f"release {number}").calibrate(adjacency, mu=mu)
        for number, mu in enumerate(mus)
    )
    return Plan(mechanisms=mechanisms, adjacency=adjacency, source="test", **options)


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_a_plan_costs_what_its_mechanisms_compose_to(adjacency):
    found = plan_of(0.3, 0.4, adjacency=adjacency)
    losses = [mechanism.loss(adjacency) for mechanism in found.mechanisms]
    assert found.loss == PrivacyLoss.compose(losses)
    assert found.loss.mu == pytest.approx(0.5, rel=1e-12)
    assert plan_of().loss == PrivacyLoss.zero()


def test_a_pure_plan_has_a_pure_price():
    mechanisms = tuple(LaplaceSum(name=name).calibrate("add-remove", epsilon=0.25) for name in "ab")
    found = Plan(mechanisms=mechanisms, adjacency="add-remove", source="test")
    assert found.loss.epsilon == pytest.approx(0.5, rel=1e-12)
    assert found.loss.delta == 0


def test_a_plan_that_is_not_calibrated_has_no_price():
    found = Plan(mechanisms=(GaussianSum(name="x"),), adjacency="add-remove", source="test")
    with pytest.raises(ValueError, match="not calibrated"):
        found.loss  # noqa: B018


def test_plans_and_facts_do_not_change():
    found, facts = plan_of(0.5), Facts()
    with pytest.raises(FrozenInstanceError):
        found.source = "another"
    with pytest.raises(FrozenInstanceError):
        facts.n_features = 3
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_plan_as_data_is_what_the_ledger_and_the_receipt_write():
    found = plan_of(0.3, 0.4, assumptions=("The columns are public.",), reproducible=True)
    data = found.to_dict()
    accountant = PrivacyAccountant()
    entry = accountant.spend(found)
    receipt = Receipt.from_plan(found, delta=1e-6)
    for written in (entry, receipt):
        assert list(written.mechanisms) == data["mechanisms"]
        assert list(written.assumptions) == data["assumptions"]
        for name in ("source", "adjacency", "mu", "reproducible"):
            assert getattr(written, name) == data[name]
    assert data["delta"] == 0
    assert data["epsilon"] == math.inf


@pytest.mark.parametrize(
    ("bounds", "low", "high"),
    [
        ((0, 1), [0, 0, 0], [1, 1, 1]),
        ([-1, 2.5], [-1, -1, -1], [2.5, 2.5, 2.5]),
        ((0, [1, 2, 3]), [0, 0, 0], [1, 2, 3]),
        (np.array([[0, 1, 2], [3, 4, 5]]), [0, 1, 2], [3, 4, 5]),
        (([[0]], [[1]])[0] + [1], [0, 0, 0], [1, 1, 1]),
        ((np.float32(0), np.int8(1)), [0, 0, 0], [1, 1, 1]),
    ],
)
def test_forms_of_bounds(bounds, low, high):
    result = column_bounds(bounds, 3, "Scaler")
    assert np.array_equal(result, (low, high))
    result[0][0] = 99  # the parameter is not written to
    assert np.array_equal(column_bounds(bounds, 3, "Scaler"), (low, high))
    assert column_bounds(None, 3, "Scaler") is None


@pytest.mark.parametrize(
    "bounds",
    [
        (1, 0),
        (1, 1),
        (0, math.nan),
        (-math.inf, 0),
        (0, 1e301),
        (0,),
        (0, 1, 2),
        ([0, 0], [1, 1]),
        ([0, 0, 0], [1, 1, 0]),
        (np.zeros((3, 3)), 1),
        ("low", "high"),
        (None, 1),
        "ab",
        5,
    ],
)
def test_wrong_forms_of_bounds(bounds):
    with pytest.raises(ValueError, match="'bounds' parameter of Scaler must be a pair"):
        column_bounds(bounds, 3, "Scaler")


@pytest.mark.parametrize("bounds", [(1, 0), (0, math.inf), (0, 1, 2), "ab", 3, ([0, 1], [2, 3])])
def test_wrong_forms_of_target_bounds(bounds):
    with pytest.raises(ValueError, match="'y_bounds' parameter of Ridge must be a pair"):
        target_bounds(bounds, "Ridge")
    assert target_bounds((-1, 2.5), "Ridge") == (-1.0, 2.5)
    assert target_bounds(None, "Ridge") is None
