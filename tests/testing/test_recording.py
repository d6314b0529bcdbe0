"""Watching a fit: every draw and charge is seen, and nothing stays patched."""

import numpy as np
import pytest
from good_estimators import Mean

from skprivacy import PrivacyAccountant
from skprivacy.mechanisms import GaussianMoments, GaussianSum, LaplaceSum
from skprivacy.preprocessing import DPStandardScaler
from skprivacy.testing._recording import (
    PlantedError,
    before_charges,
    ensure,
    recorded_draws,
    replaced,
)

X = np.random.default_rng(0).normal(size=(50, 2))


def test_records_every_draw_in_order():
    with recorded_draws() as drawn:
        Mean().fit(X)
        Mean(delta=0).fit(X)
        DPStandardScaler(bounds=(-1, 1)).fit(X)
    assert [draw.mechanism.name for draw in drawn[:2]] == ["sum", "count"]
    assert [type(draw.mechanism) for draw in drawn] == [
        GaussianSum,
        GaussianSum,
        LaplaceSum,
        LaplaceSum,
        GaussianMoments,
    ]
    assert {draw.adjacency for draw in drawn} == {"add-remove"}


def test_sees_the_mechanisms_of_others():
    class Doubled(GaussianSum):
        def draw(self, rows, **options):
            return super().draw(2 * rows, **options)

    class Sum(Mean):
        def _mechanisms(self, facts):
            return [Doubled(name="sum"), GaussianSum(name="count")]

    with recorded_draws() as drawn:
        Sum().fit(X)
    # A draw inside a draw is part of it.
    assert [type(draw.mechanism) for draw in drawn] == [Doubled, GaussianSum]


@pytest.mark.parametrize("after", [0, 1])
def test_raises_instead_of_drawing(after):
    before = GaussianSum.draw
    accountant = PrivacyAccountant()
    with (
        pytest.raises(PlantedError),
        recorded_draws(PlantedError(), after=after) as drawn,
    ):
        Mean(accountant=accountant).fit(X)
    assert len(drawn) == after + 1
    assert accountant.entries[0].reason == "PlantedError"
    assert GaussianSum.draw is before
    Mean().fit(X)


def test_looks_before_every_charge():
    accountant = PrivacyAccountant()
    seen = []
    with before_charges(accountant, lambda plan: seen.append((plan, len(accountant.entries)))):
        Mean(accountant=accountant).fit(X)
    Mean(accountant=accountant).fit(X)
    ((plan, n_entries),) = seen
    assert plan.source == "Mean"
    assert n_entries == 0
    assert len(accountant.entries) == 2


def test_replaced_puts_back_what_was_there():
    model = Mean()
    with replaced(model, "epsilon", 5.0), replaced(model, "new", 1):
        assert (model.epsilon, model.new) == (5.0, 1)
    assert model.epsilon == 1.0
    assert not hasattr(model, "new")


def test_ensure():
    ensure(True, "fine")
    with pytest.raises(AssertionError, match="not fine"):
        ensure([], "not fine")
