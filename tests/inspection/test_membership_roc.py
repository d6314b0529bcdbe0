import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skprivacy.attacks import GapAttack, run_attacks
from skprivacy.exceptions import PrivacyWarning
from skprivacy.inspection import Claim, MembershipRocDisplay
from skprivacy.linear_model import DPLogisticRegression

X, Y = make_classification(n_samples=120, n_features=8, flip_y=0.3, random_state=0)
SIDES = X[:60], Y[:60], X[60:], Y[60:]


def drawn(display):
    axes = display.ax_
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def test_scores_become_the_curve_on_log_axes():
    display = MembershipRocDisplay.from_scores([3, 4, 1, 5], [2, 0, 0, 1], name="mine", epsilon=1.0)
    axes = Figure().subplots()
    assert display.plot(ax=axes) is display
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert (display.ax_, display.figure_) == (axes, axes.figure)
    lines = drawn(display)
    # Three of four members stand above every non-member: drawn at the left edge.
    assert [1e-3, 0.75] in lines["mine (AUC 0.906)"].tolist()
    bound = lines["bound at epsilon = 1"]
    np.testing.assert_allclose(bound[:, 1], Claim(1.0).largest_tpr(bound[:, 0]))


def test_results_of_attacks_become_one_curve_each():
    results, _ = run_attacks(
        DecisionTreeClassifier().fit(*SIDES[:2]), *SIDES, attacks=["loss", "gap"], n_shadow=0
    )
    display = MembershipRocDisplay.from_results(results)
    assert set(display.curves) == {"loss", "gap"}
    labels = set(drawn(display.plot(ax=Figure().subplots())))
    assert labels == {
        "guessing",
        *(f"{name} (AUC {results[name].roc_auc:.3f})" for name in results),
    }


def test_an_estimator_is_attacked_and_its_claim_drawn():
    private = DPLogisticRegression(3.0, 1e-5).fit(*SIDES[:2])
    display = MembershipRocDisplay.from_estimator(private, *SIDES)
    assert display.claim.epsilon == pytest.approx(3.0, rel=1e-6)
    assert set(display.curves) == {"loss"}
    display = MembershipRocDisplay.from_estimator(
        LogisticRegression().fit(*SIDES[:2]), *SIDES, attack=GapAttack()
    )
    assert display.claim is None
    assert set(display.curves) == {"gap"}
    assert display.plot(ax=Figure().subplots(), legend=False).ax_.get_legend() is None


def test_overlapping_rows_are_warned_of():
    model = LogisticRegression().fit(*SIDES[:2])
    with pytest.warns(PrivacyWarning, match="60 of 60 non-members equal a member"):
        MembershipRocDisplay.from_estimator(model, *SIDES[:2], *SIDES[:2], attack=GapAttack())
