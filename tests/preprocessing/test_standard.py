"""DPStandardScaler: what it estimates, batches, extremes, and audits of whole fits."""

import itertools
import math

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skprivacy import PrivacyAccountant
from skprivacy.accounting import gdp_epsilon, gdp_mu
from skprivacy.attacks import mu_lower_bound
from skprivacy.exceptions import BudgetExceededError
from skprivacy.mechanisms import GaussianMoments
from skprivacy.plan import Facts
from skprivacy.preprocessing import DPStandardScaler

ADJACENCIES = ["add-remove", "replace-one"]
by_adjacency = pytest.mark.parametrize("adjacency", ADJACENCIES)


@pytest.fixture(scope="module", name="X")
def rows_of_three_columns():
    return np.random.default_rng(0).normal([0, 3, 10], [1, 2, 0.5], size=(4000, 3))


def scaler_of(epsilon=1.0, adjacency="add-remove", **parameters):
    parameters = {"random_state": 0} | parameters
    return DPStandardScaler(
        epsilon, accountant=PrivacyAccountant(adjacency=adjacency), **parameters
    )


# Estimates


@by_adjacency
@pytest.mark.parametrize("bounds", [None, ([-5, -6, 7], [5, 12, 13])])
def test_large_epsilon_gives_scikit_learn_s_scaler(X, adjacency, bounds):
    scaler = scaler_of(1000.0, adjacency, bounds=bounds).fit(X)
    twin = StandardScaler().fit(np.clip(X, *scaler.bounds_))
    np.testing.assert_allclose(scaler.mean_, twin.mean_, atol=2e-3)
    np.testing.assert_allclose(scaler.var_, twin.var_, rtol=5e-3)
    np.testing.assert_allclose(scaler.scale_, twin.scale_, rtol=5e-3)
    np.testing.assert_allclose(scaler.transform(X), StandardScaler().fit_transform(X), atol=0.05)


@by_adjacency
@pytest.mark.parametrize("missing", ["error", "ignore"])
def test_errors_are_those_of_the_noise_that_is_stated(X, adjacency, missing):
    bounds = ([-5, -6, 7], [5, 12, 13])
    exact = np.clip(X, *bounds).mean(axis=0)
    fits = [
        scaler_of(0.5, adjacency, bounds=bounds, missing=missing, random_state=seed).fit(X)
        for seed in range(150)
    ]
    errors = np.array([fit.mean_ - exact for fit in fits])
    stated = fits[0].noise_std_
    # Private counts add to the error of means that are far from the middle of the bounds: not here.
    spread = math.sqrt(np.mean((errors / stated) ** 2))
    assert abs(spread - 1) < 4 / math.sqrt(2 * errors.size)
    assert np.abs(errors.mean(axis=0) / stated).max() < 5 / math.sqrt(len(fits))
    truth = np.clip(X, *bounds).var(axis=0)
    variances = np.array([fit.var_ for fit in fits])
    assert np.abs(variances.mean(axis=0) / truth - 1).max() < 0.05


def test_shared_counts_make_means_better_than_a_count_for_each_column(X):
    """Complete rows have one count: it costs less and errs less."""
    wide = np.hstack([X] * 10)
    bounds = (np.tile([-5, -6, 7], 10), np.tile([5, 12, 13], 10))
    spread = {
        missing: np.mean(scaler_of(0.5, bounds=bounds, missing=missing).fit(wide).noise_std_)
        for missing in ("error", "ignore")
    }
    assert spread["error"] < 0.95 * spread["ignore"]


@by_adjacency
def test_missing_values_are_left_out_of_each_column(X, adjacency):
    holes = X.copy()
    holes[::2, 0] = np.nan
    holes[:, 2] = np.nan
    scaler = scaler_of(1000.0, adjacency, bounds=(-10, 20), missing="ignore").fit(holes)
    np.testing.assert_allclose(scaler.mean_[:2], np.nanmean(holes[:, :2], axis=0), atol=2e-3)
    np.testing.assert_allclose(scaler.var_[:2], np.nanvar(holes[:, :2], axis=0), rtol=1e-2)
    # A column with no value at all has the noise's own answer, and stays finite.
    assert np.isfinite([scaler.mean_[2], scaler.scale_[2]]).all()


@pytest.mark.parametrize("value", [7.0, 0.0, -3.5, 10.0])
@pytest.mark.parametrize("epsilon", [0.01, 1.0, 1000.0, 1e6])
@pytest.mark.parametrize("bounds", [None, (-10, 10)])
@by_adjacency
def test_constant_columns_become_small_and_finite(value, epsilon, bounds, adjacency):
    rows = np.full((5000, 1), value)
    scaler = scaler_of(epsilon, adjacency, bounds=bounds)
    output = scaler.fit_transform(rows)
    assert scaler.scale_[0] > 0
    assert np.abs(output).max() < 1
    assert output.std() < 1e-12


@by_adjacency
def test_variances_stay_possible(adjacency):
    """Between the floor of the noise and the largest variance that the mean admits."""
    rows = np.random.default_rng(1).choice([0.0, 1.0], p=[0.9, 0.1], size=(30, 50))
    for seed in range(20):
        scaler = scaler_of(0.3, adjacency, bounds=(0, 1), random_state=seed).fit(rows)
        assert ((scaler.mean_ >= 0) & (scaler.mean_ <= 1)).all()
        assert ((scaler.var_ > 0) & (scaler.var_ <= 0.25)).all()


def test_columns_are_centred_or_scaled_as_asked(X):
    bounds = (-10, 20)
    plain = scaler_of(bounds=bounds).fit(X)
    no_mean = scaler_of(bounds=bounds, with_mean=False).fit(X)
    no_std = scaler_of(bounds=bounds, with_std=False).fit(X)
    neither = scaler_of(bounds=bounds, with_mean=False, with_std=False).fit(X)
    np.testing.assert_allclose(no_mean.transform(X), X / plain.scale_)
    np.testing.assert_allclose(no_std.transform(X), X - plain.mean_)
    assert np.array_equal(neither.transform(X), X)
    assert np.array_equal(no_std.scale_, np.ones(3))
    # What is released is the same.
    assert np.array_equal(no_mean.mean_, plain.mean_)
    assert np.array_equal(no_std.var_, plain.var_)


@pytest.mark.parametrize("size", [1e-200, 1e-100, 1.0, 1e100, 1e200])
def test_declared_bounds_of_extreme_size(size):
    """The variance may leave the range of floats, the scale must not."""
    rows = np.random.default_rng(2).uniform(-0.5, 0.5, size=(3000, 2)) * size
    scaler = scaler_of(5.0, bounds=(-size, size))
    output = scaler.fit_transform(rows)
    np.testing.assert_allclose(output.std(axis=0), 1, rtol=0.05)
    np.testing.assert_allclose(scaler.inverse_transform(output), rows, rtol=1e-9, atol=1e-9 * size)


PRIVATE_RANGES = {
    "shifted": lambda rng: 1e9 + 1e6 * rng.normal(size=20_000),
    "tiny": lambda rng: 1e-12 * rng.normal(size=20_000),
    "negative": lambda rng: -rng.gamma(2, 50, size=20_000),
    "mostly zero": lambda rng: np.where(rng.random(20_000) < 0.1, rng.normal(5, 1, 20_000), 0),
    "one in three": lambda rng: (rng.random(20_000) < 0.3) * 1.0,
    "heavy tail": lambda rng: np.exp(2 * rng.normal(size=20_000)),
    "Cauchy": lambda rng: rng.standard_cauchy(20_000),
}


@pytest.mark.parametrize("name", PRIVATE_RANGES)
@pytest.mark.parametrize("epsilon", [0.3, 3.0])
@by_adjacency
def test_columns_of_all_kinds_come_out_standardised(name, epsilon, adjacency):
    rows = PRIVATE_RANGES[name](np.random.default_rng(3))[:, np.newaxis]
    scaler = scaler_of(epsilon, adjacency)
    output = scaler.fit_transform(rows)
    assert scaler.found_[0]
    assert 0.85 < output.std() < 1.15
    assert abs(output.mean()) < 0.1
    # Clipping loses tails, not order.
    order = np.argsort(rows[:, 0])
    assert (np.diff(output[order, 0]) >= 0).all()


def test_a_spread_far_below_the_position_is_taken_for_a_constant():
    """A limit of private ranges: 1e9 with a spread of 1 needs declared bounds."""
    rows = 1e9 + np.random.default_rng(4).normal(size=(20_000, 1))
    output = scaler_of().fit_transform(rows)
    assert np.abs(output).max() < 1
    declared = scaler_of(bounds=(1e9 - 10, 1e9 + 10)).fit_transform(rows)
    assert declared.std() == pytest.approx(1, abs=0.05)


def test_zeros_stay_small():
    output = scaler_of().fit_transform(np.zeros((5000, 2)))
    assert np.isfinite(output).all()
    assert np.abs(output).max() < 1


# The plan


def test_the_plan_is_priced_without_data():
    facts = Facts(n_features=3)
    known = DPStandardScaler(0.7, bounds=(0, 1)).plan(facts)
    unknown = DPStandardScaler(0.7).plan(facts)
    assert [m.name for m in known.mechanisms] == ["moments of the columns"]
    assert len(unknown.mechanisms) == 3
    for plan in (known, unknown):
        assert plan.loss.to_epsilon(1e-6) == pytest.approx(0.7, rel=1e-6)
    # The number of columns has no part in it.
    assert DPStandardScaler(0.7).plan(Facts(n_features=500)).loss == unknown.loss


# Batches


def test_batches_add_up(X):
    parts = np.array_split(X, 4)
    scaler = scaler_of(1000.0, bounds=(-10, 20), random_state=None)
    for part in parts:
        scaler.partial_fit(part)
    whole = StandardScaler().fit(X)
    np.testing.assert_allclose(scaler.mean_, whole.mean_, atol=3e-3)
    np.testing.assert_allclose(scaler.var_, whole.var_, rtol=1e-2, atol=0.03)


def test_the_noise_of_batches_adds_up(X):
    bounds = (-10, 20)
    once = scaler_of(0.5, bounds=bounds).fit(X)
    batches = scaler_of(0.5, bounds=bounds)
    for part in np.array_split(X, 4):
        batches.partial_fit(part)
    np.testing.assert_allclose(batches.noise_std_, 2 * once.noise_std_, rtol=0.1)


@by_adjacency
def test_every_batch_is_charged_and_the_receipt_covers_all(X, adjacency):
    accountant = PrivacyAccountant(adjacency=adjacency)
    scaler = DPStandardScaler(0.5, accountant=accountant, bounds=(-10, 20))
    for count, part in enumerate(np.array_split(X, 3), start=1):
        scaler.partial_fit(part)
        assert len(accountant.entries) == count
        assert scaler.privacy_.mu == pytest.approx(math.sqrt(count) * gdp_mu(0.5, 1e-6))
        assert len(scaler.privacy_.mechanisms) == count
    assert scaler.privacy_.entry_uid == accountant.entries[-1].uid
    assert scaler.privacy_.epsilon > 0.5
    scaler.fit(X)  # starts anew
    assert len(scaler.privacy_.mechanisms) == 1
    assert scaler.privacy_.epsilon == pytest.approx(0.5, rel=1e-6)


def test_a_first_batch_is_a_fit(X):
    first = scaler_of(bounds=(-10, 20)).partial_fit(X)
    assert np.array_equal(first.mean_, scaler_of(bounds=(-10, 20)).fit(X).mean_)
    assert not first.privacy_.mechanisms[0]["name"].endswith("batch 1")


def test_a_batch_continues_a_fit(X):
    scaler = scaler_of(1000.0, bounds=(-10, 20), random_state=None).fit(X[:1000])
    scaler.partial_fit(X[1000:])
    np.testing.assert_allclose(scaler.mean_, X.mean(axis=0), atol=3e-3)


def test_batches_need_bounds(X):
    scaler = scaler_of()
    assert not hasattr(scaler, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        scaler.partial_fit(X)
    assert "declared bounds" in str(caught.value.__cause__)
    assert hasattr(scaler.set_params(bounds=(0, 1)), "partial_fit")


def test_batches_that_do_not_fit_together_are_refused_and_charge_nothing(X):
    scaler = scaler_of(bounds=(-10, 20)).partial_fit(X)
    state = scaler.mean_.copy()
    for parameters, rows, message in [
        ({"bounds": (-10, 30)}, X, "'bounds' parameter changed"),
        ({"bounds": (-10, 20)}, X[:, :2], "features"),
        ({"bounds": ([-10, -10], [20, 20])}, X, "'bounds' parameter of"),
    ]:
        scaler.set_params(**parameters)
        with pytest.raises(ValueError, match=message):
            scaler.partial_fit(rows)
    assert len(scaler.accountant.entries) == 1
    # The same bounds in another form.
    scaler.set_params(bounds=(np.full(3, -10.0), [20, 20, 20])).partial_fit(X)
    other = PrivacyAccountant(adjacency="replace-one")
    scaler.set_params(accountant=other)
    with pytest.raises(ValueError, match="add-remove adjacency"):
        scaler.partial_fit(X)
    assert len(other.entries) == 0
    assert np.abs(scaler.mean_ - state).max() < 1
    scaler.fit(X)
    assert len(other.entries) == 1


def test_bounds_given_after_a_fit_without_them_are_refused(X):
    scaler = scaler_of().fit(X)
    scaler.set_params(bounds=(-10, 20))
    with pytest.raises(ValueError, match="'bounds' parameter changed"):
        scaler.partial_fit(X)


def test_a_refused_batch_leaves_the_last_fit(X):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    scaler = DPStandardScaler(0.8, accountant=accountant, bounds=(-10, 20)).partial_fit(X)
    before = scaler.mean_.copy(), scaler.privacy_
    with pytest.raises(BudgetExceededError):
        scaler.partial_fit(X)
    assert np.array_equal(scaler.mean_, before[0])
    assert scaler.privacy_ is before[1]


def test_reproducible_noise_is_marked_if_one_batch_has_it(X):
    scaler = scaler_of(bounds=(-10, 20), random_state=None).partial_fit(X)
    assert not scaler.privacy_.reproducible
    scaler.set_params(random_state=3).partial_fit(X)
    scaler.set_params(random_state=None).partial_fit(X)
    assert scaler.privacy_.reproducible


# Audits

N_BASE = 200


def audit(adjacency, mu, n_fits, missing="error"):
    """Lower bound on mu from the public attributes of whole fits on a pair chosen to hurt."""
    d = 2
    base = np.random.default_rng(5).choice([-0.2, 0.6], size=(N_BASE, d))
    high, low = np.ones((1, d)), -np.ones((1, d))
    if adjacency == "add-remove":
        pair = base, np.vstack([base, high])
    else:
        pair = np.vstack([base, low]), np.vstack([base, high])
    claimed = gdp_epsilon(mu, 1e-6)
    # Without an accountant the adjacency is add-remove, and a fit is faster.
    accountant = None if adjacency == "add-remove" else PrivacyAccountant(adjacency=adjacency)
    scaler = DPStandardScaler(claimed, accountant=accountant, bounds=(-1, 1), missing=missing)
    plan = scaler.plan(Facts(adjacency=adjacency))
    mechanism: GaussianMoments = plan.mechanisms[0]

    def score(fitted):
        # The attacker reads counts off noise_std_, and with them both moments.
        noise = np.ravel(fitted.privacy_.noise_scales["moments of the columns"])[d]
        counts = noise / fitted.noise_std_
        sums = fitted.mean_ * counts
        if adjacency == "replace-one":
            return sums.sum()  # the rows differ in nothing else
        squares = (fitted.var_ + fitted.mean_**2) * counts
        weight = mechanism._count_weight(adjacency, d)
        weighted = weight**2 * (counts.sum() if missing == "ignore" else counts[0])
        return sums.sum() + (squares - counts / 2).sum() + weighted

    scores = [[score(clone(scaler).fit(rows)) for _ in range(n_fits)] for rows in pair]
    return mu_lower_bound(*scores, alpha=ALPHA)


@by_adjacency
def test_audit_of_whole_fits(adjacency):
    mu = 2.0
    assert 0.45 * mu < audit(adjacency, mu, 700) <= mu
    with halved_noise():
        assert audit(adjacency, mu, 700) > mu


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adjacency", "missing", "mu"),
    list(itertools.product(ADJACENCIES, ["error", "ignore"], [1.0, 3.0])),
)
def test_audit_at_full_size(adjacency, missing, mu):
    assert 0.7 * mu < audit(adjacency, mu, 20_000, missing) <= mu
