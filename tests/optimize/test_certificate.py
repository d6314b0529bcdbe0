"""The privacy bound of objective perturbation: certified, attained, and false if smaller."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from skprivacy.accounting import gdp_delta
from skprivacy.optimize._losses import CROSS_ENTROPY, ONE_SIGNED, TWO_SIGNED

_SPEC = importlib.util.spec_from_file_location(
    "certificate", Path(__file__).with_name("certificate.py")
)
certificate = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(certificate)

RHO, ETA = ONE_SIGNED[0]

SOME_M = [0.003, 0.1, 1.0, 4.0]

every_pair = pytest.mark.parametrize(
    ("lowest", "rho", "eta"),
    [(0.0, *pair) for pair in ONE_SIGNED] + [(-1.0, *pair) for pair in TWO_SIGNED],
)


def end(rho, eta):
    """Return a c from which on the first order needs no computation."""
    return (1 + eta) / (eta * rho)


def ratios(lowest, rho, eta, n_levels, spacing):
    """Ratios of bounds to what is claimed: of scores, and of negative scores if need be."""
    c = np.arange(0, end(rho, eta) + spacing, spacing)
    orders = (False,) if lowest == 0 else (False, True)
    return [
        certificate.worst_ratio(
            eta, c, certificate.upper_bounds(rho, c, n_levels, lowest=lowest, absent=absent)
        )
        for absent in orders
    ]


def random_monotone(generator, rho, lowest):
    """A piecewise linear psi: up to four ramps of slopes up to 1 / rho, somewhere in reach."""
    n_ramps = generator.integers(1, 5)
    rises = generator.dirichlet(np.ones(n_ramps + 1))[:n_ramps] * (1 - lowest)
    if generator.random() < 0.5:
        rises *= (1 - lowest) / rises.sum()
    widths = rises * rho / np.where(generator.random(n_ramps) < 0.7, 1.0, 0.5)
    gaps = generator.exponential(1.0, n_ramps)
    ends = np.cumsum(gaps + widths)
    t = np.column_stack([ends - widths, ends]).ravel()
    t += generator.uniform(-15, 5) - (t[-1] if lowest == 0 else t.mean())
    values = np.repeat(np.concatenate([[0.0], np.cumsum(rises)]), 2)[1:-1]
    return t, lowest + np.minimum(values, 1 - lowest)


def single_ramp(start, rho, lowest=0.0):
    return np.array([start, start + rho * (1 - lowest)]), np.array([lowest, 1.0])


def psis(lowest, rho, n_random, n_starts=80):
    generator = np.random.default_rng(0)
    yield from (random_monotone(generator, rho, lowest) for _ in range(n_random))
    yield from (single_ramp(start, rho, lowest) for start in np.linspace(-16, 2, n_starts))


def curves(t, k, eps):
    """Hockey-stick divergences in both orders."""
    present = certificate.exact_curve(t, k, eps)
    e = np.exp(eps)
    return present, 1 - e * (1 - certificate.exact_curve(t, k, -eps))


def means(t, values, c, absent):
    """E (psi' - N psi - c)_+ of a piecewise linear psi, or of the negative, by quadrature."""
    grid = np.unique(np.concatenate([np.linspace(-14, 14, 28_001), t]))
    middle = (grid[1:] + grid[:-1]) / 2
    psi = np.interp(grid, t, values)
    score = np.diff(psi) / np.diff(grid) - middle * (psi[1:] + psi[:-1]) / 2
    weights = certificate.mass(grid[:-1], grid[1:])
    score = -score if absent else score
    return np.maximum(score - c[:, np.newaxis], 0.0) @ weights


# What is certified


@every_pair
def test_scores_are_below_gaussian_ones_up_to_half_a_per_cent(lowest, rho, eta):
    """Coarse cells cost that much."""
    assert max(ratios(lowest, rho, eta + 0.004, 450, 0.1)) < 1


@pytest.mark.slow
@every_pair
def test_scores_are_below_gaussian_ones(lowest, rho, eta):
    found = ratios(lowest, rho, eta, 1000, 0.08)
    print(f"rho {rho}, eta {eta}: {found}")
    assert max(found) < 1 - 1e-6


@every_pair
def test_what_lies_beyond_the_computed_range(lowest, rho, eta):
    c = np.linspace(end(rho, eta), 36, 500)
    claimed = (1 + eta) * certificate.excess(c / (1 + eta))
    assert np.all(certificate.excess(c - 1 / rho) <= claimed)
    if lowest < 0:
        # Both tails count for the negative score. The ratio falls with c.
        assert np.all(2 * certificate.excess(c) <= claimed)


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize(("rho", "eta"), CROSS_ENTROPY)
def test_scores_of_a_softmax_are_below_gaussian_ones(rho, eta, absent):
    c = np.arange(0, 20.02, 0.02)
    bounds = certificate.softmax_bounds(rho, c, absent=absent)
    assert certificate.worst_ratio(eta, c, bounds) < 1 - 1e-3
    assert certificate.worst_ratio(0.9 * eta, c, bounds) > 1
    # Beyond, by the closed form of the theory page.
    up, down = (1 / rho, 4 / rho) if absent else (4 / rho, 1 / rho)
    s, y = 20 - up, 20 / (1 + eta)
    assert s**2 / 2 - down * s - y**2 / 2 - np.log(2 * (y**2 + 3)) > 0
    assert 20 * (1 - (1 + eta) ** -2) > up + down + 0.6


# That the certificate can fail


@pytest.mark.parametrize(("lowest", "rho", "eta"), [(0.0, *ONE_SIGNED[0]), (-1.0, *TWO_SIGNED[2])])
def test_a_smaller_constant_is_false(lowest, rho, eta):
    """An explicit ramp passes it, as a curve at small m: no artefact of cells."""
    assert max(ratios(lowest, rho, 0.65 * eta, 400, 0.1)) > 1
    m, x = 0.003, np.linspace(0, 8, 41)
    best = np.zeros_like(x)
    for t, psi in psis(lowest, rho, 0, 400):
        best = np.maximum(best, np.max(curves(t, m * psi, m * x), axis=0) - 1e-13)
    assert np.max(best / gdp_delta((1 + 0.65 * eta) * m, m * x)) > 1
    assert np.max(best / gdp_delta((1 + eta) * m, m * x)) < 1


def test_coarse_cells_weaken_the_bound_and_never_lower_it():
    c = np.linspace(0, 6, 7)
    for lowest, absent in ((0.0, False), (-1.0, False), (-1.0, True)):
        options = {"lowest": lowest, "absent": absent}
        coarse, fine = (certificate.upper_bounds(3.0, c, n, **options) for n in (50, 200))
        assert np.all(fine < coarse)


# The bounds against exact laws


@pytest.mark.parametrize(("lowest", "absent"), [(0.0, False), (-1.0, False), (-1.0, True)])
@pytest.mark.parametrize("rho", [1.5, 4.0])
def test_explicit_functions_lie_below_the_bounds(rho, lowest, absent):
    c = np.linspace(0, 6, 13)
    bounds = certificate.upper_bounds(rho, c, 300, lowest=lowest, absent=absent)
    best = np.zeros_like(c)
    for t, psi in psis(lowest, rho, 60):
        best = np.maximum(best, means(t, psi, c, absent))
    assert np.all(best <= bounds)
    assert np.all(best[:6] > 0.7 * bounds[:6])


@pytest.mark.parametrize("m", SOME_M)
@every_pair
def test_exact_curves_lie_below_the_claim(lowest, rho, eta, m):
    """Both orders, and large m too: the path of growing weights loses nothing."""
    eps = m * np.linspace(0, 7, 29)
    claimed = gdp_delta((1 + eta) * m, eps)
    best = np.zeros_like(eps)
    for t, psi in psis(lowest, rho, 60):
        for curve in curves(t, m * psi, eps):
            # The order in which the row is missing is a difference of numbers near 1.
            assert np.all(curve <= claimed * (1 + 1e-9) + 1e-13 * np.exp(eps))
            best = np.maximum(best, curve)
    assert np.all(best[:6] > 0.6 * claimed[:6])


def test_exact_curve_agrees_with_quadrature():
    generator = np.random.default_rng(1)
    for m, lowest in ((0.2, 0.0), (1.5, -1.0), (0.5, -1.0)):
        t, psi = random_monotone(generator, 2.0, lowest)
        for eps in (0.0, 0.3 * m, 2 * m):
            grid = np.unique(np.concatenate([np.linspace(-20, 15, 400_001), t]))
            middle, width = (grid[1:] + grid[:-1]) / 2, np.diff(grid)
            k = m * np.interp(grid, t, psi)
            p = (1 + np.diff(k) / width) * stats.norm.pdf(middle + (k[1:] + k[:-1]) / 2)
            q = stats.norm.pdf(middle)
            quadrature = [np.maximum(a - np.exp(eps) * b, 0) @ width for a, b in ((p, q), (q, p))]
            exact = [float(curve[0]) for curve in curves(t, m * psi, np.array([eps]))]
            assert exact == pytest.approx(quadrature, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("absent", [False, True])
@pytest.mark.parametrize("rho", [6.0, 20.0])
def test_log_slopes_of_a_softmax_reach_their_bound_and_stay_below(rho, absent):
    c = np.linspace(0, 4, 9)
    bounds = certificate.softmax_bounds(rho, c, absent=absent)
    low, high = (-4 / rho, 1 / rho) if absent else (-1 / rho, 4 / rho)
    grid = np.linspace(-12, 12, 24_001)
    middle, step = (grid[1:] + grid[:-1]) / 2, grid[1] - grid[0]
    generator = np.random.default_rng(0)
    best = np.zeros_like(c)
    for trial in range(300):
        if trial < 200:
            h = np.where(middle < np.linspace(-5, 2, 200)[trial], high, low)
        else:
            knots = np.sort(generator.uniform(-8, 8, 6))
            h = generator.uniform(low, high, 7)[np.searchsorted(knots, middle)]
        log_q = np.cumsum(h) * step
        weight = np.exp(log_q - log_q.max() - middle**2 / 2)
        gains = np.maximum(h - middle - c[:, np.newaxis], 0) @ weight / weight.sum()
        assert np.all(gains <= bounds * (1 + 1e-3))
        best = np.maximum(best, gains)
    assert np.all(best > 0.97 * bounds)


# The reduction from data sets to k


def huberised_hinge_derivative(s, half_width):
    return -np.clip((1 + half_width - s) / (2 * half_width), 0, 1)


def test_a_huberised_hinge_attains_the_ramp():
    """One row, no others, and a public offset: the worst k belongs to a real data set."""
    for m, x in [(0.01, 5.5), (0.5, 2.0), (2.0, 2.0)]:
        sigma, half_width, eps = 1 / m, 0.5, m * x
        starts = np.linspace(-x - 4, -x + 1, 500)
        curves = [
            certificate.exact_curve(t, m * psi, np.array([eps]))
            for t, psi in (single_ramp(s, RHO) for s in starts)
        ]
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
