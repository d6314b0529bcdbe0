import math
import warnings

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skprivacy import PrivacyAccountant, PrivacyLoss
from skprivacy.accounting import gdp_delta, gdp_mu
from skprivacy.inspection import Claim
from skprivacy.inspection._claims import claim_of
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.preprocessing import DPStandardScaler

RATES = np.linspace(0, 1, 41)


def claimed(model, X, y):
    return claim_of(model, n_features=X.shape[1], n_rows=len(y), classes=np.unique(y))


def test_pure_privacy_bounds_both_ends_of_the_curve():
    """Randomised response reaches the bound: its only test is at (1 / (1 + e), e / (1 + e))."""
    kept = math.e / (1 + math.e)
    assert Claim(1.0).largest_tpr([1 - kept])[0] == pytest.approx(kept)
    assert Claim(1.0).largest_tpr([0.0, 1.0]).tolist() == [0.0, 1.0]
    np.testing.assert_allclose(Claim(0.0).largest_tpr(RATES), RATES, atol=1e-15)
    assert Claim(0.0, 0.1).largest_tpr([0.0, 0.95]).tolist() == pytest.approx([0.1, 1.0])
    assert (Claim(5000.0).largest_tpr(RATES) <= 1).all()


def test_gaussian_privacy_is_the_curve_of_two_normals():
    claim = Claim.from_loss(PrivacyLoss(mu=1.5), delta=1e-6, adjacency="add-remove")
    thresholds = np.linspace(-3, 5, 50)
    powers = claim.largest_tpr(norm.sf(thresholds))
    np.testing.assert_allclose(powers, norm.sf(thresholds - 1.5), rtol=1e-9)
    # Its (epsilon, delta) lines touch it from above and nowhere cut it.
    for epsilon in (0.5, 2.0):
        line = Claim(epsilon, gdp_delta(1.5, epsilon)).largest_tpr(RATES)
        assert (line >= claim.largest_tpr(RATES) - 1e-9).all()


def test_a_part_outside_the_gaussian_adds_to_the_power():
    claim = Claim(math.inf, 0.0, 1.0, 0.05)
    assert claim.largest_tpr([0.0])[0] == pytest.approx(0.05)


def test_the_receipt_of_a_model_is_its_claim():
    X, y = load_iris(return_X_y=True)
    y = y > 0
    claim, note = claimed(DPLogisticRegression(2.0, 1e-5).fit(X, y), X, y)
    assert (claim.epsilon, claim.delta) == (pytest.approx(2.0, rel=1e-6), 1e-5)
    assert claim.mu == pytest.approx(gdp_mu(2.0, 1e-5), rel=1e-6)
    assert note is None
    _, note = claimed(DPLogisticRegression(2.0, random_state=0).fit(X, y), X, y)
    assert "protects nobody" in note


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_a_pipeline_claims_the_sum_of_its_steps_and_charges_nothing(adjacency):
    X, y = load_iris(return_X_y=True)
    accountant = PrivacyAccountant(1.0, 1e-6, adjacency=adjacency)
    steps = make_pipeline(DPStandardScaler(), DPLogisticRegression())
    model = accountant.allocate(steps, classes=[0, 1, 2]).fit(X, y)
    charged = len(accountant.entries)
    claim, note = claimed(model, X, y)
    assert claim.epsilon == pytest.approx(1.0, rel=1e-4)
    assert claim.adjacency == adjacency
    assert note is None
    assert len(accountant.entries) == charged


def test_a_step_that_reads_rows_uncharged_leaves_no_claim():
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        claim, note = claimed(make_pipeline(StandardScaler(), DPLogisticRegression()), X, y)
        assert claim is None
        assert "StandardScaler" in note
        claim, note = claimed(GridSearchCV(DPLogisticRegression(), {"epsilon": [1, 2]}), X, y)
        assert claim is None
        assert "GridSearchCV" in note
        stateless = make_pipeline(FunctionTransformer(), DPLogisticRegression(1.0))
        assert claimed(stateless, X, y)[0].epsilon == pytest.approx(1.0, rel=1e-6)


def test_models_without_a_claim_have_none():
    X, y = load_iris(return_X_y=True)
    assert claimed(LogisticRegression(), X, y) == (None, None)
    assert claimed(object(), X, y) == (None, None)
