"""Which labels there are, and what becomes of rows with others.

The labels are a public fact of a private fit: declared, by the parameter `classes` or in a call
of `partial_fit`, or taken from the rows, and then the receipt says so. A label that is not
declared is a mistake worth an error, which stops the fit before anything is charged. But that
error tells that some row has such a label. Where nobody may learn even that,
``unknown_labels="ignore"`` gives these rows weight 0. Whether a row counts is then a function
of the row alone, and no row counts for more than before: all sensitivities stay what they are.
"""

from typing import Any

import numpy as np
from scipy import sparse


def check_declared(declared: Any, name: str) -> np.ndarray:
    """Return declared classes, sorted.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    classes = np.unique(np.asarray(declared))
    if classes.size < 2:
        raise ValueError(
            f"The 'classes' parameter of {name} must name at least 2 different classes. "
            f"Got {declared!r} instead."
        )
    return classes


def check_found(y: Any, classes: np.ndarray) -> None:
    """Raise a ValueError if there are labels that are not among the classes."""
    if not np.isin(np.unique(y), classes).all():
        raise ValueError(
            "y has labels that the 'classes' parameter does not declare. Declare every label that "
            "can occur."
        )


def found_classes(y: Any, name: str) -> np.ndarray:
    """Return the labels in `y`, at least two."""
    found = np.unique(y)
    if found.size < 2:
        raise ValueError(
            f"{name} needs samples of at least 2 classes, but the data has 1 class only. Declare "
            "all classes with the parameter 'classes'."
        )
    return found


def known_labels(y: Any, classes: np.ndarray) -> tuple[Any, Any]:
    """Return labels among the classes, and which of the given ones were.

    Each label is looked at by itself, as it was given: an array made of a list would turn all
    labels into text if one of them is. Those of unknown kinds, missing ones too, are unknown.

    Returns
    -------
    labels : array like `y`
        Any class stands in for an unknown label.
    known : array of bool
        Both are `y` and None if `y` is no column of labels; validation says so then.
    """
    if y is None or sparse.issparse(y):
        return y, None
    labels = y if isinstance(y, np.ndarray) else _one_by_one(y)
    if labels.ndim not in {1, 2}:
        return y, None
    flat = labels.reshape(-1)
    if flat.dtype.kind in "biuf" and classes.dtype.kind in "biuf":
        places = np.minimum(np.searchsorted(classes, flat), classes.size - 1)
        known = classes[places] == flat
    else:
        # Labels of several kinds can't be put in an order.
        number = {label: index for index, label in enumerate(classes.tolist())}
        places = np.array([_place(label, number) for label in flat.tolist()], dtype=np.intp)
        known = places >= 0
    return classes[np.where(known, places, 0)].reshape(labels.shape), known


def _one_by_one(y: Any) -> np.ndarray:
    if isinstance(y, list | tuple):
        labels = np.empty(len(y), dtype=object)
        labels[:] = y
        return labels
    of_one_kind = isinstance(getattr(y, "dtype", None), np.dtype)
    return np.asarray(y, dtype=None if of_one_kind else object)


def _place(label: Any, number: dict[Any, int]) -> int:
    try:
        return number.get(label, -1)
    except TypeError:  # it can't be a class
        return -1


def without_unknown(
    sample_weight: np.ndarray | None, known: np.ndarray | None, n_rows: int
) -> np.ndarray | None:
    """Return weights, 0 for rows whose label is not known.

    There are weights in any case: whether there was an unknown label leaves no trace.
    """
    weights = np.ones(n_rows) if sample_weight is None else sample_weight
    return weights if known is None else np.where(known, weights, 0.0)
