import math
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from skprivacy.inspection import PrivacyUtilityDisplay

RESULTS = [
    ("private", 1.0, 0.88, 0.02),
    ("private", 0.1, 0.80, 0.03),
    ("other", 1.0, 0.85, math.nan),
    ("plain", math.inf, 0.90, 0.01),
]


@pytest.fixture
def display():
    return PrivacyUtilityDisplay.from_results(RESULTS, metric="AUC")


def test_models_become_curves_over_epsilon_and_levels(display):
    curve = display.curves["private"]
    assert (curve.epsilon, curve.mean, curve.sd) == ((0.1, 1.0), (0.80, 0.88), (0.03, 0.02))
    assert set(display.curves) == {"private", "other"}
    assert display.levels == {"plain": 0.90}


def test_the_drawing_shows_every_model_on_a_log_axis(display):
    axes = Figure().subplots()
    assert display.plot(ax=axes) is display
    assert display.ax_ is axes
    assert display.figure_ is axes.figure
    assert (axes.get_xscale(), axes.get_ylabel()) == ("log", "AUC")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(labels) == ["other", "plain", "private"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.1", "1"]
    drawn = axes.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(drawn, [(0.1, 0.80), (1.0, 0.88)])


def test_the_legend_can_be_left_to_the_figure(display):
    assert display.plot(ax=Figure().subplots(), legend=False).ax_.get_legend() is None


def test_more_levels_than_line_styles_are_all_drawn():
    results = [(f"plain {k}", math.inf, k / 10, 0.0) for k in range(8)]
    display = PrivacyUtilityDisplay.from_results(results, metric="AUC")
    assert len(display.plot(ax=Figure().subplots()).ax_.lines) == 8


def test_without_matplotlib_the_extra_is_named():
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from skprivacy.inspection import PrivacyUtilityDisplay\n"
        "display = PrivacyUtilityDisplay.from_results([('a', 1.0, 0.5, 0.0)], metric='AUC')\n"
        "try: display.plot()\n"
        "except ImportError as error: assert 'skprivacy[report]' in str(error)\n"
        "else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
