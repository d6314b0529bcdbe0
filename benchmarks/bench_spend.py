"""Microseconds per charge: one thread, two processes, and SQLite's own floor beside them.

python benchmarks/bench_spend.py [N]
"""

import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from skprivacy.ledger import PrivacyAccountant


def best(action: Callable[[], object], n: int, batches: int = 10) -> float:
    """Return microseconds per call in the fastest of several batches."""
    times = []
    for _ in range(batches):
        start = time.perf_counter()
        for _ in range(n // batches):
            action()
        times.append((time.perf_counter() - start) / (n // batches))
    return min(times) * 1e6


def floor(path: Path, synchronous: str, n: int) -> float:
    """Return what a bare transaction with one insert costs."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)")
    text = "x" * 700

    def insert() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t (body) VALUES (?)", (text,))
        connection.execute("COMMIT")

    result = best(insert, n)
    connection.close()
    return result


def charge_many(accountant: PrivacyAccountant, n: int) -> None:
    """Charge n times."""
    for _ in range(n):
        accountant.spend(mu=1e-6)


def two_processes(accountant: PrivacyAccountant, n: int) -> float:
    """Return microseconds per charge while two processes charge one ledger."""
    workers = [multiprocessing.Process(target=charge_many, args=(accountant, n)) for _ in range(2)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.perf_counter() - start) / (2 * n) * 1e6


def main(n: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        private = PrivacyAccountant(epsilon=1.0)
        kept = PrivacyAccountant(epsilon=1.0, path=Path(folder) / "bench.ledger")
        rows = [
            ("SQLite alone, OFF", floor(Path(folder) / "off", "OFF", n)),
            ("spend, temporary ledger (OFF)", best(lambda: private.spend(mu=1e-6), n)),
            ("SQLite alone, FULL", floor(Path(folder) / "full", "FULL", n // 10)),
            ("spend, kept ledger (FULL)", best(lambda: kept.spend(mu=1e-6), n // 10)),
            ("spend, two processes (OFF)", two_processes(private, n // 10)),
        ]
        start = time.perf_counter()
        private.verify()
        events = len(private.entries)
        rows.append(
            (f"verify, per event of {events}", (time.perf_counter() - start) / events * 1e6)
        )
    for label, microseconds in rows:
        print(f"{label:36s} {microseconds:9.1f} us")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
