"""PATE on Adult and digits beside private logistic regression, at epsilon 1, 3 and 8.

python benchmarks/bench_pate.py [--seeds 3] [--datasets adult digits] [--output FILE]

Private rows, public pool and test rows are disjoint; the pool's labels are used in the rows
"public labels" alone. Each private learner is shown under both adjacencies; PATE's noise is the
same under both, so it is run once. "tuned" numbers of teachers and queries are those that did
best on test rows in earlier trials, which flatters them; "automatic" ones use public numbers only.
PATE gets Adult's numbers standardised by the public pool; the private regression gets them scaled
by their documented ranges, which it declares as bounds, and a student of its own standardises.
The table is printed, and written as JSON with seeds and versions. About five minutes on one core.
"""

import argparse
import json
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import skprivacy
from skprivacy import PrivacyAccountant
from skprivacy.benchmarking import encode, problem_from_bunch
from skprivacy.datasets import load_dataset
from skprivacy.distillation import DistilledClassifier, PATEClassifier, PublicData
from skprivacy.linear_model import DPLogisticRegression

EPSILONS = (1.0, 3.0, 8.0)
LINEAR = LogisticRegression(max_iter=500)
TREE = DecisionTreeClassifier(max_depth=6)


@dataclass
class Data:
    """One data set, split; `tuned` has (n_teachers, n_queries) for each epsilon."""

    name: str
    delta: float
    private: tuple[np.ndarray, np.ndarray]
    pool: np.ndarray
    pool_labels: np.ndarray
    test: tuple[np.ndarray, np.ndarray]
    teachers: dict[str, tuple[Any, dict[float, tuple[int, int]]]]

    @classmethod
    def split(cls, name: str, X: np.ndarray, y: np.ndarray, sizes: tuple[int, int], **rest: Any):
        """Return a data set whose rows are dealt out by a fixed seed."""
        order = np.random.default_rng(0).permutation(len(y))
        private, pool, test = np.split(order, np.cumsum(sizes))
        return cls(
            name,
            private=(X[private], y[private]),
            pool=X[pool],
            pool_labels=y[pool],
            test=(X[test], y[test]),
            **rest,
        )


def standardised(data: Data) -> Data:
    """Return the data with its numbers, 0 and 1 aside, on the scale of the public pool."""
    numbers = ~np.isin(data.pool, (0.0, 1.0)).all(axis=0)
    mean = np.where(numbers, data.pool.mean(axis=0), 0.0)
    scale = np.where(numbers, data.pool.std(axis=0), 1.0)
    X, y = data.private
    X_test, y_test = data.test
    return replace(
        data,
        private=((X - mean) / scale, y),
        pool=(data.pool - mean) / scale,
        test=((X_test - mean) / scale, y_test),
    )


def load(name: str) -> Data:
    """Return Adult (20,000 private rows, pool of 6,000) or digits (1,200 and 300)."""
    if name == "adult":
        problem = problem_from_bunch(load_dataset("adult"))
        return Data.split(
            name,
            encode(problem),
            problem.target,
            (20_000, 6_000),
            delta=1e-5,
            teachers={
                "linear": (LINEAR, {1.0: (150, 100), 3.0: (150, 2000), 8.0: (150, 2000)}),
                "tree": (TREE, {1.0: (400, 1000), 3.0: (400, 2000), 8.0: (150, 2000)}),
            },
        )
    X, y = load_digits(return_X_y=True)
    tuned = {1.0: (80, 20), 3.0: (80, 80), 8.0: (80, 150)}
    return Data.split(
        name,
        X / 16,
        y,
        (1200, 300),
        delta=1e-4,
        teachers={"linear": (LINEAR, tuned), "tree": (TREE, tuned)},
    )


def private_models(data: Data, epsilon: float) -> dict[str, tuple[Any, bool]]:
    """Return unfitted models by label, and whether they take public rows."""
    n_rows = len(data.private[1])
    budget = {"epsilon": epsilon, "delta": data.delta}
    models: dict[str, tuple[Any, bool]] = {}
    linear = DPLogisticRegression(**budget, bounds=(0, 1))
    for adjacency in ("add-remove", "replace-one"):
        accountant = PrivacyAccountant(delta=data.delta, adjacency=adjacency)
        models[f"DPLogisticRegression, {adjacency}"] = (
            clone(linear).set_params(accountant=accountant),
            False,
        )
    models["DistilledClassifier of it, add-remove"] = (DistilledClassifier(linear), True)
    for name, (teacher, tuned) in data.teachers.items():
        n_teachers, n_queries = tuned[epsilon]
        automatic = PATEClassifier(teacher, LINEAR, **budget, n_rows=n_rows)
        models[f"PATE, {name} teachers, tuned"] = (
            clone(automatic).set_params(n_teachers=n_teachers, n_queries=n_queries),
            True,
        )
        models[f"PATE, {name} teachers, automatic"] = (automatic, True)
        models[f"PATE, {name} teachers, confident"] = (
            clone(automatic).set_params(confident=True),
            True,
        )
    return models


def run(data: Data, seeds: range) -> list[dict[str, Any]]:
    """Return one result for each model and epsilon."""
    by_range = data
    by_pool = standardised(data) if data.name == "adult" else data
    rows = []

    def report(label: str, epsilon: float | None, scores: list[float], **rest: Any) -> None:
        row = {
            "dataset": data.name,
            "model": label,
            "epsilon": epsilon,
            "delta": data.delta,
            "accuracy": round(float(np.mean(scores)), 4),
            "standard_deviation": round(float(np.std(scores)), 4),
            "n_seeds": len(scores),
            **rest,
        }
        rows.append(row)
        budget = "not private" if epsilon is None else f"eps {epsilon:g}"
        more = " ".join(f"{key}={value}" for key, value in rest.items())
        print(
            f"{data.name:7s} {budget:12s} {label:42s} {row['accuracy']:.3f} "
            f"(sd {row['standard_deviation']:.3f})  {more}",
            flush=True,
        )

    for label, train in {
        "LogisticRegression": by_pool.private,
        "the same, public labels": (by_pool.pool, by_pool.pool_labels),
    }.items():
        report(label, None, [clone(LINEAR).fit(*train).score(*by_pool.test)])
    for epsilon in EPSILONS:
        for label, (model, takes_pool) in private_models(data, epsilon).items():
            shown = by_pool if label.startswith("PATE") else by_range
            options = {"X_public": PublicData(shown.pool)} if takes_pool else {}
            scores, start = [], time.perf_counter()
            for seed in seeds:
                fitted = clone(model).set_params(random_state=seed)
                fitted.fit(*shown.private, **options)
                scores.append(fitted.score(*shown.test))
            seconds = round((time.perf_counter() - start) / len(scores), 2)
            numbers = {
                name: getattr(fitted, f"{name}_")
                for name in ("n_teachers", "n_queries", "n_answered")
                if hasattr(fitted, f"{name}_")
            }
            report(label, epsilon, scores, seconds=seconds, **numbers)
    return rows


def main() -> None:
    """Run, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--datasets", nargs="+", default=["adult", "digits"])
    parser.add_argument("--output", type=Path, default=Path("benchmark-results/pate.json"))
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    results = [row for name in arguments.datasets for row in run(load(name), seeds)]
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "skprivacy": skprivacy.__version__,
    }
    written = {"seeds": list(seeds), "split_seed": 0, "versions": versions, "results": results}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(written, indent=2) + "\n")
    print(f"seeds {list(seeds)}, {versions}\nwritten to {arguments.output}")


if __name__ == "__main__":
    main()
