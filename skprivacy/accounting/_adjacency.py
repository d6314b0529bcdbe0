"""What two neighbouring data sets are."""

from typing import Literal, get_args

Adjacency = Literal["add-remove", "replace-one"]

ADJACENCIES: tuple[Adjacency, ...] = get_args(Adjacency)


def check_adjacency(adjacency: str) -> Adjacency:
    """Return `adjacency` if it is one of `ADJACENCIES`.

    Parameters
    ----------
    adjacency : {"add-remove", "replace-one"}
        ``"add-remove"``: one record more or less, so that the number of rows is
        private. ``"replace-one"``: one record changed, the number of rows public.

    Returns
    -------
    str
        The same string.

    Raises
    ------
    ValueError
        For any other value.
    """
    for known in ADJACENCIES:
        if adjacency == known:
            return known
    raise ValueError(f"adjacency must be one of {list(ADJACENCIES)}. Got {adjacency!r} instead.")
