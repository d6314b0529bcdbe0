"""Watching a fit from outside: what it charges, when, and what it draws.

A real accountant is used throughout; only its method `spend` is wrapped, on that one
object, and the method `draw` of every mechanism while a fit is watched.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..ledger import PrivacyAccountant
from ..mechanisms import Mechanism

_LOCK = threading.Lock()


class PlantedError(Exception):
    """Raised on purpose where a check wants a fit to fail."""


@dataclass(frozen=True)
class Drawn:
    """A release that was made.

    Parameters
    ----------
    mechanism : Mechanism
    adjacency : str
        For which it was told to set its noise.
    source : object
        Where its random words came from.
    """

    mechanism: Mechanism
    adjacency: Any
    source: Any


def ensure(condition: Any, message: str) -> None:
    """Raise `AssertionError` with a message if a condition does not hold."""
    if not condition:
        raise AssertionError(message)


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an object another attribute for a while."""
    had = name in vars(owner)
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if had:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


@contextmanager
def before_charges(accountant: PrivacyAccountant, action: Callable[[Any], None]) -> Iterator[None]:
    """Call `action` with what is charged, just before every charge."""
    spend = accountant.spend

    def watched(what: Any = None, /, **options: Any) -> Any:
        action(what)
        return spend(what, **options)

    with replaced(accountant, "spend", watched):
        yield


def _drawing_classes(kind: Any = Mechanism) -> set[Any]:
    """Return every class of mechanism that has a `draw` of its own."""
    found = {kind} if "draw" in vars(kind) else set()
    return found.union(*(_drawing_classes(below) for below in kind.__subclasses__()))


@contextmanager
def recorded_draws(error: BaseException | None = None, after: int = 0) -> Iterator[list[Drawn]]:
    """Record every draw of every mechanism; raise `error` instead of the one `after` so many."""
    drawn: list[Drawn] = []
    inside = threading.local()
    originals = {kind: vars(kind)["draw"] for kind in _drawing_classes()}

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def draw(self: Mechanism, *args: Any, **options: Any) -> Any:
            if getattr(inside, "depth", 0):  # a mechanism made of another one
                return original(self, *args, **options)
            drawn.append(Drawn(self, options.get("adjacency"), options.get("source")))
            if error is not None and len(drawn) > after:
                raise error
            inside.depth = 1
            try:
                return original(self, *args, **options)
            finally:
                inside.depth = 0

        return draw

    with _LOCK:
        for kind, original in originals.items():
            kind.draw = wrap(original)
        try:
            yield drawn
        finally:
            for kind, original in originals.items():
                kind.draw = original
