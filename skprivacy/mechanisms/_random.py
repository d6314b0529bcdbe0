"""Where the coins of a private release come from.

The guarantee of a mechanism assumes that its coins are secret and fresh. By
default they are words of the operating system's cryptographic generator: no state
in this process, so that a forked child never repeats its parent's noise, threads
need no lock, and nothing secret can end up in a pickle.

A seed (`random_state`) makes the noise reproducible for tests and teaching.
Whoever knows or guesses the seed can subtract the noise, so such a release
protects nobody; `RandomSource.reproducible` carries that fact to the receipt.

Everything above this module consumes whole 64-bit words, never floats: a float
"uniform" or "normal" has gaps that betray the value it is added to (Mironov 2012,
*On significance of the least significant bits for differential privacy*).
"""

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

_WORD_BYTES = 8
_MAX_SEED = 2**32 - 1


class RandomSource:
    """Secret coins from the operating system's cryptographic generator.

    Examples
    --------
    >>> from skprivacy.mechanisms import RandomSource
    >>> RandomSource().words(3).shape
    (3,)
    """

    @property
    def reproducible(self) -> bool:
        """Whether the words follow from a seed, so that noise made of them protects nobody."""
        return False

    def _random_bytes(self, n_bytes: int) -> bytes:
        return os.urandom(n_bytes)

    def words(self, n: int) -> npt.NDArray[np.uint64]:
        """Return independent, uniform 64-bit words.

        Parameters
        ----------
        n : int
            Number of words.

        Returns
        -------
        ndarray of shape (n,), dtype uint64
        """
        words = np.frombuffer(self._random_bytes(_WORD_BYTES * n), dtype="<u8")
        return words.astype(np.uint64, copy=False)

    def uniform_integers(
        self, n_values: int, size: int | tuple[int, ...] = ()
    ) -> npt.NDArray[np.int64]:
        """Return exactly uniform integers 0, ..., n_values - 1.

        Words from the incomplete last cycle of length `n_values` below 2**64 are
        drawn again, so that the remainder of an accepted word has no bias at all.

        Parameters
        ----------
        n_values : int
            Number of equally likely values, in [1, 2**63].
        size : int or tuple of int, default=()
            Shape of the result.

        Returns
        -------
        ndarray of shape `size`, dtype int64

        Raises
        ------
        ValueError
            If `n_values` is outside its range.
        """
        if not 1 <= n_values <= 2**63:
            raise ValueError(f"n_values must be an int in the range [1, 2**63]. Got {n_values}.")
        shape = size if isinstance(size, tuple) else (size,)
        words = self.words(math.prod(shape))
        last_accepted = np.uint64(2**64 - 1 - 2**64 % n_values)
        rejected = np.flatnonzero(words > last_accepted)
        if rejected.size:
            words = words.copy()
        while rejected.size:
            words[rejected] = self.words(rejected.size)
            rejected = rejected[words[rejected] > last_accepted]
        return (words % np.uint64(n_values)).astype(np.int64).reshape(shape)


class _SeededSource(RandomSource):
    """Words of a NumPy generator: reproducible, therefore not private."""

    def __init__(self, generator: np.random.RandomState | np.random.Generator) -> None:
        self._generator = generator

    @property
    def reproducible(self) -> bool:
        return True

    def _random_bytes(self, n_bytes: int) -> bytes:
        return self._generator.bytes(n_bytes)


def random_source(random_state: Any = None) -> RandomSource:
    """Return the source of random words that a `random_state` stands for.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        None is the operating system's cryptographic generator. An int seeds
        NumPy's `RandomState`, whose stream of bytes is the same in every version of
        NumPy and on every platform. A generator is used as it is and advances.

    Returns
    -------
    RandomSource

    Raises
    ------
    ValueError
        If `random_state` is anything else.

    Examples
    --------
    >>> from skprivacy.mechanisms import random_source
    >>> random_source(0).uniform_integers(6, size=5)
    array([2, 5, 1, 5, 1])
    >>> random_source(0).reproducible, random_source().reproducible
    (True, False)
    """
    if random_state is None:
        return RandomSource()
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        return _SeededSource(random_state)
    if (
        isinstance(random_state, int | np.integer)
        and not isinstance(random_state, bool)
        and 0 <= random_state <= _MAX_SEED
    ):
        return _SeededSource(np.random.RandomState(int(random_state)))
    raise ValueError(
        "The 'random_state' parameter of random_source must be None, an int in the range "
        f"[0, {_MAX_SEED}], an instance of 'numpy.random.RandomState' or an instance of "
        f"'numpy.random.Generator'. Got {random_state!r} instead."
    )
