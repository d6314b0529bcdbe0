"""The tilted transform: its charges cover its errors, and its tilts keep them small."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import irfft, rfft

from skprivacy.accounting import gdp_delta, gdp_epsilon
from skprivacy.accounting._convolution import Composition, CurveBound, _convolve
from skprivacy.accounting._pairs import Gaussian, Laplace, RandomizedResponse, SubsampledGaussian


def direct_convolution(parts, counts):
    result = np.ones(1, dtype=np.longdouble)
    for part, count in zip(parts, counts, strict=True):
        for _ in range(int(count)):
            result = np.convolve(result, part.astype(np.longdouble))
    return result


EXTENDED = pytest.mark.skipif(
    np.finfo(np.longdouble).eps > 1e-18, reason="needs an extended type to compare with"
)


@EXTENDED
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 40))
def test_charged_rounding_covers_the_transform(seed, n_parts, largest_count):
    rng = np.random.default_rng(seed)
    parts = [rng.dirichlet(np.full(rng.integers(2, 60), 0.5)) for _ in range(n_parts)]
    counts = rng.integers(1, largest_count + 1, n_parts).astype(float)
    exact = direct_convolution(parts, counts)
    law, charged = _convolve(parts, counts, exact.size, 0)
    error = float(np.sqrt(np.square(law - exact).sum()))
    assert error <= charged
    # The charge is no wild guess either.
    assert charged < 1e-13 * counts.sum() + 1e-13


@EXTENDED
def test_charged_rounding_grows_with_the_number_of_pieces():
    # A million pieces, against the same transform in extended precision.
    rng = np.random.default_rng(5)
    part, count = rng.dirichlet(np.ones(40)), 1_000_000.0
    law, charged = _convolve([part], np.array([count]), 4096, 0)
    spectrum, power, left = np.ones(2049, dtype=np.clongdouble), None, int(count)
    power = rfft(part.astype(np.longdouble), 4096)
    while left:
        if left & 1:
            spectrum = spectrum * power
        power, left = power * power, left >> 1
    error = float(np.sqrt(np.square(law - irfft(spectrum, 4096)).sum()))
    # More than all that isn't in proportion to the count, less than the charge.
    assert 1e-13 < error <= charged


def test_a_window_is_cut_out_and_only_gains_from_outside():
    rng = np.random.default_rng(3)
    part = rng.dirichlet(np.ones(30))
    exact = direct_convolution([part], [8]).astype(float)
    law, charged = _convolve([part], np.array([8.0]), 101, 70)
    assert law.shape == (101,)
    assert np.all(law >= exact[70:171] - charged)
    assert exact[70:171].sum() < law.sum() <= 1 + 1e-12
    # What it gains at an end is what lies a period beyond.
    assert law[0] == pytest.approx(exact[70] + exact[70 + 108], rel=1e-9, abs=0)


@pytest.mark.parametrize("tilt", [0.2, 2.0, 6.0])
@pytest.mark.parametrize(
    "pair", [Gaussian(0.2), Laplace(0.3), SubsampledGaussian(0.05, 0.7)], ids=repr
)
def test_window_holds_all_but_the_charged_mass(pair, tilt):
    composition = Composition([(pair, 60)], reversed_=False, smallest_delta=1e-9, step=1e-2)
    first, last = composition.window(tilt)
    _, weights = composition.moments.logs(tilt)
    law = direct_convolution([weights], [60]).astype(float)
    inside = law[first - composition.first : last - composition.first + 1].sum()
    assert 1 - inside <= 1e-12 + 1e-14
    assert last - first < 0.85 * (composition.last - composition.first)


@pytest.mark.parametrize("tilt", [0.05, 0.5, 2.0, 5.0, 12.0])
def test_every_tilt_bounds_the_whole_curve(tilt):
    n, size = 40, 0.25
    composition = Composition(
        [(RandomizedResponse(size), n)], reversed_=False, smallest_delta=1e-12
    )
    epsilon = np.linspace(0, n * size * 0.98, 200)
    bound = CurveBound(composition, tilt).delta(epsilon)
    exact = np.array([binomial_delta(size, n, e) for e in epsilon])
    assert np.all(bound >= exact)
    assert np.all(np.diff(bound) <= 0)


def binomial_delta(size, n, epsilon):
    """Exact curve of n-fold randomised response."""
    right, wrong = 1 / (1 + math.exp(-size)), 1 / (1 + math.exp(size))
    return math.fsum(
        math.comb(n, k) * right**k * wrong ** (n - k) * -math.expm1(epsilon - (2 * k - n) * size)
        for k in range(n + 1)
        if (2 * k - n) * size > epsilon
    )


@pytest.mark.parametrize("delta", [0.3, 1e-3, 1e-9, 1e-30, 1e-100, 1e-250])
@pytest.mark.parametrize(("mu", "n"), [(1e-3, 5), (0.3, 30), (2.0, 7), (20.0, 3)])
def test_is_sharp_at_every_delta_and_never_below_the_exact_gaussian(delta, mu, n):
    exact = gdp_epsilon(mu * math.sqrt(n), delta)
    composition = Composition([(Gaussian(mu), n)], reversed_=False, smallest_delta=delta)
    bound = composition.bound_for_delta(delta)
    epsilon = bound.epsilon(delta)
    assert exact <= epsilon <= exact * (1 + 3e-6) + 1e-5 * mu * math.sqrt(n)
    at_exact = bound.delta(np.array([exact]))[0]
    assert at_exact >= gdp_delta(mu * math.sqrt(n), exact) * (1 - 1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 2.0, 10.0, 30.0])
def test_is_sharp_at_every_epsilon(epsilon):
    exact = gdp_delta(0.9, epsilon)
    composition = Composition(
        [(Gaussian(0.3), 9)], reversed_=False, smallest_delta=max(exact * 0.1, 1e-280)
    )
    bound = composition.bound_for_epsilon(epsilon).delta(np.array([epsilon]))[0]
    assert exact <= bound <= exact * (1 + 3e-3)


@pytest.mark.parametrize(
    ("pair", "n", "delta"),
    [
        (Laplace(0.1), 2000, 1e-12),
        (RandomizedResponse(1e-3), 200_000, 1e-6),
        # Rare large losses: the first tilt, made for the usual ones, charges most of delta.
        (SubsampledGaussian(0.001, 1.25), 10, 1e-30),
        (SubsampledGaussian(0.01, 1.0), 1000, 1e-100),
    ],
    ids=repr,
)
def test_transform_charges_little_of_delta(pair, n, delta):
    composition = Composition([(pair, n)], reversed_=False, smallest_delta=delta)
    bound = composition.bound_for_delta(delta)
    assert 0 < bound.lost(np.array(bound.epsilon(delta))) < 1e-3 * delta
    assert bound.losses.size < 2**21


def test_a_finer_grid_is_sharper():
    pieces = [(Laplace(0.2), 30), (RandomizedResponse(0.1), 10)]

    def epsilon(step):
        composition = Composition(pieces, reversed_=False, smallest_delta=1e-6, step=step)
        return composition.bound_for_delta(1e-6).epsilon(1e-6)

    epsilons = [epsilon(step) for step in (1e-1, 1e-2, 1e-3)]
    assert epsilons[0] > epsilons[1] > epsilons[2]
    assert epsilons[2] == pytest.approx(epsilon(None), rel=1e-5, abs=0)


def test_grid_points_are_exact():
    composition = Composition([(Gaussian(1.0), 3)], reversed_=False, smallest_delta=1e-6, step=1e-4)
    k = np.array([3, 12_345, 98_765_431])
    exact = [index * Fraction(composition.step) for index in k.tolist()]
    assert [Fraction(x) for x in (k * composition.step).tolist()] == exact
    assert composition.step == pytest.approx(1e-4, rel=1e-6, abs=0)


def test_infinite_mass_beyond_the_grid_is_counted_for_every_piece():
    composition = Composition([(Gaussian(1.0), 50)], reversed_=False, smallest_delta=1e-4)
    single = composition.infinity
    bound = composition.bound_for_delta(1e-4)
    assert bound.delta(np.array([1e6]))[0] >= single > 0


def test_too_fine_a_grid_is_refused():
    with pytest.raises(ValueError, match="grid"):
        Composition([(Gaussian(1.0), 2)], reversed_=False, smallest_delta=1e-6, step=1e-9)
