"""Concurrency, forks, crashes and faults of the file under a ledger."""

import math
import multiprocessing
import os
import random
import resource
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from private_steps import PrivateShift, try_to_spend

from skprivacy.exceptions import LedgerError
from skprivacy.ledger import PrivacyAccountant
from skprivacy.ledger._connections import APPLICATION_ID, _inherited, translate
from skprivacy.mechanisms import GaussianSum

fork = multiprocessing.get_context("fork")
# Python warns of forks in a process with threads; that such forks are safe is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "patients.ledger"


@pytest.fixture
def accountant(path):
    accountant = PrivacyAccountant(1.0, path=path)
    for _ in range(3):
        accountant.spend(mu=0.01)
    return accountant


@pytest.fixture
def no_noise(monkeypatch):
    """Fail the test if noise is drawn."""

    def draw(*args, **kwargs):
        pytest.fail("noise was drawn")

    monkeypatch.setattr(GaussianSum, "draw", draw)


def close(accountant):
    accountant._ledger.store._connections.close()


def in_child(function):
    """Run a function in a forked child and return its exit code."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)  # a child that hangs has failed
        code = 1
        try:
            code = function() or 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


# Concurrency -------------------------------------------------------------------------------


def hammer(accountant, mu, n, successes):
    threads = [
        threading.Thread(
            target=lambda: successes.extend(i for i in range(n) if try_to_spend(accountant, mu))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hammer_and_report(accountant, mu, n, queue):
    successes = []
    hammer(accountant, mu, n, successes)
    queue.put(len(successes))


@pytest.mark.parametrize("kept", [True, False])
def test_two_processes_with_eight_threads_each_never_pass_the_ceiling(kept, path):
    accountant = PrivacyAccountant(1.0, path=path if kept else None)
    accountant.spend(mu=1e-9)
    admitted = 60
    mu = accountant.ceiling.mu / math.sqrt(admitted + 0.5)
    queue = fork.Queue()
    workers = [
        fork.Process(target=hammer_and_report, args=(accountant, mu, 10, queue)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    reported = sum(queue.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert reported == admitted
    assert len(accountant.entries) == admitted + 1
    assert accountant.spent.mu <= accountant.ceiling.mu
    accountant.verify()


def test_forks_in_the_middle_of_other_threads_charges(accountant):
    stop = threading.Event()
    made = []

    def charge_until_stopped():
        while not stop.is_set():
            made.append(accountant.spend(mu=1e-6).uid)

    threads = [threading.Thread(target=charge_until_stopped) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        codes = [in_child(lambda: accountant.spend(mu=1e-6) and 0) for _ in range(15)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [0] * 15
    entries = accountant.entries
    assert len(entries) == 3 + 15 + len(made)
    assert set(made) <= {entry.uid for entry in entries}
    assert len({entry.pid for entry in entries}) == 16
    accountant.verify()


def test_a_child_outlives_its_parents_connection(accountant):
    # Closing the last connection known to the parent must not take the file from the child.
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            accountant.spend(mu=1e-6)
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            for _ in range(20):
                accountant.spend(mu=1e-6)
            code = 0
        finally:
            os._exit(code)
    os.read(ready[0], 1)
    accountant.spend(mu=1e-6)
    close(accountant)
    os.write(go[1], b"x")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(accountant.entries) == 3 + 1 + 1 + 20
    accountant.verify()


def test_connections_are_closed_before_a_fork(accountant):
    connection = accountant._ledger.store._connections._local.owner.connection
    assert connection.in_use
    assert in_child(lambda: connection.in_use) == 0
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    accountant.spend(mu=1e-6)


def test_a_connection_that_came_through_a_fork_unseen_is_left_alone(accountant):
    connections = accountant._ledger.store._connections
    raw = connections._local.owner.connection
    raw.pid -= 1
    accountant.spend(mu=1e-6)
    assert connections._local.owner.connection is not raw
    assert raw in _inherited
    raw.execute("SELECT 1")  # not closed either
    _inherited.remove(raw)
    raw.close()
    assert raw not in _inherited


def test_each_thread_has_its_own_connection_and_closes_it_with_itself(accountant):
    connections = accountant._ledger.store._connections
    seen = []

    def charge():
        accountant.spend(mu=1e-6)
        seen.append(connections._local.owner.connection)

    charge()
    thread = threading.Thread(target=charge)
    thread.start()
    thread.join()
    assert seen[0] is connections._local.owner.connection
    assert seen[0] is not seen[1]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        seen[1].execute("SELECT 1")


# Crashes -----------------------------------------------------------------------------------


def charge_and_draw(accountant, pipe):
    while True:
        entry = accountant.spend(mu=1e-7)
        noise = os.urandom(8)  # what must never exist without its charge
        os.write(pipe, f"{entry.uid} {noise.hex()}\n".encode())


def kill_at_random(accountant, n_trials, seed):
    """Kill charging processes at random moments; return how many charges they reported."""
    rng = random.Random(seed)
    reported = set()
    for trial in range(n_trials):
        reader, writer = os.pipe()
        worker = fork.Process(target=charge_and_draw, args=(accountant, writer))
        worker.start()
        os.close(writer)
        if trial % 4:
            select.select([reader], [], [], 10)  # else it may be killed while it opens the file
        time.sleep(rng.uniform(0.0, 0.03))
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        with os.fdopen(reader) as lines:
            reported.update(line.split()[0] for line in lines if line.endswith("\n"))
    recorded = {entry.uid for entry in accountant.entries}
    assert reported <= recorded
    # At most the one charge of each process whose noise was not reported yet.
    assert len(recorded) - len(reported) <= n_trials
    accountant.verify()
    return len(reported)


@pytest.mark.parametrize("kept", [True, False])
def test_kill_never_loses_a_charge_whose_noise_was_drawn(kept, path):
    accountant = PrivacyAccountant(path=path if kept else None)
    assert kill_at_random(accountant, 20, seed=0) >= 15


@pytest.mark.slow
@pytest.mark.parametrize("kept", [True, False])
def test_kill_never_loses_a_charge_whose_noise_was_drawn_in_many_trials(kept, path):
    accountant = PrivacyAccountant(path=path if kept else None)
    assert kill_at_random(accountant, 300, seed=1) >= 225


def test_killed_in_the_middle_of_a_transaction(accountant):
    def die():
        with accountant._ledger.store.transaction(write=True) as transaction:
            transaction.state(accountant._ledger.uid)
            transaction.append(accountant._ledger.uid, "failed", {"uid": "x", "reason": "E"})
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    assert len(accountant.entries) == 3
    accountant.spend(mu=1e-6)
    accountant.verify()


def test_interrupted_transaction_is_rolled_back(accountant):
    def charge_and_be_interrupted():
        with accountant._ledger.store.transaction(write=True) as transaction:
            transaction.state(accountant._ledger.uid)
            transaction.append(accountant._ledger.uid, "failed", {"uid": "x", "reason": "E"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        charge_and_be_interrupted()
    accountant.spend(mu=1e-6)
    accountant.verify()
    assert len(accountant.entries) == 4


# Faults ------------------------------------------------------------------------------------


def test_full_disk(accountant, no_noise, data):
    connections = accountant._ledger.store._connections
    raw = connections._local.owner.connection
    (pages,) = raw.execute("PRAGMA page_count").fetchone()
    raw.execute(f"PRAGMA max_page_count={pages}")

    def charge_until_full():
        for _ in range(100):
            accountant.spend(mu=1e-6, source="x" * 1000)

    with pytest.raises(LedgerError, match=r"disk is full\. Free some space.*Nothing was charged"):
        charge_until_full()
    before = len(accountant.entries)
    with pytest.raises(LedgerError, match="disk is full"):
        accountant.spend(mu=1e-6, source="x" * 10000)
    raw.execute("PRAGMA max_page_count=1000000")
    accountant.spend(mu=1e-6)
    assert len(accountant.entries) == before + 1
    accountant.verify()


def test_file_that_may_not_grow(accountant):
    # Another way to run out of space: the limit of the process on the size of files.
    def charge():
        accountant.spend(mu=1e-7)
        size = Path(f"{accountant.path}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        drawn = 0
        try:
            for _ in range(1000):
                accountant.spend(mu=1e-7, source="x" * 500)
                drawn += 1
        except LedgerError as error:
            return 0 if "disk" in str(error) and 4 + drawn == len(accountant.entries) else 3
        return 2

    assert in_child(charge) == 0
    accountant.spend(mu=1e-6)
    accountant.verify()


def test_disk_that_is_full_from_the_start(path):
    def make():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            PrivacyAccountant(1.0, path=path)
        except LedgerError as error:
            return 0 if "disk" in str(error) else 3
        return 2

    assert in_child(make) == 0
    assert list(path.parent.iterdir()) == []
    PrivacyAccountant(1.0, path=path).spend(mu=0.1)


def test_read_only_file(accountant, path, no_noise, data):
    path.chmod(0o444)
    model = PrivateShift(0.1, 1e-7, accountant)
    with pytest.raises(LedgerError, match=r"marked read-only.*Make it writable"):
        model.fit(data[0])
    assert len(accountant.entries) == 3  # reading goes on
    path.chmod(0o600)
    accountant.spend(mu=1e-6)


def as_nobody(function):
    """Run a function without the rights of a superuser."""

    def run():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        return function()

    return in_child(run)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_file_of_somebody_else(what):
    # Not in pytest's folders, which nobody else may enter.
    folder = Path("/tmp") / f"skprivacy-test-{os.getpid()}-{what}"
    folder.mkdir(mode=0o755)
    try:
        accountant = PrivacyAccountant(1.0, path=folder / "a.ledger")
        accountant.spend(mu=0.1)
        close(accountant)
        if what == "file":
            folder.chmod(0o777)
            Path(accountant.path).chmod(0o444 if os.geteuid() else 0o644)
        else:
            Path(accountant.path).chmod(0o666)
            folder.chmod(0o555)

        def charge():
            try:
                accountant.spend(mu=0.1)
            except LedgerError as error:
                return 0 if "writable" in str(error) else 3
            return 2

        assert as_nobody(charge) == 0
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_missing_file_blocks_charging_and_nothing_else(accountant, path, no_noise, data):
    model = PrivateShift(0.1, 1e-7, accountant)
    path.unlink()
    with pytest.raises(LedgerError, match=r"is not there.*Put the file back"):
        model.fit(data[0])
    with pytest.raises(LedgerError, match="is not there"):
        accountant.verify()
    assert not path.exists()
    repr(accountant)


def test_missing_file_never_blocks_prediction(path, data):
    code = f"""
import pickle, sys
import numpy as np
sys.path.insert(0, {str(Path(__file__).parent)!r})
from private_steps import PrivateShift
from skprivacy.exceptions import LedgerError
model = pickle.load(open({str(path) + ".pickle"!r}, "rb"))
print(repr(model), model.transform(np.zeros((1, 3))).shape, model.privacy_.epsilon)
from sklearn.base import clone
clone(model).set_params(epsilon=0.1)
try:
    model.fit(np.zeros((5, 3)))
except LedgerError as error:
    print(error)
"""
    import pickle

    accountant = PrivacyAccountant(1.0, path=path)
    model = PrivateShift(0.1, 1e-7, accountant).fit(data[0])
    Path(f"{path}.pickle").write_bytes(pickle.dumps(model))
    path.unlink()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert "(1, 3) 0.1" in run.stdout.replace("0.0999", "0.1")
    assert "is not there" in run.stdout
    assert not path.exists()


def test_ledger_of_a_process_that_ended(data):
    code = """
import pickle, sys
from skprivacy.ledger import PrivacyAccountant
accountant = PrivacyAccountant(epsilon=1.0)
accountant.spend(mu=0.1)
sys.stdout.buffer.write(pickle.dumps(accountant))
"""
    import pickle

    blob = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    orphan = pickle.loads(blob)
    assert not Path(orphan.path).parent.exists()
    with pytest.raises(LedgerError, match="ends with the process that made it"):
        PrivateShift(0.1, 1e-7, orphan).fit(data[0])


@pytest.mark.parametrize("part", [0, 10, 100, 4096, 5000, 0.5, 0.9])
def test_truncated_file(part, accountant, path, no_noise, data):
    for _ in range(60):
        accountant.spend(mu=1e-6)
    close(accountant)  # what was in the write-ahead log is in the file now
    size = path.stat().st_size
    os.truncate(path, part if isinstance(part, int) else int(part * size))
    with pytest.raises(LedgerError, match=r"[Rr]estore it from a copy"):
        PrivateShift(0.1, 1e-7, accountant).fit(data[0])
    with pytest.raises(LedgerError, match=r"[Rr]estore it from a copy"):
        PrivacyAccountant(1.0, path=path)


def test_overwritten_file(accountant, path):
    close(accountant)
    path.write_bytes(b"not a database, however long this text may be. " * 200)
    with pytest.raises(LedgerError, match="no ledger, or damaged"):
        accountant.spend(mu=1e-6)


def test_database_of_another_kind(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(LedgerError, match="no ledger of skprivacy"):
        PrivacyAccountant(1.0, path=path)


@pytest.mark.parametrize(("version", "message"), [(2, "newer skprivacy.*Upgrade"), (0, "schema 0")])
def test_other_schema(version, message, accountant, path, no_noise, data):
    close(accountant)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={version}")
    connection.close()
    with pytest.raises(LedgerError, match=message):
        PrivateShift(0.1, 1e-7, accountant).fit(data[0])


def test_older_copy_in_the_ledgers_place(accountant, path, no_noise, data):
    close(accountant)
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    accountant.spend(mu=0.01)
    close(accountant)
    copy.replace(path)
    with pytest.raises(LedgerError, match="an older copy was put in its place"):
        PrivateShift(0.1, 1e-7, accountant).fit(data[0])


@pytest.mark.parametrize("connected", [True, False])
def test_another_ledger_in_the_ledgers_place(connected, accountant, path, no_noise, data):
    other = PrivacyAccountant(1.0, path=path.with_name("other"))
    close(other)
    if not connected:
        close(accountant)
    Path(other.path).replace(path)
    # A write-ahead log in use may be left beside the wrong file; then it is found damaged.
    with pytest.raises(LedgerError, match="holds another ledger" if not connected else None):
        PrivateShift(0.1, 1e-7, accountant).fit(data[0])


def test_leftovers_of_a_lost_ledger_are_not_taken_over(path):
    Path(f"{path}-wal").write_bytes(b"x" * 100)
    with pytest.raises(LedgerError, match="belongs to one that was there"):
        PrivacyAccountant(1.0, path=path)


def test_new_ledger_where_another_was_deleted(accountant, path):
    path.unlink()
    with pytest.raises(LedgerError, match="is not there"):
        accountant.spend(mu=1e-6)
    for leftover in path.parent.glob("patients.ledger-*"):
        leftover.unlink()
    fresh = PrivacyAccountant(2.0, path=path)
    assert fresh is not accountant
    fresh.spend(mu=0.1)
    with pytest.raises(LedgerError, match="holds another ledger"):
        accountant.spend(mu=1e-6)


def test_held_by_another_process(accountant, monkeypatch):
    monkeypatch.setattr("skprivacy.ledger._connections.BUSY_SECONDS", 0.05)
    close(accountant)
    other = sqlite3.connect(accountant.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="another process has held it"):
        accountant.spend(mu=1e-6)
    other.execute("ROLLBACK")
    other.close()
    accountant.spend(mu=1e-6)


def test_every_error_of_sqlite_becomes_a_ledger_error():
    error = sqlite3.OperationalError("something new")
    assert "something new" in str(translate(error, "/a"))


def test_application_id_spells_the_name():
    assert APPLICATION_ID.to_bytes(4, "big") == b"skpr"
