"""What membership defences cost and hide: accuracy and the worst attack, early stopping beside.

python benchmarks/bench_adversarial.py [--datasets digits noisy purch30] [--models 32]
    [--variants] [--distillation] [--speed] [--output FILE]

From a pool of 2n rows 32 networks are trained, each on a random half; halves come in
complementary pairs. Every network is attacked once, by means of the 30 others but its
partner. A row shows test accuracy, and of the worst attack, means over the networks, the
area under the curve and the true positive rate at 1 % false positives. Beside it stands early
stopping, interpolated between its epochs to the same accuracy: the baseline that a defence
has to beat, in both. Standard errors of a difference are about .004 for the area and .006
for the rate, from the spread over the networks.

Unequal data: "own reference" sets a fifth of a network's own rows aside, "reference" adds n
labelled rows that nothing else learns from, distillation adds n unlabelled rows.
"""

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from scipy.special import logit
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import skprivacy
from skprivacy.adversarial import AdversariallyRegularizedClassifier, shadow_predictions
from skprivacy.attacks import ShadowModels, attack_shadow_models

ATTACKS = ("loss", "gap", "calibrated", "lira", "lira-offline", "rmia", "rmia-offline")
RATE = 0.01
CLIP = 1e-6
EPOCHS = (2, 4, 7, 10, 15, 20, 25, 30, 40, 60, 80, 100)
SEED = 0


@dataclass
class Data:
    """A pool of 2n rows, n reference rows, test rows, and how networks are trained."""

    name: str
    pool: tuple[np.ndarray, np.ndarray]
    reference: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    batch_size: int = 32
    max_iter: int = 100

    @classmethod
    def split(cls, name: str, X: np.ndarray, y: np.ndarray, n: int, **rest: Any) -> "Data":
        """Return a data set whose rows are dealt out by a fixed seed."""
        order = np.random.default_rng(SEED).permutation(len(y))
        parts = np.split(order, [2 * n, 3 * n])
        pool, reference, test = ((X[part].astype(np.float32), y[part]) for part in parts)
        return cls(name, pool, reference, test, **rest)


def load(name: str) -> Data:
    """Return a data set by name."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return Data.split(name, X / 16, y, 400)
    if name == "noisy":
        X, y = make_classification(
            4000,
            20,
            n_informative=10,
            n_redundant=2,
            flip_y=0.2,
            class_sep=2.0,
            random_state=SEED,
        )
        return Data.split(name, StandardScaler().fit_transform(X), y, 500)
    rng = np.random.default_rng(SEED)
    classes = rng.integers(0, 2, (30, 100))
    y = rng.integers(0, 30, 4000)
    noise = rng.random((4000, 100)) < 0.55  # of the bits are drawn anew
    X = np.where(noise, rng.integers(0, 2, (4000, 100)), classes[y])
    return Data.split(name, X, y, 500, batch_size=64, max_iter=60)


def halves(n_rows: int, n_models: int) -> np.ndarray:
    """Return which rows each network is trained on, in complementary pairs."""
    rng = np.random.default_rng(SEED)
    first = rng.permuted(np.tile(np.arange(n_rows) < n_rows // 2, (n_models // 2, 1)), axis=1)
    return np.stack([first, ~first], axis=1).reshape(-1, n_rows)


def worst_attack(probabilities: np.ndarray, codes: np.ndarray, inside: np.ndarray) -> dict:
    """Return the largest area and rate that any attack has, as means over the networks."""
    own = np.take_along_axis(probabilities, codes[np.newaxis, :, np.newaxis], axis=2)[..., 0]
    own = np.clip(own.astype(np.float64), CLIP, 1 - CLIP)
    shadows = ShadowModels(MLPClassifier(), n_models=len(inside), clip=CLIP)
    shadows.inside_ = inside
    shadows.partner_ = np.arange(len(inside)) ^ 1
    shadows.statistic_, shadows.confidence_ = logit(own), own
    shadows.correct_ = probabilities.argmax(axis=2) == codes
    shadows.population_confidence_ = shadows.probe_ = None
    shadows.is_regression_ = False
    results = attack_shadow_models(shadows, ATTACKS, fpr=(RATE,))
    area = max(results, key=lambda name: results[name]["roc_auc"])
    rate = max(results, key=lambda name: results[name]["tpr_at_fpr"][RATE])
    return {
        "roc_auc": results[area]["roc_auc"],
        "by": area,
        "roc_auc_error": float(results[area]["roc_auc_by_target"].std() / np.sqrt(len(inside))),
        "tpr": results[rate]["tpr_at_fpr"][RATE],
        "tpr_by": rate,
    }


def measure(data: Data, model: Any, inside: np.ndarray, *, reference: bool) -> dict[str, Any]:
    """Return accuracy and worst attack of an algorithm, trained in stacks."""
    X, y = data.pool
    given = dict(zip(("X_reference", "y_reference"), data.reference, strict=True))
    start = time.process_time()
    shadows = shadow_predictions(
        model,
        X,
        y,
        inside,
        X_population=data.test[0],
        random_state=SEED,
        **(given if reference else {}),
    )
    seconds = time.process_time() - start
    codes = np.searchsorted(shadows.classes, y)
    hits = shadows.classes[shadows.population.argmax(axis=2)] == data.test[1]
    return {
        "accuracy": float(hits.mean()),
        "epochs": float(shadows.n_iter.mean()),
        "seconds": seconds,
        **worst_attack(shadows.probabilities, codes, inside),
    }


def network(data: Data, **parameters: Any) -> AdversariallyRegularizedClassifier:
    """Return a plain network with other parameters."""
    plain = {
        "regularizer": None,
        "early_stopping": False,
        "alpha": 0.0,
        "batch_size": data.batch_size,
        "max_iter": data.max_iter,
    }
    return AdversariallyRegularizedClassifier(**{**plain, **parameters})


def defences(data: Data) -> Iterator[tuple[str, Any, bool]]:
    """Yield label, network, and whether it gets reference rows."""
    adversarial = {"regularizer": "adversarial"}
    yield "plain", network(data), False
    for alpha in (0.01, 0.03):
        yield f"L2 {alpha}", network(data, alpha=alpha), False
    yield "early stopping by a validation score", network(data, early_stopping=True), False
    for weight in (1.0, 3.0):
        made = network(data, **adversarial, adversary_weight=weight)
        yield f"adversarial, weight {weight:g}, reference", made, True
    yield "adversarial, weight 1, own reference", network(data, **adversarial), False
    made = network(data, **adversarial, objective="log")
    yield "adversarial, log, reference", made, True
    yield "RelaxLoss", network(data, regularizer="relaxloss"), False
    made = AdversariallyRegularizedClassifier(batch_size=data.batch_size, max_iter=data.max_iter)
    yield "defaults of the package", made, False


def variants(data: Data) -> Iterator[tuple[str, Any, bool]]:
    """Yield further settings, in search of one that beats early stopping."""
    adversarial = {"regularizer": "adversarial"}
    log_classes = float(np.log(len(np.unique(data.pool[1]))))
    half = data.max_iter // 2
    for alpha in (0.01, 0.03):
        for n in (10, 15, 25, 40):
            yield f"L2 {alpha}, {n} epochs", network(data, alpha=alpha, max_iter=n), False
    for part in (0.1, 0.2, 0.35):
        for n in (half // 2, half):
            made = network(
                data, regularizer="relaxloss", relax_target=part * log_classes, max_iter=n
            )
            yield f"RelaxLoss, target {part} log K, {n} epochs", made, False
    made = network(data, regularizer="relaxloss", alpha=0.01, max_iter=half)
    yield f"RelaxLoss, L2 .01, {half} epochs", made, False
    for part in (0.1, 0.2):
        made = network(data, **adversarial, reference_fraction=part, max_iter=half, alpha=0.003)
        yield f"adversarial, L2 .003, {half} epochs, own {part}", made, False
    made = network(data, **adversarial, adversary_steps=5, warmup_epochs=2, max_iter=40)
    yield "adversarial, 5 steps, 40 epochs, own reference", made, False
    yield "16 hidden units", network(data, hidden_layer_sizes=(16,)), False
    yield "batches of 128", network(data, batch_size=128), False


def distillation(data: Data, inside: np.ndarray, n_epochs: int) -> dict[str, Any]:
    """Return accuracy and worst attack of distillation on the reference rows' columns alone.

    The teacher is trained for `n_epochs`. The student is fitted to probabilities by least
    squares, which needs too long for many classes: there it has every row once for each class,
    weighted, and takes fewer epochs, each of which has as many times the steps.
    """
    from skprivacy.distillation import MembershipDistiller, PublicData

    X, y = data.pool
    classes = np.unique(y)
    options = {"batch_size": data.batch_size, "alpha": 0.0, "n_iter_no_change": 1000}
    student: Any = MLPRegressor(hidden_layer_sizes=(64,), max_iter=data.max_iter, **options)
    if np.unique(y).size > 10:
        student = MLPClassifier((64,), max_iter=10, **options)
    teacher = MLPClassifier((64,), max_iter=n_epochs, **options)
    distiller = MembershipDistiller(teacher, student)
    start = time.process_time()
    on_pool, on_test = [], []
    for seed, rows in enumerate(inside):
        fitted = clone(distiller).set_params(random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted.fit(X[rows], y[rows], X_public=PublicData(data.reference[0]))
        on_pool.append(fitted.predict_proba(X))
        on_test.append(fitted.score(*data.test))
    return {
        "accuracy": float(np.mean(on_test)),
        "epochs": float(student.max_iter),
        "seconds": time.process_time() - start,
        **worst_attack(np.stack(on_pool), np.searchsorted(classes, y), inside),
    }


def stopped_early(frontier: list[dict[str, Any]], accuracy: float, what: str) -> float | None:
    """Return what early stopping has at an accuracy, None where it does not get there."""
    best = int(np.argmax([point["accuracy"] for point in frontier]))
    rising = sorted(frontier[: best + 1], key=lambda point: point["accuracy"])
    accuracies = [point["accuracy"] for point in rising]
    if not accuracies[0] <= accuracy <= accuracies[-1]:
        return None
    return float(np.interp(accuracy, accuracies, [point[what] for point in rising]))


def run(data: Data, n_models: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one result a defence, early stopping first."""
    inside = halves(len(data.pool[1]), n_models)
    rows: list[dict[str, Any]] = []
    frontier: list[dict[str, Any]] = []

    def report(label: str, found: dict[str, Any]) -> None:
        beside = {
            f"stopped_{what}": stopped_early(frontier, found["accuracy"], what)
            for what in ("roc_auc", "tpr")
        }
        rows.append({"dataset": data.name, "defence": label, **found, **beside})
        shown = " / ".join("  - " if value is None else f"{value:.3f}" for value in beside.values())
        print(
            f"{data.name:8s} {label:46s} {found['accuracy']:.3f}  {found['roc_auc']:.3f} "
            f"{found['tpr']:.3f}  stopped early: {shown}  ({found['by']}, "
            f"{found['seconds']:.1f} s)",
            flush=True,
        )

    for n in EPOCHS:
        if n <= data.max_iter:
            found = measure(data, network(data, max_iter=n), inside, reference=False)
            frontier.append(found)
            report(f"stopped after {n} epochs", found)
    listed = [*defences(data), *(variants(data) if options.variants else ())]
    for label, model, reference in listed:
        report(label, measure(data, model, inside, reference=reference))
    if options.distillation:
        for n in (25, data.max_iter):
            report(f"distillation, teacher of {n} epochs", distillation(data, inside, n))
    return rows


def cheapest(work: Callable[[], Any], times: int = 5) -> float:
    """Return the least CPU time of several runs."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def speed(data: Data, n_models: int) -> dict[str, float]:
    """Return CPU time an epoch and model over that of scikit-learn's MLPClassifier."""
    X, y = data.pool
    inside = halves(len(y), n_models)
    rows = np.flatnonzero(inside[0])
    n_epochs = 20
    theirs = MLPClassifier(
        (64,), batch_size=data.batch_size, max_iter=n_epochs, n_iter_no_change=n_epochs
    )

    def one(model: Any, **reference: Any) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cheapest(lambda: model.fit(X[rows], y[rows], **reference))

    unit = one(theirs)
    reference = dict(zip(("X_reference", "y_reference"), data.reference, strict=True))
    short = {"max_iter": n_epochs}
    adversarial = network(data, regularizer="adversarial", warmup_epochs=0, **short)
    many = cheapest(
        lambda: shadow_predictions(network(data, **short), X, y, inside, random_state=SEED), 2
    )
    found = {
        "plain": one(network(data, **short)) / unit,
        "adversarial": one(adversarial, **reference) / unit,
        "relaxloss": one(network(data, regularizer="relaxloss", **short)) / unit,
        f"plain, {n_models} in stacks, each": many / n_models / unit,
    }
    print(
        f"{data.name:8s} CPU time over MLPClassifier's ({unit / n_epochs * 1e3:.1f} ms an epoch): "
    )
    for label, ratio in found.items():
        print(f"         {label:46s} {ratio:.2f}")
    return {"MLPClassifier, ms an epoch": unit / n_epochs * 1e3, **found}


def main() -> None:
    """Run, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=["digits", "noisy", "purch30"])
    parser.add_argument("--models", type=int, default=32)
    parser.add_argument("--variants", action="store_true", help="search more settings")
    parser.add_argument("--distillation", action="store_true", help="minutes more")
    parser.add_argument("--speed", action="store_true", help="compare CPU times alone")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results/adversarial.json"))
    arguments = parser.parse_args()
    written: dict[str, Any] = {
        "seed": SEED,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
            "skprivacy": skprivacy.__version__,
        },
    }
    loaded = [load(name) for name in arguments.datasets]
    if arguments.speed:
        written["speed"] = {data.name: speed(data, arguments.models) for data in loaded}
    else:
        written["results"] = [
            row for data in loaded for row in run(data, arguments.models, arguments)
        ]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(written, indent=2) + "\n")
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
