"""Small data sets that fit any estimator, made from what its tags say.

The rows are fixed and unremarkable: three columns of standard normal values, two classes
or a bounded target. What matters is how two data sets differ. `neighbour` and `longer`
make the pairs that differential privacy speaks of, `nudged` moves every value by a
millionth, which no statistic under noise can show and every exact one does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from ..accounting import Adjacency, PrivacyLoss
from ..ledger import PrivacyAccountant
from ..plan import Facts

SMALL, LARGE, LARGER = 60, 1237, 1291
"""Numbers of rows; the larger two are numbers that nothing else is likely to be."""

N_COLUMNS = 3
NUDGE = 1e-6
FAR = 1e3


@dataclass(frozen=True)
class Problem:
    """Rows and what goes with them.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
    y : array of shape (n_rows,) or None
        Labels or target, where the estimator needs them.
    sample_weight : array of shape (n_rows,) or None
    allow_nan : bool
        Whether NaN is a value that the estimator takes.
    """

    X: np.ndarray
    y: np.ndarray | None
    sample_weight: np.ndarray | None = None
    allow_nan: bool = False

    @classmethod
    def for_estimator(cls, estimator: Any, n_rows: int = SMALL) -> Self:
        """Return rows that `estimator` can be fitted on."""
        tags = get_tags(estimator)
        rng = np.random.default_rng(20240229)
        X = rng.normal(size=(n_rows, N_COLUMNS))
        score = X[:, 0] - X[:, 1] / 2 + rng.normal(scale=0.5, size=n_rows)
        if tags.input_tags.positive_only:
            X = np.abs(X)
        if is_classifier(estimator):
            declared = declared_classes(estimator)
            labels = np.array([0, 1]) if declared is None else declared[:2]
            y: np.ndarray | None = labels[(score > 0).astype(int)]
        else:
            y = np.tanh(score) if tags.target_tags.required else None
        return cls(X, y, allow_nan=tags.input_tags.allow_nan)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    def fit(self, estimator: Any) -> Any:
        """Fit `estimator` on the rows and return what `fit` returns."""
        options = {} if self.sample_weight is None else {"sample_weight": self.sample_weight}
        if self.y is None:
            return estimator.fit(self.X, **options)
        return estimator.fit(self.X, self.y, **options)

    def facts(self, estimator: Any, adjacency: Adjacency = "add-remove") -> Facts:
        """Return what a fit on these rows knows before it pays."""
        classes = None
        if is_classifier(estimator):
            classes = declared_classes(estimator)
            if classes is None and self.y is not None:
                classes = np.unique(self.y)
        return Facts(
            adjacency=adjacency,
            n_features=self.X.shape[1],
            classes=None if classes is None else tuple(classes),
            n_rows=self.n_rows if adjacency == "replace-one" else None,
        )

    def nudged(self) -> Self:
        """Return the rows with every value larger by a millionth."""
        return replace(self, X=self.X * (1 + NUDGE))

    def neighbour(self) -> Self:
        """Return the rows with the first one replaced by an extreme one."""
        X = self.X.copy()
        X[0] = FAR * np.arange(1, X.shape[1] + 1)
        if self.allow_nan:
            X[0, -1] = np.nan
        y = self.y
        if y is not None:
            y = y.copy()
            # Another label that the rest has too, or the other end of the target.
            y[0] = -np.sign(y[0]) if y.dtype.kind == "f" else y[np.flatnonzero(y != y[0])[0]]
        return replace(self, X=X, y=y)

    def longer(self) -> Self:
        """Return the rows with one more, the mean of all."""
        X = np.concatenate([self.X, self.X.mean(axis=0, keepdims=True)])
        y = None if self.y is None else np.append(self.y, self.y[:1])
        return replace(self, X=X, y=y)

    def head(self, n_rows: int) -> Self:
        """Return the first rows."""
        return replace(self, X=self.X[:n_rows], y=None if self.y is None else self.y[:n_rows])


def parameters(estimator: Any) -> Mapping[str, Any]:
    """Return an estimator's own parameters."""
    return dict(estimator.get_params(deep=False))


def declared_classes(estimator: Any) -> np.ndarray | None:
    """Return the class labels that an estimator was told of, if it was."""
    declared = parameters(estimator).get("classes")
    return None if declared is None else np.unique(np.asarray(declared))


def prepared(
    estimator: Any, accountant: PrivacyAccountant | None = None, seed: Any = None, **changes: Any
) -> Any:
    """Return an unfitted copy with this accountant, random state and other parameters.

    A random state is left out where the estimator has none.
    """
    copied = clone(estimator)
    if "random_state" in parameters(copied):
        changes["random_state"] = seed
    return copied.set_params(accountant=accountant, **changes)


def has_random_state(estimator: Any) -> bool:
    """Whether noise can be made reproducible."""
    return "random_state" in parameters(estimator)


def is_supervised(estimator: Any) -> bool:
    """Whether `fit` needs a target."""
    return is_classifier(estimator) or is_regressor(estimator)


def takes_weights(estimator: Any) -> bool:
    """Whether `fit` takes sample weights."""
    return bool(has_fit_parameter(estimator, "sample_weight"))


def is_unprotected(estimator: Any) -> bool:
    """Whether an estimator has ``epsilon=None`` and says that its price is infinite."""
    if parameters(estimator).get("epsilon", 1.0) is not None:
        return False
    facts = Problem.for_estimator(estimator).facts(estimator)
    return bool(prepared(estimator).plan(facts).loss == PrivacyLoss.none())


def smaller_budget(estimator: Any, most: float) -> float | None:
    """Return an estimator's epsilon, or `most` if that is smaller; None without a guarantee."""
    return None if is_unprotected(estimator) else min(float(estimator.epsilon), most)


def is_free(estimator: Any, problem: Problem) -> bool:
    """Whether a fit releases nothing about the rows, so that there is nothing to charge."""
    return not prepared(estimator).plan(problem.facts(estimator)).mechanisms
