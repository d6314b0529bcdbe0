"""Noisy gradients on samples: the price, the coins, the clipping, and audits of all three."""

import math
from unittest import mock

import numpy as np
import pytest
from auditing import ALPHA, halved_noise

from skprivacy.accounting import ADJACENCIES, PrivacyLoss, gdp_delta
from skprivacy.attacks import clopper_pearson, epsilon_lower_bound
from skprivacy.mechanisms import SubsampledGradients, _subsampled, random_source
from skprivacy.mechanisms._subsampled import LEAST_NOISE, poisson_sample

RNG = np.random.default_rng(0)


def mechanism(rate=0.2, n_steps=50, mu=1.0, adjacency="add-remove", **options):
    return SubsampledGradients(
        name="steps", sampling_rate=rate, n_steps=n_steps, **options
    ).calibrate(adjacency, mu=mu, delta0=1e-8)


def draw(calibrated, layers, seed=0, weights=None, adjacency="add-remove"):
    n_rows = layers[0][0].shape[0]
    return calibrated.draw(
        lambda rows: [(a[rows], d[rows]) for a, d in layers],
        n_rows=n_rows,
        shapes=[(a.shape[1], d.shape[1]) for a, d in layers],
        weights=weights,
        adjacency=adjacency,
        source=random_source(seed),
    )


@pytest.mark.parametrize("adjacency", ADJACENCIES)
@pytest.mark.parametrize(("rate", "n_steps"), [(0.05, 200), (0.5, 10), (1.0, 30)])
@pytest.mark.parametrize("mu", [0.1, 1.0, 5.0])
def test_noise_is_solved_for_the_budget(adjacency, rate, n_steps, mu):
    calibrated = mechanism(rate, n_steps, mu, adjacency)
    sigma = calibrated.noise_multiplier
    certified = PrivacyLoss.subsampled_gaussian(rate, sigma, n_steps, 1e-8, adjacency)
    assert certified.mu <= mu
    assert certified.mu >= mu * (1 - 2e-4) or sigma == LEAST_NOISE
    assert calibrated.loss(adjacency) == PrivacyLoss(mu, 1e-8)
    unsampled = (1 if adjacency == "add-remove" else 2) * math.sqrt(n_steps) / mu
    assert sigma <= unsampled * (1 + 1e-3)


def test_a_price_does_not_follow_a_smaller_noise_down():
    calibrated = mechanism()
    less = SubsampledGradients(**{**vars(calibrated), "noise_multiplier": 1.0})
    assert less.loss("add-remove").mu > 1.3


def test_what_is_not_calibrated_has_no_price():
    bare = SubsampledGradients(name="steps", sampling_rate=0.1, n_steps=5)
    with pytest.raises(ValueError, match="not calibrated"):
        bare.loss("add-remove")
    with pytest.raises(ValueError, match="no pure epsilon"):
        bare.calibrate("add-remove", epsilon=1.0)


@pytest.mark.parametrize("rate", [0.001, 0.3, 1.0])
def test_every_row_joins_by_its_own_coin(rate):
    n = 200_001
    sample = poisson_sample(n, rate, random_source(0))
    low, high = clopper_pearson(sample.size, n, 1e-6)
    assert low <= rate <= high
    assert (np.diff(sample) > 0).all()
    if rate == 1.0:
        assert sample.size == n
    pairs = np.isin(np.arange(n - 1), sample) & np.isin(np.arange(1, n), sample)
    low, high = clopper_pearson(int(pairs[::2].sum()), pairs[::2].size, 1e-6)
    assert low <= rate**2 <= high


def layers_of(n_rows, scale=1.0):
    return [
        (RNG.normal(size=(n_rows, 4)), scale * RNG.normal(size=(n_rows, 3))),
        (RNG.normal(size=(n_rows, 3)), scale * RNG.normal(size=(n_rows, 2))),
    ]


def per_example(layers):
    """Return every row's gradient, clipped to norm 1, the slow way."""
    products = [np.einsum("ni,nj->nij", a, d) for a, d in layers]
    norms = np.sqrt(sum((p**2).sum(axis=(1, 2)) for p in products))
    return [p / np.maximum(norms, 1.0)[:, None, None] for p in products]


def noiseless():
    return mock.patch.object(
        _subsampled, "rounded_gaussian", lambda shape, *_: np.zeros(shape, dtype=np.int64)
    )


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_sum_is_that_of_clipped_gradients(scale, weighted):
    layers = layers_of(300, scale)
    weights = RNG.uniform(-0.5, 2, 300) if weighted else None
    factor = np.clip(weights, 0, 1) if weighted else np.ones(300)
    with noiseless():
        found = draw(mechanism(1.0), layers, weights=weights).value
    for total, rows in zip(found, per_example(layers), strict=True):
        np.testing.assert_allclose(total, (factor[:, None, None] * rows).sum(axis=0), atol=0.02)


@pytest.mark.parametrize(
    "row",
    [
        [(np.full((1, 4), 1e200), np.full((1, 3), 1e200)), (np.ones((1, 3)), np.ones((1, 2)))],
        [(np.full((1, 4), np.nan), np.ones((1, 3))), (np.ones((1, 3)), np.ones((1, 2)))],
        [(np.zeros((1, 4)), np.ones((1, 3))), (np.ones((1, 3)), np.full((1, 2), np.inf))],
        [(np.full((1, 4), 1e-300), np.ones((1, 3))), (np.ones((1, 3)), np.ones((1, 2)))],
    ],
    ids=["huge", "nan", "infinite", "tiny"],
)
def test_no_row_adds_more_than_norm_1(row):
    with noiseless():
        total = draw(mechanism(1.0), row).value
    assert math.sqrt(sum((t**2).sum() for t in total)) <= 1.0


def test_blocks_are_added_exactly_in_any_order():
    layers = layers_of(20_000)
    order = RNG.permutation(20_000)
    with noiseless():
        one = draw(mechanism(1.0), layers).value
        other = draw(mechanism(1.0), [(a[order], d[order]) for a, d in layers]).value
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_noise_has_its_scale():
    calibrated = mechanism(0.5)
    layers = [(np.zeros((2, 200)), np.zeros((2, 100)))]
    noisy = draw(calibrated, layers)
    assert noisy.noise_scale == pytest.approx(calibrated.noise_multiplier)
    assert np.std(noisy.value[0]) == pytest.approx(calibrated.noise_multiplier, rel=0.03)
    assert draw(calibrated, layers, seed=1).value[0][0, 0] != noisy.value[0][0, 0]


def scores(calibrated, row, n):
    """Return n single steps' sums in the direction of a saturated row."""
    a = np.ones((2, 1)) if row else np.ones((1, 1))
    d = np.ones((2, 1)) if row else np.zeros((1, 1))
    d[0] = 0
    source = random_source(1 if row else 2)
    options = {"shapes": [(1, 1)], "adjacency": "add-remove", "source": source}
    return np.array(
        [
            calibrated.draw(lambda rows: [(a[rows], d[rows])], n_rows=len(a), **options).value[0]
            for _ in range(n)
        ]
    ).ravel()


def test_an_audit_of_one_step_stays_below_the_claim_and_sees_half_the_noise():
    # One step at a rate of 1 / 2, judged at the delta of its own curve at epsilon.
    calibrated = mechanism(0.5, 1, mu=3.0)
    claim = 1.0
    delta = float(gdp_delta(3.0, np.array([claim]))[0]) + 1e-8
    exact = 0.5 * float(
        gdp_delta(1 / calibrated.noise_multiplier, np.log1p(np.expm1(np.array([claim])) / 0.5))[0]
    )
    assert exact <= delta
    honest = [scores(calibrated, row, 3000) for row in (True, False)]
    assert epsilon_lower_bound(*honest, delta=exact, alpha=ALPHA) <= claim
    with halved_noise():
        wrong = [scores(calibrated, row, 3000) for row in (True, False)]
    assert epsilon_lower_bound(*wrong, delta=exact, alpha=ALPHA) > claim
