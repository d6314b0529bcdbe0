"""Private linear regression by shaped objective perturbation of Huber's loss.

The target is scaled to [-1, 1] by bounds, and a row whose shaped norm is above 1 keeps its
direction and length and gets less weight: scaling it down, as classifiers do, would bias
the fit towards zero. Huber's derivative has both signs, so the price is that of Theorem 1,
both signs, in ``docs/theory/objective_perturbation.md``. The theory is in
``docs/theory/linear_regression.md``.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..base import SCALE, DPEstimator, Release
from ..bounding import RANGE_SHARE, bounding_assumptions, find_range, range_mechanisms
from ..mechanisms import GaussianSum, LaplaceSum, Mechanism, row_blocks
from ..optimize import Huber, ObjectivePerturbation, PurePerturbation
from ..plan import Facts
from ._problem import (
    COEFFICIENTS,
    LinearProblem,
    clip_rows,
    learner_bounding,
    moment_mechanism,
    number_of_rows,
    row_scaling,
)

TARGET = "number of rows and sum of the target"
TARGET_RANGE = ("range of the target, magnitude", "range of the target, position")

TARGET_SHARE, MOMENT_SHARE = 0.03, 0.15
THRESHOLD = 0.5

CURVATURE, SIGNAL = 0.9, 0.1
"""Typical second derivative of the loss, and assumed mean squared score of a scaled target."""


class LinearRegressor(RegressorMixin, DPEstimator):
    """The common fit; `_strength` is the ridge penalty on top of what privacy needs."""

    bounds: Any
    y_bounds: Any
    clipping_norm: float | None
    fit_intercept: bool
    max_weight: float

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "clipping_norm": [SCALE, None],
        "bounds": ["array-like", tuple, None],
        "y_bounds": ["array-like", tuple, None],
        "fit_intercept": ["boolean"],
        "max_weight": [SCALE],
    }

    def _strength(self) -> float:
        return 0.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.input_tags.sparse = True
        return tags

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        name, pure = type(self).__name__, self.delta == 0
        bounding = learner_bounding(self.bounds, self.clipping_norm, facts, name, pure=pure)
        if self.y_bounds is None:
            if pure:
                raise ValueError(
                    f"{name} with delta=0 can't search for the range of the target. Give "
                    "'y_bounds', or a delta above 0."
                )
            bounding += range_mechanisms(RANGE_SHARE / 2, TARGET_RANGE)
        own = 1 - math.fsum(mechanism.share for mechanism in bounding)
        share = own * (1 - TARGET_SHARE - MOMENT_SHARE)
        loss = Huber(THRESHOLD)
        perturbation = PurePerturbation if pure else ObjectivePerturbation
        return [
            *bounding,
            (LaplaceSum if pure else GaussianSum)(name=TARGET, share=own * TARGET_SHARE),
            moment_mechanism(own * MOMENT_SHARE, facts, pure=pure),
            perturbation(name=COEFFICIENTS, share=share, row_loss=loss),
        ]

    def _assumptions(self, facts: Facts) -> list[str]:
        declared = "The bounds of the target were declared by the user."
        return [
            *super()._assumptions(facts),
            *bounding_assumptions(self.bounds, self.clipping_norm, facts),
            *([] if self.y_bounds is None else [declared]),
        ]

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        target = np.asarray(y, dtype=np.float64)
        weights = self._unit_weights(sample_weight)
        scaling = row_scaling(
            X, self.bounds, self.clipping_norm, release, centre=self.fit_intercept
        )
        declared = self._declared_target()
        if declared is None:
            found_low, found_high, _ = find_range(target[:, np.newaxis], release, TARGET_RANGE)
            declared = float(found_low[0]), float(found_high[0])
        low, high = declared
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        scaled = np.clip((target - middle) / half, -1.0, 1.0)

        def contributions() -> Iterator[np.ndarray]:
            start = 0
            for block in row_blocks(scaled):
                stop = start + block.size
                u = np.ones(block.size) if weights is None else weights[start:stop]
                yield np.column_stack([u, u * block]) / size
                start = stop

        # The norm, L1 or L2, of (1, target).
        size = 2.0 if self.delta == 0 else math.sqrt(2.0)
        count, total = size * release.sum(TARGET, contributions)
        noise = size * release.noise_scales[TARGET]
        n_rows, rows_at_most = number_of_rows(
            float(count), noise, X.shape[0], weights, release, gaussian=self.delta > 0
        )
        problem = LinearProblem.from_release(
            X, scaling, weights, n_rows, release, fit_intercept=self.fit_intercept, clip=False
        )
        offset = float(np.clip(total / (n_rows + noise), -1.0, 1.0)) if self.fit_intercept else 0.0
        strength = self._strength() / self.max_weight
        theta = release.solve(
            COEFFICIENTS,
            problem.rows,
            scaled,
            rows_at_most=rows_at_most,
            regularization=problem.regularization(release, COEFFICIENTS, CURVATURE, SIGNAL),
            offset=offset,
            weights=weights,
            reweight=True,
            penalty=problem.penalty(strength) if strength > 0 else None,
        )
        coefficient, shift = problem.original(theta)
        self.bounds_, self.y_bounds_ = scaling.bounds, (low, high)
        self.coef_ = half * coefficient
        self.intercept_ = half * (shift + offset) + middle if self.fit_intercept else 0.0

    def predict(self, X: Any) -> np.ndarray:
        """Return the predicted target of each row, clipped to `y_bounds_`.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32], accept_sparse="csr")
        # Beyond the bounds of training rows and targets the model knows nothing.
        values = clip_rows(X, self.bounds_) @ self.coef_ + self.intercept_
        return np.clip(np.asarray(values), *self.y_bounds_)
