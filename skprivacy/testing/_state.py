"""What a fitted estimator holds, down to the last number.

A leak hides well: in a private attribute, a dictionary in a list, the closure of a
function. `fitted_state` walks all of it and returns every value with its path; the rest of
the module compares such states.
"""

import dataclasses
import functools
import pickle
import types
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..ledger import PrivacyAccountant

State = dict[str, Any]
"""Values of a fitted estimator by their path."""

PUBLIC_FORM = {"n_features_in_", "feature_names_in_"}
"""Attributes that validation sets: the data's declared form, which is public."""

ROUNDING = 1e-9
"""Relative difference of numbers that may be due to the order of a sum."""

_ATOMS = (type(None), bool, int, float, complex, str, bytes, np.generic)
_CLOSED = (PrivacyAccountant, type, types.ModuleType)


def fitted_state(estimator: Any) -> State:
    """Return every value that fitting left in an estimator."""
    own = set(estimator.get_params(deep=False))
    seen: set[int] = {id(estimator)}
    state: State = {}
    for name, value in vars(estimator).items():
        if name not in own:
            state.update(_walk(value, name, seen))
    # The entry that paid is another for every fit.
    state.pop("privacy_.entry_uid", None)
    return state


def attributes(estimator: Any) -> dict[str, Any]:
    """Return the attributes that are no parameters, as they are."""
    own = set(estimator.get_params(deep=False))
    return {name: value for name, value in vars(estimator).items() if name not in own}


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _CLOSED):
        return
    if isinstance(value, _ATOMS):
        yield path, value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.dtype.kind not in "OV":
        yield path, value
        return
    parts = list(_parts(value))
    if not parts:
        yield path, value
    for name, part in parts:
        yield from _walk(part, f"{path}{name}", seen)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value is made of, with names that extend its path."""
    if isinstance(value, np.ndarray):
        names = value.dtype.names
        if names is None:
            yield from ((f"[{index}]", item) for index, item in enumerate(value.ravel()))
        else:
            yield from ((f"[{name!r}]", np.asarray(value[name])) for name in names)
    elif isinstance(value, Mapping):
        for index, (key, item) in enumerate(value.items()):
            label = repr(key) if isinstance(key, str) else f"key {index}"
            if not isinstance(key, str):
                yield f"[{label}].key", key
            yield f"[{label}]", item
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, AbstractSet):
        yield from ((f"[{index}]", item) for index, item in enumerate(sorted(value, key=repr)))
    elif sp.issparse(value):
        matrix: Any = value
        yield ".tocoo()", vars(matrix.tocoo())
    elif hasattr(value, "to_numpy"):
        yield ".to_numpy()", np.asarray(value.to_numpy())
        yield ".index", np.asarray(getattr(value, "index", ()), dtype=object)
    elif isinstance(value, functools.partial):
        yield ".func", value.func
        yield ".args", value.args
        yield ".keywords", value.keywords
    elif isinstance(value, types.MethodType):
        yield ".self", value.__self__
        yield ".function", value.__func__
    elif isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        yield from ((f".closure[{index}]", _content(cell)) for index, cell in enumerate(cells))
        yield ".defaults", value.__defaults__
    elif dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        yield from ((f".{field.name}", getattr(value, field.name, None)) for field in fields)
    elif hasattr(value, "__dict__"):
        yield from ((f".{name}", item) for name, item in vars(value).items())


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def same(first: Any, second: Any) -> bool:
    """Whether two values are the same, in type, shape and number, NaN included."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return (
            first.dtype == second.dtype
            and first.shape == second.shape
            and np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
        )
    if type(first) is not type(second):
        return False
    if isinstance(first, float | np.floating) and np.isnan(first):
        return bool(np.isnan(second))
    if isinstance(first, _ATOMS):
        return bool(first == second)
    return first is second or _opaque(first) == _opaque(second)


def _opaque(value: Any) -> Any:
    """Return what stands for an object without parts, such as a random generator."""
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001 - objects refuse to be pickled in their own ways
        return repr(value)


def differing(first: State, second: State) -> list[str]:
    """Return the paths at which two states differ."""
    missing = object()
    paths = dict.fromkeys([*first, *second])
    return [p for p in paths if not same(first.get(p, missing), second.get(p, missing))]


def exact_differences(first: list[State], second: list[State]) -> list[str]:
    """Return the paths of values that tell two data sets apart and show no noise.

    Parameters
    ----------
    first, second : list of State
        States after fits on one and on another data set, each with several seeds.

    Returns
    -------
    list of str
        Paths with a number that is the same for all seeds on each data set, but not the
        same for both.
    """
    paths = dict.fromkeys(path for state in (*first, *second) for path in state)
    return [path for path in paths if _told_apart(first, second, path)]


def _told_apart(first: list[State], second: list[State], path: str) -> bool:
    missing = object()
    values = [state.get(path, missing) for state in (*first, *second)]
    shapes = {np.shape(value) if _is_number(value) else None for value in values}
    if len(shapes) == 1 and None not in shapes:
        table = np.array([np.ravel(value) for value in values])
        ours, theirs = table[: len(first)], table[len(first) :]
        constant = _equal(ours, ours[0]).all(axis=0) & _equal(theirs, theirs[0]).all(axis=0)
        apart = ~_equal(ours[0], theirs[0])
        if table.dtype.kind == "f":
            apart &= ~np.isclose(ours[0], theirs[0], rtol=ROUNDING, atol=0.0, equal_nan=True)
        return bool((constant & apart).any())
    one, other = values[0], values[len(first)]
    return (
        all(same(value, one) for value in values[: len(first)])
        and all(same(value, other) for value in values[len(first) :])
        and not same(one, other)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | complex | np.generic | np.ndarray) and (
        np.asarray(value).dtype.kind in "biufc"
    )


def _equal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first == second) | ((first != first) & (second != second))  # noqa: PLR0124 - NaN
