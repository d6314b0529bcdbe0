import math
import sys

import dp_accounting
import pytest
from dp_accounting import pld

from skprivacy import PrivacyAccountant, PrivacyLoss
from skprivacy.interop import to_dp_accounting
from skprivacy.mechanisms import GaussianSum, LaplaceSum
from skprivacy.plan import Plan

NEIGHBOURS = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE


def their_epsilon(event, delta):
    accountant = pld.PLDAccountant(NEIGHBOURS, value_discretization_interval=1e-4)
    return accountant.compose(event).get_epsilon(delta)


def plan(*mechanisms, adjacency="add-remove"):
    return Plan(mechanisms=mechanisms, adjacency=adjacency, source="test")


def test_gaussian_prices_give_the_same_epsilon_there():
    losses = [PrivacyLoss.gaussian(1.0, 4.0), PrivacyLoss.gaussian(1.0, 3.0)]
    event, delta = to_dp_accounting(losses)
    ours = PrivacyLoss.compose(losses).to_epsilon(1e-6)
    assert delta == 0.0
    assert their_epsilon(event, 1e-6) == pytest.approx(ours, rel=1e-3)


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_a_plan_is_exported_mechanism_by_mechanism(adjacency):
    mechanisms = (
        GaussianSum(name="a", noise_multiplier=2.0),
        LaplaceSum(name="b", noise_multiplier=5.0),
    )
    made = plan(*mechanisms, adjacency=adjacency)
    event, _ = to_dp_accounting(made)
    mu = mechanisms[0].loss(adjacency).mu
    epsilon = mechanisms[1].loss(adjacency).epsilon
    assert event == dp_accounting.ComposedDpEvent(
        [dp_accounting.GaussianDpEvent(1 / mu), dp_accounting.LaplaceDpEvent(1 / epsilon)]
    )
    assert their_epsilon(event, 1e-6) <= made.loss.to_epsilon(1e-6) * (1 + 1e-3)


def test_entries_of_a_ledger_are_exported_with_their_mechanisms():
    accountant = PrivacyAccountant()
    accountant.spend(plan(LaplaceSum(name="b", noise_multiplier=5.0)))
    accountant.spend(mu=0.5)
    event, delta = to_dp_accounting(accountant.entries)
    assert event == dp_accounting.ComposedDpEvent(
        [dp_accounting.LaplaceDpEvent(5.0), dp_accounting.GaussianDpEvent(2.0)]
    )
    assert delta == 0.0


def test_delta_stands_beside_the_event():
    event, delta = to_dp_accounting([PrivacyLoss(0.5, 1e-7), PrivacyLoss(0.25, 2e-7)])
    assert isinstance(event, dp_accounting.ComposedDpEvent)
    assert delta == pytest.approx(3e-7)


def test_no_price_and_no_guarantee_have_events_of_their_own():
    assert to_dp_accounting(PrivacyLoss.zero()) == (dp_accounting.NoOpDpEvent(), 0.0)
    assert to_dp_accounting(PrivacyLoss.none()) == (dp_accounting.NonPrivateDpEvent(), 0.0)
    assert math.isinf(their_epsilon(to_dp_accounting(PrivacyLoss.none())[0], 1e-6))


def test_a_missing_dp_accounting_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(ImportError, match="pip install dp-accounting"):
        to_dp_accounting(PrivacyLoss.zero())
