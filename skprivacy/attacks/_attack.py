"""What membership attacks have in common: checks, shadow models, evaluation."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..exceptions import PrivacyWarning
from ._notes import checked_target, data_notes, rate_note
from ._result import AttackResult
from ._roc import tpr_at_fpr
from ._rows import Pool, check_rows, check_same_columns
from ._shadow import ShadowModels
from ._signals import CLIP, check_clip
from ._view import View

Array = NDArray[np.float64]
Probe = Callable[[Any], Array]
Rows = tuple[Any, NDArray[Any]]


class MembershipAttack(BaseEstimator, ABC):
    """Base class of membership attacks.

    A subclass says to which models it applies, and turns a view into scores.
    """

    _shadowed: ClassVar[bool] = False
    _for_regression: ClassVar[bool] = False
    _for_labels: ClassVar[bool] = False

    clip: float = CLIP
    result_: AttackResult
    member_scores_: Array
    nonmember_scores_: Array
    roc_auc_: float
    advantage_: float

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the attack in reports."""

    @abstractmethod
    def scores(self, view: View) -> Array:
        """Return a score for each row of a view, high for members.

        Parameters
        ----------
        view : View
            Signals of a target and of shadow models.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """

    def probe(self, model: Any, pool: Pool) -> Probe | None:
        """Return what shadow models have to be asked while they exist, if anything.

        Parameters
        ----------
        model : estimator
            The target.
        pool : Pool
            Members and non-members.
        """
        return None

    def refusal(self, *, is_regression: bool, is_confident: bool) -> str | None:
        """Return why the attack can't be run on models of a kind, or None if it can.

        Parameters
        ----------
        is_regression : bool
            Whether the models are regressors.
        is_confident : bool
            Whether they have `predict_proba` or `decision_function`.
        """
        if is_regression:
            if self._for_regression:
                return None
            return f"The attack {self.name!r} is for classifiers; for regressors use loss or lira."
        if is_confident or self._for_labels:
            return None
        return (
            f"The attack {self.name!r} needs predict_proba or decision_function; a model that "
            "answers with labels alone can be attacked by gap and label-only."
        )

    def fit(
        self,
        model: Any,
        X_member: Any,
        y_member: Any,
        X_nonmember: Any,
        y_nonmember: Any,
        *,
        shadow_models: ShadowModels | None = None,
        X_population: Any = None,
        y_population: Any = None,
    ) -> Self:
        """Attack a fitted model, which is not fitted again.

        Parameters
        ----------
        model : estimator
            The fitted target.
        X_member, y_member : array-like
            Rows that it was fitted on.
        X_nonmember, y_nonmember : array-like
            Rows of the same kind that it never saw.
        shadow_models : ShadowModels, default=None
            Shadow models fitted on the members and, below them, the non-members. None: the
            attack fits its own, if it needs any.
        X_population, y_population : array-like, default=None
            Further rows that the model never saw, to compare with. None: the non-members.

        Returns
        -------
        self : MembershipAttack
            With scores and rates.

        Raises
        ------
        TypeError
            If the model answers no queries, or can't be cloned where shadow models are
            needed.
        ValueError
            If rows, labels or parameters have a wrong form, or the attack does not apply
            to the model.
        """
        check_clip(self.clip)
        pool, regression = checked_target(model, X_member, y_member, X_nonmember, y_nonmember)
        population = checked_population(pool, X_population, y_population)
        reason = self.refusal(is_regression=regression, is_confident=is_confident(model))
        if reason is not None:
            raise ValueError(reason)
        probe = self.probe(model, pool)
        if not self._shadowed:
            shadow_models = None
        elif shadow_models is None:
            shadow_models = fit_shadows(self, model, pool, population, probe)
        else:
            check_shadows(shadow_models, pool)
        view = View.of_model(
            model,
            pool,
            shadow_models,
            is_regression=regression,
            clip=self.clip,
            population=population,
            probe=probe,
        )
        for note in data_notes(pool, view.signals, self.clip):
            warnings.warn(note, PrivacyWarning, stacklevel=2)
        scores = self.scores(view)
        self.member_scores_ = scores[pool.is_member]
        self.nonmember_scores_ = scores[~pool.is_member]
        self.result_ = AttackResult.from_scores(
            self.name, self.member_scores_, self.nonmember_scores_
        )
        self.roc_auc_ = self.result_.roc_auc
        self.advantage_ = self.result_.advantage
        return self

    def tpr_at_fpr(self, fpr: ArrayLike) -> Any:
        """Return the share of members found at a tolerated share of false accusations.

        Parameters
        ----------
        fpr : float or array-like
            Largest false positive rate.

        Returns
        -------
        float or ndarray
            True positive rate, without interpolation. With too few non-members for the
            rate there is a `PrivacyWarning`.
        """
        check_is_fitted(self)
        rates = np.atleast_1d(np.asarray(fpr, dtype=float))
        note = rate_note(self.nonmember_scores_.size, rates)
        if note is not None:
            warnings.warn(note, PrivacyWarning, stacklevel=2)
        return tpr_at_fpr(self.member_scores_, self.nonmember_scores_, fpr)

    def roc_curve(self) -> tuple[Array, Array]:
        """Return the ROC curve.

        Returns
        -------
        fpr, tpr : ndarray of shape (n_points,)
            From (0, 0) to (1, 1).
        """
        check_is_fitted(self)
        return self.result_.fpr, self.result_.tpr


def is_confident(model: Any) -> bool:
    """Whether a classifier answers with more than labels."""
    return hasattr(model, "predict_proba") or hasattr(model, "decision_function")


def checked_population(pool: Pool, X: Any, y: Any) -> Rows | None:
    """Return the population's rows, or None if there are none."""
    if X is None:
        return None
    population = check_rows(X, y, "population")
    check_same_columns(pool.X, population[0], "members", "population")
    return population


def fit_shadows(
    options: Any, model: Any, pool: Pool, population: Rows | None, probe: Probe | None
) -> ShadowModels:
    """Fit the shadow models of a target, each on as many rows as it, or half of the pool."""
    shadows = ShadowModels(
        model,
        n_models=options.n_shadow,
        n_inside=min(pool.n_members, pool.y.size // 2),
        clip=options.clip,
        n_jobs=options.n_jobs,
        random_state=options.random_state,
        verbose=options.verbose,
    )
    X_population, y_population = (None, None) if population is None else population
    return shadows.fit(
        pool.X, pool.y, X_population=X_population, y_population=y_population, probe=probe
    )


def check_shadows(shadows: ShadowModels, pool: Pool) -> None:
    """Raise unless shadow models are fitted, on as many rows as the pool has."""
    check_is_fitted(shadows)
    if shadows.inside_.shape[1] != pool.y.size:
        raise ValueError(
            f"shadow_models were fitted on {shadows.inside_.shape[1]} rows, but there are "
            f"{pool.y.size} members and non-members. Fit them on the members and, below them, "
            "the non-members."
        )
