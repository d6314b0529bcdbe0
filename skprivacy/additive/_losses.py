"""Losses of additive models: what a row's residual is, given its scores.

A loss holds the target and the weights of the rows. Its residuals are in units of its
clip, so that 1 is the largest that a row may contribute; each is a function of one row.
"""

import math
from abc import ABC, abstractmethod

import numpy as np


class Loss(ABC):
    """A loss over rows.

    Parameters
    ----------
    target : array of shape (n_rows,)
        Codes of classes, or numbers in [0, 1].
    weights : array of shape (n_rows,) or None
        Weights in [0, 1].
    offset : array of shape (n_outputs,)
        Scores to start from.
    curvature : float
        Typical curvature of the loss in a score.
    variance : float
        Typical variance of a residual, in units of the clip.
    """

    clip: float
    shrinkage: float
    """Strength of regularisation, in noise scales of the mean gradient."""

    def __init__(
        self,
        target: np.ndarray,
        weights: np.ndarray | None,
        offset: np.ndarray,
        curvature: float,
        variance: float,
    ) -> None:
        self.target = target
        self.weights = weights
        self.offset = offset
        self.curvature = curvature
        self.variance = min(variance, 1.0)

    def residuals(self, scores: np.ndarray, rows: slice) -> np.ndarray:
        """Return weighted residuals, of shape (n_outputs, n), from scores of that shape."""
        residuals = self._clipped(self.target[rows], scores)
        return residuals if self.weights is None else residuals * self.weights[rows]

    @abstractmethod
    def _clipped(self, target: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return residuals in units of the clip, of norm at most 1."""


class Logistic(Loss):
    """Two classes: the residual is the label minus its probability."""

    clip = 0.6
    shrinkage = 1.5

    def __init__(self, target: np.ndarray, weights: np.ndarray | None, priors: np.ndarray) -> None:
        offset = np.log(priors[1:] / priors[:1])
        variance = float(priors[0] * priors[1])
        # Label minus probability is (label - 1/2) - tanh(score / 2) / 2.
        centred = (target - 0.5) / self.clip
        super().__init__(centred, weights, offset, variance, variance / self.clip**2)

    def _clipped(self, target: np.ndarray, scores: np.ndarray) -> np.ndarray:
        residuals = scores * 0.5
        np.tanh(residuals, out=residuals)
        residuals *= -0.5 / self.clip
        residuals += target
        return np.clip(residuals, -1.0, 1.0, out=residuals)


class Softmax(Loss):
    """Several classes: one-hot label minus the vector of probabilities."""

    clip = 0.6 * math.sqrt(2.0)
    shrinkage = 1.5

    def __init__(self, target: np.ndarray, weights: np.ndarray | None, priors: np.ndarray) -> None:
        variance = float(np.max(priors * (1 - priors)))
        super().__init__(target, weights, np.log(priors), variance / 2, variance / self.clip**2)

    def _clipped(self, target: np.ndarray, scores: np.ndarray) -> np.ndarray:
        # Sums over classes are made in order of the classes, wherever a row stands.
        exponentials = np.exp(scores - np.max(scores, axis=0))
        total = np.zeros(scores.shape[1])
        for row in exponentials:
            total += row
        residuals = exponentials / -total
        residuals[target, np.arange(target.size)] += 1.0
        square = np.zeros(scores.shape[1])
        for row in residuals:
            square += row * row
        return np.asarray(residuals / np.maximum(np.sqrt(square), self.clip))


class Squared(Loss):
    """A number in [0, 1]: the residual is its difference from the score."""

    clip = 0.1
    shrinkage = 3.0

    def __init__(self, target: np.ndarray, weights: np.ndarray | None) -> None:
        super().__init__(target, weights, np.array([0.5]), 1.0, 0.5)

    def _clipped(self, target: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.clip((target - scores) / self.clip, -1.0, 1.0)
