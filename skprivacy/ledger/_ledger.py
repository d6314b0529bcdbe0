"""One ledger of a file: its terms, its sums, and the transactions that change them."""

import json
import math
import os
import re
import uuid
from typing import Any, NamedTuple

from ..accounting import PrivacyLoss
from ..exceptions import BudgetExceededError, LedgerError
from ._ceiling import Limits, Terms, Totals, allowance_prices
from ._charge import Charge, refusal
from ._entries import Entries, Entry, read_entries
from ._events import ChainState, plain
from ._host import library_version
from ._odometer import Ceiling, Remaining, Spent
from ._report import report_json
from ._store import LedgerStore, Transaction, terms_fields, terms_from
from ._verify import verify_file

_ERROR_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")


class Snapshot(NamedTuple):
    """All that can be read off a ledger, of one moment."""

    ceiling: Ceiling
    spent: Spent
    remaining: Remaining
    entries: Entries


class Standing(NamedTuple):
    """What a charge is compared with."""

    terms: Terms
    limits: Limits | None
    totals: Totals


class Ledger:
    """One ledger of a file. Nothing is read before it is asked for.

    Parameters
    ----------
    uid : str
        Its identifier.
    store : LedgerStore
        The file.
    """

    def __init__(self, uid: str, store: LedgerStore) -> None:
        self.uid = uid
        self.store = store
        self._terms: Terms | None = None
        self._dataset: str | None = None
        self._partition: str | None = None

    # Reading ----------------------------------------------------------------------------

    def terms(self) -> Terms:
        """Return the terms the ledger was opened with."""
        return self._terms if self._terms is not None else self.standing().terms

    def standing(self) -> Standing:
        """Return terms, rectangle and sums."""
        with self.store.transaction(write=False) as transaction:
            state = transaction.state(self.uid)
            return Standing(self._terms_in(transaction), state.limits, state.totals)

    def state(self) -> ChainState:
        """Return the verified state."""
        with self.store.transaction(write=False) as transaction:
            return transaction.state(self.uid)

    def snapshot(self) -> Snapshot:
        """Return all that can be read."""
        with self.store.transaction(write=False) as transaction:
            state = transaction.state(self.uid)
            terms = self._terms_in(transaction)
            entries = read_entries(transaction.events(self.uid))
        return Snapshot(
            Ceiling.of(terms, state.limits),
            Spent(
                loss=state.totals.loss,
                delta=terms.delta,
                n_entries=len(entries),
                mechanisms=tuple(m for entry in entries for m in entry.mechanisms),
            ),
            Remaining.of(terms, state.limits, state.totals, entries[-1].loss if entries else None),
            entries,
        )

    def to_json(self) -> str:
        """Return the ledger as JSON."""
        with self.store.transaction(write=False) as transaction:
            state = transaction.state(self.uid)
            terms = self._terms_in(transaction)
            events = transaction.events(self.uid)
        return report_json(self.uid, terms, state, events)

    def verify(self, head: str | None) -> str:
        """Check the whole file and return the head of this ledger."""
        with self.store.transaction(write=False) as transaction:
            return verify_file(transaction, self.uid, head)

    # Charging ---------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Entry:
        """Append a charge, in one transaction, if its adjacency and the ceiling admit it."""
        with self.store.transaction(write=True) as transaction:
            terms = self._terms_in(transaction)
            if charge.adjacency is not None and charge.adjacency != terms.adjacency:
                raise LedgerError(
                    f"{charge.source} was priced under {charge.adjacency} adjacency, and the "
                    f"ledger is under {terms.adjacency}. Nothing was charged. Price the plan "
                    "under the ledger's adjacency: Facts(adjacency=accountant.adjacency)."
                )
            return self._append(transaction, charge, self._partition, ())

    def fail(self, uid: str, reason: str) -> None:
        """Append that what an entry paid for stopped with an error."""
        if not _ERROR_NAME.fullmatch(reason):
            raise ValueError("The reason of a failure is the name of an error class, not its text.")
        with self.store.transaction(write=True) as transaction:
            transaction.writable_state(self.uid)
            if not transaction.has_charge(self.uid, uid):
                raise LedgerError(f"The ledger has no entry {uid!r}.")
            transaction.append(self.uid, "failed", {"uid": uid, "reason": reason})

    def pay_for(
        self,
        source: str,
        names: list[str],
        epsilon: float,
        delta: float,
        delta_reserve: float | None,
    ) -> list[str]:
        """Charge one allowance and open a ledger of that ceiling under each name."""
        with self.store.transaction(write=True) as transaction:
            terms = self._terms_in(transaction)
            state = transaction.writable_state(self.uid)
            prices = allowance_prices(epsilon, delta, delta_reserve)
            admitted = (
                price
                for price in prices
                if (state.limits or terms.fix(price)).admit(state.totals.plus(price))
            )
            loss = next(admitted, prices[0])
            inner = Terms.of_allowance(epsilon, delta, terms.adjacency, delta_reserve, loss.delta)
            parts = source == "partition"
            uids = [
                transaction.create(
                    parent=self.uid,
                    name=name,
                    fields={
                        **terms_fields(inner),
                        "dataset": self._dataset,
                        "partition": name if parts else self._partition,
                    },
                )
                for name in names
            ]
            noise = "gaussian" if loss.epsilon == math.inf else "pure"
            label = f"{len(names)} parts" if parts else self._partition
            self._append(transaction, Charge.of_loss(loss, source, noise=noise), label, uids)
        return uids

    def open_dataset(self, name: str, terms: Terms) -> str:
        """Return the identifier of the ledger of a data set, opened now if it is new."""
        label = f"dataset {name}"
        with self.store.transaction(write=True) as transaction:
            transaction.writable_state(self.uid)
            for uid, parent, known in transaction.ledgers():
                if (parent, known) == (self.uid, label):
                    stored = terms_from(json.loads(transaction.first_event(uid)))
                    check_same_terms(stored, terms, self.store.path)
                    return uid
            fields = {**terms_fields(terms), "dataset": name, "partition": None}
            uid = transaction.create(parent=self.uid, name=label, fields=fields)
            transaction.append(self.uid, "dataset", {"children": [uid], "name": name})
            return uid

    def fix_reserve(self, reserve: float) -> tuple[Limits, Totals]:
        """Fix the rectangle with this delta_r unless it is fixed; return it and the sums."""
        with self.store.transaction(write=True) as transaction:
            terms = self._terms_in(transaction)
            state = transaction.writable_state(self.uid)
            limits = state.limits
            if limits is None:
                chosen = reserve if terms.delta_reserve is None else terms.delta_reserve
                limits = terms.limits(min(chosen, terms.reserve_most))
                transaction.limits(self.uid, limits)
            return limits, state.totals

    # Inside -----------------------------------------------------------------------------

    def _append(
        self, transaction: Transaction, charge: Charge, partition: str | None, children: Any
    ) -> Entry:
        terms = self._terms_in(transaction)
        state = transaction.writable_state(self.uid)
        limits = state.limits or terms.fix(charge.loss)
        totals = state.totals.plus(charge.loss)
        if not limits.admit(totals):
            raise BudgetExceededError(refusal(terms, limits, state.totals, charge))
        if state.limits is None and charge.loss != PrivacyLoss.zero():
            transaction.limits(self.uid, limits)
        fields = {
            **charge.record,
            "uid": uuid.uuid4().hex,
            "pid": os.getpid(),
            "host": state.host,
            "version": library_version(),
            "totals": plain([totals.mu_squared, totals.delta, totals.epsilon]),
            "adjacency": terms.adjacency,
            "dataset": self._dataset,
            "partition": partition,
        }
        if children:
            fields["children"] = children
        return Entry.from_event(transaction.append(self.uid, "charge", fields))

    def _terms_in(self, transaction: Transaction) -> Terms:
        """Return the terms, read once: the event that opened the ledger never changes."""
        if self._terms is None:
            event = json.loads(transaction.first_event(self.uid))
            self._dataset = event.get("dataset")
            self._partition = event.get("partition")
            self._terms = terms_from(event)
        return self._terms


def check_same_terms(stored: Terms, given: Terms, path: str) -> None:
    """Raise LedgerError unless a ledger was opened with the given terms."""
    for name in ("epsilon", "delta", "adjacency", "delta_reserve"):
        kept, asked = getattr(stored, name), getattr(given, name)
        if asked != kept:
            raise LedgerError(
                f"The ledger {path} was opened with {name}={kept!r}, and a ledger keeps its "
                f"terms. Got {name}={asked!r}. Pass the stored value, attach with "
                "PrivacyAccountant.open(path), or choose another path."
            )
