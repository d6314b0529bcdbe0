"""Errors about the data's form that do not quote the data."""

from collections.abc import Callable
from typing import Any

NO_NUMBER = (
    "could not convert string to float: X or y has text, or objects that are no numbers. Make "
    "numbers of them first, for example with OneHotEncoder(categories=...)."
)
COMPLEX = "Complex data not supported: X or y has complex numbers. Make columns of their parts."
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
        if "could not convert" in str(error):
            problem = NO_NUMBER
        elif "Complex data" in str(error):
            problem = COMPLEX
        else:
            raise
    except OverflowError:
        problem = TOO_LARGE
    raise ValueError(problem)
