import math
import sys

import pytest

from skprivacy.accounting import PrivacyLoss
from skprivacy.ledger import Entry, PrivacyAccountant


@pytest.fixture
def accountant():
    accountant = PrivacyAccountant()
    accountant.spend(mu=0.1, source="first")
    accountant.spend(PrivacyLoss(0.2, 1e-8), source="second")
    accountant.fail(accountant.spend(epsilon=0.5).uid, "ValueError")
    return accountant


def test_table(accountant):
    frame = accountant.entries.to_frame()
    assert list(frame["source"]) == ["first", "second", "release"]
    assert list(frame["status"]) == ["charged", "charged", "failed"]
    assert frame["delta"].sum() == 1e-8
    assert set(frame.columns) == set(Entry.__dataclass_fields__)


def test_empty_table_has_its_columns():
    frame = PrivacyAccountant().entries.to_frame()
    assert len(frame) == 0
    assert "source" in frame.columns


def test_table_without_pandas(accountant, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'skprivacy\[report\]'"):
        accountant.entries.to_frame()


def test_numbers_come_back_as_numbers(accountant):
    first, second, third = accountant.entries
    assert first.epsilon == first.mechanisms[0]["epsilon"] == math.inf
    assert second.loss == PrivacyLoss(0.2, 1e-8)
    assert third.loss == PrivacyLoss.pure(0.5)
    assert first.mechanisms[0]["noise_multiplier"] is None


def test_entries_are_records(accountant):
    (entry, *_) = accountant.entries
    with pytest.raises(AttributeError):
        entry.mu = 0.0
    assert entry.to_dict()["source"] == "first"


def test_a_name_is_no_number():
    accountant = PrivacyAccountant()
    accountant.spend(mu=0.1, source="inf")
    assert accountant.entries[0].mechanisms[0]["name"] == "inf"
