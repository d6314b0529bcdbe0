"""The curve rule: the Gaussian that covers a curve up to delta0."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from skprivacy.accounting import gdp_cover, gdp_delta, laplace_mu, pure_mu


def laplace(ratio):
    return lambda epsilon: -np.expm1(np.minimum(epsilon - ratio, 0) / 2)


def randomized_response(size):
    return lambda epsilon: -expit(size) * np.expm1(np.minimum(epsilon - size, 0))


def least_mu(curve, delta0, end):
    """Brute force: the mu that each of many points asks for by itself."""
    epsilon = np.linspace(0, end, 1001)
    low, high = 0.0, 100.0
    for _ in range(30):
        middle = (low + high) / 2
        covered = np.all(curve(epsilon) <= gdp_delta(middle, epsilon) + delta0)
        low, high = (low, middle) if covered else (middle, high)
    return high


@pytest.mark.parametrize("size", [0.1, 1.0, 4.0])
@pytest.mark.parametrize(("make", "exact"), [(laplace, laplace_mu), (randomized_response, pure_mu)])
def test_finds_the_closed_forms(make, exact, size):
    mu = gdp_cover(make(size), 0.0)
    # Never below, and as close as the grid is refined to.
    assert exact(size) <= mu <= exact(size) * (1 + 3e-5)


@settings(max_examples=25)
@given(st.floats(0.05, 4.0), st.floats(1e-9, 1e-3), st.floats(0.3, 3.0))
def test_covers_everywhere_and_is_nearly_the_least(mu, delta0, weight):
    # A mixture: no Gaussian itself.
    def curve(epsilon):
        return (gdp_delta(mu, epsilon) + weight * gdp_delta(mu / 3, epsilon)) / (1 + weight)

    found = gdp_cover(curve, delta0)
    epsilon = np.linspace(0, mu * (mu / 2 + 8), 9973)
    assert np.all(curve(epsilon) <= gdp_delta(found, epsilon) + delta0)
    assert found <= mu * (1 + 1e-4)
    least = least_mu(curve, delta0, epsilon[-1])
    assert found == pytest.approx(least, rel=1e-3, abs=1e-9)


def test_a_larger_delta0_needs_a_smaller_mu():
    def heavy(epsilon):  # no Gaussian covers it with delta0 = 1e-30
        return 0.05 * np.exp(-epsilon)

    mus = [gdp_cover(heavy, delta0) for delta0 in (1e-12, 1e-9, 1e-6, 1e-3)]
    assert mus == sorted(mus, reverse=True)
    assert mus[0] > 2 * mus[-1]


def test_a_small_curve_is_free():
    assert gdp_cover(lambda epsilon: 1e-9 * np.exp(-epsilon), 1e-9) == 0.0


def test_steps_in_the_curve_are_covered():
    def curve(epsilon):  # only its value just below 1 matters
        return np.where(epsilon < 1.0, 0.25, 0.0)

    mu = gdp_cover(curve, 0.0)
    assert gdp_delta(mu, 1.0) >= 0.25
    assert gdp_delta(mu, 1.0) == pytest.approx(0.25, rel=1e-3, abs=0)


def test_a_curve_above_delta0_for_ever_is_refused():
    with pytest.raises(ValueError, match="stays above delta0"):
        gdp_cover(lambda epsilon: np.full_like(epsilon, 1e-6), 1e-8)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (lambda e: 0.1 + 0.1 * np.minimum(e, 1) - 0.2 * np.minimum(e / 5, 1), "must not increase"),
        (lambda e: 2 * np.exp(-e), "values in \\[0, 1\\]"),
        (lambda e: np.exp(-e) - 0.1, "values in \\[0, 1\\]"),
        (lambda e: np.exp(-e)[:1], "same shape"),
        (lambda e: np.where(e > 1, 0.0, np.nan), "values in \\[0, 1\\]"),
    ],
)
def test_what_is_no_curve_is_refused(curve, message):
    with pytest.raises(ValueError, match=message):
        gdp_cover(curve, 1e-6)


@pytest.mark.parametrize("delta0", [-1e-9, 1.0, math.nan])
def test_delta0_out_of_range_is_refused(delta0):
    with pytest.raises(ValueError, match="delta0 must be"):
        gdp_cover(laplace(1.0), delta0)
