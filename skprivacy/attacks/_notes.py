"""What is checked of a target before an attack, and what its reader must be told."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ._rows import Pool, check_model, make_pool
from ._signals import Labels, Signals, is_regression

ROWS_PER_RATE = 10
"""A rate read off fewer false accusations than this is mostly chance."""


def checked_target(
    model: Any, X_member: Any, y_member: Any, X_nonmember: Any, y_nonmember: Any
) -> tuple[Pool, bool]:
    """Return members and non-members as one pool, and whether the model is a regressor."""
    check_model(model)
    pool = make_pool(X_member, y_member, X_nonmember, y_nonmember)
    regression = is_regression(model, pool.y)
    if not regression:
        classes = np.unique(pool.y)
        if classes.size == 1:
            raise ValueError(
                f"All members and non-members are of one class, {classes.tolist()[0]!r}. An "
                "attack needs rows of at least 2 classes."
            )
        if hasattr(model, "classes_"):
            unseen = np.unique(pool.y[pool.is_member & (Labels(pool.y).codes(model) < 0)])
            if unseen.size:
                raise ValueError(
                    f"Members have classes unseen by the model: {unseen.tolist()}. Members must "
                    "be rows that it was fitted on, with labels as it knows them."
                )
    return pool, regression


def data_notes(pool: Pool, signals: Signals, clip: float) -> list[str]:
    """Return what makes an attack on these rows understate or mistake something."""
    notes = []
    if pool.n_overlapping:
        notes.append(
            f"{pool.n_overlapping} of {pool.y.size - pool.n_members} non-members equal a member "
            "in every column and in the label: no attack can tell these apart. If they are the "
            "same persons, remove them from the non-members."
        )
    if signals.n_saturated:
        notes.append(
            f"{signals.n_saturated} of {pool.y.size} probabilities lie within {clip:g} of 0 or 1 "
            "and were clipped: among such rows attacks on confidence can't rank."
        )
    return notes


def rate_note(n_nonmembers: int, rates: Iterable[float]) -> str | None:
    """Return a note on false positive rates that too few non-members carry, if there are any."""
    rare = [rate for rate in rates if n_nonmembers * rate < ROWS_PER_RATE]
    if not rare:
        return None
    listed = ", ".join(f"{rate:g}" for rate in rare)
    enough = ", ".join(
        f"{int(np.ceil(ROWS_PER_RATE / rate))}" if rate > 0 else "more than any number of"
        for rate in rare
    )
    return (
        f"{n_nonmembers} non-members are few for a true positive rate at a false positive rate "
        f"of {listed}: it rests on fewer than {ROWS_PER_RATE} of them. Give at least {enough} "
        "non-members for a steady number."
    )
