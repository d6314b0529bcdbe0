"""Which host and which version of skprivacy writes an event."""

import functools
import socket
from importlib import metadata


def host_name() -> str:
    """Return the name of this host."""
    return socket.gethostname()


@functools.cache
def library_version() -> str:
    """Return the version of skprivacy."""
    try:
        return metadata.version("skprivacy")
    except metadata.PackageNotFoundError:
        return "unknown"
