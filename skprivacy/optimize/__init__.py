"""Private solvers shared by learners."""

from ._losses import Huber, HuberisedHinge, Logistic, Loss, Softmax
from ._objective import ObjectivePerturbation, Perturbation
from ._pure import PurePerturbation
from ._rows import ShapedRows, UnitRows
from ._shape import Shape

__all__ = [
    "Huber",
    "HuberisedHinge",
    "Logistic",
    "Loss",
    "ObjectivePerturbation",
    "Perturbation",
    "PurePerturbation",
    "Shape",
    "ShapedRows",
    "Softmax",
    "UnitRows",
]
