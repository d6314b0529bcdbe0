"""Connections to a ledger file: one for each process, thread and path.

SQLite keeps locks in the memory of the process, so a connection, or even another
connection to the same file, must not live through a fork. Before every fork all
connections of the process are closed, after waiting for their transactions; parent and
child open their own anew. A connection that came through a fork unseen (made by C code)
is neither used nor closed.

Every error of SQLite is translated to a `LedgerError` that says what to do.
"""

import contextlib
import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from ..exceptions import LedgerError
from ._events import SCHEMA_VERSION

APPLICATION_ID = 0x736B7072
"""Marks a SQLite file as a ledger of skprivacy ("skpr")."""

BUSY_SECONDS = 60.0
"""How long a charge waits for those of other processes."""

_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full. Free some space and fit again",
    sqlite3.SQLITE_IOERR: "reading or writing failed; the disk may be full or out of reach. "
    "Check it and fit again",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only. Make both writable",
    sqlite3.SQLITE_PERM: "permission is denied. Make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "the file or its folder can't be opened. Check that both exist and "
    "are readable and writable",
    sqlite3.SQLITE_BUSY: f"another process has held it for {BUSY_SECONDS:.0f} s. Wait for that "
    "process or end it",
    sqlite3.SQLITE_LOCKED: "another connection holds it. Try again",
    sqlite3.SQLITE_NOTADB: "the file is no ledger, or damaged. Restore it from a copy",
    sqlite3.SQLITE_CORRUPT: "the file is damaged or truncated. Restore it from a copy",
}


def synchronous(*, durable: bool) -> str:
    """Return the statement that sets how a connection waits for the disk.

    A ledger with a path survives a loss of power. A temporary one ends with its process at
    the latest, and what a process wrote outlives its being killed without any waiting.
    """
    return f"PRAGMA synchronous={'FULL' if durable else 'OFF'}"


def translate(error: sqlite3.Error, path: str) -> LedgerError:
    """Return the `LedgerError` that tells the user what to do about an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    cause = _CAUSES.get(code, f"SQLite says: {error}")
    return LedgerError(f"The ledger {path} can't be used: {cause}. Nothing was charged.")


def missing(path: str) -> LedgerError:
    """Return the error for a ledger file that is not there."""
    return LedgerError(
        f"The ledger {path} is not there, so nothing can be charged to it; predicting works "
        "without it. Put the file back, or fit with another accountant (a ledger without a path "
        "ends with the process that made it)."
    )


class _Connection(sqlite3.Connection):
    """A connection that knows its process and its file, and closes itself when it's dropped."""

    pid = 0
    file = (0, 0)
    in_use = False

    def shut(self) -> None:
        """Close the connection, or leave it alone if it belongs to another process."""
        if not self.in_use:
            return
        self.in_use = False
        if self.pid == os.getpid():
            self.close()
        else:
            _inherited.append(self)

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.shut()


class _Owner:
    """Ends a connection with its thread: a connection is in a cycle of its own making."""

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.connection.shut()


process_lock = threading.RLock()
"""Guards what the process knows of its ledgers; held, with every other lock, over a fork."""

_inherited: list[_Connection] = []
_everyone: "weakref.WeakSet[Connections]" = weakref.WeakSet()


class Connections:
    """All connections of this process to one ledger file.

    Parameters
    ----------
    path : str
        Absolute path of the file, which is never created here.
    durable : bool
        Whether a charge must survive a loss of power.
    """

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path = path
        self.durable = durable
        # One transaction at a time in this process: threads queue here and not in
        # SQLite, which waits by sleeping; and a fork can wait for them.
        self.lock = threading.Lock()
        self._local = threading.local()
        self._opened: weakref.WeakSet[_Connection] = weakref.WeakSet()
        with process_lock:
            _everyone.add(self)

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """Run one transaction; it is rolled back if the body raises."""
        with self.lock:
            raw = self._current(write=write)
            try:
                raw.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield raw
                raw.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back(raw)
                raise translate(error, self.path) from error
            except BaseException:
                self._roll_back(raw)
                raise

    def close(self) -> None:
        """Close the connections of all threads; they open again when used."""
        for connection in list(self._opened):
            connection.shut()
        self._opened.clear()

    @staticmethod
    def _roll_back(raw: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    def _current(self, *, write: bool) -> sqlite3.Connection:
        """Return this thread's connection, to the file that is at the path now."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - on every charge, and a Path costs more
        except FileNotFoundError:
            self._forget()
            raise missing(self.path) from None
        except OSError as error:
            raise LedgerError(
                f"The ledger {self.path} can't be reached: {error.strerror}. Nothing was charged."
            ) from error
        # Even the superuser, whom permissions don't stop, means something by this mark.
        if write and not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise LedgerError(
                f"The ledger {self.path} is marked read-only. Nothing was charged. Make it "
                "writable, or fit with another accountant."
            )
        file = (status.st_dev, status.st_ino)
        owner: _Owner | None = getattr(self._local, "owner", None)
        if owner is not None and owner.connection.in_use:
            connection = owner.connection
            if connection.pid == os.getpid() and connection.file == file:
                return connection
            self._forget()
        connection = self._open()
        connection.pid, connection.file, connection.in_use = os.getpid(), file, True
        self._local.owner = _Owner(connection)
        self._opened.add(connection)
        return connection

    def _forget(self) -> None:
        owner: _Owner | None = getattr(self._local, "owner", None)
        if owner is not None:
            owner.connection.shut()
            self._local.owner = None

    def _open(self) -> _Connection:
        connection: _Connection | None = None
        try:
            connection = sqlite3.connect(
                f"{Path(self.path).as_uri()}?mode=rw",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            self._check_header(connection)
            connection.execute(synchronous(durable=self.durable))
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise translate(error, self.path) from error
            raise
        return connection

    def _check_header(self, raw: sqlite3.Connection) -> None:
        (application,) = raw.execute("PRAGMA application_id").fetchone()
        (version,) = raw.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise LedgerError(
                f"The file {self.path} is no ledger of skprivacy, or it was emptied. If it was a "
                "ledger, restore it from a copy; if not, choose another path."
            )
        if version > SCHEMA_VERSION:
            raise LedgerError(
                f"The ledger {self.path} was written by a newer skprivacy (schema {version}; this "
                f"one knows schema {SCHEMA_VERSION}). Upgrade skprivacy."
            )
        if version < 1:
            raise LedgerError(
                f"The ledger {self.path} has schema {version}, which no release of skprivacy "
                "wrote. Restore it from a copy."
            )


_held: list[Connections] = []


def _before_fork() -> None:
    process_lock.acquire()
    for connections in list(_everyone):
        connections.lock.acquire()
        _held.append(connections)
        with contextlib.suppress(sqlite3.Error):
            connections.close()


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()
    process_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
