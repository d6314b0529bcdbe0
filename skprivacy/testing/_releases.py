"""Checks that what leaves the rows leaves them through declared, noisy releases.

No program can be proved private by running it. But a statistic without noise betrays
itself: it is the same for every seed, and another one for another data set. A private
result can be one of the two, not both, for data sets that differ in one row (but for a
probability that `N_SEEDS` makes small) or by a millionth in every value.
"""

import random
from dataclasses import replace
from typing import Any
from unittest import SkipTest

import numpy as np

from ..ledger import PrivacyAccountant
from ._charging import paid_problem
from ._problem import (
    LARGE,
    SMALL,
    Problem,
    has_random_state,
    is_unprotected,
    prepared,
    smaller_budget,
)
from ._recording import before_charges, ensure, recorded_draws
from ._state import State, differing, exact_differences, fitted_state

N_SEEDS, FEW_SEEDS = 12, 3
SMALL_BUDGET = 0.5
LARGE_BUDGETS = (50.0, 1e4)
N_TRIES = 8


def check_releases_are_declared(estimator: Any) -> None:
    """Every release is one of the charged plan, as calibrated, drawn as often as paid for."""
    problem = paid_problem(estimator)
    accountant = PrivacyAccountant()
    private = prepared(estimator, accountant)
    charged: list[Any] = []
    with recorded_draws() as drawn, before_charges(accountant, charged.append):
        problem.fit(private)
    plan = private.plan(problem.facts(private))
    declared = list(plan.mechanisms)
    for paid in charged:
        declared = list(getattr(paid, "mechanisms", declared))
    waiting = [mechanism for mechanism in declared for _ in range(mechanism.n_draws)]
    for draw in drawn:
        fault = "drawn too often" if draw.mechanism in declared else "drawn, but never declared"
        ensure(draw.mechanism in waiting, f"The release {draw.mechanism.name!r} was {fault}.")
        waiting.remove(draw.mechanism)


def check_attributes_are_releases(estimator: Any) -> None:
    """No attribute tells neighbouring data sets apart without noise."""
    epsilon = smaller_budget(estimator, SMALL_BUDGET)
    for n_rows in (SMALL, LARGE):
        problem = Problem.for_estimator(estimator, n_rows)
        for other in (problem.neighbour(), problem.nudged()):
            leaks = exact_leaks(estimator, problem, other, epsilon)
            ensure(
                not leaks,
                f"These attributes depend on the rows and have no noise: {leaks}. What fit sets "
                "may depend on the rows through releases only.",
            )


def check_noise_at_large_epsilon(estimator: Any) -> None:
    """However large epsilon is, there is noise on what is released."""
    problem = paid_problem(estimator, n_rows=LARGE)
    usual = smaller_budget(estimator, SMALL_BUDGET)
    for epsilon in LARGE_BUDGETS:
        leaks = exact_leaks(estimator, problem, problem.nudged(), epsilon)
        if leaks:
            # What never has noise is another check's finding.
            always = exact_leaks(estimator, problem, problem.nudged(), usual)
            leaks = [path for path in leaks if path not in always]
        ensure(not leaks, f"These attributes have no noise at epsilon = {epsilon:g}: {leaks}.")


def exact_leaks(
    estimator: Any, first: Problem, second: Problem, epsilon: float | None
) -> list[str]:
    """Return the paths of values that tell two data sets apart, the same for all seeds."""
    states: tuple[list[State], list[State]] = ([], [])
    leaks: list[str] = []
    for n_seeds in (FEW_SEEDS, N_SEEDS):
        for problem, found in zip((first, second), states, strict=True):
            for seed in range(len(found), n_seeds):
                private = prepared(estimator, seed=seed, epsilon=epsilon)
                found.append(fitted_state(problem.fit(private)))
        leaks = exact_differences(*states)
        if not leaks:  # more seeds could only show more noise
            break
    return leaks


def check_random_state(estimator: Any) -> None:
    """A seed repeats the noise and the receipt says so; without one noise is secret."""
    problem = paid_problem(estimator, n_rows=LARGE)
    plain = [problem.fit(prepared(estimator)) for _ in range(2)]
    ensure(
        not plain[0].privacy_.reproducible,
        "The receipt calls noise reproducible although random_state is None.",
    )
    if has_random_state(estimator):
        _check_seeds(estimator, problem)
    if is_unprotected(estimator):
        return
    # Where the noise can't be seen in the results, there is nothing to compare.
    if has_random_state(estimator) and not _noise_shows(estimator, problem):
        return
    state = np.random.get_state()  # noqa: NPY002 - whether fits read it is the question
    python_state = random.getstate()
    try:
        results = []
        for _ in range(N_TRIES):
            np.random.seed(0)  # noqa: NPY002
            random.seed(0)
            results.append(fitted_state(problem.fit(prepared(estimator))))
    finally:
        np.random.set_state(state)  # noqa: NPY002
        random.setstate(python_state)
    ensure(
        any(differing(results[0], result) for result in results[1:]),
        "With random_state=None fits gave the same noise again after numpy.random.seed(0): "
        "noise must come from the operating system.",
    )


def _check_seeds(estimator: Any, problem: Problem) -> None:
    first, second = (problem.fit(prepared(estimator, seed=7)) for _ in range(2))
    changed = differing(fitted_state(first), fitted_state(second))
    ensure(not changed, f"Two fits with random_state=7 differ in {changed}.")
    if is_unprotected(estimator):  # there is no noise to be repeated
        return
    for seed in (7, np.random.RandomState(7)):
        private = problem.fit(prepared(estimator, seed=seed))
        ensure(
            private.privacy_.reproducible,
            f"The receipt does not call noise reproducible with random_state={seed!r}.",
        )


def _noise_shows(estimator: Any, problem: Problem) -> bool:
    """Whether most seeds give a result of their own."""
    states = [fitted_state(problem.fit(prepared(estimator, seed=seed))) for seed in range(N_TRIES)]
    different: list[State] = []
    for state in states:
        if all(differing(state, other) for other in different):
            different.append(state)
    return len(different) > N_TRIES // 2


def check_refit_starts_anew(estimator: Any) -> None:
    """A second fit forgets the first, whose rows its receipt does not cover."""
    if not has_random_state(estimator):
        raise SkipTest("There is no random_state.")
    problem = Problem.for_estimator(estimator)
    other = replace(problem, X=problem.X[::-1] / 2)
    once, again = (other.fit(prepared(estimator, seed=0)) for _ in range(2))
    if differing(fitted_state(once), fitted_state(again)):
        raise SkipTest("A seed does not repeat the noise, which is another check's finding.")
    twice = problem.fit(prepared(estimator, seed=0))
    other.fit(twice)
    changed = differing(fitted_state(once), fitted_state(twice))
    ensure(
        not changed,
        f"After a second fit {changed} still depend on the first, which its receipt leaves out.",
    )


def check_weights_are_clipped(estimator: Any) -> None:
    """A sample weight beyond `max_weight` counts like `max_weight`."""
    problem = Problem.for_estimator(estimator, LARGE)
    if not has_random_state(estimator):
        raise SkipTest("There is no random_state.")
    # Without the parameter the largest weight is the estimator's secret, but there is one.
    most = float(getattr(estimator, "max_weight", 1e6))
    weights = np.random.default_rng(1).uniform(0.2, 1, problem.n_rows)
    states = []
    for largest in (most, 1e3 * most):
        weights[:100] = largest
        weighted = replace(problem, sample_weight=weights.copy())
        states.append(fitted_state(weighted.fit(prepared(estimator, seed=0))))
    changed = differing(*states)
    ensure(
        not changed,
        f"Weights of {1e3 * most:g} gave another result than {most:g} in {changed}: larger "
        "weights must be clipped to max_weight, for which the noise is set.",
    )
