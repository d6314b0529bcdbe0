"""Checks of the order of events: validate, price, charge, and only then the rows.

What must cost nothing is tried with a real accountant, whose entries are then counted;
what must come after the charge is looked for at the moment of the charge.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import clone, is_classifier

from ..exceptions import BudgetExceededError, LedgerError
from ..ledger import PrivacyAccountant
from ._problem import (
    Problem,
    has_random_state,
    is_free,
    is_unprotected,
    parameters,
    prepared,
    takes_weights,
)
from ._recording import PlantedError, before_charges, ensure, recorded_draws, replaced
from ._state import PUBLIC_FORM, State, attributes, differing, fitted_state

PREDICTIONS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "inverse_transform",
)


def check_fit_charges_once(estimator: Any) -> None:
    """A fit makes one entry, which its receipt names; `fit_transform` does no more."""
    problem = paid_problem(estimator)
    accountant = PrivacyAccountant()
    private = prepared(estimator, accountant)
    for number in (1, 2):
        problem.fit(private)
        found = len(accountant.entries)
        ensure(found == number, f"There are {found} entries after {number} fits of an estimator.")
        entry = accountant.entries[-1]
        ensure(
            private.privacy_.entry_uid == entry.uid,
            "The receipt does not name the entry that paid for the fit.",
        )
        ensure(entry.status == "charged", "A fit that succeeded is marked as failed.")
    for method in ("fit_transform", "fit_predict"):
        if hasattr(private, method):
            before = len(accountant.entries)
            getattr(private, method)(problem.X, problem.y)
            charged = len(accountant.entries) - before
            ensure(charged == 1, f"{method} made {charged} entries; it should make 1.")
    alone = problem.fit(prepared(estimator))
    ensure(
        alone.privacy_.entry_uid is None,
        "The receipt of a fit without an accountant names an entry of a ledger.",
    )


def check_predictions_are_free(estimator: Any) -> None:
    """What a fitted estimator says about rows charges nothing and needs no ledger."""
    problem = Problem.for_estimator(estimator)
    accountant = PrivacyAccountant()
    private = problem.fit(prepared(estimator, accountant))
    before = len(accountant.entries)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("The ledger was charged for a prediction.")

    with replaced(accountant, "spend", refuse):
        for method in PREDICTIONS:
            if hasattr(private, method):
                # What is transformed back may have fewer columns.
                back = method == "inverse_transform"
                getattr(private, method)(private.transform(problem.X) if back else problem.X)
    ensure(len(accountant.entries) == before, "A prediction made an entry in the ledger.")


def check_charge_comes_first(estimator: Any) -> None:
    """When the ledger is charged no noise has been drawn and nothing been learned."""
    problem = paid_problem(estimator)
    accountant = PrivacyAccountant()
    generator = np.random.RandomState(0)
    private = prepared(estimator, accountant, generator)
    start = _position(generator)
    seen: list[tuple[set[str], int, bool]] = []
    with recorded_draws() as drawn:

        def look(_: Any) -> None:
            seen.append((_learned(private), len(drawn), _position(generator) == start))

        with before_charges(accountant, look):
            problem.fit(private)
    ensure(len(seen) == 1, f"fit called spend {len(seen)} times; it should call it once.")
    learned, n_drawn, untouched = seen[0]
    ensure(not learned, f"These attributes were set before the charge: {sorted(learned)}.")
    ensure(n_drawn == 0, f"{n_drawn} releases were drawn before the charge.")
    ensure(untouched, "Random numbers were drawn before the charge.")


def check_refused_charge_stops_fit(estimator: Any) -> None:
    """A charge that is refused ends the fit with its own error, and nothing else happens."""
    problem = paid_problem(estimator)
    # Any ceiling is too low for an infinite price.
    ceiling = 1.0 if is_unprotected(estimator) else float(estimator.epsilon) / 1e3
    tiny = PrivacyAccountant(epsilon=ceiling, delta=float(estimator.delta))
    _refused(estimator, problem, tiny, BudgetExceededError)
    broken = PrivacyAccountant()

    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerError("The ledger is not there.")

    with replaced(broken, "spend", refuse):
        _refused(estimator, problem, broken, LedgerError)


def _refused(
    estimator: Any, problem: Problem, accountant: PrivacyAccountant, error: type[Exception]
) -> None:
    name = error.__name__
    generator = np.random.RandomState(0)
    start = _position(generator)
    private = prepared(estimator, accountant, generator)
    with recorded_draws() as drawn:
        _must_raise(lambda: problem.fit(private), (error,), f"A fit refused with {name}")
    ensure(not drawn, f"{len(drawn)} releases were drawn although the charge raised {name}.")
    ensure(
        _position(generator) == start,
        f"Random numbers were drawn although the charge raised {name}.",
    )
    ensure(
        not _learned(private),
        f"A fit refused with {name} set attributes: {sorted(_learned(private))}.",
    )
    ensure(not accountant.entries, f"A fit refused with {name} made an entry in the ledger.")
    earlier = problem.fit(prepared(estimator))
    state = fitted_state(earlier)
    earlier.set_params(accountant=accountant)
    _must_raise(lambda: problem.fit(earlier), (error,), f"A second fit refused with {name}")
    _expect_intact(earlier, state, f"A second fit refused with {name}")


def check_failed_fit_stays_charged(estimator: Any) -> None:
    """If a fit fails after its charge, the entry stands, marked with the error's class."""
    problem = paid_problem(estimator)
    for error in (PlantedError("row 17 has the value 42"), KeyboardInterrupt()):
        kind = type(error).__name__
        accountant = PrivacyAccountant()
        private = prepared(estimator, accountant)
        _fail(private, problem, error)
        found = accountant.entries
        ensure(len(found) == 1, f"There are {len(found)} entries after a fit that failed, not 1.")
        entry = found[0]
        ensure(
            entry.reason == kind,
            f"The ledger must mark a fit that raised {kind} as failed, with the error's class "
            f"alone, since its text may speak of rows. It has {entry.status!r}, {entry.reason!r}: "
            "call accountant.fail(entry.uid, type(error).__name__).",
        )
        ensure(
            not _learned(private),
            f"A fit that failed left attributes behind: {sorted(_learned(private))}.",
        )
        earlier = problem.fit(prepared(estimator))
        state = fitted_state(earlier)
        _fail(earlier, problem, error)
        _expect_intact(earlier, state, "A second fit that failed")


def _fail(private: Any, problem: Problem, error: BaseException) -> None:
    """Make a fit fail with `error` at its last draw of noise."""
    with recorded_draws() as drawn:
        problem.fit(prepared(private))
    if not drawn and has_random_state(private):
        private.set_params(random_state=_failing_generator(error))
    with recorded_draws(error, after=len(drawn) - 1):
        try:
            problem.fit(private)
        except type(error):
            return
        except Exception as other:
            raise AssertionError(
                f"A release raised {type(error).__name__}, and fit {type(other).__name__}."
            ) from other
    if drawn:
        raise AssertionError(f"fit swallowed a {type(error).__name__} that a release raised.")
    raise SkipTest("The noise comes from nowhere that a check can make fail.")


def check_invalid_data_charges_nothing(estimator: Any) -> None:
    """Rows or labels of a wrong form are refused before anything is charged."""
    problem = Problem.for_estimator(estimator)
    accountant = PrivacyAccountant()
    for what, wrong in _wrong_problems(estimator, problem):
        private = prepared(estimator, accountant)
        _must_raise(partial(wrong.fit, private), (ValueError, TypeError), f"A fit on {what}")
        ensure(not accountant.entries, f"A fit on {what} was refused, but charged before.")
        ensure(
            not _learned(private),
            f"A refused fit on {what} set attributes: {sorted(_learned(private))}.",
        )


def _wrong_problems(estimator: Any, problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield data of wrong forms with their names."""
    X, y = problem.X, problem.y
    infinite, text = X.copy(), X.astype(object)
    infinite[3, 1] = np.inf
    text[3, 1] = "text"
    if not problem.allow_nan:
        missing = X.copy()
        missing[3, 1] = np.nan
        yield "rows with NaN", replace(problem, X=missing)
    yield "rows with infinity", replace(problem, X=infinite)
    yield "rows with text", replace(problem, X=text)
    yield "a single column without its second axis", replace(problem, X=X[:, 0])
    yield "rows in three dimensions", replace(problem, X=X[:, :, np.newaxis])
    yield "rows without columns", replace(problem, X=X[:, :0])
    yield "no rows", problem.head(0)
    yield "complex numbers", replace(problem, X=X.astype(complex))
    if y is not None:
        yield "a target that is too short", replace(problem, y=y[:-1])
        # Whatever is no declared label may be a label that has no weight.
        strict = parameters(estimator).get("unknown_labels") != "ignore"
        if strict:
            unknown = y.astype(float if y.dtype.kind in "if" else object)
            unknown[3] = np.nan
            yield "a target with NaN", replace(problem, y=unknown)
        if not is_classifier(estimator):
            yield "a target of text", replace(problem, y=np.where(y > 0, "much", "little"))
        elif strict:
            yield "a continuous target", replace(problem, y=X[:, 0])
    if takes_weights(estimator):
        weights = np.ones(len(X))
        yield "too few weights", replace(problem, sample_weight=weights[:-1])
        yield "negative weights", replace(problem, sample_weight=-weights)
        yield "weights of NaN", replace(problem, sample_weight=weights * np.nan)
        yield "infinite weights", replace(problem, sample_weight=weights * np.inf)


def check_invalid_parameters_charge_nothing(estimator: Any) -> None:
    """Wrong parameters are refused before anything is charged."""
    problem = Problem.for_estimator(estimator)
    wrong = {
        "epsilon": [0, 0.0, -1.0, math.nan, "large"],
        "delta": [-1e-6, 1.0, 2, math.nan, "small"],
    }
    accountant = PrivacyAccountant()
    bound = prepared(estimator, accountant)
    for name, values in wrong.items():
        for value in values:
            _refuse_parameter(bound, problem, name, value, required=True)
    private = prepared(estimator).set_params(accountant=object())
    _must_raise(
        lambda: problem.fit(private),
        (ValueError, TypeError, AttributeError),
        "A fit whose accountant is none",
    )
    for name in parameters(estimator):
        if name not in {*wrong, "accountant"}:
            _refuse_parameter(bound, problem, name, object(), required=False)


def _refuse_parameter(
    bound: Any, problem: Problem, name: str, value: Any, *, required: bool
) -> None:
    accountant = bound.accountant
    before = len(accountant.entries)
    what = f"A fit with {name}={value if required else 'an object of no use'!r}"
    try:
        # An estimator may refuse at once in its constructor or set_params.
        problem.fit(clone(bound).set_params(**{name: value}))
    except Exception as error:
        charged = len(accountant.entries) - before
        ensure(not charged, f"{what} was refused, but charged before.")
        if required and not isinstance(error, ValueError | TypeError):
            kind = type(error).__name__
            raise AssertionError(f"{what} raised {kind}, not ValueError or TypeError.") from error
    else:
        ensure(not required, f"{what} was accepted.")


def paid_problem(estimator: Any, **options: Any) -> Problem:
    """Return rows for a fit that has to be paid for, or skip the check."""
    problem = Problem.for_estimator(estimator, **options)
    if is_free(estimator, problem):
        raise SkipTest("A fit releases nothing about the rows.")
    return problem


def _learned(estimator: Any) -> set[str]:
    """Return the attributes that an estimator has learned, the data's public form aside."""
    return set(attributes(estimator)) - PUBLIC_FORM


def _position(generator: np.random.RandomState) -> tuple[Any, ...]:
    """Return where a generator stands."""
    name, key, *rest = generator.get_state(legacy=True)
    return name, np.asarray(key).tobytes(), *rest


def _failing_generator(error: BaseException) -> np.random.RandomState:
    """Return a generator that raises instead of giving numbers."""

    def refuse(self: Any, *_: Any, **__: Any) -> Any:
        raise error

    numbers = [name for name in dir(np.random.RandomState) if not name.startswith(("_", "get_"))]
    hidden = {name: refuse for name in numbers if name not in {"set_state", "seed"}}
    return type("FailingGenerator", (np.random.RandomState,), hidden)()


def _must_raise(
    action: Callable[[], Any], errors: tuple[type[BaseException], ...], what: str
) -> None:
    """Run `action`, which has to raise one of `errors`."""
    names = " or ".join(error.__name__ for error in errors)
    try:
        action()
    except errors:
        return
    except Exception as error:
        raise AssertionError(
            f"{what} must raise {names}; it raised {type(error).__name__}."
        ) from error
    raise AssertionError(f"{what} must raise {names}; it raised nothing.")


def _expect_intact(estimator: Any, before: State, what: str) -> None:
    changed = differing(before, fitted_state(estimator))
    ensure(not changed, f"{what} changed the fit before it, in {changed}.")
