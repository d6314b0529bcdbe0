"""The checks of `check_dp_estimator`, one small function a rule."""

import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from ..base import DPEstimator
from ..exceptions import BudgetExceededError
from ..ledger import PrivacyAccountant
from ..plan import Facts
from ._data import make_rows, released_arrays

AMPLE = 1e4
"""Ceiling of accountants that are not to refuse anything."""

LEAKS = {"labels_", "inertia_", "n_samples_", "n_samples_seen_", "n_samples_fit_"}
"""Attributes of scikit-learn's estimators that are exact facts about the rows."""


def _accountant(**terms: Any) -> PrivacyAccountant:
    return PrivacyAccountant(**{"epsilon": AMPLE, "delta": 0.5, **terms})


def _with_ledger(estimator: Any, **terms: Any) -> tuple[Any, PrivacyAccountant]:
    accountant = _accountant(**terms)
    return clone(estimator).set_params(accountant=accountant), accountant


def _seeded(estimator: Any, seed: int | None) -> Any:
    return clone(estimator).set_params(random_state=seed, accountant=None)


def _is_free(estimator: Any) -> bool:
    return not estimator.plan(Facts()).mechanisms


def check_accountant_keeps_its_identity(estimator: Any) -> None:
    """Clones, copies, pickles and pipelines hold the same accountant."""
    estimator, accountant = _with_ledger(estimator)
    others = [
        clone(estimator),
        copy.deepcopy(estimator),
        pickle.loads(pickle.dumps(estimator)),
        clone(Pipeline([("step", estimator)])).named_steps["step"],
    ]
    for other in others:
        assert other.accountant is accountant, "a copy of the estimator has another accountant"
        make_rows(other).fit(other)
    expected = 0 if _is_free(estimator) else len(others)
    assert len(accountant.entries) == expected, "fits of copies are missing from the ledger"


def check_plan_needs_no_data(estimator: Any) -> None:
    """A price is known before any data, and is within the budget asked for."""
    estimator = _seeded(estimator, None)
    loss = estimator.plan(Facts()).loss
    assert loss.mu >= 0
    epsilon = loss.to_epsilon(estimator.delta)
    assert epsilon <= estimator.epsilon * (1 + 1e-9), "the plan costs more than its epsilon"
    if not _is_free(estimator):
        assert epsilon >= estimator.epsilon * 0.999, "the plan leaves budget unused"
    wide = estimator.plan(Facts(n_features=1000, classes=(0, 1))).loss
    assert wide.to_epsilon(estimator.delta) <= estimator.epsilon * (1 + 1e-9)


def check_price_is_charged_once(estimator: Any) -> None:
    """What the plan says, the ledger charges and the receipt states, for every fit."""
    estimator, accountant = _with_ledger(estimator)
    make_rows(estimator).fit(estimator)
    receipt, entries = estimator.privacy_, accountant.entries
    assert receipt.epsilon <= estimator.epsilon * (1 + 1e-9)
    if _is_free(estimator):
        assert not entries, "a free fit was charged"
        return
    assert len(entries) == 1, "a fit has to be one entry of the ledger"
    assert entries[0].mu == receipt.mu, "receipt and ledger disagree"
    assert entries[0].delta == receipt.loss.delta, "receipt and ledger disagree"
    assert receipt.entry_uid == entries[0].uid
    make_rows(estimator).fit(estimator)
    assert len(accountant.entries) == 2, "a second fit was not charged"


def check_price_does_not_depend_on_values(estimator: Any) -> None:
    """Rows of one form have one price."""
    estimator, accountant = _with_ledger(estimator)
    for rows in (make_rows(estimator, seed=1), make_rows(estimator, seed=2)):
        (rows._replace(X=rows.X * 1e3)).fit(estimator)
        rows.fit(estimator)
    assert len({entry.mu for entry in accountant.entries}) <= 1, "the price depends on values"


def check_charge_comes_before_noise(estimator: Any) -> None:
    """A refused charge draws nothing, sets nothing and loses nothing."""
    if _is_free(clone(estimator)):
        return
    tight = {"epsilon": estimator.epsilon / 100, "delta": estimator.delta}
    refused, accountant = _with_ledger(estimator, **tight)
    with mock.patch("os.urandom", side_effect=AssertionError("noise was drawn before the charge")):
        _expect(BudgetExceededError, lambda: make_rows(refused).fit(refused))
    assert not accountant.entries
    assert not released_arrays(refused), "a refused fit set attributes"
    fitted = make_rows(estimator).fit(_seeded(estimator, 0))
    before = released_arrays(fitted)
    fitted.set_params(accountant=accountant)
    _expect(BudgetExceededError, lambda: make_rows(fitted, seed=3).fit(fitted))
    after = released_arrays(fitted)
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in before), (
        "a refused fit changed what an earlier one had released"
    )


def check_bad_input_is_free(estimator: Any) -> None:
    """Wrong data and wrong parameters raise ValueError or TypeError and cost nothing."""
    estimator, accountant = _with_ledger(estimator)
    rows = make_rows(estimator)
    broken = {"1-d": rows.X[:, 0], "no rows": rows.X[:0], "infinite": rows.X + np.inf}
    if not get_tags(estimator).input_tags.allow_nan:
        broken["missing"] = np.where(rows.X > 1, np.nan, rows.X)
    for kind, X in broken.items():
        y = None if rows.y is None else rows.y[: len(X)]
        _expect((ValueError, TypeError), lambda: rows._replace(X=X, y=y).fit(estimator), kind)  # noqa: B023
    for parameters in ({"epsilon": 0}, {"epsilon": -1.0}, {"epsilon": "1"}, {"delta": 1.0}):
        wrong = clone(estimator).set_params(**parameters)
        _expect((ValueError, TypeError), lambda: rows.fit(wrong), str(parameters))  # noqa: B023
    assert not accountant.entries, "a fit that was refused for its input was charged"


def check_failed_fit_stays_charged(estimator: Any) -> None:
    """A fit that fails after the charge is marked, by the class of its error alone."""
    if _is_free(clone(estimator)) or not isinstance(estimator, DPEstimator):
        return
    estimator, accountant = _with_ledger(estimator)

    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("swordfish")

    with mock.patch.object(type(estimator), "_fit", fail):
        _expect(RuntimeError, lambda: make_rows(estimator).fit(estimator))
    assert [entry.status for entry in accountant.entries] == ["failed"]
    assert "swordfish" not in accountant.to_json(), "an error's text is in the ledger"


def check_releases_are_declared(estimator: Any) -> None:
    """What was released is what the plan had declared."""
    estimator = make_rows(estimator).fit(_seeded(estimator, None))
    declared = {mechanism["name"] for mechanism in estimator.privacy_.mechanisms}
    drawn = set(estimator.privacy_.noise_scales)
    assert drawn <= declared, f"released, but not declared: {sorted(drawn - declared)}"


def check_pickle_has_no_rows(estimator: Any) -> None:
    """No training value is in the fitted estimator, its pickle, its text or its receipt."""
    rows = make_rows(estimator, n_rows=211)
    estimator = rows.fit(_seeded(estimator, None))
    blob = pickle.dumps(estimator)
    text = f"{estimator!r}{estimator.privacy_}{estimator.privacy_.to_json()}"
    targets = [] if rows.y is None or rows.y.dtype.kind != "f" else [rows.y]
    for value in np.concatenate([rows.X.ravel(), *targets]):
        for kind in (np.float64, np.float32):
            assert kind(value).tobytes() not in blob, "a training value is in the pickle"
        assert repr(float(value)) not in text, "a training value is in the text"
    for name, array in released_arrays(estimator).items():
        assert not np.isin(array, rows.X).any(), f"a training value is in {name}"


def check_number_of_rows_is_private(estimator: Any) -> None:
    """Under add-remove, no attribute or text tells the number of rows."""
    for n_rows in (1237, 1291):
        rows = make_rows(estimator, n_rows=n_rows)
        fitted = rows.fit(_seeded(estimator, None))
        text = f"{fitted!r}{fitted.privacy_}{fitted.privacy_.to_json()}"
        assert str(n_rows) not in text, "the number of rows is in the text"
        for name, value in vars(fitted).items():
            for array in _numbers(value):
                counted = array.size and (
                    np.any(array == n_rows) or np.isclose(array.sum(), n_rows, rtol=0, atol=1e-9)
                )
                assert not counted, f"{name} has the exact number of rows"
                assert n_rows not in array.shape, f"{name} has an entry for each row"


def check_no_exact_facts(estimator: Any) -> None:
    """No attribute that is an exact fact about the rows, nor a number of steps they decided."""
    first = make_rows(estimator, seed=1).fit(_seeded(estimator, 1))
    leaks = LEAKS & set(vars(first))
    assert not leaks, f"exact facts about the rows: {sorted(leaks)}"
    rows = make_rows(estimator, n_rows=80, seed=2)
    second = rows._replace(X=rows.X * 1e-3).fit(_seeded(estimator, 2))
    one, other = (np.asarray(getattr(fitted, "n_iter_", 0)) for fitted in (first, second))
    assert np.array_equal(one, other), "n_iter_ depends on the rows"


def check_noise(estimator: Any) -> None:
    """Noise is fresh without a seed, repeats with one, and the receipt tells which."""
    rows = make_rows(estimator)
    fits = {seed: rows.fit(_seeded(estimator, seed)) for seed in (0, 1)}
    again = rows.fit(_seeded(estimator, 0))
    fresh = [rows.fit(_seeded(estimator, None)) for _ in range(2)]
    assert again.privacy_.reproducible, "the receipt does not say that the noise is reproducible"
    assert not fresh[0].privacy_.reproducible
    same = released_arrays(again)
    for name, array in released_arrays(fits[0]).items():
        assert np.array_equal(array, same[name], equal_nan=True), f"{name}: a seed is not enough"
    if _is_free(estimator):
        return
    for one, other in ((fits[0], fits[1]), fresh):
        first, second = released_arrays(one), released_arrays(other)
        differ = [name for name in first if not np.array_equal(first[name], second[name])]
        assert differ, "two fits released the same: there is no noise"


def check_adjacency_is_the_accountants(estimator: Any) -> None:
    """The adjacency of a fit is that of its accountant; without one, add-remove."""
    assert make_rows(estimator).fit(_seeded(estimator, 0)).privacy_.adjacency == "add-remove"
    for adjacency in ("add-remove", "replace-one"):
        fitted, accountant = _with_ledger(estimator, adjacency=adjacency)
        make_rows(fitted).fit(fitted)
        assert fitted.privacy_.adjacency == adjacency
        assert all(entry.adjacency == adjacency for entry in accountant.entries)


def check_parameters_stay(estimator: Any) -> None:
    """A fit leaves parameters and rows as they were, and warns of nothing."""
    estimator = _seeded(estimator, 0)
    before = joblib.hash({k: v for k, v in estimator.get_params().items() if k != "accountant"})
    rows = make_rows(estimator)
    original = rows.X.copy()
    rows.X.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows.fit(estimator)
    after = joblib.hash({k: v for k, v in estimator.get_params().items() if k != "accountant"})
    assert before == after, "the fit changed a parameter"
    assert np.array_equal(rows.X, original), "the fit changed its input"


def check_dtype_is_public(estimator: Any) -> None:
    """The types of what is released do not depend on the type of the rows."""
    rows = make_rows(estimator)
    wide = released_arrays(rows.fit(_seeded(estimator, 0)))
    narrow = released_arrays(rows._replace(X=rows.X.astype(np.float32)).fit(_seeded(estimator, 0)))
    assert {k: v.dtype for k, v in wide.items()} == {k: v.dtype for k, v in narrow.items()}


def check_large_weights_are_clipped(estimator: Any) -> None:
    """A sample weight above `max_weight` counts as `max_weight`."""
    if "max_weight" not in estimator.get_params():
        return
    rows = make_rows(estimator)
    most = estimator.get_params()["max_weight"]
    fits = [
        released_arrays(rows.fit(_seeded(estimator, 0), sample_weight=np.full(len(rows.X), weight)))
        for weight in (most, 1e3 * most)
    ]
    for name, array in fits[0].items():
        assert np.allclose(array, fits[1][name], rtol=1e-6), f"{name} depends on a large weight"


def check_search_is_counted(estimator: Any) -> None:
    """A grid search has an entry for every fit, in threads too."""
    if get_tags(estimator).target_tags.required is False or _is_free(estimator):
        return
    estimator, accountant = _with_ledger(estimator)
    rows = make_rows(estimator)
    grid = {"epsilon": [0.5, 1.0, 2.0]}
    with joblib.parallel_config("threading", n_jobs=2):
        search = GridSearchCV(estimator, grid, cv=4, error_score="raise").fit(rows.X, rows.y)
    assert len(accountant.entries) == 13, "a 3 x 4-fold search with refit is 13 fits"
    assert search.best_estimator_.accountant is accountant


def _expect(kinds: Any, run: Callable[[], Any], what: str = "this fit") -> None:
    try:
        run()
    except kinds:
        return
    raise AssertionError(f"{what} should have raised {kinds}")


def _numbers(value: Any) -> Iterator[np.ndarray]:
    """Yield the numeric arrays in an attribute, through tuples, lists and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, (np.ndarray, int, float, np.number)) and not isinstance(value, bool):
        array = np.asarray(value)
        if array.dtype.kind in "fiu":
            yield array


CHECKS: tuple[Callable[[Any], None], ...] = tuple(
    function for name, function in list(globals().items()) if name.startswith("check_")
)


def dp_checks(estimator: Any) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """Yield (estimator, check) pairs, for instance for `pytest.mark.parametrize`.

    Parameters
    ----------
    estimator : estimator
        Instance of a private estimator.

    Yields
    ------
    estimator : estimator
    check : callable
        Raises AssertionError, or what the estimator raised, if the rule is broken.
    """
    for check in CHECKS:
        yield estimator, check


def check_dp_estimator(estimator: Any, *, on_fail: str | None = "raise") -> list[dict[str, Any]]:
    """Check that an estimator keeps the contract of private estimators.

    Parameters
    ----------
    estimator : estimator
        Instance with parameters `epsilon`, `delta`, `accountant` and `random_state`, a
        method ``plan(facts)`` and, after `fit`, an attribute `privacy_`.
    on_fail : {"raise", None}, default="raise"
        Whether the first broken rule is raised, or all are reported.

    Returns
    -------
    list of dict
        For each check: `check_name`, `status` ("passed" or "failed"), `exception`.

    Raises
    ------
    AssertionError
        If a rule is broken and ``on_fail="raise"``.

    Notes
    -----
    The checks look from outside. That the noise is enough for the price takes a proof and
    an audit.

    Examples
    --------
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> from skprivacy.testing import check_dp_estimator
    >>> {result["status"] for result in check_dp_estimator(DPStandardScaler())}
    {'passed'}
    """
    results = []
    for one, check in dp_checks(estimator):
        exception = None
        try:
            check(clone(one))
        except Exception as error:
            if on_fail == "raise":
                raise
            exception = error
        results.append(
            {
                "check_name": check.__name__,
                "status": "failed" if exception else "passed",
                "exception": exception,
            }
        )
    return results
