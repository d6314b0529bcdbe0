"""Public rows: there have to be some, they stay whole, and frames and holes come through."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from teaching import Stub, pate

from skprivacy.distillation import PublicData
from skprivacy.preprocessing import DPMinMaxScaler


def test_there_have_to_be_public_rows_or_bounds(problem):
    X, y, pool, _ = problem
    with pytest.raises(ValueError, match="needs public rows to label: pass X_public"):
        pate().fit(X, y)
    with pytest.raises(ValueError, match="X_public is X itself"):
        pate().fit(X, y, X_public=X)
    with pytest.raises(ValueError, match="at most the number of public rows, 300"):
        pate(n_queries=301).fit(X, y, X_public=pool)
    with pytest.raises(ValueError, match="features"):
        pate().fit(X, y, X_public=pool[:, :2])


def test_synthetic_queries_lie_inside_the_bounds(problem, seen):
    X, y, _, _ = problem
    low, high = np.array([-1.0, -2, 0, 5]), np.array([1.0, -1, 3, 6])
    pate(Stub(), Stub(), bounds=(low, high), n_queries=2500).fit(X, y)
    (queries,) = {
        rows.tobytes(): rows for m, rows, _, _ in seen if m == "predict" and len(rows) == 2500
    }.values()
    assert ((queries >= low) & (queries <= high)).all()
    assert np.abs(queries.mean(axis=0) - (low + high) / 2).max() < 0.1


def test_bounds_of_a_private_scaler_are_public(problem):
    X, y, _, _ = problem
    model = make_pipeline(DPMinMaxScaler(bounds=(-5, 5)), pate(epsilon=8.0, n_teachers=20))
    assert model.fit(X, y).score(X, y) > 0.6


def test_cross_validation_cuts_an_array_and_leaves_public_data_whole(problem, seen):
    """The trap: a bare pool with as many rows as X arrives in part."""
    X, y, pool, _ = problem
    X, y, pool = X[:40], y[:40], pool[:40]

    def asked(public):
        seen.clear()
        model = pate(Stub(), Stub(), n_queries=20)
        with config_context(enable_metadata_routing=True):
            model.set_fit_request(X_public=True)
            cross_val_score(model, X, y, cv=2, params={"X_public": public}, error_score="raise")
        rows = [rows for method, rows, _, _ in seen if method == "fit" and len(rows) == 200]
        return len({row.tobytes() for row in np.concatenate(rows[:2])})

    assert asked(PublicData(pool)) == 40
    assert asked(pool) == 20


def test_public_data_has_no_length():
    wrapped = PublicData(np.zeros((7, 2)))
    assert not any(hasattr(wrapped, name) for name in ("__len__", "shape", "__array__"))
    assert repr(wrapped) == "PublicData(7 rows)"
    assert wrapped.rows.shape == (7, 2)


def test_pipelines_of_mixed_data_frames():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"size": rng.normal(size=800), "colour": rng.choice(["red", "green", "blue"], size=800)}
    )
    y = np.where((frame["colour"] == "red") | (frame["size"] > 1), "yes", "no")
    encode = make_column_transformer(
        (StandardScaler(), ["size"]), (OneHotEncoder(handle_unknown="ignore"), ["colour"])
    )
    model = pate(
        make_pipeline(encode, LogisticRegression()),
        make_pipeline(clone(encode), DecisionTreeClassifier(max_depth=3)),
        epsilon=20.0,
    )
    model.fit(frame[:500], y[:500], X_public=PublicData(frame[500:]))
    assert model.score(frame, y) > 0.9
    assert model.feature_names_in_.tolist() == ["size", "colour"]
    with pytest.raises(ValueError, match="for numeric columns alone"):
        pate(bounds=(-1, 1)).fit(frame, y)


def test_missing_values_where_all_take_them(problem):
    X, y, pool, _ = problem
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    boosted = HistGradientBoostingClassifier(max_iter=5)
    model = pate(boosted, boosted, epsilon=8.0).fit(holes, y, X_public=pool)
    assert model.predict(holes).shape == y.shape
    with pytest.raises(ValueError, match="NaN"):
        pate(boosted, LogisticRegression()).fit(holes, y, X_public=pool)


def test_polars_frames(problem):
    polars = pytest.importorskip("polars")
    X, y, pool, labels = problem
    X, pool = (polars.DataFrame(rows, schema=list("abcd")) for rows in (X, pool))
    model = pate(epsilon=8.0, n_teachers=20).fit(X, y, X_public=PublicData(pool))
    assert model.score(pool, labels) > 0.85
