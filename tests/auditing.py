"""What audits of private releases share: bounds from samples, and exact transcripts.

Two ways to try to break a claim, for a pair of neighbouring data sets chosen to hurt.

*Statistical.* Run the release many times on both, reduce each output to one score that
an attacker would use, and bound from below what those scores prove: `mu_lower_bound` for
Gaussian, `epsilon_lower_bound` for pure or approximate differential privacy. Both hold
with the confidence asked for whatever the law of the scores, so that a bound above the
claim is a violation. To be worth anything an audit has to find a planted fault: halve
the noise with `halved_noise` and the bound has to pass the claim.

*Exact.* `record` runs a fit and keeps, for every release, the exact integer total that
noise is added to, the noise scale, and the output. `replay` runs the fit on the
neighbour and hands out the recorded *outputs*, as an adaptive attacker conditions on
them. The shifts of the totals over the noise scales then add up, in squares, to the mu
of the whole transcript: `transcript_mu_squared`, in rational arithmetic. A scale, a shape
or an order of releases that depends on the rows is an AssertionError.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
from scipy.special import betaincinv, ndtri

from skprivacy.mechanisms import Mechanism, _rounded

CONFIDENCE = 0.999

DRAWS = {"gaussian": _rounded.rounded_gaussian, "laplace": _rounded.rounded_laplace}


# Statistical bounds


def clopper_pearson(count: int, total: int, error: float) -> tuple[float, float]:
    """Bounds on a probability; each fails with probability at most `error`."""
    low = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, error))
    high = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1 - error))
    return low, high


def _lower_bound(first, second, threshold, confidence, proves):
    """Return what `proves` makes of bounds on P(first > t) and P(second > t)."""

    def at(first, second, threshold):
        # Four bounds are used at once.
        error = (1 - confidence) / 4
        return proves(
            *(
                clopper_pearson(int((scores > threshold).sum()), scores.size, error)
                for scores in (first, second)
            )
        )

    first, second = (np.asarray(scores, dtype=float) for scores in (first, second))
    if threshold is None:
        # Half of the scores chooses, the other half is counted.
        training = first[::2], second[::2]
        first, second = first[1::2], second[1::2]
        candidates = np.unique(np.quantile(np.concatenate(training), np.arange(0, 100) / 100))
        threshold = max(candidates, key=lambda candidate: at(*training, candidate))
    return max(0.0, at(first, second, threshold))


def mu_lower_bound(first, second, *, threshold=None, confidence=CONFIDENCE):
    """Return a mu that the release has at least, with this confidence.

    Parameters
    ----------
    first, second : array-like
        Independent scores of runs on each of two neighbours.
    threshold : float, default=None
        Where the attacker decides; fixed before the scores are seen, or None to let half
        of the scores choose it.
    confidence : float, default=.999

    Notes
    -----
    A test of size a and power b against a mu-GDP release has
    Phi^-1(b) - Phi^-1(a) <= mu (Dong, Roth and Su 2022, Definition 3).
    """

    def proves(first, second):
        return max(
            float(ndtri(second[0]) - ndtri(first[1])),
            float(ndtri(first[0]) - ndtri(second[1])),
        )

    return _lower_bound(first, second, threshold, confidence, proves)


def epsilon_lower_bound(first, second, *, threshold=None, delta=0.0, confidence=CONFIDENCE):
    """Return an epsilon that the release has at least, for this delta and confidence.

    Parameters as of `mu_lower_bound`. All four events (scores above or below the threshold,
    either neighbour in front) are tried.
    """

    def proves(first, second):
        return max(
            math.log((above - delta) / below) if above > delta else 0.0
            for (low, high), (other_low, other_high) in ((first, second), (second, first))
            for above, below in ((low, other_high), (1 - high, 1 - other_low))
        )

    return _lower_bound(first, second, threshold, confidence, proves)


@contextmanager
def halved_noise() -> Iterator[None]:
    """Plant the fault that an audit has to find: every mechanism draws half its noise."""
    honest = Mechanism.calibrated_noise
    with mock.patch.object(Mechanism, "calibrated_noise", lambda self: honest(self) / 2):
        yield


# Exact transcripts


@dataclass
class Noisy:
    """One addition of noise: integers in units of a grid, and the scale in the same units."""

    law: str
    scale: float
    total: np.ndarray
    output: np.ndarray


@dataclass
class Transcript:
    """The additions of noise of one run, in order."""

    releases: list[Noisy] = field(default_factory=list)
    result: Any = None


class _Tapped(np.ndarray):
    """Noise that tells what it is added to; in all else a plain array."""

    def __array_finalize__(self, obj):
        self.tap = getattr(obj, "tap", None)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(x) if isinstance(x, _Tapped) else x for x in inputs]
        if ufunc is np.add and method == "__call__" and not kwargs:
            total, noise = plain if isinstance(inputs[1], _Tapped) else plain[::-1]
            return self.tap(np.array(total), noise)
        return getattr(ufunc, method)(*plain, **kwargs)


def _run(run: Callable[[], Any], earlier: Transcript | None) -> Transcript:
    transcript = Transcript()

    def tapped_draw(law, draw):
        def tapped(shape, scale, source):
            number = len(transcript.releases)

            def tap(total, noise):
                output = total + noise
                if earlier is not None:
                    assert number < len(earlier.releases), "the neighbour makes more releases"
                    recorded = earlier.releases[number]
                    assert (law, scale) == (recorded.law, recorded.scale), "noise tells rows apart"
                    assert total.shape == recorded.total.shape, "a shape tells rows apart"
                    output = recorded.output
                transcript.releases[number] = Noisy(law, scale, total, output)
                return output.copy()

            transcript.releases.append(None)
            noise = draw(shape, scale, source).view(_Tapped)
            noise.tap = tap
            return noise

        return tapped

    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("skprivacy."):
                for law, draw in DRAWS.items():
                    if vars(module).get(draw.__name__) is draw and module is not _rounded:
                        stack.enter_context(
                            mock.patch.object(module, draw.__name__, tapped_draw(law, draw))
                        )
        transcript.result = run()
    assert None not in transcript.releases, "noise was drawn and added to no total"
    if earlier is not None:
        assert len(transcript.releases) == len(earlier.releases), "the neighbour makes fewer"
    return transcript


def record(run: Callable[[], Any]) -> Transcript:
    """Run a release or a fit and return its transcript; `result` is what `run` returned."""
    return _run(run, None)


def replay(run: Callable[[], Any], transcript: Transcript) -> Transcript:
    """Run on a neighbour with the recorded outputs in place of its own."""
    return _run(run, transcript)


def _shifts(first: Transcript, second: Transcript):
    for mine, other in zip(first.releases, second.releases, strict=True):
        # Python's integers and fractions: nothing is rounded.
        difference = [Fraction(int(x)) for x in (mine.total - other.total).ravel()]
        yield difference, Fraction(mine.scale)


def transcript_mu_squared(first: Transcript, second: Transcript) -> Fraction:
    """Return the squared mu of Gaussian releases on two neighbours, exactly."""
    assert {release.law for release in first.releases} == {"gaussian"}
    return sum(
        (sum(x * x for x in difference) / scale**2 for difference, scale in _shifts(first, second)),
        Fraction(0),
    )


def transcript_epsilon(first: Transcript, second: Transcript) -> Fraction:
    """Return the pure epsilon of Laplace releases on two neighbours, exactly."""
    assert {release.law for release in first.releases} == {"laplace"}
    return sum(
        (sum(map(abs, difference)) / scale for difference, scale in _shifts(first, second)),
        Fraction(0),
    )
