"""Checks that one accountant stays one, wherever the estimator travels.

An estimator that loses its accountant on the way through `clone`, a pipeline, a search or
a worker goes on fitting, and nobody pays. So every way is walked, and entries are counted.
"""

import copy
import pickle
from typing import Any

from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline

from ..ledger import PrivacyAccountant
from ._problem import Problem, is_free, is_unprotected, parameters, prepared
from ._recording import ensure

N_SPLITS = 3


def constant_score(estimator: Any, X: Any, y: Any = None) -> float:
    """Score that any estimator has."""
    return 0.0


def check_accountant_is_shared(estimator: Any) -> None:
    """Clones, copies and pickles of an estimator have its very accountant, or none."""
    accountant = PrivacyAccountant()
    problem = Problem.for_estimator(estimator)
    private = prepared(estimator, accountant)
    fitted = problem.fit(prepared(estimator, accountant))
    ways = {
        "set_params": private,
        "clone": clone(private),
        "copy.copy": copy.copy(private),
        "copy.deepcopy": copy.deepcopy(private),
        "pickle": pickle.loads(pickle.dumps(private)),
        "fit": fitted,
        "clone after fit": clone(fitted),
        "copy.deepcopy after fit": copy.deepcopy(fitted),
        "pickle after fit": pickle.loads(pickle.dumps(fitted)),
        "clone of a pipeline": clone(make_pipeline(private))[-1],
    }
    for way, copied in ways.items():
        ensure(
            parameters(copied)["accountant"] is accountant,
            f"After {way} the estimator has another accountant than it was given.",
        )
    for way, copied in {"clone": clone(private), "pickle": ways["pickle after fit"]}.items():
        before = len(accountant.entries)
        problem.fit(copied)
        ensure(
            len(accountant.entries) - before == _entries_a_fit(estimator, problem),
            f"A fit after {way} did not charge the accountant exactly once.",
        )
    nobody = problem.fit(prepared(estimator, None))
    ensure(
        parameters(nobody)["accountant"] is None,
        "A fit without an accountant put one into the parameters.",
    )


def check_accountant_in_pipeline(estimator: Any) -> None:
    """Every fit inside a pipeline charges the accountant that `bind` gave it."""
    problem = Problem.for_estimator(estimator)
    accountant = PrivacyAccountant()
    inner = Pipeline([("private", prepared(estimator))])
    pipeline = accountant.bind(Pipeline([("nothing", "passthrough"), ("inner", inner)]))
    problem.fit(pipeline)
    problem.fit(clone(pipeline))
    _expect(accountant, 2 * _entries_a_fit(estimator, problem), "two fits of a pipeline")


def check_accountant_in_search(estimator: Any) -> None:
    """Cross-validation and grid search charge every fit once, with threads too."""
    problem = Problem.for_estimator(estimator)
    each = _entries_a_fit(estimator, problem)
    budgets = _budgets(estimator)
    for n_jobs, backend in ((1, "sequential"), (2, "threading")):
        accountant = PrivacyAccountant()
        private = prepared(estimator, accountant)
        with parallel_config(backend=backend):
            _cross_validate(private, problem, n_jobs)
            _expect(accountant, N_SPLITS * each, f"{N_SPLITS} splits ({backend})")
            search = _search(private, {"epsilon": budgets}, n_jobs)
            search.fit(problem.X, problem.y)
        fits = N_SPLITS + N_SPLITS * len(budgets) + 1
        _expect(accountant, fits * each, f"{fits} fits of a search ({backend})")


def check_accountant_in_processes(estimator: Any) -> None:
    """Worker processes charge every fit once, to the same ledger."""
    problem = Problem.for_estimator(estimator)
    accountant = PrivacyAccountant()
    private = prepared(estimator, accountant)
    with parallel_config(backend="loky"):
        _cross_validate(private, problem, 2)
        _search(private, {"epsilon": _budgets(estimator)[:1]}, 2).fit(problem.X, problem.y)
    fits = 2 * N_SPLITS + 1
    _expect(accountant, fits * _entries_a_fit(estimator, problem), f"{fits} fits in processes")


def _budgets(estimator: Any) -> list[float | None]:
    """Return two values of epsilon to search over; there is one without a guarantee."""
    if is_unprotected(estimator):
        return [None, None]
    return [float(estimator.epsilon), float(estimator.epsilon) / 2]


def _cross_validate(private: Any, problem: Problem, n_jobs: int) -> None:
    cross_validate(
        private,
        problem.X,
        problem.y,
        scoring=constant_score,
        cv=KFold(N_SPLITS),
        error_score="raise",
        n_jobs=n_jobs,
    )


def _search(private: Any, grid: dict[str, Any], n_jobs: int) -> GridSearchCV:
    return GridSearchCV(
        private,
        grid,
        scoring=constant_score,
        cv=KFold(N_SPLITS),
        error_score="raise",
        n_jobs=n_jobs,
    )


def _entries_a_fit(estimator: Any, problem: Problem) -> int:
    return 0 if is_free(estimator, problem) else 1


def _expect(accountant: PrivacyAccountant, number: int, what: str) -> None:
    found = len(accountant.entries)
    ensure(
        found == number, f"The ledger has {found} entries after {what}; it should have {number}."
    )
