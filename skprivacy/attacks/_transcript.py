"""Exact audits of fits that are a sequence of statistics plus noise.

`record` runs a fit and keeps, for every addition of noise, the exact integer total that the
noise is added to, the noise scale, and the output. `replay` runs the fit on the neighbour and
hands out the recorded *outputs*, as an adaptive attacker conditions on them. Given its
outputs a Gaussian release is a shift of the noise, and shifts of independent noise add up:
the sum of (shift / scale)^2 over all of them is the squared mu of this transcript, for
Laplace noise the sum of |shift| / scale its pure epsilon. Both are computed in rational
arithmetic. No transcript of any pair may pass the claim, and on the worst pair one should
come near it: what is left over is noise for nothing.

A scale, a shape or an order of releases that depends on the rows is a violation by itself.
Releases that are no sum (a private choice, a perturbed minimiser) are handed over as
recorded, and their part of the price is left out of the comparison.

Recording patches the package's noise for as long as it runs: one audit at a time, in one
thread.
"""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np
from sklearn.base import clone

from ..base import Release
from ..exceptions import PrivacyError
from ..ledger import PrivacyAccountant
from ..mechanisms import _rounded
from ._shadow import without_accountants

DRAWS = {"gaussian": _rounded.rounded_gaussian, "laplace": _rounded.rounded_laplace}
ASKED = ("select", "solve")
"""Ways of asking for a release that may be no sum."""


class TranscriptError(PrivacyError):
    """The course of a fit depends on its rows, or noise was not used as an audit can follow."""


@dataclass
class Noisy:
    """One addition of noise: integers in units of a grid, and the scale in the same units.

    Parameters
    ----------
    law : {"gaussian", "laplace"}
        Law of the noise.
    scale : float
        Its scale.
    total : ndarray of int
        What it was added to.
    output : ndarray of int
        What came out.
    """

    law: str
    scale: float
    total: np.ndarray
    output: np.ndarray


@dataclass
class Transcript:
    """The releases of one run, in order.

    Parameters
    ----------
    releases : list of Noisy
        Additions of noise.
    others : list of (str, value, scale)
        Releases that are no sum: name, value, noise scale.
    result : object
        What the run returned.
    """

    releases: list[Noisy] = field(default_factory=list)
    others: list[tuple[str, Any, Any]] = field(default_factory=list)
    result: Any = None


class _Tapped(np.ndarray):
    """Noise that tells what it is added to; in all else a plain array."""

    tap: Any

    def __array_finalize__(self, obj: Any) -> None:
        self.tap = getattr(obj, "tap", None)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, _Tapped) else x for x in inputs]
        if ufunc is np.add and method == "__call__" and not kwargs:
            total, noise = plain if isinstance(inputs[1], _Tapped) else plain[::-1]
            return self.tap(np.array(total), noise)
        return getattr(ufunc, method)(*plain, **kwargs)


class _Recorder:
    """Stands between a run and its noise; `earlier` is the transcript to hand out."""

    def __init__(self, earlier: Transcript | None) -> None:
        self.earlier = earlier
        self.transcript = Transcript()
        self.paused = False

    def tapped_draw(self, law: str, draw: Any) -> Any:
        """Return a sampler whose noise tells what it is added to."""
        releases: list[Any] = self.transcript.releases

        def tapped(shape: Any, scale: Any, source: Any) -> Any:
            if self.paused:
                return draw(shape, scale, source)
            number = len(releases)

            def tap(total: np.ndarray, noise: np.ndarray) -> np.ndarray:
                output = total + noise
                if self.earlier is not None:
                    if number >= len(self.earlier.releases):
                        raise TranscriptError("On the neighbour there are more releases.")
                    recorded = self.earlier.releases[number]
                    if (law, scale) != (recorded.law, recorded.scale):
                        raise TranscriptError("The noise tells rows apart: its scale differs.")
                    if total.shape != recorded.total.shape:
                        raise TranscriptError("The shape of a release tells rows apart.")
                    output = recorded.output
                releases[number] = Noisy(law, scale, total, output)
                return np.array(output)

            releases.append(None)
            noise = draw(shape, scale, source).view(_Tapped)
            noise.tap = tap
            return noise

        return tapped

    def other_release(self, original: Any) -> Any:
        """Return `Release.select` or `Release.solve`, recorded or handed out."""
        others = self.transcript.others

        def released(release: Release, name: str, *rows: Any, **options: Any) -> Any:
            if release.mechanism(name).is_sum:
                return original(release, name, *rows, **options)
            if self.earlier is None:
                self.paused = True
                try:
                    value = original(release, name, *rows, **options)
                finally:
                    self.paused = False
                others.append((name, value, release.noise_scales.get(name)))
                return _copy(value)
            number = len(others)
            names = [entry[0] for entry in self.earlier.others]
            if name not in names[number : number + 1]:
                raise TranscriptError("The order of releases tells rows apart.")
            others.append(self.earlier.others[number])
            _, value, scale = others[-1]
            if scale is not None:
                release.noise_scales[name] = scale
            return _copy(value)

        return released


def _copy(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else value


@contextmanager
def _patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _run(run: Callable[[], Any], earlier: Transcript | None) -> Transcript:
    recorder = _Recorder(earlier)
    with ExitStack() as stack:
        for name in ASKED:
            released = recorder.other_release(getattr(Release, name))
            stack.enter_context(_patched(Release, name, released))
        for name, module in list(sys.modules.items()):
            if not name.startswith("skprivacy.") or module is _rounded:
                continue
            for law, draw in DRAWS.items():
                if vars(module).get(draw.__name__) is draw:
                    tapped = recorder.tapped_draw(law, draw)
                    stack.enter_context(_patched(module, draw.__name__, tapped))
        recorder.transcript.result = run()
    transcript = recorder.transcript
    if any(release is None for release in transcript.releases):
        raise TranscriptError("Noise was drawn and added to no total.")
    if earlier is not None and (
        len(transcript.releases) < len(earlier.releases)
        or len(transcript.others) < len(earlier.others)
    ):
        raise TranscriptError("On the neighbour there are fewer releases.")
    return transcript


def record(run: Callable[[], Any]) -> Transcript:
    """Run a release or a fit and return its transcript.

    Parameters
    ----------
    run : callable
        Makes the releases, by mechanisms of this package.

    Returns
    -------
    Transcript
        Its `result` is what `run` returned.

    Raises
    ------
    TranscriptError
        If noise is drawn and added to no total.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import record
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> scaler = DPStandardScaler(bounds=(-1, 1))
    >>> transcript = record(lambda: scaler.fit(np.zeros((10, 2))))
    >>> [(release.law, release.total.size) for release in transcript.releases]
    [('gaussian', 2), ('gaussian', 2), ('gaussian', 1)]
    """
    return _run(run, None)


def replay(run: Callable[[], Any], transcript: Transcript) -> Transcript:
    """Run on a neighbour with the recorded outputs in place of its own.

    Parameters
    ----------
    run : callable
        As for `record`, on other rows.
    transcript : Transcript
        What was recorded.

    Returns
    -------
    Transcript
        With the totals of these rows, and the recorded outputs.

    Raises
    ------
    TranscriptError
        If the number, order, shape or scale of the releases is another than recorded: it
        then depends on the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import record, replay
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> scaler = DPStandardScaler(bounds=(-1, 1))
    >>> first = record(lambda: scaler.fit(np.zeros((10, 2))).mean_)
    >>> second = replay(lambda: scaler.fit(np.ones((99, 2))).mean_, first)
    >>> bool((first.result == second.result).all())
    True
    """
    return _run(run, transcript)


def _shifts(first: Transcript, second: Transcript) -> Iterator[tuple[list[Fraction], Fraction]]:
    for mine, other in zip(first.releases, second.releases, strict=True):
        # Python's integers and fractions: nothing is rounded.
        difference = [Fraction(int(x)) for x in (mine.total - other.total).ravel()]
        yield difference, Fraction(mine.scale)


def _check_law(transcript: Transcript, law: str) -> None:
    laws = {release.law for release in transcript.releases}
    if laws - {law}:
        raise ValueError(f"The transcript has noise that is not {law}: {sorted(laws)}.")


def transcript_mu_squared(first: Transcript, second: Transcript) -> Fraction:
    """Return the squared mu of Gaussian releases on two neighbours, exactly.

    Parameters
    ----------
    first, second : Transcript
        Recorded on one data set, replayed on the other.

    Returns
    -------
    Fraction
        Sum of (shift / scale)^2.

    Raises
    ------
    ValueError
        If there is noise of another law.
    """
    _check_law(first, "gaussian")
    return sum(
        (sum(x * x for x in difference) / scale**2 for difference, scale in _shifts(first, second)),
        Fraction(0),
    )


def transcript_epsilon(first: Transcript, second: Transcript) -> Fraction:
    """Return the pure epsilon of Laplace releases on two neighbours, exactly.

    Parameters
    ----------
    first, second : Transcript
        Recorded on one data set, replayed on the other.

    Returns
    -------
    Fraction
        Sum of abs(shift) / scale.

    Raises
    ------
    ValueError
        If there is noise of another law.
    """
    _check_law(first, "laplace")
    return sum(
        (sum(map(abs, difference)) / scale for difference, scale in _shifts(first, second)),
        Fraction(0),
    )


@dataclass(frozen=True, kw_only=True)
class TranscriptAudit:
    """What the transcript of a fit spends on one pair of neighbours.

    Parameters
    ----------
    mu_spent : float
        Mu of the transcript.
    mu_claimed : float
        Mu that its sums are charged with.
    violated : bool
        Whether it spends more, in exact arithmetic.
    n_releases : int
        Additions of noise.
    not_covered : tuple of str
        Releases that are no sum; their part of the price is not in `mu_claimed`.
    """

    mu_spent: float
    mu_claimed: float
    violated: bool
    n_releases: int
    not_covered: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Part of the claim that is spent: 1 is noise exactly as large as it has to be."""
        if self.mu_claimed == 0:
            return math.inf if self.mu_spent > 0 else 0.0
        return self.mu_spent / self.mu_claimed

    def __str__(self) -> str:
        verdict = "VIOLATED" if self.violated else "within the claim on this pair"
        lines = [
            "Audit of a transcript",
            f"  Claim: mu = {self.mu_claimed:.6g} for {self.n_releases} additions of noise",
            f"  Spent: mu = {self.mu_spent:.6g}, {100 * self.share:.4g} % of it, exactly",
            f"  Verdict: {verdict}",
        ]
        lines += [f"  Not covered: {name}" for name in self.not_covered]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def audit_transcript(
    make_run: Any, D: Any, D_neighbour: Any, *, mu: float | None = None
) -> TranscriptAudit:
    """Replay a fit on a neighbour and sum what the pair costs, exactly.

    Parameters
    ----------
    make_run : estimator or callable
        A private estimator, cloned for both fits without charging its accountant; or
        ``make_run(D)`` returns a function without arguments that makes the releases, all
        of Gaussian noise.
    D, D_neighbour : tuple of (X,) or (X, y), or array-like
        Two neighbouring data sets.
    mu : float, default=None
        The claim. None: what the ``privacy_`` of the run's result charges for sums.

    Returns
    -------
    TranscriptAudit
        What is spent and what is claimed.

    Raises
    ------
    TranscriptError
        If the course of the fit depends on the rows.
    ValueError
        If there is no claim, or noise of another law.

    See Also
    --------
    audit_epsilon : For algorithms that are no sequence of sums.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import audit_transcript
    >>> from skprivacy.preprocessing import DPStandardScaler
    >>> base = np.zeros((20, 2))
    >>> audit = audit_transcript(
    ...     DPStandardScaler(bounds=(-1, 1)), base, np.vstack([base, [[1.0, 1.0]]])
    ... )
    >>> audit.violated, audit.share > 0.95
    (False, True)
    """
    if hasattr(make_run, "fit"):
        make_run = _fit_of(make_run)
    first = record(make_run(D))
    second = replay(make_run(D_neighbour), first)
    skipped = tuple(name for name, _, _ in first.others)
    if mu is None:
        receipt = getattr(first.result, "privacy_", None)
        if receipt is None:
            raise ValueError(
                "The run returned nothing with privacy_ to read a claim from: give mu."
            )
        claimed = sum(
            (
                Fraction(mechanism["mu"]) ** 2
                for mechanism in receipt.mechanisms
                if mechanism["name"] not in skipped
            ),
            Fraction(0),
        )
    else:
        claimed = Fraction(mu) ** 2
    spent = transcript_mu_squared(first, second)
    return TranscriptAudit(
        mu_spent=math.sqrt(spent),
        mu_claimed=math.sqrt(claimed),
        violated=spent > claimed,
        n_releases=len(first.releases),
        not_covered=skipped,
    )


def _fit_of(estimator: Any) -> Callable[[Any], Callable[[], Any]]:
    template, adjacencies = without_accountants(estimator)

    def make_run(D: Any) -> Callable[[], Any]:
        def run() -> Any:
            model = clone(template)
            model.set_params(**{n: PrivacyAccountant(adjacency=a) for n, a in adjacencies.items()})
            return model.fit(*(D if isinstance(D, tuple) else (D,)))

        return run

    return make_run
