"""All that an attack may look at: a target's signals, and those of shadow models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ._rows import Pool
from ._shadow import ShadowModels
from ._signals import Signals, model_signals

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """A target's signals on a pool of rows, beside those of shadow models.

    Parameters
    ----------
    signals : Signals
        Of the target, on the pool.
    is_regression : bool
        Whether the statistics are residuals.
    inside : ndarray of shape (n_models, n_rows) of bool, or None
        Which shadow models were fitted with which rows; None without shadow models, and
        then all that follows is None.
    statistic, confidence, correct : ndarray of shape (n_models, n_rows), or None
        Signals of the shadow models.
    target_population, shadow_population, population_inside : ndarray, or None
        Confidence on the population, whose models may have been fitted with its rows.
    target_probe, shadow_probe : ndarray, or None
        Answers of the probe.
    """

    signals: Signals
    is_regression: bool
    inside: NDArray[np.bool_] | None = None
    statistic: Array | None = None
    confidence: Array | None = None
    correct: NDArray[np.bool_] | None = None
    target_population: Array | None = None
    shadow_population: Array | None = None
    population_inside: NDArray[np.bool_] | None = None
    target_probe: Array | None = None
    shadow_probe: Array | None = None

    @classmethod
    def of_model(
        cls,
        model: Any,
        pool: Pool,
        shadows: ShadowModels | None,
        *,
        is_regression: bool,
        clip: float,
        population: tuple[Any, Any] | None = None,
        probe: Callable[[Any], Array] | None = None,
    ) -> Self:
        """Return the view of a fitted model.

        Parameters
        ----------
        model : estimator
            The target.
        pool : Pool
            Members and non-members.
        shadows : ShadowModels or None
            Shadow models of the pool.
        is_regression : bool
            Whether the model is a regressor.
        clip : float
            Probabilities are clipped to [clip, 1 - clip].
        population : tuple (X, y), default=None
            Rows that no model saw. None: the pool's non-members stand in.
        probe : callable, default=None
            What the shadow models were asked too.
        """
        signals = model_signals(model, pool.X, pool.y, clip=clip)
        probed = None if probe is None else probe(model)
        if shadows is None:
            return cls(signals=signals, is_regression=is_regression, target_probe=probed)
        answers = None
        if population is not None and signals.confidence is not None:
            answers = model_signals(model, *population, clip=clip).confidence
        return cls._with(shadows, signals, slice(None), ~pool.is_member, answers, probed)

    @classmethod
    def of_shadow(cls, shadows: ShadowModels, target: int) -> Self:
        """Return the view of one shadow model by means of the others.

        The model on the other half of the same split is left out: it knows too well which
        rows the target was not fitted on.

        Parameters
        ----------
        shadows : ShadowModels
            Fitted.
        target : int
            Which of them is attacked.
        """
        others = np.arange(shadows.n_models)
        others = others[(others != target) & (others != shadows.partner_[target])]
        signals = Signals(
            statistic=shadows.statistic_[target],
            confidence=None if shadows.confidence_ is None else shadows.confidence_[target],
            correct=None if shadows.correct_ is None else shadows.correct_[target],
        )
        population = shadows.population_confidence_
        return cls._with(
            shadows,
            signals,
            others,
            ~shadows.inside_[target],
            None if population is None else population[target],
            None if shadows.probe_ is None else shadows.probe_[target],
        )

    @classmethod
    def _with(
        cls,
        shadows: ShadowModels,
        signals: Signals,
        models: Any,
        nonmembers: NDArray[np.bool_],
        population: Array | None,
        probed: Array | None,
    ) -> Self:
        inside = shadows.inside_[models]
        confidence = None if shadows.confidence_ is None else shadows.confidence_[models]
        ours: dict[str, Any] = {}
        if population is not None and shadows.population_confidence_ is not None:
            ours = {
                "target_population": population,
                "shadow_population": shadows.population_confidence_[models],
            }
        elif signals.confidence is not None and confidence is not None:
            ours = {
                "target_population": signals.confidence[nonmembers],
                "shadow_population": confidence[:, nonmembers],
                "population_inside": inside[:, nonmembers],
            }
        return cls(
            signals=signals,
            is_regression=shadows.is_regression_,
            inside=inside,
            statistic=shadows.statistic_[models],
            confidence=confidence,
            correct=None if shadows.correct_ is None else shadows.correct_[models],
            target_probe=probed,
            shadow_probe=None if shadows.probe_ is None else shadows.probe_[models],
            **ours,
        )
