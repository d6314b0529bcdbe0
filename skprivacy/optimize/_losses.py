"""Convex losses of linear scores, with the constants that their privacy rests on.

A loss is a function f of a row's scores (one number, or one for each class) and its
label. What objective perturbation needs to know of it:

- `slope`, a bound L on the norm of its gradient by the scores;
- `curvature`, a bound beta on the largest eigenvalue of its Hessian, and `trace`, a
  bound on the sum of all of them: both wherever the gradient has a derivative;
- `certified`, pairs (rho, eta): with lambda >= rho beta sigma / L the minimiser's price is
  (1 + eta) L / sigma (``docs/theory/objective_perturbation.md``). They depend on whether
  there is one score, and whether the derivative keeps its sign while the label stays.

What the solver needs: `concordance`, a constant M with |f'''| <= M f'' along every line,
or None where f has no third derivative; and `largest_at_zero`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

LARGEST_OFFSET = 3.0
"""Offsets are clipped to this size; bounds on the loss at zero coefficients use it."""


ONE_SIGNED = ((1.5, 0.05), (2.0, 0.03), (3.0, 0.0145), (4.0, 0.009))
"""For one score with a derivative of one sign given the label (Theorem 1)."""

TWO_SIGNED = ((2.0, 0.132), (3.0, 0.067), (4.0, 0.041), (6.0, 0.0205), (8.0, 0.0125))
"""For one score with a derivative of both signs (Theorem 1)."""

CROSS_ENTROPY = (
    *((6.0, 0.36), (8.0, 0.27), (10.0, 0.21), (12.0, 0.175), (15.0, 0.14)),
    *((20.0, 0.105), (25.0, 0.084), (30.0, 0.07), (40.0, 0.055)),
)
"""For the cross entropy of a softmax over any number of classes, rows of norm 1 (Theorem 2)."""


class Terms(NamedTuple):
    """Losses of rows, their gradients by the scores, and a function for second derivatives.

    ``second(k, j)`` has the second derivatives by the scores k and j, of shape (n_rows,).
    """

    losses: np.ndarray
    slopes: np.ndarray
    second: Callable[[int, int], np.ndarray]


class Loss(ABC):
    """A convex loss, at least 0; its constants are explained above."""

    name: ClassVar[str]
    certified: ClassVar[tuple[tuple[float, float], ...]]
    concordance: ClassVar[float | None] = None

    @property
    @abstractmethod
    def slope(self) -> float:
        """Bound L on the norm of the gradient by the scores."""

    @property
    @abstractmethod
    def curvature(self) -> float:
        """Bound beta on the eigenvalues of the Hessian."""

    @property
    def trace(self) -> float:
        """Bound on the sum of the eigenvalues; with one score there is one."""
        return self.curvature

    @property
    def absolute_slope(self) -> float:
        """Bound on the sum of absolute values of the gradient by the scores."""
        return self.slope

    @property
    def rank(self) -> int:
        """Largest rank of the Hessian."""
        return 1

    @property
    @abstractmethod
    def largest_at_zero(self) -> float:
        """Bound on the loss where all scores are their offsets."""

    @property
    def n_scores(self) -> int | None:
        """Number of scores; None where the score is one number without an axis of its own."""
        return None

    @abstractmethod
    def terms(self, scores: np.ndarray, labels: np.ndarray) -> Terms:
        """Return losses and derivatives.

        Parameters
        ----------
        scores : array of shape (n_rows,) or (n_rows, n_scores)
        labels : array of shape (n_rows,)
            As `clean_labels` returns them.
        """

    @abstractmethod
    def clean_labels(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of the form that the bounds hold for, whatever is given."""


class _SignedLoss(Loss):
    """A loss of the margin, the score times a label of -1 or 1, with slopes up to 1."""

    certified = ONE_SIGNED

    @property
    def slope(self) -> float:
        """Slope of the linear part."""
        return 1.0

    def clean_labels(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of the form that the bounds hold for, whatever is given."""
        return np.where(np.asarray(labels) > 0, 1.0, -1.0)


@dataclass(frozen=True)
class Logistic(_SignedLoss):
    """The logarithm of 1 + exp(-margin)."""

    name: ClassVar[str] = "logistic loss"
    concordance: ClassVar[float | None] = 1.0

    @property
    def curvature(self) -> float:
        """The second derivative at a margin of 0."""
        return 0.25

    @property
    def largest_at_zero(self) -> float:
        """log(1 + e^3) is at most 3 + log 2."""
        return LARGEST_OFFSET + math.log(2)

    def terms(self, scores: np.ndarray, labels: np.ndarray) -> Terms:
        """Return losses and derivatives, as of `Loss.terms`."""
        margins = labels * scores
        small = np.exp(-np.abs(margins))
        losses = np.log1p(small) - np.minimum(margins, 0.0)
        slopes = -labels * (np.where(margins > 0, small, 1.0) / (1.0 + small))
        return Terms(losses, slopes, lambda *_: small / np.square(1.0 + small))


@dataclass(frozen=True)
class HuberisedHinge(_SignedLoss):
    """The hinge max(0, 1 - margin), with a parabola for its corner.

    The derivative rises from -1 to 0 linearly between the margins 1 - h and 1 + h
    (Chapelle 2007, "Training a support vector machine in the primal").

    Parameters
    ----------
    half_width : float, default=0.5
        h, half the length of the parabola.
    """

    half_width: float = 0.5

    name: ClassVar[str] = "Huberised hinge loss"

    @property
    def curvature(self) -> float:
        """The parabola's second derivative."""
        return math.nextafter(1.0 / (2.0 * self.half_width), math.inf)

    @property
    def largest_at_zero(self) -> float:
        """The loss at a margin of -3."""
        return 1.0 + self.half_width + LARGEST_OFFSET

    def terms(self, scores: np.ndarray, labels: np.ndarray) -> Terms:
        """Return losses and derivatives, as of `Loss.terms`."""
        h = self.half_width
        margins = labels * scores
        fall = np.clip((1.0 + h - margins) / (2.0 * h), 0.0, 1.0)
        losses = np.where(fall < 1.0, h * fall * fall, 1.0 - margins)
        inside = (fall > 0.0) & (fall < 1.0)
        return Terms(losses, -labels * fall, lambda *_: np.where(inside, 1.0 / (2.0 * h), 0.0))


@dataclass(frozen=True)
class Huber(Loss):
    """Half the square of the residual, continued linearly beyond a threshold (Huber 1964).

    Parameters
    ----------
    threshold : float, default=0.5
        Residual from which on the loss is linear; targets lie in [-1, 1].
    """

    threshold: float = 0.5

    name: ClassVar[str] = "Huber loss"
    certified = TWO_SIGNED

    @property
    def curvature(self) -> float:
        """The second derivative below the threshold."""
        return 1.0

    @property
    def slope(self) -> float:
        """The threshold."""
        return self.threshold

    @property
    def largest_at_zero(self) -> float:
        """The loss of a target at 1 and an offset at its limit."""
        return self.threshold * (1.0 + LARGEST_OFFSET)

    def terms(self, scores: np.ndarray, labels: np.ndarray) -> Terms:
        """Return losses and derivatives, as of `Loss.terms`."""
        residuals = scores - labels
        slopes = np.clip(residuals, -self.threshold, self.threshold)
        inside = np.abs(residuals) < self.threshold
        losses = slopes * residuals - slopes * slopes / 2
        return Terms(losses, slopes, lambda *_: inside.astype(np.float64))

    def clean_labels(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of the form that the bounds hold for, whatever is given."""
        return np.clip(np.nan_to_num(np.asarray(labels, dtype=np.float64)), -1.0, 1.0)


@dataclass(frozen=True)
class Softmax(Loss):
    """Cross entropy of a softmax over three or more classes.

    The gradient p - e_y has norm at most sqrt(2). The Hessian diag(p) - p p' has trace
    1 - |p|^2 <= 1 - 1/K, and eigenvalues at most 1/2: by Gershgorin's circles,
    p_k (1 - p_k) + p_k (1 - p_k) <= 1/2.

    Parameters
    ----------
    n_classes : int
        Number of classes, three or more.
    """

    n_classes: int

    name: ClassVar[str] = "cross entropy"
    certified = CROSS_ENTROPY
    # Third derivatives are at most the range of the scores' change, at most sqrt(2) of its norm.
    concordance: ClassVar[float | None] = math.sqrt(2.0)

    @property
    def slope(self) -> float:
        """Largest norm of p - e_y."""
        return math.nextafter(math.sqrt(2.0), 2.0)

    @property
    def absolute_slope(self) -> float:
        """Largest sum of absolute values of p - e_y."""
        return 2.0

    @property
    def rank(self) -> int:
        """Scores may all be moved alike."""
        return self.n_classes - 1

    @property
    def curvature(self) -> float:
        """Largest eigenvalue of diag(p) - p p'."""
        return 0.5

    @property
    def n_scores(self) -> int | None:
        """One score a class."""
        return self.n_classes

    @property
    def trace(self) -> float:
        """The largest trace."""
        return 1.0 - 1.0 / self.n_classes

    @property
    def largest_at_zero(self) -> float:
        """The loss of equal scores, with offsets at both limits."""
        return math.log(self.n_classes) + 2 * LARGEST_OFFSET

    def terms(self, scores: np.ndarray, labels: np.ndarray) -> Terms:
        """Return losses and derivatives, as of `Loss.terms`."""
        rows = np.arange(labels.size)
        shifted = scores - scores.max(axis=1, keepdims=True)
        p = np.exp(shifted)
        sums = p.sum(axis=1)
        losses = np.log(sums) - shifted[rows, labels]
        p /= sums[:, np.newaxis]
        slopes = p.copy()
        slopes[rows, labels] -= 1.0

        def second(k: int, j: int) -> np.ndarray:
            return np.asarray(p[:, k] * ((k == j) - p[:, j]))

        return Terms(losses, slopes, second)

    def clean_labels(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of the form that the bounds hold for, whatever is given."""
        return np.clip(np.asarray(labels).astype(np.int64), 0, self.n_classes - 1)
