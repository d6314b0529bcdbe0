"""Teachers: each is fitted on its own rows, votes on the public ones, and is dropped.

What one teacher does may depend on nothing of another's rows: no scaler, no vocabulary of
classes, no cache and no random stream is shared, and it gets its own integer seed.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from ._public import take
from ._students import quiet, seeded, silence

NO_VOTE = -1


class Teachers:
    """Fits teachers in parallel and hands out their votes.

    Parameters
    ----------
    estimator : classifier
    rows, labels : array or data frame, and array of shape (n_rows,)
        Private rows with their labels.
    queries : array or data frame of shape (n_queries, n_features)
        Public rows.
    classes : array of shape (n_classes,)
    n_jobs : int or None
    keep : bool, default=False
        Whether the fitted teachers are kept in `kept`.
    """

    def __init__(
        self,
        estimator: Any,
        rows: Any,
        labels: np.ndarray,
        queries: Any,
        classes: np.ndarray,
        *,
        n_jobs: int | None,
        keep: bool = False,
    ) -> None:
        self.estimator = estimator
        self.rows = rows
        self.labels = labels
        self.queries = queries
        self.classes = classes
        self.n_jobs = n_jobs
        self.keep = keep
        self.kept: list[Any] = []

    def cast(self, parts: Iterator[tuple[np.ndarray, int]]) -> list[np.ndarray]:
        """Return the codes of each teacher's votes, in the order of `parts`."""
        tasks = (
            delayed(_vote)(
                self.estimator,
                take(self.rows, members),
                self.labels[members],
                self.queries,
                self.classes,
                seed,
                keep=self.keep,
                process=os.getpid(),
            )
            for members, seed in parts
        )
        with silence():
            # Data in shared memory would be private rows in a file.
            ballots = Parallel(n_jobs=self.n_jobs, max_nbytes=None)(tasks)
        self.kept = [teacher for _, teacher in ballots if teacher is not None]
        return [codes for codes, _ in ballots]


def _vote(
    estimator: Any,
    rows: Any,
    labels: np.ndarray,
    queries: Any,
    classes: np.ndarray,
    seed: int,
    *,
    keep: bool,
    process: int,
) -> tuple[np.ndarray, Any]:
    """Fit one teacher and return the codes of its votes, and itself if it is to be kept."""
    if process != os.getpid():
        with silence():
            return _fit_and_vote(estimator, rows, labels, queries, classes, seed, keep=keep)
    # Filters of warnings belong to the whole process: threads must not change them.
    return _fit_and_vote(estimator, rows, labels, queries, classes, seed, keep=keep)


def _fit_and_vote(
    estimator: Any,
    rows: Any,
    labels: np.ndarray,
    queries: Any,
    classes: np.ndarray,
    seed: int,
    *,
    keep: bool,
) -> tuple[np.ndarray, Any]:
    found = np.unique(labels)
    n_queries = queries.shape[0]
    if found.size == 0:
        return np.full(n_queries, NO_VOTE), None
    if found.size == 1:
        return np.full(n_queries, np.searchsorted(classes, found[0])), None
    try:
        teacher = quiet(seeded(estimator, seed)).fit(rows, labels)
        codes = class_codes(teacher.predict(queries), classes, n_queries)
    except Exception:  # noqa: BLE001 - the error would tell of private rows: no vote instead
        return np.full(n_queries, NO_VOTE), None
    return codes, teacher if keep else None


def class_codes(predicted: Any, classes: np.ndarray, n_queries: int) -> np.ndarray:
    """Return the position of each predicted label in `classes`; `NO_VOTE` where it has none."""
    labels = np.asarray(predicted)
    if labels.shape != (n_queries,):
        return np.full(n_queries, NO_VOTE)
    position = np.minimum(np.searchsorted(classes, labels), classes.size - 1)
    return np.where(classes[position] == labels, position, NO_VOTE)
