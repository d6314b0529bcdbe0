"""What a fitted model gives away about its training rows, on one page.

The attacks of `skprivacy.attacks` are run against one fitted model, with rows it was fitted
on and rows it never saw. This module adds what a reader needs to judge the result: the
model's scores, the privacy that is claimed for it, and what limits the numbers.
"""

import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..attacks import (
    AttackResult,
    MembershipAttack,
    ShadowModels,
    Signals,
    clopper_pearson,
)
from ..attacks._run import attacked
from ..exceptions import PrivacyWarning
from ._claims import Claim, claim_of
from ._report import PrivacyReport

ATTACKS = ("loss", "gap", "lira", "rmia")
FPR = (0.01, 0.001)
SOFTENED = 0.15
"""How far confidence may stay below accuracy before it looks softened."""


def privacy_report(
    estimator: Any,
    X_member: Any,
    y_member: Any,
    X_nonmember: Any,
    y_nonmember: Any,
    *,
    attacks: Iterable[str | MembershipAttack] = ATTACKS,
    n_shadow: int = 16,
    shadow_models: ShadowModels | None = None,
    fpr: Sequence[float] = FPR,
    epsilon: float | None = None,
    delta: float | None = None,
    clip: float = 1e-6,
    n_jobs: int | None = None,
    random_state: Any = None,
    verbose: bool = False,
) -> PrivacyReport:
    """Report what a fitted model gives away about its training rows.

    Parameters
    ----------
    estimator : estimator
        The fitted model, a classifier or regressor; it is not fitted again.
    X_member, y_member : array-like
        Rows that it was fitted on.
    X_nonmember, y_nonmember : array-like
        Rows of the same kind that it never saw.
    attacks : iterable of str or attack, default=("loss", "gap", "lira", "rmia")
        Attacks to run, as in `skprivacy.attacks.run_attacks`.
    n_shadow : int, default=16
        Shadow models: clones of `estimator` fitted on random halves of all rows. They are
        most of the cost. With 0 the leak is understated.
    shadow_models : ShadowModels, default=None
        Shadow models fitted on the members and, below them, the non-members, to use instead.
    fpr : sequence of float, default=(0.01, 0.001)
        False positive rates at which the share of members found is stated.
    epsilon, delta : float, default=None
        The privacy that is claimed for the model. None: what its receipts say, if it has
        any.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    n_jobs : int, default=None
        Shadow models fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the halves of the shadow models, and their seeds.
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Returns
    -------
    PrivacyReport
        The report, the worst attack first.

    Raises
    ------
    TypeError
        If the model answers no queries, or can't be cloned for shadow models.
    ValueError
        If rows, labels or parameters have a wrong form, or no attack applies.

    Warns
    -----
    PrivacyWarning
        For what limits the report or looks wrong: overlapping rows, too few non-members,
        clipped probabilities, more leakage than is claimed. The report has the same texts.

    See Also
    --------
    skprivacy.attacks.audit_epsilon : Puts a lower bound under the epsilon of an algorithm.
    MembershipRocDisplay : The curves alone.

    Notes
    -----
    Accountants inside the estimator are not charged for shadow models: these are simulations
    that are never released. The report is not private either: it is computed from members
    and non-members without noise.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Zarifzadeh, Liu and Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.inspection import privacy_report
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # 200 non-members are few
    ...     report = privacy_report(
    ...         model, X[:200], y[:200], X[200:], y[200:], n_shadow=8, random_state=0)
    >>> report.train_score > report.test_score, report.attacks[report.worst].roc_auc > 0.7
    (True, True)
    """
    start = time.perf_counter()
    if epsilon is not None and not epsilon >= 0:
        raise ValueError(f"epsilon must be a float in the range [0, inf]. Got {epsilon!r} instead.")
    if delta is not None and not 0 <= delta < 1:
        raise ValueError(f"delta must be a float in the range [0, 1). Got {delta!r} instead.")
    found, notes, signals = attacked(
        estimator,
        X_member,
        y_member,
        X_nonmember,
        y_nonmember,
        attacks=attacks,
        n_shadow=n_shadow,
        shadow_models=shadow_models,
        fpr=fpr,
        clip=clip,
        n_jobs=n_jobs,
        random_state=random_state,
        verbose=verbose,
    )
    y_member, y_nonmember = np.ravel(y_member), np.ravel(y_nonmember)
    members, nonmembers = signals.split(y_member.size)
    claim: Claim | None
    if epsilon is not None:
        claim = Claim(float(epsilon), float(delta or 0.0))
    else:
        claim, note = claim_of(
            estimator,
            n_features=getattr(estimator, "n_features_in_", None),
            n_rows=y_member.size,
            classes=getattr(estimator, "classes_", None),
        )
        notes += [] if note is None else [note]
    results = dict(sorted(found.items(), key=lambda item: -item[1].roc_auc))
    notes += _softened(members)
    notes += [] if claim is None else _beyond(claim, results)
    for note in notes:
        warnings.warn(note, PrivacyWarning, stacklevel=2)
    uses_shadows = any(name in {"lira", "rmia"} or "-" in name for name in results)
    if shadow_models is not None:
        n_shadow = shadow_models.n_models
    return PrivacyReport(
        model=type(estimator).__name__,
        n_members=y_member.size,
        n_nonmembers=y_nonmember.size,
        n_shadow=n_shadow if uses_shadows else 0,
        metric="R2" if members.correct is None else "accuracy",
        train_score=_score(members, y_member),
        test_score=_score(nonmembers, y_nonmember),
        attacks=results,
        claim=claim,
        warnings=tuple(notes),
        seconds=time.perf_counter() - start,
    )


def _score(signals: Signals, y: Any) -> float:
    """Return accuracy, or R2 where the statistic is the residual."""
    if signals.correct is not None:
        return float(signals.correct.mean())
    spread = float(((y - y.mean()) ** 2).sum())
    return 1.0 - float((signals.statistic**2).sum()) / spread if spread > 0 else 0.0


def _softened(members: Signals) -> list[str]:
    if members.confidence is None or members.correct is None or not members.correct.any():
        return []
    accuracy = float(members.correct.mean())
    confidence = float(members.confidence[members.correct].mean())
    if accuracy - confidence <= SOFTENED:
        return []
    text = (
        f"The model is right about {accuracy:.0%} of the members, but only {confidence:.0%} sure "
        "where it is: label smoothing, masked outputs or strong regularisation do that. It hides "
        "members from the loss attack alone; judge by attacks with shadow models."
    )
    return [text]


def _beyond(claim: Claim, results: dict[str, AttackResult]) -> list[str]:
    """Return a note where an attack finds more than a claim allows, by more than chance."""
    for name, result in results.items():
        n_members, n_nonmembers = result.member_scores.size, result.nonmember_scores.size
        # All thresholds of all attacks are tried.
        error = 0.05 / (2 * result.fpr.size * len(results))
        low, _ = clopper_pearson(np.rint(result.tpr * n_members).astype(int), n_members, error)
        _, high = clopper_pearson(
            np.rint(result.fpr * n_nonmembers).astype(int), n_nonmembers, error
        )
        if (low > claim.largest_tpr(high)).any():
            text = (
                f"The attack {name!r} finds more members than {claim} allows. Natural rows prove "
                "nothing about the algorithm, but this should not happen: is the claim about the "
                "whole model, and were the rows used once? Try audit_epsilon."
            )
            return [text]
    return []
