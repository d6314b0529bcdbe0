"""Reports on a ledger: text for a terminal, HTML for a notebook, JSON for a file."""

import json
import math
from collections.abc import Iterable
from html import escape
from typing import Any

from ._ceiling import Terms
from ._entries import Entries
from ._events import SCHEMA_VERSION, ChainState, plain
from ._odometer import CAVEAT, FIXED_LABEL, Ceiling, Remaining, Spent

_COLUMNS = ("#", "time (UTC)", "source", "epsilon", "mu", "delta", "status")

_SHOWN = 200
"""Longest table; a longer ledger shows its last entries."""


def _rows(entries: Entries, delta: float) -> list[tuple[str, ...]]:
    return [
        (
            str(entry.sequence),
            entry.time[:19].replace("T", " "),
            entry.source if entry.partition is None else f"{entry.source} ({entry.partition})",
            f"{entry.loss.to_epsilon(delta):.4g}",
            f"{entry.mu:.4g}",
            f"{entry.delta:.3g}",
            _status(entry.status, entry.reason, reproducible=entry.reproducible),
        )
        for entry in entries[-_SHOWN:]
    ]


def _status(status: str, reason: str | None, *, reproducible: bool) -> str:
    text = status if reason is None else f"{status} ({reason})"
    return f"{text}; reproducible noise: not private" if reproducible else text


def _sums(ceiling: Ceiling, spent: Spent, remaining: Remaining) -> list[tuple[str, str]]:
    at = f"at delta = {spent.delta:.6g}"
    lines = [
        ("Ceiling (certified)", str(ceiling)),
        ("Spent (odometer)", f"epsilon = {spent.epsilon:.6g} {at}, mu = {spent.mu:.6g}"),
        (f"Spent, {FIXED_LABEL}", f"epsilon = {spent.fixed_epsilon:.6g} {at}"),
    ]
    if ceiling.epsilon < math.inf:
        lines.append(("Remaining", str(remaining)))
    return lines


def _omitted(entries: Entries) -> str:
    hidden = len(entries) - _SHOWN
    return f"The first {hidden} entries are not shown." if hidden > 0 else ""


def report_text(ceiling: Ceiling, spent: Spent, remaining: Remaining, entries: Entries) -> str:
    """Return the ledger as text."""
    lines = [f"{label}: {text}" for label, text in _sums(ceiling, spent, remaining)]
    if entries:
        table = [_COLUMNS, *_rows(entries, spent.delta)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines.append("")
        lines.extend(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        )
        if omitted := _omitted(entries):
            lines.append(omitted)
    return "\n".join([*lines, "", CAVEAT])


def report_html(ceiling: Ceiling, spent: Spent, remaining: Remaining, entries: Entries) -> str:
    """Return the ledger as HTML: a budget bar and a table, with no outside assets."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in _COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(entries, spent.delta)
    )
    sums = "".join(
        f"<tr><th style='text-align:left'>{escape(label)}</th>"
        f"<td style='text-align:left'>{escape(text)}</td></tr>"
        for label, text in _sums(ceiling, spent, remaining)
    )
    return (
        "<div><strong>Privacy ledger</strong>"
        f"{_bar(ceiling, spent)}<table>{sums}</table>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{escape(_omitted(entries))}</p><p>{escape(CAVEAT)}</p></div>"
    )


def used_part(ceiling: Ceiling, spent: Spent) -> float:
    """Return the part of the ceiling that is used up, in [0, 1].

    Of mu squared, which adds up; or, where everything is pure, of epsilon if that is less.
    """
    if ceiling.epsilon == math.inf or spent.n_entries == 0:
        return 0.0
    parts = [spent.loss.epsilon / ceiling.epsilon]
    if ceiling.mu:
        parts.append((spent.mu / ceiling.mu) ** 2)
    return min(1.0, *parts)


def _bar(ceiling: Ceiling, spent: Spent) -> str:
    if ceiling.epsilon == math.inf:
        return "<p>No ceiling: nothing is refused.</p>"
    percent = 100 * used_part(ceiling, spent)
    return (
        f"<div role='img' aria-label='{percent:.1f} % of the budget used' "
        "style='border:1px solid #888;width:24em;height:1em;margin:.3em 0'>"
        f"<div style='background:#3b7dd8;height:100%;width:{percent:.1f}%'></div></div>"
        f"<p>{percent:.1f} % of the budget used</p>"
    )


def report_json(
    uid: str, terms: Terms, state: ChainState, events: Iterable[tuple[str, str]]
) -> str:
    """Return the ledger as JSON.

    Every event is the object that was hashed, plus its hash: without it, written with
    sorted keys and no spaces, its SHA-256 is the hash. Infinite numbers are "inf".
    """
    limits = state.limits
    document: dict[str, Any] = {
        "format": "skprivacy-ledger",
        "schema": SCHEMA_VERSION,
        "uid": uid,
        "ceiling": {
            "epsilon": terms.epsilon,
            "delta": terms.delta,
            "adjacency": terms.adjacency,
            "delta_reserve": terms.delta_reserve,
            "mu_squared_limit": None if limits is None else limits.mu_squared,
            "delta_limit": None if limits is None else limits.delta,
        },
        "spent": {
            "mu_squared": state.totals.mu_squared,
            "delta": state.totals.delta,
            "pure_epsilon": state.totals.epsilon,
            "epsilon": state.totals.loss.to_epsilon(terms.delta),
        },
        "head": state.head,
        "events": [{**json.loads(text), "hash": stored} for text, stored in events],
    }
    return json.dumps(plain(document), indent=2, allow_nan=False)
