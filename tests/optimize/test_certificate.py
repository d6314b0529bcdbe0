"""The privacy bound of objective perturbation: certified, attained, and false if smaller."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from skprivacy.accounting import gdp_delta
from skprivacy.optimize._objective import CERTIFIED, LARGEST, SMALLEST

_SPEC = importlib.util.spec_from_file_location(
    "certificate", Path(__file__).with_name("certificate.py")
)
certificate = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(certificate)

RHO, ETA = CERTIFIED[0]

SPACING = 1.01
"""Ratio of neighbouring m in the sweep."""

X_MAX = 14.0
"""Up to eps / m = X_MAX by dynamic programming, beyond by Theorem A."""

WIDTH = 0.0015
"""Width of the cells of the sweep in t."""

every_pair = pytest.mark.parametrize(("rho", "eta"), CERTIFIED)

some_m = pytest.mark.parametrize("m", [SMALLEST, 0.03, 0.3, 1.0, LARGEST])


@functools.cache
def coarse_bounds(m, rho=RHO):
    x = np.linspace(0, X_MAX, 75)
    # A claim with little to spare needs finer cells.
    return x, certificate.upper_bounds(m, rho, x, round(rho / WIDTH / (2.5 if rho < 3 else 1.5)))


def single_ramp(m, start, rho=RHO):
    return np.array([start, start + rho]), np.array([0.0, m])


def random_monotone(m, generator):
    """A piecewise linear k: up to four ramps of slopes up to kappa, somewhere in reach."""
    n_ramps = generator.integers(1, 5)
    rises = generator.dirichlet(np.ones(n_ramps + 1))[:n_ramps] * m
    if generator.random() < 0.5:
        rises *= m / rises.sum()
    widths = rises / (m / RHO) / np.where(generator.random(n_ramps) < 0.7, 1.0, 0.5)
    gaps = generator.exponential(1.0, n_ramps)
    ends = np.cumsum(gaps + widths)
    t = np.column_stack([ends - widths, ends]).ravel()
    t += generator.uniform(-15, 1) - t[-1]
    k = np.repeat(np.concatenate([[0.0], np.cumsum(rises)]), 2)[1:-1]
    return t, np.minimum(k, m)


# What is certified


@every_pair
@some_m
def test_certificate_holds_at_some_slopes(m, rho, eta):
    x, bounds = coarse_bounds(m, rho)
    assert certificate.worst_ratio(m, eta, x, bounds) < 1


@every_pair
@some_m
def test_gaussian_tail_is_covered_by_theorem_a(m, rho, eta):
    """Beyond x = (1 + eta) / (eta rho), shown in the theory page for all m at once."""
    assert (1 + eta) / (eta * rho) < X_MAX
    eps = m * np.linspace((1 + eta) / (eta * rho), 30, 200)
    claimed = gdp_delta((1 + eta) * m, eps)
    assert np.all(certificate.theorem_a(m, m / rho, eps)[claimed > 0] <= claimed[claimed > 0])


@pytest.mark.slow
@every_pair
def test_certificate_holds_at_every_slope(rho, eta):
    """Classes are nested in m: a spacing of 1 % costs 1 % of eta."""
    upper_bounds = certificate.compiled_upper_bounds() or certificate.upper_bounds
    n_slopes = int(np.ceil(np.log(LARGEST / SMALLEST) / np.log(SPACING))) + 1
    slopes = SMALLEST * SPACING ** np.arange(n_slopes)
    assert slopes[-1] >= LARGEST
    x = np.linspace(0, X_MAX, 300)
    eta = (1 + eta) / SPACING - 1
    ratios = [
        certificate.worst_ratio(m, eta, x, upper_bounds(m, rho, x, round(rho / WIDTH)))
        for m in slopes
    ]
    print(f"worst ratio {max(ratios):.4f} at m = {slopes[np.argmax(ratios)]:.4g}")
    assert max(ratios) < 1 - 1e-6


# That the certificate can fail


@pytest.mark.parametrize("m", [SMALLEST, 0.3, 1.0])
def test_certificate_fails_for_a_smaller_constant(m):
    x, bounds = coarse_bounds(m)
    assert certificate.worst_ratio(m, ETA / 3, x, bounds) > 1


def test_a_smaller_constant_is_false():
    """A single ramp passes the curve of eta / 3: the failure above is no artefact of cells."""
    m = SMALLEST
    eps = m * np.linspace(1, X_MAX, 60)
    curves = [certificate.exact_curve(*single_ramp(m, s), eps) for s in np.linspace(-16, 0, 200)]
    assert np.max(np.max(curves, axis=0) / gdp_delta((1 + ETA / 3) * m, eps)) > 1.2
    assert np.max(np.max(curves, axis=0) / gdp_delta((1 + ETA) * m, eps)) < 1


def test_coarse_cells_weaken_the_bound_and_never_lower_it():
    x = np.linspace(0, 8, 9)
    coarse, fine = (certificate.upper_bounds(0.3, RHO, x, n) for n in (50, 200))
    assert np.all(fine < coarse)


# The bound against exact curves


@some_m
def test_exact_curves_lie_below_bound_and_claim(m):
    generator = np.random.default_rng(0)
    x, bounds = (values[::5] for values in coarse_bounds(m))
    claimed = gdp_delta((1 + ETA) * m, m * x)
    best = np.zeros_like(x)
    for _ in range(300):
        best = np.maximum(best, certificate.exact_curve(*random_monotone(m, generator), m * x))
    for start in np.linspace(-16, 0, 150):
        best = np.maximum(best, certificate.exact_curve(*single_ramp(m, start), m * x))
    assert np.all(best <= bounds)
    assert np.all(best <= claimed)
    # Neither is vacuous: ramps reach most of both where delta is not tiny.
    assert np.all(best[x < 6.5] > 0.6 * bounds[x < 6.5])
    assert np.all(best[x < 2.5] > 0.7 * claimed[x < 2.5])


def test_exact_curve_agrees_with_quadrature():
    generator = np.random.default_rng(1)
    for m in (0.2, 1.5):
        t, k = random_monotone(m, generator)
        for eps in (0.0, 0.3 * m, 2 * m):
            grid = np.unique(np.concatenate([np.linspace(-20, 10, 400_001), t]))
            middle, width = (grid[1:] + grid[:-1]) / 2, np.diff(grid)
            value = np.interp(middle, t, k)
            slope = np.diff(np.interp(grid, t, k)) / width
            density = (1 + slope) * stats.norm.pdf(middle + value)
            mass = np.maximum(density - np.exp(eps) * stats.norm.pdf(middle), 0) @ width
            assert certificate.exact_curve(t, k, np.array([eps])) == pytest.approx(
                mass, rel=1e-5, abs=0
            )


def test_reverse_direction_is_below_the_curve_of_the_slope_itself():
    generator = np.random.default_rng(2)
    grid = np.linspace(-12, 20, 100_001)
    for m in (0.1, 1.0, 3.0):
        for _ in range(20):
            t, k = random_monotone(m, generator)
            value = np.interp(grid, t, k)
            density = stats.norm.pdf(grid + value) * (1 + np.gradient(value, grid))
            for eps in (0.0, m, 4 * m):
                gap = np.maximum(stats.norm.pdf(grid) - np.exp(eps) * density, 0)
                assert integrate.trapezoid(gap, grid) <= gdp_delta(m, eps) * (1 + 1e-6)


def test_numpy_and_c_do_the_same():
    in_c = certificate.compiled_upper_bounds()
    if in_c is None:
        pytest.skip("no C compiler")
    x = np.linspace(0, X_MAX, 40)
    for m in (SMALLEST, 1.0):
        assert np.allclose(
            in_c(m, RHO, x, 150), certificate.upper_bounds(m, RHO, x, 150), rtol=1e-12, atol=0
        )


# Theorem A


@pytest.mark.parametrize("m", [0.1, 1.0, 3.0, 6.0, 10.0])
def test_theorem_a_is_the_curve_of_its_variable_and_dominates(m):
    kappa = m / RHO
    eps = np.linspace(0, 3 * m + m * m, 25)
    curve = certificate.theorem_a(m, kappa, eps)
    y_at_zero = np.log1p(kappa) + m * m / 2
    for one, value in zip(eps, curve, strict=True):
        z0 = max(0.0, (one - y_at_zero) / m)
        above, _ = integrate.quad(
            lambda z, one=one: -np.expm1(one - y_at_zero - m * z) * stats.norm.pdf(z),
            z0,
            z0 + 10,
            epsabs=0,
        )
        at_zero = 0.5 * max(0.0, -np.expm1(one - y_at_zero))
        assert value == pytest.approx(above + at_zero, rel=1e-6, abs=0)
    assert np.all(curve >= gdp_delta(m, eps))
    generator = np.random.default_rng(3)
    for _ in range(100):
        assert np.all(certificate.exact_curve(*random_monotone(m, generator), eps) <= curve)


@pytest.mark.parametrize("m", [0.3, 1.0, 3.0])
def test_theorem_a_against_the_recursion(m):
    """The recursion is sharper, and Theorem A within reach of it in the tail."""
    x, bounds = (values[::5] for values in coarse_bounds(m))
    ratio = certificate.theorem_a(m, m / RHO, m * x) / bounds
    assert np.all(ratio[m * x > 0.5 * m] > 0.99)
    assert np.all(ratio < 40)


# The reduction from data sets to k


def huberised_hinge_derivative(s, half_width):
    return -np.clip((1 + half_width - s) / (2 * half_width), 0, 1)


def test_a_huberised_hinge_attains_the_ramp():
    """One row, no others, and a public offset: the worst k belongs to a real data set."""
    for m, x in [(0.01, 5.5), (0.5, 2.0), (2.0, 2.0)]:
        sigma, half_width, eps = 1 / m, 0.5, m * x
        starts = np.linspace(-x - 4, -x + 1, 500)
        curves = [certificate.exact_curve(*single_ramp(m, s), np.array([eps])) for s in starts]
        start, exact = starts[np.argmax(curves)], np.max(curves)
        lam = RHO * sigma / (2 * half_width)
        knee = start * sigma / lam
        offset = knee + 1 + half_width
        knots = [offset - 1 - half_width, offset - 1 + half_width]
        w = np.union1d(np.linspace(-20, 20, 400_001) * sigma / lam, -np.array(knots))
        gradient = lam * w + huberised_hinge_derivative(w + offset, half_width)
        width, middle = np.diff(w), (w[1:] + w[:-1]) / 2
        p = stats.norm.pdf((gradient[1:] + gradient[:-1]) / (2 * sigma))
        p *= np.diff(gradient) / width / sigma
        q = stats.norm.pdf(lam * middle / sigma) * lam / sigma
        divergence = np.maximum(p - np.exp(eps) * q, 0) @ width
        assert divergence == pytest.approx(exact, rel=1e-4, abs=0)
        assert 0.5 * gdp_delta((1 + ETA) * m, eps) < divergence < gdp_delta((1 + ETA) * m, eps)
        assert m > 0.1 or divergence > gdp_delta((1 + ETA / 3) * m, eps)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_perturbation_of_a_logistic_regression_is_monotone_bounded_and_slow(sign):
    """k along a row in four dimensions, with other rows and an offset."""
    generator = np.random.default_rng(4)
    for _ in range(5):
        rows = generator.normal(size=(30, 4))
        rows /= np.linalg.norm(rows, axis=1)[:, np.newaxis]
        signs = generator.choice([-1.0, 1.0], 30)
        z = generator.normal(size=4)
        z /= np.linalg.norm(z) * generator.uniform(1, 2)
        m = generator.uniform(0.1, 3)
        sigma, offset = 1 / m, generator.normal()
        lam = RHO * 0.25 * sigma
        across = sigma * generator.normal(size=4)
        across -= z * (across @ z) / (z @ z)
        t = np.linspace(-8, 8, 161)
        k = []
        w = np.zeros(4)
        for one in t:
            u = sigma * one * z / np.linalg.norm(z) + across
            for _ in range(100):
                p = expit(-signs * (rows @ w + offset))
                residual = lam * w - rows.T @ (signs * p) + u
                hessian = lam * np.eye(4) + (rows.T * (p * (1 - p))) @ rows
                w = w - np.linalg.solve(hessian, residual)
                if np.linalg.norm(residual) < 1e-11:
                    break
            assert np.linalg.norm(residual) < 1e-9
            derivative = -sign * expit(-sign * (z @ w + offset))
            k.append(-derivative * np.linalg.norm(z) / sigma)
        slope = np.diff(k) / np.diff(t)
        assert np.all(slope >= 0)
        assert np.all(slope <= m / RHO * (1 + 1e-6))
        assert np.all(np.abs(k) <= m)
        assert np.all(sign * np.array(k) >= 0)
