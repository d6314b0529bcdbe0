"""DPMinMaxScaler: bounds alone, free where they are declared, audited where they are found."""

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler

from skprivacy import PrivacyAccountant
from skprivacy.accounting import gdp_epsilon
from skprivacy.attacks import mu_lower_bound
from skprivacy.bounding import MAGNITUDE, _evidence, _magnitude_weights
from skprivacy.preprocessing import DPMinMaxScaler

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])


@pytest.fixture(scope="module", name="X")
def rows_of_three_columns():
    return np.random.default_rng(0).normal([0, 3, 10], [1, 2, 0.5], size=(4000, 3))


@pytest.mark.parametrize("feature_range", [(0, 1), (-1, 1), (3, 3.5)])
def test_declared_bounds_give_scikit_learn_s_scaler(X, feature_range):
    bounds = X.min(axis=0), X.max(axis=0)
    scaler = DPMinMaxScaler(bounds=bounds, feature_range=feature_range).fit(X)
    twin = MinMaxScaler(feature_range).fit(X)
    for name in ("data_min_", "data_max_", "data_range_", "scale_", "min_"):
        np.testing.assert_allclose(getattr(scaler, name), getattr(twin, name))
    np.testing.assert_allclose(scaler.transform(X), twin.transform(X), atol=1e-12)


@by_adjacency
def test_declared_bounds_are_free(X, adjacency):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6, adjacency=adjacency)
    scaler = DPMinMaxScaler(accountant=accountant, bounds=(-5, 15)).fit(X)
    assert len(accountant.entries) == 0
    assert scaler.privacy_.epsilon == 0
    assert scaler.privacy_.mechanisms == ()
    # So they need no delta, and no row has any influence.
    pure = DPMinMaxScaler(delta=0, bounds=(-5, 15)).fit(X[:1] * 1e6)
    assert np.array_equal(pure.scale_, scaler.scale_)
    with pytest.raises(ValueError, match="delta above 0"):
        DPMinMaxScaler(delta=0).fit(X)


@by_adjacency
def test_private_ranges_are_charged_and_hold_the_rows(X, adjacency):
    accountant = PrivacyAccountant(adjacency=adjacency)
    scaler = DPMinMaxScaler(2.0, accountant=accountant, random_state=0).fit(X)
    (entry,) = accountant.entries
    assert entry.mu == scaler.privacy_.mu
    assert scaler.privacy_.epsilon == pytest.approx(2.0, rel=1e-6)
    output = scaler.transform(X)
    assert output.min() >= 0
    assert output.max() <= 1
    assert ((output > 0) & (output < 1)).mean() > 0.95
    assert (output.std(axis=0) > 0.05).all()


@pytest.mark.parametrize("feature_range", [(1, 0), (1, 1), [0, 1], 5])
def test_wrong_feature_ranges_charge_nothing(X, feature_range):
    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match="'feature_range' parameter"):
        DPMinMaxScaler(accountant=accountant, feature_range=feature_range).fit(X)
    assert len(accountant.entries) == 0


def test_there_are_no_batches():
    assert not hasattr(DPMinMaxScaler(bounds=(0, 1)), "partial_fit")


def test_a_singleton_never_sets_the_range():
    """DP-EBM's binning shows a category that one row alone has."""
    X = np.random.default_rng(1).uniform(0.5, 1, size=(200, 1))
    X[0] = 12345.0
    highest = [DPMinMaxScaler(1.0, random_state=seed).fit(X).data_max_[0] for seed in range(200)]
    assert max(highest) < 12345


def audit(adjacency, mu, n_fits):
    """Lower bound on mu from the range of one column with rows at the edge of being seen.

    The attacker knows the noise from the receipt, and puts as many rows into a magnitude
    as its threshold asks for: one more row is seen or not by the sign of the noise. That
    takes the magnitudes' half of mu squared; the event can't take more.
    """
    # Without an accountant the adjacency is add-remove, and a fit is faster.
    accountant = None if adjacency == "add-remove" else PrivacyAccountant(adjacency=adjacency)
    scaler = DPMinMaxScaler(gdp_epsilon(mu, 1e-6), accountant=accountant)
    noise = scaler.fit([[0.0]]).privacy_.noise_scales[MAGNITUDE]
    threshold = noise * _evidence(_magnitude_weights())
    n_rows = round(float(threshold[-65]))  # the cell of [1, 2)
    base = np.vstack([np.zeros((300, 1)), np.full((n_rows, 1), 1.5)])
    if adjacency == "add-remove":
        pair = base[:-1], base
    else:
        pair = np.vstack([base[:-1], [[0.0]]]), base
    scores = [[clone(scaler).fit(rows).data_max_[0] > 0.5 for _ in range(n_fits)] for rows in pair]
    return mu_lower_bound(*scores[::-1], threshold=0.5, alpha=ALPHA)


@pytest.mark.slow
@by_adjacency
@pytest.mark.parametrize("mu", [0.7, 1.0])
def test_audit_at_full_size(adjacency, mu):
    # Half of mu squared; under replace-one only one of the two cells that change decides.
    share = 0.5**0.5 if adjacency == "add-remove" else 0.5
    assert 0.8 * share * mu < audit(adjacency, mu, 20_000) <= mu
    with halved_noise():
        assert audit(adjacency, mu, 20_000) > 1.5 * share * mu
