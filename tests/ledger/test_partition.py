import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from private_steps import PrivateShift
from scipy import sparse, stats

from skprivacy.accounting import gdp_mu
from skprivacy.exceptions import BudgetExceededError
from skprivacy.ledger import PrivacyAccountant
from skprivacy.ledger._partition import draw_parts


def test_parts_are_disjoint_and_cover_the_rows():
    X = np.arange(200).reshape(100, 2)
    parts = PrivacyAccountant(2.0).partition(X, X[:, 0], n_parts=4, epsilon=1.0, delta=1e-7)
    assert sorted(np.concatenate([part.y for part in parts])) == sorted(X[:, 0])
    for part in parts:
        np.testing.assert_array_equal(part.X[:, 0], part.y)
        assert (np.diff(part.y) > 0).all()


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.asarray,
        lambda rows: pd.DataFrame(rows, index=range(100, 130)),
        lambda rows: pl.DataFrame(np.asarray(rows, dtype=float)),
        lambda rows: sparse.csr_array(np.asarray(rows)),
        lambda rows: sparse.coo_array(np.asarray(rows)),
    ],
)
def test_rows_keep_their_type(make):
    X = make([[i, 0] for i in range(30)])
    parts = PrivacyAccountant(2.0).partition(X, n_parts=2, epsilon=1.0, delta=1e-7)
    rows = [part.X for part in parts]
    assert all(part.y is None for part in parts)
    sizes = [part.shape[0] if hasattr(part, "shape") else len(part) for part in rows]
    assert sum(sizes) == 30
    if not sparse.issparse(X):
        assert all(type(part) is type(X) for part in rows)


def test_coins_are_fair_independent_and_secret():
    parts = draw_parts(40_000, 4)
    assert stats.chisquare(np.bincount(parts, minlength=4)).pvalue > 1e-4
    pairs = np.bincount(parts[::2] * 4 + parts[1::2], minlength=16)
    assert stats.chisquare(pairs).pvalue > 1e-4
    np.random.seed(0)  # noqa: NPY002 - a global seed must not decide
    first = draw_parts(100, 4)
    np.random.seed(0)  # noqa: NPY002
    assert (first != draw_parts(100, 4)).any()


def test_parent_is_charged_the_largest_part_beforehand_and_only_that(data):
    accountant = PrivacyAccountant(2.0)
    parts = accountant.partition(data[0], n_parts=5, epsilon=1.0, delta=5e-7)
    (entry,) = accountant.entries
    assert entry.partition == "5 parts"
    assert entry.mu == gdp_mu(1.0, 5e-7)
    for part in parts:
        PrivateShift(1.0, 5e-7, part.accountant).fit(part.X)
        with pytest.raises(BudgetExceededError):
            part.accountant.spend(mu=0.01)
        assert part.accountant.spent.mu <= entry.mu
    assert len(accountant.entries) == 1
    assert parts[1].accountant.entries[0].partition == "part 2 of 5"
    accountant.verify()


def test_parts_that_cost_too_much_are_refused(data):
    accountant = PrivacyAccountant(1.0)
    with pytest.raises(BudgetExceededError):
        accountant.partition(data[0], n_parts=2, epsilon=2.0, delta=1e-7)
    assert accountant.entries == []


def test_pure_parts(data):
    accountant = PrivacyAccountant(1.0, delta=0.0)
    parts = accountant.partition(data[0], n_parts=2, epsilon=1.0, delta=0.0)
    for part in parts:
        PrivateShift(1.0, 0.0, part.accountant).fit(part.X)
    assert accountant.remaining.epsilon == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_parts": 0}, "n_parts"),
        ({"n_parts": 2.0}, "n_parts"),
        ({"n_parts": True}, "n_parts"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": math.inf}, "epsilon"),
        ({"delta": 1.0}, "delta"),
        ({"delta_reserve": 1e-3}, "delta_reserve"),
        ({"y": [1, 2]}, "inconsistent"),
    ],
)
def test_wrong_parameters_charge_nothing(options, message, data):
    accountant = PrivacyAccountant(2.0)
    options = {"n_parts": 2, "epsilon": 1.0, "delta": 1e-7} | options
    with pytest.raises(ValueError, match=message):
        accountant.partition(data[0], **options)
    assert accountant.entries == []
