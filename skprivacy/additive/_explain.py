"""What a fitted additive model says: its shape functions, to read and to draw.

All of it is a function of releases: values and importances use the released parts of the
rows, never the rows themselves, so that an explanation costs nothing more.
"""

from dataclasses import dataclass

import numpy as np

from ._bins import Bins
from ._solver import Fitted
from ._table import Schema
from ._terms import Shape

OTHER, MISSING = "other", "missing"
SMALLEST = 1e-300


@dataclass(frozen=True)
class ShapeFunction:
    """One shape function of a fitted additive model.

    Parameters
    ----------
    name : str
        Name of the column, or of both joined by " x ".
    columns : tuple of int
        Position of the column, or of both.
    edges : tuple of (array or None)
        For each column the ends of its intervals, ascending, one more than there are
        intervals; None for a categorical column.
    labels : tuple of tuples of str
        For each column the names of its cells, in the order of `values`: intervals or
        categories, then "other" (categorical only), then "missing". Columns in pairs have
        fewer, grouped cells.
    values : array of shape (n_cells, n_outputs) or (n_cells_1, n_cells_2, n_outputs)
        What the model adds to the score of a row in the cell. Their mean over the
        released parts of the rows is 0.
    deviations : array of shape (n_cells,) or (n_cells_1, n_cells_2)
        Standard deviation of a value by the noise of the fit, to first order: twice it
        makes a band of about 95 %. It says nothing of sampling error or shrinkage.
    mass : array of shape (n_cells,) or (n_cells_1, n_cells_2)
        Released parts of the rows in the cells, that of a pair as if columns were independent.
    """

    name: str
    columns: tuple[int, ...]
    edges: tuple[np.ndarray | None, ...]
    labels: tuple[tuple[str, ...], ...]
    values: np.ndarray
    deviations: np.ndarray
    mass: np.ndarray

    @property
    def importance(self) -> float:
        """Standard deviation of the values over the released parts of the rows."""
        square = (self.values**2).sum(axis=-1)
        return float(np.sqrt((self.mass * square).sum()))


def shape_functions(
    fitted: Fitted,
    bins: list[Bins],
    schema: Schema,
    bounds: tuple[np.ndarray, np.ndarray],
    unit: float,
) -> list[ShapeFunction]:
    """Return the shape functions of a fit: of every column in order, then of pairs."""
    return [
        _shape_function(shape, values * unit, deviations * unit, fitted, bins, schema, bounds)
        for shape, values, deviations in zip(
            fitted.shapes, fitted.values, fitted.deviations, strict=True
        )
    ]


def importances(functions: list[ShapeFunction], n_columns: int) -> np.ndarray:
    """Return the importance of every column, in sum 1; that of a pair is halved between both."""
    total = np.zeros(n_columns)
    for function in functions:
        for column in function.columns:
            total[column] += function.importance / len(function.columns)
    return np.asarray(total / max(float(total.sum()), 1e-300))


def _shape_function(
    shape: Shape,
    values: np.ndarray,
    deviations: np.ndarray,
    fitted: Fitted,
    bins: list[Bins],
    schema: Schema,
    bounds: tuple[np.ndarray, np.ndarray],
) -> ShapeFunction:
    pair = len(shape.columns) == 2
    edges, labels = [], []
    for column in shape.columns:
        groups = fitted.groups[column] if pair else None
        one = _cells(bins[column], schema.categories[column], bounds[0][column], bounds[1][column])
        edges.append(_grouped_edges(one[0], groups))
        labels.append(_grouped_labels(one[1], groups) if one[0] is None or groups is None
                      else _interval_labels(edges[-1]))
    sizes = tuple(len(names) for names in labels)
    return ShapeFunction(
        name=" x ".join(schema.names[column] for column in shape.columns),
        columns=shape.columns,
        edges=tuple(edges),
        labels=tuple(labels),
        values=values.reshape(*sizes, -1),
        deviations=deviations.reshape(sizes),
        mass=shape.mass.reshape(sizes),
    )


def _cells(
    bins: Bins, categories: np.ndarray | None, low: float, high: float
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if bins.edges is None:
        assert categories is not None
        return None, (*map(str, categories), OTHER, MISSING)
    edges = np.concatenate([[low], bins.edges, [high]])
    return edges, (*_interval_labels(edges), MISSING)


def _interval_labels(edges: np.ndarray) -> tuple[str, ...]:
    # Some edges are the next float after a bound: that value has a cell of its own.
    ends = ["0+" if 0 < edge < SMALLEST else f"{edge:.6g}" for edge in edges]
    pairs = list(zip(ends[:-1], ends[1:], strict=True))
    inner = [a if b in {a, f"{a}+"} else f"[{a}, {b})" for a, b in pairs[:-1]]
    return (*inner, f"[{pairs[-1][0]}, {pairs[-1][1]}]")


def _grouped_edges(edges: np.ndarray | None, groups: np.ndarray | None) -> np.ndarray | None:
    if edges is None or groups is None:
        return edges
    # The last bin is that of missing values, which the last group takes in.
    starts = np.flatnonzero(np.diff(groups[:-1])) + 1
    return np.concatenate([edges[:1], edges[starts], edges[-1:]])


def _grouped_labels(labels: tuple[str, ...], groups: np.ndarray | None) -> tuple[str, ...]:
    if groups is None:
        return labels
    names = [
        [label for label, group in zip(labels, groups, strict=True) if group == number]
        for number in range(int(groups.max()) + 1)
    ]
    return tuple(
        group[0] if len(group) == 1 else f"{group[0]} and {len(group) - 1} more" for group in names
    )
