"""A ledger as text: its ceiling, what was spent, and its entries grouped by price."""

from typing import Any

from ..ledger import PrivacyAccountant
from ._report import align


def format_ledger(accountant: PrivacyAccountant, *, every_entry: bool = False) -> str:
    """Return the ledger of an accountant as a table.

    Parameters
    ----------
    accountant : PrivacyAccountant
        Its ledger is read.
    every_entry : bool, default=False
        One line for an entry, instead of one for all entries of equal source and price.

    Returns
    -------
    str
        The table and, below it, the ceiling and what was spent.
    """
    entries = accountant.entries
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for number, entry in enumerate(entries):
        notes = [note for note, here in _notes(entry).items() if here]
        key = (entry.source, entry.mu, entry.delta, entry.epsilon, ", ".join(notes))
        groups.setdefault((*key, number) if every_entry else key, []).append(entry)
    rows = [["first", "entries", "source", "mu", "delta", "pure epsilon", "notes"]]
    for (source, mu, delta, epsilon, notes, *_), group in groups.items():
        shown = [f"{mu:.5g}", f"{delta:.3g}", f"{epsilon:.5g}"]
        rows.append([group[0].time[:19], str(len(group)), source, *shown, notes])
    return "\n".join(
        [*align(rows), "", f"Ceiling: {accountant.ceiling}", f"Spent: {accountant.spent}"]
    )


def _notes(entry: Any) -> dict[str, bool]:
    return {
        "failed": entry.status == "failed",
        "reproducible noise": entry.reproducible,
        "as claimed": any(m["noise"] == "as claimed" for m in entry.mechanisms),
        f"data set {entry.dataset}": entry.dataset is not None,
    }
