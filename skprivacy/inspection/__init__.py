"""Displays and reports: what privacy costs, what it buys, and what a model gives away.

Displays follow scikit-learn's: made by a ``from_`` method, they hold the data, draw it with
`plot` and keep the axes. Drawing needs matplotlib, of the ``report`` extra.
"""

from ._claims import Claim
from ._epsilon_audit import EpsilonAuditDisplay
from ._membership_roc import MembershipRocDisplay
from ._privacy_report import privacy_report
from ._privacy_utility import PrivacyUtilityDisplay
from ._report import PrivacyReport
from ._shape_function import ShapeFunctionDisplay

__all__ = [
    "Claim",
    "EpsilonAuditDisplay",
    "MembershipRocDisplay",
    "PrivacyReport",
    "PrivacyUtilityDisplay",
    "ShapeFunctionDisplay",
    "privacy_report",
]
