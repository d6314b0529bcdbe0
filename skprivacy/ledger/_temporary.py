"""Where ledgers without a path live: a private folder that ends with its process.

The folder has mode 0700. It is removed when the process that made it exits, and by no
other: a forked child leaves it alone.
"""

import atexit
import os
import shutil
import tempfile
import uuid
from multiprocessing import util
from pathlib import Path

from ._connections import process_lock

_folders: dict[int, str] = {}


def temporary_path() -> str:
    """Return a path for a new ledger in this process's folder."""
    with process_lock:
        folder = _folders.get(os.getpid())
        if folder is None:
            folder = os.path.realpath(tempfile.mkdtemp(prefix="skprivacy-"))
            _folders[os.getpid()] = folder
            atexit.register(_remove, folder, os.getpid())
            # Workers of multiprocessing leave without atexit and run these instead.
            util.Finalize(None, _remove, (folder, os.getpid()), exitpriority=0)
    return str(Path(folder) / f"{uuid.uuid4().hex}.ledger")


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
