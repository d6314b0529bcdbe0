"""Objective perturbation keeps its price: exactly in one dimension, and under attack."""

import math
from dataclasses import replace

import numpy as np
import pytest
from auditing import ALPHA
from scipy.special import expit, ndtr

from skprivacy.accounting import gdp_delta, gdp_mu
from skprivacy.attacks import mu_lower_bound
from skprivacy.mechanisms import random_source
from skprivacy.optimize import Huber, HuberisedHinge, Logistic, ObjectivePerturbation, Softmax
from skprivacy.optimize import _objective as module
from skprivacy.optimize._losses import CROSS_ENTROPY, ONE_SIGNED, TWO_SIGNED
from skprivacy.optimize._solver import Objective


def calibrated(mu, adjacency="add-remove"):
    return ObjectivePerturbation(name="coefficients").calibrate(adjacency, mu=mu)


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
@pytest.mark.parametrize("mu", [0.02, 0.5, 2.0])
def test_price_is_the_budget(mu, adjacency):
    loss = calibrated(mu, adjacency).loss(adjacency)
    assert mu * (1 - 1e-9) <= loss.mu <= mu
    assert loss.delta == 0


def test_more_budget_than_is_of_use_is_left_unused():
    large = calibrated(50.0)
    assert 1 / large._noise_and_regularization(1e3)[0] <= module.LARGEST
    assert large.loss("add-remove").mu < 50.0


@pytest.mark.parametrize("loss", [Logistic(), HuberisedHinge(), Huber(), Softmax(4)], ids=repr)
def test_regularisation_decides_how_much_noise(loss):
    mechanism = ObjectivePerturbation(name="x", row_loss=loss).calibrate("add-remove", mu=0.7)
    unit = mechanism.calibrated_noise() * loss.slope
    choices = mechanism.noise_choices()
    assert len(choices) == len(loss.certified)
    for (rho, eta), (sigma, least) in zip(loss.certified, choices, strict=True):
        assert (1 + eta) * unit <= sigma <= (1 + eta) * unit * (1 + 1e-12)
        assert least >= rho * loss.curvature * sigma / loss.slope
        assert mechanism._noise_and_regularization(least) == (sigma, least)
        assert mechanism._noise_and_regularization(least * (1 - 1e-9))[0] >= sigma
    assert mechanism._noise_and_regularization(0.0) == min(choices, key=lambda one: one[1])
    assert mechanism._noise_and_regularization(1e6) == (min(choices)[0], 1e6)


def test_replace_one_costs_a_group_of_two():
    mechanism = calibrated(1.0)
    assert mechanism.loss("replace-one").mu == pytest.approx(2 * mechanism.loss("add-remove").mu)


def exact_deltas(mechanism, Z, signs, canary, epsilons, offset=0.0, regularization=0.0):
    """Hockey-stick divergences of the ideal minimiser, both ways, by quadrature in 1-d."""
    sigma, lam = mechanism._noise_and_regularization(regularization)
    reach = (9 * sigma + len(Z) + 1) / lam
    w = np.linspace(-reach, reach, 100_001)

    def density(Z, signs):
        t = (w[:, None] * Z + offset) * signs
        gradient = lam * w - (expit(-t) * Z * signs).sum(axis=1)
        slope = lam + (expit(-t) * expit(t) * Z**2).sum(axis=1)
        return np.exp(-((gradient / sigma) ** 2) / 2) * slope / (sigma * math.sqrt(2 * math.pi))

    p, q = density(np.append(Z, canary), np.append(signs, 1.0)), density(Z, signs)
    step = w[1] - w[0]
    assert p.sum() * step == pytest.approx(1, abs=1e-8)
    for epsilon in epsilons:
        yield epsilon, np.maximum(p - math.exp(epsilon) * q, 0).sum() * step
        yield epsilon, np.maximum(q - math.exp(epsilon) * p, 0).sum() * step


BASES = {
    "none": ([], []),
    "zero": ([0.0], [1.0]),
    "opposed": ([1.0] * 5, [-1.0] * 5),
    "same": ([1.0] * 5, [1.0] * 5),
    "mixed": ([1.0, -0.5, 0.2], [1.0, 1.0, -1.0]),
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("mu", [0.1, 1.0, 2.5])
@pytest.mark.parametrize("pair", range(len(ONE_SIGNED)))
def test_exact_profile_is_below_the_claim(base, mu, pair):
    mechanism = calibrated(mu)
    rho, eta = ONE_SIGNED[pair]
    regularization = (1 + 1e-9) * rho / 4 * (1 + eta) * mechanism.calibrated_noise()
    sigma, lam = mechanism._noise_and_regularization(regularization)
    assert sigma == pytest.approx((1 + eta) * mechanism.calibrated_noise(), rel=1e-12)
    assert lam == regularization
    Z, signs = (np.array(part) for part in BASES[base])
    epsilons = np.linspace(0, 3, 13) * mu
    for canary, offset in ((1.0, 0.0), (1.0, -3.0), (0.3, -3.0), (-1.0, -1.0)):
        for epsilon, delta in exact_deltas(
            mechanism, Z, signs, canary, epsilons, offset, regularization
        ):
            assert delta <= gdp_delta(mu, epsilon) + 1e-9


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("pair", range(len(ONE_SIGNED)))
def test_exact_profile_around_the_epsilon_that_is_claimed(base, epsilon, pair):
    """Fourteen points up to 1.3 epsilon: with the least regularisation it is never above 1."""
    mu = gdp_mu(epsilon, 1e-5)
    mechanism = calibrated(mu)
    rho, eta = ONE_SIGNED[pair]
    regularization = (1 + 1e-9) * rho / 4 * (1 + eta) * mechanism.calibrated_noise()
    Z, signs = (np.array(part) for part in BASES[base])
    epsilons = np.linspace(0, 1.3 * epsilon, 14)
    ratios = [
        delta / gdp_delta(mu, at)
        for at, delta in exact_deltas(
            mechanism, Z, signs, 1.0, epsilons, regularization=regularization
        )
    ]
    assert len(ratios) == 28
    # Where the claim itself is far below the rule's error the quotient says nothing.
    assert max(ratios) <= 1 + 1e-6
    assert max(ratios) > 0.2


def test_exact_profile_comes_near_the_claim():
    mechanism = calibrated(1.0)
    Z, signs = np.ones(30), -np.ones(30)
    epsilons = [0.0, 0.5, 1.0, 2.0]
    worst = max(
        delta / gdp_delta(1.0, epsilon)
        for epsilon, delta in exact_deltas(mechanism, Z, signs, 1.0, epsilons, offset=-3.0)
    )
    assert 0.75 < worst <= 1.0


@pytest.mark.parametrize("pair", range(len(ONE_SIGNED)))
@pytest.mark.parametrize("mu", [0.1, 1.0, 2.5])
@pytest.mark.parametrize("half_width", [0.5, 0.1])
def test_exact_profile_of_the_hinge_is_below_the_claim(half_width, mu, pair):
    loss = HuberisedHinge(half_width)
    mechanism = ObjectivePerturbation(name="x", row_loss=loss).calibrate("add-remove", mu=mu)
    rho, eta = ONE_SIGNED[pair]
    asked = (1 + 1e-9) * rho * loss.curvature * (1 + eta) * mechanism.calibrated_noise()
    sigma, lam = mechanism._noise_and_regularization(asked)
    assert sigma == pytest.approx((1 + eta) * mechanism.calibrated_noise(), rel=1e-12)
    w = np.linspace(-1, 1, 200_001) * (10 * sigma + 8) / lam

    def masses(Z, signs, offset):
        gradient = lam * w
        for z, sign in zip(Z, signs, strict=True):
            gradient = gradient + z * loss.terms(w * z + offset, np.full(w.size, sign)).slopes
        edges = ndtr(gradient / sigma)
        return np.diff(edges)

    worst = 0.0
    for Z, signs in BASES.values():
        for canary, offset in ((1.0, 0.0), (1.0, -3.0), (0.3, 1.0), (-1.0, -1.0)):
            p, q = masses([*Z, canary], [*signs, 1.0], offset), masses(Z, signs, offset)
            assert q.sum() == pytest.approx(1, abs=1e-9)
            for epsilon in np.linspace(0, 3, 13) * mu:
                claim = gdp_delta(mu, epsilon)
                for one, other in ((p, q), (q, p)):
                    delta = np.maximum(one - math.exp(epsilon) * other, 0).sum()
                    assert delta <= claim + 1e-10
                    worst = max(worst, delta / claim)
    assert worst > 0.6


SCALAR_BASES = {
    "none": ([], []),
    "zero target": ([1.0], [0.0]),
    "opposed": ([1.0] * 4, [-1.0] * 4),
    "mixed": ([1.0, -0.5, 0.2], [1.0, 0.3, -1.0]),
    "canary twice": ([1.0, 1.0], [0.0, 0.7]),
}


def huber_masses(loss, edges, rows, labels, weights, lam, sigma):
    """Masses of the ideal minimiser of a problem with one column, in cells."""
    gradient = lam * edges
    for z, y, u in zip(rows, labels, weights, strict=True):
        gradient = gradient + u * z * loss.terms(edges * z, np.full(edges.size, y)).slopes
    left, right = gradient[:-1] / sigma, gradient[1:] / sigma
    return np.where(left > 0, ndtr(-left) - ndtr(-right), ndtr(right) - ndtr(left))


@pytest.mark.parametrize("base", SCALAR_BASES)
@pytest.mark.parametrize("m", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("pair", range(len(TWO_SIGNED)))
def test_exact_profile_of_huber_regression_is_below_the_claim(base, m, pair):
    """One row more, or one replaced by another; both orders."""
    loss = Huber(0.5)
    rho, eta = TWO_SIGNED[pair]
    sigma = loss.slope / m
    lam = rho * sigma / loss.slope
    edges = np.linspace(-1, 1, 40_001) * (12 * sigma + 6) / lam
    rows, labels = SCALAR_BASES[base]

    def masses(*more):
        z, y, u = zip(*more, strict=True) if more else ((), (), ())
        weights = [1.0] * len(rows) + list(u)
        return huber_masses(loss, edges, [*rows, *z], [*labels, *y], weights, lam, sigma)

    # A long row with its weight reduced, short ones, and targets on and off the fit.
    canaries = [
        (1.0, 0.0, 1.0),
        (1.0, 1.0, 1.0),
        (-1.0, 1.0, 1.0),
        (0.5, -0.2, 1.0),
        (2, 0.3, 0.25),
    ]
    laws = [masses(), *(masses(canary) for canary in canaries)]
    worst = 0.0
    for i, p in enumerate(laws):
        for j, q in enumerate(laws):
            mu = (1 + eta) * m * (2 if i and j else 1)
            for epsilon in np.linspace(0, 5, 11) * m:
                delta = np.maximum(p - math.exp(epsilon) * q, 0).sum()
                claim = gdp_delta(mu, epsilon)
                assert delta <= claim + 1e-10
                worst = max(worst, delta / claim if claim > 1e-6 else 0.0)
    assert worst > 0.6


@pytest.mark.parametrize("m", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("pair", [0, 5])
def test_exact_profile_of_a_softmax_is_below_the_claim(m, pair):
    """Three classes, one column: the mean of the scores is noise alone, two dimensions remain."""
    loss = Softmax(3)
    rho, eta = CROSS_ENTROPY[pair]
    sigma = loss.slope / m
    lam = rho * loss.curvature * sigma / loss.slope
    axis = np.linspace(-1, 1, 161) * (7 * sigma + 4) / lam
    basis = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    position = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    step = (axis[1] - axis[0]) ** 2

    def masses(rows, labels):
        gradient = lam * position
        hessian = np.tile(lam * np.eye(2), (len(position), 1, 1))
        for z, label in zip(rows, labels, strict=True):
            _, slopes, second = loss.terms(position @ basis * z, np.full(len(position), label))
            gradient = gradient + z * slopes @ basis.T
            for k in range(3):
                for j in range(3):
                    part = z * z * second(k, j)[:, np.newaxis, np.newaxis]
                    hessian += part * np.outer(basis[:, k], basis[:, j])
        p = np.exp(-(gradient**2).sum(axis=1) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        return p * np.linalg.det(hessian) * step

    worst = 0.0
    bases = (([], []), ([1.0] * 6, [1, 2] * 3), ([1.0] * 4, [1] * 4), ([1.0, -1.0], [0, 1]))
    for rows, labels in bases:
        added = ((1.0, 0), (0.4, 0), (-1.0, 1))
        laws = [masses(rows, labels)]
        assert laws[0].sum() == pytest.approx(1, abs=1e-3)
        laws += [masses([*rows, z], [*labels, y]) for z, y in added]
        for i, p in enumerate(laws):
            for j, q in enumerate(laws):
                mu = (1 + eta) * m * (2 if i and j else 1)
                for epsilon in np.linspace(0, 4, 6) * m:
                    delta = np.maximum(p - math.exp(epsilon) * q, 0).sum()
                    assert delta <= gdp_delta(mu, epsilon) + 1e-4
                    worst = max(worst, delta / gdp_delta(mu, epsilon) if epsilon <= m else 0.0)
    assert worst > 0.25


def test_rows_of_a_softmax_are_not_longer_than_one():
    mechanism = ObjectivePerturbation(name="x", row_loss=Softmax(3)).calibrate("add-remove", mu=1.0)
    with pytest.raises(ValueError, match="longer than 1"):
        mechanism.draw(
            np.ones((2, 1)),
            np.array([0, 1]),
            adjacency="add-remove",
            source=random_source(0),
            rows_at_most=10.0,
            regularization=0.0,
            reweight=True,
        )


def attack(mechanism, n_runs, seed=0):
    """Lower bound on mu, at 99.9 % confidence, from a saturated canary.

    Thirty rows push the margin of a canary with the other label so far down that its
    gradient has nearly the full norm 1, and the attacker reads it off the minimiser.
    """
    source = random_source(seed)
    signs = -np.ones(31)
    signs[30] = 1.0

    def scores(n_rows):
        lam = mechanism.least_regularization()
        out = []
        for _ in range(n_runs):
            w = mechanism.draw(
                np.ones((n_rows, 1)),
                signs[:n_rows],
                adjacency="add-remove",
                source=source,
                rows_at_most=100.0,
                regularization=0.0,
                offset=-3.0,
            ).value
            # The gradient without the canary is the noise, up to the sign.
            objective = Objective(
                Logistic(), np.ones((30, 1)), signs[:30], None, -3.0, lam, np.zeros(1)
            )
            out.append(-objective.evaluate(w).gradient[0])
        return np.array(out)

    return mu_lower_bound(scores(31), scores(30), alpha=ALPHA)


def test_attack_finds_no_violation_and_finds_halved_noise():
    mechanism = calibrated(1.5)
    assert attack(mechanism, 1500) <= 1.5

    class Halved(ObjectivePerturbation):
        def calibrated_noise(self):
            return super().calibrated_noise() / 2

    halved = Halved(name="x", noise_multiplier=mechanism.noise_multiplier)
    assert attack(halved, 1500) > 1.5


@pytest.mark.slow
@pytest.mark.parametrize("mu", [0.5, 1.5, 3.0])
def test_attack_at_full_size(mu):
    bound = attack(calibrated(mu), 20_000)
    assert 0.7 * mu < bound <= mu


def test_rows_weights_and_regularisation_are_enforced():
    mechanism = calibrated(1.0)

    def draw(Z, regularization=0.0, **options):
        return mechanism.draw(
            Z.copy(),
            np.ones(len(Z)),
            adjacency="add-remove",
            source=random_source(3),
            rows_at_most=10.0,
            regularization=regularization,
            **options,
        ).value

    rows = np.array([[3.0, 4.0], [0.1, 0.2]])
    np.testing.assert_allclose(draw(rows), draw(rows / [[5.0], [1.0]]), atol=1e-5)
    assert (draw(rows) == draw(rows, regularization=mechanism.least_regularization())).all()
    assert not np.allclose(draw(rows), draw(rows, regularization=50.0))
    heavy = draw(rows, weights=np.array([7.0, 1.0]))
    np.testing.assert_allclose(heavy, draw(rows, weights=np.ones(2)), atol=1e-5)


def test_long_rows_lose_length_or_weight(monkeypatch):
    seen = []
    monkeypatch.setattr(
        module, "minimise", lambda objective, _: seen.append(objective) or objective.linear
    )
    rows = np.array([[3.0, 4.0], [0.1, 0.2], [0.0, 2.0]])
    for reweight in (False, True):
        calibrated(1.0).draw(
            rows.copy(),
            np.ones(3),
            adjacency="add-remove",
            source=random_source(3),
            rows_at_most=10.0,
            regularization=0.0,
            reweight=reweight,
            weights=np.array([0.5, 1.0, 2.0]),
        )
    clipped, reweighted = seen
    norms = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(np.linalg.norm(clipped.Z[:], axis=1), np.minimum(norms, 1), 1e-4)
    np.testing.assert_array_equal(clipped.weights, [0.5, 1.0, 1.0])
    np.testing.assert_array_equal(reweighted.Z[:], rows)
    np.testing.assert_allclose(reweighted.weights, [0.5 / 25, 1.0, 1 / 4], 1e-4)
    assert (reweighted.weights * norms**2 <= 1).all()


def test_output_noise_covers_the_solver():
    """Two answers at the tolerance's full distance stay indistinguishable."""
    distance, mu = 1e-5, 0.2
    source = random_source(0)
    n_draws = 20_000
    base = np.zeros(4)
    # Norm 2 distance: each answer is off by the full distance, in opposite directions.
    shift = np.full(4, distance)
    draws = [
        np.array([module.cover(w, distance, mu, source) for _ in range(n_draws)])
        for w in (base, shift)
    ]
    gap = (draws[1] - draws[0]).mean(axis=0)
    spread = draws[0].std(axis=0).mean()
    assert np.linalg.norm(gap) / spread <= mu * 1.1
    assert np.linalg.norm(gap) / spread >= mu * 0.85


def test_a_mechanism_without_noise_cannot_draw():
    with pytest.raises(ValueError, match="not calibrated"):
        replace(calibrated(1.0), noise_multiplier=None).loss("add-remove")
    with pytest.raises(ValueError, match="delta above 0"):
        ObjectivePerturbation(name="x").calibrate("add-remove", epsilon=1.0)
