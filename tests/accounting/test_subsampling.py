"""The Gaussian price of noisy sums over Poisson samples."""

import math

import numpy as np
import pytest

from skprivacy.accounting import (
    PrivacyLoss,
    PrivacyLossDistribution,
    gdp_delta,
    subsampled_gaussian_curve,
)


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
