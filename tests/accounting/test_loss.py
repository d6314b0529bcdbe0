"""Prices: how they are made, add, compare and are shown."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprivacy.accounting import (
    PrivacyLoss,
    gdp_delta,
    gdp_epsilon,
    gdp_mu,
    laplace_mu,
    pure_mu,
)

gaussians = st.floats(0.0, 10.0).map(PrivacyLoss)
pures = st.floats(0.0, 5.0).map(PrivacyLoss.pure)
laplaces = st.floats(0.0, 5.0).map(lambda ratio: PrivacyLoss.laplace(ratio, 1.0))
approximates = st.builds(PrivacyLoss.approximate, st.floats(0.0, 5.0), st.floats(1e-12, 1e-3))
losses = st.one_of(gaussians, pures, laplaces, approximates)


def close(one, other):
    return (one.mu, one.delta, one.epsilon) == pytest.approx(
        (other.mu, other.delta, other.epsilon), rel=1e-14, abs=0
    )


def test_constructors():
    assert PrivacyLoss.gaussian(2.0, 8.0) == PrivacyLoss(0.25)
    assert PrivacyLoss.laplace(1.0, 2.0) == PrivacyLoss(laplace_mu(0.5), 0.0, 0.5)
    assert PrivacyLoss.pure(0.7) == PrivacyLoss(pure_mu(0.7), 0.0, 0.7)
    assert PrivacyLoss.approximate(0.7, 1e-7) == PrivacyLoss(pure_mu(0.7), 1e-7, math.inf)
    assert PrivacyLoss.approximate(0.7, 0.0) == PrivacyLoss.pure(0.7)
    assert PrivacyLoss.zero() == PrivacyLoss(0.0, 0.0, 0.0)
    assert PrivacyLoss.none().to_epsilon(0.5) == math.inf
    assert PrivacyLoss.none().to_delta(100.0) == 1.0


@pytest.mark.parametrize("make", [PrivacyLoss.gaussian, PrivacyLoss.laplace])
def test_no_noise_is_no_guarantee_and_no_sensitivity_is_free(make):
    assert make(1.0, 0.0) == PrivacyLoss.none()
    assert make(0.0, 0.0) == make(0.0, 3.0) == make(1.0, math.inf) == PrivacyLoss.zero()
    with pytest.raises(ValueError, match="sensitivity must be a number in the range \\[0, inf\\)"):
        make(math.inf, 1.0)
    with pytest.raises(ValueError, match="noise_scale must be"):
        make(1.0, -1.0)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-1.0,), "mu"),
        ((math.nan,), "mu"),
        ((1.0, -1e-9), "delta"),
        ((1.0, 1.5), "delta"),
        ((1.0, math.nan), "delta"),
        ((1.0, 0.0, -1.0), "epsilon"),
        ((1.0, 0.0, math.nan), "epsilon"),
    ],
)
def test_fields_out_of_range_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"{name} must be a number in the range"):
        PrivacyLoss(*arguments)


def test_a_delta_excludes_a_pure_epsilon():
    with pytest.raises(ValueError, match="has no pure epsilon"):
        PrivacyLoss(1.0, 1e-9, 3.0)


def test_is_a_frozen_value():
    loss = PrivacyLoss(1.0)
    with pytest.raises(AttributeError):
        loss.mu = 2.0
    assert not hasattr(loss, "__dict__")
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(loss) == hash(PrivacyLoss(1.0))


def test_composition_rules():
    total = PrivacyLoss.compose([PrivacyLoss(3.0), PrivacyLoss(4.0, 1e-6), PrivacyLoss(12.0)])
    assert total == PrivacyLoss(13.0, 1e-6)
    pure = PrivacyLoss.pure(0.2) + PrivacyLoss.pure(0.4)
    assert pure.mu == math.hypot(pure_mu(0.2), pure_mu(0.4))
    assert pure.epsilon == 0.2 + 0.4
    assert (pure + PrivacyLoss.approximate(0.1, 1e-9)).epsilon == math.inf
    assert (pure + PrivacyLoss.gaussian(1, 10)).epsilon == math.inf
    assert PrivacyLoss.compose([]) == PrivacyLoss.zero()
    assert PrivacyLoss.compose([PrivacyLoss(0.0, 0.7), PrivacyLoss(0.0, 0.7)]).delta == 1.0


def test_many_small_losses_add_without_drift():
    total = PrivacyLoss.compose([PrivacyLoss(1e-3, 1e-9)] * 1_000_000)
    assert total.mu == pytest.approx(1.0, rel=1e-15, abs=0)
    assert total.delta == 1e-3
    tiny = PrivacyLoss.compose([PrivacyLoss(1e-200)] * 4)
    assert tiny.mu == pytest.approx(2e-200, rel=1e-15, abs=0)


@given(st.lists(losses, max_size=6), st.randoms(use_true_random=False))
def test_order_and_grouping_do_not_matter(terms, random):
    shuffled = list(terms)
    random.shuffle(shuffled)
    cut = random.randint(0, len(terms))
    one = PrivacyLoss.compose(terms)
    assert close(one, PrivacyLoss.compose(shuffled))
    assert close(one, PrivacyLoss.compose(terms[:cut]) + PrivacyLoss.compose(terms[cut:]))


@given(losses, losses)
def test_more_releases_cost_more(one, other):
    total = one + other
    # A sum of squares rounds.
    enlarged = PrivacyLoss(total.mu * (1 + 1e-15), total.delta, total.epsilon)
    assert one <= enlarged
    assert other <= enlarged
    for delta in (0.0, 1e-9, 1e-5, 1e-2, 1.0):
        assert total.to_epsilon(delta) >= one.to_epsilon(delta) * (1 - 1e-12)


def test_order_is_partial():
    cheap, dear = PrivacyLoss(1.0, 0.0, 2.0), PrivacyLoss(2.0, 0.0, 3.0)
    assert cheap < dear
    assert cheap <= dear
    assert dear > cheap
    assert dear >= cheap
    assert cheap <= cheap  # noqa: PLR0124
    assert not cheap < cheap  # noqa: PLR0124
    mixed = PrivacyLoss(1.5, 1e-9)
    other = PrivacyLoss(2.5, 0.0, 1.0)
    assert not mixed <= other
    assert not other <= mixed
    assert not mixed > other
    with pytest.raises(TypeError):
        cheap < 3.0  # noqa: B015
    with pytest.raises(TypeError):
        cheap + 3.0


def test_parallel_takes_the_largest_of_every_coordinate():
    parts = [PrivacyLoss(2.0), PrivacyLoss(1.0, 1e-6), PrivacyLoss.pure(0.1)]
    assert PrivacyLoss.parallel(parts) == PrivacyLoss(2.0, 1e-6)
    pures = [PrivacyLoss.pure(0.1), PrivacyLoss.pure(0.3)]
    assert PrivacyLoss.parallel(pures) == PrivacyLoss.pure(0.3)
    assert PrivacyLoss.parallel([]) == PrivacyLoss.zero()


def test_parallel_composes_the_parts_that_a_record_can_touch():
    parts = [PrivacyLoss(3.0, 1e-9), PrivacyLoss(4.0), PrivacyLoss(1.0, 3e-9)]
    two = PrivacyLoss.parallel(parts, parts_touched=2)
    assert (two.mu, two.delta) == pytest.approx((5.0, 4e-9), rel=1e-15, abs=0)
    pures = [PrivacyLoss.pure(e) for e in (0.1, 0.5, 0.25)]
    assert PrivacyLoss.parallel(pures, parts_touched=2).epsilon == 0.75
    assert close(PrivacyLoss.parallel(pures, parts_touched=9), PrivacyLoss.compose(pures))
    with pytest.raises(ValueError, match="parts_touched must be at least 1"):
        PrivacyLoss.parallel(parts, parts_touched=0)


def test_epsilon_is_the_better_of_both_routes():
    single = PrivacyLoss.pure(0.1)
    assert single.to_epsilon(0.0) == 0.1
    assert single.to_epsilon(1e-6) == 0.1
    many = PrivacyLoss.compose([single] * 100)
    assert many.to_epsilon(0.0) == pytest.approx(10.0)
    assert many.to_epsilon(1e-6) == gdp_epsilon(many.mu, 1e-6) < 7
    assert PrivacyLoss(1.0).to_epsilon(0.0) == math.inf


def test_own_delta_is_paid_first():
    loss = PrivacyLoss(0.5, 1e-7)
    assert loss.to_epsilon(1e-6) == gdp_epsilon(0.5, 1e-6 - 1e-7)
    assert loss.to_epsilon(1e-7) == loss.to_epsilon(9e-8) == math.inf
    assert PrivacyLoss(0.0, 1e-7).to_epsilon(1e-7) == 0.0
    assert loss.to_delta(1.0) == gdp_delta(0.5, 1.0) + 1e-7


@given(st.one_of(gaussians, pures, laplaces), st.floats(1e-6, 20.0))
def test_delta_and_epsilon_are_inverse(loss, epsilon):
    delta = loss.to_delta(epsilon)
    if delta == 0 or delta > 1e-300:
        again = loss.to_epsilon(delta)
        assert again <= epsilon * (1 + 1e-9) + 1e-12 or (delta == 0 and again == loss.epsilon)


def test_delta_of_a_pure_loss():
    loss = PrivacyLoss.pure(0.5)
    assert loss.to_delta(0.5) == loss.to_delta(3.0) == 0.0
    assert loss.to_delta(0.4) == gdp_delta(pure_mu(0.5), 0.4)
    assert PrivacyLoss.none().to_delta(math.inf) == 1.0
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="epsilon must be"):
            loss.to_delta(bad)
        with pytest.raises(ValueError, match="delta must be"):
            loss.to_epsilon(bad)


def test_price_is_never_below_that_of_randomised_response():
    # Ten answers, the worst pure release, composed exactly: binomial.
    size, n = 0.3, 10
    right = 1 / (1 + math.exp(-size))
    total = PrivacyLoss.compose([PrivacyLoss.pure(size)] * n)
    for epsilon in np.linspace(0, n * size, 31):
        exact = sum(
            math.comb(n, k)
            * max(
                right**k * (1 - right) ** (n - k)
                - math.exp(epsilon) * right ** (n - k) * (1 - right) ** k,
                0.0,
            )
            for k in range(n + 1)
        )
        assert total.to_delta(float(epsilon)) >= exact - 1e-15


def test_subsampled_gaussian():
    loss = PrivacyLoss.subsampled_gaussian(0.05, 2.0, 400, 1e-8)
    assert loss.delta == 1e-8
    assert loss.epsilon == math.inf
    assert loss.to_epsilon(1e-6) == pytest.approx(2.565, abs=5e-4)


def test_curve():
    loss = PrivacyLoss.from_curve(lambda e: np.exp(-5 * e) / 100, 1e-9)
    assert loss.delta == 1e-9
    epsilon = np.linspace(0, 4, 999)
    assert np.all(np.exp(-5 * epsilon) / 100 <= gdp_delta(loss.mu, epsilon) + 1e-9)


def naive_attack(epsilon, delta, share):
    """Delta that an adversary reaches under a running test of epsilon, and under the rectangle.

    It spends `share` of mu, looks at the loss of what came out, and spends what is left on
    mu or on a release that reveals everything with some probability, whichever is worse.
    """
    x = np.linspace(-10, 10, 4001)
    weight = np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])

    def reached(mu, extra, *, either):
        first, second = share * mu, math.sqrt(1 - share**2) * mu
        loss = first * (first / 2 + x)
        by_mu = np.asarray(gdp_delta(second, epsilon - loss))
        by_delta = extra + (1 - extra) * np.maximum(-np.expm1(epsilon - loss), 0)
        if either:
            return float(weight @ np.maximum(by_mu, by_delta))
        return float(weight @ (extra + (1 - extra) * by_mu))

    all_mu = gdp_mu(epsilon, delta)
    # Both ways out pass the naive test: epsilon at what is left of delta is the ceiling's.
    extra = delta - max(gdp_delta(share * all_mu, epsilon) * (1 + 1e-6), 1e-6 * delta)
    assert gdp_epsilon(share * all_mu, delta - extra) <= epsilon
    assert gdp_epsilon(all_mu, delta) <= epsilon * (1 + 1e-12)
    naive = reached(all_mu, extra, either=True)
    # The rectangle admits both at once, so there is nothing to choose.
    rectangle = reached(gdp_mu(epsilon, 0.9 * delta), 0.1 * delta, either=False)
    return naive / delta, rectangle / delta


@pytest.mark.parametrize("epsilon", [0.5, 2.0, 8.0])
def test_running_epsilon_is_no_filter_but_the_rectangle_is(epsilon):
    reached = [naive_attack(epsilon, 1e-6, share) for share in np.arange(0.5, 1.0, 0.05)]
    assert max(naive for naive, _ in reached) > 1.9
    assert max(rectangle for _, rectangle in reached) <= 1 + 1e-9


def test_comparisons_need_every_coordinate():
    base = PrivacyLoss(1.0, 0.0, 1.0)
    for mu, epsilon in itertools.product((0.5, 1.0, 2.0), repeat=2):
        other = PrivacyLoss(mu, 0.0, epsilon)
        assert (other <= base) == (max(mu, epsilon) <= 1)
        assert (other < base) == (max(mu, epsilon) <= 1 and min(mu, epsilon) < 1)
    base = PrivacyLoss(1.0, 1e-6)
    for mu, delta in itertools.product((0.5, 1.0, 2.0), repeat=2):
        other = PrivacyLoss(mu, 1e-6 * delta)
        assert (other <= base) == (max(mu, delta) <= 1)
        assert (other > base) == (min(mu, delta) >= 1 and max(mu, delta) > 1)
