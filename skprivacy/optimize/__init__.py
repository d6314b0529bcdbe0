"""Private solvers shared by learners."""

from ._losses import Huber, HuberisedHinge, Logistic, Loss, Softmax
from ._objective import JointPerturbation, ObjectivePerturbation, Perturbation
from ._rows import ShapedRows, UnitRows
from ._shape import Shape

__all__ = [
    "Huber",
    "HuberisedHinge",
    "JointPerturbation",
    "Logistic",
    "Loss",
    "ObjectivePerturbation",
    "Perturbation",
    "Shape",
    "ShapedRows",
    "Softmax",
    "UnitRows",
]
