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
    choose_pipelines,
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
    options = Options(epsilons=(1.0, 4.0), repeats=2, delta=DELTA, pipelines=("all",))
    return run_benchmark(problem, options, ledger), ledger


def installed(task):
    """Return the pipelines of a task whose models are installed."""
    return [spec for spec in choose_pipelines(["all"], task) if spec.package is None]


def test_every_pipeline_runs_on_every_split_at_every_epsilon(run):
    result, _ = run
    assert result.failures == []
    assert set(result.skipped) <= {"interpret-ebm"}
    specs = installed("classification")
    private = [spec for spec in specs if spec.private]
    expected = 2 * (len(specs) - len(private) + 2 * len(private))
    assert len([fit for fit in result.fits if fit.pipeline != "interpret-ebm"]) == expected
    for fit in result.fits:
        assert 0 <= fit.auc <= 1
        assert 0 <= fit.accuracy <= 1
        assert fit.log_loss > 0 or (fit.pipeline == "dp-linear-svc" and math.isnan(fit.log_loss))
        assert fit.fit_seconds > 0
        assert math.isnan(fit.r2)


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
    (fit, *_) = [f for f in result.fits if f.pipeline == "dp-scaled-logistic" and f.epsilon == 4]
    scaler, model = (entries[uid] for uid in fit.entry_uids)
    assert (scaler.source, model.source) == ("DPStandardScaler", "DPLogisticRegression")
    assert scaler.mu**2 / model.mu**2 == pytest.approx(1 / 9)
    assert fit.epsilon_spent == pytest.approx(gdp_epsilon(math.hypot(scaler.mu, model.mu), DELTA))


def test_private_models_approach_their_twins(run):
    result, _ = run

    def auc(name):
        return np.mean([fit.auc for fit in result.fits if fit.pipeline == name])

    assert auc("logistic") > 0.97
    assert auc("dp-logistic") > auc("logistic") - 0.05
    assert auc("dp-scaled-logistic") > auc("scaled-logistic") - 0.05
    assert auc("dp-linear-svc") > 0.9
    assert auc("dp-additive") > auc("boosting") - 0.1
    assert auc("dp-extra-trees") > auc("extra-trees") - 0.15
    assert auc("dp-gaussian-nb") > auc("gaussian-nb") - 0.1
    assert auc("dp-categorical-nb") > auc("categorical-nb") - 0.1
    # It learns from codes of labels, and from text of labels nothing.
    assert auc("diffprivlib-forest") > 0.8


def test_a_run_can_be_repeated_and_processes_change_nothing(problem, run):
    options = Options(epsilons=(1.0,), repeats=2, delta=DELTA, pipelines=("dp-logistic",), jobs=2)
    ledger = PrivacyAccountant(delta=DELTA)
    again = run_benchmark(problem, options, ledger)
    before = [f for f in run[0].fits if f.pipeline == "dp-logistic" and f.epsilon == 1.0]
    for first, second in zip(before, again.fits, strict=True):
        assert (first.repeat, first.epsilon) == (second.repeat, second.epsilon)
        # Threads of the linear algebra differ between processes, so the last bits may.
        assert first.auc == pytest.approx(second.auc, abs=1e-6)
        assert first.log_loss == pytest.approx(second.log_loss, rel=1e-6)
    assert len(ledger.entries) == 2


def test_without_declared_ranges_diffprivlib_is_left_out_and_ours_run(problem):
    undeclared = make_problem("t", problem.columns, problem.target)
    options = Options(epsilons=(3.0,), repeats=1, delta=DELTA, pipelines=("private", "peers"))
    result = run_benchmark(undeclared, options, PrivacyAccountant(delta=DELTA))
    private = [spec for spec in installed("classification") if spec.private]
    skipped = {spec.name for spec in private if spec.needs}
    assert skipped >= {"dp-categorical-nb", "diffprivlib-logistic", "diffprivlib-forest"}
    assert set(result.skipped) - {"interpret-ebm"} == skipped
    assert {fit.pipeline for fit in result.fits} == {spec.name for spec in private} - skipped
    assert result.failures == []
    assert all(
        fit.epsilon_spent == pytest.approx(3.0, rel=1e-6) for fit in result.fits if fit.guarantee
    )


def test_nothing_to_run_is_an_error(problem):
    undeclared = make_problem("t", problem.columns, problem.target)
    options = Options(pipelines=("diffprivlib-logistic",))
    with pytest.raises(BenchmarkError, match="diffprivlib-logistic: needs declared bounds"):
        run_benchmark(undeclared, options, PrivacyAccountant())


def test_a_pipeline_that_fails_is_reported_and_the_others_go_on(problem, monkeypatch):
    def broken(setting):
        raise TypeError("multi_class is gone")

    monkeypatch.setitem(PIPELINES, "broken", PipelineSpec("broken", "a claim", broken))
    options = Options(epsilons=(1.0,), repeats=1, pipelines=("broken", "logistic"))
    result = run_benchmark(problem, options, PrivacyAccountant())
    (failure,) = result.failures
    assert (failure.pipeline, failure.error) == ("broken", "TypeError: multi_class is gone")
    assert math.isnan(failure.auc)
    (plain,) = [fit for fit in result.fits if not fit.error]
    assert plain.auc > 0.9


def test_many_classes_are_scored_one_against_the_rest():
    problem = problem_from_bunch(load_dataset("iris"))
    options = Options(epsilons=(5.0,), repeats=1, delta=DELTA)
    result = run_benchmark(problem, options, PrivacyAccountant(delta=DELTA))
    assert result.failures == []
    assert result.fits[0].auc > 0.95
    assert result.fits[0].accuracy > 0.8


def regression(n=400, **facts):
    rng = np.random.default_rng(0)
    x, town = rng.random(n), rng.choice(["a", "b"], n).astype(object)
    y = 2 * x + (town == "a") + rng.normal(0, 0.1, n)
    columns = {"x": np.where(rng.random(n) < 0.05, np.nan, x), "town": town}
    return make_problem("r", columns, y, task="regression", bounds={"x": (0.0, 1.0)}, **facts)


def test_a_numeric_target_has_regressors_of_its_own():
    options = Options(epsilons=(8.0,), repeats=2, delta=DELTA, pipelines=("all",))
    problem = regression(2000, target_bounds=(-0.5, 3.5))
    ledger = PrivacyAccountant(delta=DELTA)
    result = run_benchmark(problem, options, ledger)
    assert result.failures == []
    assert {fit.pipeline for fit in result.fits} >= {s.name for s in installed("regression")}
    r2 = {fit.pipeline: fit.r2 for fit in result.fits}
    ours = [name for name in r2 if name.startswith("dp-")]
    assert len(ours) == 4
    for name in ["ridge", "boosting-regressor", *ours]:
        assert 0.6 < r2[name] < 1, name
    assert all(math.isnan(fit.auc) for fit in result.fits)
    charged = sorted(entry.uid for entry in ledger.entries)
    assert charged == sorted(uid for fit in result.fits for uid in fit.entry_uids)


def test_peers_that_would_read_the_targets_range_are_left_out_without_one():
    options = Options(epsilons=(8.0,), repeats=1, delta=DELTA)
    result = run_benchmark(regression(), options, PrivacyAccountant(delta=DELTA))
    assert "declared range of the target" in result.skipped["diffprivlib-linear-regression"]
    assert result.failures == []
    assert {fit.pipeline for fit in result.fits if fit.guarantee} == {
        "dp-ridge", "dp-additive-regressor", "dp-extra-trees-regressor",
    }  # fmt: skip


def test_without_a_target_each_model_has_the_score_of_its_kind():
    problem = problem_from_bunch(load_dataset("breast_cancer"), "unsupervised")
    options = Options(epsilons=(20.0,), repeats=1, delta=DELTA)
    result = run_benchmark(problem, options, PrivacyAccountant(delta=DELTA))
    assert result.failures == []
    fits = {fit.pipeline: fit for fit in result.fits}
    assert set(fits) == {spec.name for spec in installed("unsupervised")}
    assert fits["kmeans"].inertia <= fits["dp-kmeans"].inertia < 3 * fits["kmeans"].inertia
    assert math.isnan(fits["kmeans"].captured_variance)
    captured = fits["dp-pca"].captured_variance, fits["pca"].captured_variance
    assert 0.8 * captured[1] < captured[0] <= 1
    assert fits["covariance"].covariance_error < fits["dp-covariance"].covariance_error < 1


def test_a_pipeline_of_another_task_or_an_unknown_one_is_an_error(problem):
    for names, message in (
        (("dp-ridge",), "'dp-ridge' is for regression, and this is classification"),
        (("forest",), "no pipeline 'forest'. Known are default, all"),
    ):
        with pytest.raises(BenchmarkError, match=message):
            run_benchmark(problem, Options(pipelines=names), PrivacyAccountant())


def test_the_sets_part_the_pipelines_of_every_task():
    for task in ("classification", "regression", "unsupervised"):
        parts = [choose_pipelines([name], task) for name in ("private", "twins", "peers")]
        assert sum(map(len, parts)) == len(choose_pipelines(["all"], task))
        assert all(parts)
        assert {spec.task for part in parts for spec in part} == {task}
        default = choose_pipelines(["default", "default"], task)
        assert 0 < len(default) == len({spec.name for spec in default})


def test_an_optional_peer_that_is_not_installed_is_left_out(problem, monkeypatch):
    spec = PipelineSpec("absent", "a claim", lambda setting: None, package="no_such_package")
    monkeypatch.setitem(PIPELINES, "absent", spec)
    options = Options(epsilons=(1.0,), repeats=1, pipelines=("absent", "gaussian-nb"))
    result = run_benchmark(problem, options, PrivacyAccountant())
    assert result.skipped == {"absent": "needs the package no_such_package, which is not installed"}
    assert [fit.pipeline for fit in result.fits] == ["gaussian-nb"]
