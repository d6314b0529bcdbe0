"""Small data for contract checks, made to fit the estimator's tags."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import get_tags


class Rows(NamedTuple):
    """Rows of a check, and how to fit an estimator on them."""

    X: np.ndarray
    y: np.ndarray | None

    def fit(self, estimator: Any, **options: Any) -> Any:
        """Fit `estimator`, with `y` if it has one."""
        if self.y is None:
            return estimator.fit(self.X, **options)
        return estimator.fit(self.X, self.y, **options)


def make_rows(estimator: Any, n_rows: int = 300, n_columns: int = 3, seed: int = 0) -> Rows:
    """Return rows that `estimator` can be fitted on.

    Parameters
    ----------
    estimator : estimator
    n_rows, n_columns : int
    seed : int
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    if get_tags(estimator).input_tags.positive_only:
        X = np.abs(X)
    if is_classifier(estimator):
        y = (X[:, 0] + 0.5 * rng.normal(size=n_rows) > 0).astype(int)
        y[:2] = 0, 1
        return Rows(X, y)
    if get_tags(estimator).target_tags.required:
        return Rows(X, X[:, 0] + 0.5 * rng.normal(size=n_rows))
    return Rows(X, None)


def released_arrays(estimator: Any) -> dict[str, np.ndarray]:
    """Return the fitted attributes that are arrays of floats."""
    found = {}
    for name, value in vars(estimator).items():
        if name.endswith("_") and not name.startswith("_"):
            values = value if isinstance(value, (tuple, list)) else [value]
            for number, one in enumerate(values):
                array = np.asarray(one) if isinstance(one, (np.ndarray, float)) else None
                if array is not None and array.dtype.kind == "f":
                    found[f"{name}[{number}]"] = array
    return found
