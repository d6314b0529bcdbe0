"""Shape functions of additive models in one figure each, with bands for the noise."""

from typing import Any, Self

import numpy as np

from ..additive import ShapeFunction
from ._axes import axes_or_new

BAND = 2.0
"""Standard deviations of noise on either side."""


class ShapeFunctionDisplay:
    """What an additive model adds to its score for each value of a column.

    A numeric column is drawn as a step function, a categorical one as points, a pair
    as a map of colours. Bands and bars are two standard deviations of the noise that
    the fit added. Drawing uses released quantities only and costs nothing.

    Parameters
    ----------
    function : ShapeFunction
        The shape function, one of a model's ``explain_global()``.
    output : int, default=0
        Which score, where a model has one for each class.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last `plot`.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    skprivacy.additive.DPAdditiveClassifier : A model with shape functions.
    sklearn.inspection.PartialDependenceDisplay : The like for any model, from its rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.additive import DPAdditiveClassifier
    >>> from skprivacy.inspection import ShapeFunctionDisplay
    >>> X = np.random.default_rng(0).uniform(size=(2000, 2))
    >>> model = DPAdditiveClassifier(bounds=(0, 1), random_state=0).fit(X, X[:, 0] > 0.5)
    >>> display = ShapeFunctionDisplay.from_estimator(model, 0)
    >>> display.function.values[-2, 0] > display.function.values[0, 0]
    np.True_
    """

    def __init__(self, *, function: ShapeFunction, output: int = 0) -> None:
        self.function = function
        self.output = output

    @classmethod
    def from_estimator(cls, estimator: Any, feature: Any, *, output: int = 0) -> Self:
        """Make a display of one shape function of a fitted model.

        Parameters
        ----------
        estimator : DPAdditiveClassifier or DPAdditiveRegressor
            Fitted model.
        feature : int, str or tuple of two of them
            Number or name of a column, or of the two of a pair.
        output : int, default=0
            Which score, where the model has one for each class.

        Returns
        -------
        ShapeFunctionDisplay
            The display, not drawn yet.

        Raises
        ------
        ValueError
            If the model has no such shape function.
        """
        functions = estimator.explain_global()
        wanted = feature if isinstance(feature, tuple) else (feature,)
        names = {f.columns[0]: f.name for f in functions if len(f.columns) == 1}
        for function in functions:
            if len(function.columns) == len(wanted) and all(
                any(key in (column, names[column]) for key in wanted) for column in function.columns
            ):
                return cls(function=function, output=output)
        raise ValueError(
            f"The model has no shape function of {feature!r}. It has "
            f"{[function.name for function in functions]}."
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to. None: a new figure.

        Returns
        -------
        ShapeFunctionDisplay
            The display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed and no axes are given.
        """
        ax = axes_or_new(ax)
        if len(self.function.columns) == 2:
            self._plot_pair(ax)
        elif self.function.edges[0] is None:
            self._plot_categories(ax)
        else:
            self._plot_steps(ax, self.function.edges[0])
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def _plot_steps(self, ax: Any, edges: np.ndarray) -> None:
        values = self.function.values[:, self.output]
        band = BAND * self.function.deviations
        low, high = values - band, values + band
        ax.stairs(high[:-1], edges, baseline=low[:-1], fill=True, alpha=0.3)
        ax.stairs(values[:-1], edges, baseline=None)
        beyond = edges[-1] + 0.05 * (edges[-1] - edges[0])
        ax.errorbar([beyond], values[-1:], band[-1:], marker="o", capsize=3, label="missing")
        ax.axhline(0.0, color="black", linewidth=0.5)
        ax.set_xlabel(self.function.name)
        ax.set_ylabel("added to the score")
        ax.legend(fontsize="small")

    def _plot_categories(self, ax: Any) -> None:
        labels = self.function.labels[0]
        places = np.arange(len(labels))
        ax.errorbar(
            places,
            self.function.values[:, self.output],
            BAND * self.function.deviations,
            marker="o",
            linestyle="",
            capsize=3,
        )
        ax.axhline(0.0, color="black", linewidth=0.5)
        ax.set_xticks(places, labels=labels, rotation=90)
        ax.set_xlabel(self.function.name)
        ax.set_ylabel("added to the score")

    def _plot_pair(self, ax: Any) -> None:
        values = self.function.values[:, :, self.output]
        largest = max(float(np.abs(values).max()), 1e-12)
        image = ax.pcolormesh(values.T, cmap="RdBu_r", vmin=-largest, vmax=largest)
        first, second = self.function.labels
        ax.set_xticks(np.arange(len(first)) + 0.5, labels=first, rotation=90)
        ax.set_yticks(np.arange(len(second)) + 0.5, labels=second)
        one, other = self.function.name.split(" x ", 1)
        ax.set_xlabel(one)
        ax.set_ylabel(other)
        ax.figure.colorbar(image, ax=ax, label="added to the score")
