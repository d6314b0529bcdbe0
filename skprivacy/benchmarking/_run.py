"""Running the benchmark: the same splits for all, every private fit on one ledger.

The rows are made once in each form that a pipeline asks for, by public facts (see
``_encoding``). Each pipeline is then fitted on the training rows of each split, the private
ones at each epsilon, and scored on the test rows. All private fits of a run are charged
to one ledger without a ceiling: what it adds up to is what the whole comparison would cost
on private rows.
"""

import importlib.util
import math
import platform
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import joblib
import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from .._progress import progress
from ..accounting import PrivacyLoss
from ..ledger import PrivacyAccountant
from ._builders import Setting
from ._encoding import Rows, make_rows
from ._pipelines import PipelineSpec, choose_pipelines
from ._problem import BenchmarkError, Problem
from ._scores import score

TEST_SIZE = 0.2
VERSIONS = ("skprivacy", "scikit-learn", "numpy", "scipy", "joblib", "diffprivlib")
OPTIONAL = ("interpret-core",)
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
    pipelines : tuple of str, default=("default",)
        Names of pipelines and of sets of them.
    seed : int, default=0
        Seed of splits, solvers and noise.
    jobs : int, default=1
        Number of processes.
    """

    epsilons: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 8.0)
    delta: float = 1e-5
    repeats: int = 5
    pipelines: tuple[str, ...] = ("default",)
    seed: int = 0
    jobs: int = 1


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """One fit and its scores; `error` says why if it did not run.

    Scores that the task does not have, or the model has no answer to, are NaN. `epsilon` is
    what the fit was given, infinite for a non-private one; `epsilon_spent` is what its
    entries in the ledger, `entry_uids`, amount to at the run's delta.
    """

    pipeline: str
    guarantee: str
    epsilon: float
    repeat: int
    auc: float = np.nan
    accuracy: float = np.nan
    log_loss: float = np.nan
    r2: float = np.nan
    inertia: float = np.nan
    captured_variance: float = np.nan
    covariance_error: float = np.nan
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
        What to learn.
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
        If no pipeline applies to the problem, or one does not exist.
    """
    chosen = choose_pipelines(options.pipelines, problem.task)
    wanted = dict.fromkeys(["encoded", *(spec.rows for spec in chosen)])
    forms = {form: make_rows(problem, form) for form in wanted}
    skipped = {spec.name: why for spec in chosen if (why := _missing(spec, problem, forms))}
    specs = [spec for spec in chosen if spec.name not in skipped]
    if not specs:
        raise BenchmarkError("; ".join(f"{name}: {why}" for name, why in skipped.items()))
    splits = _splits(problem, options)
    # Labels as codes: diffprivlib's forest takes text and learns nothing from it.
    codes = tuple(range(len(problem.classes)))
    y = np.searchsorted(problem.classes, problem.target) if codes else problem.target

    def tasks() -> Iterator[tuple[PipelineSpec, Setting, int]]:
        for repeat in range(options.repeats):
            for spec in specs:
                for epsilon in options.epsilons if spec.private else (np.inf,):
                    setting = Setting(
                        epsilon=epsilon,
                        delta=options.delta,
                        facts=forms[spec.rows].facts,
                        classes=codes,
                        seed=options.seed + repeat,
                        target_bounds=problem.target_bounds,
                    )
                    yield spec, setting, repeat

    todo = list(tasks())
    parallel = joblib.Parallel(n_jobs=options.jobs, return_as="generator")
    done = parallel(
        joblib.delayed(run_fit)(
            spec,
            setting,
            repeat,
            forms[spec.rows].X,
            y,
            splits[repeat],
            ledger,
        )
        for spec, setting, repeat in todo
    )
    fits = _read_spent(list(progress(done, len(todo), problem.name)), options.delta, ledger)
    encoded = forms["encoded"]
    return BenchmarkResult(
        problem={
            "name": problem.name,
            "task": problem.task,
            "n_rows": problem.n_rows,
            "n_columns": len(problem.columns),
            "n_encoded": encoded.X.shape[1],
            "classes": list(problem.classes),
            "norm_bound": encoded.facts.norm,
            "target_bounds": problem.target_bounds,
            "assumptions": [*problem.assumptions, SCORES_ARE_EXACT],
        },
        options=options,
        fits=tuple(fits),
        skipped=skipped,
        versions=_versions(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _missing(spec: PipelineSpec, problem: Problem, forms: dict[str, Rows]) -> str:
    """Return why a pipeline can't run on a problem; empty if it can."""
    if spec.package is not None and importlib.util.find_spec(spec.package) is None:
        return f"needs the package {spec.package}, which is not installed"
    rows = forms[spec.rows]
    if not rows.X.shape[1]:
        kind = "columns of numbers" if spec.rows == "numbers" else "text columns or bounds"
        return f"needs {kind}, which this data set lacks"
    if "bounds" in spec.needs and rows.facts.bounds is None:
        return "needs declared bounds of all columns, which this data set lacks"
    if "target range" in spec.needs and problem.target_bounds is None:
        return "needs a declared range of the target, which this data set lacks"
    return ""


def _splits(problem: Problem, options: Options) -> list[tuple[np.ndarray, np.ndarray]]:
    kind = StratifiedShuffleSplit if problem.task == "classification" else ShuffleSplit
    splitter = kind(options.repeats, test_size=TEST_SIZE, random_state=options.seed)
    return list(splitter.split(np.zeros(problem.n_rows), problem.target))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()} | {name: version(name) for name in VERSIONS}
    for name in OPTIONAL:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


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
    X : array of shape (n_rows, n_columns)
        Rows, in the form that the pipeline asks for.
    y : array of shape (n_rows,)
        Codes of labels, or numbers; not used if the task is unsupervised.
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
        "pipeline": spec.name,
        "guarantee": spec.guarantee,
        "epsilon": setting.epsilon,
        "repeat": repeat,
    }
    data = (X[train],) if spec.task == "unsupervised" else (X[train], y[train])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = spec.build(setting)
            if spec.private:
                ledger.bind(model)
            start = time.perf_counter()
            model.fit(*data)
            seconds = time.perf_counter() - start
            scores: dict[str, Any] = score(model, X[test], y[test], spec.task, setting.classes)
        except Exception as error:  # noqa: BLE001 (any model's failure is a result here)
            return FitResult(**about, error=f"{type(error).__name__}: {error}")
    return FitResult(
        **about,
        **scores,
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
