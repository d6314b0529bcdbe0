"""Private linear models."""

from ._logistic import DPLogisticRegression
from ._regression import DPLinearRegression, DPRidge
from ._svm import DPLinearSVC

__all__ = ["DPLinearRegression", "DPLinearSVC", "DPLogisticRegression", "DPRidge"]
