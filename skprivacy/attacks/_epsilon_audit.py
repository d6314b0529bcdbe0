"""The result of an audit, and how scores become one.

An audit can refute a claim and never confirm one: a bound far below the claim says that
this attacker, with this canary and so many runs, found no more.
"""

import math
import time
from dataclasses import dataclass, field, fields
from html import escape
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..accounting import PrivacyLoss, gdp_epsilon
from ._bounds import Bound, check_scores, epsilon_bound, mu_bound

METHODS = ("auto", "gdp", "clopper-pearson")


@dataclass(frozen=True)
class Claimed:
    """What an audit is held against; None where nothing is claimed.

    Parameters
    ----------
    delta : float
        Where epsilon is stated.
    epsilon : float or None
        The claimed epsilon at `delta`.
    mu : float or None
        The claimed mu, if the claim is one of Gaussian differential privacy.
    mu_delta : float
        Probability outside the Gaussian part.
    """

    delta: float
    epsilon: float | None = None
    mu: float | None = None
    mu_delta: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epsilon", "mu"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be in the range [0, inf]. Got {value!r} instead.")
        for name in ("delta", "mu_delta"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be in the range [0, 1). Got {value!r} instead.")

    @classmethod
    def from_loss(cls, loss: PrivacyLoss, delta: float) -> Self:
        """Return the claim that a price makes.

        Parameters
        ----------
        loss : PrivacyLoss
            The price.
        delta : float
            Where its epsilon is read.
        """
        # A pure epsilon has a mu too, which says less.
        mu = loss.mu if loss.mu < math.inf and loss.epsilon == math.inf else None
        return cls(delta, loss.to_epsilon(delta), mu, loss.delta)

    def with_epsilon(self) -> Self:
        """Return the claim with the epsilon that its mu amounts to, if it states none."""
        if self.epsilon is None and self.mu is not None:
            epsilon = gaussian_epsilon(self.mu, self.delta, self.mu_delta)
            return type(self)(self.delta, epsilon, self.mu, self.mu_delta)
        return self


def gaussian_epsilon(mu: float, delta: float, mu_delta: float) -> float:
    """Return the epsilon at `delta` of what is mu-GDP up to `mu_delta`."""
    return gdp_epsilon(mu, delta - mu_delta) if delta >= mu_delta else math.inf


@dataclass(frozen=True, kw_only=True)
class EpsilonAudit:
    """What an audit has proved about a claim of privacy.

    Parameters
    ----------
    epsilon_lower : float
        Epsilon that the algorithm has at least, at `delta`.
    epsilon_claimed : float or None
        Epsilon that is claimed, at `delta`.
    delta : float
        Where both are stated.
    alpha : float
        Probability that the bound is wrong.
    method : str
        How the bound was proved: "gdp", "clopper-pearson", "steinke" or "f-dp".
    mu_lower, mu_claimed : float or None
        The same in Gaussian differential privacy, for claims of it.
    mu_delta : float
        Probability outside the Gaussian part of the claim.
    n_runs : int
        Runs on each of the two data sets; 1 for an audit by one fit.
    threshold : float
        "In" was guessed from this score on (below it, if `high_is_in` is False).
    high_is_in : bool
        Which side of the threshold was "in".
    fpr_upper, fnr_upper : float
        Bounds on the error rates of that test; rates as seen in an audit by one fit.
    seconds : float
        How long it took.
    canary : str or None
        What kind of neighbour was tried.
    scores_in, scores_out : ndarray
        The scores, in `to_dict` and in the text left out.

    See Also
    --------
    audit_epsilon : Runs an algorithm on two neighbours.
    skprivacy.inspection.EpsilonAuditDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import audit_scores
    >>> rng = np.random.default_rng(0)
    >>> audit = audit_scores(
    ...     rng.normal(2, 1, 1000), rng.normal(0, 1, 1000), delta=1e-5, mu=1.0
    ... )
    >>> audit.violated
    True
    """

    epsilon_lower: float
    epsilon_claimed: float | None
    delta: float
    alpha: float
    method: str
    mu_lower: float | None = None
    mu_claimed: float | None = None
    mu_delta: float = 0.0
    n_runs: int
    threshold: float
    high_is_in: bool = True
    fpr_upper: float
    fnr_upper: float
    seconds: float = 0.0
    canary: str | None = None
    scores_in: NDArray[np.float64] = field(repr=False, compare=False)
    scores_out: NDArray[np.float64] = field(repr=False, compare=False)

    @property
    def violated(self) -> bool:
        """Whether the bound is above the claim: with probability 1 - alpha the claim is false."""
        if self.mu_lower is not None and self.mu_claimed is not None:
            return self.mu_lower > self.mu_claimed
        return self.epsilon_claimed is not None and self.epsilon_lower > self.epsilon_claimed

    def _lines(self) -> list[tuple[str, str]]:
        claim = "none"
        if self.epsilon_claimed is not None:
            claim = f"epsilon = {self.epsilon_claimed:.6g} at delta = {self.delta:.6g}"
            if self.mu_claimed is not None:
                claim += f" (mu = {self.mu_claimed:.6g})"
        proved = f"epsilon >= {self.epsilon_lower:.6g}"
        if self.mu_lower is not None:
            proved += f" (mu >= {self.mu_lower:.6g})"
        runs = "one fit" if self.method in ("steinke", "f-dp") else f"{self.n_runs} runs a side"
        seen = "at most " if self.n_runs > 1 else ""
        test = (
            f"threshold {self.threshold:.6g}, false positives {seen}{self.fpr_upper:.3g}, "
            f"false negatives {seen}{self.fnr_upper:.3g}"
        )
        lines = [
            ("Claim", claim),
            ("Proved", f"{proved}, wrong with probability {self.alpha:g} at most"),
            ("Method", f"{self.method}, {runs}, {self.seconds:.2g} s"),
            ("Test", test),
        ]
        if self.canary is not None:
            lines.append(("Canary", self.canary))
        if self.epsilon_claimed is not None:
            verdict = (
                "VIOLATED: the claim is below what is proved"
                if self.violated
                else "no violation found, which proves none absent"
            )
            lines.append(("Verdict", verdict))
        return lines

    def __str__(self) -> str:
        return "\n".join(
            ["Audit of a privacy claim", *(f"  {label}: {text}" for label, text in self._lines())]
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        return f"<table><caption>Audit of a privacy claim</caption>{rows}</table>"

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, without the scores.

        Returns
        -------
        dict
            Numbers, strings, bools and None.
        """
        names = (entry.name for entry in fields(self))
        result = {name: getattr(self, name) for name in names if not name.startswith("scores")}
        return result | {"violated": self.violated}


def audit_scores(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    delta: float,
    epsilon: float | None = None,
    mu: float | None = None,
    method: str = "auto",
    threshold: str | float = "auto",
    alpha: float = 0.05,
) -> EpsilonAudit:
    """Hold scores of runs on two neighbours against a claim.

    Parameters
    ----------
    scores_in, scores_out : array-like of shape (n_runs,)
        Independent scores of runs on the two data sets, each by any attacker.
    delta : float
        Where epsilon is stated.
    epsilon : float, default=None
        The claimed epsilon. None: that of `mu`, if given.
    mu : float, default=None
        The claimed mu, if the claim is one of Gaussian differential privacy.
    method : {"auto", "gdp", "clopper-pearson"}, default="auto"
        "gdp" proves a mu, which is much closer and refutes claims of Gaussian differential
        privacy alone; "clopper-pearson" proves an epsilon against any claim. "auto": "gdp"
        if `mu` is given.
    threshold : {"auto", "midpoint", "search", "bonferroni"} or float, default="auto"
        As in `mu_lower_bound`; "auto" is "midpoint" for "gdp" and else "search".
    alpha : float, default=0.05
        Probability that the bound is wrong.

    Returns
    -------
    EpsilonAudit
        The bound and the claim.

    Raises
    ------
    ValueError
        If a parameter is out of its range or there are too few scores.

    References
    ----------
    Jagielski, Ullman and Oprea (2020), "Auditing differentially private machine learning".
    Nasr et al. (2023), "Tight auditing of differentially private machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.attacks import audit_scores
    >>> rng = np.random.default_rng(0)
    >>> audit = audit_scores(
    ...     rng.normal(1, 1, 1000), rng.normal(0, 1, 1000), delta=1e-5, mu=1.0
    ... )
    >>> audit.violated, 0.5 < audit.mu_lower <= 1
    (False, True)
    """
    claimed = Claimed(delta, epsilon, mu)
    return judge(scores_in, scores_out, claimed, method=method, threshold=threshold, alpha=alpha)


def judge(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    claimed: Claimed,
    *,
    method: str = "auto",
    threshold: str | float = "auto",
    alpha: float = 0.05,
    start: float | None = None,
    n_runs: int | None = None,
    canary: str | None = None,
) -> EpsilonAudit:
    """Return the audit of scores; `start` is the time.perf_counter at which it began."""
    start = time.perf_counter() if start is None else start
    method = chosen_method(method, claimed)
    inside, outside = check_scores(scores_in, scores_out, alpha, claimed.delta)
    if threshold == "auto":
        threshold = "midpoint" if method == "gdp" else "search"
    if method == "gdp":
        bound = mu_bound(inside, outside, threshold=threshold, alpha=alpha, delta=claimed.mu_delta)
    else:
        bound = epsilon_bound(
            inside, outside, delta=claimed.delta, threshold=threshold, alpha=alpha
        )
    return as_audit(
        bound,
        claimed,
        method=method,
        gaussian=method == "gdp",
        alpha=alpha,
        n_runs=min(inside.size, outside.size) if n_runs is None else n_runs,
        seconds=time.perf_counter() - start,
        canary=canary,
        scores_in=inside,
        scores_out=outside,
    )


def chosen_method(method: str, claimed: Claimed) -> str:
    """Return the method, "auto" being resolved by the kind of claim."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}. Got {method!r} instead.")
    if method != "auto":
        return method
    return "clopper-pearson" if claimed.mu is None else "gdp"


def as_audit(bound: Bound, claimed: Claimed, *, gaussian: bool, **known: Any) -> EpsilonAudit:
    """Return the audit that a bound on mu (if `gaussian`) or epsilon makes."""
    claimed = claimed.with_epsilon()
    epsilon = bound.value
    if gaussian:
        epsilon = gaussian_epsilon(bound.value, claimed.delta, claimed.mu_delta)
    return EpsilonAudit(
        epsilon_lower=epsilon,
        epsilon_claimed=claimed.epsilon,
        delta=claimed.delta,
        mu_lower=bound.value if gaussian else None,
        mu_claimed=claimed.mu,
        mu_delta=claimed.mu_delta,
        threshold=bound.threshold,
        high_is_in=bound.high_is_in,
        fpr_upper=bound.fpr_upper,
        fnr_upper=bound.fnr_upper,
        **known,
    )


def claim_of_fit(
    receipt: Any, epsilon: float | None, delta: float | None, mu: float | None
) -> Claimed:
    """Return the claim as given, or as a fit's receipt makes it."""
    if epsilon is None and mu is None and receipt is not None:
        return Claimed.from_loss(receipt.loss, receipt.delta if delta is None else delta)
    if delta is None:
        if receipt is None:
            raise ValueError("The estimator has no privacy_ to read a claim from: give delta.")
        delta = receipt.delta
    return Claimed(delta, epsilon, mu)
