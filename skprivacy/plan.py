"""Plans: what a fit will release and what that costs, known before any data.

`Facts` are the public facts a price may depend on. A `Plan` is the priced list of
mechanisms made from them; the accountant charges a plan, the fit then runs the
very same plan, and the receipt is the plan as it was run. So what is charged can't
drift from what is done.

Bounds that a private step has released are public facts for the step after it. The step
declares them for its output with `declare_bounds`; the next one, which gets the very same
object, reads them with `declared_bounds`.
"""

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from .accounting import Adjacency, PrivacyLoss, check_adjacency
from .mechanisms import Mechanism

ROW_CAP = 2**31
"""Public bound on the number of rows where the true number is private."""

LARGEST_BOUND = 1e300

SMALLEST_HALF = 1e-280
"""Half the least distance of two bounds: rows are divided by it."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a fit may know before it pays.

    Parameters
    ----------
    adjacency : {"add-remove", "replace-one"}, default="add-remove"
    n_features : int, default=None
        Number of columns.
    classes : tuple, default=None
        The class labels, declared or taken as public.
    n_rows : int, default=None
        Number of rows; only under replace-one, where it is public.
    row_cap : int, default=2**31
        Public upper bound on the number of rows.
    bounds : tuple (low, high) of arrays of shape (n_features,), default=None
        Public bounds of the columns, for instance those of a private scaler's
        output.
    """

    adjacency: Adjacency = "add-remove"
    n_features: int | None = None
    classes: tuple[Any, ...] | None = None
    n_rows: int | None = None
    row_cap: int = ROW_CAP
    bounds: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        check_adjacency(self.adjacency)
        if self.adjacency == "add-remove" and self.n_rows is not None:
            raise ValueError("n_rows is private under add-remove adjacency and can't be a fact.")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A priced list of releases.

    Parameters
    ----------
    mechanisms : tuple of Mechanism
        Calibrated mechanisms with distinct names.
    adjacency : {"add-remove", "replace-one"}
    source : str
        Name of the estimator that will run the plan.
    assumptions : tuple of str, default=()
        What is taken as public, in sentences.
    reproducible : bool, default=False
        Whether the noise comes from a fixed seed, which protects nobody.
    """

    mechanisms: tuple[Mechanism, ...]
    adjacency: Adjacency
    source: str
    assumptions: tuple[str, ...] = ()
    reproducible: bool = False

    def __post_init__(self) -> None:
        names = [mechanism.name for mechanism in self.mechanisms]
        if len(set(names)) != len(names):
            raise ValueError(f"Mechanisms of a plan need distinct names. Got {names}.")

    @property
    def loss(self) -> PrivacyLoss:
        """Price of the whole plan."""
        return PrivacyLoss.compose(m.loss(self.adjacency) for m in self.mechanisms)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        loss = self.loss
        return {
            "source": self.source,
            "adjacency": self.adjacency,
            "mechanisms": [m.describe(self.adjacency) for m in self.mechanisms],
            "mu": loss.mu,
            "delta": loss.delta,
            "epsilon": loss.epsilon,
            "assumptions": list(self.assumptions),
            "reproducible": self.reproducible,
        }


def column_bounds(bounds: Any, n_features: int, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a `bounds` parameter as two arrays of shape (n_features,), validated.

    Raises
    ------
    ValueError
        If the parameter is not a pair (low, high) of numbers or of one number a
        column, finite and low < high.
    """
    if bounds is None:
        return None
    problem = f"The 'bounds' parameter of {name} must be a pair (low, high) of finite numbers"
    try:
        low, high = (np.asarray(bound, dtype=np.float64) for bound in bounds)
        low, high = (np.broadcast_to(bound, (n_features,)).copy() for bound in (low, high))
    except (TypeError, ValueError):
        raise ValueError(
            f"{problem}, or of one number for each of the {n_features} columns. "
            f"Got {bounds!r} instead."
        ) from None
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise ValueError(f"{problem} with low < high. Got {bounds!r} instead.")
    if np.max(np.abs([low, high]), initial=0.0) > LARGEST_BOUND:
        raise ValueError(f"{problem} below 1e300 in size. Got {bounds!r} instead.")
    if np.min(high / 2 - low / 2, initial=np.inf) < SMALLEST_HALF:
        raise ValueError(f"{problem} at least 2e-280 apart. Got {bounds!r} instead.")
    return low, high


def target_bounds(bounds: Any, name: str) -> tuple[float, float] | None:
    """Return a `y_bounds` parameter as two numbers, validated.

    Raises
    ------
    ValueError
        If the parameter is not a pair (low, high) of finite numbers with low < high.
    """
    try:
        pair = column_bounds(bounds, 1, name)
    except ValueError:
        raise ValueError(
            f"The 'y_bounds' parameter of {name} must be a pair (low, high) of finite numbers "
            f"with low < high. Got {bounds!r} instead."
        ) from None
    return None if pair is None else (float(pair[0][0]), float(pair[1][0]))


_declared: dict[int, tuple[weakref.ref[Any], np.ndarray, np.ndarray]] = {}


def declare_bounds(X: Any, low: np.ndarray, high: np.ndarray) -> None:
    """Declare that the columns of `X`, an array or data frame, lie in public bounds.

    The declaration belongs to the object itself and is gone with it; a slice or a
    copy has none.
    """
    key = id(X)
    try:
        reference = weakref.ref(X, lambda _: _declared.pop(key, None))
    except TypeError:  # a container without weak references just has no declaration
        return
    _declared[key] = (reference, low, high)


def declared_bounds(X: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the bounds declared for this very object, or None."""
    found = _declared.get(id(X))
    if found is None or found[0]() is not X:
        return None
    return found[1], found[2]
