"""Private learners beside diffprivlib's and scikit-learn's: how good, and how fast.

python benchmarks/bench_learners.py [REPEATS] [OUTPUT.json] [LEARNER ...]

Naive Bayes and trees by area under the ROC curve (accuracy with more than two classes) on a
test set, principal components by captured variance (of the true components' own), k-means by
inertia over the non-private one's. Medians over the repeats, lowest and highest beside. All
private learners get the same bounds: Adult's are its documented ones, those of other data
their own extremes (a benchmark's licence, no private practice). diffprivlib's claim is pure
epsilon, its adjacency unstated; ours is (epsilon, 1e-6). Times are process seconds of a fit on
one thread, as a multiple of scikit-learn's. Seeds are 0 to REPEATS - 1.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_blobs
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from skprivacy.cluster import DPKMeans
from skprivacy.datasets import load_adult
from skprivacy.decomposition import DPPCA
from skprivacy.ensemble import DPExtraTreesClassifier
from skprivacy.interop import diffprivlib_model
from skprivacy.naive_bayes import DPCategoricalNB, DPGaussianNB

EPSILONS = (0.25, 0.5, 1.0, 4.0)
LIMIT = 30
"""Seconds after which a fit is given up; its value is then NaN."""

NUMBERS = ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
Bounds = tuple[np.ndarray, np.ndarray]
Measure = Callable[[Any], float]


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


def extremes(X: np.ndarray) -> Bounds:
    """Return the data's own bounds, of some width."""
    low = X.min(axis=0)
    return low, np.maximum(X.max(axis=0), low + 1e-3)


def adult() -> tuple[np.ndarray, np.ndarray, Bounds, np.ndarray]:
    """Return Adult with codes for categories, its target, bounds, and which are categories."""
    bunch = load_adult()
    columns, bounds = [], []
    for name in bunch.data.columns:
        column = bunch.data[name]
        if name in bunch.categories:
            values = list(bunch.categories[name])
            codes = {value: code for code, value in enumerate(values)}
            columns.append(np.array([codes.get(value, len(values)) for value in column], float))
            bounds.append((0.0, float(len(values))))
        else:
            columns.append(column.to_numpy(dtype=float))
            bounds.append(bunch.bounds[name])
    low, high = np.array(bounds).T
    categorical = np.array([name in bunch.categories for name in bunch.data.columns])
    return (
        np.column_stack(columns),
        (bunch.target == ">50K").to_numpy().astype(int),
        (low, high),
        categorical,
    )


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


def categories(X: np.ndarray, y: np.ndarray, sizes: np.ndarray) -> Case:
    """Return the case of naive Bayes on codes; diffprivlib has the Gaussian one alone."""
    bounds = np.zeros(sizes.size), sizes.astype(float)
    return Case(
        "CategoricalNB",
        "adult, categories",
        "AUC",
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


def cases() -> Iterator[Case]:
    """Yield all comparisons."""
    X, y, (low, high), categorical = adult()
    names = list(load_adult().data.columns)
    numbers = [names.index(name) for name in NUMBERS]
    number_bounds = low[numbers], high[numbers]
    breast, wine, digits = load_breast_cancer(), load_wine(), load_digits()
    digit_bounds = np.zeros(64), np.full(64, 16.0)

    yield naive_bayes("adult, numbers", X[:, numbers], y, number_bounds)
    for name, bunch in {"breast_cancer": breast, "wine": wine}.items():
        yield naive_bayes(name, bunch.data, bunch.target, extremes(bunch.data))
    yield naive_bayes("digits", digits.data, digits.target, digit_bounds)
    yield categories(X[:, categorical], y, high[categorical].astype(int))
    yield components("adult, numbers", X[:, numbers], number_bounds)
    yield components("breast_cancer, 10", breast.data[:, :10], extremes(breast.data[:, :10]))
    yield components("wine", wine.data, extremes(wine.data))
    yield components("digits", digits.data, digit_bounds)
    three = [names.index(name) for name in ("age", "education_num", "hours_per_week")]
    scaled = (X[:, three] - low[three]) / (high[three] - low[three])
    yield clusters("adult, 3 numbers", scaled, (np.zeros(3), np.ones(3)), 6)
    for n_rows in (20_000, 2_000):
        blobs, _ = make_blobs(n_rows, 5, centers=8, center_box=(-10, 10), random_state=0)
        yield clusters(f"blobs {n_rows} x 5", blobs, (np.full(5, -15.0), np.full(5, 15.0)), 8)
    yield clusters("digits", digits.data, digit_bounds, 10)
    yield trees("adult", X, y, (low, high), categorical)
    yield trees("digits", digits.data, digits.target, digit_bounds, None)
    yield trees("breast_cancer", breast.data, breast.target, extremes(breast.data), None)


def fits_in_time(model: Any, rows: tuple[Any, ...]) -> bool:
    """Fit a model; return False if that takes longer than `LIMIT` seconds.

    diffprivlib's principal components come from a rejection sampler that may go on for hours.
    """

    def stop(*_: Any) -> None:
        raise TimeoutError

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        model.fit(*rows)
    except TimeoutError:
        return False
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)
    return True


def run(case: Case, repeats: int) -> Iterator[dict[str, Any]]:
    """Yield a result for each budget and contender."""
    unit = 1.0
    for contender in ("scikit-learn", *(name for name in case.make if name != "scikit-learn")):
        for epsilon in (np.inf,) if contender == "scikit-learn" else EPSILONS:
            values, seconds = [], []
            for seed in range(repeats):
                rows, measure = case.rows(seed)
                model = case.make[contender](epsilon, seed)
                start = time.process_time()
                ended = fits_in_time(model, rows)
                seconds.append(time.process_time() - start)
                values.append(measure(model) if ended else float("nan"))
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
                "time_ratio": float(np.median(seconds)) / unit,
            }


def line(result: dict[str, Any]) -> str:
    """Return a line of the table."""
    values = result["values"]
    return (
        f"{result['learner']:13s} {result['data']:18s} {result['measure']:21s} "
        f"{result['contender']:21s} {result['epsilon']:5.2f} {np.median(values):8.4f} "
        f"({np.min(values):.4f} to {np.max(values):.4f}) {result['time_ratio']:8.2f}"
    )


def main(repeats: int, output: str | None, only: list[str]) -> None:
    """Print the table and write the results."""
    packages = ("skprivacy", "diffprivlib", "scikit-learn", "numpy", "scipy")
    versions = {package: version(package) for package in packages}
    print(f"seeds 0 to {repeats - 1}; {versions}")
    print("learner       data               measure               contender             epsilon")
    results = []
    for case in cases():
        if only and case.learner not in only:
            continue
        for result in run(case, repeats):
            print(line(result), flush=True)
            results.append(result)
    if output is not None:
        report = {"seeds": list(range(repeats)), "versions": versions, "results": results}
        Path(output).write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffprivlib's of its leaks
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 5,
            sys.argv[2] if len(sys.argv) > 2 else None,
            sys.argv[3:],
        )
