"""What a fitted model gives away about its training rows, on one page.

The attacks of `skprivacy.attacks` are run against one fitted model, with rows it was fitted
on and rows it never saw, and the worst of them is shown first: a model is as private as its
worst attacker finds it. No epsilon is read off the result. Natural rows are not canaries
whose membership was drawn by coins, so a high leak of this model bounds nothing about the
algorithm; `skprivacy.attacks.audit_epsilon` is for that.

The report itself is computed from private rows. Its numbers are averages over rows and say
little about one of them, but they carry no guarantee: treat it as you treat a score on the
training rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .._frames import pandas_for
from ..attacks import AttackResult
from ._axes import axes_or_new
from ._claims import Claim
from ._membership_roc import MembershipRocDisplay


@dataclass(frozen=True, kw_only=True)
class PrivacyReport:
    """What a fitted model gives away about its training rows.

    Parameters
    ----------
    model : str
        Name of the model's class.
    n_members, n_nonmembers, n_shadow : int
        Rows of either kind, and shadow models fitted.
    metric : str
        Name of the score.
    train_score, test_score : float
        The model's score on members and on non-members.
    attacks : dict of str to AttackResult
        The attacks, worst first.
    claim : Claim or None
        The privacy that is claimed for the model, if any.
    warnings : tuple of str
        What limits the report, or looks wrong.
    seconds : float
        How long it took.

    See Also
    --------
    privacy_report : Makes it.
    """

    model: str
    n_members: int
    n_nonmembers: int
    n_shadow: int
    metric: str
    train_score: float
    test_score: float
    attacks: dict[str, AttackResult] = field(repr=False)
    claim: Claim | None
    warnings: tuple[str, ...]
    seconds: float

    @property
    def worst(self) -> str:
        """Name of the attack with the largest area under the curve."""
        return next(iter(self.attacks))

    @property
    def epsilon_claimed(self) -> float | None:
        """Claimed epsilon, or None."""
        return None if self.claim is None else self.claim.epsilon

    @property
    def delta(self) -> float | None:
        """Delta of the claim, or None."""
        return None if self.claim is None else self.claim.delta

    @property
    def leakage_ratio(self) -> float:
        """Members found for each non-member accused, in shares, at the first FPR asked for.

        One is guessing. It describes these rows and this model; it is no epsilon.
        """
        return max(_ratio(result) for result in self.attacks.values())

    def _rates(self) -> tuple[float, ...]:
        return tuple(self.attacks[self.worst].tpr_at_fpr)

    def _table(self) -> list[tuple[str, ...]]:
        return [
            (
                name,
                f"{result.roc_auc:.3f}",
                "[{:.3f}, {:.3f}]".format(*result.roc_auc_interval),
                *(f"{result.tpr_at_fpr[rate]:.3f}" for rate in self._rates()),
                f"{result.advantage:.3f}",
            )
            for name, result in self.attacks.items()
        ]

    def _columns(self) -> tuple[str, ...]:
        rates = (f"TPR at {100 * rate:g} % FPR" for rate in self._rates())
        return ("attack", "AUC", "95 % interval", *rates, "advantage")

    def _lines(self) -> list[tuple[str, str]]:
        return [
            ("Rows", f"{self.n_members} members, {self.n_nonmembers} non-members"),
            ("Shadow models", str(self.n_shadow)),
            (
                self.metric.capitalize(),
                f"{self.train_score:.3f} on members, {self.test_score:.3f} on non-members",
            ),
            ("Worst attack", f"{self.worst}, {self._verdict()}"),
            ("Claim", "none" if self.claim is None else str(self.claim)),
        ]

    def _verdict(self) -> str:
        worst = self.attacks[self.worst]
        low, high = worst.roc_auc_interval
        text = f"AUC {worst.roc_auc:.3f} [{low:.3f}, {high:.3f}]"
        if low <= 0.5:
            return f"{text}: not told from guessing"
        rate = self._rates()[0]
        return (
            f"{text}; at {100 * rate:g} % false alarms members are found "
            f"{self.leakage_ratio:.3g} times as often as guessing would"
        )

    def __str__(self) -> str:
        table = [self._columns(), *self._table()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"Privacy report of {self.model}"]
        lines += [f"  {label}: {text}" for label, text in self._lines()]
        lines += [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        ]
        lines += [f"  ! {warning}" for warning in self.warnings]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def rows(cells: Sequence[Sequence[str]], tag: str) -> str:
            return "".join(
                "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
                for row in cells
            )

        facts = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        notes = "".join(f"<p>&#9888; {escape(warning)}</p>" for warning in self.warnings)
        return (
            f"<table><caption>Privacy report of {escape(self.model)}</caption>{facts}</table>"
            f"<table><thead>{rows([self._columns()], 'th')}</thead>"
            f"<tbody>{rows(self._table(), 'td')}</tbody></table>{notes}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, without the scores of single rows.

        Returns
        -------
        dict
            Numbers, strings, lists and dicts, as JSON can hold them.
        """
        return {
            "model": self.model,
            "n_members": self.n_members,
            "n_nonmembers": self.n_nonmembers,
            "n_shadow": self.n_shadow,
            "metric": self.metric,
            "train_score": self.train_score,
            "test_score": self.test_score,
            "worst": self.worst,
            "leakage_ratio": self.leakage_ratio,
            "attacks": {
                name: {
                    "roc_auc": result.roc_auc,
                    "roc_auc_interval": list(result.roc_auc_interval),
                    "tpr_at_fpr": {f"{rate:g}": tpr for rate, tpr in result.tpr_at_fpr.items()},
                    "advantage": result.advantage,
                }
                for name, result in self.attacks.items()
            },
            "epsilon_claimed": self.epsilon_claimed,
            "delta": self.delta,
            "adjacency": None if self.claim is None else self.claim.adjacency,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }

    def to_frame(self) -> Any:
        """Return the attacks as a pandas DataFrame, worst first.

        Returns
        -------
        pandas.DataFrame
            One row an attack.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = pandas_for("attacks", "report.to_dict()")
        return pd.DataFrame(
            [
                {
                    "attack": name,
                    "roc_auc": result.roc_auc,
                    "roc_auc_low": result.roc_auc_interval[0],
                    "roc_auc_high": result.roc_auc_interval[1],
                    **{f"tpr_at_{rate:g}": tpr for rate, tpr in result.tpr_at_fpr.items()},
                    "advantage": result.advantage,
                }
                for name, result in self.attacks.items()
            ]
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the report: ROC curves on logarithmic axes, and scores as bars.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            Where to. None: a new figure.

        Returns
        -------
        matplotlib Figure
            The figure.

        Raises
        ------
        ImportError
            If matplotlib is not installed and no axes are given.
        """
        curves, bars = axes_or_new(ax, 2, figsize=(11, 4.5), layout="constrained")
        MembershipRocDisplay.from_results(self.attacks, claim=self.claim).plot(ax=curves)
        worst = self.attacks[self.worst]
        names = [f"{self.metric},\nmembers", f"{self.metric},\nnon-members", f"AUC,\n{self.worst}"]
        heights = [self.train_score, self.test_score, worst.roc_auc]
        bars.bar(names, heights, color=["tab:blue", "tab:blue", "tab:red"], alpha=0.7)
        low, high = worst.roc_auc_interval
        bars.errorbar(
            [2], [worst.roc_auc], [[worst.roc_auc - low], [high - worst.roc_auc]], color="black"
        )
        bars.axhline(0.5, color="gray", linestyle=":", linewidth=1)
        bars.set_ylim(min(0.0, *heights), 1.12)
        for position, height in enumerate(heights):
            bars.text(position, height + 0.01, f"{height:.3f}", ha="center", va="bottom")
        curves.set_title(self.model)
        return curves.figure


def _ratio(result: AttackResult) -> float:
    rate, tpr = next(iter(result.tpr_at_fpr.items()))
    return tpr / rate
