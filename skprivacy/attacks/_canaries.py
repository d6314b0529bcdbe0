"""Canaries: pairs of neighbouring data sets that make an algorithm show what it can leak.

An audit sees no more than its pair of neighbours lets through. For a released statistic with
a proved sensitivity the pair's share is

    ||statistic(D) - statistic(D')|| / sensitivity,

and a bound on mu stops at that share of the claim however many runs are made. Rows of real
data use little of it. Three constructions, for the learning of linear classifiers, go
further, and the best known is less than all:

*flipped label*: a real row with another label. The row's direction is shared with others,
whose curvature holds the coefficients back.

*orthogonal*: a row in a direction of its own with a label of choice, so that nothing holds it
back but the regularisation. At margin 0 it pulls with half its weight.

*saturated*: two rows that the fitted model gets wrong by a large margin, so that both pull
with nearly all their weight, in opposite directions of a column of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from ..accounting import Adjacency, check_adjacency
from ._rows import check_rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Canary:
    """Two neighbouring data sets.

    Parameters
    ----------
    D, D_neighbour : tuple of (X, y)
        The data sets; the canary is the last row of `D`.
    kind : str
        How it was made.
    adjacency : {"add-remove", "replace-one"}
        Whether the neighbour lacks the canary or has another row in its place.
    """

    D: tuple[Any, Any] = field(repr=False)
    D_neighbour: tuple[Any, Any] = field(repr=False)
    kind: str
    adjacency: Adjacency

    def share(self, statistic: Callable[[Any, Any], ArrayLike], sensitivity: float) -> float:
        """Return which part of a proved sensitivity the pair reaches.

        Parameters
        ----------
        statistic : callable
            ``statistic(X, y)`` returns what is released, without noise.
        sensitivity : float
            Its proved sensitivity in the Euclidean norm, for this adjacency.

        Returns
        -------
        float
            More than 1 refutes the proof. Less limits what an audit with this pair can see.

        Raises
        ------
        ValueError
            If `sensitivity` is not positive.
        """
        if not sensitivity > 0:
            raise ValueError(f"sensitivity must be positive. Got {sensitivity!r} instead.")
        one, other = (
            np.asarray(statistic(*data), dtype=float).ravel() for data in (self.D, self.D_neighbour)
        )
        return float(np.linalg.norm(one - other) / sensitivity)


def flipped_label_canary(
    X: ArrayLike, y: ArrayLike, *, row: int | None = None, adjacency: Adjacency = "add-remove"
) -> Canary:
    """Make a canary of a real row with another label.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows.
    y : array-like of shape (n_rows,)
        Labels of at least two classes.
    row : int, default=None
        Which row. None: the one of largest norm.
    adjacency : {"add-remove", "replace-one"}, default="add-remove"
        "add-remove": the neighbour lacks the row; "replace-one": it has it with its label.

    Returns
    -------
    Canary
        The pair.

    Raises
    ------
    ValueError
        If the rows have a wrong form or one class only.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import flipped_label_canary
    >>> canary = flipped_label_canary(np.eye(3), [0, 1, 1], row=2)
    >>> canary.D[1], canary.D_neighbour[1]
    (array([0, 1, 0]), array([0, 1]))
    """
    X, y, classes = _checked(X, y, adjacency)
    chosen = int(np.argmax(np.linalg.norm(X, axis=1))) if row is None else range(len(y))[row]
    others = np.delete(np.arange(y.size), chosen)
    flipped = _other_class(classes, y[chosen])
    return _pair(
        X[others],
        y[others],
        (X[chosen], flipped),
        (X[chosen], y[chosen]),
        "flipped label",
        adjacency,
    )


def orthogonal_canary(
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: float = 1.0,
    label: Any = None,
    adjacency: Adjacency = "add-remove",
) -> Canary:
    """Make a canary in a direction that no other row has.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows; if they fill all directions, a column of zeros is appended for the canary.
    y : array-like of shape (n_rows,)
        Labels of at least two classes.
    norm : float, default=1.0
        Norm of the canary: the bound that rows are clipped to.
    label : object, default=None
        Its label. None: the last class.
    adjacency : {"add-remove", "replace-one"}, default="add-remove"
        "add-remove": the neighbour lacks the row; "replace-one": it has it with another
        label.

    Returns
    -------
    Canary
        The pair.

    Raises
    ------
    ValueError
        If the rows have a wrong form or one class only.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import orthogonal_canary
    >>> canary = orthogonal_canary(np.eye(2), [0, 1])
    >>> canary.D[0][-1]
    array([0., 0., 1.])
    """
    X, y, classes = _checked(X, y, adjacency)
    _check_norm(norm)
    X, direction = _own_direction(X)
    label = classes[-1] if label is None else label
    row = norm * direction
    return _pair(X, y, (row, label), (row, _other_class(classes, label)), "orthogonal", adjacency)


def saturated_canaries(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    *,
    norm: float = 1.0,
    adjacency: Adjacency = "replace-one",
) -> Canary:
    """Make canaries that a linear classifier gets wrong by a large margin.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Rows; if they fill all directions, a column of zeros is appended for the canaries.
    y : array-like of shape (n_rows,)
        Labels of two classes.
    coef : array-like of shape (n_features,)
        Coefficients of the model fitted on them without privacy, for the second class.
    norm : float, default=1.0
        Norm of the canaries: the bound that rows are clipped to.
    adjacency : {"add-remove", "replace-one"}, default="replace-one"
        "replace-one": the neighbour has the mirrored canary in its place; "add-remove": it
        has none.

    Returns
    -------
    Canary
        The pair.

    Raises
    ------
    ValueError
        If the rows or coefficients have a wrong form, or there are not two classes.

    Notes
    -----
    The canary lies partly along `coef`, where it is wrong by a margin t and pulls with weight
    1 / (1 + e^-t), and partly in a direction of its own, where the pull moves most. Of the
    angles between the two the best is taken.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import saturated_canaries
    >>> canary = saturated_canaries(np.eye(2), [0, 1], [-4.0, 4.0])
    >>> [round(float(np.linalg.norm(data[0][-1])), 12) for data in (canary.D, canary.D_neighbour)]
    [1.0, 1.0]
    """
    X, y, classes = _checked(X, y, adjacency)
    _check_norm(norm)
    if classes.size != 2:
        raise ValueError(f"Saturated canaries need two classes. Got {classes.size} instead.")
    slope = np.asarray(coef, dtype=float).ravel()
    if slope.size != X.shape[1] or not np.isfinite(slope).all() or not slope.any():
        raise ValueError(
            f"coef must be {X.shape[1]} finite numbers that are not all zero. "
            f"Got shape {np.shape(coef)} instead."
        )
    wide, direction = _own_direction(X)
    along = np.zeros(wide.shape[1])
    along[: slope.size] = slope
    # Within the null space of the rows the model has no slope but for rounding.
    along -= (along @ direction) * direction
    length = float(np.linalg.norm(along))
    angles = np.linspace(0, np.pi / 2, 1000)
    best = angles[np.argmax(expit(norm * length * np.cos(angles)) * np.sin(angles))]
    shared, own = norm * np.cos(best) * along / length, norm * np.sin(best) * direction
    wrong = classes[0]  # the model says the second class along its coefficients
    return _pair(wide, y, (shared + own, wrong), (shared - own, wrong), "saturated", adjacency)


def _checked(X: Any, y: Any, adjacency: Adjacency) -> tuple[Array, NDArray[Any], NDArray[Any]]:
    check_adjacency(adjacency)
    X, y = check_rows(X, y, "rows")
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or not np.isfinite(X).all():
        raise ValueError("X must be a table of finite numbers.")
    classes = np.unique(y)
    if classes.size < 2:
        raise ValueError("y must have at least two classes, so that a label can be flipped.")
    return X, y, classes


def _check_norm(norm: float) -> None:
    if not 0 < norm < np.inf:
        raise ValueError(f"norm must be positive and finite. Got {norm!r} instead.")


def _other_class(classes: NDArray[Any], label: Any) -> Any:
    return classes[(int(np.searchsorted(classes, label)) + 1) % classes.size]


def _own_direction(X: Array) -> tuple[Array, Array]:
    """Return the rows, with one more column if they need it, and a direction none of them has."""
    _, values, directions = np.linalg.svd(X, full_matrices=X.shape[0] < X.shape[1])
    rank = int(np.sum(values > 1e-9 * max(values.max(initial=0.0), 1e-300)))
    if rank < X.shape[1]:
        return X, directions[-1]
    wide = np.hstack([X, np.zeros((X.shape[0], 1))])
    return wide, np.eye(wide.shape[1])[-1]


def _pair(
    X: Array,
    y: NDArray[Any],
    canary: tuple[Array, Any],
    stand_in: tuple[Array, Any],
    kind: str,
    adjacency: Adjacency,
) -> Canary:
    def joined(row: tuple[Array, Any]) -> tuple[Array, NDArray[Any]]:
        return np.vstack([X, row[0]]), np.append(y, np.asarray(row[1], dtype=y.dtype))

    neighbour = (X, y) if adjacency == "add-remove" else joined(stand_in)
    return Canary(joined(canary), neighbour, kind, adjacency)
