"""Students that learn from what a teacher says about public rows.

What is public can be shown to anybody, so only what the teacher says has to be private.
`PATEClassifier` lets many teachers vote under noise, `DistilledClassifier` asks a single
private one, and `MembershipDistiller` asks one without privacy, which lowers leakage and
guarantees nothing.
"""

from ._distilled import DistilledClassifier
from ._membership import MembershipDistiller
from ._pate import PATEClassifier
from ._public import PublicData

__all__ = ["DistilledClassifier", "MembershipDistiller", "PATEClassifier", "PublicData"]
