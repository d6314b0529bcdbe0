"""Additive models: sums of functions of single columns and of pairs, easy to read.

`DPAdditiveClassifier` and `DPAdditiveRegressor` take numbers, categories and missing
values in one table and are the package's most accurate private learners on tables.
"""

from ._classifier import DPAdditiveClassifier
from ._explain import ShapeFunction
from ._regressor import DPAdditiveRegressor

__all__ = ["DPAdditiveClassifier", "DPAdditiveRegressor", "ShapeFunction"]
