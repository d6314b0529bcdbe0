import math

import numpy as np
import pytest

from skprivacy import PrivacyAccountant
from skprivacy.accounting import gdp_epsilon
from skprivacy.benchmarking import (
    PIPELINES,
    BenchmarkError,
    Options,
    PipelineSpec,
    make_problem,
    problem_from_bunch,
    run_benchmark,
)
from skprivacy.datasets import load_dataset

DELTA = 1e-5


@pytest.fixture(scope="module")
def problem():
    return problem_from_bunch(load_dataset("breast_cancer"))


@pytest.fixture(scope="module")
def run(problem):
    ledger = PrivacyAccountant(delta=DELTA)
    options = Options(epsilons=(1.0, 4.0), repeats=2, delta=DELTA)
    return run_benchmark(problem, options, ledger), ledger


def test_every_pipeline_runs_on_every_split_at_every_epsilon(run):
    result, _ = run
    assert result.failures == []
    assert result.skipped == {}
    private = [spec for spec in PIPELINES.values() if spec.private]
    assert len(result.fits) == 2 * (len(PIPELINES) - len(private) + 2 * len(private))
    for fit in result.fits:
        assert 0 <= fit.auc <= 1
        assert 0 <= fit.accuracy <= 1
        assert fit.log_loss > 0
        assert fit.fit_seconds > 0


def test_the_ledger_holds_every_private_fit_and_gives_its_epsilon(run):
    result, ledger = run
    uids = [uid for fit in result.fits for uid in fit.entry_uids]
    assert sorted(uids) == sorted(entry.uid for entry in ledger.entries)
    for fit in result.fits:
        if fit.guarantee:
            assert fit.epsilon_spent == pytest.approx(fit.epsilon, rel=1e-6)
            assert fit.epsilon_spent <= fit.epsilon * (1 + 1e-12)
        else:
            assert fit.epsilon_spent == math.inf
            assert fit.entry_uids == ()


def test_a_pipeline_of_two_private_steps_costs_what_its_parts_compose_to(run):
    result, ledger = run
    entries = {entry.uid: entry for entry in ledger.entries}
    (fit, *_) = [f for f in result.fits if f.estimator == "dp-scaled-logistic" and f.epsilon == 4]
    scaler, model = (entries[uid] for uid in fit.entry_uids)
    assert (scaler.source, model.source) == ("DPStandardScaler", "DPLogisticRegression")
    assert scaler.mu**2 / model.mu**2 == pytest.approx(1 / 9)
    assert fit.epsilon_spent == pytest.approx(gdp_epsilon(math.hypot(scaler.mu, model.mu), DELTA))


def test_private_models_approach_their_twins(run):
    result, _ = run

    def auc(name):
        return np.mean([fit.auc for fit in result.fits if fit.estimator == name])

    assert auc("logistic") > 0.97
    assert auc("dp-logistic") > auc("logistic") - 0.05
    assert auc("dp-scaled-logistic") > auc("scaled-logistic") - 0.05


def test_a_run_can_be_repeated_and_processes_change_nothing(problem, run):
    options = Options(epsilons=(1.0,), repeats=2, delta=DELTA, estimators=("dp-logistic",), jobs=2)
    ledger = PrivacyAccountant(delta=DELTA)
    again = run_benchmark(problem, options, ledger)
    before = [f for f in run[0].fits if f.estimator == "dp-logistic" and f.epsilon == 1.0]
    for first, second in zip(before, again.fits, strict=True):
        assert (first.repeat, first.epsilon) == (second.repeat, second.epsilon)
        # Threads of the linear algebra differ between processes, so the last bits may.
        assert first.auc == pytest.approx(second.auc, abs=1e-6)
        assert first.log_loss == pytest.approx(second.log_loss, rel=1e-6)
    assert len(ledger.entries) == 2


def test_without_declared_ranges_diffprivlib_is_left_out_and_ours_run(problem):
    undeclared = make_problem("t", problem.columns, problem.target)
    options = Options(epsilons=(3.0,), repeats=1, delta=DELTA)
    result = run_benchmark(undeclared, options, PrivacyAccountant(delta=DELTA))
    assert set(result.skipped) == {"diffprivlib-logistic", "diffprivlib-naive-bayes"}
    assert {fit.estimator for fit in result.fits} == set(PIPELINES) - set(result.skipped)
    assert result.failures == []
    assert all(
        fit.epsilon_spent == pytest.approx(3.0, rel=1e-6) for fit in result.fits if fit.guarantee
    )


def test_nothing_to_run_is_an_error(problem):
    undeclared = make_problem("t", problem.columns, problem.target)
    options = Options(estimators=("diffprivlib-logistic",))
    with pytest.raises(BenchmarkError, match="diffprivlib-logistic: needs declared bounds"):
        run_benchmark(undeclared, options, PrivacyAccountant())


def test_a_pipeline_that_fails_is_reported_and_the_others_go_on(problem, monkeypatch):
    def broken(setting):
        raise TypeError("multi_class is gone")

    monkeypatch.setitem(PIPELINES, "broken", PipelineSpec("broken", "a claim", broken))
    options = Options(epsilons=(1.0,), repeats=1, estimators=("broken", "logistic"))
    result = run_benchmark(problem, options, PrivacyAccountant())
    (failure,) = result.failures
    assert (failure.estimator, failure.error) == ("broken", "TypeError: multi_class is gone")
    assert math.isnan(failure.auc)
    assert result.fits[1].auc > 0.9


def test_many_classes_are_scored_one_against_the_rest():
    problem = problem_from_bunch(load_dataset("iris"))
    options = Options(epsilons=(5.0,), repeats=1, delta=DELTA)
    result = run_benchmark(problem, options, PrivacyAccountant(delta=DELTA))
    assert result.failures == []
    assert result.fits[0].auc > 0.95
    assert result.fits[0].accuracy > 0.8
