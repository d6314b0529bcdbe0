"""interpret's private explainable boosting machine as a pipeline of the benchmark.

H. Nori, R. Caruana, Z. Bu, J. H. Shen and J. Kulkarni (2021), Accuracy, Interpretability, and
Differential Privacy via Explainable Boosting, ICML. The model claims (epsilon, delta) by the
composition of Gaussian mechanisms, so its fit is charged that mu, as claimed. It is imported
when it is fitted; the package is not needed for anything else.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from ..accounting import Adjacency, PrivacyLoss, gdp_mu
from ..ledger import PrivacyAccountant, Receipt
from ..mechanisms import Mechanism
from ..plan import Facts, Plan

CLAIM_OF_INTERPRET = "(epsilon, delta) by Gaussian composition, as claimed, adjacency unstated"


@dataclass(frozen=True, kw_only=True)
class ClaimedGaussian(Mechanism):
    """A release by other code, at the mu which that code claims."""

    name: str
    share: float = 1.0
    noise: ClassVar[str] = "as claimed"
    kind: ClassVar[str] = "external"

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the loss of the claimed mu."""
        return PrivacyLoss.gaussian(1.0, self.calibrated_noise())

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return 1 / mu."""
        if mu is None:
            raise ValueError("The claim is one of Gaussian composition: give mu.")
        return 1.0 / mu

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Say that the sensitivity is the other code's business."""
        return "as claimed, adjacency unstated"


class InterpretEBM(BaseEstimator):
    """A private explainable boosting machine on numbers and codes of categories.

    Parameters
    ----------
    epsilon, delta : float
        Budget of a fit.
    accountant : PrivacyAccountant, default=None
        Charged before the fit.
    random_state : int, default=None
        Seed of the noise.
    bounds : (low, high)
        Public bounds of the columns, one number a column.
    n_categories : array of int of shape (n_features,)
        Numbers of categories; 0 for a column of numbers. Missing is one more category.
    regression : bool, default=False
        Whether the target is a number.
    target_bounds : (float, float), default=None
        Public range of a numeric target.
    """

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: int | None = None,
        *,
        bounds: Any = None,
        n_categories: Any = None,
        regression: bool = False,
        target_bounds: tuple[float, float] | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.delta = delta
        self.accountant = accountant
        self.random_state = random_state
        self.bounds = bounds
        self.n_categories = n_categories
        self.regression = regression
        self.target_bounds = target_bounds

    def plan(self, facts: Facts | None = None) -> Plan:
        """Return the price of a fit: the model's claim."""
        adjacency: Adjacency = "add-remove"
        if facts is not None:
            adjacency = facts.adjacency
        elif self.accountant is not None:
            adjacency = self.accountant.adjacency
        release = ClaimedGaussian(name="interpret's boosting machine")
        return Plan(
            mechanisms=(release.calibrate(adjacency, mu=gdp_mu(self.epsilon, self.delta)),),
            adjacency=adjacency,
            source="interpret.DPExplainableBoosting",
            assumptions=(f"The claim of interpret holds ({CLAIM_OF_INTERPRET}).",),
            reproducible=self.random_state is not None,
        )

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Charge the accountant, then fit the model."""
        from interpret.privacy import (
            DPExplainableBoostingClassifier,
            DPExplainableBoostingRegressor,
        )

        names = [f"column {j}" for j in range(X.shape[1])]
        low, high = self.bounds
        common: dict[str, Any] = {
            "feature_names": names,
            "feature_types": [
                [str(code) for code in range(k + 1)] if k else "continuous"
                for k in self.n_categories
            ],
            "privacy_bounds": {
                name: (float(low[j]), float(high[j]))
                for j, name in enumerate(names)
                if not self.n_categories[j]
            },
            "epsilon": self.epsilon,
            "delta": self.delta,
            "random_state": self.random_state,
            "n_jobs": 1,
        }
        if self.regression:
            lowest, highest = self.target_bounds or (None, None)
            model = DPExplainableBoostingRegressor(
                privacy_target_min=lowest, privacy_target_max=highest, **common
            )
        else:
            model = DPExplainableBoostingClassifier(**common)
        plan = self.plan()
        entry = None if self.accountant is None else self.accountant.spend(plan)
        try:
            self.estimator_ = model.fit(self._table(X), y)
        except BaseException as error:
            if self.accountant is not None and entry is not None:
                self.accountant.fail(entry.uid, type(error).__name__)
            raise
        self.privacy_ = Receipt.from_plan(
            plan, delta=self.delta, entry_uid=None if entry is None else entry.uid, noise_scales={}
        )
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the model's predictions."""
        return np.asarray(self.estimator_.predict(self._table(X)))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the model's probabilities."""
        return np.asarray(self.estimator_.predict_proba(self._table(X)))

    def _table(self, X: np.ndarray) -> np.ndarray:
        """Return rows with codes as text, which interpret takes for categories."""
        table = X.astype(object)
        for j in np.flatnonzero(np.asarray(self.n_categories)):
            table[:, j] = X[:, j].astype(int).astype(str)
        return table
