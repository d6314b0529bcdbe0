"""ROC curves of membership inference, where they matter: at few false alarms.

An average over all rows hides the few rows that are found with certainty, so the axes are
logarithmic: the left edge shows what an attacker who accuses hardly anybody wrongly still
finds (Carlini et al. 2022). A claimed guarantee bounds the curve, and is drawn beside it.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attacks import AttackResult, LossAttack, roc_auc, roc_points
from ._axes import axes_or_new
from ._claims import Claim, claim_of

Curve = tuple[NDArray[np.float64], NDArray[np.float64], float]
LEAST_RATE = 1e-3


class MembershipRocDisplay:
    """True against false positives of membership attacks, on logarithmic axes.

    Parameters
    ----------
    curves : dict of str to (ndarray, ndarray, float)
        False positive rates, true positive rates and area under the curve, by attack.
    claim : Claim or None
        The guarantee whose bound is drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last `plot`.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    privacy_report : Runs the attacks and draws this.
    EpsilonAuditDisplay : The same axes for a claim under audit.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Examples
    --------
    >>> from skprivacy.inspection import MembershipRocDisplay
    >>> display = MembershipRocDisplay.from_scores([0.9, 0.7, 0.6], [0.8, 0.2, 0.1], name="loss")
    >>> round(display.curves["loss"][2], 3)
    0.778
    """

    def __init__(self, *, curves: Mapping[str, Curve], claim: Claim | None = None) -> None:
        self.curves = dict(curves)
        self.claim = claim

    @classmethod
    def from_scores(
        cls,
        member_scores: ArrayLike,
        nonmember_scores: ArrayLike,
        *,
        name: str = "attack",
        epsilon: float | None = None,
        delta: float = 0.0,
    ) -> Self:
        """Make a display of one attack's scores.

        Parameters
        ----------
        member_scores, nonmember_scores : array-like of shape (n_rows,)
            Scores of rows, high for members.
        name : str, default="attack"
            Name of the curve.
        epsilon : float, default=None
            A claim whose bound is drawn.
        delta : float, default=0
            The delta of the claim.

        Returns
        -------
        MembershipRocDisplay
            The display, not drawn yet.
        """
        fpr, tpr = roc_points(member_scores, nonmember_scores)
        auc = roc_auc(member_scores, nonmember_scores)
        claim = None if epsilon is None else Claim(epsilon, delta)
        return cls(curves={name: (fpr, tpr, auc)}, claim=claim)

    @classmethod
    def from_results(
        cls, results: Mapping[str, AttackResult], *, claim: Claim | None = None
    ) -> Self:
        """Make a display of attacks that were run.

        Parameters
        ----------
        results : mapping of str to AttackResult
            Results by name, as of `skprivacy.attacks.run_attacks`.
        claim : Claim, default=None
            The guarantee whose bound is drawn.

        Returns
        -------
        MembershipRocDisplay
            The display, not drawn yet.
        """
        curves = {
            name: (result.fpr, result.tpr, result.roc_auc) for name, result in results.items()
        }
        return cls(curves=curves, claim=claim)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_member: Any,
        y_member: Any,
        X_nonmember: Any,
        y_nonmember: Any,
        *,
        attack: Any = None,
    ) -> Self:
        """Attack a fitted estimator and make a display of the result.

        Parameters
        ----------
        estimator : estimator
            The fitted target; it is not fitted again.
        X_member, y_member : array-like
            Rows that it was fitted on.
        X_nonmember, y_nonmember : array-like
            Rows of the same kind that it never saw.
        attack : attack, default=None
            One of the classes of `skprivacy.attacks`. None: `LossAttack()`, which fits no
            shadow models and understates.

        Returns
        -------
        MembershipRocDisplay
            The display, not drawn yet.
        """
        attack = LossAttack() if attack is None else attack
        result = attack.fit(estimator, X_member, y_member, X_nonmember, y_nonmember).result_
        claim, _ = claim_of(
            estimator,
            n_features=getattr(estimator, "n_features_in_", None),
            n_rows=len(y_member),
            classes=getattr(estimator, "classes_", None),
        )
        return cls.from_results({result.name: result}, claim=claim)

    def plot(self, ax: Any = None, *, legend: bool = True) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to. None: a new figure.
        legend : bool, default=True
            Whether the axes get a legend.

        Returns
        -------
        MembershipRocDisplay
            The display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed and no axes are given.
        """
        ax = axes_or_new(ax)
        rates = np.geomspace(LEAST_RATE, 1.0, 200)
        for name, (fpr, tpr, auc) in self.curves.items():
            # What is found without one false alarm is drawn at the left edge.
            ax.plot(
                np.maximum(fpr, LEAST_RATE),
                np.maximum(tpr, LEAST_RATE),
                drawstyle="steps-post",
                label=f"{name} (AUC {auc:.3f})",
            )
        ax.plot(rates, rates, color="gray", linestyle=":", linewidth=1, label="guessing")
        if self.claim is not None:
            ax.plot(
                rates,
                self.claim.largest_tpr(rates),
                color="black",
                linestyle="--",
                linewidth=1,
                label=f"bound at epsilon = {self.claim.epsilon:.3g}",
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(LEAST_RATE, 1.0)
        ax.set_ylim(LEAST_RATE, 1.05)
        ax.set_xlabel("False positive rate (non-members accused)")
        ax.set_ylabel("True positive rate (members found)")
        if legend:
            ax.legend(fontsize="small")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
