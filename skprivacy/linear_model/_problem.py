"""What all private linear learners do before their own objective.

The rows are scaled by bounds, clipped, and brought to norm 1 with a constant for the
intercept; their second moment is released, and shapes them, so that noise of equal size
in every direction hurts less. What a learner needs of that is a `LinearProblem`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ..base import Release
from ..bounding import RowScaling, bounding_mechanisms
from ..mechanisms import (
    GaussianHistogram,
    GaussianSecondMoment,
    GaussianSum,
    LaplaceHistogram,
    LaplaceSum,
    Mechanism,
    is_sparse,
)
from ..optimize import Perturbation, Shape, ShapedRows, UnitRows
from ..plan import Facts

MOMENT = "second moment of the rows"
COEFFICIENTS = "coefficients"

INTERCEPT = 1.0

MANY_COLUMNS = 2000
"""With more columns than this, their moments are released one by one, and not all products."""


LARGEST_PENALTY = 1e3
"""Largest second derivative of a penalty along one coefficient, for each row."""


def learner_bounding(
    bounds: Any, clipping_norm: float | None, facts: Facts, name: str, *, pure: bool
) -> list[Mechanism]:
    """Return the releases about the rows' size; with delta = 0 by Laplace noise.

    Raises
    ------
    ValueError
        With delta = 0 and no bounds at all: their search has Gaussian noise.
    """
    mechanisms = bounding_mechanisms(bounds, clipping_norm, facts)
    if not pure:
        return mechanisms
    if bounds is None and clipping_norm is None and facts.bounds is None:
        raise ValueError(
            f"{name} with delta=0 can't search for the range of the columns. Give 'bounds' or "
            "'clipping_norm', or a delta above 0."
        )
    return [LaplaceHistogram(name=one.name, share=one.share) for one in mechanisms]


def counts_mechanism(name: str, share: float, *, pure: bool) -> Mechanism:
    """Return a release of counts."""
    return (LaplaceHistogram if pure else GaussianHistogram)(name=name, share=share)


def moment_mechanism(share: float, facts: Facts, *, pure: bool) -> Mechanism:
    """Return the release of the rows' second moment, or of its diagonal only."""
    if pure:
        # The squares z_j^2 of a row add up to |z|^2 <= 1; all products would to d times that.
        return LaplaceSum(name=MOMENT, share=share)
    if facts.n_features is not None and facts.n_features > MANY_COLUMNS:
        # The squares have L2 norm at most |z|^2 <= 1.
        return GaussianSum(name=MOMENT, share=share, nonnegative=True)
    return GaussianSecondMoment(name=MOMENT, share=share)


def number_of_rows(
    total: float,
    noise: float,
    n_rows: int,
    weights: np.ndarray | None,
    release: Release,
    *,
    gaussian: bool,
) -> tuple[float, float]:
    """Return the (weighted) number of rows as far as it may be known, and an upper estimate.

    Parameters
    ----------
    total, noise : float
        Released number and the scale of its noise.
    n_rows : int
        The true number, used where it is public.
    weights : array or None
    release : Release
    gaussian : bool
        Whether the noise is Gaussian and not Laplace noise.
    """
    if release.adjacency == "replace-one" and weights is None:
        return float(n_rows), float(n_rows)
    estimate = max(total, 1.0)
    # Noise of either law is larger than that with probability below 1e-20.
    return estimate, estimate + (10 if gaussian else 50) * noise


@dataclass(frozen=True)
class LinearProblem:
    """Shaped rows, and how coefficients for them become coefficients for the columns.

    Parameters
    ----------
    scaling : RowScaling
    shape : Shape
    rows : ShapedRows
    radius : float
        Norm that unit rows were divided by.
    constant : float
        The intercept's coordinate before that; 0 without an intercept.
    n_rows : float
        Released or public number of rows.
    """

    scaling: RowScaling
    shape: Shape
    rows: ShapedRows
    radius: float
    constant: float
    n_rows: float

    @classmethod
    def from_release(
        cls,
        X: np.ndarray,
        scaling: RowScaling,
        weights: np.ndarray | None,
        n_rows: float,
        release: Release,
        *,
        fit_intercept: bool,
        clip: bool = True,
    ) -> Self:
        """Release the moment and return the problem.

        Parameters
        ----------
        X : array or CSR array of shape (n_rows, n_features)
        scaling : RowScaling
        weights : array of shape (n_rows,) or None
            In [0, 1].
        n_rows : float
            As of `number_of_rows`.
        release : Release
        fit_intercept : bool
        clip : bool, default=True
            Whether shaped rows are clipped to norm 1.
        """
        constant = INTERCEPT if fit_intercept else 0.0
        radius = math.hypot(scaling.radius, constant)
        unit = UnitRows(X, scaling, radius, constant)
        diagonal = not isinstance(release.mechanism(MOMENT), GaussianSecondMoment)

        def blocks() -> Iterator[np.ndarray]:
            start = 0
            for block in unit.blocks():
                stop = start + block.shape[0]
                if weights is not None:
                    block = block * np.sqrt(weights[start:stop])[:, np.newaxis]  # noqa: PLW2901
                yield np.square(block) if diagonal else block
                start = stop

        moment = release.sum(MOMENT, blocks)
        shape = Shape.from_moment(moment, release.noise_scales[MOMENT], n_rows)
        rows = ShapedRows(unit, shape, clip=clip)
        return cls(scaling, shape, rows, radius, constant, n_rows)

    def regularization(self, release: Release, name: str, curvature: float, signal: float) -> float:
        """Return the lambda of least estimated risk: noise against shrinkage, per direction.

        Parameters
        ----------
        release : Release
        name : str
            The release of the coefficients, which says how large its noise will be.
        curvature : float
            Typical second derivative of a row's loss.
        signal : float
            Assumed mean squared score, the prior that lambda is chosen for.
        """
        mechanism = release.mechanism(name)
        assert isinstance(mechanism, Perturbation)  # noqa: S101 - as planned
        moment = self.shape.shaped_moment
        h = curvature * moment
        size = signal * self.n_rows / max(float(moment.sum()), 1e-12)
        risks = []
        # More regularisation admits less noise.
        for noise, least in mechanism.noise_choices(self.rows.shape[1], release.adjacency):
            candidates = np.maximum(noise * np.geomspace(1e-3, 1e4, 200), least)[:, np.newaxis]
            risk = (h * (noise**2 + candidates**2 * size) / (h + candidates) ** 2).sum(axis=1)
            best = int(risk.argmin())
            risks.append((float(risk[best]), float(candidates[best, 0])))
        return min(risks)[1]

    def penalty(self, strength: float) -> np.ndarray:
        """Return B with |B w|^2 = strength times the squared norm of the columns' coefficients.

        The coefficients are those for the columns as given; the intercept is left out.
        Where the penalty is a thousand times all curvature the rows can have, it stays
        there: more would only spoil the precision of the solution.
        """
        n_features = self.scaling.half.size
        matrix = self.shape.matrix
        matrix = matrix[:n_features] if matrix.ndim == 2 else np.diag(matrix)[:n_features]
        scale = math.sqrt(min(strength, 1e300)) / self.radius / self.scaling.half
        limit = math.sqrt(LARGEST_PENALTY * self.n_rows)
        # No product before the limit: it could overflow.
        scale = np.minimum(scale, limit / np.maximum(np.linalg.norm(matrix, axis=1), 1e-300))
        return np.asarray(scale[:, np.newaxis] * matrix)

    def original(self, theta: np.ndarray) -> tuple[np.ndarray, float]:
        """Return coefficients for the columns as given, and an intercept, of one score."""
        theta = self.shape @ theta / self.radius
        n_features = self.scaling.half.size
        coefficient, shift = self.scaling.unscale(theta[:n_features])
        return coefficient, shift + (self.constant * float(theta[-1]) if self.constant else 0.0)


def row_scaling(
    X: np.ndarray, bounds: Any, clipping_norm: float | None, release: Release, *, centre: bool
) -> RowScaling:
    """Return the scaling of the columns; sparse rows keep their zeros."""
    return RowScaling.from_release(
        X, bounds, clipping_norm, release, centre=centre and not is_sparse(X)
    )


def clip_rows(X: Any, bounds: tuple[np.ndarray, np.ndarray] | None) -> Any:
    """Return rows clipped to bounds, as in training; those of sparse rows have a zero inside."""
    if bounds is None:
        return X
    low, high = bounds
    if is_sparse(X):
        X = X.copy()
        columns = X.indices
        X.data = np.clip(X.data, np.minimum(low, 0.0)[columns], np.maximum(high, 0.0)[columns])
        return X
    return np.clip(X, low, high)
