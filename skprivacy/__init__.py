"""Differentially private machine learning in the style of scikit-learn.

Private estimators stand in for scikit-learn's in an existing pipeline; a
`PrivacyAccountant` holds a budget that every fit must charge before it draws any
noise, and that no clone, search, worker process or crash can lose.

The subpackages are imported when they are first used, so that ``import skprivacy``
costs little more than importing scikit-learn.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .exceptions import (
    BudgetExceededError,
    LedgerError,
    PrivacyError,
    PrivacyWarning,
    ReleaseError,
)

if TYPE_CHECKING:
    from .accounting import PrivacyLoss
    from .ledger import PrivacyAccountant

__version__ = "0.1.0"

__all__ = [
    "BudgetExceededError",
    "LedgerError",
    "PrivacyAccountant",
    "PrivacyError",
    "PrivacyLoss",
    "PrivacyWarning",
    "ReleaseError",
    "__version__",
]

_HOME = {"PrivacyAccountant": "ledger", "PrivacyLoss": "accounting"}
_SUBMODULES = (
    "accounting",
    "additive",
    "adversarial",
    "attacks",
    "base",
    "benchmarking",
    "bounding",
    "cluster",
    "covariance",
    "datasets",
    "decomposition",
    "distillation",
    "ensemble",
    "inspection",
    "interop",
    "ledger",
    "linear_model",
    "mechanisms",
    "moments",
    "naive_bayes",
    "optimize",
    "plan",
    "preprocessing",
    "testing",
)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in _SUBMODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
