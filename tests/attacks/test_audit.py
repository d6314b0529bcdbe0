"""Audits of algorithms: true claims stand, planted faults fall, budgets stay untouched."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprivacy import PrivacyAccountant
from skprivacy.accounting import PrivacyLoss, gdp_epsilon, gdp_mu
from skprivacy.attacks import (
    EpsilonAudit,
    audit_epsilon,
    audit_output_noise,
    audit_scores,
    one_run_audit,
)
from skprivacy.attacks._audit import fitted_parameters, project
from skprivacy.attacks._epsilon_audit import Claimed
from skprivacy.exceptions import PrivacyWarning
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler

# One stream for all fits of a run: tests that draw from it come out the same each time.
NOISE = np.random.default_rng()


@pytest.fixture(autouse=True)
def reproducible_noise():
    NOISE.bit_generator.state = np.random.default_rng(12).bit_generator.state


class NoisyMean(BaseEstimator):
    """Release d sums with Gaussian noise; `fault` divides the noise."""

    def __init__(self, mu=1.0, fault=1.0, random_state=None):
        self.mu = mu
        self.fault = fault
        self.random_state = random_state

    def fit(self, X, y=None):
        rng = np.random.default_rng(self.random_state) if self.random_state is not None else NOISE
        self.total_ = X.sum(axis=0) + rng.normal(size=X.shape[1]) / self.mu / self.fault
        return self


def pair(d=3):
    X = np.zeros((10, d))
    X[-1] = 1 / math.sqrt(d)
    return (X,), (X[:-1],)


# Scores


def test_a_true_claim_stands_and_a_false_one_falls():
    rng = np.random.default_rng(0)
    scores = rng.normal(2, 1, 1000), rng.normal(0, 1, 1000)
    delta, epsilon = 1e-5, gdp_epsilon(2.0, 1e-5)
    true = audit_scores(*scores, delta=delta, mu=2.0)
    assert (true.method, true.violated) == ("gdp", False)
    assert true.epsilon_claimed == pytest.approx(epsilon)
    assert 1.5 < true.mu_lower < 2.0
    assert true.epsilon_lower == pytest.approx(gdp_epsilon(true.mu_lower, delta))
    assert audit_scores(*scores, delta=delta, mu=1.0).violated
    # Against any claim: what proves less refutes less.
    plain = audit_scores(*scores, delta=delta, epsilon=epsilon)
    assert (plain.method, plain.violated, plain.mu_lower) == ("clopper-pearson", False, None)
    assert 1 < plain.epsilon_lower < true.epsilon_lower
    assert audit_scores(*scores, delta=delta, epsilon=1.0).violated
    assert not audit_scores(*scores, delta=delta).violated


@pytest.mark.parametrize(("mu", "method"), [(1.0, "gdp"), (1.0, "clopper-pearson"), (3.0, "gdp")])
def test_false_alarms_are_as_seldom_as_alpha(mu, method):
    rng = np.random.default_rng(1)
    n_runs, alpha = 300, 0.05
    alarms = sum(
        audit_scores(
            *rng.normal([[mu], [0]], 1, (2, 500)), delta=1e-5, mu=mu, method=method, alpha=alpha
        ).violated
        for _ in range(n_runs)
    )
    assert stats.binomtest(alarms, n_runs, alpha, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize(
    ("epsilon", "n_runs", "cp", "gdp"),
    [(3, 1000, 0.52, 1.94), (3, 20_000, 1.42, 2.76), (8, 1000, 2.16, 6.54), (8, 5000, 3.13, 7.34)],
)
def test_bounds_of_a_tight_canary_are_what_was_measured(epsilon, n_runs, cp, gdp):
    rng = np.random.default_rng(2)
    mu, delta = gdp_mu(epsilon, 1e-5), 1e-5
    found = {
        method: np.mean(
            [
                audit_scores(
                    *rng.normal([[mu], [0]], 1, (2, n_runs)), delta=delta, mu=mu, method=method
                ).epsilon_lower
                for _ in range(8)
            ]
        )
        for method in ("clopper-pearson", "gdp")
    }
    assert found["gdp"] == pytest.approx(gdp, rel=0.15)
    assert found["clopper-pearson"] == pytest.approx(cp, rel=0.35)


def test_claims_of_all_kinds():
    gaussian = Claimed.from_loss(PrivacyLoss(0.5), 1e-6)
    assert gaussian.mu == 0.5
    assert gaussian.epsilon == pytest.approx(gdp_epsilon(0.5, 1e-6))
    # A pure claim has no mu: the Gaussian bound would be larger than its epsilon.
    assert Claimed.from_loss(PrivacyLoss.laplace(1.0, 2.0), 0.0).mu is None
    assert Claimed.from_loss(PrivacyLoss.none(), 1e-6).mu is None
    with_delta = Claimed.from_loss(PrivacyLoss(0.5, 1e-8), 1e-6)
    assert with_delta.mu_delta == 1e-8
    rng = np.random.default_rng(3)
    inside = rng.normal(1, 1, 20_000)
    inside[:1000] = 50.0
    scores = inside, rng.normal(0, 1, 20_000)
    from skprivacy.attacks._epsilon_audit import judge

    kept = judge(*scores, Claimed(0.1, mu=1.0, mu_delta=0.06), threshold=5.0)
    assert not kept.violated
    assert judge(*scores, Claimed(0.1, mu=1.0), threshold=5.0).violated


def test_results_are_plain_to_read_and_keep_scores_to_themselves():
    rng = np.random.default_rng(4)
    audit = audit_scores(rng.normal(3, 1, 500), rng.normal(0, 1, 500), delta=1e-5, mu=1.0)
    assert isinstance(audit, EpsilonAudit)
    record = json.loads(json.dumps(audit.to_dict()))
    assert record["violated"] is True
    assert not any("scores" in name for name in record)
    assert audit.scores_in.shape == (500,)
    for text in (str(audit), audit._repr_html_()):
        assert "VIOLATED" in text
        assert "epsilon >= " in text or "epsilon &gt;= " in text
    assert "array" not in repr(audit)
    assert "Verdict" not in str(audit_scores([1.0] * 9, [0.0] * 9, delta=0.0))
    kept = audit_scores(rng.normal(0, 1, 50), rng.normal(0, 1, 50), delta=1e-5, mu=1.0)
    assert "no violation found" in str(kept)


# Fits


def test_projection_finds_the_direction_and_planted_faults():
    audit = audit_epsilon(NoisyMean(), *pair(), mu=1.0, delta=1e-5)
    assert not audit.violated
    assert audit.mu_lower > 0.65
    for fault in (NoisyMean(fault=2.0), lambda: NoisyMean(mu=2.0)):
        found = audit_epsilon(fault, *pair(), mu=1.0, delta=1e-5)
        assert found.violated
    double = (2 * pair()[0][0],), pair()[1]
    assert audit_epsilon(NoisyMean(), *double, mu=1.0, delta=1e-5).violated


@pytest.mark.parametrize("mu", [0.0, 1.0])
@pytest.mark.parametrize("threshold", ["midpoint", "search"])
def test_a_learnt_direction_raises_no_false_alarms(mu, threshold):
    """In many dimensions a direction fits the noise of the runs that taught it, not of others."""
    rng = np.random.default_rng(13)
    n_repeats, alpha, n_dimensions = 120, 0.1, 30
    alarms, flattered = 0, 0.0
    for _ in range(n_repeats):
        runs = rng.normal(size=(2, 200, n_dimensions))
        runs[0, :, 0] += mu
        scores = project(*runs)
        # Close to no claim at all, so that every bound above it is an alarm.
        alarms += audit_scores(
            *scores, delta=1e-5, mu=mu, threshold=threshold, alpha=alpha
        ).violated
        taught = scores[0][::2].mean() - scores[1][::2].mean()
        counted = scores[0][1::2].mean() - scores[1][1::2].mean()
        flattered += taught - counted
    # The scores that chose the direction would have raised them.
    assert flattered / n_repeats > 0.1
    assert stats.binomtest(alarms, n_repeats, alpha, alternative="greater").pvalue > 1e-3


def test_projection_whitens_correlated_noise():
    """Common noise in two numbers cancels in their difference."""
    rng = np.random.default_rng(5)
    common = 10 * rng.normal(size=(2000, 2, 1))
    runs = common[:, 0] + 0.5 * rng.normal(size=(2000, 2))
    other = common[:, 1] + 0.5 * rng.normal(size=(2000, 2))
    scores = project(runs + np.array([1.0, 0.0]), other)
    assert (scores[0].mean() - scores[1].mean()) / scores[1].std() > 1.2


def test_what_is_released_without_noise_is_seen():
    class Leaky(NoisyMean):
        def fit(self, X, y=None):
            super().fit(X)
            self.n_samples_seen_ = X.shape[0]
            return self

    assert audit_epsilon(Leaky(), *pair(), mu=1.0, delta=1e-5, n_runs=60).mu_lower > 2
    same = project(np.full((6, 2), 0.1), np.full((6, 2), 0.1))
    assert (same[0] == same[1]).all()


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_claim_is_read_and_nothing_is_charged(adjacency):
    accountant = PrivacyAccountant(epsilon=3.0, adjacency=adjacency)
    scaler = DPStandardScaler(epsilon=3.0, bounds=(-1, 1), accountant=accountant)
    X = np.vstack([np.zeros((30, 1)), [[1.0]]])
    other = X[:-1] if adjacency == "add-remove" else np.vstack([X[:-1], [[-1.0]]])
    audit = audit_epsilon(scaler, X, other, n_runs=20)
    assert audit.epsilon_claimed == pytest.approx(3.0, rel=1e-6)
    assert audit.method == "gdp"
    assert audit.delta == 1e-6
    assert len(accountant.entries) == 0
    assert scaler.accountant is accountant
    assert not hasattr(scaler, "mean_")


def test_nested_estimators_and_workers():
    y = np.arange(40) % 2
    X = np.random.default_rng(6).normal(size=(40, 2))
    accountant = PrivacyAccountant()
    model = make_pipeline(
        DPMinMaxScaler(accountant=accountant),
        DPLogisticRegression(accountant=accountant, classes=[0, 1]),
    )
    audit = audit_epsilon(
        model, (X, y), (X[:-1], y[:-1]), n_runs=6, delta=1e-6, epsilon=2.0, n_jobs=2
    )
    assert audit.method == "clopper-pearson"
    assert len(accountant.entries) == 0
    fitted = model.set_params(
        dpminmaxscaler__accountant=None, dplogisticregression__accountant=None
    ).fit(X, y)
    names = fitted_parameters(fitted)
    assert set(fitted[-1].coef_.ravel()) <= set(names)
    assert set(fitted[0].scale_) <= set(names)


def test_loss_of_the_row_that_differs():
    """A memoriser's confidence in the canary tells; nothing random is needed."""
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 2
    X[-1], y[-1] = [9.0, 9.0], 0

    def jittered():
        return LogisticRegression(C=float(np.exp(rng.normal() / 10)), tol=1e-3)

    for data in (((X, y), (X[:-1], y[:-1])), ((X[:-1], y[:-1]), (X, y))):
        audit = audit_epsilon(jittered, *data, n_runs=30, score="loss", delta=1e-5, epsilon=0.5)
        assert audit.violated
    targets = X @ [1.0, 2.0]
    targets[-1] = 50.0
    audit = audit_epsilon(
        lambda: Ridge(alpha=float(np.exp(rng.normal() / 10))),
        (X, targets),
        (X[:-1], targets[:-1]),
        n_runs=60,
        score="loss",
        delta=0.0,
        epsilon=0.5,
    )
    assert audit.violated


def test_scores_and_parameters_of_ones_own():
    audit = audit_epsilon(
        NoisyMean(), *pair(), score=lambda model: model.total_.sum(), mu=1.0, delta=1e-5
    )
    assert 0.6 < audit.mu_lower <= 1.0
    only_first = audit_epsilon(
        NoisyMean(), *pair(), parameters=lambda model: model.total_[:1], mu=1.0, delta=1e-5
    )
    assert only_first.mu_lower < 0.58
    assert only_first.n_runs == 1000


def test_fixed_seeds_are_refused():
    seeds = itertools.count()
    with pytest.raises(ValueError, match="fixed random_state"):
        audit_epsilon(NoisyMean(random_state=0), *pair(), mu=1.0, delta=1e-5)
    with pytest.raises(ValueError, match="fixed random_state"):
        audit_epsilon(
            make_pipeline(StandardScaler(), NoisyMean(random_state=0)), *pair(), mu=1.0, delta=1e-5
        )
    with pytest.raises(ValueError, match="same random_state"):
        audit_epsilon(lambda: NoisyMean(random_state=3), *pair(), mu=1.0, delta=1e-5)
    audit = audit_epsilon(
        lambda: NoisyMean(random_state=next(seeds)), *pair(), mu=1.0, delta=1e-5, n_runs=50
    )
    assert np.unique(audit.scores_in).size == 50


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"make_estimator": 3}, TypeError, "must be an estimator or a function"),
        ({"make_estimator": lambda: 3}, TypeError, "must return an estimator"),
        ({"n_runs": 3}, ValueError, "n_runs must be"),
        ({"n_runs": 10.0}, ValueError, "n_runs must be"),
        ({"score": "best"}, ValueError, "score must be"),
        ({"score": "loss"}, ValueError, "needs data sets of X and y"),
        ({"score": lambda model: model.total_}, ValueError, "one number"),
        ({"parameters": lambda model: [math.nan]}, ValueError, "NaN"),
        ({"threshold": 0.5}, ValueError, "not known beforehand"),
        ({"method": "best"}, ValueError, "method must be"),
        ({"mu": -1.0}, ValueError, "mu must be"),
        ({"delta": None}, ValueError, "give delta"),
        ({"delta": 2.0}, ValueError, "delta must be"),
    ],
)
def test_wrong_input_is_named(change, error, message):
    first, second = pair()
    arguments = {
        "make_estimator": NoisyMean(),
        "D": first,
        "D_neighbour": second,
        "n_runs": 6,
        "mu": 1.0,
        "delta": 1e-5,
    }
    with pytest.raises(error, match=message):
        audit_epsilon(**(arguments | change))


def test_parameters_that_fit_no_vector():
    class Growing(NoisyMean):
        def fit(self, X, y=None):
            self.rows_ = np.ones(len(X))
            return self

    with pytest.raises(ValueError, match="differ in shape"):
        audit_epsilon(Growing(), *pair(), n_runs=6, mu=1.0, delta=1e-5)
    with pytest.raises(ValueError, match="no fitted attribute"):
        fitted_parameters(NoisyMean())
    y = np.zeros(10)
    with pytest.raises(ValueError, match="the same rows"):
        audit_epsilon(
            DummyClassifier(), (*pair()[0], y), (*pair()[0], y), n_runs=6, delta=0.0, score="loss"
        )


# Output noise


@pytest.mark.parametrize("fault", [1.0, 2.0])
def test_output_noise_counts_every_draw(fault):
    rng = np.random.default_rng(8)
    audit = audit_output_noise(
        [[3.0, 0.0]],
        [[0.0, 4.0]],
        lambda n: rng.normal(0, 5 / fault, (n, 1, 2)),
        delta=1e-6,
        mu=1.0,
    )
    assert audit.n_runs == 20_000
    assert 0.93 * fault < audit.mu_lower <= fault
    assert audit.violated == (fault == 2)


def test_output_noise_of_another_law():
    rng = np.random.default_rng(9)
    audit = audit_output_noise(1.0, 0.0, lambda n: rng.laplace(0, 1, n), delta=0.0, epsilon=1.0)
    assert audit.method == "clopper-pearson"
    assert 0.8 < audit.epsilon_lower <= 1.0


def test_output_noise_of_wrong_shape_and_equal_values():
    with pytest.raises(ValueError, match="one shape"):
        audit_output_noise([1.0], [1.0, 2.0], np.zeros, delta=0.0)
    with pytest.raises(ValueError, match=r"must return an array of shape \(10, 1\)"):
        audit_output_noise([1.0], [0.0], np.zeros, delta=0.0, n_draws=10)
    rng = np.random.default_rng(11)
    with pytest.warns(PrivacyWarning, match="can prove nothing"):
        audit = audit_output_noise(
            [1.0], [1.0], lambda n: rng.normal(size=(n, 1)), delta=1e-5, mu=1.0
        )
    assert audit.mu_lower < 0.1


# One fit


def canaries(m, d):
    rng = np.random.default_rng(10)
    X = rng.normal(size=(m, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True), rng.integers(0, 2, m)


def test_one_fit_finds_a_model_without_privacy_and_none_with():
    X, y = np.zeros((4, 200)), np.array([0, 1, 0, 1])
    bad = one_run_audit(
        LogisticRegression(C=100),
        X,
        y,
        *canaries(200, 200),
        epsilon=1.0,
        delta=1e-5,
        random_state=0,
    )
    assert bad.violated
    assert (bad.method, bad.n_runs) == ("steinke", 1)
    assert bad.scores_in.size + bad.scores_out.size == 200
    assert "one fit" in str(bad)
    accountant = PrivacyAccountant(epsilon=1.0)
    good = one_run_audit(
        DPLogisticRegression(clipping_norm=1.0, classes=[0, 1], accountant=accountant),
        X,
        y,
        *canaries(100, 200),
        random_state=0,
    )
    assert (good.method, good.violated) == ("f-dp", False)
    assert good.epsilon_claimed == pytest.approx(1.0, rel=1e-6)
    assert len(accountant.entries) == 0


def test_one_fit_warns_of_more_canaries_than_columns():
    X, y = np.zeros((4, 3)), np.array([0, 1, 0, 1])
    with pytest.warns(PrivacyWarning, match="100 canaries in 3 columns"):
        audit = one_run_audit(
            LogisticRegression(), X, y, *canaries(100, 3), epsilon=1.0, delta=1e-5, random_state=0
        )
    assert audit.epsilon_lower < 0.5


def test_one_fit_keeps_the_number_of_rows_under_replace_one():
    sizes = []

    class Counting(DPLogisticRegression):
        def fit(self, X, y, sample_weight=None):
            sizes.append(len(X))
            return super().fit(X, y, sample_weight)

    for adjacency in ("add-remove", "replace-one"):
        for seed in range(3):
            one_run_audit(
                Counting(
                    clipping_norm=1.0,
                    classes=[0, 1],
                    accountant=PrivacyAccountant(adjacency=adjacency),
                ),
                np.zeros((4, 60)),
                [0, 1, 0, 1],
                *canaries(60, 60),
                random_state=seed,
            )
    assert len(set(sizes[:3])) > 1
    assert sizes[3:] == [64, 64, 64]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "gdp"}, "method must be"),
        ({"score": lambda model, X, y: [1.0]}, "score must return 20 numbers"),
        ({"X_canary": np.zeros((20, 7))}, "7"),
        ({"guesses": "x"}, "guesses must be"),
    ],
)
def test_one_fit_names_wrong_input(change, message):
    X_canary, y_canary = canaries(20, 20)
    arguments = {"X_canary": X_canary, "y_canary": y_canary, "epsilon": 1.0, "delta": 1e-5}
    with pytest.raises(ValueError, match=message):
        one_run_audit(LogisticRegression(), np.zeros((4, 20)), [0, 1, 0, 1], **(arguments | change))
