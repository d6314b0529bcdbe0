"""The privacy accountant and the ledger it keeps.

A `PrivacyAccountant` owns a ceiling and an append-only, hash-chained ledger in a SQLite
file. Every fit charges it in one transaction before any noise is drawn; a charge that
would pass the ceiling is refused, however the analyst came to ask for it. A `Receipt` is
what a fitted estimator says of its own fit.
"""

from ._accountant import PrivacyAccountant, adopt_ledger
from ._entries import Entries, Entry
from ._odometer import Ceiling, Remaining, Spent
from ._partition import Part
from ._preview import Preview, Price
from ._receipt import Receipt

__all__ = [
    "Ceiling",
    "Entries",
    "Entry",
    "Part",
    "Preview",
    "Price",
    "PrivacyAccountant",
    "Receipt",
    "Remaining",
    "Spent",
    "adopt_ledger",
]
