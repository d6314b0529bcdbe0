"""Tables for those who have pandas."""

from typing import Any


def pandas_for(what: str, otherwise: str) -> Any:
    """Return the module pandas, or say how to do without.

    Parameters
    ----------
    what, otherwise : str
        What is in the table, and where else it can be had.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f"A table of {what} needs pandas: pip install 'skprivacy[report]'. "
            f"Without it, use {otherwise}."
        ) from error
    return pd
