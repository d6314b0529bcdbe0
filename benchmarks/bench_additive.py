"""Private additive models beside a private linear one, boosting, and interpret's private EBM.

python benchmarks/bench_additive.py [--sets development|held-out|NAME ...] [--splits N]
    [--epsilons E ...] [--output FILE]

Every private model gets the same facts: the bounds and categories that the data set declares,
else the range and the values of the whole set, as if they were public (a benchmark's licence,
no private practice). interpret's model takes part where the package is installed; it has
its own defaults. Scores are the area under the ROC curve (binary), accuracy (several classes) or
R2 (regression) on the held-out fifth, with the spread over splits; seconds are process time of
a fit with one thread.

The defaults of the additive models were tuned on the development list and on synthetic rows
(steps, products, copies of a column, bounds a hundred times too wide), and on nothing else.
The lists and the rule for looking at the second are in ``datasets.md``.
"""

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy
import sklearn
from _lists import LISTS
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import train_test_split

import skprivacy
from skprivacy.additive import DPAdditiveClassifier, DPAdditiveRegressor
from skprivacy.datasets import load_adult, load_dataset
from skprivacy.linear_model import DPLogisticRegression

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)
DELTA = 1e-6
MISSING = "(missing)"


class Table:
    """A data set as a frame of numbers and text, with facts about every column."""

    def __init__(self, name: str) -> None:
        bunch = load_adult() if name == "adult" else load_dataset(name)
        data = bunch.data
        if not isinstance(data, pd.DataFrame):
            data = pd.DataFrame(data, columns=bunch.feature_names)
        self.task = "binary" if name == "adult" else bunch.task
        self.bounds, self.categories = dict(bunch.bounds), {}
        columns = {}
        for column in data.columns:
            values = data[column]
            if column in bunch.categories or not pd.api.types.is_numeric_dtype(values):
                text = values.astype(object)
                columns[column] = text.map(lambda v: v if pd.isna(v) else str(v))
                declared = bunch.categories.get(column, columns[column].dropna().unique())
                self.categories[column] = sorted(map(str, declared))
            else:
                columns[column] = values.astype(float)
                if column not in self.bounds:
                    low, high = columns[column].min(), columns[column].max()
                    self.bounds[column] = float(low), float(high if high > low else low + 1)
        self.X = pd.DataFrame(columns)
        target = np.asarray(bunch.target)
        self.y = target.astype(float) if self.task == "regression" else target.astype(str)
        self.y_bounds = bunch.get("target_bounds")
        if self.task == "regression" and self.y_bounds is None:
            self.y_bounds = float(self.y.min()), float(self.y.max())

    def one_hot(self, X: pd.DataFrame) -> np.ndarray:
        """Return rows of numbers in [0, 1]: at most the square root of the columns long."""
        blocks = []
        for name, values in X.items():
            if name in self.categories:
                blocks += [values.to_numpy() == value for value in self.categories[name]]
            else:
                low, high = self.bounds[name]
                scaled = (np.clip(values.to_numpy(), low, high) - low) / (high - low)
                blocks += [np.nan_to_num(scaled), np.isnan(scaled)]
        return np.stack(blocks, axis=1).astype(float)


def additive(table: Table, epsilon: float, seed: int) -> Any:
    """Return our additive model."""
    facts = {"bounds": table.bounds, "categories": table.categories, "random_state": seed}
    if table.task == "regression":
        return DPAdditiveRegressor(epsilon, DELTA, y_bounds=table.y_bounds, **facts)
    return DPAdditiveClassifier(epsilon, DELTA, **facts)


class _OneHotLogistic:
    def __init__(self, table: Table, epsilon: float, seed: int) -> None:
        self._table = table
        norm = float(np.sqrt(table.X.shape[1]))
        self._model = DPLogisticRegression(epsilon, DELTA, clipping_norm=norm, random_state=seed)

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        self._model.fit(self._table.one_hot(X), y)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict(self._table.one_hot(X))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict_proba(self._table.one_hot(X))


def logistic(table: Table, epsilon: float, seed: int) -> Any:
    """Return our linear model on one-hot columns; none for regression."""
    return None if table.task == "regression" else _OneHotLogistic(table, epsilon, seed)


class _Filled:
    def __init__(self, table: Table, model: Any) -> None:
        self._values = {
            name: MISSING if name in table.categories else table.bounds[name][0]
            for name in table.X.columns
        }
        self._model = model

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        self._model.fit(X.fillna(self._values), y)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict(X.fillna(self._values))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict_proba(X.fillna(self._values))


def ebm(table: Table, epsilon: float, seed: int) -> Any:
    """Return interpret's private model; none for several classes, which it does not have."""
    from interpret.privacy import (
        DPExplainableBoostingClassifier,
        DPExplainableBoostingRegressor,
    )

    if table.task == "multiclass":
        return None
    # It does not take missing values: they become a category, or the lower bound.
    kinds = [
        [*table.categories[name], MISSING] if name in table.categories else "continuous"
        for name in table.X.columns
    ]
    facts = {
        "feature_names": list(table.X.columns),
        "feature_types": kinds,
        "privacy_bounds": table.bounds,
        "epsilon": epsilon,
        "delta": DELTA,
        "random_state": seed,
        "n_jobs": 1,
    }
    if table.task == "regression":
        low, high = table.y_bounds
        model = DPExplainableBoostingRegressor(
            privacy_target_min=low, privacy_target_max=high, **facts
        )
    else:
        model = DPExplainableBoostingClassifier(**facts)
    return _Filled(table, model)


class _Boosting:
    def __init__(self, table: Table, seed: int) -> None:
        kind = (
            HistGradientBoostingRegressor
            if table.task == "regression"
            else HistGradientBoostingClassifier
        )
        self._table = table
        few = {name: values for name, values in table.categories.items() if len(values) < 255}
        self._coded = [name in table.categories for name in table.X.columns]
        categorical = [name in few for name in table.X.columns]
        self._model = kind(categorical_features=categorical, random_state=seed)

    def _codes(self, X: pd.DataFrame) -> np.ndarray:
        return np.stack(
            [
                pd.Categorical(values, self._table.categories[name]).codes if coded else values
                for (name, values), coded in zip(X.items(), self._coded, strict=True)
            ],
            axis=1,
        ).astype(float)

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> None:
        codes = self._codes(X)
        self._model.fit(np.where(codes < 0, np.nan, codes) if all(self._coded) else codes, y)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict(self._codes(X))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return self._model.predict_proba(self._codes(X))


CONTENDERS: dict[str, Callable[[Table, float, int], Any]] = {
    "additive": additive,
    "logistic": logistic,
    "interpret": ebm,
}


def score(table: Table, model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    """Return the score of the table's task."""
    if table.task == "binary":
        return float(roc_auc_score(y == np.unique(table.y)[1], model.predict_proba(X)[:, 1]))
    predicted = model.predict(X)
    return float((accuracy_score if table.task == "multiclass" else r2_score)(y, predicted))


def runs(
    name: str, epsilons: list[float], n_splits: int, contenders: list[str]
) -> Iterator[dict[str, Any]]:
    """Yield one record for every fit."""
    table = Table(name)
    strata = None if table.task == "regression" else table.y
    for split in range(n_splits):
        X, held_out, y, truth = train_test_split(
            table.X, table.y, test_size=0.2, random_state=split, stratify=strata
        )
        models = [("boosting, not private", float("inf"), _Boosting(table, split))]
        models += [
            (contender, epsilon, CONTENDERS[contender](table, epsilon, 1000 + split))
            for epsilon in epsilons
            for contender in contenders
        ]
        for contender, epsilon, model in models:
            if model is None:
                continue
            start = time.process_time()
            model.fit(X, y)
            seconds = time.process_time() - start
            yield {
                "set": name,
                "task": table.task,
                "n_rows": len(X),
                "contender": contender,
                "epsilon": epsilon,
                "split": split,
                "score": score(table, model, held_out, truth),
                "seconds": seconds,
            }


def report(records: list[dict[str, Any]]) -> None:
    """Print means and spreads, a line for every set and contender."""
    frame = pd.DataFrame(records)
    groups = frame.groupby(["set", "contender", "epsilon"], sort=False)
    summary = groups.agg(mean=("score", "mean"), sd=("score", "std"), seconds=("seconds", "median"))
    for (name, contender), lines in summary.groupby(level=["set", "contender"], sort=False):
        cells = [
            f"{epsilon:g}: {line['mean']:.4f} ({line['sd']:.4f})"
            for (_, _, epsilon), line in lines.iterrows()
        ]
        seconds = lines["seconds"].median()
        print(f"{name:14s} {contender:22s} {'  '.join(cells)}  {seconds:.2f} s", flush=True)


def versions() -> dict[str, str]:
    """Return what the numbers depend on besides the seeds."""
    found = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "pandas": pd.__version__,
        "skprivacy": skprivacy.__version__,
    }
    try:
        import interpret
    except ImportError:
        return found
    return {**found, "interpret": interpret.__version__}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", default=["development"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--epsilons", nargs="+", type=float, default=list(EPSILONS))
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    known = versions()
    contenders = [c for c in options.contenders if c != "interpret" or "interpret" in known]
    setting = {
        "versions": known,
        "delta": DELTA,
        "splits": options.splits,
        "seeds": "split s has random_state s, noise 1000 + s",
        "epsilons": options.epsilons,
    }
    print(json.dumps(setting))
    records: list[dict[str, Any]] = []
    for name in [n for chosen in options.sets for n in LISTS.get(chosen, (chosen,))]:
        made = list(runs(name, options.epsilons, options.splits, contenders))
        report(made)
        records += made
        if options.output:
            options.output.write_text(json.dumps({**setting, "fits": records}, indent=1))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that interpret and boosting use
        main()
