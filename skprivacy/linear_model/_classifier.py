"""The common fit of private linear classifiers.

Class counts, a noisy second moment of the rows, and then the minimiser of a tilted loss
on shaped rows: one joint problem over all classes where the loss has that form, else one
problem for two classes, or one for each class against the rest.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from scipy.special import logit
from sklearn.utils.validation import check_is_fitted, validate_data

from ..base import DPEstimator, Release, ScoreMixin
from ..bounding import bounding_assumptions
from ..mechanisms import Mechanism
from ..optimize import (
    Loss,
    ObjectivePerturbation,
    Perturbation,
    PurePerturbation,
)
from ..plan import Facts
from ._problem import (
    COEFFICIENTS,
    LinearProblem,
    clip_rows,
    counts_mechanism,
    learner_bounding,
    moment_mechanism,
    number_of_rows,
    row_scaling,
)

COUNTS = "class counts"

COUNTS_SHARE, MOMENT_SHARE = 0.03, 0.15

LARGEST_OFFSET = 3.0


class LinearClassifier(ScoreMixin, DPEstimator):
    """Base class: a subclass says which loss, and how its scores relate to class shares."""

    bounds: Any
    clipping_norm: float | None
    fit_intercept: bool
    classes: Any
    max_weight: float
    C: float | None

    _signal: ClassVar[float] = 0.3
    """Assumed mean squared score, the prior that the regularisation is chosen for."""

    _joint_signal: ClassVar[float] = 1.0
    """The same of one class's score in a joint problem."""

    @abstractmethod
    def _row_loss(self, n_classes: int | None) -> Loss:
        """Return the loss of one problem: joint if `n_classes` is given, else binary."""

    def _objective(self, name: str, share: float, n_classes: int | None) -> Perturbation:
        """Return the mechanism of one problem."""
        loss = self._row_loss(n_classes)
        if self.delta == 0:
            return PurePerturbation(name=name, share=share, row_loss=loss)
        return ObjectivePerturbation(name=name, share=share, row_loss=loss)

    @abstractmethod
    def _curvature(self, shares: np.ndarray) -> float:
        """Return a typical second derivative of the loss, given the shares of classes."""

    @abstractmethod
    def _offset(self, share: float) -> float:
        """Return the score, without features, of a class with this share of the rows."""

    def _is_joint(self, n_classes: int) -> bool:
        """Whether one problem has a score for each class."""
        return False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        classes = self.classes if facts.classes is None else facts.classes
        n_classes = 2 if classes is None else len(classes)
        pure = self.delta == 0
        bounding = learner_bounding(
            self.bounds, self.clipping_norm, facts, type(self).__name__, pure=pure
        )
        own = 1 - math.fsum(mechanism.share for mechanism in bounding)
        mechanisms = [
            *bounding,
            counts_mechanism(COUNTS, own * COUNTS_SHARE, pure=pure),
            moment_mechanism(own * MOMENT_SHARE, facts, pure=pure),
        ]
        rest = own * (1 - COUNTS_SHARE - MOMENT_SHARE)
        if self._is_joint(n_classes):
            return [*mechanisms, self._objective(COEFFICIENTS, rest, n_classes)]
        names = problem_names(n_classes)
        return [*mechanisms, *(self._objective(name, rest / len(names), None) for name in names)]

    def _assumptions(self, facts: Facts) -> list[str]:
        return [
            *super()._assumptions(facts),
            *bounding_assumptions(self.bounds, self.clipping_norm, facts),
        ]

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        classes = self._public_classes(y)
        # As small as they can be, beside rows that may be in single precision.
        codes = np.searchsorted(classes, np.asarray(y)).astype(np.min_scalar_type(-classes.size))
        weights = self._unit_weights(sample_weight)
        scaling = row_scaling(
            X, self.bounds, self.clipping_norm, release, centre=self.fit_intercept
        )
        counts = release.sum(COUNTS, codes[:, np.newaxis], n_cells=classes.size, weights=weights)[0]
        noise = release.noise_scales[COUNTS]
        n_rows, rows_at_most = number_of_rows(
            float(counts.sum()),
            noise * counts.size**0.5,
            X.shape[0],
            weights,
            release,
            gaussian=self.delta > 0,
        )
        problem = LinearProblem.from_release(
            X, scaling, weights, n_rows, release, fit_intercept=self.fit_intercept
        )
        shares = np.clip((counts + noise) / (n_rows + 2 * noise), 0.02, 0.98)
        penalty = None if self.C is None else problem.penalty(1 / self.C / self.max_weight)
        common = {"rows_at_most": rows_at_most, "weights": weights, "penalty": penalty}
        if self._is_joint(classes.size):
            offsets = np.log(shares)
            offsets = np.clip(offsets - offsets.mean(), -LARGEST_OFFSET, LARGEST_OFFSET)
            theta = release.solve(
                COEFFICIENTS,
                problem.rows,
                codes,
                regularization=problem.regularization(
                    release, COEFFICIENTS, self._curvature(shares), self._joint_signal
                ),
                offset=offsets if self.fit_intercept else 0.0,
                **common,
            )
            scores = [(theta[:, k], offsets[k]) for k in range(classes.size)]
        else:
            scores = []
            names = problem_names(classes.size)
            for name, positive in zip(names, range(classes.size)[-len(names) :], strict=True):
                share = shares[positive]
                offset = self._offset(share)
                theta = release.solve(
                    name,
                    problem.rows,
                    np.where(codes == positive, np.int8(1), np.int8(-1)),
                    regularization=problem.regularization(
                        release,
                        name,
                        self._curvature(np.array([share, 1 - share])),
                        self._signal,
                    ),
                    offset=offset if self.fit_intercept else 0.0,
                    **common,
                )
                scores.append((theta, offset))
        fitted = [(*problem.original(theta), offset) for theta, offset in scores]
        self.classes_ = classes
        self.bounds_ = scaling.bounds
        self.coef_ = np.array([coefficient for coefficient, _, _ in fitted])
        self.intercept_ = np.array(
            [shift + offset if self.fit_intercept else 0.0 for _, shift, offset in fitted]
        )

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            With two classes the score of ``classes_[1]``, else one for each class.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], accept_sparse="csr")
        # Rows were clipped in training; beyond the bounds the model knows nothing.
        scores = np.asarray(clip_rows(X, self.bounds_) @ self.coef_.T + self.intercept_)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def _class_scores(self, X: Any) -> np.ndarray:
        return self.decision_function(X)


def problem_names(n_classes: int) -> list[str]:
    """Return the names of the binary problems: one for two classes, else one a class."""
    if n_classes <= 2:
        return [COEFFICIENTS]
    return [f"{COEFFICIENTS}, class {index} against the rest" for index in range(n_classes)]


def log_odds(share: float) -> float:
    """Return the logit of a share, clipped like all offsets."""
    return float(np.clip(logit(share), -LARGEST_OFFSET, LARGEST_OFFSET))
