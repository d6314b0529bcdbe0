"""The price of privacy in one figure: a score against epsilon.

Private models are curves over epsilon, with the spread over repeated splits; models
without privacy are the level lines they approach as epsilon grows.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from ._axes import axes_or_new

LINE_STYLES: tuple[Any, ...] = ("--", ":", "-.", (0, (1, 4)), (0, (6, 4)))


@dataclass(frozen=True)
class Curve:
    """Scores of one private model: points of (epsilon, mean, standard deviation)."""

    epsilon: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]


class PrivacyUtilityDisplay:
    """Score against epsilon, with the non-private scores as level lines.

    Parameters
    ----------
    curves : dict of str to Curve
        Private models.
    levels : dict of str to float
        Scores of models without privacy.
    metric : str
        Name of the score, the label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last `plot`.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : The pattern that displays follow.

    Examples
    --------
    >>> from skprivacy.inspection import PrivacyUtilityDisplay
    >>> display = PrivacyUtilityDisplay.from_results(
    ...     [("private", 0.1, 0.80, 0.01), ("private", 1.0, 0.88, 0.01),
    ...      ("not private", float("inf"), 0.90, 0.0)],
    ...     metric="AUC",
    ... )
    >>> display.curves["private"].mean
    (0.8, 0.88)
    >>> display.levels
    {'not private': 0.9}
    """

    def __init__(self, *, curves: dict[str, Curve], levels: dict[str, float], metric: str) -> None:
        self.curves = curves
        self.levels = levels
        self.metric = metric

    @classmethod
    def from_results(
        cls, results: Iterable[tuple[str, float, float, float]], *, metric: str
    ) -> Self:
        """Make a display of scored models.

        Parameters
        ----------
        results : iterable of (str, float, float, float)
            Name of a model, its epsilon (infinite without privacy), mean score, and
            standard deviation (NaN if unknown).
        metric : str
            Name of the score.

        Returns
        -------
        PrivacyUtilityDisplay
            The display, not drawn yet.
        """
        points: dict[str, list[tuple[float, float, float]]] = {}
        levels = {}
        for name, epsilon, mean, sd in results:
            if math.isinf(epsilon):
                levels[name] = mean
            else:
                points.setdefault(name, []).append((epsilon, mean, sd))
        curves = {name: Curve(*zip(*sorted(group), strict=True)) for name, group in points.items()}
        return cls(curves=curves, levels=levels, metric=metric)

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
        PrivacyUtilityDisplay
            The display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed and no axes are given.
        """
        ax = axes_or_new(ax)
        for name, curve in self.curves.items():
            spread = [0.0 if math.isnan(sd) else sd for sd in curve.sd]
            ax.errorbar(curve.epsilon, curve.mean, spread, marker="o", capsize=3, label=name)
        for (name, level), style in zip(
            self.levels.items(), itertools.cycle(LINE_STYLES), strict=False
        ):
            ax.axhline(level, color="black", linestyle=style, linewidth=1, label=name)
        ax.set_xscale("log")
        ticks = sorted({epsilon for curve in self.curves.values() for epsilon in curve.epsilon})
        ax.set_xticks(ticks, labels=[f"{epsilon:g}" for epsilon in ticks])
        ax.set_xticks([], minor=True)
        ax.set_xlabel("epsilon")
        ax.set_ylabel(self.metric)
        if legend:
            ax.legend(fontsize="small")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
