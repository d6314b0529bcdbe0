"""The template of a private fit: order of events, calibration, releases, receipts, failures."""

import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skprivacy import BudgetExceededError, LedgerError, PrivacyAccountant, ReleaseError
from skprivacy.accounting import ADJACENCIES, PrivacyLoss, gdp_mu
from skprivacy.base import UNPROTECTED, DPEstimator, Release, calibrate
from skprivacy.mechanisms import (
    GaussianHistogram,
    GaussianSum,
    LaplaceHistogram,
    LaplaceSum,
    PermuteAndFlip,
    SubsampledGradients,
    random_source,
)
from skprivacy.plan import Facts, Plan
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler

X = np.random.default_rng(0).normal(size=(80, 3))
Y = (X[:, 0] > 0).astype(int)


class Sum(DPEstimator):
    """Releases a sum of rows and remembers how it was called."""

    releases = ("sum",)
    kind = GaussianSum

    def fit(self, X, y=None, sample_weight=None):
        return self._private_fit(X, y, sample_weight)

    def partial_fit(self, X, y=None):
        return self._private_fit(X, extend=True)

    def _mechanisms(self, facts):
        return [self.kind(name=name) for name in self.releases]

    def _fit(self, X, y, sample_weight, release):
        total = release.sum("sum", X)
        self.sum_ = total + self.sum_ if release.extends else total


class Labelled(ClassifierMixin, Sum):
    """The same with labels."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, classes=None):
        super().__init__(epsilon, delta, accountant, random_state)
        self.classes = classes

    def fit(self, X, y, sample_weight=None):
        return self._private_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, release):
        self.classes_ = self._public_classes(y)
        self.seen_ = release.facts
        super()._fit(X, y, sample_weight, release)


class Target(RegressorMixin, Sum):
    """The same with a target."""

    def fit(self, X, y, sample_weight=None):
        return self._private_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, release):
        self.sum_ = release.sum("sum", y[:, np.newaxis])
        self.type_ = str(y.dtype)


# The order of events


def recorded(monkeypatch, accountant, events):
    """Record what is called of an accountant, an estimator and a mechanism."""

    def watch(owner, name):
        original = getattr(owner, name)

        def called(*args, **options):
            events.append(name)
            return original(*args, **options)

        monkeypatch.setattr(owner, name, called)

    for owner, name in [
        (Sum, "_validate_params"),
        (Sum, "_check_data"),
        (Sum, "_mechanisms"),
        (accountant, "spend"),
        (Sum, "_fit"),
        (GaussianSum, "draw"),
        (accountant, "fail"),
    ]:
        watch(owner, name)


def test_validates_then_prices_then_charges_then_runs(monkeypatch):
    accountant, events = PrivacyAccountant(), []
    recorded(monkeypatch, accountant, events)
    Sum(accountant=accountant).fit(X)
    first = list(dict.fromkeys(events))
    assert first == ["_validate_params", "_check_data", "_mechanisms", "spend", "_fit", "draw"]
    assert events.count("spend") == events.count("_fit") == events.count("draw") == 1


def test_marks_a_failure_last(monkeypatch):
    accountant, events = PrivacyAccountant(), []
    monkeypatch.setattr(GaussianSum, "draw", lambda *_, **__: 1 / 0)
    recorded(monkeypatch, accountant, events)
    with pytest.raises(ZeroDivisionError):
        Sum(accountant=accountant).fit(X)
    assert events[-4:] == ["spend", "_fit", "draw", "fail"]


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (Sum(epsilon=-1), (X,)),
        (Sum(delta=1), (X,)),
        (Sum(random_state="x"), (X,)),
        (Sum(delta=0), (X,)),
        (Sum(), (X[:, 0],)),
        (Sum(), (np.where(X > 2, np.nan, X),)),
        (Sum(), (X, None, np.ones(3))),
        (Sum(), (X, None, -np.ones(80))),
        (Labelled(), (X, X[:, 0])),
        (Labelled(), (X, np.ones(80))),
        (Labelled(classes=[0]), (X, Y)),
        (Labelled(classes=[1, 1]), (X, np.ones(80))),
        (Labelled(classes=[0, 2]), (X, Y)),
        (Target(), (X, np.array(["a"] * 80))),
        (Target(), (X, Y + 1j)),
        (Target(), (X, np.array(["a"] * 80, dtype=object))),
    ],
)
def test_what_is_wrong_costs_nothing_and_leaves_nothing(estimator, data):
    accountant = PrivacyAccountant()
    estimator = clone(estimator).set_params(accountant=accountant)
    before = vars(estimator).copy()
    with pytest.raises(ValueError):  # noqa: PT011 - scikit-learn's and our own messages
        estimator.fit(*data)
    assert len(accountant.entries) == 0
    assert vars(estimator) == before


# Failures


def test_a_refused_fit_leaves_an_unfitted_estimator_unfitted():
    model = Labelled(accountant=PrivacyAccountant(epsilon=0.01))
    with pytest.raises(BudgetExceededError):
        model.fit(X, Y)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    assert set(vars(model)) == set(model.get_params())


@pytest.mark.parametrize("refusal", ["budget", "ledger", "data", "fit", "interrupt"])
def test_a_fit_that_fails_leaves_the_one_before_intact(refusal, monkeypatch):
    model = Sum().fit(X)
    before = pickle.dumps(model)
    wide = np.hstack([X, X])
    error = {
        "budget": BudgetExceededError,
        "ledger": LedgerError,
        "data": ValueError,
        "fit": RuntimeError,
        "interrupt": KeyboardInterrupt,
    }[refusal]
    accountant = PrivacyAccountant(epsilon=0.01 if refusal == "budget" else 10.0)

    def fail(self, X, y, sample_weight, release):
        self.sum_ = release.sum("sum", X)
        self.more_ = 1
        raise error

    if refusal == "data":
        wide[0, 0] = np.nan
    elif refusal == "ledger":
        os.unlink(accountant.path)  # noqa: PTH108
    else:
        monkeypatch.setattr(Sum, "_fit", fail)
    model.set_params(accountant=accountant)
    with pytest.raises(error):
        model.fit(wide)
    model.set_params(accountant=None)
    assert pickle.dumps(model) == before
    assert model.n_features_in_ == 3


def test_the_ledger_is_told_the_class_of_an_error_alone(monkeypatch):
    def fail(self, X, y, sample_weight, release):
        raise RuntimeError(f"strange value {X[0, 0]}")

    monkeypatch.setattr(Sum, "_fit", fail)
    accountant = PrivacyAccountant()
    with pytest.raises(RuntimeError, match="strange value"):
        Sum(accountant=accountant).fit(X)
    (entry,) = accountant.entries
    assert (entry.status, entry.reason) == ("failed", "RuntimeError")
    assert "strange" not in accountant.to_json()
    assert accountant.spent.mu == pytest.approx(gdp_mu(1.0, 1e-6), rel=1e-6)


def test_an_interrupted_fit_stays_charged(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(GaussianSum, "draw", interrupt)
    accountant = PrivacyAccountant()
    with pytest.raises(KeyboardInterrupt):
        Sum(accountant=accountant).fit(X)
    assert [entry.reason for entry in accountant.entries] == ["KeyboardInterrupt"]


KILLED = """
    import os, signal, sys
    import numpy as np
    from skprivacy import PrivacyAccountant
    from skprivacy.base import DPEstimator
    from skprivacy.mechanisms import GaussianSum

    class Killed(DPEstimator):
        def fit(self, X, y=None):
            return self._private_fit(X)

        def _mechanisms(self, facts):
            return [GaussianSum(name="first"), GaussianSum(name="second")]

        def _fit(self, X, y, sample_weight, release):
            print(release.sum("first", X), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6, path=sys.argv[1])
    Killed(accountant=accountant).fit(np.ones((50, 2)))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_a_fit_that_is_killed_stays_charged(tmp_path):
    path = tmp_path / "killed.ledger"
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert result.stdout.startswith("[")  # a result was out
    accountant = PrivacyAccountant.open(path)
    (entry,) = accountant.entries
    assert (entry.source, entry.status) == ("Killed", "charged")
    assert entry.mu == pytest.approx(gdp_mu(1.0, 1e-6), rel=1e-6)
    accountant.verify()
    with pytest.raises(BudgetExceededError):
        Sum(epsilon=0.5, accountant=accountant).fit(X)


def test_floating_point_warnings_stay_inside(monkeypatch):
    def fit(self, X, y, sample_weight, release):
        self.sum_ = release.sum("sum", X) / (X[:3, 0] - X[:3, 0])

    monkeypatch.setattr(Sum, "_fit", fit)
    Sum().fit(X)  # warnings are errors in these tests


# Facts and plans


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize("classes", [None, [2, 0, 1]])
def test_a_fit_knows_its_facts(adjacency, classes):
    accountant = PrivacyAccountant(adjacency=adjacency)
    facts = Labelled(accountant=accountant, classes=classes).fit(X, Y).seen_
    assert facts.adjacency == adjacency
    assert facts.n_features == 3
    assert facts.classes == ((0, 1) if classes is None else (0, 1, 2))
    assert facts.n_rows == (80 if adjacency == "replace-one" else None)
    assert facts.bounds is None


def test_a_fit_knows_the_bounds_of_the_private_step_before_it():
    model = make_pipeline(DPMinMaxScaler(bounds=(-2, 2)), Labelled()).fit(X, Y)
    low, high = model[-1].seen_.bounds
    np.testing.assert_array_equal([low, high], [[0, 0, 0], [1, 1, 1]])


def test_a_plan_without_facts_is_that_of_the_accountant():
    assert Sum().plan().adjacency == "add-remove"
    accountant = PrivacyAccountant(adjacency="replace-one")
    assert Sum(accountant=accountant).plan().adjacency == "replace-one"
    assert Sum(accountant=accountant).plan(Facts()).adjacency == "add-remove"


def test_a_plan_of_another_adjacency_is_refused():
    accountant = PrivacyAccountant(adjacency="replace-one")
    with pytest.raises(LedgerError, match="adjacency"):
        accountant.spend(Sum().plan(Facts(adjacency="add-remove")))
    assert len(accountant.entries) == 0


def test_a_plan_validates_parameters():
    with pytest.raises(ValueError, match="'epsilon' parameter of Sum must be a float"):
        Sum(epsilon=0).plan()


def test_what_is_taken_as_public_is_on_the_receipt_and_in_the_ledger():
    accountant = PrivacyAccountant()
    model = Labelled(accountant=accountant).fit(X, Y)
    assert any("taken from y" in text for text in model.privacy_.assumptions)
    assert accountant.entries[0].assumptions == model.privacy_.assumptions
    declared = Labelled(classes=[0, 1]).fit(X, Y)
    assert not any("taken from y" in text for text in declared.privacy_.assumptions)
    assert declared.privacy_.source == "Labelled"


def test_the_plan_of_a_fit_follows_its_facts():
    class Sums(Labelled):
        def _mechanisms(self, facts):
            return [*super()._mechanisms(facts), *(GaussianSum(name=c) for c in facts.classes)]

    accountant = PrivacyAccountant()
    model = Sums(classes=["b", "a"], accountant=accountant).fit(X, np.full(80, "b"))
    assert [m["name"] for m in accountant.entries[0].mechanisms] == ["sum", "a", "b"]
    assert model.privacy_.mechanisms == accountant.entries[0].mechanisms


@pytest.mark.parametrize("classes", [[1, 0], ["b", "a"], (True, False)])
def test_declared_classes_are_sorted(classes):
    labels = np.sort(np.asarray(classes))
    model = Labelled(classes=classes).fit(X, labels[Y])
    np.testing.assert_array_equal(model.classes_, labels)


def test_one_class_in_y_is_enough_if_all_are_declared():
    model = Labelled(classes=["no", "yes"]).fit(X, np.full(80, "yes"))
    assert list(model.classes_) == ["no", "yes"]
    with pytest.raises(ValueError, match="Declare all classes"):
        Labelled().fit(X, np.full(80, "yes"))


@pytest.mark.parametrize("dtype", [np.float32, np.int8, bool, object])
def test_a_target_is_float64(dtype):
    assert Target().fit(X, Y.astype(dtype)).type_ == "float64"


def test_a_fit_without_releases_is_free():
    class Nothing(Sum):
        releases = ()

        def _fit(self, X, y, sample_weight, release):
            self.width_ = X.shape[1]

    accountant = PrivacyAccountant(epsilon=1.0)
    accountant.spend(mu=accountant.remaining.mu)
    model = Nothing(accountant=accountant).fit(X)
    assert len(accountant.entries) == 1
    assert model.privacy_.epsilon == 0
    assert model.privacy_.entry_uid is None


def test_both_methods_have_to_be_written():
    class Half(DPEstimator):
        def _fit(self, X, y, sample_weight, release):
            pass

    with pytest.raises(TypeError, match="_mechanisms"):
        Half()


# Calibration

SHARES = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6)


def named(kinds, shares):
    return [
        kinds[index % len(kinds)](name=str(index), share=share)
        for index, share in enumerate(shares)
    ]


@given(SHARES, st.floats(1e-3, 50), st.floats(1e-12, 1e-2), st.sampled_from(ADJACENCIES))
def test_calibration_spends_the_budget_and_never_more(shares, epsilon, delta, adjacency):
    kinds = [GaussianSum, GaussianHistogram, LaplaceSum, PermuteAndFlip]
    for usable in (kinds[:2], kinds):
        mechanisms = calibrate(named(usable, shares), epsilon, delta, adjacency)
        loss = PrivacyLoss.compose(m.loss(adjacency) for m in mechanisms)
        assert loss.to_epsilon(delta) <= epsilon
        mu = gdp_mu(epsilon, delta)
        assert mu * (1 - 1e-8) <= loss.mu <= mu


@given(SHARES, st.floats(1e-3, 50), st.sampled_from(ADJACENCIES))
def test_calibration_splits_epsilon_for_pure_privacy(shares, epsilon, adjacency):
    kinds = [LaplaceSum, LaplaceHistogram, PermuteAndFlip]
    mechanisms = calibrate(named(kinds, shares), epsilon, 0.0, adjacency)
    loss = PrivacyLoss.compose(m.loss(adjacency) for m in mechanisms)
    assert epsilon * (1 - 1e-8) <= loss.epsilon <= epsilon
    assert loss.to_epsilon(0.0) == loss.epsilon
    for mechanism, share in zip(mechanisms, shares, strict=True):
        part = epsilon * share / math.fsum(shares)
        assert mechanism.loss(adjacency).epsilon == pytest.approx(part, rel=1e-8)


@given(SHARES)
def test_calibration_follows_the_shares(shares):
    mechanisms = calibrate(named([GaussianSum], shares), 1.0, 1e-6, "add-remove")
    mus = np.array([m.loss("add-remove").mu for m in mechanisms])
    np.testing.assert_allclose(mus**2 / (mus**2).sum(), np.array(shares) / sum(shares), rtol=1e-8)


def test_gaussian_noise_has_no_pure_epsilon():
    with pytest.raises(ValueError, match="delta above 0"):
        calibrate([GaussianSum(name="x")], 1.0, 0.0, "add-remove")


def test_the_parts_of_a_budget_fit_under_the_ceiling():
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    Sum(1.0, 1e-6, accountant).fit(X)
    with pytest.raises(BudgetExceededError):
        Sum(0.05, 1e-6, accountant).fit(X)


def test_a_pure_budget_fits_under_a_pure_ceiling():
    class PureSum(Sum):
        kind = LaplaceSum
        releases = ("sum", "other")

    accountant = PrivacyAccountant(epsilon=1.0, delta=0)
    model = PureSum(epsilon=0.5, delta=0, accountant=accountant)
    for _ in range(2):
        model.fit(X)
    assert model.privacy_.epsilon == pytest.approx(0.5, rel=1e-8)
    with pytest.raises(BudgetExceededError):
        PureSum(epsilon=0.01, delta=0, accountant=accountant).fit(X)
    with pytest.raises(BudgetExceededError):
        Sum(epsilon=0.01, accountant=PrivacyAccountant(epsilon=1.0, delta=0)).fit(X)


def test_what_needs_a_delta_of_its_own_gets_a_hundredth():
    steps = [
        SubsampledGradients(name=name, sampling_rate=0.1, n_steps=20, share=share)
        for name, share in (("a", 3.0), ("b", 1.0))
    ]
    mechanisms = calibrate([*steps, GaussianSum(name="sum")], 2.0, 1e-5, "add-remove")
    loss = PrivacyLoss.compose(mechanism.loss("add-remove") for mechanism in mechanisms)
    assert loss.delta == pytest.approx(1e-7)
    assert loss.mu == pytest.approx(gdp_mu(2.0, 0.99e-5), rel=1e-8)
    assert 2.0 * (1 - 1e-6) <= loss.to_epsilon(1e-5) <= 2.0
    assert mechanisms[0].budget == pytest.approx(math.sqrt(3) * mechanisms[1].budget)
    accountant = PrivacyAccountant(epsilon=2.0, delta=1e-5)
    accountant.spend(Plan(mechanisms=mechanisms, adjacency="add-remove", source="test"))
    with pytest.raises(ValueError, match="no pure epsilon"):
        calibrate(steps, 2.0, 0.0, "add-remove")


# Without a guarantee


class Open(Sum):
    """Has no private mode."""

    _parameter_constraints: ClassVar = {**Sum._parameter_constraints, "epsilon": [None]}
    _has_private_mode = False

    def __init__(self, epsilon=None, delta=1e-6, accountant=None, random_state=None):
        super().__init__(epsilon, delta, accountant, random_state)

    def _fit(self, X, y, sample_weight, release):
        self.sum_ = release.reveal(UNPROTECTED, X.sum(axis=0))


def test_without_a_guarantee_the_price_is_infinite_everywhere():
    accountant = PrivacyAccountant()
    model = Open(accountant=accountant, random_state=0)
    assert model.plan().loss == PrivacyLoss.none()
    preview = accountant.preview(model)
    assert preview.epsilon == math.inf
    assert preview.fits_in_ceiling
    model.fit(X)
    np.testing.assert_allclose(model.sum_, X.sum(axis=0))
    assert model.privacy_.epsilon == accountant.spent.epsilon == math.inf
    assert not model.privacy_.reproducible
    assert "Guarantee: none" in str(model.privacy_)
    Sum(accountant=accountant).fit(X)
    assert accountant.spent.epsilon == math.inf
    assert '"inf"' in accountant.to_json()
    accountant.verify()


def test_a_ceiling_refuses_what_has_no_guarantee_before_the_rows():
    accountant = PrivacyAccountant(epsilon=100.0)
    model = Open(accountant=accountant)
    assert not accountant.preview(model).fits_in_ceiling
    with pytest.raises(BudgetExceededError, match=r"epsilon=, if.*PrivacyAccountant\(epsilon=inf"):
        model.fit(X)
    assert not hasattr(model, "sum_")
    assert len(accountant.entries) == 0
    Sum(accountant=accountant).fit(X)  # and the ledger goes on


def test_no_budget_can_be_shared_out_to_what_has_no_private_mode():
    accountant = PrivacyAccountant(epsilon=1.0)
    with pytest.raises(ValueError, match="no private mode"):
        accountant.allocate(make_pipeline(DPStandardScaler(), Open()))


def test_an_epsilon_without_a_private_mode_is_a_wrong_parameter():
    with pytest.raises(ValueError, match="'epsilon' parameter of Open must be None"):
        Open(epsilon=1.0).fit(X)


# Releases


def release_of(*mechanisms):
    calibrated = calibrate(mechanisms, 1.0, 1e-6, "add-remove")
    plan = Plan(mechanisms=calibrated, adjacency="add-remove", source="test")
    return Release(plan, Facts(), random_source(0))


def test_a_release_is_drawn_once():
    release = release_of(GaussianSum(name="sum"))
    release.sum("sum", X)
    with pytest.raises(ReleaseError, match="drawn already"):
        release.sum("sum", X)


def test_a_release_has_to_be_declared():
    release = release_of(GaussianSum(name="sum"))
    for ask in (release.sum, release.select, release.solve, release.mechanism):
        with pytest.raises(ReleaseError, match="'total' is not declared"):
            ask("total", *(() if ask == release.mechanism else (X,)))
    assert release.sum("sum", X).shape == (3,)


def test_a_release_is_asked_for_by_its_kind():
    release = release_of(GaussianSum(name="sum"), PermuteAndFlip(name="best"))
    with pytest.raises(ReleaseError, match="declared as a 'sum', not a 'select'"):
        release.select("sum", X)
    with pytest.raises(ReleaseError, match="declared as a 'select', not a 'sum'"):
        release.sum("best", X)
    # A question that was refused before it looked at the rows costs nothing.
    assert release.select("best", np.eye(3)[np.zeros(80, int)]) in {0, 1, 2}
    release.sum("sum", X)


def test_a_release_of_several_draws_is_drawn_so_often():
    release = release_of(SubsampledGradients(name="steps", sampling_rate=0.5, n_steps=2))
    options = {"n_rows": 80, "shapes": [(1, 3)]}
    for _ in range(2):
        release.step("steps", lambda rows: [(np.ones((rows.size, 1)), X[rows])], **options)
    with pytest.raises(ReleaseError, match="drawn 2 times, which is all"):
        release.step("steps", lambda rows: [], **options)


def test_coins_are_secret_independent_and_no_release():
    release = release_of(GaussianSum(name="sum"))
    coins = release.coins(100_000, 0.3)
    assert coins.mean() == pytest.approx(0.3, abs=0.01)
    assert (coins[1:] & coins[:-1]).mean() == pytest.approx(0.09, abs=0.01)
    assert not np.array_equal(release.coins(100, 0.5), release.coins(100, 0.5))
    assert release.coins(100, 1.0).all()
    assert not release.coins(100, 0.0).any()
    release.sum("sum", X)


def test_a_draw_that_fails_is_drawn():
    release = release_of(GaussianSum(name="sum"))
    with pytest.raises(ValueError, match="at least one row"):
        release.sum("sum", X[:0])
    with pytest.raises(ReleaseError, match="drawn already"):
        release.sum("sum", X)


def test_a_release_remembers_the_scale_of_its_noise():
    release = release_of(GaussianSum(name="sum"), PermuteAndFlip(name="best"))
    assert release.noise_scales == {}
    release.sum("sum", X)
    release.select("best", np.zeros((80, 2)))
    multiplier = release.mechanism("sum").noise_multiplier
    assert release.noise_scales == {"sum": pytest.approx(multiplier)}
    assert release.adjacency == "add-remove"


def test_an_undeclared_release_ends_a_fit_that_stays_charged():
    class Curious(Sum):
        def _fit(self, X, y, sample_weight, release):
            super()._fit(X, y, sample_weight, release)
            self.more_ = release.sum("more", X)

    accountant = PrivacyAccountant()
    with pytest.raises(ReleaseError, match="'more' is not declared"):
        Curious(accountant=accountant).fit(X)
    assert [entry.reason for entry in accountant.entries] == ["ReleaseError"]


def test_two_releases_of_one_name_are_refused_before_the_charge():
    class Twice(Sum):
        releases = ("sum", "sum")

    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match="distinct names"):
        Twice(accountant=accountant).fit(X)
    assert len(accountant.entries) == 0


# Randomness


def test_seeds_repeat_and_secrets_do_not():
    assert (Sum(random_state=1).fit(X).sum_ == Sum(random_state=1).fit(X).sum_).all()
    assert (Sum(random_state=1).fit(X).sum_ != Sum(random_state=2).fit(X).sum_).all()
    assert (Sum().fit(X).sum_ != Sum().fit(X).sum_).all()


def test_a_generator_goes_on():
    generator = np.random.RandomState(0)
    model = Sum(random_state=generator)
    first = model.fit(X).sum_
    assert (model.fit(X).sum_ != first).all()
    assert model.privacy_.reproducible
    assert "not private" in str(model.privacy_)
    assert not Sum().fit(X).privacy_.reproducible


def test_threads_draw_noise_of_their_own():
    models = [Sum() for _ in range(8)]
    threads = [threading.Thread(target=model.fit, args=(X,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((a.sum_ != b.sum_).all() for a, b in pairwise(models))


# Batches


def test_a_receipt_covers_all_batches():
    accountant = PrivacyAccountant()
    model = Sum(accountant=accountant, random_state=0)
    single = model.partial_fit(X).privacy_
    assert [m["name"] for m in single.mechanisms] == ["sum"]
    model.set_params(epsilon=2.0, random_state=None).partial_fit(X)
    receipt = model.privacy_
    assert [m["name"] for m in receipt.mechanisms] == ["sum, batch 1", "sum, batch 2"]
    assert list(receipt.noise_scales) == ["sum, batch 1", "sum, batch 2"]
    assert receipt.loss == accountant.entries[0].loss + accountant.entries[1].loss
    assert receipt.mu == math.hypot(*(entry.mu for entry in accountant.entries))
    assert receipt.entry_uid == accountant.entries[1].uid
    assert receipt.reproducible  # the noise of the first batch is known
    model.fit(X)
    assert model.privacy_.loss == accountant.entries[2].loss
    assert not model.privacy_.reproducible


def test_three_batches_of_a_scaler():
    accountant = PrivacyAccountant()
    scaler = DPStandardScaler(bounds=(-3, 3), accountant=accountant)
    for number in range(1, 4):
        scaler.partial_fit(X)
        assert len(accountant.entries) == number
        assert scaler.privacy_.mu == pytest.approx(
            math.sqrt(number) * accountant.entries[0].mu, rel=1e-12
        )
        assert len(scaler.privacy_.mechanisms) == number
    assert pickle.loads(pickle.dumps(scaler)).partial_fit(X).privacy_.mu > scaler.privacy_.mu
    assert clone(scaler).partial_fit(X).privacy_.mu == accountant.entries[0].mu


def test_batches_have_one_adjacency():
    model = Sum().partial_fit(X)
    model.set_params(accountant=PrivacyAccountant(adjacency="replace-one"))
    with pytest.raises(ValueError, match="add-remove adjacency, the accountant has replace-one"):
        model.partial_fit(X)
    assert len(model.accountant.entries) == 0
    assert model.fit(X).privacy_.adjacency == "replace-one"


def test_a_batch_of_another_width_is_refused():
    accountant = PrivacyAccountant()
    model = Sum(accountant=accountant).partial_fit(X)
    with pytest.raises(ValueError, match="2 features"):
        model.partial_fit(X[:, :2])
    assert len(accountant.entries) == 1
    assert model.partial_fit(X).n_features_in_ == 3
