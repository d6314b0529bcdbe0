"""Students that learn from what a private teacher says about public rows."""

from ._pate import PATEClassifier
from ._public import PublicData

__all__ = ["PATEClassifier", "PublicData"]
