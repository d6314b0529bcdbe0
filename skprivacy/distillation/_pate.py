"""PATE: private aggregation of teacher ensembles.

Every private row goes to one of T teachers. The teachers vote on public rows, the noisy
winners become labels, and a student that never saw a private row learns from them. What
is private is the vote, so teachers and student may be any classifiers at all (Papernot,
Abadi, Erlingsson, Goodfellow and Talwar 2017; Papernot et al. 2018).
"""

import math
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import is_regressor
from sklearn.tree import DecisionTreeClassifier

from .._sklearn import HasMethods, Interval, StrOptions
from ..base import DPEstimator, Release
from ..exceptions import PrivacyWarning
from ..ledger import PrivacyAccountant
from ..mechanisms import ConfidentVotes, GaussianVotes, Mechanism
from ..plan import Facts
from ._public import Task, take
from ._soft import fit_soft_student
from ._students import (
    TaughtClassifier,
    check_inner,
    check_soft,
    fit_student,
    public_seeds,
    rehearse,
)
from ._teachers import Teachers

VOTES = "votes of the teachers"

FEWEST_TEACHERS, MOST_TEACHERS, USUAL_TEACHERS = 10, 400, 100
FEWEST_QUERIES, ENOUGH_QUERIES = 20, 2000
NOISE_BESIDE_LEAD = 2.5
"""How often the noise of a count fits into the usual lead of a winner."""

PUBLIC_ROWS = (
    "The public rows, or the bounds that queries are drawn in, are public, and no private row is "
    "among them."
)

TEACHERS_ARE_PRIVATE = (
    "The teachers kept in this PATEClassifier were fitted on private rows without noise, and are "
    "not covered by its receipt. Set store_teachers=False before the model leaves your hands."
)


class PATEClassifier(TaughtClassifier):
    """Any classifier, made private by teachers that vote and a student that learns from it.

    Parameters
    ----------
    estimator : classifier, default=None
        What a teacher is: a classifier or a pipeline, without privacy of its own. None:
        a decision tree of depth 6.
    student : classifier or regressor, default=None
        What learns from the released labels and answers predictions; a regressor learns
        their probabilities. None: a logistic regression on standardised columns.
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement; above 0.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None deals the rows out and draws noise by the operating system. Anything else
        makes both reproducible, which protects nobody: the receipt says so.
    n_teachers : int or "auto", default="auto"
        Number of teachers, at least 10. "auto": 100, or where the number of rows is public
        (`n_rows`, or replace-one adjacency) some 15 to 50 rows for each; fewer where the
        budget allows many queries with fewer.
    n_queries : int or "auto", default="auto"
        Number of public rows that the teachers label; at most as many as there are.
        "auto": as many as the noise allows for this number of teachers, at least 20.
    n_rows : int, default=None
        Rough number of private rows, if that is public. It sets `n_teachers` alone.
    classes : array-like, default=None
        All labels that can occur. None: the labels in `y` are taken to be public, and
        the receipt says so.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column, inside which queries
        are drawn where `fit` gets no public rows. None: the bounds that a private scaler
        before this step has declared, if there are any.
    confident : bool, default=False
        Whether only queries on which many teachers agree are answered.
    threshold : float, default=0.5
        With `confident`: part of the teachers that has to agree.
    n_answers : int, default=None
        With `confident`: most queries answered. None: half of the queries.
    soft_labels : bool, default=True
        Whether the student learns from the noisy counts, the softmax of counts over noise
        scale, rather than from the winners alone. It costs nothing: the price is that of
        the counts in any case.
    n_jobs : int, default=None
        Number of teachers that are fitted at the same time, as in joblib.
    store_teachers : bool, default=False
        Whether `teachers_` is kept. The teachers are private: the receipt doesn't cover
        them, and pickling them warns.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    student_ : classifier or regressor
        The fitted student.
    n_teachers_ : int
        Number of teachers.
    n_queries_ : int
        Number of public rows that were asked about.
    n_answered_ : int
        Number of them that the student has learned from.
    teachers_ : list of classifiers
        With `store_teachers`: those teachers that saw more than one class. Private.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    skprivacy.linear_model.DPLogisticRegression : More accurate where a linear model will do.
    DistilledClassifier : A student of any private estimator, at no cost of its own.
    MembershipDistiller : Distillation without a guarantee.

    Notes
    -----
    Each row is given to a teacher by a coin of its own. Fix the coins: neighbouring data
    sets differ in one teacher, which moves at most one vote of each query from one class to
    another. The counts of Q queries have L2 sensitivity sqrt(2 Q), *under add-remove and
    replace-one adjacency alike*, and are released at once with exactly rounded Gaussian noise;
    labels, student and predictions are post-processing. With ``confident=True`` a tenth of
    mu squared first pays for noisy largest counts. Accounting does not depend on the data: it
    stays the same whether teachers agree or not.

    A teacher without rows doesn't vote, one with rows of one class votes for it, and so does
    a teacher whose fit fails not vote at all, as its error would tell of its rows. To find
    errors that are the user's, teacher and student are first tried on public rows with
    made-up labels, before anything is charged. Teachers' warnings and progress are
    silenced. A predicted label that is none of the classes is no vote. Every `random_state`
    inside the teacher is overwritten, with a seed for each teacher.

    Under add-remove adjacency PATE did not beat `DPLogisticRegression` on Adult or digits.
    It is for base models that have no private version, and where replace-one protection is
    wanted: that costs a private linear model more noise, and PATE nothing (on digits it was
    ahead at epsilon 1). If the public rows have labels, training on those beat it as well.

    Inside cross-validation pass public rows as ``PublicData(rows)``: an array with as many
    rows as `X` would be cut into folds. With metadata routing, ask for them by
    ``set_fit_request(X_public=True)``.

    References
    ----------
    .. [1] N. Papernot, M. Abadi, U. Erlingsson, I. Goodfellow and K. Talwar,
       "Semi-supervised Knowledge Transfer for Deep Learning from Private Training Data",
       ICLR 2017.
    .. [2] N. Papernot, S. Song, I. Mironov, A. Raghunathan, K. Talwar and U. Erlingsson,
       "Scalable Private Learning with PATE", ICLR 2018.
    .. [3] J. Dong, A. Roth and W. J. Su, "Gaussian Differential Privacy", JRSS B 84,
       2022.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skprivacy.distillation import PATEClassifier, PublicData
    >>> X, y = make_classification(4000, 6, random_state=0)
    >>> private, public = X[:3000], PublicData(X[3000:])
    >>> model = PATEClassifier(epsilon=3.0, random_state=0)
    >>> model.fit(private, y[:3000], X_public=public).score(X[3000:], y[3000:]) > 0.8
    True
    >>> round(model.privacy_.epsilon, 6), model.n_teachers_, model.n_queries_
    (3.0, 100, 214)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict"]), None],
        "student": [HasMethods(["fit", "predict"]), None],
        "n_teachers": [
            Interval(Integral, FEWEST_TEACHERS, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "n_queries": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_rows": [Interval(Integral, 1, None, closed="left"), None],
        "classes": ["array-like", None],
        "bounds": ["array-like", tuple, None],
        "confident": ["boolean"],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "n_answers": [Interval(Integral, 1, None, closed="left"), None],
        "soft_labels": ["boolean"],
        "n_jobs": [Integral, None],
        "store_teachers": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any = None,
        student: Any = None,
        *,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        n_teachers: int | str = "auto",
        n_queries: int | str = "auto",
        n_rows: int | None = None,
        classes: Any = None,
        bounds: Any = None,
        confident: bool = False,
        threshold: float = 0.5,
        n_answers: int | None = None,
        soft_labels: bool = True,
        n_jobs: int | None = None,
        store_teachers: bool = False,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.estimator = estimator
        self.student = student
        self.n_teachers = n_teachers
        self.n_queries = n_queries
        self.n_rows = n_rows
        self.classes = classes
        self.bounds = bounds
        self.confident = confident
        self.threshold = threshold
        self.n_answers = n_answers
        self.soft_labels = soft_labels
        self.n_jobs = n_jobs
        self.store_teachers = store_teachers

    def __getstate__(self) -> Any:
        if hasattr(self, "teachers_"):
            warnings.warn(TEACHERS_ARE_PRIVATE, PrivacyWarning, stacklevel=2)
        return super().__getstate__()

    def fit(self, X: Any, y: Any, X_public: Any = None) -> Self:
        """Fit teachers, release their votes, fit the student, and charge the accountant.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Private rows. A data frame reaches the teachers as it is.
        y : array-like of shape (n_samples,)
            Labels.
        X_public : PublicData, array-like or data frame of shape (n_public, n_features), \
default=None
            Public rows, without labels. None: rows are drawn inside `bounds`.

        Returns
        -------
        self : PATEClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong, or there are neither public rows
            nor bounds; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._taught_fit(X, y, X_public)

    def _teacher(self) -> Any:
        return DecisionTreeClassifier(max_depth=6) if self.estimator is None else self.estimator

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        if not self.confident:
            return [GaussianVotes(name=VOTES)]
        return [ConfidentVotes(name=VOTES, threshold=self.threshold, n_answers=self.n_answers)]

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = [
            *super()._assumptions(facts),
            PUBLIC_ROWS,
            "That all values are finite is public.",
        ]
        if self.n_rows is not None:
            assumptions.append("The rough number of rows was declared by the user.")
        if self.store_teachers:
            assumptions.append("The teachers are kept; nothing here covers them.")
        return assumptions

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        teacher, student = self._teacher(), self._student()
        check_inner(self, "estimator", teacher)
        if is_regressor(teacher):
            raise ValueError(
                "The 'estimator' parameter of PATEClassifier must be a classifier. Got "
                f"{teacher!r} instead."
            )
        check_inner(self, "student", student)
        check_soft(self, student, soft_labels=self.soft_labels)
        task, y = self._checked_task(X, y, reset=reset)
        classes = self._public_classes(y)
        n_queries = None if isinstance(self.n_queries, str) else self.n_queries
        if n_queries is not None and n_queries > task.pool_size(n_queries):
            raise ValueError(
                f"The 'n_queries' parameter of {type(self).__name__} must be at most the number "
                f"of public rows, {task.pool_size()}. Got {self.n_queries} instead."
            )
        rehearse("estimator", teacher, task, classes)
        rehearse("student", student, task, classes)
        return task, y, sample_weight

    def _fit(self, X: Any, y: Any, sample_weight: Any, release: Release) -> None:
        task: Task = X
        classes = self._public_classes(y)
        facts = release.facts
        mu = 1 / release.mechanism(VOTES).calibrated_noise()
        n_rows = facts.n_rows if self.n_rows is None else self.n_rows
        n_teachers = self.n_teachers
        if isinstance(n_teachers, str):
            n_teachers = usual_teachers(n_rows, classes.size, mu, task.pool_size())
        n_queries = self.n_queries
        if isinstance(n_queries, str):
            wanted = usual_queries(n_teachers, classes.size, mu)
            # About half of them will be answered.
            wanted *= 2 if self.confident else 1
            n_queries = min(wanted, task.pool_size())
        pool_seed, student_seed = public_seeds(self.random_state, 2)
        queries = task.public_rows(n_queries, np.random.default_rng(pool_seed))
        teachers = Teachers(
            self._teacher(),
            task.rows,
            y,
            queries,
            classes,
            n_jobs=self.n_jobs,
            keep=self.store_teachers,
        )
        votes = release.solve(
            VOTES,
            len(y),
            teachers.cast,
            n_teachers=n_teachers,
            n_queries=n_queries,
            n_classes=classes.size,
        )
        self.classes_ = classes
        self.n_teachers_ = int(n_teachers)
        self.n_queries_ = int(n_queries)
        self.n_answered_ = int(votes.queries.size)
        rows = take(queries, votes.queries)
        if self.soft_labels:
            noise_scale = np.ravel(release.noise_scales[VOTES])[-1]
            self.student_ = fit_soft_student(
                self._student(),
                rows,
                softmax(votes.counts / noise_scale, axis=1),
                classes,
                student_seed,
            )
        else:
            labels = classes[votes.labels()]
            self.student_ = fit_student(self._student(), rows, labels, student_seed)
        if self.store_teachers:
            self.teachers_ = teachers.kept


def usual_teachers(n_rows: int | None, n_classes: int, mu: float, n_public: int) -> int:
    """Return a number of teachers, from public numbers alone.

    Teachers get some 15 to 50 rows each, or more where fewer teachers are enough to label
    `ENOUGH_QUERIES` of the public rows.
    """
    most = USUAL_TEACHERS
    if n_rows is not None:
        most = n_rows // int(np.clip(100 // n_classes, 15, 50))
    n_queries = min(n_public, ENOUGH_QUERIES)
    needed = math.sqrt(2 * n_queries) / mu * NOISE_BESIDE_LEAD / usual_lead(n_classes)
    return int(np.clip(min(most, needed), FEWEST_TEACHERS, MOST_TEACHERS))


def usual_queries(n_teachers: int, n_classes: int, mu: float) -> int:
    """Return how many queries have noise that usual majorities are seen above."""
    most = (usual_lead(n_classes) * n_teachers * mu / NOISE_BESIDE_LEAD) ** 2 / 2
    return max(FEWEST_QUERIES, int(min(most, 1e6)))


def usual_lead(n_classes: int) -> float:
    """Return the part of the teachers by which a winner is taken to lead."""
    return 0.8 * math.sqrt(2 / n_classes)
