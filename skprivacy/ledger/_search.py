"""Parameter searches: their candidates, and how many fits they make."""

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.model_selection import ParameterGrid, ParameterSampler

from ._structure import FitsOf, Structure, is_estimator, kinds, n_splits, walk


def check_countable(search: Any) -> None:
    """Raise ValueError for a search whose number of fits the data decides."""
    if "BaseSuccessiveHalving" in kinds(search):
        raise ValueError(
            f"The number of fits of {type(search).__name__} depends on the data, so it has no "
            "price beforehand. Use GridSearchCV or RandomizedSearchCV; or bind it to the "
            "accountant, and let the ceiling refuse what passes it."
        )


def spaces(search: Any) -> list[Mapping[str, Any]]:
    """Return the parameter spaces of a search, each a mapping from name to values."""
    space = getattr(search, "param_grid", None)
    if space is None:
        space = getattr(search, "param_distributions", None)
    if space is None:
        raise ValueError(
            f"{type(search).__name__} is no search with param_grid or param_distributions, so its "
            "candidates can't be counted."
        )
    return [space] if isinstance(space, Mapping) else list(space)


def candidate_estimators(search: Any) -> Iterator[Any]:
    """Yield every estimator that stands among the values of a search's spaces."""
    for space in spaces(search):
        for values in space.values():
            if isinstance(values, list | tuple):
                yield from (value for value in values if is_estimator(value))


def searched_names(search: Any) -> set[str]:
    """Return the last part of every parameter name a search varies, steps it replaces too."""
    return {name.rpartition("__")[2] for space in spaces(search) for name in space}


def n_candidates(search: Any) -> int:
    """Return how many candidates a search tries."""
    check_countable(search)
    if hasattr(search, "param_grid"):
        return len(ParameterGrid(search.param_grid))
    finite = all(
        not hasattr(values, "rvs") for space in spaces(search) for values in space.values()
    )
    if finite:
        # The sampler draws without replacement and stops at the end of a grid.
        return min(int(search.n_iter), len(ParameterGrid(spaces(search))))
    return int(search.n_iter)


def splits(search: Any) -> int:
    """Return the number of splits of a search's cross-validation."""
    number = n_splits(search, default=5)
    if number is None:
        raise ValueError(
            f"The number of splits of {type(search).__name__}(cv={search.cv!r}) needs the data. "
            "Use an integer or a splitter with a fixed number of splits."
        )
    return number


def n_search_fits(search: Any) -> int:
    """Return how many fits a search makes, the refit included."""
    return n_candidates(search) * splits(search) + bool(search.refit)


def candidates(search: Any) -> list[dict[str, Any]]:
    """Return the candidates of a search.

    Raises
    ------
    ValueError
        If they are drawn anew at every fit and would change the price.
    """
    check_countable(search)
    if hasattr(search, "param_grid"):
        return list(ParameterGrid(search.param_grid))
    if isinstance(search.random_state, int):
        return list(
            ParameterSampler(spaces(search), search.n_iter, random_state=search.random_state)
        )
    if searched_names(search) & {"epsilon", "delta"} or any(candidate_estimators(search)):
        raise ValueError(
            f"{type(search).__name__} draws its candidates' budgets when it is fitted, so their "
            "price is not known yet. Set its random_state to an integer."
        )
    return [{}] * n_candidates(search)


def explore(estimator: Any, fits_of: FitsOf, method: str) -> Structure:
    """Walk an estimator, and what its searches may put in the place of steps.

    Raises
    ------
    TypeError
        If it is no estimator.
    ValueError
        If nothing in it is private.
    """
    if not is_estimator(estimator):
        raise TypeError(f"{method} takes an estimator. Got {estimator!r} instead.")
    found = walk(estimator, fits_of=fits_of)
    for search in found.searches:
        for candidate in candidate_estimators(search):
            walk(candidate, fits_of=fits_of, path="candidate", found=found)
    if not found.leaves:
        raise ValueError(
            f"{type(estimator).__name__} has no private estimator inside, so the accountant has "
            "nothing to charge. Private estimators are those of skprivacy, named DP..."
        )
    return found
