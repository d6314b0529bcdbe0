"""What an audit proved, beside what is claimed.

On the left the attack's ROC curve on logarithmic axes, under the curves that the claim
allows no attack to pass, with the test that the bound was proved by: a corner that the true
rates of this test lie above and to the left of, but for alpha. On the right the bound and
the claim as bars.
"""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attacks import EpsilonAudit, audit_scores, roc_points
from ._axes import axes_or_new
from ._claims import Claim

LEAST_RATE = 1e-4


class EpsilonAuditDisplay:
    """ROC curve of an audit under its claim, and the bound beside the claim.

    Parameters
    ----------
    audit : EpsilonAudit
        The audit.
    fpr, tpr : ndarray
        Its ROC curve.

    Attributes
    ----------
    ax_ : tuple of two matplotlib Axes
        Axes of the last `plot`: the curve and the bars.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    MembershipRocDisplay : The same axes for attacks on one model.
    skprivacy.attacks.audit_epsilon : Makes audits.

    References
    ----------
    Nasr et al. (2023), "Tight auditing of differentially private machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.inspection import EpsilonAuditDisplay
    >>> rng = np.random.default_rng(0)
    >>> display = EpsilonAuditDisplay.from_scores(
    ...     rng.normal(1, 1, 1000), rng.normal(0, 1, 1000), delta=1e-5, mu=1.0
    ... )
    >>> display.audit.violated
    False
    """

    def __init__(
        self, *, audit: EpsilonAudit, fpr: NDArray[np.float64], tpr: NDArray[np.float64]
    ) -> None:
        self.audit = audit
        self.fpr = fpr
        self.tpr = tpr

    @classmethod
    def from_audit(cls, audit: EpsilonAudit) -> Self:
        """Make a display of an audit.

        Parameters
        ----------
        audit : EpsilonAudit
            As of `skprivacy.attacks.audit_epsilon`, `audit_scores` or `one_run_audit`.

        Returns
        -------
        EpsilonAuditDisplay
            The display, not drawn yet.
        """
        sign = 1 if audit.high_is_in else -1
        fpr, tpr = roc_points(sign * audit.scores_in, sign * audit.scores_out)
        return cls(audit=audit, fpr=fpr, tpr=tpr)

    @classmethod
    def from_scores(
        cls,
        scores_in: ArrayLike,
        scores_out: ArrayLike,
        *,
        delta: float,
        epsilon: float | None = None,
        mu: float | None = None,
        method: str = "auto",
        threshold: str | float = "auto",
        alpha: float = 0.05,
    ) -> Self:
        """Audit scores and make a display of the result.

        Parameters
        ----------
        scores_in, scores_out : array-like of shape (n_runs,)
            Scores of runs on the two data sets.
        delta : float
            Where epsilon is stated.
        epsilon, mu : float, default=None
            The claim, as in `skprivacy.attacks.audit_scores`.
        method : {"auto", "gdp", "clopper-pearson"}, default="auto"
            How the bound is proved.
        threshold : str or float, default="auto"
            Where "in" begins.
        alpha : float, default=0.05
            Probability that the bound is wrong.

        Returns
        -------
        EpsilonAuditDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If a parameter is out of its range or there are too few scores.
        """
        return cls.from_audit(
            audit_scores(
                scores_in,
                scores_out,
                delta=delta,
                epsilon=epsilon,
                mu=mu,
                method=method,
                threshold=threshold,
                alpha=alpha,
            )
        )

    def plot(self, ax: Any = None, *, legend: bool = True) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            Where to. None: a new figure.
        legend : bool, default=True
            Whether the curve's axes get a legend.

        Returns
        -------
        EpsilonAuditDisplay
            The display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed and no axes are given.
        ValueError
            If `ax` is not two axes.
        """
        curve, bars = axes_or_new(ax, 2, figsize=(10, 4.5), layout="constrained")
        self._plot_curve(curve, legend=legend)
        self._plot_bars(bars)
        self.ax_ = (curve, bars)
        self.figure_ = curve.figure
        return self

    def _claims(self) -> list[tuple[str, Claim]]:
        audit, claims = self.audit, []
        if audit.epsilon_claimed is not None and audit.epsilon_claimed < math.inf:
            label = f"epsilon = {audit.epsilon_claimed:.3g}, delta = {audit.delta:.3g}"
            claims.append((label, Claim(audit.epsilon_claimed, audit.delta)))
        if audit.mu_claimed is not None:
            claim = Claim(math.inf, audit.delta, audit.mu_claimed, audit.mu_delta)
            claims.append((f"mu = {audit.mu_claimed:.3g}", claim))
        return claims

    def _plot_curve(self, ax: Any, *, legend: bool) -> None:
        rates = np.geomspace(LEAST_RATE, 1, 200)
        ax.plot(rates, rates, color="gray", linestyle=":", linewidth=1, label="guessing")
        ax.plot(
            np.maximum(self.fpr, LEAST_RATE),
            np.maximum(self.tpr, LEAST_RATE),
            drawstyle="steps-post",
            label="attack",
        )
        for (label, claim), style in zip(self._claims(), ("--", "-."), strict=False):
            ax.plot(
                rates,
                np.maximum(claim.largest_tpr(rates), LEAST_RATE),
                color="black",
                linestyle=style,
                linewidth=1,
                label=f"claim: {label}",
            )
        point = max(self.audit.fpr_upper, LEAST_RATE), max(1 - self.audit.fnr_upper, LEAST_RATE)
        color = "tab:red" if self.audit.violated else "tab:green"
        ax.plot(*point, marker="o", linestyle="none", color=color, label="test of the bound")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(LEAST_RATE, 1)
        ax.set_ylim(LEAST_RATE, 1.1)
        ax.set_xlabel("False positive rate")
        ax.set_ylabel("True positive rate")
        if legend:
            ax.legend(fontsize="small")

    def _plot_bars(self, ax: Any) -> None:
        audit = self.audit
        gaussian = audit.mu_lower is not None and audit.mu_claimed is not None
        lower = audit.mu_lower if gaussian else audit.epsilon_lower
        claimed = audit.mu_claimed if gaussian else audit.epsilon_claimed
        color = "tab:red" if audit.violated else "tab:green"
        ax.bar(["proved"], [lower], color=color)
        if claimed is not None and claimed < math.inf:
            ax.bar(["claimed"], [claimed], color="lightgray", edgecolor="black")
        ax.set_ylabel("mu" if gaussian else f"epsilon at delta = {audit.delta:.3g}")
        ax.set_title("violated" if audit.violated else f"at {100 * (1 - audit.alpha):g} %")
