"""No error about the form of the data quotes a cell, and no warning depends on one."""

import traceback

import numpy as np
import pytest
from sklearn.base import clone

from skprivacy.additive import DPAdditiveRegressor
from skprivacy.linear_model import DPLogisticRegression, DPRidge
from skprivacy.naive_bayes import DPGaussianNB

SECRET = "Jane Roe"


def rows(n_rows=60):
    X = np.random.default_rng(0).uniform(-1, 1, (n_rows, 2))
    return X, np.arange(n_rows) % 2


@pytest.mark.parametrize("where", ["X", "y"])
@pytest.mark.parametrize("model", [DPRidge(), DPAdditiveRegressor(y_bounds=(0, 1))])
def test_text_is_not_quoted_anywhere_in_the_chain_of_errors(where, model):
    X, y = rows()
    X, y = X.astype(object), y.astype(object)
    if where == "X":
        X[7, 1] = SECRET if isinstance(model, DPRidge) else 10**400
    else:
        y[7] = SECRET
    with pytest.raises(ValueError, match=r"no numbers|too large") as caught:
        model.fit(X, y)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("model", [DPGaussianNB(bounds=(-1, 1)), DPLogisticRegression()])
def test_huge_values_of_both_signs_warn_no_more_than_others(model):
    X, y = rows()
    X[[0, 1]], X[[2, 3]] = 1.7e308, -1.7e308
    model.fit(X, y)  # warnings are errors here


@pytest.mark.parametrize(
    "facts",
    [
        {"clipping_norm": 1e-150, "fit_intercept": False},
        {"bounds": (0, 2e-280)},
        {"max_weight": 1e-150},
        {"max_weight": 1e150},
    ],
)
@pytest.mark.parametrize(
    "model", [DPLogisticRegression(C=1e-150), DPLogisticRegression(C=1e150), DPRidge(1e300)]
)
def test_extreme_scales_make_no_row_a_reason_to_fail(model, facts):
    X, y = rows()
    X[0] = 0.0
    coefficients = clone(model).set_params(**facts).fit(X * 1e-3, y).coef_
    assert np.isfinite(coefficients).all()


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"clipping_norm": 1e-305}, "clipping_norm"),
        ({"bounds": (0, 5e-324)}, "2e-280 apart"),
        ({"max_weight": 1e-200}, "max_weight"),
    ],
)
def test_scales_that_would_overflow_are_refused(facts, problem):
    with pytest.raises(ValueError, match=problem):
        DPLogisticRegression(**facts).fit(*rows())


@pytest.mark.parametrize("odd", [["4242abc"] * 60, [10**400] * 60])
def test_weights_are_not_quoted(odd):
    with pytest.raises(ValueError, match=r"no numbers|too large") as caught:
        DPRidge().fit(*rows(), sample_weight=odd)
    assert "4242" not in "".join(traceback.format_exception(caught.value))


def test_complex_rows_are_not_quoted():
    X, y = rows()
    with pytest.raises(ValueError, match="Complex data not supported") as caught:
        DPRidge().fit(X + 0.125j, y)
    assert "j" not in str(caught.value).split("numbers")[1]
