import stat
import subprocess
import sys
from pathlib import Path

from skprivacy.ledger import PrivacyAccountant

PROGRAM = """
import os, sys
from pathlib import Path
from skprivacy.ledger import PrivacyAccountant
accountant = PrivacyAccountant()
folder = Path(accountant.path).parent
print(folder)
{body}
"""


def run(body):
    program = PROGRAM.format(body=body)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


def test_folder_is_the_users_alone():
    folder = Path(PrivacyAccountant().path).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_ends_with_its_process():
    (folder,) = run("accountant.spend(mu=0.1)")
    assert not Path(folder).exists()


def test_forked_child_leaves_it_alone():
    lines = run(
        "sys.stdout.flush()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    accountant.spend(mu=0.1)\n"
        "    sys.exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "assert folder.exists()\n"
        "assert len(accountant.entries) == 1"
    )
    assert not Path(lines[0]).exists()


def test_worker_cleans_up_what_it_made_itself():
    lines = run(
        "import multiprocessing\n"
        "def work(queue):\n"
        "    queue.put(PrivacyAccountant().path)\n"
        "context = multiprocessing.get_context('fork')\n"
        "queue = context.Queue()\n"
        "worker = context.Process(target=work, args=(queue,))\n"
        "worker.start(); print(queue.get()); worker.join()\n"
        "assert folder.exists()"
    )
    assert Path(lines[1]).parent != Path(lines[0])
    assert not Path(lines[1]).parent.exists()


def test_an_accountant_nobody_holds_any_more_can_come_back():
    import gc
    import pickle

    accountant = PrivacyAccountant(1.0)
    accountant.spend(mu=0.1)
    blob = pickle.dumps(accountant)
    del accountant
    gc.collect()
    assert len(pickle.loads(blob).entries) == 1


def test_many_ledgers_do_not_keep_files_open():
    import gc

    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(200):
        PrivacyAccountant().spend(mu=0.1)
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) < before + 50
