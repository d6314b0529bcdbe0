"""A student of a private estimator: post-processing, at no cost of its own.

Whatever is computed from a differentially private model and from public rows is as
private as the model. So a private teacher may label public rows, and any classifier
at all may learn from the labels: a small one, a fast one, or one that can be explained.
"""

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._sklearn import HasMethods, Interval
from ..ledger import PrivacyAccountant, Receipt
from ..linear_model import DPLogisticRegression
from ..plan import Facts, Plan, declared_bounds
from ._public import N_SYNTHETIC, Task, checked_labels, checked_task
from ._soft import fit_soft_student
from ._students import (
    StudentClassifier,
    aligned,
    check_inner,
    check_soft,
    fit_student,
    has_budget,
    missing_is_allowed,
    public_seeds,
    rehearse,
)


class DistilledClassifier(StudentClassifier, BaseEstimator):
    """Any classifier that learns from the labels a private one gives public rows.

    Parameters
    ----------
    private_teacher : private classifier, default=None
        Any `DP*` classifier, or another with its contract. None: `DPLogisticRegression`.
    student : classifier or regressor, default=None
        What learns from the labels and answers predictions; a regressor needs soft ones.
        None: a logistic regression on standardised columns.
    epsilon : float, default=None
        Privacy budget of a fit, set on the teacher. None: the teacher's own.
    delta : float, default=None
        Probability mass outside the epsilon statement, set on the teacher. None: the
        teacher's own.
    accountant : PrivacyAccountant, default=None
        Accountant that the teacher's fit charges. None: the teacher's own.
    random_state : int, RandomState instance or None, default=None
        Set on the teacher, and source of the student's seed. None: the teacher's own.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, inside which rows are drawn where `fit` gets no public
        ones. None: the bounds that a private scaler before this step has declared.
    soft_labels : bool, default=False
        Whether the student learns from the teacher's probabilities.

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
        What the teacher released and what it cost.

    See Also
    --------
    PATEClassifier : Teachers without privacy of their own, under a private vote.

    Notes
    -----
    The plan is the teacher's plan, under whichever adjacency, and its entry in the ledger
    is the teacher's. Labels and student are post-processing of the teacher and of public
    rows.

    References
    ----------
    .. [1] C. Dwork and A. Roth, "The Algorithmic Foundations of Differential Privacy",
       2014, Proposition 2.1 (post-processing).

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skprivacy.distillation import DistilledClassifier, PublicData
    >>> from skprivacy.linear_model import DPLogisticRegression
    >>> X, y = make_classification(4000, 6, random_state=0)
    >>> model = DistilledClassifier(
    ...     DPLogisticRegression(epsilon=3.0, clipping_norm=3.0),
    ...     DecisionTreeClassifier(max_depth=4),
    ...     random_state=0,
    ... )
    >>> model.fit(X[:3000], y[:3000], X_public=PublicData(X[3000:])).score(X, y) > 0.8
    True
    >>> round(model.privacy_.epsilon, 6)
    3.0
    """

    privacy_: Receipt

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "private_teacher": [HasMethods(["fit", "predict", "plan"]), None],
        "student": [HasMethods(["fit", "predict"]), None],
        "epsilon": [Interval(Real, 0, None, closed="neither"), None],
        "delta": [Interval(Real, 0, 1, closed="left"), None],
        "accountant": [PrivacyAccountant, None],
        "random_state": ["random_state"],
        "bounds": ["array-like", tuple, None],
        "soft_labels": ["boolean"],
    }

    def __init__(
        self,
        private_teacher: Any = None,
        student: Any = None,
        *,
        epsilon: float | None = None,
        delta: float | None = None,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        bounds: Any = None,
        soft_labels: bool = False,
    ) -> None:
        self.private_teacher = private_teacher
        self.student = student
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.random_state = random_state
        self.bounds = bounds
        self.soft_labels = soft_labels

    def _teacher(self) -> Any:
        """Return an unfitted teacher with this estimator's budget, where it has one."""
        given = self.private_teacher
        teacher = DPLogisticRegression() if given is None else clone(given)
        if not has_budget(teacher):
            raise ValueError(
                "The 'private_teacher' parameter of DistilledClassifier must be a private "
                f"estimator, with epsilon, delta and accountant. Got {given!r} instead. Any "
                "other classifier can be a teacher of PATEClassifier."
            )
        names = ("epsilon", "delta", "accountant", "random_state")
        changes = {name: getattr(self, name) for name in names}
        changes = {name: value for name, value in changes.items() if value is not None}
        return teacher.set_params(**changes)

    def _missing_is_allowed(self) -> bool:
        return missing_is_allowed(self._teacher(), self._student())

    def plan(self, facts: Facts | None = None) -> Plan:
        """Return the teacher's plan, made without data.

        Parameters
        ----------
        facts : Facts, default=None
            Public facts; without them, those that the accountant alone implies.

        Returns
        -------
        Plan
            Its composed loss is the price of a fit.
        """
        self._validate_params()
        return replace(self._teacher().plan(facts), source=type(self).__name__)

    def fit(self, X: Any, y: Any, X_public: Any = None) -> Self:
        """Fit the teacher, which charges its accountant, and the student of its labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Private rows, which the teacher alone sees.
        y : array-like of shape (n_samples,)
            Labels.
        X_public : PublicData, array-like or data frame of shape (n_public, n_features), \
default=None
            Public rows, without labels. None: rows are drawn inside `bounds`.

        Returns
        -------
        self : DistilledClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong, or there are neither public rows
            nor bounds; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        before = vars(self).copy()
        try:
            return self._checked_fit(X, y, X_public)
        except BaseException:
            for name in vars(self).keys() - before.keys():
                delattr(self, name)
            self.__dict__.update(before)
            raise

    def _checked_fit(self, X: Any, y: Any, X_public: Any) -> Self:
        self._validate_params()
        teacher, student = self._teacher(), self._student()
        check_inner(self, "student", student)
        check_soft(self, student, soft_labels=self.soft_labels)
        declared = declared_bounds(X)
        bounds = declared if self.bounds is None else self.bounds
        allow_nan = self._missing_is_allowed()
        task = checked_task(self, Task(X, X_public), bounds, allow_nan=allow_nan, reset=True)
        labels = checked_labels(self, task.rows, y)
        classes = np.unique(
            labels if getattr(teacher, "classes", None) is None else teacher.classes
        )
        if classes.size > 1:  # else the teacher says what is wrong
            rehearse("student", student, task, classes)
        # The very object that was given: it may carry declared bounds.
        teacher.fit(X, labels)
        pool_seed, student_seed = public_seeds(self.random_state, 2)
        rows = task.public_rows(task.pool_size(N_SYNTHETIC), np.random.default_rng(pool_seed))
        if self.soft_labels:
            probabilities = aligned(teacher.predict_proba(rows), teacher.classes_, teacher.classes_)
            fitted = fit_soft_student(student, rows, probabilities, teacher.classes_, student_seed)
        else:
            fitted = fit_student(student, rows, teacher.predict(rows), student_seed)
        self.classes_ = teacher.classes_
        self.student_ = fitted
        name = type(teacher).__name__
        self.privacy_ = replace(
            teacher.privacy_,
            source=type(self).__name__,
            assumptions=(
                *teacher.privacy_.assumptions,
                f"The price is that of {name}; the student saw public rows and its labels alone.",
            ),
        )
        return self
