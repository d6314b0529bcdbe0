"""Private linear models."""

from ._logistic import DPLogisticRegression
from ._svm import DPLinearSVC

__all__ = ["DPLinearSVC", "DPLogisticRegression"]
