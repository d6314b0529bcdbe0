"""Shadow models: the target's algorithm, run again on random halves of the rows.

Each split of the pool into two halves gives two shadow models, one on either half, so every
row is inside half of them and outside the other half. They tell what a model of this kind
says about a row that it was, or was not, trained on. They are fitted once and shared by all
attacks; only their signals are kept.

Shadow models are simulations by the owner of the rows. They are never released, so they
charge nothing: an accountant inside the estimator is replaced by one that ends with the fit.
"""

from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from .._progress import progress
from ..accounting import Adjacency
from ..ledger import PrivacyAccountant
from ._rows import check_rows, check_same_columns, select_rows, stack_rows
from ._signals import CLIP, Labels, Signals, check_clip, is_regression, signals_of

Probe = Callable[[Any], NDArray[np.float64]]
LARGEST_SEED = np.iinfo(np.int32).max


class ShadowModels(BaseEstimator):
    """Signals of models fitted on random halves of a pool of rows.

    Parameters
    ----------
    estimator : estimator
        What is cloned and fitted; a fitted one stays as it is.
    n_models : int, default=16
        How many models. Each two share a split of the pool and take one half each; an odd
        last one has its split alone.
    n_inside : int, default=None
        Rows that each model is fitted on, at most half of the pool. None: half.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    n_jobs : int, default=None
        Models fitted at the same time, as joblib counts.
    random_state : int, RandomState instance or None, default=None
        Draws the splits, and a seed for each model where it takes one.
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Attributes
    ----------
    inside_ : ndarray of shape (n_models, n_rows) of bool
        Which models were fitted with which rows.
    statistic_, confidence_, correct_ : ndarray of shape (n_models, n_rows), or None
        Signals of the models on the pool, as in `Signals`.
    n_saturated_ : ndarray of shape (n_models,)
        How many of each model's probabilities were clipped.
    population_confidence_ : ndarray of shape (n_models, n_population), or None
        Confidence on the rows of the population.
    probe_ : ndarray of shape (n_models, n_rows), or None
        What `probe` returned.
    partner_ : ndarray of shape (n_models,)
        The model on the other half of the same split; -1 if there is none.
    is_regression_ : bool
        Whether the signals are residuals.

    See Also
    --------
    attack_shadow_models : Attacks each of them by means of the others.
    run_attacks : Attacks a given model.

    Notes
    -----
    For classifiers the halves are stratified: a class of at least two rows is in both.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skprivacy.attacks import ShadowModels
    >>> X, y = load_iris(return_X_y=True)
    >>> shadows = ShadowModels(GaussianNB(), n_models=4, random_state=0).fit(X, y)
    >>> shadows.statistic_.shape, shadows.inside_.sum(axis=0).max()
    ((4, 150), np.int64(2))
    """

    def __init__(
        self,
        estimator: Any,
        *,
        n_models: int = 16,
        n_inside: int | None = None,
        clip: float = CLIP,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.n_models = n_models
        self.n_inside = n_inside
        self.clip = clip
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        X_population: Any = None,
        y_population: Any = None,
        probe: Probe | None = None,
    ) -> Self:
        """Fit the models and keep their signals.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of n_rows rows
            The pool.
        y : array-like of shape (n_rows,)
            Labels or targets.
        X_population, y_population : array-like, default=None
            Further rows of the same kind, which no model is fitted on.
        probe : callable, default=None
            Asked for an array of shape (n_rows,) of each model while it exists.

        Returns
        -------
        self : ShadowModels
            With the signals.

        Raises
        ------
        TypeError
            If the estimator can't be cloned and fitted.
        ValueError
            If a parameter or the form of the rows is wrong.
        """
        X, y = check_rows(X, y, "pool")
        self._check(y.size)
        rows, labels = X, Labels(y)
        if X_population is not None:
            population = check_rows(X_population, y_population, "population")
            check_same_columns(X, population[0], "pool", "population")
            rows = stack_rows(X, population[0])
            labels = Labels(np.concatenate([y, population[1]]))
        random = check_random_state(self.random_state)
        regression = is_regression(self.estimator, y)
        size = y.size // 2 if self.n_inside is None else self.n_inside
        self.inside_ = random_halves(self.n_models, size, random, None if regression else y, y.size)
        self.partner_ = np.arange(self.n_models) ^ 1
        self.partner_[self.partner_ >= self.n_models] = -1
        seeds = random.randint(LARGEST_SEED, size=self.n_models)
        template, adjacencies = without_accountants(self.estimator)

        def run(model: int) -> tuple[int, Signals, NDArray[np.float64] | None]:
            chosen = np.flatnonzero(self.inside_[model])
            shadow = seeded_clone(template, adjacencies, int(seeds[model]))
            try:
                shadow.fit(select_rows(X, chosen), y[chosen])
            except Exception as error:
                error.add_note(f"This was shadow model {model}, on {chosen.size} rows.")
                raise
            signals = signals_of(shadow, rows, labels, is_regression=regression, clip=self.clip)
            return model, signals, None if probe is None else probe(shadow)

        parallel = Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")
        results = parallel(delayed(run)(model) for model in range(self.n_models))
        self._keep(progress(results, self.n_models, "shadow models", always=self.verbose), y.size)
        self.is_regression_ = regression
        return self

    def _check(self, n_rows: int) -> None:
        if not hasattr(self.estimator, "fit") or isinstance(self.estimator, type):
            raise TypeError(
                "estimator must be an estimator instance that can be cloned and fitted. "
                f"Got {self.estimator!r} instead."
            )
        check_clip(self.clip)
        check_number("n_models", self.n_models, 2)
        if self.n_inside is not None:
            check_number("n_inside", self.n_inside, 1)
            if self.n_inside > n_rows // 2:
                raise ValueError(
                    f"n_inside must be at most half of the {n_rows} rows. "
                    f"Got {self.n_inside!r} instead."
                )

    def _keep(
        self,
        results: Iterable[tuple[int, Signals, NDArray[np.float64] | None]],
        n_pool: int,
    ) -> None:
        ordered = [result[1:] for result in sorted(results, key=lambda result: result[0])]
        signals = [signal for signal, _ in ordered]
        self.statistic_ = np.stack([signal.statistic for signal in signals])[:, :n_pool]
        confidence = _stack([signal.confidence for signal in signals])
        correct = _stack([signal.correct for signal in signals])
        self.confidence_ = None if confidence is None else confidence[:, :n_pool]
        self.correct_ = None if correct is None else correct[:, :n_pool]
        self.population_confidence_ = (
            None if confidence is None or confidence.shape[1] == n_pool else confidence[:, n_pool:]
        )
        self.n_saturated_ = np.array([signal.n_saturated for signal in signals])
        self.probe_ = _stack([probed for _, probed in ordered])


def _stack(arrays: list[Any]) -> Any:
    return None if any(array is None for array in arrays) else np.stack(arrays)


def check_number(name: str, value: Any, least: int) -> None:
    """Raise unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(
            f"{name} must be an int in the range [{least}, inf). Got {value!r} instead."
        )


def random_halves(
    n_models: int,
    size: int,
    random: np.random.RandomState,
    labels: NDArray[Any] | None,
    n_rows: int,
) -> NDArray[np.bool_]:
    """Draw the rows inside of each model, two disjoint sets a split.

    With labels each class is dealt out to the two sets in turn.
    """
    codes = None if labels is None else np.unique(labels, return_inverse=True)[1].reshape(-1)
    inside = np.zeros((n_models, n_rows), dtype=bool)
    for model in range(0, n_models, 2):
        order = random.permutation(n_rows)
        if codes is not None:
            order = order[np.argsort(codes[order], kind="stable")]
        start = random.randint(2)
        for which in range(min(2, n_models - model)):
            half = order[(start + which) % 2 :: 2]
            # Where fewer than half are wanted, evenly over the classes.
            taken = half if half.size <= size else half[np.arange(size) * half.size // size]
            inside[model + which, taken] = True
    return inside


def without_accountants(estimator: Any) -> tuple[Any, dict[str, Adjacency]]:
    """Return an unfitted copy without accountants, and the adjacency that each had."""
    template = clone(estimator)
    adjacencies = {
        name: value.adjacency
        for name, value in _parameters(template).items()
        if isinstance(value, PrivacyAccountant)
    }
    if adjacencies:
        template.set_params(**dict.fromkeys(adjacencies))
    return template, adjacencies


def seeded_clone(template: Any, adjacencies: dict[str, Adjacency], seed: int) -> Any:
    """Return a copy with accountants of its own, and seeds wherever it takes one.

    The accountants have no ceiling and end with this process: shadow models are not
    released.
    """
    shadow = clone(template)
    random = np.random.RandomState(seed)
    changes: dict[str, Any] = {
        name: random.randint(LARGEST_SEED)
        for name in sorted(_parameters(shadow))
        if name == "random_state" or name.endswith("__random_state")
    }
    fresh: dict[Adjacency, PrivacyAccountant] = {}
    for name, adjacency in adjacencies.items():
        if adjacency not in fresh:
            fresh[adjacency] = PrivacyAccountant(adjacency=adjacency)
        changes[name] = fresh[adjacency]
    return shadow.set_params(**changes) if changes else shadow


def _parameters(estimator: Any) -> dict[str, Any]:
    return estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
