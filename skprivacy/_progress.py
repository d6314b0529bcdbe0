"""A progress bar of one line on the terminal, and nothing where there is none."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
WIDTH = 30


def progress(items: Iterable[T], total: int, label: str, *, always: bool = False) -> Iterator[T]:
    """Yield `items` and draw how many of `total` are done on standard error.

    Parameters
    ----------
    items : iterable
        What is passed on.
    total : int
        How many there will be.
    label : str
        Stands before the bar.
    always : bool, default=False
        Whether to draw even where standard error is no terminal.
    """
    stream = sys.stderr
    if not always and not stream.isatty():
        yield from items
        return
    start = time.monotonic()
    for done, item in enumerate(items, start=1):
        filled = WIDTH * done // total
        left = (time.monotonic() - start) / done * (total - done)
        bar = "#" * filled + "." * (WIDTH - filled)
        stream.write(f"\r{label} [{bar}] {done}/{total}, {left:.0f} s left ")
        stream.flush()
        yield item
    stream.write("\r\x1b[K")
    stream.flush()
