"""What a fitted additive model says: its shape functions, to read and to draw.

All of it is a function of releases: values and importances use the released parts of the
rows, never the rows themselves, so that an explanation costs nothing more.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ._bins import Bins
from ._solver import Fitted, FittedShape
from ._table import Schema

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
        _shape_function(shape, fitted.groups, bins, schema, bounds, unit) for shape in fitted.shapes
    ]


def importances(functions: list[ShapeFunction], n_columns: int) -> np.ndarray:
    """Return the importance of every column, in sum 1; that of a pair is halved between both."""
    total = np.zeros(n_columns)
    for function in functions:
        for column in function.columns:
            total[column] += function.importance / len(function.columns)
    return np.asarray(total / max(float(total.sum()), 1e-300))


def _shape_function(
    shape: FittedShape,
    grouping: dict[int, np.ndarray],
    bins: list[Bins],
    schema: Schema,
    bounds: tuple[np.ndarray, np.ndarray],
    unit: float,
) -> ShapeFunction:
    pair = len(shape.columns) == 2
    edges, labels = [], []
    for column in shape.columns:
        groups = grouping[column] if pair else None
        ends, names = _cells(
            bins[column], schema.categories[column], bounds[0][column], bounds[1][column]
        )
        if groups is not None:
            names = _grouped_labels(names, groups)
            if ends is not None:
                ends = _grouped_edges(ends, groups)
                names = _interval_labels(ends)
        edges.append(ends)
        labels.append(names)
    sizes = tuple(len(names) for names in labels)
    return ShapeFunction(
        name=" x ".join(schema.names[column] for column in shape.columns),
        columns=shape.columns,
        edges=tuple(edges),
        labels=tuple(labels),
        values=unit * shape.values.reshape(*sizes, -1),
        deviations=unit * shape.deviations.reshape(sizes),
        mass=shape.mass.reshape(sizes),
    )


def _cells(
    bins: Bins, categories: np.ndarray | None, low: float, high: float
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if bins.edges is None or categories is not None:
        return None, (*map(str, [] if categories is None else categories), OTHER, MISSING)
    edges = np.concatenate([[low], bins.edges, [high]])
    return edges, (*_interval_labels(edges), MISSING)


def _interval_labels(edges: np.ndarray) -> tuple[str, ...]:
    # Some edges are the next float after a bound: that value has a cell of its own.
    ends = ["0+" if 0 < edge < SMALLEST else f"{edge:.6g}" for edge in edges]
    pairs = list(itertools.pairwise(ends))
    inner = [a if b in {a, f"{a}+"} else f"[{a}, {b})" for a, b in pairs[:-1]]
    return (*inner, f"[{pairs[-1][0]}, {pairs[-1][1]}]")


def _grouped_edges(edges: np.ndarray, groups: np.ndarray) -> np.ndarray:
    # The last bin is that of missing values, which the last group takes in.
    starts = np.flatnonzero(np.diff(groups[:-1])) + 1
    return np.concatenate([edges[:1], edges[starts], edges[-1:]])


def _grouped_labels(labels: tuple[str, ...], groups: np.ndarray) -> tuple[str, ...]:
    names = [
        [label for label, group in zip(labels, groups, strict=True) if group == number]
        for number in range(int(groups.max()) + 1)
    ]
    return tuple(
        group[0] if len(group) == 1 else f"{group[0]} and {len(group) - 1} more" for group in names
    )
