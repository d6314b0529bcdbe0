"""Audits drawn: the curve under its claim, the test, and the bars."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression

from skprivacy.attacks import audit_scores, one_run_audit
from skprivacy.inspection import Claim, EpsilonAuditDisplay


def scores(mu, n_runs=1000):
    return np.random.default_rng(0).normal([[mu], [0]], 1, (2, n_runs))


def two_axes():
    return Figure().subplots(1, 2)


def lines_of(display):
    return {line.get_label(): line.get_xydata() for line in display.ax_[0].lines}


def test_a_gaussian_claim_has_both_curves_and_the_test_lies_under_them():
    display = EpsilonAuditDisplay.from_scores(*scores(1.0), delta=1e-5, mu=1.0)
    axes = two_axes()
    assert display.plot(ax=axes) is display
    assert display.ax_ == tuple(axes)
    assert display.figure_ is axes[0].figure
    assert (axes[0].get_xscale(), axes[0].get_yscale()) == ("log", "log")
    lines = lines_of(display)
    names = [name for name in lines if name.startswith("claim")]
    assert names == ["claim: epsilon = 4.38, delta = 1e-05", "claim: mu = 1"]
    bound = lines["claim: mu = 1"]
    expected = Claim(np.inf, 1e-5, 1.0).largest_tpr(bound[:, 0])
    np.testing.assert_allclose(bound[:, 1], expected)
    ((fpr, tpr),) = lines["test of the bound"]
    assert (fpr, tpr) == (display.audit.fpr_upper, 1 - display.audit.fnr_upper)
    assert tpr <= Claim(np.inf, 1e-5, 1.0).largest_tpr(fpr)
    # The attack's own curve is where the scores are.
    curve = lines["attack"]
    row = np.searchsorted(curve[:, 0], 0.2)
    assert curve[row, 1] == pytest.approx(0.56, abs=0.06)
    heights = [patch.get_height() for patch in axes[1].patches]
    assert heights == [display.audit.mu_lower, 1.0]
    assert axes[1].get_ylabel() == "mu"


def test_a_violated_claim_shows():
    audit = audit_scores(*scores(3.0), delta=1e-5, epsilon=1.0)
    display = EpsilonAuditDisplay.from_audit(audit).plot(ax=two_axes(), legend=False)
    assert audit.violated
    assert display.ax_[1].get_title() == "violated"
    assert display.ax_[0].get_legend() is None
    ((fpr, tpr),) = lines_of(display)["test of the bound"]
    assert tpr > Claim(1.0, 1e-5).largest_tpr(fpr)
    heights = [patch.get_height() for patch in display.ax_[1].patches]
    assert heights == [audit.epsilon_lower, 1.0]


def test_scores_that_are_high_outside_are_turned():
    inside, outside = scores(2.0)
    one = EpsilonAuditDisplay.from_scores(inside, outside, delta=1e-5, mu=2.0)
    other = EpsilonAuditDisplay.from_scores(-inside, -outside, delta=1e-5, mu=2.0)
    np.testing.assert_array_equal(one.tpr, other.tpr)
    np.testing.assert_array_equal(one.fpr, other.fpr)


def test_no_claim_and_one_fit_are_drawn_too():
    display = EpsilonAuditDisplay.from_scores(*scores(1.0), delta=1e-5).plot(ax=two_axes())
    assert not any(name.startswith("claim") for name in lines_of(display))
    assert len(display.ax_[1].patches) == 1
    audit = one_run_audit(
        LogisticRegression(),
        np.zeros((4, 40)),
        [0, 1, 0, 1],
        np.eye(40),
        np.arange(40) % 2,
        epsilon=1.0,
        delta=1e-5,
        random_state=0,
    )
    assert "test of the bound" in lines_of(EpsilonAuditDisplay.from_audit(audit).plot(two_axes()))


def test_one_axis_is_too_few():
    display = EpsilonAuditDisplay.from_scores(*scores(1.0), delta=1e-5)
    with pytest.raises(ValueError, match="ax must be 2 axes"):
        display.plot(ax=[Figure().subplots()])
