"""Exceptions and warnings of skprivacy.

Everything that has to do with a privacy budget derives from `PrivacyError`;
wrong parameters and wrong data raise scikit-learn's usual `ValueError` and
`TypeError`, before anything is charged.
"""


class PrivacyError(Exception):
    """Base class of all errors about privacy budgets and releases."""


class BudgetExceededError(PrivacyError):
    """A charge would pass the ceiling of its accountant; nothing was charged."""


class LedgerError(PrivacyError):
    """The ledger can't be opened, read, trusted or written; nothing was charged."""


class ReleaseError(PrivacyError):
    """A fit asked for a release that its plan does not declare, or twice for one."""


class PrivacyWarning(UserWarning):
    """Something the user should know about the reach of a privacy guarantee."""
