"""Private ensembles of trees."""

from ._classifier import DPExtraTreesClassifier
from ._regressor import DPExtraTreesRegressor

__all__ = ["DPExtraTreesClassifier", "DPExtraTreesRegressor"]
