"""Drawings of shape functions hold what the model says."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from skprivacy.additive import DPAdditiveClassifier
from skprivacy.inspection import ShapeFunctionDisplay

mpl.use("Agg")


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.uniform(-1, 1, 6000), "z": rng.uniform(-1, 1, 6000)})
    X["kind"] = pd.Series(rng.choice(["a", "b"], 6000), dtype=object)
    y = (X["x"] * X["z"] > 0).astype(int)
    facts = {"bounds": {"x": (-1, 1), "z": (-1, 1)}, "categories": {"kind": ["a", "b"]}}
    return DPAdditiveClassifier(4.0, random_state=0, **facts).fit(X, y)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def test_steps_with_a_band(fitted):
    display = ShapeFunctionDisplay.from_estimator(fitted, "x").plot()
    function = fitted.explain_global()[0]
    line = display.ax_.patches[1]
    np.testing.assert_array_equal(line.get_data().values, function.values[:-1, 0])
    band = display.ax_.patches[0].get_data()
    np.testing.assert_allclose(band.values - band.baseline, 4 * function.deviations[:-1])
    assert display.ax_.get_xlabel() == "x"
    assert display.figure_ is display.ax_.figure


def test_categories(fitted):
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    display = ShapeFunctionDisplay.from_estimator(fitted, 2).plot(ax=ax)
    assert display.ax_ is ax
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "other", "missing"]


@pytest.mark.parametrize("feature", [("x", "z"), (1, 0), ("z", 0)])
def test_pairs(fitted, feature):
    display = ShapeFunctionDisplay.from_estimator(fitted, feature).plot()
    function = display.function
    assert set(function.columns) == {0, 1}
    drawn = display.ax_.collections[0].get_array()
    np.testing.assert_array_equal(np.ravel(drawn), function.values[:, :, 0].T.ravel())


@pytest.mark.parametrize("feature", ["w", 3, ("x", "kind"), ("x", "x")])
def test_what_the_model_does_not_have(fitted, feature):
    with pytest.raises(ValueError, match="has no shape function"):
        ShapeFunctionDisplay.from_estimator(fitted, feature)
