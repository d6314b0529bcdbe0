"""Numerical composition against closed forms and against dp-accounting."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skprivacy.accounting import PrivacyLoss, PrivacyLossDistribution, gdp_delta, gdp_epsilon

PLD = PrivacyLossDistribution
DELTAS = (1e-2, 1e-6, 1e-9)


def gaussian_curve(mu):
    """A Gaussian whose name is hidden, so that it isn't folded but transformed."""
    return PLD.from_delta_curve(lambda epsilon: np.asarray(gdp_delta(mu, epsilon)))


def release(kind, size, count):
    """Return a distribution and the loss of the same releases."""
    loss = {
        "gaussian": lambda: PrivacyLoss.gaussian(size, 1.0),
        "laplace": lambda: PrivacyLoss.laplace(size, 1.0),
        "pure": lambda: PrivacyLoss.pure(size),
        "curve": lambda: PrivacyLoss.gaussian(size, 1.0),
    }[kind]()
    made = {
        "gaussian": PLD.gaussian,
        "laplace": PLD.laplace,
        "pure": PLD.pure,
        "curve": gaussian_curve,
    }[kind](size)
    return made.power(count), PrivacyLoss.compose([loss] * count)


releases = st.lists(
    st.builds(
        release,
        st.sampled_from(["gaussian", "laplace", "pure", "curve"]),
        st.floats(0.01, 1.5),
        st.integers(1, 20),
    ),
    min_size=1,
    max_size=4,
)


def binomial_epsilon(size, n, delta):
    """Exact epsilon of n-fold randomised response, on the last linear piece that reaches it."""
    right, wrong = 1 / (1 + math.exp(-size)), 1 / (1 + math.exp(size))
    above = np.zeros(2)
    for k in range(n, -1, -1):
        loss = (2 * k - n) * size
        # delta(epsilon) = P(L > epsilon) - e^epsilon Q(L > epsilon), linear between losses.
        if above[0] - math.exp(loss) * above[1] > delta:
            break
        chance = math.comb(n, k)
        above += (
            chance * right**k * wrong ** (n - k),
            chance * wrong**k * right ** (n - k),
        )
    else:
        return 0.0
    return max(math.log((above[0] - delta) / above[1]), 0.0)


@given(releases, st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_order_does_not_matter(parts, random):
    distributions = [distribution for distribution, _ in parts]
    shuffled = list(distributions)
    random.shuffle(shuffled)
    for delta in (1e-3, 1e-8):
        assert PLD.compose(shuffled).epsilon(delta) == pytest.approx(
            PLD.compose(distributions).epsilon(delta), rel=1e-9, abs=1e-9
        )


@given(releases)
@settings(max_examples=25)
def test_epsilon_falls_with_delta_and_grows_with_releases(parts):
    distributions = [distribution for distribution, _ in parts]
    whole, less = PLD.compose(distributions), PLD.compose(distributions[:-1])
    epsilons = [whole.epsilon(delta) for delta in DELTAS]
    assert epsilons == sorted(epsilons)
    for delta, epsilon in zip(DELTAS, epsilons, strict=True):
        assert epsilon >= less.epsilon(delta) * (1 - 3e-6)
    deltas = [whole.delta(epsilon) for epsilon in (0.0, 0.5, 1.0, 5.0)]
    assert deltas == sorted(deltas, reverse=True)


@given(releases)
@settings(max_examples=25)
def test_never_above_the_fold_nor_below_its_gaussian_part(parts):
    whole = PLD.compose([distribution for distribution, _ in parts])
    fold = PrivacyLoss.compose([loss for _, loss in parts])
    gaussian_part = math.hypot(*(loss.mu for _, loss in parts if loss.epsilon == math.inf))
    for delta in DELTAS:
        epsilon = whole.epsilon(delta)
        assert epsilon <= fold.to_epsilon(delta) * (1 + 1e-5) + 1e-6
        assert epsilon >= gdp_epsilon(gaussian_part, delta) * (1 - 1e-14)


@given(
    st.floats(-4, 1).map(lambda x: 10**x),
    st.integers(2, 300),
    st.floats(-250, -0.5).map(lambda x: 10**x),
)
def test_never_below_the_exact_gaussian_and_sharp(mu, n, delta):
    exact = gdp_epsilon(mu * math.sqrt(n), delta)
    epsilon = gaussian_curve(mu).power(n).epsilon(delta)
    assert exact <= epsilon <= exact * (1 + 3e-6) + 2e-5 * mu * math.sqrt(n)


@given(st.floats(-4, 1).map(lambda x: 10**x), st.integers(2, 300), st.floats(0.0, 12.0))
def test_delta_is_never_below_the_exact_gaussian_and_sharp(mu, n, deviations):
    total = mu * math.sqrt(n)
    epsilon = total * (total / 2 + deviations)
    exact = gdp_delta(total, epsilon)
    assert exact <= gaussian_curve(mu).power(n).delta(epsilon) <= exact * (1 + 1e-3)


@pytest.mark.parametrize("delta", [0.2, 1e-4, 1e-9, 1e-15])
@pytest.mark.parametrize(("size", "n"), [(0.1, 50), (0.5, 20), (2.0, 9)])
def test_pure_releases_agree_with_the_binomial(size, n, delta):
    exact = binomial_epsilon(size, n, delta)
    epsilon = PLD.pure(size).power(n).epsilon(delta)
    assert exact * (1 - 1e-14) <= epsilon <= exact * (1 + 1e-7)


def test_known_values():
    assert PLD.laplace(0.1).power(400).epsilon(1e-6) == pytest.approx(10.70442, abs=2e-5)
    assert PLD.laplace(0.1).power(50).epsilon(1e-6) == pytest.approx(3.1207, abs=1e-4)
    assert PLD.pure(0.1).power(50).epsilon(1e-6) == pytest.approx(3.1729, abs=1e-4)
    assert PLD.pure(0.1, 1e-9).power(50).epsilon(1e-6) == pytest.approx(3.1769223, abs=2e-6)
    # Almost only the largest loss of all is left, and no floor of an untilted transform.
    assert PLD.laplace(1.0).power(30).delta(29.999) == pytest.approx(
        2.0**-30 * -math.expm1(-0.001), rel=0.02, abs=0
    )


def test_gaussians_fold_exactly():
    whole = PLD.compose([PLD.gaussian(0.3), PLD.gaussian(0.4)], [4, 9])
    mu = math.hypot(0.6, 1.2)
    assert len(whole.pieces) == 1
    assert whole.pieces[0][0].mu == pytest.approx(mu, rel=1e-15, abs=0)
    for delta in DELTAS:
        assert whole.epsilon(delta) == pytest.approx(gdp_epsilon(mu, delta), rel=1e-12, abs=0)
    assert whole.delta(2.0) == pytest.approx(gdp_delta(mu, 2.0), rel=1e-12, abs=0)


def test_a_single_release_is_its_curve():
    assert PLD.laplace(0.7).delta(0.2) == pytest.approx(-math.expm1(-0.25), rel=1e-14, abs=0)
    assert PLD.laplace(0.7).epsilon(1e-3) == pytest.approx(
        0.7 + 2 * math.log1p(-1e-3), rel=1e-14, abs=0
    )
    assert PLD.pure(0.7).delta(0.0) == pytest.approx(math.tanh(0.35), rel=1e-14, abs=0)


def test_largest_loss_ends_the_curve():
    whole = PLD.compose([PLD.laplace(0.5), PLD.pure(0.25)], [2, 3])
    assert whole.epsilon(0.0) == 1.75
    assert whole.delta(1.75) == whole.delta(math.inf) == 0.0
    assert whole.epsilon(1e-200) <= 1.75
    assert PLD.compose([whole, PLD.gaussian(1.0)]).epsilon(0.0) == math.inf


def test_infinite_losses():
    many = PLD.pure(0.1, 1e-3).power(3)
    assert many.infinity == pytest.approx(1 - 0.999**3, rel=1e-13, abs=0)
    assert many.epsilon(many.infinity) == pytest.approx(0.3)
    assert many.epsilon(2e-3) == math.inf
    assert many.delta(10.0) == many.infinity
    exact = many.infinity + (1 - many.infinity) * PLD.pure(0.1).power(3).delta(0.15)
    assert many.delta(0.15) == pytest.approx(exact, rel=1e-12, abs=0)
    for hopeless in (PLD.gaussian(math.inf), PLD.pure(math.inf), PLD.pure(1.0, 1.0)):
        assert hopeless.infinity == 1.0
        whole = PLD.compose([hopeless, PLD.laplace(1.0)])
        assert whole.delta(50.0) == 1.0
        assert whole.epsilon(0.5) == math.inf
        assert whole.epsilon(1.0) == 0.0
        assert hopeless.power(0) == PLD()


def test_nothing_costs_nothing():
    for nothing in (PLD(), PLD.compose([]), PLD.gaussian(0), PLD.laplace(0), PLD.pure(0)):
        assert nothing == PLD()
        assert nothing.epsilon(0.0) == nothing.delta(0.0) == 0.0
    assert PLD.laplace(1.0).power(0) == PLD.subsampled_gaussian(0.0, 1.0, 5) == PLD()
    assert PLD.subsampled_gaussian(0.1, math.inf, 5) == PLD()


def test_a_curve_with_a_floor_has_an_infinite_loss():
    whole = PLD.from_delta_curve(lambda e: 1e-4 + 0.1 * np.exp(-2 * e)).power(3)
    assert whole.delta(50.0) == pytest.approx(3e-4, rel=1e-3, abs=0)
    assert whole.epsilon(2e-4) == math.inf


def test_rare_large_losses_are_resolved():
    # In nearly all runs no step takes the row; what is left at epsilon = 1 are the others.
    one, five = (PLD.subsampled_gaussian(1e-4, 1.0, steps) for steps in (1, 5))
    for epsilon in (0.1, 0.3, 1.0):
        assert 5 * one.delta(epsilon) < five.delta(epsilon) < 5.5 * one.delta(epsilon)


def test_directions_are_both_covered():
    curves = PLD.subsampled_gaussian(0.3, 0.8).pieces[0][0]

    def forward(epsilon):
        return curves.curve(epsilon)

    def backward(epsilon):
        return curves.curve(epsilon, reversed_=True)

    one = PLD.from_delta_curve(forward, backward).power(5)
    other = PLD.from_delta_curve(backward, forward).power(5)
    assert one.epsilon(1e-5) == other.epsilon(1e-5)
    assert one.epsilon(1e-5) == pytest.approx(
        PLD.subsampled_gaussian(0.3, 0.8, 5).epsilon(1e-5), rel=1e-12, abs=0
    )
    # The larger of the two: against a bounded loss the direction matters.
    bounded = one.curve(1e-9)(np.array([3.0]))[0]
    assert bounded == pytest.approx(one.delta(3.0), rel=1e-3, abs=0)


def test_curve_is_delta_at_every_epsilon():
    whole = PLD.compose([PLD.laplace(0.2), PLD.pure(0.1, 1e-9)], [30, 10])
    epsilon = np.linspace(0, 6, 25)
    curve = whole.curve(1e-30)(epsilon)
    single = np.array([whole.delta(float(e)) for e in epsilon])
    # delta() chooses its grid for each epsilon.
    assert curve == pytest.approx(single, rel=2e-3, abs=0)
    assert whole.curve(1e-9)(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PLD.gaussian(-1), "mu must"),
        (lambda: PLD.laplace(math.nan), "ratio must"),
        (lambda: PLD.pure(1.0, 2.0), "delta must"),
        (lambda: PLD.pure(-1.0), "epsilon must"),
        (lambda: PLD.subsampled_gaussian(1.5, 1.0), "sampling_rate must"),
        (lambda: PLD.subsampled_gaussian(0.5, -1.0), "noise_multiplier must"),
        (lambda: PLD.subsampled_gaussian(0.5, 1.0, 1.5), "n_steps must"),
        (lambda: PLD.subsampled_gaussian(0.5, 1.0, -1), "n_steps must"),
        (lambda: PLD.laplace(1.0).power(-1), "counts must"),
        (lambda: PLD.laplace(1.0).power(0.5), "counts must"),
        (lambda: PLD.compose([PLD.laplace(1.0)], [1, 2]), "counts must"),
        (lambda: PLD.laplace(1.0).delta(-0.1), "epsilon must"),
        (lambda: PLD.laplace(1.0).epsilon(1.1), "delta must"),
        (lambda: PLD.laplace(1.0).power(2).epsilon(0.1, grid=0.0), "grid must"),
        (lambda: PLD.laplace(1.0).curve(0.0), "smallest_delta must"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# dp-accounting's PLDAccountant ignores the count of a RandomizedResponseDpEvent: here its
# distributions are composed themselves.


@pytest.fixture(scope="module")
def oracle():
    return pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")


def test_published_vector(oracle):
    """Opacus's test vector: sigma 1.5, q .04, 2250 steps, delta 1e-5, add or remove."""
    whole = PLD.subsampled_gaussian(0.04, 1.5, 2250)
    assert whole.epsilon(1e-5) == pytest.approx(6.76879, abs=5e-6)
    theirs = oracle.from_gaussian_mechanism(
        1.5, sampling_prob=0.04, value_discretization_interval=1e-4
    ).self_compose(2250)
    for delta in (1e-2, 1e-5, 1e-8):
        assert whole.epsilon(delta) == pytest.approx(
            theirs.get_epsilon_for_delta(delta), rel=2e-6, abs=0
        )


@pytest.mark.parametrize(
    ("q", "sigma", "steps"), [(0.05, 2.0, 400), (0.01, 1.0, 300), (0.3, 0.6, 10), (0.5, 5.0, 64)]
)
def test_subsampled_gaussian_agrees_with_dp_accounting(oracle, q, sigma, steps):
    theirs = oracle.from_gaussian_mechanism(
        sigma, sampling_prob=q, value_discretization_interval=1e-4
    ).self_compose(steps)
    whole = PLD.subsampled_gaussian(q, sigma, steps)
    for epsilon in (0.1, 1.0, 3.0):
        exact = theirs.get_delta_for_epsilon(epsilon)
        # Their transform has an additive error of about 1e-14.
        assert whole.delta(epsilon) == pytest.approx(exact, rel=2e-4, abs=1e-13)
    for delta in (1e-2, 1e-6):
        exact = theirs.get_epsilon_for_delta(delta)
        assert whole.epsilon(delta) == pytest.approx(exact, rel=1e-5, abs=0)


def test_a_hundred_entries_agree_with_dp_accounting(oracle):
    """60 Gaussians, 25 distinct Laplace, 10 pure and 5 with a delta."""
    grid, ratios = 1e-3, [0.02 + 0.01 * k for k in range(25)]
    ours = PLD.compose(
        [PLD.gaussian(0.1)] * 60
        + [PLD.laplace(ratio) for ratio in ratios]
        + [PLD.pure(0.1)] * 10
        + [PLD.pure(0.05, 1e-8)] * 5
    )
    parameters = oracle.common.DifferentialPrivacyParameters
    theirs = oracle.from_gaussian_mechanism(1 / math.sqrt(0.6), value_discretization_interval=grid)
    for ratio in ratios:
        theirs = theirs.compose(
            oracle.from_laplace_mechanism(1 / ratio, value_discretization_interval=grid)
        )
    for epsilon, delta, count in ((0.1, 0.0, 10), (0.05, 1e-8, 5)):
        piece = oracle.from_privacy_parameters(
            parameters(epsilon, delta), value_discretization_interval=grid
        )
        theirs = theirs.compose(piece.self_compose(count))
    for delta in (1e-2, 1e-6):
        reference = theirs.get_epsilon_for_delta(delta)
        assert ours.epsilon(delta, grid=grid) == pytest.approx(reference, rel=1e-5, abs=0)
        assert ours.epsilon(delta) == pytest.approx(reference, rel=1e-4, abs=0)
    # Beside what the fold charges for the same list.
    fold = PrivacyLoss.compose(
        [PrivacyLoss.gaussian(0.1, 1.0)] * 60
        + [PrivacyLoss.laplace(ratio, 1.0) for ratio in ratios]
        + [PrivacyLoss.pure(0.1)] * 10
        + [PrivacyLoss.approximate(0.05, 1e-8)] * 5
    )
    assert ours.epsilon(1e-6) < fold.to_epsilon(1e-6)


@given(
    # On the grid, where dp-accounting's pure pieces lose nothing.
    st.lists(
        st.tuples(
            st.sampled_from(["laplace", "pure"]), st.integers(50, 1000).map(lambda k: k / 1e3)
        ),
        max_size=3,
    ),
    st.floats(0.1, 1.5),
    st.integers(1, 15),
)
@settings(max_examples=15)
def test_mixtures_agree_with_dp_accounting(oracle, parts, mu, count):
    grid = 1e-3
    theirs = oracle.from_gaussian_mechanism(1 / mu, value_discretization_interval=grid)
    ours = [PLD.gaussian(mu)]
    for kind, size in parts:
        if kind == "laplace":
            piece = oracle.from_laplace_mechanism(1 / size, value_discretization_interval=grid)
        else:
            piece = oracle.from_privacy_parameters(
                oracle.common.DifferentialPrivacyParameters(size, 0.0),
                value_discretization_interval=grid,
            )
        theirs = theirs.compose(piece.self_compose(count))
        ours.append(release(kind, size, count)[0])
    for delta in (1e-3, 1e-7):
        reference = theirs.get_epsilon_for_delta(delta)
        assert PLD.compose(ours).epsilon(delta) == pytest.approx(reference, rel=1e-4, abs=1e-5)
