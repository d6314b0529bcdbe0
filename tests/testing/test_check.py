"""The contract's checks: good estimators pass all, a bad one fails exactly its own."""

import subprocess
import sys
import warnings

import bad_charges
import bad_prices
import bad_releases
import pytest
from bad_charges import NeverCharges, PicklesWithoutAccountant
from bad_prices import Batches
from bad_releases import ExactMean
from good_estimators import GOOD, Duck, Mean
from sklearn.exceptions import EstimatorCheckFailedWarning

from skprivacy import PrivacyAccountant
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler
from skprivacy.testing import (
    check_dp_estimator,
    estimator_dp_checks_generator,
    parametrize_with_dp_checks,
)

MODULES = (bad_charges, bad_prices, bad_releases)
BAD = {kind: checks for module in MODULES for kind, checks in module.faults.exact.items()}
CAUGHT = {kind: check for module in MODULES for kind, check in module.faults.caught.items()}


def names(estimator, **options):
    return [check.__name__ for _, check in estimator_dp_checks_generator(estimator, **options)]


@pytest.mark.parametrize("estimator", [*GOOD, Batches()], ids=str)
def test_good_estimators_pass_every_check(estimator):
    results = check_dp_estimator(estimator)
    assert {result["status"] for result in results} == {"passed"}
    assert [result["check_name"] for result in results] == names(estimator)


@pytest.mark.parametrize("kind", BAD, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:The value")
def test_a_bad_estimator_fails_its_checks_and_no_other(kind):
    results = check_dp_estimator(kind(), on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert set(failed) == BAD[kind], failed
    assert all(isinstance(error, AssertionError) for error in failed.values()), failed


@pytest.mark.parametrize("kind", CAUGHT, ids=lambda kind: kind.__name__)
def test_a_check_sees_what_it_is_for(kind):
    checks = {check.__name__: check for _, check in estimator_dp_checks_generator(kind())}
    with pytest.raises(AssertionError):
        checks[CAUGHT[kind]](kind())


def test_every_check_has_an_estimator_that_fails_it():
    kinds = [*GOOD, Batches()]
    known = {name for estimator in kinds for name in names(estimator)}
    assert set().union(*BAD.values()) == known


def test_every_bad_estimator_is_one_good_estimator_away_from_passing():
    origins = {"good_estimators", *(module.__name__ for module in MODULES)}
    assert all(kind.__mro__[1].__module__ in origins for kind in [*BAD, *CAUGHT])


def test_raises_the_error_of_the_first_check_that_fails():
    with pytest.raises(AssertionError, match="centre_.*have no noise|have no noise.*centre_"):
        check_dp_estimator(ExactMean())


def test_warns_of_every_check_that_fails():
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        results = check_dp_estimator(NeverCharges(), on_fail="warn")
    failed = [result["check_name"] for result in results if result["status"] == "failed"]
    found = [w.message for w in warned if isinstance(w.message, EstimatorCheckFailedWarning)]
    assert [warning.check_name for warning in found] == failed
    assert set(failed) == BAD[NeverCharges]


def test_failures_can_be_expected():
    reasons = {"check_attributes_are_releases": "The mean is known to all."}
    results = check_dp_estimator(ExactMean(), expected_failed_checks=reasons)
    expected = [result for result in results if result["expected_to_fail"]]
    assert [(r["check_name"], r["status"]) for r in expected] == [
        ("check_attributes_are_releases", "xfail")
    ]
    assert expected[0]["expected_to_fail_reason"] == "The mean is known to all."
    assert isinstance(expected[0]["exception"], AssertionError)


@pytest.mark.parametrize("on_fail", ["ignore", True, 0])
def test_refuses_an_unknown_way_to_fail(on_fail):
    with pytest.raises(ValueError, match="on_fail"):
        check_dp_estimator(Mean(), on_fail=on_fail)


def test_refuses_a_class():
    with pytest.raises(TypeError, match=r"Mean\(\) rather than Mean"):
        check_dp_estimator(Mean)


def test_what_is_no_private_estimator_fails_the_first_check():
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(AssertionError, match="lacks the parameters"):
        check_dp_estimator(LogisticRegression())


def test_never_touches_the_estimator_or_its_accountant():
    accountant = PrivacyAccountant(epsilon=2.0)
    estimator = Mean(accountant=accountant, random_state=3)
    before = vars(estimator).copy()
    check_dp_estimator(estimator)
    assert vars(estimator) == before
    assert len(accountant.entries) == 0


def test_a_fit_that_is_free_skips_what_can_only_be_said_of_paid_ones():
    results = check_dp_estimator(DPMinMaxScaler(bounds=(-3, 3)))
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert "check_fit_charges_once" in skipped
    assert "check_attributes_are_releases" not in skipped
    assert {result["status"] for result in results} == {"passed", "skipped"}


def test_checks_follow_from_what_the_estimator_is():
    assert "check_undeclared_classes_are_named" not in names(Mean())
    assert "check_partial_fit_adds_up" in names(DPStandardScaler(bounds=(0, 1)))
    assert "check_partial_fit_adds_up" not in names(DPStandardScaler())
    assert "check_accountant_in_processes" in names(Mean(), processes=True)


@parametrize_with_dp_checks(
    [Duck(), ExactMean()],
    expected_failed_checks=lambda estimator: (
        {"check_attributes_are_releases": "as bad as it is meant to be"}
        if isinstance(estimator, ExactMean)
        else {}
    ),
)
def test_each_check_is_a_test_of_pytest(estimator, check):
    check(estimator)


def test_importing_the_checks_imports_no_pytest():
    code = "import sys, skprivacy.testing; print('pytest' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "fails"), [(Duck, False), (PicklesWithoutAccountant, True)])
def test_fits_in_worker_processes_are_counted(kind, fails):
    results = check_dp_estimator(kind(), processes=True, on_fail=None)
    status = {result["check_name"]: result["status"] for result in results}
    assert status["check_accountant_in_processes"] == ("failed" if fails else "passed")
