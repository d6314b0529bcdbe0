"""An audit by one fit of an estimator; the theorems behind it are in `_one_run`."""

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from ..exceptions import PrivacyWarning
from ..ledger import PrivacyAccountant
from ._bounds import Bound
from ._epsilon_audit import Claimed, EpsilonAudit, as_audit, claim_of_fit
from ._one_run import one_run
from ._rows import check_rows, check_same_columns, select_rows, stack_rows
from ._shadow import without_accountants
from ._signals import is_regression, model_signals

METHODS = ("auto", "steinke", "f-dp")


def one_run_audit(
    estimator: Any,
    X: Any,
    y: Any,
    X_canary: Any,
    y_canary: Any,
    *,
    score: Callable[[Any, Any, Any], ArrayLike] | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    mu: float | None = None,
    method: str = "auto",
    guesses: str = "both",
    alpha: float = 0.05,
    random_state: Any = None,
    canary: str | None = None,
) -> EpsilonAudit:
    """Prove an epsilon that an estimator has at least, by many canaries in one fit.

    Parameters
    ----------
    estimator : estimator
        What is cloned and fitted once. An accountant in it is replaced by one without
        ceiling: nothing is released, so nothing is charged.
    X, y : array-like of shape (n_rows, n_features) and (n_rows,)
        Rows that are always in.
    X_canary, y_canary : array-like of shape (m, n_features) and (m,)
        Canaries; each is in by its own coin. Under replace-one adjacency a row of `X`
        stands in for one that is out.
    score : callable, default=None
        ``score(model, X_canary, y_canary)`` returns m scores, high for canaries that seem to
        be in. None: the model's confidence in each canary's label, or minus its squared
        residual.
    epsilon, delta, mu : float, default=None
        The claim, as in `audit_epsilon`.
    method : {"auto", "steinke", "f-dp"}, default="auto"
        "f-dp" is closer, and holds for claims of Gaussian differential privacy. "auto": "f-dp"
        for such a claim.
    guesses, alpha
        As in `one_run_bound`.
    random_state : int, RandomState instance or None, default=None
        Tosses the coins.
    canary : str, default=None
        What kind of canaries they are, for the report.

    Returns
    -------
    EpsilonAudit
        The bound and the claim.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the form of the rows is wrong.

    Warns
    -----
    PrivacyWarning
        If there are more canaries than columns: the canaries then drown each other out, and
        nothing is found at any epsilon.

    See Also
    --------
    audit_epsilon : Many fits on one pair of neighbours; needs no dimensions.

    References
    ----------
    Steinke, Nasr and Jagielski (2023), "Privacy auditing with one (1) training run".
    Mahloujifar, Melis and Chaudhuri (2024), "Auditing f-differential privacy in one run".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import one_run_audit
    >>> canaries = np.eye(60)
    >>> audit = one_run_audit(
    ...     LogisticRegression(), np.zeros((4, 60)), [0, 1, 0, 1], canaries, np.arange(60) % 2,
    ...     epsilon=1.0, delta=1e-5, random_state=0,
    ... )
    >>> audit.violated
    True
    """
    start = time.perf_counter()
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}. Got {method!r} instead.")
    X, y = check_rows(X, y, "rows")
    X_canary, y_canary = check_rows(X_canary, y_canary, "canaries")
    check_same_columns(X, X_canary, "rows", "canaries")
    m = y_canary.size
    width = np.shape(X)[1] if len(np.shape(X)) > 1 else 1
    if width < m:
        warnings.warn(
            f"{m} canaries in {width} columns drown each other out, and an audit by one fit then "
            "finds nothing at any epsilon. Use at most as many canaries as columns, or "
            "audit_epsilon.",
            PrivacyWarning,
            stacklevel=2,
        )
    inside = check_random_state(random_state).random_sample(m) < 0.5
    model, adjacencies = without_accountants(estimator)
    model.set_params(**{n: PrivacyAccountant(adjacency=a) for n, a in adjacencies.items()})
    rows, labels = X_canary, y_canary
    if "replace-one" in adjacencies.values():
        # The number of rows is public there: an ordinary row takes an absent canary's place.
        place = np.where(inside, np.arange(m), m + np.arange(m) % y.size)
        rows = select_rows(stack_rows(X_canary, X), place)
        labels = np.concatenate([y_canary, y])[place]
    else:
        rows, labels = select_rows(rows, np.flatnonzero(inside)), labels[inside]
    model.fit(stack_rows(X, rows), np.concatenate([y, labels]))
    if score is None:
        statistic = model_signals(model, X_canary, y_canary).statistic
        scores = -np.square(statistic) if is_regression(model, y) else statistic
    else:
        scores = np.asarray(score(model, X_canary, y_canary), dtype=float)
        if scores.shape != (m,):
            raise ValueError(f"score must return {m} numbers. Got shape {scores.shape} instead.")
    claimed = claim_of_fit(getattr(model, "privacy_", None), epsilon, delta, mu)
    if method == "auto":
        method = "steinke" if claimed.mu is None else "f-dp"
    if method == "f-dp" and claimed.mu_delta > 0:
        raise ValueError(
            "method='f-dp' is for claims of Gaussian differential privacy without a delta of its "
            "own. Use method='steinke'."
        )
    bound = _bound(scores, inside, claimed, alpha=alpha, method=method, guesses=guesses)
    return as_audit(
        bound,
        claimed,
        gaussian=method == "f-dp",
        method=method,
        alpha=alpha,
        n_runs=1,
        seconds=time.perf_counter() - start,
        canary=canary,
        scores_in=scores[inside],
        scores_out=scores[~inside],
    )


def _bound(
    scores: np.ndarray,
    inside: np.ndarray,
    claimed: Claimed,
    *,
    alpha: float,
    method: str,
    guesses: str,
) -> Bound:
    if min(inside.sum(), inside.size - inside.sum()) < 2:
        # The coins fell so: all in or all out, from which nothing can be learnt.
        return Bound(0.0, math.inf, 0.0, 1.0)
    bound, _ = one_run(
        scores[inside],
        scores[~inside],
        delta=claimed.delta,
        alpha=alpha,
        method=method,
        guesses=guesses,
    )
    return bound
