"""Other privacy libraries beside this one.

diffprivlib's models can be steps of our pipelines and charge our ledger, its accountants
can be read, and prices can be handed to dp-accounting. The other libraries are imported
when something here is used, not before.
"""

from ._diffprivlib import (
    CLAIM,
    UNPROVEN,
    ClaimedRelease,
    DiffprivlibEstimator,
    read_budget_accountant,
)
from ._dp_accounting import to_dp_accounting
from ._loading import diffprivlib_model, load_diffprivlib

__all__ = [
    "CLAIM",
    "UNPROVEN",
    "ClaimedRelease",
    "DiffprivlibEstimator",
    "diffprivlib_model",
    "load_diffprivlib",
    "read_budget_accountant",
    "to_dp_accounting",
]
