"""Audits of an algorithm: run it many times on two neighbouring data sets.

Every run is reduced to one score, and the scores prove how far apart the two laws of the
output are at least. What an audit finds depends on three things: on the neighbours (see
`flipped_label_canary` and its kin), on the score, and on the number of runs. The projection
of all fitted parameters on the direction in which the two means differ, in units of their
noise, is the best score for Gaussian noise. Its direction is learnt from every other run;
the rest are counted.

Where a release is a statistic plus noise of a known law, two noiseless values and many draws
of the noise do the work of many fits: `audit_output_noise`.
"""

import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf

from .._progress import progress
from ..exceptions import PrivacyWarning
from ..ledger import PrivacyAccountant
from ._epsilon_audit import Claimed, EpsilonAudit, claim_of_fit, judge
from ._rows import row_keys, select_rows
from ._shadow import without_accountants
from ._signals import is_regression, model_signals

Array = NDArray[np.float64]
MIN_RUNS = 4


def audit_epsilon(
    make_estimator: Any,
    D: Any,
    D_neighbour: Any,
    *,
    n_runs: int = 1000,
    score: str | Callable[[Any], float] = "projection",
    parameters: Callable[[Any], ArrayLike] | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    mu: float | None = None,
    method: str = "auto",
    threshold: str | float = "auto",
    alpha: float = 0.05,
    canary: str | None = None,
    n_jobs: int | None = None,
    verbose: bool = False,
) -> EpsilonAudit:
    """Prove an epsilon that an estimator has at least, by fits on two neighbours.

    Parameters
    ----------
    make_estimator : estimator or callable
        An estimator, cloned for every run, or a function that returns a new one. An
        accountant in it is replaced by one without ceiling: nothing is released, so nothing
        is charged.
    D, D_neighbour : tuple of (X,) or (X, y), or array-like
        Two neighbouring data sets, which ``fit`` gets.
    n_runs : int, default=1000
        Fits on each of the two.
    score : {"projection", "loss"} or callable, default="projection"
        "projection": the fitted parameters, projected on the difference of their means;
        "loss": the model's confidence in the row in which the two data sets differ; or a
        function of a fitted model.
    parameters : callable, default=None
        Function of a fitted model that returns the numbers to project. None: every fitted
        attribute that is a number or an array of numbers, of nested estimators too.
    epsilon, delta, mu : float, default=None
        The claim. None: that of the first fit's ``privacy_``; without one, no claim, and
        `delta` has to be given.
    method, threshold, alpha
        As in `audit_scores`.
    canary : str, default=None
        What kind of neighbour it is, for the report.
    n_jobs : int, default=None
        Fits at the same time, as joblib counts.
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Returns
    -------
    EpsilonAudit
        The bound and the claim.

    Raises
    ------
    TypeError
        If `make_estimator` is neither an estimator nor a function that returns one.
    ValueError
        If a parameter is out of its range, if the estimator has a fixed `random_state` (all
        runs would be equal), or if the fitted parameters differ in shape between runs.

    See Also
    --------
    audit_scores : For scores that are there already.
    one_run_audit : Many canaries in one fit.

    Notes
    -----
    300 runs a side prove nothing for most claims; 1000 see noise that is half of what it
    should be if the canary reaches the proved sensitivity, see `Canary.share`.

    References
    ----------
    Jagielski, Ullman and Oprea (2020), "Auditing differentially private machine learning".
    Nasr et al. (2023), "Tight auditing of differentially private machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import audit_epsilon
    >>> from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler
    >>> X = np.vstack([np.zeros((30, 1)), [[1.0]]])
    >>> audit = audit_epsilon(
    ...     DPStandardScaler(epsilon=3.0, bounds=(-1, 1)), (X,), (X[:-1],), n_runs=50
    ... )
    >>> audit.violated
    False
    """
    start = time.perf_counter()
    D, D_neighbour = _as_data(D), _as_data(D_neighbour)
    make = _maker(make_estimator)
    if isinstance(n_runs, bool) or not isinstance(n_runs, (int, np.integer)) or n_runs < MIN_RUNS:
        raise ValueError(f"n_runs must be an int in the range [{MIN_RUNS}, inf). Got {n_runs!r}.")
    if score == "projection":
        if not isinstance(threshold, str):
            raise ValueError(
                "With score='projection' the scale of scores is not known beforehand: threshold "
                f"must be 'auto', 'midpoint', 'search' or 'bonferroni'. Got {threshold!r} instead."
            )
        measure = fitted_parameters if parameters is None else parameters
    elif score == "loss":
        measure = _loss_of(D, D_neighbour)
    elif callable(score):
        measure = score
    else:
        raise ValueError(
            f"score must be 'projection', 'loss' or a function. Got {score!r} instead."
        )

    audit = uuid.uuid4().hex

    def run(estimator: Any, adjacencies: dict[str, Any], number: int) -> tuple[int, Array, Any]:
        if adjacencies:
            estimator.set_params(
                **{name: _accountant(audit, kind) for name, kind in adjacencies.items()}
            )
        model = estimator.fit(*(D, D_neighbour)[number % 2])
        return number, np.asarray(measure(model), dtype=float), getattr(model, "privacy_", None)

    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    runs = parallel(delayed(run)(*make(), number) for number in range(2 * n_runs))
    outputs: list[Any] = [None] * (2 * n_runs)
    receipt = None
    for number, output, seen in progress(runs, 2 * n_runs, "fits", always=verbose):
        # In order of the runs: which finishes first may depend on what comes out.
        outputs[number] = output
        receipt = seen if receipt is None else receipt
    claimed = claim_of_fit(receipt, epsilon, delta, mu)
    stacked = _stacked(outputs)
    vectors = stacked[::2], stacked[1::2]
    if score == "projection":
        scores = project(*vectors)
        if threshold == "bonferroni":
            # The direction was learnt from the others.
            scores = scores[0][1::2], scores[1][1::2]
    else:
        if stacked.shape[1:] != (1,):
            raise ValueError("score must return one number for a fitted model.")
        scores = vectors[0][:, 0], vectors[1][:, 0]
    return judge(
        *scores,
        claimed,
        method=method,
        threshold=threshold,
        alpha=alpha,
        start=start,
        n_runs=int(n_runs),
        canary=canary,
    )


def audit_output_noise(
    value: ArrayLike,
    value_neighbour: ArrayLike,
    draw: Callable[[int], ArrayLike],
    *,
    delta: float,
    epsilon: float | None = None,
    mu: float | None = None,
    n_draws: int = 20_000,
    method: str = "auto",
    threshold: str | float = "auto",
    alpha: float = 0.05,
    canary: str | None = None,
) -> EpsilonAudit:
    r"""Audit a statistic plus noise, by its value on two neighbours and many draws.

    Parameters
    ----------
    value, value_neighbour : array-like
        The statistic without noise, on either data set.
    draw : callable
        ``draw(n)`` returns n independent draws of the noise, of shape (n, \*value.shape).
    delta : float
        Where epsilon is stated.
    epsilon, mu : float, default=None
        The claim, as in `audit_scores`.
    n_draws : int, default=20000
        Draws for each of the two.
    method : {"auto", "gdp", "clopper-pearson"}, default="auto"
        As in `audit_scores`.
    threshold : {"auto", "midpoint", "search", "bonferroni"} or float, default="auto"
        "auto": for "gdp" the middle of the two values, which is known beforehand, so that
        all draws count; else "search".
    alpha : float, default=0.05
        Probability that the bound is wrong.
    canary : str, default=None
        What kind of neighbour it is, for the report.

    Returns
    -------
    EpsilonAudit
        The bound and the claim. Scores are projections on the difference of the values.

    Raises
    ------
    ValueError
        If shapes don't fit or a parameter is out of its range.

    References
    ----------
    Nasr et al. (2023), "Tight auditing of differentially private machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import audit_output_noise
    >>> rng = np.random.default_rng(0)
    >>> audit = audit_output_noise(
    ...     [1.0, 0.0], [0.0, 0.0], lambda n: rng.normal(0, 2, (n, 2)), delta=1e-6, mu=0.5
    ... )
    >>> audit.violated, audit.mu_lower > 0.4
    (False, True)
    """
    start = time.perf_counter()
    first, second = np.asarray(value, dtype=float), np.asarray(value_neighbour, dtype=float)
    if first.shape != second.shape:
        raise ValueError(
            f"The two values must have one shape. Got {first.shape} and {second.shape} instead."
        )
    direction = (first - second).ravel()
    norm = float(np.linalg.norm(direction))
    if norm == 0:
        warnings.warn(
            "The statistic is the same on both data sets: this pair can prove nothing.",
            PrivacyWarning,
            stacklevel=2,
        )
    direction = direction / norm if norm > 0 else np.ones_like(direction)
    noise = []
    for _ in range(2):
        drawn = np.asarray(draw(n_draws), dtype=float)
        if drawn.shape != (n_draws, *first.shape):
            raise ValueError(
                f"draw({n_draws}) must return an array of shape {(n_draws, *first.shape)}. "
                f"Got {drawn.shape} instead."
            )
        noise.append(drawn.reshape(n_draws, -1) @ direction)
    claimed = Claimed(delta, epsilon, mu)
    ends = float(first.ravel() @ direction), float(second.ravel() @ direction)
    if threshold == "auto" and (method == "gdp" or (method == "auto" and mu is not None)):
        threshold = sum(ends) / 2
    return judge(
        ends[0] + noise[0],
        ends[1] + noise[1],
        claimed,
        method=method,
        threshold=threshold,
        alpha=alpha,
        start=start,
        canary=canary,
    )


def fitted_parameters(model: Any) -> Array:
    """Return all numbers that a fitted model holds, in one vector.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    ndarray of shape (n_parameters,)
        The public attributes that end in an underscore and are numbers or arrays of them,
        by name; those of nested fitted estimators too.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = list(_fitted_numbers(model))
    if not found:
        raise ValueError(
            f"{type(model).__name__} has no fitted attribute of numbers. Give the function "
            f"'parameters', or another score."
        )
    return np.concatenate(found)


def _fitted_numbers(model: Any) -> Iterator[Array]:
    for name, value in sorted(vars(model).items()):
        if name.startswith("_") or not name.endswith("_"):
            continue
        if isinstance(value, int | float | np.generic | np.ndarray):
            array = np.asarray(value)
            if array.dtype.kind in "fiub":
                yield array.astype(float).ravel()
        elif hasattr(value, "get_params") and not isinstance(value, type):
            yield from _fitted_numbers(value)
    # The steps of a Pipeline are fitted in place; clones are in attributes, as above.
    for _, step in getattr(model, "steps", ()):
        if hasattr(step, "get_params"):
            yield from _fitted_numbers(step)


def project(first: Array, second: Array) -> tuple[Array, Array]:
    """Return scores of runs: projections on a direction that every other run taught.

    Parameters
    ----------
    first, second : ndarray of shape (n_runs, n_parameters)
        Parameters of runs on either data set.

    Returns
    -------
    scores_in, scores_out : ndarray of shape (n_runs,)
        The projections, `first` being on the high side.
    """
    training = first[::2], second[::2]
    difference = training[0].mean(axis=0) - training[1].mean(axis=0)
    centred = np.concatenate([part - part.mean(axis=0) for part in training])
    spread = centred.std(axis=0)
    # Means of many equal numbers are equal to rounding.
    scale = np.abs(np.concatenate(training)).max(axis=0)
    still = spread <= 1e-12 * scale
    told = still & (np.abs(difference) > 1e-9 * scale)
    direction = np.zeros_like(difference)
    if told.any():
        # Without noise these tell the two apart for certain.
        direction[told] = np.sign(difference[told]) / scale[told]
    elif not still.all():
        moving = ~still
        standard = centred[:, moving] / spread[moving]
        covariance, _ = ledoit_wolf(standard, assume_centered=True)
        solved = np.linalg.solve(covariance, difference[moving] / spread[moving])
        direction[moving] = solved / spread[moving]
    return first @ direction, second @ direction


@lru_cache(maxsize=4)
def _accountant(_audit: str, adjacency: Any) -> PrivacyAccountant:
    """Return an accountant without ceiling, one for each audit, adjacency and process."""
    return PrivacyAccountant(adjacency=adjacency)


def _as_data(data: Any) -> tuple[Any, ...]:
    return data if isinstance(data, tuple) else (data,)


def _maker(source: Any) -> Callable[[], tuple[Any, dict[str, Any]]]:
    """Return a function that makes an estimator without accountants, and their adjacencies."""
    if hasattr(source, "fit") and hasattr(source, "get_params") and not isinstance(source, type):
        template, adjacencies = without_accountants(source)
        if any(value is not None for value in _seeds(template).values()):
            raise ValueError(
                "The estimator has a fixed random_state: all runs would be equal. Set it to "
                "None, or give a function that returns estimators with different seeds."
            )

        def copy() -> tuple[Any, dict[str, Any]]:
            return clone(template), adjacencies

        return copy
    if not callable(source):
        raise TypeError(
            "make_estimator must be an estimator or a function that returns one. "
            f"Got {source!r} instead."
        )
    made = source()
    if not hasattr(made, "fit") or not hasattr(made, "get_params"):
        raise TypeError(f"make_estimator must return an estimator. Got {made!r} instead.")
    first, second = _seeds(made), _seeds(source())
    if any(
        isinstance(seed, int | np.integer) and seed == second.get(name)
        for name, seed in first.items()
    ):
        raise ValueError(
            "make_estimator returns estimators with the same random_state: all runs would be "
            "equal. Leave it None, or give each another."
        )
    return lambda: without_accountants(source())


def _seeds(estimator: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in estimator.get_params(deep=True).items()
        if name == "random_state" or name.endswith("__random_state")
    }


def _loss_of(D: tuple[Any, ...], D_neighbour: tuple[Any, ...]) -> Callable[[Any], float]:
    """Return the confidence of a model in the rows that only one data set has."""
    if len(D) < 2:
        raise ValueError("score='loss' needs data sets of X and y.")
    for mine, other in ((D, D_neighbour), (D_neighbour, D)):
        y = np.asarray(mine[1])
        missing = Counter(row_keys(other[0], np.asarray(other[1])))
        rows = []
        for row, key in enumerate(row_keys(mine[0], y)):
            if missing[key] > 0:
                missing[key] -= 1
            else:
                rows.append(row)
        if rows:
            chosen = np.array(rows)
            break
    else:
        raise ValueError("The two data sets have the same rows.")
    X_canary, y_canary = select_rows(mine[0], chosen), y[chosen]

    def confidence(model: Any) -> float:
        statistic = model_signals(model, X_canary, y_canary).statistic
        return float(np.mean(-np.square(statistic) if is_regression(model, y) else statistic))

    return confidence


def _stacked(outputs: list[Any]) -> Array:
    shapes = {output.shape for output in outputs}
    if len(shapes) > 1:
        raise ValueError(
            "The fitted parameters differ in shape between runs, which tells data sets apart by "
            f"itself: {sorted(shapes)}. Give the function 'parameters' to choose some."
        )
    stacked = np.stack(outputs)
    if np.isnan(stacked).any():
        raise ValueError(
            "A run gave NaN. Give the function 'parameters' to choose what to project."
        )
    return stacked if stacked.ndim > 1 else stacked[:, np.newaxis]
