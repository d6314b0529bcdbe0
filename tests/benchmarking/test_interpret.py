import importlib.util
import sys
import types

import numpy as np
import pytest

from skprivacy import PrivacyAccountant
from skprivacy.accounting import gdp_mu
from skprivacy.benchmarking import Options, make_problem, run_benchmark
from skprivacy.benchmarking._interpret import InterpretEBM

DELTA = 1e-5
needs_interpret = pytest.mark.skipif(
    importlib.util.find_spec("interpret") is None, reason="needs the benchmark extra"
)


def model(**params):
    facts = {"bounds": (np.zeros(2), np.array([1.0, 2.0])), "n_categories": np.array([0, 2])}
    return InterpretEBM(1.0, DELTA, **facts | params)


@pytest.fixture
def stand_in(monkeypatch):
    """Put a module in the place of interpret that keeps what it is given."""
    seen = {}

    class Classifier:
        def __init__(self, **params):
            seen["params"] = params

        def fit(self, X, y):
            seen["entries"] = len(seen["accountant"].entries)
            seen["X"] = X
            if seen.get("fail"):
                raise RuntimeError("stopped")
            return self

    fake = types.ModuleType("interpret.privacy")
    fake.DPExplainableBoostingClassifier = fake.DPExplainableBoostingRegressor = Classifier
    monkeypatch.setitem(sys.modules, "interpret", types.ModuleType("interpret"))
    monkeypatch.setitem(sys.modules, "interpret.privacy", fake)
    return seen


def test_the_claim_is_charged_before_the_fit_and_the_facts_are_handed_on(stand_in):
    accountant = stand_in["accountant"] = PrivacyAccountant(epsilon=1.0, delta=DELTA)
    fitted = model(accountant=accountant).fit(np.array([[0.5, 0.0], [0.1, 2.0]]), [0, 1])
    assert stand_in["entries"] == 1
    (entry,) = accountant.entries
    assert entry.mu == pytest.approx(gdp_mu(1.0, DELTA), rel=1e-6)
    assert entry.uid == fitted.privacy_.entry_uid
    assert entry.mechanisms[0]["noise"] == "as claimed"
    params = stand_in["params"]
    assert params["privacy_bounds"] == {"column 0": (0.0, 1.0)}
    assert params["feature_types"] == ["continuous", ["0", "1", "2"]]
    assert (params["epsilon"], params["delta"]) == (1.0, DELTA)
    assert stand_in["X"].tolist() == [[0.5, "0"], [0.1, "2"]]


def test_a_fit_that_fails_stays_charged_and_is_marked(stand_in):
    accountant = stand_in["accountant"] = PrivacyAccountant(delta=DELTA)
    stand_in["fail"] = True
    with pytest.raises(RuntimeError):
        model(accountant=accountant).fit(np.zeros((2, 2)), [0, 1])
    assert [entry.status for entry in accountant.entries] == ["failed"]


@needs_interpret
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_peer_learns_numbers_and_categories(task):
    rng = np.random.default_rng(0)
    n = 3000
    x, town = rng.random(n), rng.choice(["a", "b", "c"], n).astype(object)
    signal = x + 0.5 * (town == "b")
    target = signal if task == "regression" else np.where(signal > 0.7, "yes", "no")
    problem = make_problem(
        "t", {"x": x, "town": town}, target, task=task, bounds={"x": (0.0, 1.0)},
        target_bounds=(0.0, 1.5),
    )  # fmt: skip
    name = {"classification": "interpret-ebm", "regression": "interpret-ebm-regressor"}[task]
    options = Options(epsilons=(4.0,), repeats=1, delta=DELTA, pipelines=(name,))
    (fit,) = run_benchmark(problem, options, PrivacyAccountant(delta=DELTA)).fits
    assert fit.error == ""
    assert (fit.r2 if task == "regression" else fit.auc) > 0.8
    assert fit.epsilon_spent == pytest.approx(4.0, rel=1e-6)
