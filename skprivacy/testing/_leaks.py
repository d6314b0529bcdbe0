"""Checks that nothing of the rows stays in the estimator, its texts or its pickle.

The rows' values are random numbers of full precision, so each is its own sentinel: its
eight bytes, or the first digits of its decimal text, turn up elsewhere by copying alone.
The numbers of rows are odd ones for the same reason.
"""

import contextlib
import io
import pickle
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from ..ledger import PrivacyAccountant
from ..mechanisms import RandomSource
from ._problem import LARGE, LARGER, SMALL, Problem, prepared, smaller_budget
from ._recording import ensure
from ._releases import exact_leaks
from ._state import fitted_state, same

DECIMALS = 7
"""Decimals by which a value is recognised in text; NumPy prints eight."""

ROW_ATTRIBUTES = {
    "inertia_": "a sum over the exact rows",
    "labels_": "one label a row",
    "n_samples_": "the number of rows",
    "n_samples_fit_": "the number of rows",
    "n_samples_seen_": "the number of rows",
    "oob_decision_function_": "one score a row",
    "oob_prediction_": "one prediction a row",
    "support_": "indices of rows",
    "support_vectors_": "rows themselves",
}
"""What scikit-learn's estimators show, and a private one can't."""


def check_no_rows_are_kept(estimator: Any) -> None:
    """No value of the rows is in the fitted estimator, its texts, its pickle or the ledger."""
    problem = Problem.for_estimator(estimator)
    fitted, accountant, said = _fit_and_listen(estimator, problem)
    secrets = problem.X.ravel()
    if problem.y is not None and not is_classifier(estimator):
        secrets = np.concatenate([secrets, problem.y])
    kept = [path for path, value in fitted_state(fitted).items() if _holds(value, secrets)]
    ensure(not kept, f"Values of the training rows are in {kept}.")
    _search_pickle(pickle.dumps(fitted), secrets, problem.X)
    digits = {_digits(value) for value in secrets}
    for where, text in {**_texts(fitted, accountant), "what fit printed or warned": said}.items():
        found = next((part for part in digits if part in text), None)
        ensure(found is None, f"A value of the training rows is in {where}.")


def check_no_row_labels_are_kept(estimator: Any) -> None:
    """The index of a data frame, which may name people, is nowhere after a fit."""
    pd = _pandas()
    problem = Problem.for_estimator(estimator)
    index = [f"person-{number:03d}-of-the-index" for number in range(problem.n_rows)]
    columns = [f"column {number}" for number in range(problem.X.shape[1])]
    frame = pd.DataFrame(problem.X, index=index, columns=columns)
    target = None if problem.y is None else pd.Series(problem.y, index=index)
    fitted, accountant, said = _fit_and_listen(estimator, replace(problem, X=frame, y=target))
    texts = {**_texts(fitted, accountant), "what fit printed or warned": said}
    texts["the pickle"] = pickle.dumps(fitted).decode("latin1")
    for where, text in texts.items():
        ensure("of-the-index" not in text, f"Labels of the data frame's rows are in {where}.")


def _pandas() -> Any:
    from unittest import SkipTest

    try:
        import pandas as pd
    except ImportError as error:
        raise SkipTest("pandas is not installed.") from error
    return pd


def check_row_count_is_private(estimator: Any) -> None:
    """Under add-remove adjacency the number of rows can't be read from anything."""
    found = []
    for n_rows in (LARGE, LARGER):
        problem = Problem.for_estimator(estimator, n_rows)
        fitted, accountant, said = _fit_and_listen(estimator, problem)
        texts = {**_texts(fitted, accountant), "what fit printed or warned": said}
        pattern = re.compile(rf"(?<![\w.]){n_rows}(?!\w)")
        state = fitted_state(fitted)
        places = {path for path, value in state.items() if _shows_count(value, n_rows)}
        found.append(places | {where for where, text in texts.items() if pattern.search(text)})
    # Once may be chance, twice is not.
    shown = sorted(found[0] & found[1])
    ensure(not shown, f"The exact number of rows is in {shown}.")
    epsilon = smaller_budget(estimator, 1.0)
    for n_rows in (SMALL, LARGE):
        problem = Problem.for_estimator(estimator, n_rows)
        leaks = exact_leaks(estimator, problem, problem.longer(), epsilon)
        ensure(not leaks, f"One more row is seen exactly in {leaks}.")


def _shows_count(value: Any, n_rows: int) -> bool:
    """Whether a value is the number of rows, has it as a length, or adds up to it."""
    if isinstance(value, str | bytes) or value is None:
        return False
    array = np.asarray(value)
    if n_rows in array.shape:
        return True
    if array.dtype.kind not in "iuf":
        return False
    with np.errstate(all="ignore"):
        return bool((array == n_rows).any() or array.sum() == n_rows)


def check_no_row_attributes(estimator: Any) -> None:
    """There is none of the attributes by which scikit-learn's estimators speak of rows."""
    problem = Problem.for_estimator(estimator)
    fitted = problem.fit(prepared(estimator))
    for name, meaning in ROW_ATTRIBUTES.items():
        ensure(not hasattr(fitted, name), f"The fitted estimator has {name!r}: {meaning}.")
    if hasattr(fitted, "n_iter_"):
        other = replace(problem, X=problem.X[::-1] * 10).fit(prepared(estimator))
        ensure(
            same(fitted.n_iter_, other.n_iter_),
            "n_iter_ depends on the rows; it may only be a number fixed beforehand.",
        )


def check_no_generator_is_kept(estimator: Any) -> None:
    """What fit sets holds no random generator: from its state noise could be drawn again."""
    problem = Problem.for_estimator(estimator)
    kinds = (np.random.RandomState, np.random.Generator, np.random.BitGenerator, RandomSource)
    for seed in (None, 0):
        state = fitted_state(problem.fit(prepared(estimator, seed=seed)))
        kept = [path for path, value in state.items() if isinstance(value, kinds)]
        ensure(not kept, f"fit left a random generator in {kept}.")


def _fit_and_listen(estimator: Any, problem: Problem) -> tuple[Any, PrivacyAccountant, str]:
    """Return a fitted estimator, its accountant, and what was printed or warned meanwhile."""
    accountant = PrivacyAccountant()
    printed = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        warnings.simplefilter("always")
        fitted = problem.fit(prepared(estimator, accountant, 0))
    said = [printed.getvalue(), *(str(warning.message) for warning in warned)]
    return fitted, accountant, "\n".join(said)


def _texts(fitted: Any, accountant: PrivacyAccountant) -> dict[str, str]:
    """Return every text that an estimator, its receipt and its ledger show."""
    receipt = fitted.privacy_
    return {
        "the repr": repr(fitted),
        "the str": str(fitted),
        "the HTML repr": fitted._repr_html_() if hasattr(fitted, "_repr_html_") else "",
        "the receipt's repr": repr(receipt),
        "the receipt's text": str(receipt),
        "the receipt's JSON": receipt.to_json(),
        "the ledger": accountant.to_json(),
    }


def _holds(value: Any, secrets: np.ndarray) -> bool:
    """Whether a value of a fitted estimator is, or has, one of the secret numbers."""
    if isinstance(value, str):
        return any(_digits(secret) in value for secret in secrets)
    if isinstance(value, bytes):
        return any(part in value for part in _encodings(secrets))
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return False
    known = np.concatenate([secrets, secrets.astype(np.float32)])
    return bool(np.isin(array, known).any())


def _encodings(secrets: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of numbers: in arrays, and in the pickle of a float."""
    yield from (secret.astype(order).tobytes() for secret in secrets for order in ("<f8", ">f8"))


def _search_pickle(blob: bytes, secrets: np.ndarray, X: np.ndarray) -> None:
    ensure(
        not any(part in blob for part in _encodings(secrets)),
        "A value of the training rows is in the pickle of the fitted estimator.",
    )
    # Four bytes alone may be chance: neighbours in a row or a column are not.
    single = X.astype(np.float32)
    pairs = [*single[:, :2], *single[:2].T, *single[-2:].T]
    ensure(
        not any(np.ascontiguousarray(pair).tobytes() in blob for pair in pairs),
        "Values of the training rows, in single precision, are in the pickle.",
    )
    text = blob.decode("latin1")
    ensure(
        not any(_digits(secret) in text for secret in secrets),
        "The text of a value of the training rows is in the pickle.",
    )


def _digits(value: float) -> str:
    """Return the first digits of a number below 10, as any text of it has them."""
    return f"{abs(value):.17f}"[: DECIMALS + 2]
