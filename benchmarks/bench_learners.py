"""Private learners beside diffprivlib's and scikit-learn's: how good, and how fast.

python benchmarks/bench_learners.py --sets development --output benchmarks/results/learners.json

Of every data set of a list the learners get what suits them: naive Bayes the numbers, or the
codes of the categories, trees both, k-means and principal components the numbers, scaled to
[0, 1]. Naive Bayes and trees are judged by area under the ROC curve (accuracy with more than two
classes) on a test set, components by captured variance (of the true components' own), k-means
by inertia over the non-private one's. Medians over the splits, lowest and highest beside.

All private learners get the same bounds and categories: documented ones where there are some,
else the data's own (a benchmark's licence, no private practice). "no bounds" learners find them.
diffprivlib's claim is pure epsilon, its adjacency unstated; ours is (epsilon, 1e-6). Times are
process seconds of a fit on one thread, as a multiple of scikit-learn's. Split s has random
state s, noise seed s.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _lists import LISTS
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from skprivacy.cluster import DPKMeans
from skprivacy.datasets import load_adult, load_dataset
from skprivacy.decomposition import DPPCA
from skprivacy.ensemble import DPExtraTreesClassifier
from skprivacy.interop import diffprivlib_model
from skprivacy.naive_bayes import DPCategoricalNB, DPGaussianNB

EPSILONS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
LEARNERS = ("GaussianNB", "CategoricalNB", "ExtraTrees", "KMeans", "PCA")
LIMIT = 3
"""Process seconds after which a fit is given up; its value is then NaN."""

CLOCK = 1e-4
"""Seconds below which a fit is not timed."""

MOST_ROWS = 50_000
"""Larger sets are cut to a random part."""

Bounds = tuple[np.ndarray, np.ndarray]
Measure = Callable[[Any], float]


@dataclass(frozen=True)
class Table:
    """A data set as numbers and codes of categories.

    Parameters
    ----------
    name, task : str
    X : array of shape (n_rows, n_features)
        Numbers as they are, a missing one at the lower bound; categories as codes, one
        code more for missing values and those that are not declared.
    y : array of shape (n_rows,)
    bounds : tuple of two arrays of shape (n_features,)
    categorical : array of bool of shape (n_features,)
    """

    name: str
    task: str
    X: np.ndarray
    y: np.ndarray
    bounds: Bounds
    categorical: np.ndarray

    @classmethod
    def load(cls, name: str) -> "Table":
        """Return a data set by name."""
        bunch = load_adult() if name == "adult" else load_dataset(name)
        data = bunch.data
        if not isinstance(data, pd.DataFrame):
            data = pd.DataFrame(data, columns=bunch.feature_names)
        target = np.asarray(bunch.target)
        if len(data) > MOST_ROWS:
            rows = np.random.default_rng(0).choice(len(data), MOST_ROWS, replace=False)
            data, target = data.iloc[rows], target[rows]
        columns, bounds, categorical = [], [], []
        for column in data.columns:
            values = data[column]
            if column in bunch.categories or not pd.api.types.is_numeric_dtype(values):
                text = values.astype(str)
                known = sorted(map(str, bunch.categories.get(column, text.unique())))
                codes = {value: code for code, value in enumerate(known)}
                columns.append(text.map(codes).fillna(len(known)).to_numpy(dtype=float))
                bounds.append((0.0, float(len(known))))
                categorical.append(True)
            else:
                numbers = values.to_numpy(dtype=float)
                least, most = np.nanmin(numbers), np.nanmax(numbers)
                low, high = bunch.bounds.get(column, (least, max(most, least + 1e-3)))
                columns.append(np.where(np.isnan(numbers), low, numbers))
                bounds.append((float(low), float(high)))
                categorical.append(False)
        low, high = np.array(bounds).T
        task = "binary" if name == "adult" else bunch.task
        y = (
            target
            if task == "regression"
            else np.unique(target.astype(str), return_inverse=True)[1]
        )
        return cls(name, task, np.column_stack(columns), y, (low, high), np.array(categorical))

    def part(self, columns: np.ndarray) -> tuple[np.ndarray, Bounds]:
        """Return some of the columns and their bounds."""
        low, high = self.bounds
        return self.X[:, columns], (low[columns], high[columns])

    def numbers(self) -> tuple[np.ndarray, Bounds]:
        """Return the columns of numbers, clipped and scaled to [0, 1]."""
        X, (low, high) = self.part(~self.categorical)
        return (np.clip(X, low, high) - low) / (high - low), (
            np.zeros(low.size),
            np.ones(low.size),
        )


@dataclass(frozen=True)
class Case:
    """One learner on one data set.

    Parameters
    ----------
    learner, data, measure : str
    make : dict of str to callable
        For each contender, a model for a budget and a seed.
    rows : callable
        For a seed, what is passed to `fit`, and the measure of a fitted model.
    less_is_better : bool
    """

    learner: str
    data: str
    measure: str
    make: dict[str, Callable[[float, int], Any]]
    rows: Callable[[int], tuple[tuple[Any, ...], Measure]]
    less_is_better: bool = False


def supervised(X: np.ndarray, y: np.ndarray) -> Callable[[int], tuple[tuple[Any, ...], Measure]]:
    """Return splits, and the measure on the test part."""

    def rows(seed: int) -> tuple[tuple[Any, ...], Measure]:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, random_state=seed, stratify=y
        )

        def measure(model: Any) -> float:
            if np.unique(y).size > 2:
                return float(model.score(X_test, y_test))
            return float(roc_auc_score(y_test, np.nan_to_num(model.predict_proba(X_test)[:, 1])))

        return (X_train, y_train), measure

    return rows


def unsupervised(
    X: np.ndarray, measure: Measure
) -> Callable[[int], tuple[tuple[Any, ...], Measure]]:
    """Return all rows for every seed."""
    return lambda _: ((X,), measure)


def naive_bayes(data: str, X: np.ndarray, y: np.ndarray, bounds: Bounds) -> Case:
    """Return the case of Gaussian naive Bayes."""
    return Case(
        "GaussianNB",
        data,
        "AUC" if np.unique(y).size == 2 else "accuracy",
        {
            "skprivacy": lambda e, s: DPGaussianNB(e, bounds=bounds, random_state=s),
            "skprivacy, no bounds": lambda e, s: DPGaussianNB(e, random_state=s),
            "diffprivlib": lambda e, s: diffprivlib_model(
                "GaussianNB", epsilon=e, bounds=bounds, random_state=s
            ),
            "scikit-learn": lambda _, __: GaussianNB(),
        },
        supervised(X, y),
    )


def categories(data: str, X: np.ndarray, y: np.ndarray, sizes: np.ndarray) -> Case:
    """Return the case of naive Bayes on codes; diffprivlib has the Gaussian one alone."""
    bounds = np.zeros(sizes.size), sizes.astype(float)
    return Case(
        "CategoricalNB",
        data,
        "AUC" if np.unique(y).size == 2 else "accuracy",
        {
            "skprivacy": lambda e, s: DPCategoricalNB(
                epsilon=e, n_categories=sizes, random_state=s
            ),
            "diffprivlib": lambda e, s: diffprivlib_model(
                "GaussianNB", epsilon=e, bounds=bounds, random_state=s
            ),
            "scikit-learn": lambda _, __: CategoricalNB(min_categories=sizes + 1),
        },
        supervised(X, y),
    )


def trees(
    data: str, X: np.ndarray, y: np.ndarray, bounds: Bounds, categorical: np.ndarray | None
) -> Case:
    """Return the case of random trees; diffprivlib's forest, with ten and with fifty."""
    classes = np.unique(y)

    def forest(n_trees: int, depth: int) -> Callable[[float, int], Any]:
        return lambda e, s: diffprivlib_model(
            "RandomForestClassifier",
            epsilon=e,
            n_estimators=n_trees,
            max_depth=depth,
            bounds=bounds,
            classes=classes,
            random_state=s,
        )

    return Case(
        "ExtraTrees",
        data,
        "AUC" if classes.size == 2 else "accuracy",
        {
            "skprivacy": lambda e, s: DPExtraTreesClassifier(
                epsilon=e, bounds=bounds, categorical_features=categorical, random_state=s
            ),
            "diffprivlib, 10 x 5": forest(10, 5),
            "diffprivlib, 50 x 8": forest(50, 8),
            "scikit-learn": lambda _, s: ExtraTreesClassifier(random_state=s),
        },
        supervised(X, y),
    )


def components(data: str, X: np.ndarray, bounds: Bounds) -> Case:
    """Return the case of two principal components."""
    true = np.cov(np.clip(X, *bounds).T)
    best = np.linalg.eigvalsh(true)[-2:].sum()
    norm = float(np.linalg.norm(np.maximum(np.abs(bounds[0]), np.abs(bounds[1]))))

    def captured(model: Any) -> float:
        basis = np.linalg.qr(model.components_.T)[0]
        return float(np.trace(basis.T @ true @ basis) / best)

    make = {
        "skprivacy": lambda e, s: DPPCA(2, e, bounds=bounds, random_state=s),
        "skprivacy, no bounds": lambda e, s: DPPCA(2, e, random_state=s),
        "diffprivlib": lambda e, s: diffprivlib_model(
            "PCA", n_components=2, epsilon=e, bounds=bounds, data_norm=norm, random_state=s
        ),
        "scikit-learn": lambda _, __: PCA(2),
    }
    return Case("PCA", data, "captured variance", make, unsupervised(X, captured))


def clusters(data: str, X: np.ndarray, bounds: Bounds, k: int) -> Case:
    """Return the case of k-means."""

    def inertia(model: Any) -> float:
        squares = ((X[:, np.newaxis] - model.cluster_centers_) ** 2).sum(axis=2)
        return float(squares.min(axis=1).sum())

    best = inertia(KMeans(k, n_init=10, random_state=0).fit(X))
    return Case(
        "KMeans",
        data,
        "inertia over the best",
        {
            "skprivacy": lambda e, s: DPKMeans(k, e, bounds=bounds, random_state=s),
            "skprivacy, no bounds": lambda e, s: DPKMeans(k, e, random_state=s),
            "diffprivlib": lambda e, s: diffprivlib_model(
                "KMeans", n_clusters=k, epsilon=e, bounds=bounds, random_state=s
            ),
            "scikit-learn": lambda _, s: KMeans(k, n_init=1, random_state=s),
        },
        unsupervised(X, lambda model: inertia(model) / best),
        less_is_better=True,
    )


def cases(table: Table) -> Iterator[Case]:
    """Yield what a data set is used for."""
    name, y = table.name, table.y
    if table.task != "regression":
        if np.count_nonzero(~table.categorical) >= 2:
            X, bounds = table.part(~table.categorical)
            yield naive_bayes(name, X, y, bounds)
        if np.count_nonzero(table.categorical) >= 2:
            X, (_, high) = table.part(table.categorical)
            yield categories(name, X, y, high.astype(int))
        yield trees(name, table.X, y, table.bounds, table.categorical)
    if np.count_nonzero(~table.categorical) >= 3:
        X, bounds = table.numbers()
        n_classes = np.unique(y).size
        yield clusters(name, X, bounds, n_classes if 3 <= n_classes <= 10 else 8)
        yield components(name, X, bounds)


def blobs() -> Iterator[Case]:
    """Yield clusters as they are in textbooks."""
    for n_rows in (20_000, 2_000):
        X, _ = make_blobs(n_rows, 5, centers=8, center_box=(-10, 10), random_state=0)
        yield clusters(f"blobs {n_rows} x 5", X, (np.full(5, -15.0), np.full(5, 15.0)), 8)


def fits_in_time(model: Any, rows: tuple[Any, ...]) -> bool:
    """Fit a model; return False if that takes longer than `LIMIT` seconds.

    diffprivlib's principal components come from a rejection sampler that may go on for hours.
    """

    def stop(*_: Any) -> None:
        raise TimeoutError

    earlier = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    try:
        model.fit(*rows)
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, earlier)
    return True


def run(case: Case, repeats: int, epsilons: list[float]) -> Iterator[dict[str, Any]]:
    """Yield a result for each budget and contender."""
    unit = 1.0
    for contender in ("scikit-learn", *(name for name in case.make if name != "scikit-learn")):
        for epsilon in (np.inf,) if contender == "scikit-learn" else epsilons:
            values, seconds = [], []
            for seed in range(repeats):
                rows, measure = case.rows(seed)
                model = case.make[contender](epsilon, seed)
                start = time.process_time()
                ended = fits_in_time(model, rows)
                seconds.append(time.process_time() - start)
                values.append(measure(model) if ended else float("nan"))
                if not ended:  # nor will others of the kind
                    break
            if contender == "scikit-learn":
                unit = float(np.median(seconds))
            yield {
                "learner": case.learner,
                "data": case.data,
                "measure": case.measure,
                "less_is_better": case.less_is_better,
                "contender": contender,
                "epsilon": float(epsilon),
                "values": values,
                "seconds": seconds,
                "time_ratio": float(np.median(seconds)) / max(unit, CLOCK),
            }


def line(result: dict[str, Any]) -> str:
    """Return a line of the table."""
    values = result["values"]
    return (
        f"{result['learner']:13s} {result['data']:18s} {result['measure']:21s} "
        f"{result['contender']:21s} {result['epsilon']:5.2f} {np.median(values):8.4f} "
        f"({np.min(values):.4f} to {np.max(values):.4f}) {result['time_ratio']:8.2f}"
    )


def main() -> None:
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", default=["development"], help="lists, names or blobs")
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), choices=LEARNERS)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--epsilons", nargs="+", type=float, default=list(EPSILONS))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    packages = ("skprivacy", "diffprivlib", "scikit-learn", "numpy", "scipy", "pandas")
    setting = {
        "versions": {package: version(package) for package in packages},
        "splits": options.splits,
        "seeds": "split s has random_state s, noise s",
        "epsilons": options.epsilons,
        "limit_seconds": LIMIT,
        "most_rows": MOST_ROWS,
    }
    print(json.dumps(setting))
    results: list[dict[str, Any]] = []
    for name in [n for chosen in options.sets for n in LISTS.get(chosen, (chosen,))]:
        for case in blobs() if name == "blobs" else cases(Table.load(name)):
            if case.learner not in options.learners:
                continue
            for result in run(case, options.splits, options.epsilons):
                print(line(result), flush=True)
                results.append(result)
        if options.output:
            options.output.write_text(json.dumps({**setting, "results": results}, indent=1))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffprivlib's of its leaks
        main()
