"""The store: every ledger of a file, read and written in whole transactions.

The file is a SQLite database in WAL mode with two tables. `event` holds the hash chains,
one for each ledger in the file; `ledger` holds, for each, where its chain ends and the
sums so far, so that a charge is a comparison on stored sums. Within a transaction the row
of `ledger` is checked against the chain: events that this process has not seen yet are
read and verified, from the first one when the file is opened.
"""

import contextlib
import os
import sqlite3
import uuid
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..exceptions import LedgerError
from ._ceiling import Limits, Terms
from ._connections import APPLICATION_ID, Connections, process_lock, synchronous, translate
from ._events import SCHEMA_VERSION, ChainState, advance, canonical, digest, follow, plain
from ._host import host_name

_SCHEMA = """
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    parent TEXT,
    name TEXT,
    sequence INTEGER NOT NULL,
    head TEXT NOT NULL,
    mu_squared REAL NOT NULL,
    delta REAL NOT NULL,
    epsilon REAL NOT NULL,
    mu_squared_limit REAL,
    delta_limit REAL,
    epsilon_limit REAL
);
CREATE TABLE event (
    place INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash TEXT NOT NULL
);
"""

# An event's place is its ledger's number and its sequence in one integer: appending to the
# end of a table costs half of what a composite key does.
_SEQUENCES = 1 << 40

_READ_STATE = """
SELECT l.number, l.sequence, l.head, l.mu_squared, l.delta, l.epsilon,
    l.mu_squared_limit, l.delta_limit, l.epsilon_limit, e.body, e.hash
FROM ledger l LEFT JOIN event e ON e.place = (l.number << 40) + l.sequence
WHERE l.uid = ?
"""

_WRITE_STATE = """
UPDATE ledger SET sequence = ?, head = ?, mu_squared = ?, delta = ?, epsilon = ?,
    mu_squared_limit = ?, delta_limit = ?, epsilon_limit = ?
WHERE number = ?
"""

_READ_EVENTS = """
SELECT place, body, hash FROM event WHERE place BETWEEN ? AND ? ORDER BY place
"""


def _columns(state: ChainState) -> tuple[Any, ...]:
    limits = state.limits
    return (
        state.sequence,
        state.head,
        state.totals.mu_squared,
        state.totals.delta,
        state.totals.epsilon,
        *((None,) * 3 if limits is None else (limits.mu_squared, limits.delta, limits.epsilon)),
    )


class Transaction:
    """What can be done within one transaction."""

    def __init__(self, connection: sqlite3.Connection, known: Mapping[str, ChainState]) -> None:
        self._connection = connection
        self._known = known
        self.changed: dict[str, ChainState] = {}
        self._numbers: dict[str, int] = {}

    def state(self, uid: str) -> ChainState:
        """Return the verified state of a ledger."""
        row = self._connection.execute(_READ_STATE, (uid,)).fetchone()
        if row is None:
            raise LedgerError("The file holds another ledger: it was replaced. Restore it.")
        number, *columns, body, stored_hash = row
        self._numbers[uid] = number
        state = self.changed.get(uid) or self._known.get(uid, ChainState())
        if columns[0] < state.sequence:
            raise LedgerError(
                f"The ledger ends at event {columns[0]}, but this process has seen event "
                f"{state.sequence}: an older copy was put in its place, or events were removed."
            )
        if columns[0] > state.sequence:
            state = self._replay(uid, state)
        if body is None or digest(body) != stored_hash:
            raise LedgerError(f"The last event, {columns[0]}, was edited or removed.")
        if tuple(columns) != _columns(state) or stored_hash != state.head:
            raise LedgerError("The stored sums do not match the events: one of them was edited.")
        self.changed[uid] = state
        return state

    def replay(self, uid: str) -> ChainState:
        """Verify a ledger from its first event, whatever was verified before."""
        self.state(uid)  # against what this process has seen
        self.changed[uid] = self._replay(uid, ChainState())
        return self.state(uid)

    def _replay(self, uid: str, state: ChainState) -> ChainState:
        for sequence, body, stored_hash in self._events(uid, state.sequence + 1):
            state = advance(state, uid, (sequence, body, stored_hash))
        return state

    def _events(self, uid: str, first: int = 0) -> Iterator[tuple[int, str, str]]:
        """Yield (sequence, text, hash) of a ledger's events, in order."""
        start = self._number(uid) * _SEQUENCES
        for place, body, stored_hash in self._connection.execute(
            _READ_EVENTS, (start + first, start + _SEQUENCES - 1)
        ):
            yield place - start, body, stored_hash

    def _number(self, uid: str) -> int:
        number = self._numbers.get(uid)
        if number is None:
            row = self._connection.execute("SELECT number FROM ledger WHERE uid = ?", (uid,))
            (number,) = row.fetchone() or (-1,)
            self._numbers[uid] = number
        return number

    def writable_state(self, uid: str) -> ChainState:
        """Return the state of a ledger, for a charge from this host."""
        state = self.state(uid)
        if state.host != host_name():
            raise LedgerError(
                f"The ledger belongs to host {state.host!r} and this is {host_name()!r}; SQLite "
                "can't lock a file for several hosts. Nothing was charged. Fit on that host, or, "
                "if the file was moved here for good, call skprivacy.ledger.adopt_ledger(path)."
            )
        return state

    def append(self, uid: str, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Append an event of `plain` fields and return it, its hash included."""
        state = self.changed.get(uid, ChainState())
        event = {
            **fields,
            "kind": kind,
            "ledger": uid,
            "sequence": state.sequence + 1,
            "previous": state.head,
            "time": datetime.now(UTC).isoformat(),
        }
        text = canonical(event)
        head = digest(text)
        state = follow(state, kind, event, head)
        number = self._number(uid)
        row = (number * _SEQUENCES + state.sequence, text, head)
        self._connection.execute("INSERT INTO event VALUES (?, ?, ?)", row)
        self._connection.execute(_WRITE_STATE, (*_columns(state), number))
        self.changed[uid] = state
        event["hash"] = head
        return event

    def create(self, *, parent: str | None, name: str | None, fields: Mapping[str, Any]) -> str:
        """Add a ledger to the file and return its identifier."""
        uid = uuid.uuid4().hex
        blank = _columns(ChainState())
        self._connection.execute(
            "INSERT INTO ledger VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (uid, parent, name, *blank),
        )
        self.append(
            uid,
            "open",
            {**plain(fields), "parent": parent, "name": name, "host": host_name()},
        )
        return uid

    def limits(self, uid: str, limits: Limits) -> None:
        """Fix the rectangle of a ledger."""
        self.append(
            uid,
            "limits",
            plain(
                {
                    "mu_squared_limit": limits.mu_squared,
                    "delta_limit": limits.delta,
                    "epsilon_limit": limits.epsilon,
                }
            ),
        )

    def events(self, uid: str) -> list[tuple[str, str]]:
        """Return text and hash of every event of a ledger, in order."""
        return [(body, stored_hash) for _, body, stored_hash in self._events(uid)]

    def has_charge(self, uid: str, entry: str) -> bool:
        """Whether a ledger has the charge with this identifier."""
        marks = ('"kind":"charge"', f'"uid":"{entry}"')
        return any(all(mark in body for mark in marks) for _, body, _ in self._events(uid))

    def first_event(self, uid: str) -> str:
        """Return the text of the event that opened a ledger."""
        row = next(self._events(uid), None)
        if row is None or row[0] != 0:
            raise LedgerError("The event that opened the ledger is missing. Restore the file.")
        return row[1]

    def ledgers(self) -> list[tuple[str, str | None, str | None]]:
        """Return (uid, parent, name) of every ledger in the file."""
        return self._connection.execute("SELECT uid, parent, name FROM ledger").fetchall()

    def root(self) -> str:
        """Return the identifier of the ledger the file was made for."""
        roots = [uid for uid, parent, _ in self.ledgers() if parent is None]
        if len(roots) != 1:
            raise LedgerError(f"The file holds {len(roots)} main ledgers, not 1. Restore it.")
        return roots[0]

    def integrity(self) -> str:
        """Return "ok", or what SQLite finds wrong with the file."""
        return str(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0])


class LedgerStore:
    """A ledger file. One object in a process for each path: `LedgerStore.at`."""

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path = path
        self._connections = Connections(path, durable=durable)
        self._known: dict[str, ChainState] = {}

    @classmethod
    def at(cls, path: str, *, durable: bool) -> "LedgerStore":
        """Return the store of this process for an absolute path; the file is not touched."""
        with process_lock:
            store = _stores.get(path)
            if store is None:
                store = _stores[path] = cls(path, durable=durable)
            return store

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[Transaction]:
        """Run a transaction; what it verified or wrote is known once it is committed."""
        try:
            with self._connections.transaction(write=write) as connection:
                transaction = Transaction(connection, self._known)
                yield transaction
        except LedgerError as error:
            if self.path in str(error):
                raise
            raise LedgerError(f"Ledger {self.path}: {error}") from error
        for uid, state in transaction.changed.items():
            if state.sequence > self._known.get(uid, ChainState()).sequence:
                self._known[uid] = state

    def adopt(self) -> None:
        """Record in every ledger of the file that it belongs to this host."""
        with self.transaction(write=True) as transaction:
            for uid, _, _ in transaction.ledgers():
                if transaction.state(uid).host != host_name():
                    transaction.append(uid, "moved", {"host": host_name()})


_stores: weakref.WeakValueDictionary[str, LedgerStore] = weakref.WeakValueDictionary()


def create_file(path: str, fields: Mapping[str, Any], *, durable: bool) -> bool:
    """Make a ledger file with one ledger; return False if something is at the path already.

    The file appears under its name complete, so that of several processes that start at
    once one makes it and the others attach to it.
    """
    for leftover in (Path(f"{path}-wal"), Path(f"{path}-journal")):
        if leftover.exists() and leftover.stat().st_size > 0:
            raise LedgerError(
                f"There is no ledger {path}, but {leftover} belongs to one that was there. Put the "
                "ledger back, or choose another path; to start anew, remove that file."
            )
    draft = f"{path}.{uuid.uuid4().hex}.new"
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} can't be made: {error.strerror}. Check that its folder exists and "
            "is writable."
        ) from error
    try:
        _fill(draft, fields, durable=durable)
        return _publish(draft, path)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    finally:
        for part in (draft, f"{draft}-wal", f"{draft}-shm"):
            Path(part).unlink(missing_ok=True)


def _fill(draft: str, fields: Mapping[str, Any], *, durable: bool) -> None:
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute(synchronous(durable=durable))
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(f"BEGIN; {_SCHEMA}")
        Transaction(connection, {}).create(parent=None, name=None, fields=fields)
        connection.execute("COMMIT")


def _publish(draft: str, path: str) -> bool:
    """Give the draft its name unless the name is taken."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:
        # A file system without hard links: claim the name, then replace the claim.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        Path(draft).replace(path)
    return True


def terms_fields(terms: Terms) -> dict[str, Any]:
    """Return terms as fields of the event that opens a ledger."""
    return {
        "ceiling_epsilon": terms.epsilon,
        "ceiling_delta": terms.delta,
        "adjacency": terms.adjacency,
        "delta_reserve": terms.delta_reserve,
        "reserve_default": terms.reserve_default,
        "reserve_most": terms.reserve_most,
        "pure_route": terms.pure_route,
    }


def terms_from(event: Mapping[str, Any]) -> Terms:
    """Return the terms recorded by the event that opened a ledger."""
    reserve = event["delta_reserve"]
    return Terms(
        epsilon=float(event["ceiling_epsilon"]),
        delta=float(event["ceiling_delta"]),
        adjacency=event["adjacency"],
        delta_reserve=None if reserve is None else float(reserve),
        reserve_default=float(event["reserve_default"]),
        reserve_most=float(event["reserve_most"]),
        pure_route=bool(event["pure_route"]),
    )
