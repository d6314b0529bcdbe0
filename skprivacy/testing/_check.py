"""Running the contract's checks: on one estimator, as a list, or as tests of pytest."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from unittest import SkipTest

from sklearn.base import is_classifier
from sklearn.exceptions import EstimatorCheckFailedWarning

from ._charging import (
    check_charge_comes_first,
    check_failed_fit_stays_charged,
    check_fit_charges_once,
    check_invalid_data_charges_nothing,
    check_invalid_parameters_charge_nothing,
    check_predictions_are_free,
    check_refused_charge_stops_fit,
)
from ._conventions import (
    check_input_is_untouched,
    check_interface,
    check_parameters_survive_fit,
    check_types_are_fixed,
)
from ._identity import (
    check_accountant_in_pipeline,
    check_accountant_in_processes,
    check_accountant_in_search,
    check_accountant_is_shared,
)
from ._leaks import (
    check_no_generator_is_kept,
    check_no_row_attributes,
    check_no_row_labels_are_kept,
    check_no_rows_are_kept,
    check_row_count_is_private,
)
from ._pricing import (
    check_adjacency_is_the_accountants,
    check_budget_is_kept,
    check_one_price,
    check_partial_fit_adds_up,
    check_plan_needs_no_data,
    check_price_is_public,
    check_receipt,
    check_undeclared_classes_are_named,
)
from ._problem import has_random_state, is_unprotected, takes_weights
from ._releases import (
    check_attributes_are_releases,
    check_noise_at_large_epsilon,
    check_random_state,
    check_refit_starts_anew,
    check_releases_are_declared,
    check_weights_are_clipped,
)

Check = Callable[[Any], None]


def estimator_dp_checks_generator(
    estimator: Any, *, processes: bool = False
) -> Iterator[tuple[Any, Check]]:
    """Yield every check of the contract that applies to an estimator.

    Parameters
    ----------
    estimator : estimator object
        A private classifier, regressor or transformer; never changed.
    processes : bool, default=False
        Whether to fit in worker processes too, which takes seconds. The estimator's class
        must be importable there.

    Yields
    ------
    estimator : estimator object
    check : callable
        ``check(estimator)`` raises `AssertionError` if the contract is broken, and
        `unittest.SkipTest` if it turns out to say nothing here.
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"The checks take an estimator, not a class: {estimator.__name__}() rather than "
            f"{estimator.__name__}."
        )
    for check in _checks(estimator, processes=processes):
        yield estimator, check


def _checks(estimator: Any, *, processes: bool) -> Iterator[Check]:
    yield check_interface
    yield check_plan_needs_no_data
    yield check_one_price
    yield check_budget_is_kept
    yield check_price_is_public
    yield check_receipt
    yield check_adjacency_is_the_accountants
    if is_classifier(estimator):
        yield check_undeclared_classes_are_named
    yield check_fit_charges_once
    yield check_charge_comes_first
    yield check_refused_charge_stops_fit
    yield check_failed_fit_stays_charged
    yield check_invalid_data_charges_nothing
    yield check_invalid_parameters_charge_nothing
    yield check_predictions_are_free
    if hasattr(estimator, "partial_fit"):
        yield check_partial_fit_adds_up
    yield check_accountant_is_shared
    yield check_accountant_in_pipeline
    yield check_accountant_in_search
    if processes:
        yield check_accountant_in_processes
    yield check_releases_are_declared
    yield check_random_state
    if has_random_state(estimator):
        yield check_refit_starts_anew
    yield check_no_rows_are_kept
    yield check_no_row_labels_are_kept
    yield check_parameters_survive_fit
    yield check_input_is_untouched
    if not is_unprotected(estimator):
        yield from _checks_of_noise(estimator)


def _checks_of_noise(estimator: Any) -> Iterator[Check]:
    """Yield the checks of what leaves the rows, which a model without a guarantee is."""
    yield check_attributes_are_releases
    yield check_noise_at_large_epsilon
    if has_random_state(estimator) and takes_weights(estimator):
        yield check_weights_are_clipped
    yield check_row_count_is_private
    yield check_no_row_attributes
    yield check_no_generator_is_kept
    yield check_types_are_fixed


def check_dp_estimator(
    estimator: Any,
    *,
    processes: bool = False,
    expected_failed_checks: Mapping[str, str] | None = None,
    on_fail: Literal["raise", "warn"] | None = "raise",
) -> list[dict[str, Any]]:
    """Check that an estimator keeps the contract of a private one.

    It goes with scikit-learn's `check_estimator`, which it does not repeat. The estimator
    need not derive from `DPEstimator`: what counts are the parameters `epsilon`, `delta`
    and `accountant`, the method `plan` and the receipt `privacy_`. The checks make their
    own data of three columns, find out by its tags what the estimator is, and charge
    accountants of their own, never the one it was given.

    An estimator with ``epsilon=None`` claims no guarantee. It is held to that: its price has
    to be infinite, a ceiling has to refuse it before it touches rows, and the checks that
    look for noise are left out. Give it an epsilon to have its private mode checked.

    No run can prove privacy. The checks find charges that are missing, late or wrong, and
    statistics of the rows that leave a fit without noise. Whether the noise is as large as
    claimed takes a proof, and an audit.

    Parameters
    ----------
    estimator : estimator object
        A private classifier, regressor or transformer; never changed.
    processes : bool, default=False
        Whether to fit in worker processes too, which takes seconds. The estimator's class
        must be importable there.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that may fail, with the reason.
    on_fail : {"raise", "warn"} or None, default="raise"
        Whether a failed check raises its error at once, warns, or is only listed in the
        result.

    Returns
    -------
    list of dict
        For every check: ``estimator``, ``check_name``, ``exception``, ``status`` ("passed",
        "failed", "skipped" or "xfail"), ``expected_to_fail`` and
        ``expected_to_fail_reason``.

    Raises
    ------
    Exception
        With ``on_fail="raise"``: what the first failed check raised, an `AssertionError` or
        an error of the estimator itself.

    See Also
    --------
    sklearn.utils.estimator_checks.check_estimator : The conventions of scikit-learn.

    Examples
    --------
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> from skprivacy.testing import check_dp_estimator
    >>> results = check_dp_estimator(DPStandardScaler(bounds=(-3, 3)))
    >>> {result["status"] for result in results}
    {'passed'}
    """
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f"on_fail must be 'raise', 'warn' or None. Got {on_fail!r} instead.")
    expected = dict(expected_failed_checks or {})
    results = []
    for _, check in estimator_dp_checks_generator(estimator, processes=processes):
        name = _check_name(check)
        status = "passed"
        exception: Exception | None = None
        try:
            check(estimator)
        except SkipTest as error:
            status, exception = "skipped", error
        except Exception as error:
            if name not in expected and on_fail == "raise":
                raise
            status, exception = "xfail" if name in expected else "failed", error
        result = {
            "estimator": estimator,
            "check_name": name,
            "exception": exception,
            "status": status,
            "expected_to_fail": name in expected,
            "expected_to_fail_reason": expected.get(name, "Check is not expected to fail"),
        }
        if status == "failed" and on_fail == "warn":
            warnings.warn(EstimatorCheckFailedWarning(**result), stacklevel=2)
        results.append(result)
    return results


def parametrize_with_dp_checks(
    estimators: Sequence[Any],
    *,
    expected_failed_checks: Callable[[Any], Mapping[str, str]] | None = None,
) -> Any:
    """Return a decorator of pytest that makes every check of every estimator a test.

    Parameters
    ----------
    estimators : sequence of estimator objects
    expected_failed_checks : callable, default=None
        For an estimator, the names of checks that may fail, with the reason.

    Returns
    -------
    pytest.MarkDecorator
        For a test function with the arguments `estimator` and `check`.

    Examples
    --------
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> from skprivacy.testing import parametrize_with_dp_checks
    >>> @parametrize_with_dp_checks([DPStandardScaler()])
    ... def test_contract(estimator, check):
    ...     check(estimator)
    """
    import pytest

    tests = []
    for estimator in estimators:
        expected = {} if expected_failed_checks is None else expected_failed_checks(estimator)
        for _, check in estimator_dp_checks_generator(estimator):
            name = _check_name(check)
            marks = [pytest.mark.xfail(reason=expected[name])] if name in expected else []
            tests.append(pytest.param(estimator, check, marks=marks, id=f"{estimator}-{name}"))
    return pytest.mark.parametrize(("estimator", "check"), tests)


def _check_name(check: Check) -> str:
    return check.__name__
