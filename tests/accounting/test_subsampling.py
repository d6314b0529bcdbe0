"""The Gaussian price of noisy sums over Poisson samples."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from skprivacy.accounting import (
    PrivacyLoss,
    PrivacyLossDistribution,
    gdp_delta,
    subsampled_gaussian_curve,
)
from skprivacy.accounting._pairs import SubsampledReplacement


@pytest.mark.parametrize(
    ("q", "sigma", "steps", "epsilon", "composed"),
    [
        (0.05, 2.0, 400, 2.5651, 2.5558),
        (0.1, 4.0, 1000, 3.8696, 3.8688),
        (0.01, 1.0, 1000, 2.1842, 2.1245),
    ],
)
def test_price_is_little_above_the_composed_curve(q, sigma, steps, epsilon, composed):
    loss = PrivacyLoss.subsampled_gaussian(q, sigma, steps, 1e-8)
    assert loss.to_epsilon(1e-6) == pytest.approx(epsilon, abs=1e-4)
    exact = PrivacyLossDistribution.subsampled_gaussian(q, sigma, steps).epsilon(1e-6)
    assert exact == pytest.approx(composed, abs=1e-4)
    assert exact < loss.to_epsilon(1e-6)


@pytest.mark.parametrize(
    ("q", "sigma", "steps"), [(0.02, 0.8, 200), (0.3, 1.0, 20), (0.7, 4.0, 3), (0.2, 1.5, 1)]
)
def test_price_covers_both_directions(q, sigma, steps):
    delta0 = 1e-7
    loss = PrivacyLoss.subsampled_gaussian(q, sigma, steps, delta0)
    one = PrivacyLossDistribution.subsampled_gaussian(q, sigma).pieces[0][0]
    for first, second in ((False, True), (True, False)):
        way = PrivacyLossDistribution.from_delta_curve(
            lambda e, r=first: one.curve(e, reversed_=r),
            lambda e, r=second: one.curve(e, reversed_=r),
        ).power(steps)
        for epsilon in np.linspace(0, 1.5 * loss.to_epsilon(1e-6), 12):
            assert way.delta(float(epsilon), grid=1e-3) <= loss.to_delta(float(epsilon)) * 1.001


def test_curve_covers_a_monte_carlo_composition():
    # An estimate from below of the composed curve, of another kind than the transform.
    q, sigma, steps, n = 0.2, 1.0, 12, 200_000
    rng = np.random.default_rng(0)
    h = subsampled_gaussian_curve(q, sigma, steps)(np.array([0.5, 2.0]))
    for removed in (True, False):
        x = rng.normal(0, sigma, (n, steps))
        if removed:
            x += rng.random((n, steps)) < q
        ratio = np.log1p(q * np.expm1((2 * x - 1) / (2 * sigma**2))).sum(axis=1)
        loss = ratio if removed else -ratio
        for epsilon, bound in zip((0.5, 2.0), h, strict=True):
            values = np.maximum(-np.expm1(epsilon - loss), 0.0)
            error = values.std() / math.sqrt(n)
            assert values.mean() - 4 * error <= bound
            if removed:  # the direction that decides here
                assert bound <= values.mean() + 4 * error


def test_price_grows_with_every_parameter():
    base = PrivacyLoss.subsampled_gaussian(0.1, 2.0, 100, 1e-8).mu
    assert PrivacyLoss.subsampled_gaussian(0.12, 2.0, 100, 1e-8).mu > base
    assert PrivacyLoss.subsampled_gaussian(0.1, 1.8, 100, 1e-8).mu > base
    assert PrivacyLoss.subsampled_gaussian(0.1, 2.0, 120, 1e-8).mu > base
    assert PrivacyLoss.subsampled_gaussian(0.1, 2.0, 100, 1e-9).mu > base


def test_never_above_the_price_without_sampling():
    assert PrivacyLoss.subsampled_gaussian(1.0, 4.0, 16, 1e-8) == PrivacyLoss.gaussian(1.0, 1.0)
    # So nearly every row is taken that delta0 buys nothing.
    loss = PrivacyLoss.subsampled_gaussian(1 - 1e-12, 4.0, 16, 1e-15)
    assert loss == PrivacyLoss.gaussian(1.0, 1.0)


def test_nothing_taken_costs_nothing_and_no_noise_has_no_price():
    for free in ((0.0, 1.0, 10), (0.1, 1.0, 0), (0.1, math.inf, 10)):
        assert PrivacyLoss.subsampled_gaussian(*free, 1e-8).mu == 0
        assert PrivacyLoss.subsampled_gaussian(*free, 1e-8).delta == 0
    assert PrivacyLoss.subsampled_gaussian(0.1, 0.0, 10, 1e-8).mu == math.inf
    revealed = PrivacyLossDistribution.subsampled_gaussian(0.1, 0.0, 10)
    assert revealed.delta(50.0) == pytest.approx(1 - 0.9**10, rel=1e-12, abs=0)


def test_curve_of_a_single_full_step_is_gaussian():
    epsilon = np.array([0.0, 1.0, 3.0])
    curve = subsampled_gaussian_curve(1.0, 2.0, 4)
    assert curve(epsilon) == pytest.approx(gdp_delta(1.0, epsilon), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-0.1, 1.0, 1, 1e-8), "sampling_rate"),
        ((0.1, math.nan, 1, 1e-8), "noise_multiplier"),
        ((0.1, 1.0, 2.5, 1e-8), "n_steps"),
        ((0.1, 1.0, 1, 0.0), "delta0"),
        ((0.1, 1.0, 1, 1.0), "delta0"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"{name} must be"):
        PrivacyLoss.subsampled_gaussian(*arguments)


@pytest.mark.parametrize("q", [1e-3, 0.05, 0.4, 0.99])
@pytest.mark.parametrize("mu", [0.05, 0.7, 3.0])
def test_bound_under_replacement_holds_for_pairs_of_rows(q, mu):
    # The exact curve of P = (1-q) N(0) + q N(u) against Q = (1-q) N(0) + q N(v), by summing
    # densities on a line or, for contributions at right angles, on a plane.
    epsilon = np.concatenate([[0.0], np.geomspace(1e-3 * q, 8.0, 25)])
    bound = SubsampledReplacement(q, mu).curve(epsilon)
    reach = 8 + mu
    x = np.linspace(-reach, reach, 40_001)
    step = x[1] - x[0]
    for u, v in ((mu, -mu), (mu, -mu / 2), (-mu / 3, mu), (mu, 0.0), (mu, mu / 2)):
        P, Q = ((1 - q) * norm.pdf(x) + q * norm.pdf(x, w) for w in (u, v))
        exact = np.maximum(P - np.exp(epsilon)[:, np.newaxis] * Q, 0).sum(axis=1) * step
        assert (exact <= bound * (1 + 1e-4) + 1e-9).all()
        if (u, v) == (mu, -mu):
            assert exact[0] == pytest.approx(bound[0], rel=1e-3)
    x = x[::100]
    step = (x[1] - x[0]) ** 2
    flat = norm.pdf(x)
    P = (1 - q) * np.outer(flat, flat) + q * np.outer(norm.pdf(x, mu), flat)
    for e, most in zip(epsilon, bound, strict=True):
        excess = np.maximum(P - np.exp(e) * P.T, 0).sum() * step
        assert excess <= most * (1 + 1e-3) + 1e-9


@pytest.mark.parametrize("q", [1e-3, 0.05, 0.4, 0.99])
@pytest.mark.parametrize("mu", [0.05, 0.7, 3.0, 12.0])
def test_bound_under_replacement_is_a_curve(q, mu):
    # Convex in e^epsilon on the whole line, with slopes from -1 to 0.
    curve = SubsampledReplacement(q, mu).curve
    below, above = np.linspace(0.02, 0.999, 200), np.append(1.0, 1 + np.geomspace(5e-3, 1e6, 300))
    x = np.concatenate([below, above])
    y = np.concatenate([1 - below + below * curve(-np.log(below)), curve(np.log(above))])
    slopes = np.diff(y) / np.diff(x)
    assert (np.diff(slopes) >= -1e-11).all()
    assert slopes[0] >= -1 - 1e-11
    assert slopes[-1] <= 0


@pytest.mark.parametrize(("q", "sigma", "steps"), [(0.05, 1.0, 500), (0.2, 2.0, 50)])
def test_replacing_a_row_costs_little_more_than_twice_adding_one(q, sigma, steps):
    one = PrivacyLoss.subsampled_gaussian(q, sigma, steps, 1e-8)
    other = PrivacyLoss.subsampled_gaussian(q, sigma, steps, 1e-8, "replace-one")
    assert 1.9 * one.mu < other.mu < 2.2 * one.mu


def test_replacement_without_sampling_is_twice_the_gaussian():
    loss = PrivacyLoss.subsampled_gaussian(1.0, 4.0, 9, 1e-8, "replace-one")
    assert loss == PrivacyLoss(2 * 3 / 4)
    whole = PrivacyLossDistribution.subsampled_gaussian(1.0, 4.0, 9, "replace-one")
    assert whole.epsilon(1e-6) == pytest.approx(PrivacyLoss(1.5).to_epsilon(1e-6), rel=1e-6)
    nearly = SubsampledReplacement(1 - 1e-12, 0.25).curve(np.array([0.0, 0.5, 2.0]))
    np.testing.assert_allclose(nearly, gdp_delta(0.5, np.array([0.0, 0.5, 2.0])), rtol=1e-6)
    with pytest.raises(ValueError, match="djacency"):
        PrivacyLoss.subsampled_gaussian(0.5, 4.0, 9, 1e-8, "unbounded")
