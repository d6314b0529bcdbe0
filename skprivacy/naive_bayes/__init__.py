"""Private naive Bayes classifiers."""

from ._categorical import DPCategoricalNB
from ._gaussian import DPGaussianNB

__all__ = ["DPCategoricalNB", "DPGaussianNB"]
