"""Curves of dominating pairs against integrals of their densities."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprivacy.accounting._pairs import (
    CURVE_ACCURACY,
    Gaussian,
    GivenCurve,
    Laplace,
    RandomizedResponse,
    SubsampledGaussian,
    curve_end,
)


def exact_subsampled(q, mu, epsilon, *, reversed_):
    """Integrate (P - e^epsilon Q) over where it is positive, with fifty digits.

    The ratio of the mixture to N(0, 1) grows with x, so that this is a half-line.
    """
    with mpmath.workdps(50):
        q, mu, epsilon = mpmath.mpf(q), mpmath.mpf(mu), mpmath.mpf(epsilon)

        def normal_above(x):
            return mpmath.erfc(x / mpmath.sqrt(2)) / 2

        def edge(ratio):  # where the mixture is `ratio` times N(0, 1)
            return mpmath.log((ratio - 1 + q) / q) / mu + mu / 2

        growth = mpmath.exp(epsilon)
        if not reversed_:
            x = edge(growth)
            mixture = (1 - q) * normal_above(x) + q * normal_above(x - mu)
            return mixture - growth * normal_above(x)
        if 1 / growth <= 1 - q:
            return mpmath.mpf(0)
        x = edge(1 / growth)
        below, below_moved = normal_above(-x), normal_above(mu - x)
        return below - growth * ((1 - q) * below + q * below_moved)


@pytest.mark.parametrize("q", [1e-6, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("mu", [0.01, 0.5, 1.0, 5.0])
def test_subsampled_curve_has_the_promised_accuracy(q, mu):
    pair = SubsampledGaussian(q, mu)
    for t in (-0.4, 0.0, 0.7, 3.0, 9.0):
        # An epsilon where the mixture's threshold is t deviations above the moved mean.
        epsilon = math.log1p(q * math.expm1(mu * max(t + mu / 2, 0)))
        exact = exact_subsampled(q, mu, epsilon, reversed_=False)
        value = pair.curve(np.array([epsilon]))[0]
        with mpmath.workdps(50):
            assert abs(value / exact - 1) < CURVE_ACCURACY
    last = -math.log1p(-q)
    assert pair.largest_loss(reversed_=True) == pytest.approx(last, rel=1e-15, abs=0)
    for part in (0.0, 0.01, 0.3, 0.9, 0.9999):
        exact = exact_subsampled(q, mu, part * last, reversed_=True)
        value = pair.curve(np.array([part * last]), reversed_=True)[0]
        if exact > 1e-290:
            # It may exceed by what lowering epsilon makes, and is never below.
            with mpmath.workdps(50):
                assert -CURVE_ACCURACY < value / exact - 1 < 1e-8
    assert pair.curve(np.array([last, 2 * last, 1e6]), reversed_=True).tolist()[1:] == [0, 0]


def test_both_directions_agree_at_zero():
    for pair in (SubsampledGaussian(0.2, 1.5), Gaussian(0.3), Laplace(2.0)):
        zero = np.zeros(1)
        assert pair.curve(zero) == pytest.approx(pair.curve(zero, reversed_=True), rel=1e-13, abs=0)


def test_symmetry_is_declared():
    assert Gaussian(1.0).symmetric
    assert Laplace(1.0).symmetric
    assert RandomizedResponse(1.0).symmetric
    assert not SubsampledGaussian(0.5, 1.0).symmetric
    function = np.ones_like
    assert GivenCurve(function, function).symmetric
    assert not GivenCurve(function, np.zeros_like).symmetric


@given(st.floats(1e-3, 50.0))
def test_pure_pairs_end_at_their_epsilon(size):
    for pair in (Laplace(size), RandomizedResponse(size)):
        values = pair.curve(np.array([0.0, 0.5 * size, size, 2 * size]))
        assert values[0] > values[1] > values[2] == values[3] == 0
        assert pair.largest_loss() == size


def test_laplace_and_randomised_response_are_their_densities():
    size, epsilon = 1.3, 0.4
    x = np.linspace(-40, 40, 2_000_001)
    p, q = np.exp(-np.abs(x)) / 2, np.exp(-np.abs(x - size)) / 2
    laplace = np.maximum(p - math.exp(epsilon) * q, 0).sum() * (x[1] - x[0])
    assert Laplace(size).curve(np.array([epsilon]))[0] == pytest.approx(laplace, rel=1e-6, abs=0)
    right = 1 / (1 + math.exp(-size))
    response = right - math.exp(epsilon) * (1 - right)
    assert RandomizedResponse(size).curve(np.array([epsilon]))[0] == pytest.approx(
        response, rel=1e-14, abs=0
    )


@pytest.mark.parametrize("level", [1e-3, 1e-12, 1e-100])
def test_curve_end_is_where_the_curve_has_fallen_to_the_level(level):
    pair = Gaussian(0.7)
    end = curve_end(pair.curve, level)
    assert pair.curve(np.array([end]))[0] <= level < pair.curve(np.array([end / 1.125]))[0]


def test_curve_end_follows_a_floor_until_it_is_flat():
    end = curve_end(lambda epsilon: 1e-4 + 0.1 * np.exp(-epsilon), 1e-9)
    assert 20 < end < 40


def test_a_given_curve_is_checked():
    bad = GivenCurve(lambda e: e + 2, lambda e: e + 2)
    with pytest.raises(ValueError, match="values in \\[0, 1\\]"):
        bad.curve(np.zeros(3))
