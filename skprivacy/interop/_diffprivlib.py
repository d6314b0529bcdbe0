"""diffprivlib's models as steps of our pipelines, charged to our ledger.

A diffprivlib model carries its own accountant, which scikit-learn's `clone` copies: the
copies' spends are lost (each of cross-validation, search and a cached pipeline loses
some). `DiffprivlibEstimator` charges a `PrivacyAccountant` before the model sees a row
and gives the model a throw-away accountant of its own.

What is charged is the model's claim: pure epsilon, the adjacency not stated. For each
model there is a known gap between the claim and the code (`UNPROVEN`), so the wrapper
refuses to fit unless asked to take the claim as it is, and then says so in the ledger.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from ..accounting import Adjacency, PrivacyLoss, gdp_mu, pure_epsilon
from ..exceptions import PrivacyError
from ..ledger import PrivacyAccountant, Receipt
from ..mechanisms import Mechanism
from ..plan import Facts, Plan
from ._loading import load_diffprivlib

UNPROVEN: dict[str, str] = {
    "DecisionTreeClassifier": "choosing a leaf's label costs 2 epsilon under replace-one",
    "GaussianNB": "the exact number of rows and the exact list of classes are released",
    "KMeans": "exact labels and inertia are kept as attributes",
    "LinearRegression": "without intercept the diagonal of the moments is released exactly",
    "LogisticRegression": "the sensitivity uses data_norm where its square is needed",
    "PCA": "the exact number of rows is released",
    "RandomForestClassifier": "no single adjacency fits both of its steps",
    "StandardScaler": "the exact number of rows is released",
}
"""Why the claim of each model is not taken at its word (version 0.6.6)."""

CLAIM = "pure epsilon, as claimed, adjacency unstated"


@dataclass(frozen=True, kw_only=True)
class ClaimedRelease(Mechanism):
    """A release by other code, at the pure epsilon which that code claims.

    Parameters
    ----------
    name : str
        What is released.
    share : float, default=1.0
        Part of the plan's budget.
    noise_multiplier : float, default=None
        One over epsilon.
    """

    noise: ClassVar[str] = "as claimed"
    kind: ClassVar[str] = "external"

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the loss of the claimed pure epsilon."""
        return PrivacyLoss.pure(1.0 / self.calibrated_noise())

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 1 / epsilon."""
        if epsilon is None:
            if mu is None:
                raise ValueError("Give one of mu and epsilon.")
            epsilon = pure_epsilon(mu)
        return 1.0 / epsilon

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Say that the sensitivity is the other code's business."""
        return "as claimed, adjacency unstated"


def _delegate(name: str) -> Any:
    return available_if(lambda self: hasattr(self.estimator, name))


class DiffprivlibEstimator(BaseEstimator):
    """A model of diffprivlib under a `PrivacyAccountant`.

    Parameters
    ----------
    estimator : estimator of diffprivlib.models
        The model. It is cloned; its own accountant is not used.
    epsilon : float, default=None
        Budget of a fit. None: the `epsilon` of the model.
    delta : float, default=0.0
        With 0 the model runs at `epsilon`. Else at the pure epsilon whose price in the
        ledger is that of (`epsilon`, `delta`), which an accountant allocates; a ceiling
        with delta 0 gives such models several times as much.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    claims : {"refuse", "as-claimed"}, default="refuse"
        Whether to refuse models whose claim is unproven, or to take the claim as it is,
        for comparisons. The entry in the ledger then names the gap.

    Attributes
    ----------
    estimator_ : estimator
        The fitted model.
    privacy_ : Receipt
        What the fit claims to have cost.

    See Also
    --------
    diffprivlib_model : Construct a model that runs with the installed scikit-learn.

    Notes
    -----
    The guarantee is diffprivlib's claim, not ours: pure epsilon, the adjacency not
    stated, floating-point noise.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skprivacy import PrivacyAccountant
    >>> from skprivacy.interop import DiffprivlibEstimator, diffprivlib_model
    >>> X, y = load_iris(return_X_y=True)
    >>> accountant = PrivacyAccountant(epsilon=2.0)
    >>> model = diffprivlib_model("GaussianNB", epsilon=1.0, bounds=(0, 8), random_state=0)
    >>> model = DiffprivlibEstimator(model, accountant=accountant, claims="as-claimed")
    >>> _ = model.fit(X, y)
    >>> len(accountant.entries)
    1
    """

    def __init__(
        self,
        estimator: Any,
        *,
        epsilon: float | None = None,
        delta: float = 0.0,
        accountant: PrivacyAccountant | None = None,
        claims: str = "refuse",
    ) -> None:
        self.estimator = estimator
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.claims = claims

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, without the accountant of the wrapped model.

        Parameters
        ----------
        deep : bool, default=True
            Whether the model's parameters are returned too.

        Returns
        -------
        dict
            Parameter names and values. The wrapped model's own accountant is not among
            them, so that binding an accountant to a pipeline doesn't reach it.
        """
        params = super().get_params(deep=deep)
        params.pop("estimator__accountant", None)
        return params

    def plan(self, facts: Facts | None = None) -> Plan:
        """Return the priced plan of a fit: the model's claim.

        Parameters
        ----------
        facts : Facts, default=None
            Public facts; only their adjacency is used, and the claim does not state one.

        Returns
        -------
        Plan
            One release of the claimed pure epsilon.
        """
        name = type(self.estimator).__name__
        adjacency = self._adjacency() if facts is None else facts.adjacency
        gap = UNPROVEN.get(name, "none found")
        release = ClaimedRelease(name=f"diffprivlib {name}")
        return Plan(
            mechanisms=(release.calibrate(adjacency, epsilon=self._pure_epsilon()),),
            adjacency=adjacency,
            source=f"diffprivlib.{name}",
            assumptions=(f"The claim of diffprivlib's {name} holds ({CLAIM}). Known gap: {gap}.",),
            reproducible=getattr(self.estimator, "random_state", None) is not None,
        )

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        """Charge the accountant, then fit a clone of the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Target.
        **fit_params
            Passed on to the model.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        PrivacyError
            If the model's claim is unproven and `claims` is "refuse".
        BudgetExceededError
            If the accountant's ceiling doesn't admit the charge.
        """
        if self.claims not in {"refuse", "as-claimed"}:
            raise ValueError(
                f"claims must be 'refuse' or 'as-claimed'. Got {self.claims!r} instead."
            )
        name = type(self.estimator).__name__
        if self.claims == "refuse" and name in UNPROVEN:
            raise PrivacyError(
                f"The epsilon that diffprivlib's {name} claims is unproven: {UNPROVEN[name]}. "
                "Use the estimator of skprivacy, or claims='as-claimed' to compare with it."
            )
        plan = self.plan()
        own = load_diffprivlib().BudgetAccountant()
        model = clone(self.estimator).set_params(accountant=own, epsilon=self._pure_epsilon())
        entry = None if self.accountant is None else self.accountant.spend(plan)
        try:
            self.estimator_ = model.fit(X, **({} if y is None else {"y": y}), **fit_params)
        except BaseException as error:
            if self.accountant is not None and entry is not None:
                self.accountant.fail(entry.uid, type(error).__name__)
            raise
        self._charge_excess(own, plan)
        self.privacy_ = Receipt.from_plan(
            plan, delta=self.delta, entry_uid=None if entry is None else entry.uid, noise_scales={}
        )
        return self

    def _charge_excess(self, own: Any, plan: Plan) -> None:
        """Charge what the model's own accountant saw beyond the plan."""
        epsilon, delta = own.total()
        planned = self._pure_epsilon()
        if self.accountant is None or (epsilon <= planned * (1 + 1e-9) and delta == 0):
            return
        excess = max(float(epsilon) - planned, 0.0)
        self.accountant.spend(
            PrivacyLoss.approximate(excess, float(delta)), source=f"{plan.source} (excess)"
        )

    def _pure_epsilon(self) -> float:
        epsilon = float(self.estimator.epsilon if self.epsilon is None else self.epsilon)
        return epsilon if self.delta == 0 else pure_epsilon(gdp_mu(epsilon, self.delta))

    def _adjacency(self) -> Adjacency:
        return "add-remove" if self.accountant is None else self.accountant.adjacency

    @_delegate("predict")
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the fitted model."""
        return self.estimator_.predict(X)

    @_delegate("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities with the fitted model."""
        return self.estimator_.predict_proba(X)

    @_delegate("predict_log_proba")
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of class probabilities with the fitted model."""
        return self.estimator_.predict_log_proba(X)

    @_delegate("decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores of the fitted model."""
        return self.estimator_.decision_function(X)

    @_delegate("transform")
    def transform(self, X: Any) -> np.ndarray:
        """Transform with the fitted model."""
        return self.estimator_.transform(X)

    @_delegate("score")
    def score(self, X: Any, y: Any = None) -> float:
        """Score the fitted model."""
        return self.estimator_.score(X, y)

    @property
    def classes_(self) -> np.ndarray:
        """Classes that the fitted model knows."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in the fit."""
        return self.estimator_.n_features_in_

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)

    def __reduce__(self) -> Any:
        # A worker process that unpickles the model must import diffprivlib our way first.
        return _new_after_loading, (type(self),), self.__getstate__()


def _new_after_loading(cls: type[DiffprivlibEstimator]) -> DiffprivlibEstimator:
    load_diffprivlib()
    return cls.__new__(cls)


def read_budget_accountant(accountant: Any) -> list[PrivacyLoss]:
    """Read the spends of a diffprivlib `BudgetAccountant`.

    Parameters
    ----------
    accountant : diffprivlib.BudgetAccountant
        Its list of spends is read. Its slack, which belongs to its way of composing, is
        not used.

    Returns
    -------
    list of PrivacyLoss
        One for each spend, as claimed: charge them with ``accountant.spend``.

    Examples
    --------
    >>> from skprivacy.interop import load_diffprivlib, read_budget_accountant
    >>> theirs = load_diffprivlib().BudgetAccountant(spent_budget=[(0.5, 0.0), (1.0, 1e-6)])
    >>> [loss.epsilon for loss in read_budget_accountant(theirs)]
    [0.5, inf]
    """
    return [_claimed_loss(float(eps), float(delta)) for eps, delta in accountant.spent_budget]


def _claimed_loss(epsilon: float, delta: float) -> PrivacyLoss:
    if math.isinf(epsilon):
        return PrivacyLoss.none()
    return PrivacyLoss.pure(epsilon) if delta == 0 else PrivacyLoss.approximate(epsilon, delta)
