"""Pure and Laplace releases: the Gaussian price covers them, and none smaller does."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from skprivacy.accounting import gdp_delta, laplace_mu, laplace_ratio, pure_epsilon, pure_mu

SIZES = [0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 10.0]


def pure_curve(size, epsilon):
    """Hockey-stick curve of randomised response at any real epsilon."""
    right, wrong = 1 / (1 + np.exp(-size)), 1 / (1 + np.exp(size))
    return np.maximum(right - np.exp(epsilon) * wrong, 0) + np.maximum(
        wrong - np.exp(epsilon) * right, 0
    )


def laplace_curve(size, epsilon):
    inside = -np.expm1((np.minimum(epsilon, size) - size) / 2)
    return np.where(epsilon <= -size, -np.expm1(epsilon), inside)


@pytest.mark.parametrize(
    ("mu_of", "curve"),
    [(pure_mu, pure_curve), (laplace_mu, laplace_curve)],
    ids=["pure", "laplace"],
)
@pytest.mark.parametrize("size", SIZES)
def test_mu_covers_the_curve_and_is_the_least(mu_of, curve, size):
    epsilon = np.linspace(-1.2 * size, 1.2 * size, 20_001)
    mu = mu_of(size)
    assert np.all(curve(size, epsilon) <= gdp_delta(mu, epsilon) * (1 + 1e-12) + 1e-15)
    assert np.any(curve(size, epsilon) > gdp_delta(mu * (1 - 1e-4), epsilon))


@pytest.mark.parametrize("size", SIZES)
def test_laplace_trade_off_function_lies_above_the_gaussian(size):
    alpha = ndtr(np.linspace(-9, 8, 20_001))
    laplace = np.select(
        [alpha < np.exp(-size) / 2, alpha <= 0.5],
        [1 - np.exp(size) * alpha, np.exp(-size) / (4 * alpha)],
        np.exp(-size) * (1 - alpha),
    )
    gaussian = ndtr(-ndtri(alpha) - laplace_mu(size))
    assert np.all(gaussian <= laplace + 1e-14)
    # Equality at the fixed point.
    assert np.min(laplace / gaussian) < 1 + 1e-6


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=5))
def test_a_sensitivity_spread_over_coordinates_costs_no_more(parts):
    spread = math.hypot(*(laplace_mu(part) for part in parts))
    assert spread <= laplace_mu(math.fsum(parts)) * (1 + 1e-12)


@pytest.mark.parametrize("size", [1e-12, 1e-4, 0.3, 0.999999, 1.0, 3.0, 40.0, 900.0])
def test_mu_has_all_digits(size):
    with mpmath.workdps(450):

        def least(tail):  # -2 Phi^-1(tail)
            wanted = mpmath.mpf(tail)
            near = 2 * math.sqrt(2 * max(float(-mpmath.log(wanted)) - math.log(2), 0)) + 1e-9
            return mpmath.findroot(
                lambda mu: mpmath.log(mpmath.erfc(mu / mpmath.sqrt(8)) / 2) - mpmath.log(wanted),
                near,
            )

        exact_pure = least(1 / (1 + mpmath.exp(mpmath.mpf(size))))
        exact_laplace = least(mpmath.exp(-mpmath.mpf(size) / 2) / 2)
    assert pure_mu(size) == pytest.approx(float(exact_pure), rel=1e-13, abs=0)
    assert laplace_mu(size) == pytest.approx(float(exact_laplace), rel=1e-13, abs=0)


def test_known_values():
    assert [round(pure_mu(e) / e, 4) for e in (0.01, 0.5, 1, 4)] == [1.2533, 1.2478, 1.2320, 1.0486]
    assert round(laplace_mu(1), 4) == 1.0301
    assert round(laplace_mu(0.1), 5) == 0.12233
    assert round(laplace_mu(4), 4) == 2.9868


@given(st.floats(1e-12, 700.0))
def test_inverses(size):
    assert pure_epsilon(pure_mu(size)) == pytest.approx(size, rel=1e-12, abs=0)
    assert laplace_ratio(laplace_mu(size)) == pytest.approx(size, rel=1e-12, abs=0)
    assert pure_mu(pure_epsilon(size / 20)) == pytest.approx(size / 20, rel=1e-12, abs=0)
    assert laplace_mu(laplace_ratio(size / 20)) == pytest.approx(size / 20, rel=1e-12, abs=0)


@pytest.mark.parametrize("function", [pure_mu, pure_epsilon, laplace_mu, laplace_ratio])
def test_limits_and_errors(function):
    assert function(0.0) == 0.0
    assert function(math.inf) == math.inf
    for bad in (-1.0, math.nan):
        with pytest.raises(ValueError, match="must be a number in the range"):
            function(bad)
