"""What one membership attack found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._roc import roc_auc, roc_auc_interval, roc_points

FPR = (0.01, 0.001)


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What one membership attack found.

    Parameters
    ----------
    name : str
        Name of the attack.
    roc_auc : float
        Probability that the attack ranks a random member above a random non-member.
    roc_auc_interval : tuple of float
        Its 95 % confidence interval, over the draw of members and non-members.
    tpr_at_fpr : dict of float to float
        Share of members found, by tolerated share of non-members accused.
    advantage : float
        Largest true less false positive rate over all thresholds.
    fpr, tpr : ndarray of shape (n_points,)
        The ROC curve.
    member_scores, nonmember_scores : ndarray of shape (n_rows,)
        Score of each row, high for members. They tell of single persons: they are in no
        text that is made of the result.
    """

    name: str
    roc_auc: float
    roc_auc_interval: tuple[float, float]
    tpr_at_fpr: dict[float, float]
    advantage: float
    fpr: NDArray[np.float64] = field(repr=False)
    tpr: NDArray[np.float64] = field(repr=False)
    member_scores: NDArray[np.float64] = field(repr=False)
    nonmember_scores: NDArray[np.float64] = field(repr=False)

    @classmethod
    def from_scores(
        cls,
        name: str,
        member_scores: ArrayLike,
        nonmember_scores: ArrayLike,
        *,
        fpr: Sequence[float] = FPR,
    ) -> Self:
        """Evaluate scores.

        Parameters
        ----------
        name : str
            Name of the attack.
        member_scores, nonmember_scores : array-like of shape (n_rows,)
            Scores of rows, high for members.
        fpr : sequence of float, default=(0.01, 0.001)
            False positive rates to report at.

        Returns
        -------
        AttackResult
            The result.
        """
        members = np.asarray(member_scores, float)
        nonmembers = np.asarray(nonmember_scores, float)
        x, y = roc_points(members, nonmembers)
        return cls(
            name=name,
            roc_auc=roc_auc(members, nonmembers),
            roc_auc_interval=roc_auc_interval(members, nonmembers),
            tpr_at_fpr={rate: float(y[np.searchsorted(x, rate, side="right") - 1]) for rate in fpr},
            advantage=float((y - x).max()),
            fpr=x,
            tpr=y,
            member_scores=members,
            nonmember_scores=nonmembers,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, without curves and scores of rows.

        Returns
        -------
        dict
            Plain data.
        """
        return {
            "name": self.name,
            "roc_auc": self.roc_auc,
            "roc_auc_interval": list(self.roc_auc_interval),
            "tpr_at_fpr": {f"{rate:g}": share for rate, share in self.tpr_at_fpr.items()},
            "advantage": self.advantage,
        }
