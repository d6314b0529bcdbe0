"""What the estimators of this package share: inner estimators, and predictions by a student."""

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, clone, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..base import DPEstimator
from ..ledger import PrivacyAccountant
from ..mechanisms import random_source
from ..plan import declared_bounds
from ._public import Task, checked_labels, checked_rows, checked_task, is_frame

MAX_SEED = 2**31 - 1


def default_student() -> Any:
    """Return the student that is taken where none is given."""
    # The scaler sees public rows alone.
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def seeded(estimator: Any, seed: int) -> Any:
    """Return an unfitted copy whose every random state follows from one integer."""
    copied = clone(estimator)
    parameters = sorted(copied.get_params(deep=True))
    names = [name for name in parameters if name.rpartition("__")[2] == "random_state"]
    if names:
        seeds = np.random.RandomState(seed).randint(MAX_SEED, size=len(names))
        copied.set_params(**dict(zip(names, map(int, seeds), strict=True)))
    return copied


def quiet(estimator: Any) -> Any:
    """Return an estimator that was told to print nothing: progress would speak of its rows."""
    names = [
        name
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "verbose" and value
    ]
    return estimator.set_params(**dict.fromkeys(names, False)) if names else estimator


def public_seeds(random_state: Any, n_seeds: int) -> list[int]:
    """Return seeds for what is public, unlike all that the same random state seeds elsewhere."""
    word = random_source(random_state).words(1)[0]
    return [int(seed) for seed in np.random.SeedSequence(int(word)).generate_state(n_seeds)]


def has_budget(estimator: Any) -> bool:
    """Whether an estimator keeps the contract of a private one."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        return False
    if not callable(getattr(estimator, "plan", None)):
        return False
    return {"epsilon", "delta", "accountant"} <= set(estimator.get_params(deep=False))


def check_inner(owner: Any, parameter: str, estimator: Any) -> None:
    """Refuse an inner estimator that charges a ledger or keeps private rows in a cache."""
    name = type(owner).__name__
    parts = [estimator, *estimator.get_params(deep=True).values()]
    if any(has_budget(part) or isinstance(part, PrivacyAccountant) for part in parts):
        raise ValueError(
            f"The {parameter!r} parameter of {name} is or has a private estimator, whose own "
            f"charge would come on top of the price of {name} and buy nothing. Give an "
            "ordinary classifier."
        )
    caches = [
        key
        for key, value in estimator.get_params(deep=True).items()
        if key.rpartition("__")[2] == "memory" and value is not None
    ]
    if caches:
        raise ValueError(
            f"The {parameter!r} parameter of {name} has a cache ({', '.join(caches)}), which "
            "would keep private rows and is shared between teachers. Set it to None."
        )


def check_soft(owner: Any, student: Any, *, soft_labels: bool) -> None:
    """Refuse a regressor as a student of hard labels."""
    if is_regressor(student) and not soft_labels:
        raise ValueError(
            f"The 'student' parameter of {type(owner).__name__} is a regressor, which learns from "
            "probabilities alone. Set soft_labels=True or give a classifier."
        )


def missing_is_allowed(*estimators: Any) -> bool:
    """Whether NaN is a value that all of the estimators take."""
    return all(map(_takes_missing, estimators))


def _takes_missing(estimator: Any) -> bool:
    """Whether NaN is a value; in a pipeline, for every step up to an imputer."""
    steps = getattr(estimator, "steps", None)
    if steps is None:
        return bool(get_tags(estimator).input_tags.allow_nan)
    for _, step in steps:
        if step is None or step == "passthrough":
            continue
        if not _takes_missing(step):
            return False
        if type(step).__name__.endswith("Imputer"):
            return True
    return True


@contextmanager
def silence() -> Iterator[None]:
    """Let no warning out: it may speak of private rows."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def rehearse(parameter: str, estimator: Any, task: Task, classes: np.ndarray) -> None:
    """Fit an estimator on public rows with made-up labels, so that errors come before the charge.

    An error on private rows would speak of them, and is worth nothing to the user after
    everything has been paid for.
    """
    rows, labels = task.rehearsal(classes)
    if is_regressor(estimator):  # one that learns from probabilities
        labels = (labels[:, np.newaxis] == classes).astype(np.float64)
    try:
        with silence():
            quiet(seeded(estimator, 0)).fit(rows, labels).predict(rows)
    except Exception as error:
        error.add_note(
            f"Raised when the {parameter!r} parameter was tried on public rows with made-up "
            "labels. Nothing was charged."
        )
        raise


def fit_student(student: Any, rows: Any, labels: np.ndarray, seed: int) -> Any:
    """Return a student fitted on public rows and released labels."""
    if np.unique(labels).size == 1:
        # Few classifiers learn from a single class.
        return DummyClassifier(strategy="prior").fit(rows, labels)
    return seeded(student, seed).fit(rows, labels)


def aligned(probabilities: np.ndarray, found: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return probabilities of `found` classes with columns for all `classes`."""
    if found.size == classes.size:
        return np.asarray(probabilities, dtype=np.float64)
    whole = np.zeros((probabilities.shape[0], classes.size))
    whole[:, np.searchsorted(classes, found)] = probabilities
    return whole


def _has_probabilities(estimator: "StudentClassifier") -> bool:
    return estimator._has_probabilities()  # noqa: SLF001 - its own class


class StudentClassifier(ClassifierMixin):
    """Predictions of a fitted `student_`, for `classes_`."""

    student: Any
    classes_: np.ndarray
    student_: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        tags.input_tags.allow_nan = self._missing_is_allowed()
        return tags

    def _student(self) -> Any:
        return default_student() if self.student is None else self.student

    def _has_probabilities(self) -> bool:
        """Whether the student gives probabilities, or a regressor's output stands for them."""
        student = self._student()
        return is_regressor(student) or hasattr(student, "predict_proba")

    def _student_rows(self, X: Any) -> Any:
        """Return rows in the form that the student was fitted on."""
        check_is_fitted(self)
        rows = checked_rows(self, X, allow_nan=self._missing_is_allowed())
        if is_frame(rows) and not hasattr(self.student_, "feature_names_in_"):
            return np.asarray(rows)
        return rows

    def predict(self, X: Any) -> np.ndarray:
        """Return the student's class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        rows = self._student_rows(X)
        if is_regressor(self.student_):
            return np.asarray(self.classes_[_as_probabilities(self.student_, rows).argmax(axis=1)])
        return np.asarray(self.student_.predict(rows))

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the student's class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
            0 for a class that is in none of the student's labels.
        """
        rows = self._student_rows(X)
        if is_regressor(self.student_):
            return _as_probabilities(self.student_, rows)
        return aligned(self.student_.predict_proba(rows), self.student_.classes_, self.classes_)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))


class TaughtClassifier(StudentClassifier, DPEstimator):
    """A student of teachers that are fitted on private rows, inside a fit of its own."""

    bounds: Any

    @abstractmethod
    def _teacher(self) -> Any:
        """Return the estimator that is fitted on private rows."""

    def _missing_is_allowed(self) -> bool:
        return missing_is_allowed(self._teacher(), self._student())

    def _taught_fit(self, X: Any, y: Any, X_public: Any) -> Self:
        """Run the private fit on rows, public ones, and the bounds that a scaler declared."""
        return self._private_fit(Task(X, X_public, declared_bounds(X)), y)

    def _checked_task(self, task: Task, y: Any, *, reset: bool) -> tuple[Task, np.ndarray]:
        """Validate rows, public rows and labels."""
        bounds = task.bounds if self.bounds is None else self.bounds
        allow_nan = self._missing_is_allowed()
        task = checked_task(self, task, bounds, allow_nan=allow_nan, reset=reset)
        return task, checked_labels(self, task.rows, y)


def _as_probabilities(regressor: Any, rows: Any) -> np.ndarray:
    """Return a regressor's output as probabilities."""
    output = np.clip(np.asarray(regressor.predict(rows), dtype=np.float64), 1e-12, None)
    return np.asarray(output / output.sum(axis=1, keepdims=True))
