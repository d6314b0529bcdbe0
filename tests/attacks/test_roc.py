import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from skprivacy.attacks import roc_auc, roc_auc_interval, roc_points, tpr_at_fpr

SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_areas_and_points_are_those_of_scikit_learn(members, nonmembers):
    truth = np.r_[np.ones(len(members)), np.zeros(len(nonmembers))]
    scores = np.r_[members, nonmembers]
    assert roc_auc(members, nonmembers) == pytest.approx(roc_auc_score(truth, scores))
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    ours = roc_points(members, nonmembers)
    np.testing.assert_allclose(ours[0], fpr)
    np.testing.assert_allclose(ours[1], tpr)


@given(SCORES, SCORES)
def test_the_hull_is_concave_above_the_steps_and_has_the_least_area(members, nonmembers):
    x, y = roc_points(members, nonmembers, hull=True)
    run, rise = np.diff(x), np.diff(y)
    assert (rise[:-1] * run[1:] >= rise[1:] * run[:-1] - 1e-12).all()
    steps = roc_points(members, nonmembers)
    above = tpr_at_fpr(members, nonmembers, steps[0], hull=True)
    assert (above >= steps[1] - 1e-12).all()
    assert {*zip(x, y, strict=True)} <= {*zip(*steps, strict=True)}
    assert roc_auc(members, nonmembers, hull=True) >= max(0.5, roc_auc(members, nonmembers)) - 1e-12


# Expected values of jax_privacy's tests/auditing_test.py.
def test_hull_area_of_jax_privacy():
    assert roc_auc([0, 4, 6, 7], [1, 2, 3, 5], hull=True) == pytest.approx(13 / 16)
    assert roc_auc([0, 4, 6, 7], [1, 2, 3, 5]) == pytest.approx(11 / 16)


def test_rates_on_the_hull_of_jax_privacy():
    rates = tpr_at_fpr([1, 3], [0, 2], [0, 0.25, 0.5, 0.75, 1], hull=True)
    np.testing.assert_allclose(rates, [0.5, 0.75, 1, 1, 1])


def test_rates_without_a_hull_are_those_of_thresholds_alone():
    rates = tpr_at_fpr([1, 3], [0, 2], [0, 0.25, 0.49, 0.5, 1])
    np.testing.assert_array_equal(rates, [0.5, 0.5, 0.5, 1, 1])
    assert tpr_at_fpr([1, 3], [0, 2], 0.5) == 1.0


def test_a_rate_of_whole_rows_is_met_exactly():
    # 1 - 99/100 is more than .01 in floating point: counts are compared, not their remainder.
    nonmembers = np.arange(100.0)
    assert tpr_at_fpr([98.5], nonmembers, 0.01) == 1.0
    assert tpr_at_fpr([97.5], nonmembers, 0.01) == 0.0


@pytest.mark.parametrize(("n_members", "n_nonmembers", "shift"), [(40, 60, 1.0), (200, 50, 0.3)])
def test_the_interval_covers_the_area(n_members, n_nonmembers, shift):
    from scipy.special import ndtr

    rng = np.random.default_rng(0)
    truth, runs = ndtr(shift / np.sqrt(2)), 1000
    covered = sum(
        low <= truth <= high
        for low, high in (
            roc_auc_interval(rng.normal(shift, 1, n_members), rng.normal(0, 1, n_nonmembers))
            for _ in range(runs)
        )
    )
    # Nominally 950; three standard deviations of the count, and DeLong's asymptotics.
    assert 920 <= covered <= 975


def test_the_interval_is_delongs():
    # Against a bootstrap of the same rows.
    rng = np.random.default_rng(1)
    members, nonmembers = rng.normal(0.7, 1, 300), rng.normal(0, 1, 200)
    areas = [roc_auc(rng.choice(members, 300), rng.choice(nonmembers, 200)) for _ in range(1000)]
    expected = np.quantile(areas, [0.025, 0.975])
    np.testing.assert_allclose(roc_auc_interval(members, nonmembers), expected, atol=0.008)


def test_the_interval_of_parted_sides_is_exact():
    low, high = roc_auc_interval(np.arange(10) + 100, np.arange(20))
    assert high == 1.0
    assert low**10 == pytest.approx(0.025)
    assert roc_auc_interval(np.arange(10) - 100, np.arange(20)) == pytest.approx((0.0, 1 - low))


@pytest.mark.parametrize("scores", [[], [0.0, np.nan]])
def test_scores_must_be_numbers(scores):
    with pytest.raises(ValueError, match="at least one on each side, and not NaN"):
        roc_auc(scores, [0.0])


def test_rates_must_be_rates():
    with pytest.raises(ValueError, match=r"fpr must be a float in the range \[0, 1\]. Got 1.5"):
        tpr_at_fpr([1], [0], 1.5)
