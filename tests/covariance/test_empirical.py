"""Private covariance: scikit-learn's methods on a released matrix."""

import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

from skprivacy import PrivacyAccountant
from skprivacy.covariance import DPEmpiricalCovariance


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 4)) + [1, 0, -1, 0]


def test_large_epsilon_gives_scikit_learns_estimator(rows):
    private = DPEmpiricalCovariance(1e5, bounds=(-12, 12)).fit(rows)
    twin = EmpiricalCovariance().fit(rows)
    np.testing.assert_allclose(private.location_, twin.location_, atol=0.01)
    np.testing.assert_allclose(private.covariance_, twin.covariance_, atol=0.03)
    np.testing.assert_allclose(private.precision_, twin.precision_, rtol=0.05, atol=0.05)
    np.testing.assert_allclose(
        private.mahalanobis(rows), twin.mahalanobis(rows), rtol=0.1, atol=0.1
    )
    assert private.score(rows) == pytest.approx(twin.score(rows), rel=0.01)
    assert private.error_norm(twin.covariance_) < 0.01


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
@pytest.mark.parametrize("bounds", [None, (-12, 12)])
def test_usual_epsilon_is_near(rows, epsilon, bounds):
    private = DPEmpiricalCovariance(epsilon, bounds=bounds, random_state=0).fit(rows)
    true = np.cov(rows.T)
    assert np.linalg.norm(private.covariance_ - true) < 0.3 * np.linalg.norm(true)


def test_is_a_covariance_whatever_the_noise():
    private = DPEmpiricalCovariance(0.1, random_state=0).fit(np.eye(5))
    values = np.linalg.eigvalsh(private.covariance_)
    assert values.min() > -1e-9 * max(values.max(), 1)
    np.testing.assert_allclose(private.covariance_, private.covariance_.T)
    assert np.isfinite(private.precision_).all()


def test_precision_is_made_on_demand(rows):
    parameters = {"bounds": (-12, 12), "random_state": 0}
    kept = DPEmpiricalCovariance(**parameters).fit(rows)
    made = DPEmpiricalCovariance(store_precision=False, **parameters).fit(rows)
    assert made.precision_ is None
    np.testing.assert_allclose(made.get_precision(), kept.precision_)


def test_a_declared_mean_is_an_assumption(rows):
    accountant = PrivacyAccountant()
    private = DPEmpiricalCovariance(5.0, accountant=accountant, assume_centered=True)
    private.set_params(bounds=(-12, 12), random_state=0).fit(rows)
    assert private.location_.tolist() == [0, 0, 0, 0]
    assert any("mean is 0" in text for text in private.privacy_.assumptions)
    second = rows.T @ rows / len(rows)
    assert np.linalg.norm(private.covariance_ - second) < 0.1 * np.linalg.norm(second)
    assert len(accountant.entries) == 1
