"""What a fitted additive model says: its shape functions, to read and to draw.

All of it is a function of releases: values and importances use the released parts of the
rows, never the rows themselves, so that an explanation costs nothing more.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ._model import ColumnFunction, FittedModel
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
    model: FittedModel,
    schema: Schema,
    bounds: tuple[np.ndarray, np.ndarray],
    unit: float,
) -> list[ShapeFunction]:
    """Return the shape functions of a fit: of every column in order, then of pairs."""
    cells = [
        _cells(one, values, low, high)
        for one, values, low, high in zip(model.columns, schema.categories, *bounds, strict=True)
    ]
    functions = []
    for column, (one, (ends, names)) in enumerate(zip(model.columns, cells, strict=True)):
        used = one.used
        functions.append(
            ShapeFunction(
                name=schema.names[column],
                columns=(column,),
                edges=(ends,),
                labels=(names,),
                values=unit * one.values[used],
                deviations=unit * one.deviations[used],
                mass=one.bins.mass[used],
            )
        )
    pairs = model.pairs
    for number in range(pairs.n_used):
        first, second = (int(column) for column in pairs.columns[number])
        grouped = [
            _grouped(*cells[column], pairs.groups[column][model.columns[column].used])
            for column in (first, second)
        ]
        inside = tuple(slice(len(names)) for _, names in grouped)
        functions.append(
            ShapeFunction(
                name=f"{schema.names[first]} x {schema.names[second]}",
                columns=(first, second),
                edges=tuple(ends for ends, _ in grouped),
                labels=tuple(names for _, names in grouped),
                values=unit * pairs.values[number][inside],
                deviations=unit * pairs.deviations[number][inside],
                mass=pairs.mass[number][inside],
            )
        )
    return functions


def importances(functions: list[ShapeFunction], n_columns: int) -> np.ndarray:
    """Return the importance of every column, in sum 1; that of a pair is halved between both."""
    total = np.zeros(n_columns)
    for function in functions:
        for column in function.columns:
            total[column] += function.importance / len(function.columns)
    return np.asarray(total / max(float(total.sum()), 1e-300))


def _cells(
    function: ColumnFunction, categories: np.ndarray | None, low: float, high: float
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the ends of a column's intervals, and the names of its cells."""
    edges = function.bins.edges
    if edges is None:
        return None, (*map(str, () if categories is None else categories), OTHER, MISSING)
    ends = np.concatenate([[low], edges[np.isfinite(edges)], [high]])
    return ends, (*_interval_labels(ends), MISSING)


def _grouped(
    ends: np.ndarray | None, names: tuple[str, ...], groups: np.ndarray
) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the same for the groups of a column's cells."""
    if ends is not None:
        # The last bin is that of missing values, which the last group takes in.
        starts = np.flatnonzero(np.diff(groups[:-1])) + 1
        ends = np.concatenate([ends[:1], ends[starts], ends[-1:]])
        return ends, _interval_labels(ends)
    members = [
        [name for name, group in zip(names, groups, strict=True) if group == number]
        for number in range(int(groups.max()) + 1)
    ]
    return None, tuple(
        some[0] if len(some) == 1 else f"{some[0]} and {len(some) - 1} more" for some in members
    )


def _interval_labels(edges: np.ndarray) -> tuple[str, ...]:
    # Some edges are the next float after a bound: that value has a cell of its own.
    ends = ["0+" if 0 < edge < SMALLEST else f"{edge:.6g}" for edge in edges]
    pairs = list(itertools.pairwise(ends))
    inner = [a if b in {a, f"{a}+"} else f"[{a}, {b})" for a, b in pairs[:-1]]
    return (*inner, f"[{pairs[-1][0]}, {pairs[-1][1]}]")
