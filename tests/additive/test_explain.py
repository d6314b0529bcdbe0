"""Explanations: what is drawn is what is predicted, and the bands are those of the noise."""

import numpy as np
import pandas as pd
import pytest

from skprivacy.additive import DPAdditiveClassifier
from skprivacy.additive._explain import _interval_labels


def rows(n_rows=8000, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.uniform(-1, 1, n_rows),
            "kind": rng.choice(["a", "b", "c"], n_rows, p=[0.6, 0.3, 0.1]),
            "z": rng.uniform(0, 5, n_rows),
        }
    )
    score = 2 * frame["x"] + (frame["kind"] == "b") + frame["x"] * (frame["z"] - 2.5)
    return frame, (rng.uniform(size=n_rows) < 1 / (1 + np.exp(-score))).astype(int)


FACTS = {"bounds": {"x": (-1, 1), "z": (0, 5)}, "categories": {"kind": ["a", "b", "c"]}}


@pytest.fixture(scope="module")
def fitted():
    return DPAdditiveClassifier(4.0, random_state=0, **FACTS).fit(*rows())


def test_shapes_and_names(fitted):
    functions = fitted.explain_global()
    assert [f.name for f in functions[:3]] == ["x", "kind", "z"]
    assert functions[1].labels[0] == ("a", "b", "c", "other", "missing")
    assert functions[1].edges == (None,)
    for function in functions:
        sizes = tuple(len(labels) for labels in function.labels)
        assert function.values.shape == (*sizes, 1)
        assert function.deviations.shape == function.mass.shape == sizes
        assert function.mass.sum() == pytest.approx(1)
        assert (function.mass[..., np.newaxis] * function.values).sum() == pytest.approx(
            0, abs=1e-3
        )
        for edges, labels in zip(function.edges, function.labels, strict=True):
            if edges is not None:
                assert (np.diff(edges) > 0).all()
                assert edges.size == len(labels) + (len(function.columns) == 2)


def test_the_functions_add_up_to_the_prediction(fitted):
    X, _ = rows(200, seed=2)
    X.loc[:20, "x"] = np.nan
    X.loc[10:30, "kind"] = "unknown"
    total = np.repeat(fitted.intercept_[0], len(X))
    for function in fitted.explain_global():
        cells = []
        for column, edges, labels in zip(
            function.columns, function.edges, function.labels, strict=True
        ):
            values = X.iloc[:, column]
            if edges is None:
                known = {label: i for i, label in enumerate(labels)}
                cells.append([known.get(v, known["other"]) for v in values])
            else:
                code = np.searchsorted(edges[1:-1], values.to_numpy(), side="right")
                code[values.isna()] = len(labels) - 1
                cells.append(code)
        total += function.values[tuple(map(np.asarray, cells))][:, 0]
    np.testing.assert_allclose(total, fitted.decision_function(X))


def test_intervals_have_readable_names():
    edges = np.array([0.0, np.nextafter(0.0, 1.0), 2.5, 1e6])
    assert _interval_labels(edges) == ("0", "[0+, 2.5)", "[2.5, 1e+06]")
    assert _interval_labels(np.array([17.0, np.nextafter(17.0, 18), 90.0])) == ("17", "[17, 90]")


def test_importances_are_of_released_quantities(fitted):
    importances = fitted.feature_importances_
    assert importances.shape == (3,)
    assert importances.sum() == pytest.approx(1)
    assert importances.argmax() == 0
    functions = fitted.explain_global()
    expected = np.zeros(3)
    for f in functions:
        for column in f.columns:
            expected[column] += f.importance / len(f.columns)
    np.testing.assert_allclose(importances, expected / expected.sum())


def test_bands_are_the_spread_of_the_noise():
    """Over fits with the same rows, values differ about as much as their deviations say."""
    X, y = rows()
    X = X[["kind"]]
    facts = {"categories": FACTS["categories"], "interactions": 0}
    fits = [
        DPAdditiveClassifier(0.5, bounds=(0, 1), random_state=s, **facts).fit(X, y)
        for s in range(40)
    ]
    values = np.array([fit.explain_global()[0].values[:3, 0] for fit in fits])
    claimed = np.mean([fit.explain_global()[0].deviations[:3] for fit in fits], axis=0)
    ratio = values.std(axis=0) / claimed
    assert (ratio > 0.6).all()
    assert (ratio < 1.6).all()
