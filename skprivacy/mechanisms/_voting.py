"""Noisy majority votes of teachers, each of which has seen its own rows only.

The rows are dealt out to T teachers, each row by its own coin. A teacher is any function
of its rows and its own coins; it answers each of Q public queries with one class, or not
at all. Released are the counts of the answers with Gaussian noise, all queries at once:
the Gaussian noisy argmax of PATE (Papernot, Song, Mironov, Raghunathan, Talwar and
Erlingsson 2018) is what a reader makes of them.

Fix the coins. Neighbours differ in the rows of one teacher, so that for each query at
most one vote leaves a class and one enters another: the counts move by at most sqrt(2 Q)
in L2, under add-remove and replace-one alike. That needs each of the conditions, so all
of them are kept here and not by the caller: the deal, the teachers' seeds, and that a
teacher is asked once and votes for one class a query. ``docs/theory/pate.md`` has the
proof.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ..accounting import Adjacency, check_adjacency
from ..exceptions import ReleaseError
from ._base import Draw
from ._gaussian import GaussianMechanism
from ._random import RandomSource
from ._rounded import lattice, rounded_gaussian

SEEDS = 2**31 - 1

IntArray = npt.NDArray[np.int64]
Part = tuple[IntArray, int]
"""What one teacher gets: the indices of its rows, in order, and its seed."""

Cast = Callable[[Iterator[Part]], Iterable[npt.ArrayLike]]
"""Maps parts, in their order, to codes of shape (n_queries,); a code outside the classes
is no vote."""


@dataclass(frozen=True)
class Votes:
    """Noisy votes on some of the queries.

    Parameters
    ----------
    queries : array of int of shape (n_answered,)
        Which queries were answered.
    counts : array of shape (n_answered, n_classes)
        The noisy number of votes for each class.
    """

    queries: IntArray
    counts: npt.NDArray[np.float64]

    def labels(self) -> IntArray:
        """Return the code of the class with most noisy votes, for each answered query."""
        return np.asarray(self.counts.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class GaussianVotes(GaussianMechanism):
    """Noisy counts of the teachers' votes on Q queries.

    Sensitivity (L2): sqrt(2 Q) under add-remove and under replace-one.
    """

    kind: ClassVar[str] = "solve"

    def sensitivity(self, n_queries: int) -> float:
        """Return the joint L2 sensitivity of the counts."""
        return math.sqrt(2.0 * n_queries)

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        check_adjacency(adjacency)
        return "sqrt(2 Q) (L2, one vote a teacher in each of Q queries)"

    def draw(
        self,
        n_rows: int,
        cast: Cast,
        *,
        n_teachers: int,
        n_queries: int,
        n_classes: int,
        adjacency: Adjacency,
        source: RandomSource,
    ) -> Draw:
        """Deal the rows out, have the teachers vote, and release the noisy counts.

        Parameters
        ----------
        n_rows : int
            Number of private rows.
        cast : callable
            Makes of each part (indices of a teacher's rows, its seed) the teacher's codes,
            one for each query. It must use nothing of other parts.
        n_teachers, n_queries, n_classes : int
            Public numbers.
        adjacency, source
            Adjacency of the data and source of random words.

        Returns
        -------
        Draw
            `value` is `Votes` on all queries, `noise_scale` the standard deviation of a
            count's noise.
        """
        check_adjacency(adjacency)
        scale = self._scale(self.sensitivity(n_queries))
        votes = count_votes(n_rows, cast, n_teachers, n_queries, n_classes, source)
        return Draw(Votes(np.arange(n_queries), _noisy(votes, scale, source)), scale)


@dataclass(frozen=True, kw_only=True)
class ConfidentVotes(GaussianVotes):
    """Noisy counts for those queries on which many teachers agree.

    First the largest count of every query is released with noise: one vote moves it by at
    most 1, hence sqrt(Q) in L2 for all. Of the queries where it reaches `threshold` of the
    teachers, the A largest get a release of their counts, of sensitivity sqrt(2 A).
    Both parts have their mu beforehand; fewer answers than the cap get less noise
    rather than a lower price.

    Parameters
    ----------
    threshold : float, default=.5
        Part of the teachers that has to agree.
    n_answers : int, default=None
        Largest number of queries answered. None: half of them.
    check_share : float, default=.1
        Part of mu squared that the largest counts are released for.
    """

    threshold: float = 0.5
    n_answers: int | None = None
    check_share: float = 0.1

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        check_adjacency(adjacency)
        return (
            "sqrt(Q) and sqrt(2 A) (L2, largest counts of Q queries, then counts of A), "
            f"with {self.check_share:.6g} and {1 - self.check_share:.6g} of mu squared"
        )

    def check_scale(self, n_queries: int) -> float:
        """Return the noise scale of the largest counts of `n_queries` queries."""
        return self._scale(math.sqrt(n_queries / self.check_share))

    def answer_scale(self, n_answers: int) -> float:
        """Return the noise scale of the counts of `n_answers` queries."""
        return self._scale(self.sensitivity(n_answers) / math.sqrt(1 - self.check_share))

    def draw(
        self,
        n_rows: int,
        cast: Cast,
        *,
        n_teachers: int,
        n_queries: int,
        n_classes: int,
        adjacency: Adjacency,
        source: RandomSource,
    ) -> Draw:
        """Deal the rows out, have the teachers vote, and release what they agree on.

        Parameters as of `GaussianVotes.draw`. `noise_scale` has that of the largest counts
        and that of the counts. Where no query reaches the threshold, the one with the
        largest noisy count is answered.
        """
        check_adjacency(adjacency)
        cap = (n_queries + 1) // 2 if self.n_answers is None else min(self.n_answers, n_queries)
        votes = count_votes(n_rows, cast, n_teachers, n_queries, n_classes, source)
        check_scale = self.check_scale(n_queries)
        largest = _noisy(votes.max(axis=1), check_scale, source)
        # From here on everything about which queries are answered is post-processing.
        n_passed = int((largest >= self.threshold * n_teachers).sum())
        answered = np.sort(np.argsort(-largest, kind="stable")[: min(max(n_passed, 1), cap)])
        scale = self.answer_scale(answered.size)
        counts = _noisy(votes[answered], scale, source)
        return Draw(Votes(answered, counts), np.array([check_scale, scale]))


def count_votes(
    n_rows: int,
    cast: Cast,
    n_teachers: int,
    n_queries: int,
    n_classes: int,
    source: RandomSource,
) -> IntArray:
    """Return the exact counts, of shape (n_queries, n_classes); one row moves one vote a query."""
    # The seeds come first: how many words the rows use up must not reach the teachers.
    seeds = source.uniform_integers(SEEDS, n_teachers)
    teacher = source.uniform_integers(n_teachers, n_rows)
    order = np.argsort(teacher, kind="stable")
    starts = np.searchsorted(teacher[order], np.arange(n_teachers + 1))

    def parts() -> Iterator[Part]:
        for t in range(n_teachers):
            yield order[starts[t] : starts[t + 1]], int(seeds[t])

    votes = np.zeros((n_queries, n_classes), dtype=np.int64)
    queries = np.arange(n_queries)
    for ballot in islice(cast(parts()), n_teachers):
        codes = np.asarray(ballot)
        if codes.shape != (n_queries,) or codes.dtype.kind not in "iu":
            raise ReleaseError(
                "A teacher's votes must be one integer code for each query. Got an array of "
                f"shape {codes.shape} and type {codes.dtype}."
            )
        valid = (codes >= 0) & (codes < n_classes)
        votes[queries[valid], codes[valid]] += 1
    return votes


def _noisy(totals: IntArray, scale: float, source: RandomSource) -> npt.NDArray[np.float64]:
    """Return integers plus exactly rounded Gaussian noise, on a grid fine enough for no ties."""
    grid = lattice(1.0, scale)
    # Beside noise of more than 2^31 votes a vote is truncated to nothing.
    noise = rounded_gaussian(totals.shape, scale / grid, source)
    return np.asarray((totals * int(1 / grid) + noise) * grid)
