"""Verification of a whole ledger file, from the first event of every ledger in it."""

import json

from ..exceptions import LedgerError
from ._store import Transaction


def verify_file(transaction: Transaction, uid: str, head: str | None) -> str:
    """Check a file and return the head of one of its ledgers.

    Parameters
    ----------
    transaction : Transaction
        An open transaction.
    uid : str
        The ledger.
    head : str or None
        A head that the ledger had before, and must still contain.

    Raises
    ------
    LedgerError
        If anything is wrong.
    """
    found = transaction.integrity()
    if found != "ok":
        raise LedgerError(f"SQLite finds the file damaged: {found}. Restore it from a copy.")
    listed = transaction.ledgers()
    transaction.root()
    children: dict[str, str] = {}
    for ledger, parent, name in listed:
        try:
            transaction.replay(ledger)
        except LedgerError as error:
            place = "main ledger" if name is None else f"ledger {name!r}"
            raise LedgerError(f"The {place} is damaged. {error}") from error
        first = json.loads(transaction.first_event(ledger))
        if (first["parent"], first["name"]) != (parent, name):
            raise LedgerError(f"The ledger {name!r} was moved or renamed within the file.")
        for text, _ in transaction.events(ledger):
            for child in json.loads(text).get("children", ()):
                children[child] = ledger
    present = {ledger: parent for ledger, parent, _ in listed if parent is not None}
    if children != present:
        raise LedgerError(
            "The file lacks a ledger that its events name, or has one that none of them names."
        )
    hashes = [stored for _, stored in transaction.events(uid)]
    if head is not None and head not in hashes:
        raise LedgerError(
            "The ledger does not contain the exported head: events were removed from its end, or "
            "it was written anew. Restore it from a copy."
        )
    return hashes[-1]
