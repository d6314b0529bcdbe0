"""Running the benchmark: the same splits for all, every private fit on one ledger.

The rows are encoded once, by public facts (see ``_encoding``). Each pipeline is then
fitted on the training rows of each split, the private ones at each epsilon, and scored
on the test rows. All private fits of a run are charged to one ledger without a ceiling:
what it adds up to is what the whole comparison would cost on private rows.
"""

import math
import platform
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedShuffleSplit

from .._progress import progress
from ..accounting import PrivacyLoss
from ..ledger import PrivacyAccountant
from ._encoding import encode, norm_bound
from ._pipelines import PIPELINES, PipelineSpec, Setting
from ._problem import BenchmarkError, Problem

TEST_SIZE = 0.2
METRICS = ("auc", "accuracy", "log_loss")
VERSIONS = ("skprivacy", "scikit-learn", "numpy", "scipy", "joblib", "diffprivlib")
SCORES_ARE_EXACT = (
    "Scores and choices between rows of this table are computed on the rows themselves: "
    "on private data they are not covered by the guarantee of the models."
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run is asked for.

    Parameters
    ----------
    epsilons : tuple of float
        Budgets of one fit.
    delta : float, default=1e-5
        Probability outside the epsilon statement.
    repeats : int, default=5
        Number of random splits.
    estimators : tuple of str, default=all
        Names in `PIPELINES`.
    seed : int, default=0
        Seed of splits, solvers and noise.
    jobs : int, default=1
        Number of processes.
    """

    epsilons: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 8.0)
    delta: float = 1e-5
    repeats: int = 5
    estimators: tuple[str, ...] = tuple(PIPELINES)
    seed: int = 0
    jobs: int = 1


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """One fit and its scores; scores are NaN and `error` says why if it did not run.

    `epsilon` is what the fit was given, infinite for a non-private one; `epsilon_spent`
    is what its entries in the ledger, `entry_uids`, amount to at the run's delta.
    """

    estimator: str
    guarantee: str
    epsilon: float
    repeat: int
    auc: float = np.nan
    accuracy: float = np.nan
    log_loss: float = np.nan
    fit_seconds: float = np.nan
    epsilon_spent: float = np.nan
    entry_uids: tuple[str, ...] = ()
    error: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """Everything that a run has to say.

    Parameters
    ----------
    problem : dict
        Name, sizes and assumptions of the data.
    options : Options
        What was asked for.
    fits : tuple of FitResult
        All fits, in a fixed order.
    skipped : dict of str to str
        Pipelines that were not run, and why.
    versions : dict of str to str
        Of Python and of the packages that matter.
    finished : str
        Time, UTC.
    """

    problem: dict[str, Any]
    options: Options
    fits: tuple[FitResult, ...]
    skipped: dict[str, str]
    versions: dict[str, str]
    finished: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return asdict(self)

    @property
    def failures(self) -> list[FitResult]:
        """Fits that did not run."""
        return [fit for fit in self.fits if fit.error]


def run_benchmark(problem: Problem, options: Options, ledger: PrivacyAccountant) -> BenchmarkResult:
    """Train and score every pipeline that was asked for.

    Parameters
    ----------
    problem : Problem
        What to classify.
    options : Options
        What to run.
    ledger : PrivacyAccountant
        Accountant that every private fit charges.

    Returns
    -------
    BenchmarkResult
        All fits. A pipeline that fails is in it with its error; the others go on.

    Raises
    ------
    BenchmarkError
        If no pipeline applies to the problem.
    """
    X, norm = encode(problem), norm_bound(problem)
    specs, skipped = _choose(options.estimators, norm)
    if not specs:
        raise BenchmarkError("; ".join(f"{name}: {why}" for name, why in skipped.items()))
    splitter = StratifiedShuffleSplit(
        options.repeats, test_size=TEST_SIZE, random_state=options.seed
    )
    splits = list(splitter.split(X, problem.target))

    def tasks() -> Iterator[tuple[PipelineSpec, Setting, int]]:
        for repeat in range(options.repeats):
            for spec in specs:
                for epsilon in options.epsilons if spec.private else (np.inf,):
                    seed = options.seed + repeat
                    yield spec, Setting(epsilon, options.delta, norm, problem.classes, seed), repeat

    todo = list(tasks())
    parallel = joblib.Parallel(n_jobs=options.jobs, return_as="generator")
    done = parallel(
        joblib.delayed(run_fit)(spec, setting, repeat, X, problem.target, splits[repeat], ledger)
        for spec, setting, repeat in todo
    )
    fits = _read_spent(list(progress(done, len(todo), problem.name)), options.delta, ledger)
    return BenchmarkResult(
        problem={
            "name": problem.name,
            "n_rows": problem.n_rows,
            "n_columns": len(problem.columns),
            "n_encoded": X.shape[1],
            "classes": list(problem.classes),
            "norm_bound": norm,
            "assumptions": [*problem.assumptions, SCORES_ARE_EXACT],
        },
        options=options,
        fits=tuple(fits),
        skipped=skipped,
        versions={"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _choose(names: Sequence[str], norm: float | None) -> tuple[list[PipelineSpec], dict[str, str]]:
    specs, skipped = [], {}
    for name in names:
        spec = PIPELINES[name]
        if spec.needs_norm and norm is None:
            skipped[name] = "needs declared bounds of all columns, which this data set lacks"
        else:
            specs.append(spec)
    return specs, skipped


def run_fit(
    spec: PipelineSpec,
    setting: Setting,
    repeat: int,
    X: np.ndarray,
    y: np.ndarray,
    split: tuple[np.ndarray, np.ndarray],
    ledger: PrivacyAccountant,
) -> FitResult:
    """Fit one pipeline on the training rows of a split and score it on the others.

    Parameters
    ----------
    spec : PipelineSpec
        Which pipeline.
    setting : Setting
        Its budget and public facts.
    repeat : int
        Number of the split.
    X : array of shape (n_rows, n_encoded)
        Encoded rows.
    y : array of shape (n_rows,)
        Labels.
    split : tuple of two arrays of int
        Training and test rows.
    ledger : PrivacyAccountant
        Charged by a private pipeline.

    Returns
    -------
    FitResult
        Scores, or the error that stopped the fit.
    """
    train, test = split
    about: dict[str, Any] = {
        "estimator": spec.name,
        "guarantee": spec.guarantee,
        "epsilon": setting.epsilon,
        "repeat": repeat,
    }
    X_train, y_train = X[train], y[train]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = spec.build(setting)
            if spec.private:
                ledger.bind(model)
            start = time.perf_counter()
            model.fit(X_train, y_train)
            seconds = time.perf_counter() - start
            probabilities = model.predict_proba(X[test])
        except Exception as error:  # noqa: BLE001 (any model's failure is a result here)
            return FitResult(**about, error=f"{type(error).__name__}: {error}")
    classes = np.asarray(setting.classes)
    binary = classes.size == 2
    return FitResult(
        **about,
        auc=float(
            roc_auc_score(
                y[test],
                probabilities[:, 1] if binary else probabilities,
                multi_class="ovr",
                labels=None if binary else classes,
            )
        ),
        accuracy=float(accuracy_score(y[test], classes[probabilities.argmax(axis=1)])),
        log_loss=float(log_loss(y[test], probabilities, labels=classes)),
        fit_seconds=seconds,
        entry_uids=_entry_uids(model),
        warnings=tuple(sorted({f"{w.category.__name__}: {w.message}" for w in caught})),
    )


def _entry_uids(model: Any) -> tuple[str, ...]:
    """Return the ledger's entries that the receipts of a fitted pipeline name."""
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    return tuple(step.privacy_.entry_uid for step in steps if hasattr(step, "privacy_"))


def _read_spent(fits: list[FitResult], delta: float, ledger: PrivacyAccountant) -> list[FitResult]:
    """Return the fits with what the ledger says that each of them cost."""
    losses = {entry.uid: entry.loss for entry in ledger.entries}

    def spent(fit: FitResult) -> float:
        if not fit.guarantee:
            return math.inf
        return PrivacyLoss.compose(losses[uid] for uid in fit.entry_uids).to_epsilon(delta)

    return [fit if fit.error else replace(fit, epsilon_spent=spent(fit)) for fit in fits]
