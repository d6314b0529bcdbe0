"""Entries: the charges of a ledger, as records for people and tables.

An entry is one charge, such as a fit with all its mechanisms. It holds what was promised
and who ran it, and nothing that was computed from rows.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._frames import pandas_for
from ..accounting import PrivacyLoss
from ._events import loss_of

_NUMBERS = {"mu", "delta", "epsilon", "noise_multiplier"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One charge of a ledger.

    Parameters
    ----------
    uid : str
        Identifier of the entry.
    sequence : int
        Place among the ledger's events.
    time : str
        Moment of the charge (UTC, ISO 8601).
    pid, host, version
        Process, host and version of skprivacy that made it.
    source : str
        What was charged, such as the estimator's class.
    mu, delta, epsilon : float
        The price; see `PrivacyLoss`.
    mechanisms : tuple of dict
        Every mechanism of the charge: name, noise, sensitivity, noise multiplier, price.
    adjacency : {"add-remove", "replace-one"}
    dataset : str or None
        Label of the data set, for a ledger made by `PrivacyAccountant.dataset`.
    partition : str or None
        Which part of a partition the charge belongs to, or what was partitioned.
    reproducible : bool
        Whether the noise came from a fixed seed, so that it protects nobody.
    assumptions : tuple of str
        What was taken as public.
    status : {"charged", "failed"}
        "failed" if the fit stopped after it was charged; the charge stands.
    reason : str or None
        Class of the error that stopped it.
    previous, hash : str
        Hash of the event before, and of this one.
    """

    uid: str
    sequence: int
    time: str
    pid: int
    host: str
    version: str
    source: str
    mu: float
    delta: float
    epsilon: float
    mechanisms: tuple[dict[str, Any], ...]
    adjacency: str
    dataset: str | None = None
    partition: str | None = None
    reproducible: bool = False
    assumptions: tuple[str, ...] = ()
    status: str = "charged"
    reason: str | None = None
    previous: str
    hash: str

    @property
    def loss(self) -> PrivacyLoss:
        """The price of the charge."""
        return PrivacyLoss(self.mu, self.delta, self.epsilon)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as a dict."""
        return asdict(self)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], reason: str | None = None) -> "Entry":
        """Return the entry that a ``charge`` event records."""
        loss = loss_of(event)
        return cls(
            uid=event["uid"],
            sequence=event["sequence"],
            time=event["time"],
            pid=event["pid"],
            host=event["host"],
            version=event["version"],
            source=event["source"],
            mu=loss.mu,
            delta=loss.delta,
            epsilon=loss.epsilon,
            mechanisms=tuple(_numbers(mechanism) for mechanism in event["mechanisms"]),
            adjacency=event["adjacency"],
            dataset=event["dataset"],
            partition=event["partition"],
            reproducible=event["reproducible"],
            assumptions=tuple(event["assumptions"]),
            status="charged" if reason is None else "failed",
            reason=reason,
            previous=event["previous"],
            hash=event["hash"],
        )


def _numbers(mechanism: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mechanism's description with infinite numbers as numbers again."""
    return {
        key: float(value) if key in _NUMBERS and value is not None else value
        for key, value in mechanism.items()
    }


class Entries(list[Entry]):
    """A list of `Entry` that turns into a table."""

    def to_frame(self) -> Any:
        """Return the entries as a pandas DataFrame, one row each.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = pandas_for("entries", "[entry.to_dict() for entry in entries]")
        columns = list(Entry.__dataclass_fields__)
        return pd.DataFrame([entry.to_dict() for entry in self], columns=columns)


def read_entries(events: Iterable[tuple[str, str]]) -> Entries:
    """Return the charges among stored events, each with its last known status."""
    charges: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    for text, stored_hash in events:
        event = json.loads(text)
        if event["kind"] == "charge":
            charges.append({**event, "hash": stored_hash})
        elif event["kind"] == "failed":
            failures[event["uid"]] = event["reason"]
    return Entries(Entry.from_event(event, failures.get(event["uid"])) for event in charges)
