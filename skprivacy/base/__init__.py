"""The contract of every private estimator.

`DPEstimator` owns the order of events in a fit: validate parameters and the data's
form, price the plan from public facts, charge the ledger in one transaction, and
only then let the subclass touch values. A subclass writes two methods: `_mechanisms`
says what will be released and with which shares of the budget, `_fit` computes on
the rows and gets results out through a `Release` alone.

>>> import numpy as np
>>> from skprivacy.base import DPEstimator
>>> from skprivacy.mechanisms import GaussianSum
>>> class DPMeanVector(DPEstimator):
...     def fit(self, X, y=None):
...         return self._private_fit(X, y)
...
...     def _mechanisms(self, facts):
...         return [GaussianSum(name="sum", share=0.9), GaussianSum(name="count", share=0.1)]
...
...     def _fit(self, X, y, sample_weight, release):
...         total = release.sum("sum", X)  # each row is clipped to norm 1
...         count = release.sum("count", np.ones((X.shape[0], 1)))
...         self.mean_ = total / max(float(count[0]), 1.0)
>>> model = DPMeanVector(epsilon=1.0, delta=1e-6, random_state=0).fit(np.full((500, 2), 0.5))
>>> model.mean_.round(1)
array([0.5, 0.5])
>>> round(model.privacy_.epsilon, 6)
1.0
"""

from ._calibration import DELTA0_PART, SAFETY, calibrate
from ._classifier import ProbabilityMixin, ScoreMixin
from ._estimator import NO_GUARANTEE, SCALE, UNPROTECTED, DPEstimator
from ._release import Release

__all__ = [
    "DELTA0_PART",
    "NO_GUARANTEE",
    "SAFETY",
    "SCALE",
    "UNPROTECTED",
    "DPEstimator",
    "ProbabilityMixin",
    "Release",
    "ScoreMixin",
    "calibrate",
]
