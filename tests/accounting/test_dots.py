"""Discrete pairs dominate what they replace, and touch it at their points."""

import numpy as np
import pytest

from skprivacy.accounting import gdp_delta
from skprivacy.accounting._dots import connect_the_dots, loss_ends, sketch
from skprivacy.accounting._pairs import (
    Gaussian,
    GivenCurve,
    Laplace,
    RandomizedResponse,
    SubsampledGaussian,
)

PAIRS = [
    Gaussian(0.01),
    Gaussian(1.0),
    Gaussian(6.0),
    Laplace(0.1),
    Laplace(3.0),
    RandomizedResponse(0.7),
    SubsampledGaussian(0.01, 1.0),
    SubsampledGaussian(0.4, 2.0),
]


def discrete_curve(dots, epsilon):
    above = np.maximum(-np.expm1(epsilon[:, None] - dots.losses), 0.0)
    return dots.infinity + above @ dots.mass


@pytest.mark.parametrize("reversed_", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_discrete_pair_dominates_and_touches(pair, reversed_):
    low, high = loss_ends(pair, reversed_, 1e-18)
    # Points that neither fall on the ends of the losses nor are even.
    below, above = (np.linspace(0, end * 1.03, 60) ** 1.01 for end in (low, high))
    dots = connect_the_dots(pair, reversed_, below, above)
    assert np.all(dots.mass >= 0)
    between = np.linspace(0, high * 0.99, 1000)
    assert np.all(
        discrete_curve(dots, between)
        >= pair.curve(between, reversed_=reversed_) * (1 - 1e-12) - 1e-16
    )
    at_points = discrete_curve(dots, above[:-1])
    assert at_points == pytest.approx(
        pair.curve(above[:-1], reversed_=reversed_), rel=1e-8, abs=1e-15
    )
    backwards = pair.curve(below, reversed_=not reversed_)
    exact = -np.expm1(-below) + np.exp(-below) * backwards
    assert discrete_curve(dots, -below) == pytest.approx(exact, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_both_laws_are_probabilities(pair):
    low, high = loss_ends(pair, False, 1e-18)
    dots = connect_the_dots(pair, False, np.linspace(0, low, 500), np.linspace(0, high, 700))
    assert dots.mass.sum() + dots.infinity == pytest.approx(1.0, abs=1e-10)
    assert dots.mass.sum() + dots.infinity >= 1 - 1e-15
    # What the second law has below the points is left out of it.
    second = (dots.mass * np.exp(-dots.losses)).sum()
    below = pair.curve(np.array([low]), reversed_=True)[0]
    assert 1 - below - 1e-10 <= second <= 1 + 1e-10


def test_what_lies_above_the_points_becomes_infinite():
    pair = Gaussian(1.0)
    dots = connect_the_dots(pair, False, np.linspace(0, 5, 50), np.linspace(0, 2, 50))
    assert dots.infinity == gdp_delta(1.0, 2.0)


def test_small_masses_in_the_tails_keep_their_digits():
    # Second differences of a curve near 1 would drown a density of 1e-13 in rounding.
    pair = Gaussian(1.0)
    step = 1e-3
    dots = connect_the_dots(pair, False, step * np.arange(7001), step * np.arange(8001))
    density = np.exp(-np.square(dots.losses - 0.5) / 2) / np.sqrt(2 * np.pi)
    for loss in (-6.5, -4.0, 0.0, 5.0, 7.5):
        near = np.abs(dots.losses - loss) < 0.02
        assert dots.mass[near].sum() == pytest.approx(density[near].sum() * step, rel=1e-4, abs=0)


def test_sketches_are_remembered():
    assert sketch(Gaussian(0.3), False, 1e-20) is sketch(Gaussian(0.3), False, 1e-20)


def test_loss_ends_respect_the_largest_loss():
    assert loss_ends(Laplace(0.3), False, 0.0) == (0.3, 0.3)
    low, high = loss_ends(SubsampledGaussian(0.3, 1.0), False, 1e-10)
    assert low <= -np.log1p(-0.3) * (1 + 1e-15)
    assert high > 1


def test_given_curves_keep_their_directions():
    pair = SubsampledGaussian(0.2, 1.0)
    given = GivenCurve(pair.curve, lambda e: pair.curve(e, reversed_=True))
    points = np.linspace(0, 2, 50)
    for reversed_ in (False, True):
        ours = connect_the_dots(pair, reversed_, points, points)
        theirs = connect_the_dots(given, reversed_, points, points)
        assert np.array_equal(ours.mass, theirs.mass)
