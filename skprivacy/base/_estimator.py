"""The template of a private fit: validate, price, charge, run."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .._sklearn import Interval, check_sample_weight
from ..accounting import Adjacency
from ..ledger import PrivacyAccountant, Receipt
from ..mechanisms import Mechanism, Unprotected, is_sparse, one_entry_a_place, random_source
from ..plan import Facts, Plan, column_bounds, declared_bounds, target_bounds
from ._calibration import calibrate
from ._errors import without_values
from ._labels import (
    check_declared,
    check_found,
    found_classes,
    known_labels,
    without_unknown,
)
from ._release import Release

UNPROTECTED = "fitted model"
"""Name of the one release of a fit without a guarantee."""

SCALE = Interval(Real, 1e-150, 1e150, closed="both")
"""What a parameter may be that rows or weights are divided by: quotients stay finite."""

NO_GUARANTEE = (
    "Nothing is guaranteed: the fitted model may reveal its training rows. How much it does "
    "reveal can only be measured, for instance by skprivacy.attacks."
)


class DPEstimator(BaseEstimator, ABC):
    """Base class of private estimators.

    A subclass that may have no guarantee adds None to what `epsilon` may be. With
    ``epsilon=None`` its price is infinite: the plan has one release, `UNPROTECTED`, which
    `_fit` makes by ``release.reveal(UNPROTECTED, value)``.

    Parameters
    ----------
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement. 0 asks for pure differential
        privacy, where the estimator has a mode for it.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.

    Attributes
    ----------
    privacy_ : Receipt
        What the fit released and what it cost.
    """

    privacy_: Receipt
    _history: tuple[tuple[Plan, dict[str, Any]], ...]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "delta": [Interval(Real, 0, 1, closed="left")],
        "accountant": [PrivacyAccountant, None],
        "random_state": ["random_state"],
    }

    max_weight: float
    """Of estimators that take weights."""

    _named_classes: Any = None
    """Classes that a call of `partial_fit` has named."""

    _has_private_mode: ClassVar[bool] = True
    """Whether a finite epsilon can be asked for."""

    def __init__(
        self,
        epsilon: float | None = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.random_state = random_state

    @abstractmethod
    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        """Return what a fit will release, uncalibrated, with shares of the budget."""

    @abstractmethod
    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        """Compute on the rows and set attributes from releases and public facts alone.

        What `_check_more` returned comes as keyword arguments.
        """

    def _assumptions(self, facts: Facts) -> list[str]:
        """Return what the fit takes as public, in sentences, for the receipt."""
        assumptions = [] if self.epsilon is not None else [NO_GUARANTEE]
        assumptions.append("The number of columns and their order and names are public.")
        if is_classifier(self) and self._stated_classes() is None:
            assumptions.append("The class labels were taken from y; they are assumed to be public.")
        if getattr(self, "unknown_labels", "error") == "ignore":
            assumptions.append("Rows with labels that are not declared have no weight.")
        return assumptions

    def plan(self, facts: Facts | None = None) -> Plan:
        """Return the priced plan of a fit, made without data.

        Parameters
        ----------
        facts : Facts, default=None
            Public facts; without them, those that the accountant alone implies.

        Returns
        -------
        Plan
            Calibrated mechanisms, whose composed loss is the price of a fit.
        """
        self._validate_params()
        facts = Facts(adjacency=self._adjacency()) if facts is None else facts
        if self.epsilon is None:
            mechanisms: tuple[Mechanism, ...] = (
                Unprotected(name=UNPROTECTED, noise_multiplier=0.0),
            )
        else:
            mechanisms = calibrate(
                self._mechanisms(facts), self.epsilon, self.delta, facts.adjacency
            )
        return Plan(
            mechanisms=mechanisms,
            adjacency=facts.adjacency,
            source=type(self).__name__,
            assumptions=tuple(self._assumptions(facts)),
            # Without noise there is none to be repeated.
            reproducible=self.epsilon is not None and self.random_state is not None,
        )

    def _adjacency(self) -> Adjacency:
        return "add-remove" if self.accountant is None else self.accountant.adjacency

    def _private_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        extend: bool = False,
        classes: Any = None,
        **more: Any,
    ) -> Self:
        """Validate, price, charge, run: in this order and for every private estimator.

        With ``extend=True`` rows are added to an earlier fit; the receipt then covers both.
        `classes` are those named in the call, for estimators without the parameter's value.
        `more` is what else the subclass's `fit` takes; `_check_more` validates it.
        A fit that fails, at whatever point, leaves the estimator as it was before.
        """
        before = vars(self).copy()
        try:
            if classes is not None:
                self._named_classes = classes
            elif not extend:
                self.__dict__.pop("_named_classes", None)
            # A floating-point warning would speak of the rows.
            with np.errstate(all="ignore"):
                return self._checked_fit(X, y, sample_weight, more, extend=extend)
        except BaseException:
            # New attributes beside the earlier receipt would be a release it does not cover.
            for name in vars(self).keys() - before.keys():
                delattr(self, name)
            self.__dict__.update(before)
            raise

    def _checked_fit(
        self, X: Any, y: Any, sample_weight: Any, more: dict[str, Any], *, extend: bool
    ) -> Self:
        self._validate_params()
        extends = extend and hasattr(self, "privacy_")
        bounds = declared_bounds(X)
        X, y, sample_weight = self._check_data(X, y, sample_weight, reset=not extends)
        more = self._check_more(X, y, **more)
        adjacency = self._adjacency()
        if extends and adjacency != self.privacy_.adjacency:
            raise ValueError(
                f"Earlier batches were released under {self.privacy_.adjacency} adjacency, the "
                f"accountant has {adjacency} now. Call fit to start anew."
            )
        facts = Facts(
            adjacency=adjacency,
            n_features=X.shape[1],
            classes=tuple(self._public_classes(y)) if is_classifier(self) else None,
            n_rows=X.shape[0] if adjacency == "replace-one" else None,
            bounds=bounds,
        )
        plan = self.plan(facts)
        source = random_source(self.random_state)
        # A plan without releases is free: there is nothing to record.
        accountant = self.accountant if plan.mechanisms else None
        entry = None if accountant is None else accountant.spend(plan)
        release = Release(plan, facts, source, extends=extends)
        try:
            self._fit(X, y, sample_weight, release, **more)
        except BaseException as error:
            if accountant is not None and entry is not None:
                # Only the class of the error: its text may speak of rows.
                accountant.fail(entry.uid, type(error).__name__)
            raise
        earlier: tuple[tuple[Plan, dict[str, Any]], ...] = self._history if extends else ()
        self._history = (*earlier, (plan, release.noise_scales))
        self.privacy_ = _receipt(self._history, self.delta, None if entry is None else entry.uid)
        return self

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        """Validate the data's declared form, with scikit-learn's own errors."""
        options: dict[str, Any] = {
            "reset": reset,
            "dtype": [np.float64, np.float32],
            "accept_sparse": "csr" if self.__sklearn_tags__().input_tags.sparse else False,
            "ensure_all_finite": "allow-nan" if self._missing_is_allowed() else True,
        }
        kept = self._classes_to_keep()
        if self.__sklearn_tags__().target_tags.required:
            if kept is not None:
                y, known = known_labels(y, kept)
            X, y = without_values(validate_data, self, X, y, **options)
            if is_classifier(self):
                check_classification_targets(y)
            elif is_regressor(self):
                y = without_values(np.asarray, y, dtype=np.float64)
        else:
            X, y = without_values(validate_data, self, X, **options), None
        if is_sparse(X):
            X = one_entry_a_place(X)
        if sample_weight is not None:
            sample_weight = without_values(
                check_sample_weight, sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        elif self.epsilon is not None and getattr(self, "max_weight", 1.0) > 1:
            sample_weight = np.ones(X.shape[0])  # a row without a weight has weight 1
        if kept is not None:
            sample_weight = without_unknown(sample_weight, known, X.shape[0])
        self._check_bounds(X.shape[1])
        self._declared_target()
        return X, y, sample_weight

    def _check_bounds(self, n_features: int) -> None:
        """Validate the parameter `bounds`, of estimators that have one."""
        column_bounds(getattr(self, "bounds", None), n_features, type(self).__name__)

    def _declared_target(self) -> tuple[float, float] | None:
        """Return the parameter `y_bounds` of a regressor that has one, validated."""
        return target_bounds(getattr(self, "y_bounds", None), type(self).__name__)

    def _check_more(self, X: Any, y: Any, **more: Any) -> dict[str, Any]:
        """Validate what else `fit` was given, before anything is priced."""
        return more

    def _unit_weights(self, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """Return weights in [0, 1], in units of the largest that `max_weight` allows."""
        return None if sample_weight is None else np.minimum(sample_weight / self.max_weight, 1.0)

    def _missing_is_allowed(self) -> bool:
        return False

    def _stated_classes(self) -> np.ndarray | None:
        """Return the classes that the user has named, in the call or as a parameter."""
        declared = getattr(self, "classes", None)
        declared = self._named_classes if declared is None else declared
        return None if declared is None else check_declared(declared, type(self).__name__)

    def _public_classes(self, y: Any) -> np.ndarray:
        """Return the declared classes, or those of `y`, which the receipt then names."""
        classes = self._stated_classes()
        if classes is None:
            return found_classes(y, type(self).__name__)
        check_found(y, classes)
        return classes

    def _classes_to_keep(self) -> np.ndarray | None:
        """Return the classes, where rows with other labels are to have no weight."""
        if getattr(self, "unknown_labels", "error") == "error":
            return None
        classes = self._stated_classes()
        if classes is None:
            raise ValueError(
                "unknown_labels='ignore' needs declared classes: without them no label is "
                f"unknown. Set the parameter 'classes' of {type(self).__name__}."
            )
        return classes


def _receipt(
    history: Sequence[tuple[Plan, dict[str, Any]]], delta: float, entry_uid: str | None
) -> Receipt:
    """Return the receipt of one or several fits on rows that are taken to overlap."""
    plan, noise_scales = history[-1]
    if len(history) > 1:
        noise_scales = {
            f"{name}, batch {number}": scale
            for number, (_, scales) in enumerate(history, start=1)
            for name, scale in scales.items()
        }
        mechanisms = tuple(
            replace(mechanism, name=f"{mechanism.name}, batch {number}")
            for number, (batch, _) in enumerate(history, start=1)
            for mechanism in batch.mechanisms
        )
        plan = replace(
            plan,
            mechanisms=mechanisms,
            reproducible=any(batch.reproducible for batch, _ in history),
        )
    return Receipt.from_plan(plan, delta=delta, entry_uid=entry_uid, noise_scales=noise_scales)
