"""Tampering: each edit of a ledger file is found, or is named as one that can't be."""

import json
import shutil
import sqlite3

import pytest
from private_steps import PrivateShift

from skprivacy.exceptions import LedgerError
from skprivacy.ledger import PrivacyAccountant
from skprivacy.ledger._events import canonical, digest
from skprivacy.mechanisms import GaussianSum


@pytest.fixture
def accountant(tmp_path):
    accountant = PrivacyAccountant(2.0, path=tmp_path / "patients.ledger")
    for mu in (0.01, 0.02, 0.03, 0.04):
        accountant.spend(mu=mu)
    return accountant


def tamper(accountant, *statements):
    accountant._ledger.store._connections.close()
    connection = sqlite3.connect(accountant.path, isolation_level=None)
    connection.create_function("digest", 1, digest)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# Events: 0 open, 1 limits, 2..5 charges. The main ledger's number is 1.
PLACE = (1 << 40) + 3
LAST = (1 << 40) + 5

EDITS = {
    "edited row": [f"UPDATE event SET body = replace(body, '0.02', '0.01') WHERE place = {PLACE}"],
    "edited row with a new hash": [
        f"UPDATE event SET body = replace(body, '0.02', '0.01') WHERE place = {PLACE}",
        f"UPDATE event SET hash = digest(body) WHERE place = {PLACE}",
    ],
    "renamed source with a new hash": [
        f"UPDATE event SET body = replace(body, 'release', 'other') WHERE place = {PLACE}",
        f"UPDATE event SET hash = digest(body) WHERE place = {PLACE}",
    ],
    "edited hash": [f"UPDATE event SET hash = 'x' || hash WHERE place = {PLACE}"],
    "deleted middle row": [f"DELETE FROM event WHERE place = {PLACE}"],
    "deleted middle row, others moved up": [
        f"DELETE FROM event WHERE place = {PLACE}",
        f"UPDATE event SET place = place - 1 WHERE place > {PLACE}",
    ],
    "reordered rows": [
        f"UPDATE event SET place = -1 WHERE place = {PLACE}",
        f"UPDATE event SET place = {PLACE} WHERE place = {PLACE} + 1",
        f"UPDATE event SET place = {PLACE} + 1 WHERE place = -1",
    ],
    "deleted last row": [f"DELETE FROM event WHERE place = {LAST}"],
    "edited last row": [f"UPDATE event SET body = body || ' ' WHERE place = {LAST}"],
    "edited sum of mu": ["UPDATE ledger SET mu_squared = 0"],
    "edited sum of delta": ["UPDATE ledger SET delta = -1"],
    "edited limit": ["UPDATE ledger SET mu_squared_limit = 1e9"],
    "edited head": ["UPDATE ledger SET head = 'x' || head"],
    "edited ceiling": [
        (
            f"UPDATE event SET body = replace(body, '\"ceiling_epsilon\":2.0', "
            f"'\"ceiling_epsilon\":9.0') WHERE place = {1 << 40}"
        )
    ],
    "edited limits event": [
        (
            "UPDATE event SET body = replace(body, '\"delta_limit\":', '\"delta_limit\":1') "
            f"WHERE place = {(1 << 40) + 1}"
        )
    ],
    "hidden ledger": ["UPDATE ledger SET parent = 'x'"],
    "renamed ledger": ["UPDATE ledger SET name = 'x'"],
}


@pytest.mark.parametrize("edit", EDITS)
def test_edit_is_found_by_verify(edit, accountant):
    accountant.verify()
    tamper(accountant, *EDITS[edit])
    with pytest.raises(LedgerError):
        accountant.verify()


@pytest.mark.parametrize("edit", sorted(set(EDITS) - {"hidden ledger", "renamed ledger"}))
def test_edit_is_found_when_the_file_is_opened_before_any_noise(
    edit, accountant, tmp_path, data, monkeypatch
):
    monkeypatch.setattr(GaussianSum, "draw", lambda *args, **kwargs: pytest.fail("noise was drawn"))
    tamper(accountant, *EDITS[edit])
    # As another process sees it, which has not read the ledger before.
    elsewhere = tmp_path / "elsewhere.ledger"
    shutil.copy(accountant.path, elsewhere)
    with pytest.raises(LedgerError, match="elsewhere"):
        PrivateShift(0.1, 1e-7, PrivacyAccountant(2.0, path=elsewhere)).fit(data[0])


@pytest.mark.parametrize(
    "edit", ["edited last row", "deleted last row", "edited sum of mu", "edited limit"]
)
def test_edit_of_what_a_charge_relies_on_is_found_by_the_charge(edit, accountant):
    tamper(accountant, *EDITS[edit])
    with pytest.raises(LedgerError):
        accountant.spend(mu=1e-3)


def remove_last(accountant):
    """Remove the last charge and make the stored sums agree."""
    events = json.loads(accountant.to_json())["events"]
    before = events[-2]
    totals = before["totals"]
    tamper(
        accountant,
        f"DELETE FROM event WHERE place = {LAST}",
        f"UPDATE ledger SET sequence = sequence - 1, head = '{before['hash']}', "
        f"mu_squared = {totals[0]!r}, delta = {totals[1]!r}",
    )


def test_removed_tail_is_found_by_the_process_that_saw_it(accountant):
    remove_last(accountant)
    with pytest.raises(LedgerError, match="an older copy was put in its place"):
        accountant.verify()


def test_removed_tail_is_found_against_an_exported_head_and_only_so(accountant, tmp_path):
    head = accountant.head
    remove_last(accountant)
    elsewhere = tmp_path / "elsewhere.ledger"
    shutil.copy(accountant.path, elsewhere)
    fresh = PrivacyAccountant.open(elsewhere)
    fresh.verify()  # the chain that is left is whole
    with pytest.raises(LedgerError, match="does not contain the exported head"):
        fresh.verify(head)


def test_exported_head_stays_part_of_a_ledger_that_grows(accountant):
    head = accountant.head
    accountant.spend(mu=0.01)
    assert accountant.verify(head) == accountant.head != head


def test_head_of_another_ledger_is_refused(accountant):
    with pytest.raises(LedgerError, match="exported head"):
        accountant.verify("0" * 64)


def test_hashes_written_anew_do_not_hide_a_charge_from_the_sums(accountant, tmp_path):
    event = json.loads(accountant.to_json())["events"][-1]
    del event["hash"]
    event["mu"] = 0.001
    text = canonical(event)
    tamper(
        accountant,
        f"UPDATE event SET body = '{text}', hash = '{digest(text)}' WHERE place = {LAST}",
        f"UPDATE ledger SET head = '{digest(text)}'",
    )
    elsewhere = tmp_path / "elsewhere.ledger"
    shutil.copy(accountant.path, elsewhere)
    with pytest.raises(LedgerError, match=r"sums recorded by event 5 are wrong"):
        PrivacyAccountant.open(elsewhere)


def test_removed_child_ledger_is_found(accountant):
    accountant.reserve(epsilon=0.1, delta=1e-8)
    accountant.verify()
    tamper(
        accountant,
        "DELETE FROM ledger WHERE parent IS NOT NULL",
        f"DELETE FROM event WHERE place >= {2 << 40}",
    )
    with pytest.raises(LedgerError, match="lacks a ledger"):
        accountant.verify()


def test_edited_child_ledger_is_found_from_the_main_one(accountant):
    inner = accountant.reserve(epsilon=0.1, delta=1e-8)
    inner.spend(mu=0.001)
    tamper(
        accountant, f"UPDATE event SET body = replace(body, '0.001', '0') WHERE place > {2 << 40}"
    )
    with pytest.raises(LedgerError, match="The ledger 'reserve' is damaged"):
        accountant.verify()


def test_ledger_that_another_process_extends_is_verified_as_it_grows(accountant):
    # The new events of others are checked by the next charge, without being asked.
    state = accountant._ledger.state()
    store = accountant._ledger.store
    accountant.spend(mu=0.01)
    accountant.spend(mu=0.01)
    store._known[accountant._ledger.uid] = state
    tamper(accountant, f"UPDATE event SET body = body || ' ' WHERE place = {LAST + 1}")
    with pytest.raises(LedgerError, match="Event 6 was edited"):
        accountant.spend(mu=0.01)
