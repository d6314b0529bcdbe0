"""Fit time and memory of every private learner beside its twin in scikit-learn.

python benchmarks/bench_speed.py [--rows N] [--columns D] [--only NAME ...] [--repeats R]
    [--profile] [--output FILE]

Two tables: Adult (complete rows; numbers scaled to [0, 1] by public bounds, the rest one-hot;
trees, additive models and categorical naive Bayes get numbers and codes), and N x D normal
rows with a linear signal, --rows 0 to leave them out. A learner and its twins are fitted in
turn, in one process; the least of several fits counts, against the fastest twin. Private
learners get public bounds; a second line without them shows what the search for bounds costs.

`wall` and `cpu` are seconds of a fit, `ratio` is that of the wall times. Each twin runs with
as many threads as it takes by default (the environment's OMP_NUM_THREADS); forests have one job.
`memory` is the most that a fit holds beyond X and y, as a part of X's size: in float64, in
float32, and of sparse rows (Adult) where a learner takes them. A forest whose fit would take
minutes is timed by four of its trees, times their number: "of 4 trees".

Learners that are slower than their twin have a profile: the functions of the package that
take the most time, as parts of the whole.
"""

import argparse
import cProfile
import json
import os
import platform
import pstats
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.svm import LinearSVC

import skprivacy
from skprivacy.additive import DPAdditiveClassifier, DPAdditiveRegressor
from skprivacy.cluster import DPKMeans
from skprivacy.covariance import DPEmpiricalCovariance
from skprivacy.datasets import load_adult
from skprivacy.decomposition import DPPCA
from skprivacy.ensemble import DPExtraTreesClassifier, DPExtraTreesRegressor
from skprivacy.linear_model import DPLinearRegression, DPLinearSVC, DPLogisticRegression, DPRidge
from skprivacy.naive_bayes import DPCategoricalNB, DPGaussianNB

LONG = 20.0
"""A learner whose fits have taken so many seconds together is not fitted again."""

N_TREES, TIMED_TREES, MANY_ROWS = 64, 4, 200_000
SEED = 0


@dataclass(frozen=True)
class Table:
    """Rows in two codings, with public bounds, two classes and a target."""

    name: str
    X: np.ndarray
    bounds: Any
    coded: np.ndarray
    coded_bounds: Any
    categories: np.ndarray
    y: np.ndarray
    target: np.ndarray
    target_bounds: tuple[float, float]


@dataclass(frozen=True)
class Case:
    """A private learner, its twins, and what they are fitted to."""

    name: str
    learner: Any
    twins: tuple[Any, ...]
    X: np.ndarray
    y: np.ndarray | None
    trees: int = 1
    """What a fit of the first few trees is multiplied by."""


def adult() -> Table:
    """Return the complete rows of Adult."""
    bunch = load_adult(as_frame=True)
    complete = bunch.data.notna().all(axis=1)
    frame, labels = bunch.data[complete], bunch.target[complete]
    names = list(bunch.bounds)
    low, high = np.array([bunch.bounds[name] for name in names], dtype=float).T
    numbers = frame[names].to_numpy(dtype=float)
    texts = frame.drop(columns=names).astype(str)
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(texts)
    codes = OrdinalEncoder().fit_transform(texts)
    X = np.hstack([(numbers - low) / (high - low), one_hot])
    hours = frame["hours_per_week"].to_numpy(dtype=float)
    coded = np.hstack([numbers, codes])
    return Table(
        name="Adult",
        X=X,
        bounds=(0, 1),
        coded=coded,
        coded_bounds=(np.append(low, 0 * codes[0]), np.append(high, codes.max(axis=0) + 1)),
        categories=codes.astype(np.int64),
        y=(labels.to_numpy() == labels.cat.categories[-1]).astype(int),
        target=hours,
        target_bounds=(0.0, 100.0),
    )


def synthetic(n_rows: int, n_columns: int) -> Table:
    """Return normal rows with a linear signal."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((n_rows, n_columns))
    signal = X @ rng.standard_normal(n_columns) / n_columns**0.5
    return Table(
        name=f"{n_rows} x {n_columns}",
        X=X,
        bounds=(-5, 5),
        coded=X,
        coded_bounds=(-5, 5),
        categories=rng.integers(0, 8, (n_rows, 10)),
        y=(signal + rng.logistic(size=n_rows) > 0).astype(int),
        target=signal + 0.5 * rng.standard_normal(n_rows),
        target_bounds=(-5.0, 5.0),
    )


def cases(table: Table) -> Iterator[Case]:
    """Yield a case for every private learner, with and without bounds where both matter."""
    X, y, target, y_bounds = table.X, table.y, table.target, table.target_bounds
    given, coded = {"random_state": SEED, "bounds": table.bounds}, {"random_state": SEED}
    coded["bounds"] = table.coded_bounds
    logistic = LogisticRegression(), LogisticRegression(solver="newton-cholesky")
    trees = TIMED_TREES if len(X) > MANY_ROWS else N_TREES
    ridge = Ridge(), Ridge(solver="cholesky")
    yield Case("DPLogisticRegression", DPLogisticRegression(**given), logistic, X, y)
    yield Case("DPLinearSVC", DPLinearSVC(**given), (LinearSVC(dual=False),), X, y)
    yield Case("DPRidge", DPRidge(y_bounds=y_bounds, **given), ridge, X, target)
    linear = DPLinearRegression(y_bounds=y_bounds, **given)
    yield Case("DPLinearRegression", linear, (LinearRegression(),), X, target)
    yield Case("DPGaussianNB", DPGaussianNB(**given), (GaussianNB(),), X, y)
    n_categories = int(table.categories.max()) + 1
    yield Case(
        "DPCategoricalNB",
        DPCategoricalNB(n_categories=n_categories, random_state=SEED),
        (CategoricalNB(min_categories=n_categories),),
        table.categories,
        y,
    )
    yield Case("DPKMeans", DPKMeans(8, **given), (KMeans(8, random_state=SEED),), X, None)
    yield Case("DPPCA", DPPCA(5, **given), (PCA(5),), X, None)
    covariance = DPEmpiricalCovariance(**given)
    yield Case("DPEmpiricalCovariance", covariance, (EmpiricalCovariance(),), X, None)
    forest = DPExtraTreesClassifier(N_TREES, **coded)
    twin = ExtraTreesClassifier(trees, random_state=SEED)
    yield Case("DPExtraTreesClassifier", forest, (twin,), table.coded, y, N_TREES // trees)
    forest = DPExtraTreesRegressor(N_TREES, y_bounds=y_bounds, **coded)
    twin = ExtraTreesRegressor(trees, random_state=SEED)
    yield Case("DPExtraTreesRegressor", forest, (twin,), table.coded, target, N_TREES // trees)
    boosting = (HistGradientBoostingClassifier(random_state=SEED),)
    yield Case("DPAdditiveClassifier", DPAdditiveClassifier(**coded), boosting, table.coded, y)
    additive = DPAdditiveRegressor(y_bounds=y_bounds, **coded)
    boosting = (HistGradientBoostingRegressor(random_state=SEED),)
    yield Case("DPAdditiveRegressor", additive, boosting, table.coded, target)
    found = {"random_state": SEED}
    yield Case("DPLogisticRegression, bounds=None", DPLogisticRegression(**found), logistic, X, y)
    yield Case("DPPCA, bounds=None", DPPCA(5, **found), (PCA(5),), X, None)


def fit(model: Any, X: Any, y: np.ndarray | None) -> Any:
    """Return a fitted clone."""
    return clone(model).fit(X) if y is None else clone(model).fit(X, y)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and process time of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def memory(model: Any, X: Any, y: np.ndarray | None) -> float:
    """Return the largest memory of a fit beyond its arguments, as a part of X's size."""
    size = (
        X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if scipy.sparse.issparse(X) else X.nbytes
    )
    tracemalloc.start()
    try:
        fit(model, X, y)
        return tracemalloc.get_traced_memory()[1] / size
    finally:
        tracemalloc.stop()


def profile(model: Any, X: Any, y: np.ndarray | None, most: int = 8) -> dict[str, float]:
    """Return the package's functions with the largest cumulative parts of a fit."""
    profiler = cProfile.Profile()
    profiler.runcall(fit, model, X, y)
    stats = pstats.Stats(profiler)
    package = str(Path(skprivacy.__file__).parent)
    parts = {
        f"{Path(file).relative_to(package)}:{function}": one[3] / stats.total_tt
        for (file, _, function), one in stats.stats.items()
        if file.startswith(package) and function not in ("fit", "_private_fit", "_checked_fit")
    }
    return dict(sorted(parts.items(), key=lambda item: -item[1])[:most])


def measure(case: Case, repeats: int, *, always_profile: bool) -> dict[str, Any]:
    """Return a row of the table."""
    models = [case.learner, *case.twins]
    times: list[list[tuple[float, float]]] = [[] for _ in models]
    for _ in range(repeats):
        for model, known in zip(models, times, strict=True):
            if sum(wall for wall, _ in known) < LONG:
                known.append(seconds(lambda model=model: fit(model, case.X, case.y)))
    best = [(min(wall for wall, _ in one), min(cpu for _, cpu in one)) for one in times]
    twin = min(best[1:])
    name = type(case.twins[best[1:].index(twin)]).__name__
    twin = twin[0] * case.trees, twin[1] * case.trees
    row: dict[str, Any] = {
        "learner": case.name,
        "twin": name + (f", of {TIMED_TREES} trees" if case.trees > 1 else ""),
        "wall": best[0][0],
        "cpu": best[0][1],
        "twin_wall": twin[0],
        "twin_cpu": twin[1],
        "ratio": best[0][0] / twin[0],
        "cpu_ratio": best[0][1] / twin[1],
        "memory": memory(case.learner, case.X, case.y),
    }
    if case.X.dtype == np.float64:
        row["memory_float32"] = memory(case.learner, case.X.astype(np.float32), case.y)
    if case.learner.__sklearn_tags__().input_tags.sparse and (case.X == 0).mean() > 0.5:
        row["memory_sparse"] = memory(case.learner, csr_array(case.X), case.y)
    if always_profile or row["ratio"] > 1:
        row["profile"] = profile(case.learner, case.X, case.y)
    return row


def show(row: dict[str, Any]) -> None:
    """Print a row of the table."""
    parts = [row.get(name) for name in ("memory", "memory_float32", "memory_sparse")]
    shown = " ".join("     -" if part is None else f"{part:6.1%}" for part in parts)
    print(
        f"{row['learner']:34}{row['wall']:8.3f}{row['twin_wall']:9.3f}{row['ratio']:7.2f}"
        f"{row['cpu_ratio']:7.2f}  {shown}  {row['twin']}",
        flush=True,
    )
    for name, part in row.get("profile", {}).items():
        print(f"    {part:5.0%}  {name}")


def machine() -> dict[str, Any]:
    """Return facts about the machine, none of which names it."""
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {"system": platform.system(), "cores": os.cpu_count(), **threads}


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of learners' names")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-adult", action="store_true")
    parser.add_argument("--profile", action="store_true", help="also of the faster ones")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    makers: list[Callable[[], Table]] = [] if options.no_adult else [adult]
    if options.rows:
        makers.append(lambda: synthetic(options.rows, options.columns))
    tables = {}
    for make in makers:
        table = make()
        print(f"\n{table.name}: {table.X.shape[0]} x {table.X.shape[1]}")
        print(f"{'':34}{'wall':>8}{'twin':>9}{'ratio':>7}{'cpu':>7}  memory float32 sparse")
        rows = []
        for case in cases(table):
            if options.only and not case.name.startswith(tuple(options.only)):
                continue
            rows.append(measure(case, options.repeats, always_profile=options.profile))
            show(rows[-1])
        tables[table.name] = {"shape": table.X.shape, "rows": rows}
    versions = {
        "python": platform.python_version(),
        "skprivacy": skprivacy.__version__,
        **{module.__name__: module.__version__ for module in (np, scipy, sklearn)},
    }
    print(f"\nversions {versions}, {machine()}, seed {SEED}")
    if options.output:
        document = {"versions": versions, "machine": machine(), "seed": SEED, "tables": tables}
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's of solvers that stop early
        main()
