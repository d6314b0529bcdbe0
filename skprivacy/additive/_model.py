"""A fitted additive model as plain arrays, of a form that does not depend on the rows.

How many bins a column has and which pairs are in the model are functions of releases, but what
`fit` sets should have the same shape whatever the rows are: so arrays are as long as they
can get, and what is not used is empty: edges at infinity, pairs of no columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._bins import Bins
from ._solver import Fitted
from ._terms import PAIR_GROUPS


@dataclass(frozen=True)
class ColumnFunction:
    """The function of one column.

    Parameters
    ----------
    bins : Bins
        Its bins; unused ones, of mass 0, stand before the last, that of missing values.
    values : array of shape (n_bins, n_outputs)
        What is added to the scores.
    deviations : array of shape (n_bins,)
        Standard deviation of the values by noise.
    """

    bins: Bins
    values: np.ndarray
    deviations: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """Mask of the bins that are in use."""
        used = np.ones(self.bins.n_bins, dtype=bool)
        if self.bins.edges is not None:
            used[1:-1] = np.isfinite(self.bins.edges)
        return used


@dataclass(frozen=True)
class PairFunctions:
    """The functions of pairs of columns.

    Parameters
    ----------
    columns : array of int of shape (n_pairs, 2)
        The columns of each pair; -1 where there is none.
    groups : tuple of arrays of int
        For each column the group of each of its bins.
    values : array of shape (n_pairs, n_groups, n_groups, n_outputs)
    deviations, mass : arrays of shape (n_pairs, n_groups, n_groups)
        As of a column; mass is that of independent columns.
    """

    columns: np.ndarray
    groups: tuple[np.ndarray, ...]
    values: np.ndarray
    deviations: np.ndarray
    mass: np.ndarray

    @property
    def n_used(self) -> int:
        """Number of pairs in the model."""
        return int((self.columns[:, 0] >= 0).sum())


@dataclass(frozen=True)
class FittedModel:
    """A sum of functions of columns and of pairs.

    Parameters
    ----------
    intercept : array of shape (n_outputs,)
    columns : tuple of ColumnFunction
    pairs : PairFunctions
    """

    intercept: np.ndarray
    columns: tuple[ColumnFunction, ...]
    pairs: PairFunctions

    def scores(self, table: Sequence[np.ndarray]) -> np.ndarray:
        """Return the scores (n_rows, n_outputs) of a table given by its encoded columns."""
        codes = [one.bins.codes(column) for one, column in zip(self.columns, table, strict=True)]
        total = np.repeat(self.intercept[np.newaxis], codes[0].size, axis=0)
        for one, code in zip(self.columns, codes, strict=True):
            total += one.values[code]
        pairs = self.pairs
        for (a, b), values in zip(
            pairs.columns[: pairs.n_used], pairs.values[: pairs.n_used], strict=True
        ):
            total += values[pairs.groups[a][codes[a]], pairs.groups[b][codes[b]]]
        return total


def freeze(fitted: Fitted, bins: Sequence[Bins], n_bins: int, n_pairs: int) -> FittedModel:
    """Return a fitted model in arrays for `n_bins` bins of a column and `n_pairs` pairs."""
    n_columns, n_outputs = len(bins), fitted.intercept.size
    columns = []
    for one, shape in zip(bins, fitted.shapes[:n_columns], strict=True):
        values, deviations, padded = shape.values, shape.deviations, one
        if one.edges is not None:
            lacking = n_bins - (one.n_bins - 1)
            edges = np.concatenate([one.edges, np.full(lacking, np.inf)])
            padded = Bins(edges, _before_last(one.mass, lacking))
            values = _before_last(values, lacking)
            deviations = _before_last(deviations, lacking)
        columns.append(ColumnFunction(padded, values, deviations))

    places = np.full((n_pairs, 2), -1)
    cells = (n_pairs, PAIR_GROUPS, PAIR_GROUPS)
    values, deviations, mass = np.zeros((*cells, n_outputs)), np.zeros(cells), np.zeros(cells)
    for number, shape in enumerate(fitted.shapes[n_columns:]):
        first, second = (int(fitted.groups[column].max()) + 1 for column in shape.columns)
        places[number] = shape.columns
        values[number, :first, :second] = shape.values.reshape(first, second, n_outputs)
        deviations[number, :first, :second] = shape.deviations.reshape(first, second)
        mass[number, :first, :second] = shape.mass.reshape(first, second)
    groups = tuple(
        _before_last(
            fitted.groups.get(j, np.zeros(one.n_bins, dtype=np.intp)),
            0 if one.edges is None else n_bins - (one.n_bins - 1),
        )
        for j, one in enumerate(bins)
    )
    return FittedModel(
        fitted.intercept, tuple(columns), PairFunctions(places, groups, values, deviations, mass)
    )


def _before_last(array: np.ndarray, lacking: int) -> np.ndarray:
    """Return an array with as many zeros before its last entry."""
    zeros = np.zeros((lacking, *array.shape[1:]), dtype=array.dtype)
    return np.concatenate([array[:-1], zeros, array[-1:]])
