"""Private solvers shared by learners."""

from ._objective import ObjectivePerturbation
from ._shape import Shape, shape_rows, unit_rows

__all__ = ["ObjectivePerturbation", "Shape", "shape_rows", "unit_rows"]
