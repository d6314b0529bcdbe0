"""Gaussian DP conversions against sixty-digit arithmetic."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skprivacy.accounting import gdp_delta, gdp_epsilon, gdp_mu
from skprivacy.accounting._gdp import _log_delta

MUS = [1e-6, 1e-4, 1e-3, 0.01, 0.3, 0.999, 1.0, 1.001, 1.7, 5.0, 12.0, 30.0]
# t = epsilon / mu - mu / 2; delta is about 1e-200 at t = 30.
TS = [0.0, 0.01, 0.5, 1.0, 3.0, 6.0, 12.0, 20.0, 28.0, 29.9, 30.0, 30.1]

mus = st.floats(1e-6, 30.0)
log_deltas = st.floats(math.log(1e-200), math.log(1e-3))


def exact_delta(mu, epsilon):
    with mpmath.workdps(60):
        mu, epsilon = mpmath.mpf(mu), mpmath.mpf(epsilon)
        t = epsilon / mu - mu / 2
        root = mpmath.sqrt(2)
        upper = mpmath.erfc(t / root) / 2
        return upper - mpmath.exp(epsilon) * mpmath.erfc((t + mu) / root) / 2


def relative_error(value, exact):
    with mpmath.workdps(60):
        return float(abs(mpmath.mpf(value) / exact - 1))


@pytest.mark.parametrize("mu", MUS)
def test_delta_has_thirteen_digits_down_to_1e_200(mu):
    epsilons = [mu * (t + mu / 2) for t in TS] + [mu * mu / 2 * part for part in (0, 0.1, 0.7)]
    for epsilon in epsilons:
        assert relative_error(gdp_delta(mu, epsilon), exact_delta(mu, epsilon)) <= 1e-12


@given(mus, st.floats(-0.5, 30.0))
def test_delta_agrees_with_many_digits(mu, t):
    epsilon = mu * max(t + mu / 2, 0.0)
    assert relative_error(gdp_delta(mu, epsilon), exact_delta(mu, epsilon)) <= 1e-12


@pytest.mark.parametrize("mu", [1e-6, 0.02, 1.0, 3.0, 20.0])
def test_delta_at_negative_epsilon_agrees_with_many_digits(mu):
    for epsilon in (-1e-9, -mu, -0.3, -mu * mu, -50.0):
        assert relative_error(gdp_delta(mu, epsilon), exact_delta(mu, epsilon)) <= 1e-12


@pytest.mark.parametrize("t", [29.0, 31.0, 50.0, 1e3, 1e6, 1e12])
@pytest.mark.parametrize("mu", [1e-9, 1e-3, 1.0])
def test_log_delta_is_accurate_where_delta_is_no_float(mu, t):
    # Newton's method and everything that asks for a maximum pass through there.
    epsilon = mu * (t + mu / 2)
    with mpmath.workdps(60):
        t = mpmath.mpf(epsilon) / mpmath.mpf(mu) - mpmath.mpf(mu) / 2
        density = mpmath.exp(-(t**2) / 2) / mpmath.sqrt(2 * mpmath.pi)
        # M(t) - M(t + mu), each by its continued fraction.
        exact = mpmath.log(density * (mills(t) - mills(t + mpmath.mpf(mu))))
    assert float(_log_delta(mu, epsilon)) == pytest.approx(float(exact), rel=1e-13, abs=0)


def mills(t):
    value = mpmath.mpf(0)
    for k in range(400, 0, -1):
        value = k / (t + value)
    return 1 / (t + value)


def test_known_values_where_the_formula_as_written_overflows():
    assert gdp_mu(1000.0, 1e-10) == pytest.approx(38.8306770577493, rel=1e-14, abs=0)
    assert gdp_mu(100.0, 1e-30) == pytest.approx(6.77311832394742, rel=1e-14, abs=0)
    assert gdp_epsilon(1.0, 1e-6) == pytest.approx(4.886554117, abs=5e-10)


@given(mus, log_deltas)
@example(1e-6, math.log(1e-200))
@example(30.0, math.log(1e-200))
@example(1.0, math.log(1e-3))
def test_round_trips(mu, log_delta):
    delta = math.exp(log_delta)
    epsilon = gdp_epsilon(mu, delta)
    if epsilon == 0:
        assert gdp_delta(mu, 0.0) <= delta
        return
    assert gdp_delta(mu, epsilon) == pytest.approx(delta, rel=1e-12, abs=0)
    # Near epsilon = 0 the other direction is ill-conditioned: epsilon / mu has few digits.
    if epsilon > 1e-2 * mu:
        assert gdp_mu(epsilon, delta) == pytest.approx(mu, rel=1e-12, abs=0)


@given(st.floats(1e-9, 2000.0), log_deltas)
def test_round_trips_from_a_budget(epsilon, log_delta):
    delta = math.exp(log_delta)
    mu = gdp_mu(epsilon, delta)
    assert gdp_delta(mu, epsilon) == pytest.approx(delta, rel=1e-12, abs=0)
    if epsilon > 1e-2 * mu:
        assert gdp_epsilon(mu, delta) == pytest.approx(epsilon, rel=1e-12, abs=0)


@given(st.floats(1e-3, 5.0), st.floats(0.001, 0.999))
def test_large_deltas_round_trip(epsilon, delta):
    assert gdp_delta(gdp_mu(epsilon, delta), epsilon) == pytest.approx(delta, rel=1e-12, abs=0)


@given(mus, st.floats(0.0, 100.0), st.floats(1.0001, 2.0))
def test_delta_grows_with_mu_and_falls_with_epsilon(mu, epsilon, factor):
    assert gdp_delta(mu * factor, epsilon) >= gdp_delta(mu, epsilon)
    assert gdp_delta(mu, epsilon * factor) <= gdp_delta(mu, epsilon)
    if gdp_delta(mu, epsilon) > 1e-280:
        assert (
            gdp_delta(mu * factor, epsilon) > gdp_delta(mu, epsilon)
            or gdp_delta(mu, epsilon) > 1 - 1e-15
        )


def test_arrays_are_the_scalars():
    epsilon = np.array([[-math.inf, -2.0, -0.0], [1e-3, 4.0, math.inf]])
    for mu in (0.0, 0.2, 3.0, math.inf):
        values = gdp_delta(mu, epsilon)
        assert values.shape == epsilon.shape
        scalars = [gdp_delta(mu, float(e)) for e in epsilon.ravel()]
        assert values.ravel().tolist() == pytest.approx(scalars, rel=1e-14, abs=0)
    assert gdp_delta(1.0, np.array([])).shape == (0,)
    assert isinstance(gdp_delta(1.0, 1.0), float)


def test_limits():
    assert gdp_delta(0.0, 0.0) == 0.0
    assert gdp_delta(0.0, -1.0) == -math.expm1(-1.0)
    assert gdp_delta(1.0, math.inf) == 0.0
    assert gdp_delta(1.0, -math.inf) == 1.0
    assert gdp_delta(math.inf, 3.0) == gdp_delta(math.inf, math.inf) == 1.0
    assert gdp_delta(1e-300, 1.0) == 0.0
    assert gdp_delta(1e300, 1.0) == 1.0
    assert gdp_epsilon(0.0, 0.0) == gdp_epsilon(5.0, 1.0) == gdp_epsilon(0.1, 0.1) == 0.0
    assert gdp_epsilon(1.0, 0.0) == gdp_epsilon(math.inf, 0.5) == math.inf
    assert gdp_epsilon(math.inf, 1.0) == 0.0
    assert gdp_mu(math.inf, 0.0) == gdp_mu(1.0, 1.0) == math.inf
    assert gdp_mu(3.0, 0.0) == 0.0
    assert gdp_mu(0.0, 0.5) == pytest.approx(2 * 0.6744897501960817, rel=1e-15, abs=0)
    assert gdp_delta(gdp_mu(5.0, 5e-324), 5.0) == pytest.approx(0.0, abs=1e-320)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (gdp_delta, (-1.0, 1.0)),
        (gdp_delta, (math.nan, 1.0)),
        (gdp_delta, (1.0, math.nan)),
        (gdp_delta, (1.0, np.array([1.0, math.nan]))),
        (gdp_epsilon, (-1.0, 0.1)),
        (gdp_epsilon, (1.0, -0.1)),
        (gdp_epsilon, (1.0, 1.1)),
        (gdp_epsilon, (1.0, math.nan)),
        (gdp_mu, (-1.0, 0.1)),
        (gdp_mu, (1.0, 2.0)),
        (gdp_mu, (math.nan, 0.1)),
    ],
)
def test_bad_arguments_are_named(function, arguments):
    with pytest.raises(ValueError, match=r"(mu|epsilon|delta) must"):
        function(*arguments)


def test_agrees_with_dp_accounting():
    common = pytest.importorskip("dp_accounting.dp_event")
    pld = pytest.importorskip("dp_accounting.pld.pld_privacy_accountant")
    accountant = pld.PLDAccountant()
    accountant.compose(common.GaussianDpEvent(2.0), 16)
    assert gdp_epsilon(2.0, 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-6, abs=0)
    mechanism = pytest.importorskip("dp_accounting.pld.privacy_loss_mechanism")
    noise = mechanism.GaussianPrivacyLoss.from_privacy_guarantee(
        mechanism.common.DifferentialPrivacyParameters(1.0, 1e-6), sensitivity=1
    )
    # Its calibration has seven digits.
    assert gdp_mu(1.0, 1e-6) == pytest.approx(1 / noise.standard_deviation, rel=1e-6, abs=0)
