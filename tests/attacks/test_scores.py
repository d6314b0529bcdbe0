import numpy as np
import pytest
from scipy.stats import norm

from skprivacy.attacks import (
    difficulty_calibrated_scores,
    gaussian_log_density,
    lira_scores,
    rmia_scores,
)

# The table of tensorflow_privacy's advanced_mia_test.py: four rows, of which the last has
# no shadow model. There it is negated, low for members.
TARGET = [1.0, 0.0, 0.0, 0.0]
SAMPLES = np.array([[-1.0, 0.0, 0.0, 99.0], [1.0, 2.0, 20.0, 99.0]])
CHOSEN = np.array([[True, True, True, False], [True, True, True, False]])


def test_log_densities_of_tensorflow_privacy():
    density = gaussian_log_density(TARGET, SAMPLES, CHOSEN, variance="per-row")
    expected = [-1.41893853, -1.41893853, -3.72152363, -2.72537178]
    np.testing.assert_allclose(density, expected, atol=1e-8)


def test_log_densities_of_tensorflow_privacy_with_one_variance():
    density = gaussian_log_density(TARGET, SAMPLES, CHOSEN, variance="pooled")
    expected = [-2.69682468, -2.69682468, -4.15270703, -2.87983121]
    np.testing.assert_allclose(density, expected, atol=1e-8)


@pytest.mark.parametrize("variance", ["pooled", "per-row"])
def test_lira_is_the_ratio_of_two_densities(variance):
    rng = np.random.default_rng(0)
    target, shadows = rng.normal(size=5), rng.normal(size=(8, 5))
    inside = np.arange(8)[:, np.newaxis] % 2 == np.arange(5) % 2
    scores = lira_scores(target, shadows, inside, variance=variance)
    within = [shadows[inside[:, row], row] for row in range(5)]
    without = [shadows[~inside[:, row], row] for row in range(5)]

    def density(groups):
        pooled = np.concatenate([group - group.mean() for group in groups]).std()
        return [
            norm.logpdf(x, group.mean(), pooled if variance == "pooled" else group.std())
            for x, group in zip(target, groups, strict=True)
        ]

    np.testing.assert_allclose(scores, np.subtract(density(within), density(without)))


def test_offline_lira_does_not_look_at_models_with_the_row():
    rng = np.random.default_rng(0)
    target, shadows = rng.normal(size=3), rng.normal(size=(6, 3))
    inside = np.arange(6)[:, np.newaxis] % 2 == np.zeros(3)
    scores = lira_scores(target, shadows, inside, online=False, variance="per-row")
    outside = shadows[1::2]
    np.testing.assert_allclose(scores, (target - outside.mean(axis=0)) / outside.std(axis=0))
    np.testing.assert_array_equal(
        scores,
        lira_scores(
            target, np.where(inside, 1e3, shadows), inside, online=False, variance="per-row"
        ),
    )


def test_lira_bears_signals_that_never_vary():
    scores = lira_scores([1.0, 0.0], np.ones((4, 2)), np.arange(4)[:, None] % 2 == [0, 1])
    assert np.isfinite(scores).all()
    assert scores[0] == 0.0


def test_lira_needs_models_on_both_sides():
    with pytest.raises(ValueError, match="No shadow model is on the side"):
        lira_scores([1.0], [[1.0], [2.0]], [[True], [True]])


def test_offline_rmia_is_ml_privacy_meters_formula():
    rng = np.random.default_rng(0)
    target, target_z = rng.random(40), rng.random(30)
    shadows, shadows_z = rng.random((6, 40)), rng.random((6, 30))
    inside, a = rng.random((6, 40)) < 0.5, 0.3
    mean_out = np.array([shadows[~inside[:, row], row].mean() for row in range(40)])
    ratio_x = target / (((1 + a) * mean_out + (1 - a)) / 2)
    ratio_z = target_z / (((1 + a) * shadows_z.mean(axis=0) + (1 - a)) / 2)
    expected = (ratio_x[:, np.newaxis] / ratio_z >= 1.0).sum(axis=1)
    scores = rmia_scores(target, shadows, inside, target_z, shadows_z, online=False, offline_a=a)
    np.testing.assert_array_equal(np.floor(scores * 31), expected)
    order = np.argsort(ratio_x)
    assert (np.diff(scores[order]) > 0).all()  # strictly: no ties are left


def test_online_rmia_takes_the_mean_of_both_sides():
    target, shadows = np.array([0.9, 0.3]), np.array([[0.8, 0.2], [0.6, 0.4], [0.2, 0.2]])
    inside = np.array([[True, False], [False, True], [False, False]])
    scores = rmia_scores(target, shadows, inside, target, shadows, population_inside=inside)
    ratio = target / np.array([(0.8 + 0.4) / 2, (0.4 + 0.2) / 2])
    count = (ratio[:, np.newaxis] >= ratio).sum(axis=1)
    np.testing.assert_allclose(scores, (count + ratio / (1 + ratio)) / 3)


def test_gamma_asks_for_more():
    arguments = ([0.5], [[0.5], [0.5]], [[True], [False]], [0.5], [[0.5], [0.5]])
    population = {"population_inside": [[True], [False]]}
    assert rmia_scores(*arguments, **population, gamma=1.0) > 0.5
    assert rmia_scores(*arguments, **population, gamma=2.0) < 0.5


def test_calibration_subtracts_what_models_without_the_row_say():
    scores = difficulty_calibrated_scores([3.0], [[1.0], [9.0], [2.0]], [[False], [True], [False]])
    np.testing.assert_allclose(scores, [1.5])


def test_shapes_and_names_are_checked():
    with pytest.raises(ValueError, match=r"one shape \(n_models, n_rows\)"):
        lira_scores([0.0], [[0.0]], [[True, False]])
    with pytest.raises(ValueError, match="variance must be 'pooled' or 'per-row'. Got 'fixed'"):
        lira_scores([0.0], [[0.0], [1.0]], [[True], [False]], variance="fixed")
