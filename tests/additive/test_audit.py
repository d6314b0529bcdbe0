"""Audits of additive models: what a fit releases on two neighbours, exactly and by its odds."""

import numpy as np
import pandas as pd
import pytest
from auditing import ALPHA, halved_noise

from skprivacy import PrivacyAccountant
from skprivacy.additive import DPAdditiveClassifier, DPAdditiveRegressor
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared

ADJACENCIES = ["add-remove", "replace-one"]
CATEGORIES = {"kind": ["a", "b", "c"]}
DECLARED = {"bounds": {"x": (-1, 1), "z": (0, 10)}, "categories": CATEGORIES}


def table(n_rows, rng):
    frame = pd.DataFrame(
        {
            "x": rng.uniform(-1, 1, n_rows),
            "z": rng.uniform(0, 10, n_rows),
            "kind": pd.Series(rng.choice(["a", "b", "c"], n_rows), dtype=object),
        }
    )
    frame.loc[rng.uniform(size=n_rows) < 0.1, "x"] = np.nan
    return frame


CANARIES = {
    "ends": ([1.0, 10.0, "b"], [-1.0, 0.0, "a"]),
    "beyond": ([1e12, -1e300, "unknown"], [np.nan, 1e300, None]),
    "missing": ([np.nan, np.nan, None], [0.0, 5.0, "c"]),
    "ordinary": ([0.1, 5.0, "c"], [0.2, 5.1, "c"]),
}


def neighbours(adjacency, kind, n_rows, targets):
    """Rows with a canary last, and the same without it or with another one.

    All others have one target, so that the canary's residual is as large as can be.
    """
    rng = np.random.default_rng(n_rows)
    X = table(n_rows, rng)
    y = np.full(n_rows, targets[0])
    first, second = CANARIES[kind]
    with_first = pd.concat([X, pd.DataFrame([first], columns=X.columns)], ignore_index=True)
    with_second = pd.concat([X, pd.DataFrame([second], columns=X.columns)], ignore_index=True)
    one = with_first.astype({"x": float, "z": float}), np.append(y, targets[1])
    if adjacency == "add-remove":
        return one, (X, y)
    return one, (with_second.astype({"x": float, "z": float}), np.append(y, targets[2]))


def spent_of(model, adjacency, one, other):
    """Return the part of its price, as mu squared, that a fit spends on two neighbours."""

    def run(rows):
        accountant = PrivacyAccountant(adjacency=adjacency)
        return lambda: type(model)(**{**model.get_params(), "accountant": accountant}).fit(*rows)

    first = record(run(one))
    second = replay(run(other), first)
    assert_same_model(first.result, second.result)
    price = first.result.privacy_.mu**2
    return float(transcript_mu_squared(first, second)) / price


def assert_same_model(first, second):
    """Given the same releases, nothing in the fitted models tells the rows apart."""
    for mine, other in zip(first.explain_global(), second.explain_global(), strict=True):
        np.testing.assert_array_equal(mine.values, other.values)
        np.testing.assert_array_equal(mine.deviations, other.deviations)
        assert mine.labels == other.labels
    np.testing.assert_array_equal(first.intercept_, second.intercept_)


MODELS = {
    "binary": (DPAdditiveClassifier(classes=[0, 1], **DECLARED), (0, 1, 0)),
    "three classes": (DPAdditiveClassifier(classes=[0, 1, 2], **DECLARED), (0, 2, 1)),
    "regression": (DPAdditiveRegressor(y_bounds=(-1, 1), **DECLARED), (-0.9, 1.0, -1.0)),
    "private bounds": (
        DPAdditiveClassifier(classes=[0, 1], categories=CATEGORIES),
        (0, 1, 0),
    ),
    "private bounds of the target": (
        DPAdditiveRegressor(categories=CATEGORIES),
        (-0.9, 1e6, -1.0),
    ),
}


@pytest.mark.parametrize("kind", CANARIES)
@pytest.mark.parametrize("epsilon", [2.0, 60.0])
@pytest.mark.parametrize("which", MODELS)
@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_no_pair_spends_more_than_its_price(adjacency, which, epsilon, kind):
    model, targets = MODELS[which]
    model = type(model)(**{**model.get_params(), "epsilon": epsilon, "random_state": 0})
    spent = spent_of(model, adjacency, *neighbours(adjacency, kind, 150, targets))
    assert spent <= 1 + 1e-9
    if which == "binary" and kind == "beyond" and adjacency == "add-remove":
        assert spent >= 0.9


@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_pairs_spend_no_more_either(adjacency):
    """With pairs in the model, which take one of the rounds to be found."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(3000, 3))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    X[-1], y[-1] = [1.0, 1.0, 1.0], 0
    other_X, other_y = (X[:-1], y[:-1]) if adjacency == "add-remove" else (X.copy(), y.copy())
    if adjacency == "replace-one":
        other_X[-1], other_y[-1] = [-1.0, -1.0, 1.0], 1
    model = DPAdditiveClassifier(40.0, bounds=(-1, 1), classes=[0, 1], random_state=0)
    assert model.fit(X, y).n_pairs_ > 0
    spent = spent_of(model, adjacency, (X, y), (other_X, other_y))
    assert 0.3 < spent <= 1 + 1e-9


@pytest.mark.parametrize("which", ["binary", "three classes", "regression"])
def test_other_rows_count_the_same_wherever_they_stand(which):
    """Without the first row all others move up, and nothing else of theirs changes."""
    model, targets = MODELS[which]
    (X, y), _ = neighbours("add-remove", "ends", 301, targets)
    y[1:150] = targets[2]
    order = np.roll(np.arange(302), 1)
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    model = type(model)(**{**model.get_params(), "epsilon": 60.0, "random_state": 0})
    spent = spent_of(model, "add-remove", (X, y), (X[1:], y[1:]))
    assert 0.1 < spent <= 1 + 1e-9


@pytest.mark.parametrize("weight", [0.0, 0.5, 1e9])
def test_weights_spend_no_more_either(weight):
    one, other = neighbours("add-remove", "ends", 100, (0, 1, 0))
    model = DPAdditiveClassifier(4.0, classes=[0, 1], max_weight=2.0, random_state=0, **DECLARED)
    weights = np.append(np.full(100, 1.5), weight)
    first = record(lambda: type(model)(**model.get_params()).fit(*one, weights))
    second = replay(lambda: type(model)(**model.get_params()).fit(*other, weights[:-1]), first)
    spent = float(transcript_mu_squared(first, second)) / first.result.privacy_.mu**2
    assert spent <= (1 + 1e-9) * min(weight / 2, 1) ** 2
    assert spent >= 0.8 * min(weight / 2, 1) ** 2


def test_halved_noise_is_in_the_transcript():
    one, other = neighbours("add-remove", "beyond", 150, (0, 1, 0))
    model = DPAdditiveClassifier(4.0, classes=[0, 1], random_state=0, **DECLARED)
    with halved_noise():
        first = record(lambda: type(model)(**model.get_params()).fit(*one))
        second = replay(lambda: type(model)(**model.get_params()).fit(*other), first)
    assert transcript_mu_squared(first, second) > 3 * model.plan().loss.mu ** 2


def log_odds(transcript, hypotheses):
    """Return the log likelihood ratio of a transcript's outputs under two data sets."""
    total = 0.0
    for releases in zip(transcript.releases, *(h.releases for h in hypotheses), strict=True):
        recorded, first, second = releases
        a, b = ((recorded.output - h.total) / h.scale for h in (first, second))
        total += float((b * b).sum() - (a * a).sum()) / 2
    return total


def odds_audit(n_runs, epsilon):
    """Lower bound on mu by the best attack there is: the odds of everything released."""
    frame = pd.DataFrame({"kind": ["a"] * 5})
    one = frame, np.array([0, 0, 0, 0, 1])
    other = frame[:4], np.zeros(4, dtype=int)

    def fit(rows):
        model = DPAdditiveClassifier(
            epsilon, classes=[0, 1], categories={"kind": ["a"]}, bounds=(0, 1)
        )
        return lambda: model.fit(*rows)

    def scores(truth):
        found = []
        for _ in range(n_runs):
            transcript = record(fit(truth))
            found.append(
                log_odds(transcript, [replay(fit(one), transcript), replay(fit(other), transcript)])
            )
        return np.array(found)

    claimed = fit(one)().privacy_.mu
    return mu_lower_bound(scores(one), scores(other), threshold="search", alpha=ALPHA), claimed


def test_the_odds_find_no_violation():
    bound, claimed = odds_audit(40, 40.0)
    assert 0 < bound <= claimed


@pytest.mark.slow
def test_the_odds_at_full_size_find_no_violation_and_find_halved_noise():
    bound, claimed = odds_audit(1000, 8.0)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = odds_audit(1000, 8.0)
    assert planted > claimed
