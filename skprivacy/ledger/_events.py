"""The hash chain: events as canonical text, and what the text must satisfy.

A ledger is a sequence of events, never edited: ``open`` (the terms), ``limits`` (the
rectangle, once), ``charge``, ``failed`` (a fit stopped after it was charged), ``dataset``
and ``moved``. Each is one canonical JSON text that names its place and the hash of the
event before it; its own hash is SHA-256 of the text. `ChainState` is what a reader knows
after a prefix of the chain, and `advance` reads one more event or says what is wrong.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..accounting import PrivacyLoss
from ..exceptions import LedgerError
from ._ceiling import Limits, Totals

SCHEMA_VERSION = 1


def plain(value: Any) -> Any:
    """Return `value` as JSON data; numbers that JSON lacks become "inf", "-inf", "nan"."""
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float | int):
        return plain(float(value) if isinstance(value, float) else int(value))
    return str(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(event: Mapping[str, Any]) -> str:
    """Return the one text of an event of `plain` data: sorted keys, no spaces, ASCII."""
    return _ENCODER.encode(event)


def digest(text: str) -> str:
    """Return the hash of an event's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def loss_of(event: Mapping[str, Any]) -> PrivacyLoss:
    """Return the price that a charge records."""
    return PrivacyLoss(float(event["mu"]), float(event["delta"]), float(event["epsilon"]))


@dataclass(frozen=True, slots=True)
class ChainState:
    """What is known after the events up to `sequence`."""

    sequence: int = -1
    head: str = ""
    totals: Totals = field(default_factory=Totals)
    limits: Limits | None = None
    host: str = ""


def advance(state: ChainState, ledger: str, row: tuple[int, str, str]) -> ChainState:
    """Check the next stored event and return the state after it.

    Parameters
    ----------
    state : ChainState
        State after the event before.
    ledger : str
        Identifier of the ledger the event must belong to.
    row : tuple (sequence, text, hash)
        The event as stored.

    Raises
    ------
    LedgerError
        If the event is not the next one of an unbroken chain.
    """
    sequence, text, stored_hash = row
    expected = state.sequence + 1
    if sequence != expected:
        raise LedgerError(f"Event {expected} is missing: event {sequence} follows in its place.")
    if digest(text) != stored_hash:
        raise LedgerError(f"Event {sequence} was edited: its text does not have its hash.")
    try:
        event = json.loads(text)
        place = (event["ledger"], event["sequence"], event["previous"])
        kind = event["kind"]
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerError(f"Event {sequence} is no event of a ledger.") from error
    if place != (ledger, sequence, state.head):
        raise LedgerError(
            f"Event {sequence} does not continue the event before it: an event was edited, "
            "removed or moved."
        )
    try:
        return follow(state, kind, event, stored_hash)
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerError(f"Event {sequence} lacks what an event {kind!r} must have.") from error


def follow(state: ChainState, kind: str, event: Mapping[str, Any], head: str) -> ChainState:
    """Return the state after an event that continues `state` and has the hash `head`.

    Raises
    ------
    LedgerError
        If the event's sums are wrong or pass the ceiling.
    """
    totals, limits, host = state.totals, state.limits, state.host
    if kind == "charge":
        totals = _checked_totals(state, event)
    elif kind == "limits":
        limits = limits_of(event)
    elif kind in {"open", "moved"}:
        host = event["host"]
    return ChainState(state.sequence + 1, head, totals, limits, host)


def limits_of(event: Mapping[str, Any]) -> Limits:
    """Return the rectangle that a ``limits`` event fixed."""
    return Limits(
        float(event["mu_squared_limit"]),
        float(event["delta_limit"]),
        float(event["epsilon_limit"]),
    )


def _checked_totals(state: ChainState, event: Mapping[str, Any]) -> Totals:
    totals = state.totals.plus(loss_of(event))
    recorded = Totals(*(float(value) for value in event["totals"]))
    if recorded != totals:
        raise LedgerError(f"The sums recorded by event {state.sequence + 1} are wrong.")
    if state.limits is not None and not state.limits.admit(totals):
        raise LedgerError(f"Event {state.sequence + 1} passes the ceiling.")
    return totals
