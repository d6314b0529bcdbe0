"""Soft labels for students that were made for hard ones.

A classifier of scikit-learn takes one class a row. A soft label is then a row that
appears once for each class, weighted by the class's probability; where a classifier
takes no weights either, it appears ten times, the classes in proportion. A regressor with
several outputs takes the probabilities as they are.
"""

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import is_regressor
from sklearn.utils.validation import has_fit_parameter

from ._public import take
from ._students import fit_student, seeded

N_COPIES = 10


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities proportional to p^(1 / temperature)."""
    logs = np.log(np.clip(probabilities, 1e-300, None)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_soft_student(
    student: Any, rows: Any, probabilities: np.ndarray, classes: np.ndarray, seed: int
) -> Any:
    """Return a student fitted on public rows and class probabilities.

    Parameters
    ----------
    student : classifier or regressor
    rows : array or data frame of shape (n_rows, n_features)
    probabilities : array of shape (n_rows, n_classes)
    classes : array of shape (n_classes,)
    seed : int
    """
    if is_regressor(student):
        return seeded(student, seed).fit(rows, probabilities)
    keyword = weight_keyword(student)
    if keyword is None:
        copies = apportioned(probabilities, N_COPIES)
        index, code = np.divmod(np.repeat(np.arange(copies.size), copies.ravel()), classes.size)
        return fit_student(student, take(rows, index), classes[code], seed)
    index, code = np.nonzero(probabilities)
    weights = probabilities[index, code]
    if np.unique(code).size == 1:
        return fit_student(student, take(rows, index), classes[code], seed)
    return seeded(student, seed).fit(take(rows, index), classes[code], **{keyword: weights})


def weight_keyword(student: Any) -> str | None:
    """Return the keyword by which `fit` takes sample weights, or None if it takes none."""
    if has_fit_parameter(student, "sample_weight"):
        return "sample_weight"
    steps = getattr(student, "steps", None)
    # With metadata routing a step's parameters can't be passed by its name.
    if steps and not get_config()["enable_metadata_routing"]:
        name, last = steps[-1]
        if has_fit_parameter(last, "sample_weight"):
            return f"{name}__sample_weight"
    return None


def apportioned(probabilities: np.ndarray, n_copies: int) -> np.ndarray:
    """Return how many of `n_copies` of each row go to each class: largest remainders."""
    ideal = probabilities * n_copies
    copies = np.floor(ideal).astype(np.int64)
    missing = n_copies - copies.sum(axis=1, keepdims=True)
    order = np.argsort(copies - ideal, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    return copies + (rank < missing)
