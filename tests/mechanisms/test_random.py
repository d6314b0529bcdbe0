"""Random words: secret by default, reproducible on request, exactly uniform."""

import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from skprivacy.mechanisms._random import RandomSource, random_source


class ScriptedSource(RandomSource):
    """Hands out given words, then none."""

    def __init__(self, words):
        self.left = list(words)

    def words(self, n):
        taken, self.left = self.left[:n], self.left[n:]
        assert len(taken) == n, "more words than scripted were asked for"
        return np.array(taken, dtype=np.uint64)


def test_words_are_uniform_in_every_bit():
    words = RandomSource().words(20_000)
    assert words.shape == (20_000,)
    assert words.dtype == np.uint64
    ones = np.unpackbits(words.view(np.uint8)).reshape(20_000, 64).sum(axis=0, dtype=np.int64)
    # 64 binomials: six standard deviations are passed once in 10^7 runs.
    assert np.abs(ones - 10_000).max() < 6 * np.sqrt(20_000) / 2


def test_default_source_is_secret_and_has_no_state():
    source = random_source(None)
    assert not source.reproducible
    assert vars(source) == {}
    assert vars(pickle.loads(pickle.dumps(source))) == {}
    assert set(source.words(4)).isdisjoint(random_source(None).words(4))


def test_seeded_words_never_change():
    source = random_source(7)
    assert source.reproducible
    expected = [4193665733827817647, 5883999053047972377, 18045027413506364995]
    assert source.words(3).tolist() == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: 11,
        lambda: np.int64(11),
        lambda: np.random.RandomState(11),
        lambda: np.random.default_rng(11),
    ],
)
def test_seeded_stream_does_not_depend_on_how_it_is_cut(make):
    whole = random_source(make()).words(9)
    source = random_source(make())
    assert np.array_equal(np.concatenate([source.words(2), source.words(7)]), whole)


def test_generator_instances_advance():
    generator = np.random.RandomState(3)
    first = random_source(generator).words(5)
    assert set(first).isdisjoint(random_source(generator).words(5))


@pytest.mark.parametrize("bad", [-1, 2**32, 1.5, "seed", True, np.random, [1, 2]])
def test_other_random_states_are_refused(bad):
    with pytest.raises(ValueError, match=r"The 'random_state' parameter of random_source must be"):
        random_source(bad)


@pytest.mark.parametrize("n_values", [1, 2, 6, 7, 1000])
def test_uniform_integers_are_uniform(n_values):
    draws = random_source(n_values).uniform_integers(n_values, size=(200, 100))
    assert draws.shape == (200, 100)
    assert draws.dtype == np.int64
    counts = np.bincount(draws.ravel(), minlength=n_values)
    assert counts.size == n_values
    assert n_values == 1 or stats.chisquare(counts).pvalue > 1e-4


def test_uniform_integers_reject_the_incomplete_cycle():
    # 2^64 = 1 modulo 3: only the last word would favour the remainder 0.
    source = ScriptedSource([2**64 - 1, 2**64 - 2, 4, 2**64 - 1, 5])
    assert source.uniform_integers(3, size=3).tolist() == [2, (2**64 - 2) % 3, 1]
    assert source.left == []


def test_uniform_integers_reject_exactly_what_they_must():
    n_values = 2**62 + 1
    last = 2**64 - 1 - 2**64 % n_values
    source = ScriptedSource([last, last + 1, 8])
    assert source.uniform_integers(n_values, size=2).tolist() == [n_values - 1, 8]
    # A power of two divides 2^64: nothing is rejected.
    assert ScriptedSource([2**64 - 1]).uniform_integers(2**63) == 2**63 - 1


@pytest.mark.parametrize("n_values", [0, -3, 2**63 + 1])
def test_uniform_integers_refuse_impossible_ranges(n_values):
    with pytest.raises(ValueError, match="n_values must be an int"):
        RandomSource().uniform_integers(n_values)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_draws_other_words_than_its_parent():
    source = RandomSource()
    source.words(1)
    read_end, write_end = os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on: fork in a process with threads; the child only draws and leaves.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.write(write_end, source.words(16).tobytes())
        os._exit(0)
    own = source.words(16)
    os.waitpid(child, 0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        words_of_child = np.frombuffer(pipe.read(), dtype=np.uint64)
    assert words_of_child.size == 16
    assert set(own).isdisjoint(words_of_child)


@pytest.mark.parametrize("random_state", [None, 5])
def test_threads_never_share_a_word(random_state):
    source = random_source(random_state)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda _: source.words(500), range(64)))
    assert len(set(np.concatenate(parts).tolist())) == 64 * 500
