"""Axes to draw on: the caller's, or new ones if matplotlib is installed."""

from typing import Any


def axes_or_new(ax: Any, n_columns: int = 1, **options: Any) -> Any:
    """Return `ax`, or the axes of a new figure where it is None.

    Parameters
    ----------
    ax : matplotlib Axes, array of them, or None
        What the caller gave.
    n_columns : int, default=1
        Axes side by side; more than one come as an array.
    **options : dict
        For ``matplotlib.pyplot.subplots``.

    Raises
    ------
    ImportError
        If matplotlib is not installed and no axes are given.
    ValueError
        If the number of axes given is not `n_columns`.
    """
    if ax is None:
        try:
            from matplotlib import pyplot as plt
        except ImportError as error:
            raise ImportError(
                "Drawing needs matplotlib. Install it with pip install 'skprivacy[report]'."
            ) from error
        return plt.subplots(1, n_columns, **options)[1]
    if n_columns > 1 and len(ax) != n_columns:
        raise ValueError(f"ax must be {n_columns} axes. Got {len(ax)} instead.")
    return ax
