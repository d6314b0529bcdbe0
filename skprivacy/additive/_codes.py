"""From encoded rows to cells: fine ones once, and those of bins by looking them up.

The fine cell of a number is found without a search. The range of a column is divided into equal
buckets by one monotone floating-point expression, evaluated for the edges as for the values. So an
edge in an earlier bucket is at most the value and one in a later bucket is above it, whatever the
rounding was, and only an edge in the value's own bucket is left to be compared. Values of
the few buckets with several edges, next to the bounds and to 0, are searched for.

Bins are fine cells merged, so that the bin of a value follows from its fine cell by a table.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..mechanisms import CellRows
from ._bins import Bins, fine_edges

N_BUCKETS = 2048
BLOCK_VALUES = 2**17
"""Values that are looked at together: what is made of them stays in a core's cache."""

KEPT_CODES = 2**23
"""Values up to which their fine cells are kept, of 2 bytes each, instead of found again."""


class FineCells:
    """The fine cells of rows.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Encoded rows.
    bounds : tuple of two arrays of shape (n_columns,)
        What numbers are clipped to.
    categories : sequence of (array or None)
        Values of each categorical column; None for a numeric one.

    Attributes
    ----------
    edges : list of (array or None)
        Inner edges of the cells of each numeric column; None for a categorical one.
    sizes : list of int
        Number of cells of each column; the last one is for missing values.
    """

    def __init__(
        self,
        X: np.ndarray,
        bounds: tuple[np.ndarray, np.ndarray],
        categories: Sequence[np.ndarray | None],
    ) -> None:
        self._X = X
        self.edges = [
            fine_edges(low, high) if values is None else None
            for low, high, values in zip(*bounds, categories, strict=True)
        ]
        self.sizes = [
            2 + (edge.size if edge is not None else 0 if values is None else values.size)
            for edge, values in zip(self.edges, categories, strict=True)
        ]
        self._sizes = np.asarray(self.sizes)
        self._kept: np.ndarray | None = None
        numeric = np.array([edge is not None for edge in self.edges])
        self._numeric, self._categorical = np.flatnonzero(numeric), np.flatnonzero(~numeric)
        self._low, self._high = (bound[numeric, np.newaxis] for bound in bounds)
        self._inner = [edge for edge in self.edges if edge is not None]
        self._make_buckets()
        if X.size <= KEPT_CODES:
            self._kept = np.empty(X.shape[::-1], dtype=np.uint16)
            for rows in self._slices():
                self._kept[:, rows] = self._found(rows)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the cells of all rows, in blocks of shape (n, n_columns)."""
        for rows in self._slices():
            yield self._codes(rows).T

    def joint(self, bins: Sequence[Bins], packs: Sequence[Sequence[int]]) -> CellRows:
        """Return the rows' cells in joint tables of the bins of some columns each.

        Parameters
        ----------
        bins : sequence of Bins
            Of each column: its fine cells, neighbours merged.
        packs : sequence of sequences of int
            Columns of each joint table.
        """
        shapes = [tuple(bins[j].n_bins for j in pack) for pack in packs]
        kinds = [np.uint16 if math.prod(shape) <= 2**16 else np.uint32 for shape in shapes]
        joint = [np.zeros(self._X.shape[0], dtype=kind) for kind in kinds]
        tables: dict[int, np.ndarray] = {}
        for pack, kind in zip(packs, kinds, strict=True):
            stride = 1
            for j in reversed(pack):
                tables[j] = (stride * self._bins_of_cells(j, bins[j])).astype(kind)
                stride *= bins[j].n_bins
        for rows in self._slices():
            codes = self._codes(rows)
            for pack, code in zip(packs, joint, strict=True):
                part = code[rows]
                for j in pack:
                    np.add(part, tables[j].take(codes[j]), out=part)
        return CellRows(tuple(joint), tuple(shapes))

    def _bins_of_cells(self, column: int, bins: Bins) -> np.ndarray:
        edges, size = self.edges[column], int(self._sizes[column])
        if edges is None or bins.edges is None:
            return np.arange(size)
        # A cell is in the bin of its lowest value, which for the first one is below all edges.
        inner = np.searchsorted(bins.edges, edges, side="right")
        return np.concatenate([[0], inner, [bins.n_bins - 1]])

    def _slices(self) -> list[slice]:
        n_rows, n_columns = self._X.shape
        step = max(BLOCK_VALUES // n_columns, 256)
        return [slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step)]

    def _codes(self, rows: slice) -> np.ndarray:
        """Return the cells of some rows, of shape (n_columns, n)."""
        return self._found(rows) if self._kept is None else self._kept[:, rows]

    def _make_buckets(self) -> None:
        shape = (len(self._inner), N_BUCKETS + 2)
        before, inside = np.zeros(shape, dtype=np.intp), np.full(shape, np.inf)
        crowded = np.zeros(shape, dtype=bool)
        self._first, self._scale = np.zeros((shape[0], 1)), np.zeros((shape[0], 1))
        for row, (j, edges) in enumerate(zip(self._numeric, self._inner, strict=True)):
            scale = N_BUCKETS / (edges[-1] - edges[0]) if edges.size > 1 else 0.0
            # Where the width overflows, all values are in one crowded bucket.
            if 0 < scale < np.inf:
                self._first[row], self._scale[row] = edges[0], scale
            places = self._buckets(edges[np.newaxis], slice(row, row + 1))[0]
            counts = np.bincount(places, minlength=N_BUCKETS + 2)
            before[row] = np.cumsum(counts) - counts
            before[row, -1] = self._sizes[j] - 1
            inside[row, places] = edges
            crowded[row] = counts > 1
        self._start = np.arange(shape[0])[:, np.newaxis] * shape[1]
        self._before, self._edge_inside = before.ravel(), inside.ravel()
        self._crowded, self._any_crowded = crowded.ravel(), bool(crowded.any())

    def _buckets(self, values: np.ndarray, columns: slice) -> np.ndarray:
        """Return the bucket of numbers, of shape (n_columns, n): monotone in the number.

        The last one is for missing values and for nothing else.
        """
        place = values - self._first[columns]
        place *= self._scale[columns]
        np.clip(place, 0.0, float(N_BUCKETS), out=place)
        np.fmin(place, N_BUCKETS + 1.0, out=place)
        return np.asarray(place.astype(np.intp))

    def _found(self, rows: slice) -> np.ndarray:
        columns = np.ascontiguousarray(self._X[rows].T, dtype=np.float64)
        codes = np.empty(columns.shape, dtype=np.intp)
        if self._categorical.size:
            given = columns[self._categorical]
            np.fmin(given, self._sizes[self._categorical, np.newaxis] - 1.0, out=given)
            codes[self._categorical] = np.maximum(given, 0.0, out=given)
        if self._numeric.size:
            numbers = columns[self._numeric]
            np.clip(numbers, self._low, self._high, out=numbers)
            places = self._buckets(numbers, slice(None))
            places += self._start
            above = numbers >= self._edge_inside.take(places)
            found = np.asarray(self._before.take(places) + above)
            if self._any_crowded:
                self._search_crowded(numbers, places, found)
            codes[self._numeric] = found
        return codes

    def _search_crowded(self, numbers: np.ndarray, places: np.ndarray, found: np.ndarray) -> None:
        crowded = self._crowded.take(places)
        for row, (j, edges) in enumerate(zip(self._numeric, self._inner, strict=True)):
            which = np.flatnonzero(crowded[row])
            if which.size:
                values = numbers[row, which]
                cells = np.searchsorted(edges, values, side="right")
                found[row, which] = np.where(np.isnan(values), self._sizes[j] - 1, cells)
