"""Theorem B against exact laws: in one dimension, and for a softmax of three classes."""

import math

import numpy as np
import pytest

from skprivacy.accounting import gdp_delta
from skprivacy.optimize import Huber, JointPerturbation, Logistic, Softmax
from skprivacy.optimize._tilting import _convex_hull, curve_knots, slope_over_noise, tilted_mu

DELTA0 = 1e-8


ADJACENCIES = ["add-remove", "replace-one"]


def mechanism(loss, mu, n_tails, rho, adjacency="add-remove"):
    joint = JointPerturbation(name="coefficients", row_loss=loss, n_tails=n_tails, rho=rho)
    return joint.calibrate(adjacency, mu=mu, delta0=DELTA0)


def scalar_density(loss, w, rows, labels, weights, lam, sigma):
    """Density of the ideal minimiser of a problem with one column, in cells of `w`."""
    gradient = lam * w
    for z, y, u in zip(rows, labels, weights, strict=True):
        gradient = gradient + u * z * loss.terms(w * z, np.full(w.size, y)).slopes
    middle = (gradient[1:] + gradient[:-1]) / 2
    p = np.exp(-((middle / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    p *= np.diff(gradient) / np.diff(w)
    assert p.sum() * (w[1] - w[0]) == pytest.approx(1, abs=1e-6)
    return p


SCALAR_BASES = {
    "none": ([], []),
    "zero target": ([1.0], [0.0]),
    "opposed": ([1.0] * 4, [-1.0] * 4),
    "mixed": ([1.0, -0.5, 0.2], [1.0, 0.3, -1.0]),
    "canary twice": ([1.0, 1.0], [0.0, 0.7]),
}


@pytest.mark.parametrize("base", SCALAR_BASES)
@pytest.mark.parametrize("m", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("rho", [1.0, 4.0])
def test_huber_curves_and_renyi_divergences_are_below_their_bounds(base, m, rho):
    loss = Huber(0.5)
    sigma = loss.slope / m
    lam = rho * loss.curvature * sigma / loss.slope
    w = np.linspace(-12 * sigma - 4, 12 * sigma + 4, 200_001) / lam
    rows, labels = (list(part) for part in SCALAR_BASES[base])
    q = scalar_density(loss, w, rows, labels, [1.0] * len(rows), lam, sigma)
    step = w[1] - w[0]
    epsilon = np.linspace(0, 4, 17) * m
    kappa = m / rho
    bounds = curve_knots(m, kappa, kappa, 2, epsilon)
    # A long row with its weight reduced, short ones, and targets on and off the fit.
    for z, y, u in ((1.0, 0.0, 1.0), (1.0, 1.0, 1.0), (0.5, -0.2, 1.0), (2.0, 0.3, 0.25)):
        p = scalar_density(loss, w, [*rows, z], [*labels, y], [1.0] * len(rows) + [u], lam, sigma)
        for one, bound in zip(epsilon, bounds, strict=True):
            assert np.maximum(p - math.exp(one) * q, 0).sum() * step <= bound + 1e-6
            assert np.maximum(q - math.exp(one) * p, 0).sum() * step <= bound + 1e-6
        for order in (1.5, 2.0, 4.0):
            inside = (p > 1e-290) & (q > 1e-290)
            ratio = np.log(p[inside]) - np.log(q[inside])
            with_row = np.log((np.exp((order - 1) * ratio) * p[inside]).sum() * step) / (order - 1)
            without = np.log((np.exp((1 - order) * ratio) * q[inside]).sum() * step) / (order - 1)
            assert with_row <= order / 2 * (m * m + kappa * kappa) + 1e-5
            if (order - 1) * kappa < 1:
                assert without <= (
                    order / 2 * (m * m + kappa**2 / (1 - (order - 1) * kappa)) + 1e-5
                )


@pytest.mark.parametrize("base", SCALAR_BASES)
@pytest.mark.parametrize("m", [0.1, 1.0])
@pytest.mark.parametrize("rho", [1.0, 4.0])
def test_one_huber_row_replaced_by_another(base, m, rho):
    loss = Huber(0.5)
    sigma = loss.slope / m
    lam = rho * loss.curvature * sigma / loss.slope
    w = np.linspace(-12 * sigma - 4, 12 * sigma + 4, 200_001) / lam
    rows, labels = (list(part) for part in SCALAR_BASES[base])
    step = w[1] - w[0]
    epsilon = np.linspace(0, 4, 17) * m
    kappa = m / rho
    bounds = curve_knots(m, kappa, kappa, 2, epsilon, "replace-one")
    worst = 0.0
    pairs = [((1.0, 1.0), (1.0, -1.0)), ((1.0, 0.0), (-1.0, 0.3)), ((1.0, 0.0), (0.5, 1.0))]
    for one, other in pairs:
        p, q = (
            scalar_density(loss, w, [*rows, z], [*labels, y], [1.0] * len(rows) + [1], lam, sigma)
            for z, y in (one, other)
        )
        for eps, bound in zip(epsilon, bounds, strict=True):
            for first, second in ((p, q), (q, p)):
                delta = np.maximum(first - math.exp(eps) * second, 0).sum() * step
                assert delta <= bound + 1e-6
                worst = max(worst, delta / bound)
        for order in (1.5, 2.0, 4.0):
            if (order - 1) * kappa < 1:
                inside = (p > 1e-290) & (q > 1e-290)
                ratio = (order - 1) * (np.log(p[inside]) - np.log(q[inside]))
                renyi = np.log((np.exp(ratio) * p[inside]).sum() * step) / (order - 1)
                size = 4 * m * m + 2 * kappa**2 / (1 - (order - 1) * kappa) ** 2
                assert renyi <= order / 2 * size + 1e-5
    assert worst > 0.5


def test_the_bound_on_huber_is_not_far_off():
    """A saturated canary is a Gaussian pair, of the same m."""
    for m in (0.1, 1.0):
        epsilon = np.linspace(0, 3, 7) * m
        ratio = curve_knots(m, m / 4, m / 4, 2, epsilon) / gdp_delta(m, epsilon)
        assert (ratio >= 1).all()
        assert ratio[0] < 1.35
        assert tilted_mu(m, m / 4, m / 4, 2, DELTA0, "add-remove") < 1.4 * m
        assert tilted_mu(m, m / 4, m / 4, 2, DELTA0, "replace-one") < 2.8 * m


@pytest.mark.parametrize("m", [0.2, 1.0])
@pytest.mark.parametrize("rho", [2.0, 6.0])
def test_softmax_curves_are_below_the_bound(m, rho):
    """Three classes, one column: the mean of the scores is noise alone, two dimensions remain."""
    loss = Softmax(3)
    sigma = loss.slope / m
    lam = rho * loss.curvature * sigma / loss.slope
    reach = (7 * sigma + 4) / lam
    axis = np.linspace(-reach, reach, 181)
    x, y = (part.ravel() for part in np.meshgrid(axis, axis))
    basis = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    position = np.column_stack([x, y])
    scores = position @ basis

    def density(rows, labels):
        gradient = lam * position
        hessian = np.zeros((x.size, 3, 3))
        for z, label in zip(rows, labels, strict=True):
            _, slopes, second = loss.terms(scores * z, np.full(x.size, label))
            gradient += z * slopes @ basis.T
            for k in range(3):
                for j in range(3):
                    hessian[:, k, j] += z * z * second(k, j)
        inner = np.einsum("ak,nkj,bj->nab", basis, hessian, basis) + lam * np.eye(2)
        p = np.exp(-(gradient**2).sum(axis=1) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        return p * np.linalg.det(inner)

    step = (axis[1] - axis[0]) ** 2
    epsilon = np.linspace(0, 4, 6) * m
    kappa = m / rho
    bounds = curve_knots(m, kappa, loss.trace / loss.curvature * kappa, 2, epsilon)
    replaced = curve_knots(m, kappa, loss.trace / loss.curvature * kappa, 2, epsilon, "replace-one")
    worst = 0.0
    for base in (([], []), ([1.0] * 6, [1, 2] * 3), ([1.0] * 4, [1] * 4), ([1.0, -1.0], [0, 1])):
        q = density(*base)
        assert q.sum() * step == pytest.approx(1, abs=1e-3)
        for z in (1.0, 0.4):
            p = density([*base[0], z], [*base[1], 0])
            for one, bound in zip(epsilon, bounds, strict=True):
                for first, second in ((p, q), (q, p)):
                    delta = np.maximum(first - math.exp(one) * second, 0).sum() * step
                    assert delta <= bound + 1e-4
                    worst = max(worst, delta / bound)
        a, b = (density([*base[0], z], [*base[1], y]) for z, y in ((1.0, 0), (-1.0, 1)))
        for one, bound in zip(epsilon, replaced, strict=True):
            assert np.maximum(a - math.exp(one) * b, 0).sum() * step <= bound + 1e-4
    assert worst > 0.25


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize(("loss", "n_tails", "rho"), [(Huber(), 2, 4.0), (Softmax(5), 4, 6.0)])
@pytest.mark.parametrize("mu", [0.02, 0.3, 2.0])
def test_price_is_the_budget(loss, n_tails, rho, mu, adjacency):
    joint = mechanism(loss, mu, n_tails, rho, adjacency)
    price = joint.loss(adjacency)
    assert price.mu == mu
    assert price.delta == DELTA0
    assert mu * (1 - 2e-4) <= math.hypot(*joint._mus(adjacency)) <= mu


@pytest.mark.parametrize(("adjacency", "moved"), [("add-remove", 1), ("replace-one", 2)])
def test_without_curvature_the_divergences_are_those_of_a_gaussian(adjacency, moved):
    m, epsilon = 0.7, np.array([2.0, 3.0, 4.0])
    found = curve_knots(m, 0.0, 0.0, 10**9, epsilon, adjacency)
    orders = np.linspace(1.001, 60, 100_000)[:, np.newaxis]
    logs = (orders - 1) * (orders * (moved * m) ** 2 / 2 - epsilon)
    logs += (orders - 1) * np.log1p(-1 / orders) - np.log(orders)
    np.testing.assert_allclose(found, np.exp(logs.min(axis=0)), rtol=1e-2)
    at_zero = curve_knots(m, 0.0, 0.0, 10**9, np.zeros(1), adjacency)[0]
    assert at_zero == pytest.approx(math.sqrt(-math.expm1(-((moved * m) ** 2) / 4)))


def test_curvature_enters_as_proven():
    """In the affinity, at epsilon = 0: kappa s beside m^2, and twice that for a replacement."""
    for adjacency, size in (("add-remove", 0.5**2 + 0.3 * 0.4), ("replace-one", 1 + 2 * 0.12)):
        at_zero = curve_knots(0.5, 0.3, 0.4, 10**9, np.zeros(1), adjacency)[0]
        assert at_zero == pytest.approx(math.sqrt(-math.expm1(-size / 4)))


def test_a_larger_ratio_needs_less_noise():
    noise = [mechanism(Huber(), 0.5, 2, rho).noise_multiplier for rho in (1.0, 2.0, 4.0, 8.0)]
    assert noise == sorted(noise, reverse=True)


def test_regularisation_keeps_to_the_ratio():
    joint = mechanism(Huber(0.5), 0.5, 2, 4.0)
    for asked in (0.0, 1e3):
        sigma, lam = joint._noise_and_regularization(asked)
        assert sigma >= 0.5 * joint.noise_multiplier
        assert lam >= max(asked, 4.0 * sigma / 0.5)


def test_refusals():
    joint = JointPerturbation(name="coefficients", row_loss=Huber(), n_tails=2, rho=4.0)
    with pytest.raises(ValueError, match="delta above 0"):
        joint.calibrate("add-remove", epsilon=1.0)
    with pytest.raises(ValueError, match="larger epsilon"):
        joint.calibrate("add-remove", mu=1e-4, delta0=DELTA0)
    with pytest.raises(ValueError, match="not calibrated"):
        joint.loss("add-remove")


def test_the_hull_is_convex_and_below():
    rng = np.random.default_rng(0)
    e = np.sort(rng.random(50))
    values = np.sort(rng.random(50))[::-1]
    hull_e, hull = _convex_hull(e, values)
    assert (np.diff(np.diff(hull) / np.diff(hull_e)) >= 0).all()
    assert (np.interp(e, hull_e, hull) <= values + 1e-15).all()


def test_logistic_is_covered_too():
    """With one score and one sign the certified price is the better one."""
    m = slope_over_noise(0.5, 3.0, 1.0, 1, DELTA0, "add-remove")
    assert m < 0.5 / 1.025
    assert Logistic().one_signed
