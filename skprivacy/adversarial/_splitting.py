"""Setting rows aside: for the attacker's reference, and for early stopping."""

import numpy as np


def hold_out(
    rows: np.ndarray, codes: np.ndarray, fraction: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows at random within each class; a class keeps at least one row.

    Parameters
    ----------
    rows : array of int of shape (n,)
        Candidates.
    codes : array of int
        Class of every row, candidates or not.
    fraction : float
        Part of each class that is set aside, rounded.
    generator : numpy.random.Generator

    Returns
    -------
    kept, held : arrays of int
        Ascending.
    """
    shuffled = rows[generator.permutation(rows.size)]
    order = np.argsort(codes[shuffled], kind="stable")
    ranked = shuffled[order]
    _, first, sizes = np.unique(codes[ranked], return_index=True, return_counts=True)
    rank = np.arange(ranked.size) - np.repeat(first, sizes)
    most = np.minimum(np.rint(fraction * sizes), sizes - 1)
    held = rank < np.repeat(most, sizes)
    return np.sort(ranked[~held]), np.sort(ranked[held])


def hold_out_evenly(
    rows: np.ndarray, codes: np.ndarray, fraction: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows at random, at even distances in their order by class.

    The number that is set aside is ``fraction`` of all, rounded, whatever the classes: so
    models on equally many rows of one pool can be stacked. Parameters and results are as of
    `hold_out`.
    """
    shuffled = rows[generator.permutation(rows.size)]
    ranked = shuffled[np.argsort(codes[shuffled], kind="stable")]
    n_held = min(int(np.rint(fraction * rows.size)), rows.size - 1)
    held = np.zeros(rows.size, dtype=bool)
    held[((np.arange(n_held) + generator.random()) * rows.size / max(n_held, 1)).astype(int)] = True
    return np.sort(ranked[~held]), np.sort(ranked[held])
