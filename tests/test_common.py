"""Every estimator keeps scikit-learn's contract and ours."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skprivacy import PrivacyAccountant
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler
from skprivacy.testing import parametrize_with_dp_checks

ESTIMATORS = [
    DPStandardScaler(),
    DPStandardScaler(bounds=(-10, 10)),
    DPStandardScaler(missing="ignore", clip=False),
    DPMinMaxScaler(),
    DPMinMaxScaler(bounds=(-10, 10)),
    DPLogisticRegression(),
    DPLogisticRegression(clipping_norm=3.0),
    DPLogisticRegression(bounds=(-10, 10), fit_intercept=False),
]

# A weight above max_weight has to be clipped, so it can't stand for that many rows.
IMPOSSIBLE = {
    "check_sample_weight_equivalence_on_dense_data": "weights above max_weight are clipped",
}


def expected_failed_checks(estimator):
    return IMPOSSIBLE if hasattr(estimator, "max_weight") else {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [DPLogisticRegression(accountant=PrivacyAccountant(epsilon=float("inf")))],
    expected_failed_checks=expected_failed_checks,
)
def test_scikit_learn_contract_with_an_accountant(estimator, check):
    check(estimator)


@parametrize_with_dp_checks(ESTIMATORS)
def test_privacy_contract(estimator, check):
    check(estimator)
