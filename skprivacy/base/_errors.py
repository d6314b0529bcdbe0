"""Errors about the data's form that do not quote the data."""

from collections.abc import Callable
from typing import Any

NO_NUMBER = (
    "could not convert string to float: X or y has text, or objects that are no numbers. Make "
    "numbers of them first, for example with OneHotEncoder(categories=...)."
)
TOO_LARGE = "X or y has integers too large for float64. Clip them first."


def without_values(check: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return ``check(*args, **options)``, a conversion, or raise an error that quotes no cell.

    The new error does not hold the old one either: a log that follows the chain of errors
    would print it.

    Raises
    ------
    ValueError
        What to do about values that are no numbers. Other errors of the check pass.
    """
    try:
        return check(*args, **options)
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        problem = NO_NUMBER
    except OverflowError:
        problem = TOO_LARGE
    raise ValueError(problem)
