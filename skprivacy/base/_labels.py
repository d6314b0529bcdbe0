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


def without_unknown(
    y: np.ndarray, sample_weight: np.ndarray | None, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels among the classes, and weights, 0 for rows whose label was another.

    There are weights in any case: whether there was another label leaves no trace.
    """
    if y.dtype.kind in "biuf" and classes.dtype.kind in "biuf":
        places = np.minimum(np.searchsorted(classes, y), classes.size - 1)
        known = classes[places] == y
    else:
        # Labels of several kinds can't be put in an order.
        place = {label: index for index, label in enumerate(classes.tolist())}
        places = np.array([place.get(label, -1) for label in y.tolist()], dtype=np.intp)
        known = places >= 0
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    return classes[np.where(known, places, 0)], np.where(known, weights, 0.0)
