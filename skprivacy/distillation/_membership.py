"""Distillation against membership inference: less leakage, and no guarantee.

A model remembers its training rows by being surer of them. A student that learns from
the teacher's soft labels of *other* rows never sees a training row, and takes over little
of what the teacher remembers (Shejwalkar and Houmansadr 2021). How little can be measured
by attacks, and depends on teacher and data; no epsilon follows.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .._sklearn import HasMethods, Interval
from ..base import UNPROTECTED, DPEstimator, Release
from ..ledger import PrivacyAccountant
from ..mechanisms import Mechanism
from ..plan import Facts
from ._public import N_SYNTHETIC, Task
from ._soft import fit_soft_student, soften
from ._students import (
    TaughtClassifier,
    aligned,
    check_inner,
    public_seeds,
    rehearse,
    seeded,
)


class MembershipDistiller(TaughtClassifier):
    """A student of soft labels on public rows: lowers leakage, guarantees nothing.

    Parameters
    ----------
    teacher : classifier, default=None
        Any classifier with `predict_proba`. None: a multi-layer perceptron on standardised
        columns, stopped early. A teacher that overfits leaks through its labels too.
    student : classifier or regressor, default=None
        What learns from the soft labels. None: a logistic regression on standardised
        columns. A classifier gets each row once for each class, weighted by its probability
        (or ten unweighted copies, if it takes no weights); a regressor gets the
        probabilities.
    temperature : float, default=1.0
        Soft labels are proportional to p^(1 / temperature).
    epsilon : None
        There is no private mode; `PATEClassifier` is one.
    delta : float, default=1e-6
        The delta that the receipt names beside its infinite epsilon.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges, infinitely: one with a finite ceiling refuses.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds of teacher and student.
    classes : array-like, default=None
        All labels that can occur. None: the labels in `y`.
    bounds : tuple (low, high), default=None
        Bounds of the columns, inside which rows are drawn where `fit` gets no public ones.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    student_ : classifier or regressor
        The fitted student.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        It says that epsilon is infinite.

    See Also
    --------
    PATEClassifier : Distillation with a guarantee.

    Notes
    -----
    What it does to leakage can only be measured, for instance by `skprivacy.attacks`. Stopping
    early does much of the same by itself: compare with the teacher alone.

    References
    ----------
    .. [1] V. Shejwalkar and A. Houmansadr, "Membership Privacy for Machine Learning
       Models Through Knowledge Transfer", AAAI 2021.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.distillation import MembershipDistiller, PublicData
    >>> X, y = make_classification(2000, 6, random_state=0)
    >>> model = MembershipDistiller(LogisticRegression(), random_state=0)
    >>> model.fit(X[:1000], y[:1000], X_public=PublicData(X[1000:])).score(X, y) > 0.8
    True
    >>> model.privacy_.epsilon
    inf
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "teacher": [HasMethods(["fit", "predict_proba"]), None],
        "student": [HasMethods(["fit", "predict"]), None],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "epsilon": [None],
        "classes": ["array-like", None],
        "bounds": ["array-like", tuple, None],
    }

    _has_private_mode: ClassVar[bool] = False

    def __init__(
        self,
        teacher: Any = None,
        student: Any = None,
        *,
        temperature: float = 1.0,
        epsilon: None = None,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        classes: Any = None,
        bounds: Any = None,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.teacher = teacher
        self.student = student
        self.temperature = temperature
        self.classes = classes
        self.bounds = bounds

    def fit(self, X: Any, y: Any, X_public: Any = None) -> Self:
        """Fit the teacher, and the student on its soft labels of public rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows, which the teacher alone sees.
        y : array-like of shape (n_samples,)
            Labels.
        X_public : PublicData, array-like or data frame of shape (n_public, n_features), \
default=None
            Other rows, without labels. None: rows are drawn inside `bounds`.

        Returns
        -------
        self : MembershipDistiller
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong, or there are neither public rows
            nor bounds; nothing is charged.
        BudgetExceededError
            If the accountant has a finite ceiling.
        """
        return self._taught_fit(X, y, X_public)

    def _teacher(self) -> Any:
        if self.teacher is not None:
            return self.teacher
        return make_pipeline(StandardScaler(), MLPClassifier(early_stopping=True))

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        # Asked for a finite epsilon only, which there is none of: see plan.
        return []

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        check_inner(self, "teacher", self._teacher())
        check_inner(self, "student", self._student())
        task, y = self._checked_task(X, y, reset=reset)
        rehearse("student", self._student(), task, self._public_classes(y))
        return task, y, sample_weight

    def _fit(self, X: Any, y: Any, sample_weight: Any, release: Release) -> None:
        task: Task = X
        classes = self._public_classes(y)
        teacher_seed, pool_seed, student_seed = public_seeds(self.random_state, 3)
        rows = task.public_rows(task.pool_size(N_SYNTHETIC), np.random.default_rng(pool_seed))
        teacher = seeded(self._teacher(), teacher_seed).fit(task.rows, y)
        probabilities = aligned(teacher.predict_proba(rows), teacher.classes_, classes)
        labels = release.reveal(UNPROTECTED, soften(probabilities, self.temperature))
        self.classes_ = classes
        self.student_ = fit_soft_student(self._student(), rows, labels, classes, student_seed)
