"""What every estimator of the package keeps: scikit-learn's conventions and our contract."""

import pytest
from listing import public_estimators
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skprivacy import PrivacyAccountant
from skprivacy.additive import DPAdditiveClassifier, DPAdditiveRegressor
from skprivacy.adversarial import AdversariallyRegularizedClassifier
from skprivacy.cluster import DPKMeans
from skprivacy.covariance import DPEmpiricalCovariance
from skprivacy.decomposition import DPPCA
from skprivacy.distillation import DistilledClassifier, MembershipDistiller, PATEClassifier
from skprivacy.ensemble import DPExtraTreesClassifier, DPExtraTreesRegressor
from skprivacy.linear_model import (
    DPLinearRegression,
    DPLinearSVC,
    DPLogisticRegression,
    DPRidge,
)
from skprivacy.naive_bayes import DPCategoricalNB, DPGaussianNB
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler
from skprivacy.testing import check_dp_estimator, parametrize_with_dp_checks

# fit(X, y) alone has no public rows: these draw them inside bounds.
TREE, LINEAR = DecisionTreeClassifier(max_depth=2), LogisticRegression()
DISTILLATION = [
    PATEClassifier(TREE, LINEAR, bounds=(-3, 3), n_teachers=10, n_queries=40),
    MembershipDistiller(LINEAR, LINEAR, bounds=(-3, 3)),
]

DEFAULT = [
    AdversariallyRegularizedClassifier(),
    DPCategoricalNB(),
    DPAdditiveClassifier(),
    DPAdditiveRegressor(),
    DPEmpiricalCovariance(),
    DPExtraTreesClassifier(),
    DPExtraTreesRegressor(),
    DPGaussianNB(),
    DPKMeans(),
    DPLinearRegression(),
    DPLinearSVC(),
    DPLogisticRegression(),
    DPMinMaxScaler(),
    DPPCA(),
    DPRidge(),
    DPStandardScaler(),
    *DISTILLATION,
]

VARIANTS = [
    AdversariallyRegularizedClassifier(regularizer="relaxloss", max_iter=20),
    AdversariallyRegularizedClassifier(hidden_layer_sizes=(), learning_rate_init=0.01, max_iter=30),
    AdversariallyRegularizedClassifier(epsilon=4.0, max_iter=1, sampling_rate=0.2),
    DPCategoricalNB(epsilon=8.0, delta=1e-5, n_categories=4, max_weight=3.0),
    DPAdditiveClassifier(bounds=(-3, 3)),
    DPAdditiveClassifier(bounds=(-3, 3), interactions=3, epsilon=8.0, max_weight=3.0),
    DPAdditiveRegressor(bounds=(-3, 3), y_bounds=(-2, 2)),
    DPAdditiveRegressor(y_bounds=(-2, 2), epsilon=8.0, delta=1e-5, max_weight=3.0),
    DPEmpiricalCovariance(bounds=(-3, 3)),
    DPEmpiricalCovariance(epsilon=8.0, assume_centered=True, store_precision=False),
    DPExtraTreesClassifier(8, bounds=(-3, 3), max_depth=3),
    DPExtraTreesClassifier(8, epsilon=8.0, delta=1e-5, categorical_features=[0], max_weight=3.0),
    DPExtraTreesRegressor(8, bounds=(-3, 3), y_bounds=(-1, 1), max_depth=3),
    DPExtraTreesRegressor(8, epsilon=8.0, delta=1e-5, categorical_features=[0], max_weight=3.0),
    DPGaussianNB(bounds=(-3, 3)),
    DPKMeans(2, bounds=(-3, 3)),
    DPKMeans(3, epsilon=8.0, delta=1e-5, max_weight=3.0),
    DPGaussianNB(epsilon=8.0, delta=1e-5, max_weight=3.0),
    DPLinearRegression(bounds=(-3, 3), y_bounds=(-2, 2), max_weight=3.0),
    DPLinearRegression(clipping_norm=2.0, fit_intercept=False),
    DPLinearRegression(delta=0.0, bounds=(-3, 3), y_bounds=(-2, 2)),
    DPLinearSVC(bounds=(-3, 3), clipping_norm=2.0),
    DPLinearSVC(epsilon=8.0, delta=1e-5, max_weight=3.0),
    DPLogisticRegression(bounds=(-3, 3)),
    DPLogisticRegression(delta=0.0, clipping_norm=2.0, C=0.5),
    DPLogisticRegression(bounds=(-3, 3), clipping_norm=2.0),
    DPLogisticRegression(clipping_norm=2.0, fit_intercept=False),
    DPLogisticRegression(epsilon=8.0, delta=1e-5, max_weight=3.0),
    DPMinMaxScaler(bounds=(-3, 3)),
    DPMinMaxScaler(missing="ignore", feature_range=(-1, 1)),
    DPPCA(bounds=(-3, 3)),
    DPPCA(1, epsilon=8.0, delta=1e-5, whiten=True),
    DPRidge(0.0, epsilon=8.0, delta=1e-5, bounds=(-3, 3), clipping_norm=2.0),
    DPStandardScaler(bounds=(-3, 3)),
    DPStandardScaler(bounds=(-3, 3), missing="ignore"),
    DPStandardScaler(missing="ignore", clip=False),
    DPStandardScaler(epsilon=8.0, with_mean=False),
    DPStandardScaler(with_std=False),
    PATEClassifier(
        GaussianNB(), LINEAR, bounds=(-3, 3), n_teachers=12, n_queries=40, confident=True
    ),
    DistilledClassifier(
        DPLogisticRegression(bounds=(-3, 3)), LINEAR, epsilon=1.0, delta=1e-6, bounds=(-3, 3)
    ),
]

# scikit-learn's checks have labels of their own, which these would refuse.
LABELS = ["no", "perhaps", "yes"]
DECLARED = [
    DPAdditiveClassifier(classes=LABELS, bounds=(-3, 3)),
    DPExtraTreesClassifier(classes=LABELS, bounds=(-3, 3)),
    DPCategoricalNB(classes=LABELS, n_categories=3),
    DPGaussianNB(classes=LABELS, bounds=(-3, 3)),
    DPLinearSVC(classes=LABELS, clipping_norm=2.0),
    DPLogisticRegression(classes=LABELS, clipping_norm=2.0),
    DPGaussianNB(classes=LABELS, bounds=(-3, 3), unknown_labels="ignore"),
]


def with_accountant(estimator, adjacency):
    """Return a copy that charges an accountant."""
    return clone(estimator).set_params(accountant=PrivacyAccountant(adjacency=adjacency))


def expected_failures(estimator):
    if not hasattr(estimator, "max_weight"):
        return {}
    # There a row of weight 2 stands for two rows; here weights above max_weight are clipped.
    reason = "weights above max_weight are clipped"
    if isinstance(estimator, AdversariallyRegularizedClassifier):
        reason = "steps take rows at random, and a row of weight 2 is taken as often as one of 1"
    kinds = ("dense", "sparse") if get_tags(estimator).input_tags.sparse else ("dense",)
    return {f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in kinds}


@parametrize_with_checks(
    [
        *DEFAULT,
        *VARIANTS,
        *(with_accountant(estimator, "add-remove") for estimator in DEFAULT),
        *(with_accountant(estimator, "replace-one") for estimator in DEFAULT),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@parametrize_with_dp_checks([*DEFAULT, *VARIANTS, *DECLARED])
def test_contract(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", DEFAULT, ids=str)
def test_contract_in_worker_processes(estimator):
    results = check_dp_estimator(estimator, processes=True)
    assert results[-1]["status"] == "passed"
    assert "check_accountant_in_processes" in {result["check_name"] for result in results}


@pytest.mark.parametrize("estimator", DEFAULT, ids=str)
def test_the_checks_leave_a_given_accountant_alone(estimator):
    private = with_accountant(estimator, "replace-one")
    check_dp_estimator(private)
    assert len(private.accountant.entries) == 0


def test_every_estimator_of_the_package_is_checked():
    assert public_estimators() == {type(estimator) for estimator in DEFAULT}
