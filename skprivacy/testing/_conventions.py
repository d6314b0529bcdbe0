"""Checks of the interface: parameters, input and attributes, as far as privacy needs them.

scikit-learn's own `check_estimator` looks after the rest; run both.
"""

import copy
import inspect
from dataclasses import replace
from typing import Any

import numpy as np

from ._problem import Problem, parameters, prepared, takes_weights
from ._recording import ensure
from ._state import State, fitted_state, same

BUDGET = {"epsilon", "delta", "accountant"}


def check_interface(estimator: Any) -> None:
    """There are the parameters of a budget, private by default, and a method `plan`."""
    found = parameters(estimator)
    lacking = sorted(BUDGET - set(found))
    ensure(not lacking, f"{type(estimator).__name__} lacks the parameters {lacking}.")
    ensure(callable(getattr(estimator, "plan", None)), "There is no method plan(facts).")
    defaults = inspect.signature(type(estimator)).parameters
    for name in {"accountant", "random_state"} & set(defaults):
        ensure(
            defaults[name].default is None,
            f"{name}={defaults[name].default!r} by default; it has to be None.",
        )


def check_parameters_survive_fit(estimator: Any) -> None:
    """`fit` leaves the constructor's parameters as they were: nothing learned goes there."""
    problem = Problem.for_estimator(estimator)
    private = prepared(estimator)
    before = parameters(private)
    copies = copy.deepcopy(dict(before))
    problem.fit(private)
    after = parameters(private)
    for name, value in before.items():
        ensure(
            after[name] is value or same(after[name], value),
            f"fit changed the parameter {name!r}.",
        )
        ensure(
            repr(value) == repr(copies[name]),
            f"fit changed what the parameter {name!r} holds.",
        )


def check_input_is_untouched(estimator: Any) -> None:
    """`fit` works on read-only arrays and changes none that can be written."""
    problem = Problem.for_estimator(estimator)
    if takes_weights(estimator):
        problem = replace(problem, sample_weight=np.linspace(0.5, 3, problem.n_rows))
    for order in ("C", "F"):
        arrays: dict[str, Any] = {
            "X": np.array(problem.X, order=order),
            "y": None if problem.y is None else problem.y.copy(),
            "sample_weight": None
            if problem.sample_weight is None
            else problem.sample_weight.copy(),
        }
        before = copy.deepcopy(arrays)
        replace(problem, **arrays).fit(prepared(estimator))
        changed = [
            name
            for name, array in arrays.items()
            if array is not None and not same(array, before[name])
        ]
        ensure(not changed, f"fit changed {changed} in place.")
        for array in arrays.values():
            if array is not None:
                array.flags.writeable = False
        replace(problem, **arrays).fit(prepared(estimator))


def check_types_are_fixed(estimator: Any) -> None:
    """Names, types and shapes of what fit sets depend on the data's public form alone."""
    problem = Problem.for_estimator(estimator)
    X = problem.X
    constant = X.copy()
    constant[:, 0] = 1.0
    data = {
        "float32 values": X.astype(np.float32),
        "whole numbers": np.rint(10 * X).astype(np.int64),
        "a constant column": constant,
        "huge values": X * 1e6,
        "zeros": np.zeros_like(X),
    }
    expected = _forms(fitted_state(problem.fit(prepared(estimator, seed=0))))
    for what, values in data.items():
        state = fitted_state(replace(problem, X=values).fit(prepared(estimator, seed=0)))
        found = _forms(state)
        changed = sorted(
            path for path in {*expected, *found} if expected.get(path) != found.get(path)
        )
        ensure(not changed, f"The type or shape of {changed} is another one for {what}.")


def _forms(state: State) -> dict[str, Any]:
    return {
        path: (value.dtype, value.shape) if isinstance(value, np.ndarray) else type(value)
        for path, value in state.items()
    }
