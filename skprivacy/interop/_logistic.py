"""diffprivlib's logistic regression under scikit-learn 1.8 and SciPy 1.18.

It fails there in two places that have nothing to do with privacy. Its constructor passes
``multi_class="ovr"`` on to scikit-learn's, which is gone; training is diffprivlib's own
code and does not read that parameter, but multiclass probabilities did, in scikit-learn:
without it they would come from a softmax over scores that were trained one against the
rest. So the subclass sets the parameters itself and normalises the probabilities as
scikit-learn did for "ovr". And its training passes ``iprint``, how much the solver shall
print, to SciPy's L-BFGS, which is gone too; it is left out.

Importing this module imports diffprivlib.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import expit
from sklearn import linear_model

from ._loading import load_diffprivlib

_diffprivlib = load_diffprivlib()


def _quiet_l_bfgs(func: Any, x0: np.ndarray, *, iprint: int, **options: Any) -> Any:  # noqa: ARG001
    return optimize.fmin_l_bfgs_b(func, x0, **options)


_diffprivlib.models.logistic_regression.optimize = SimpleNamespace(fmin_l_bfgs_b=_quiet_l_bfgs)


class LogisticRegression(_diffprivlib.models.LogisticRegression):  # type: ignore[name-defined]
    """diffprivlib.models.LogisticRegression without the ``multi_class`` parameter.

    Parameters, training and guarantee are those of diffprivlib's class.
    """

    def __init__(
        self,
        *,
        epsilon: float = 1.0,
        data_norm: float | None = None,
        tol: float = 1e-4,
        C: float = 1.0,
        fit_intercept: bool = True,
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        accountant: Any = None,
    ) -> None:
        # The constructor of the class between, which is the one that fails, is left out.
        linear_model.LogisticRegression.__init__(
            self,
            tol=tol,
            C=C,
            fit_intercept=fit_intercept,
            random_state=random_state,
            solver="lbfgs",
            max_iter=max_iter,
            verbose=verbose,
            warm_start=warm_start,
            n_jobs=n_jobs,
        )
        self.epsilon = epsilon
        self.data_norm = data_norm
        self.classes_ = None
        self.accountant = _diffprivlib.BudgetAccountant.load_default(accountant)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, one against the rest, normalised."""
        positive = expit(self.decision_function(X))
        if positive.ndim == 1:
            return np.column_stack([1 - positive, positive])
        return positive / positive.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))
