"""Shape functions as linear models: a kernel over the bins of a column, made of loadings.

A numeric column's bins are joined by a kernel in their noisy ranks, exponential plus linear,
so that neighbouring bins share their evidence; the categories of a column stand alone. The
kernel K = L L' turns values f = L g into loadings L, whose rows have norm at most 1: that is
what bounds the contribution of a row.
"""

from dataclasses import dataclass

import numpy as np

from ..mechanisms import Term
from ._bins import Bins

LENGTH_SCALE = 0.1
LINEAR = 0.3
"""Range of the kernel in ranks, and the part of it that is linear."""

RANK_POWER = 0.5
LEAST_EIGENVALUE = 1e-6
LEAST_SINGULAR_VALUE = 1e-3
PAIR_GROUPS = 8
"""Groups of bins that a column has in pairs."""


@dataclass
class Shape:
    """One shape function: of a column, or of the grouped bins of two columns.

    Parameters
    ----------
    columns : tuple of int
        The column, or the two.
    term : Term
        Where its cells are in the joint tables.
    mass : array of shape (n_cells,)
        Released parts of the rows in its cells.
    loadings : array of shape (n_cells, n_loadings)
        Rows of norm at most 1.
    """

    columns: tuple[int, ...]
    term: Term
    mass: np.ndarray
    loadings: np.ndarray


def column_loadings(bins: Bins) -> np.ndarray:
    """Return the loadings of a column's bins."""
    return _root(_kernel(bins.mass, numeric=bins.edges is not None, missing=True))


def group_bins(bins: Bins, n_groups: int = PAIR_GROUPS) -> np.ndarray:
    """Return for each bin of a column one of at most `n_groups` groups, for pairs.

    Groups of a numeric column have about equal mass; of a categorical one, the most
    frequent values have groups of their own. Missing values go with the last group.
    """
    mass = bins.mass
    if bins.edges is None:
        groups = np.full(mass.size, n_groups - 1)
        n_own = n_groups - 1 if mass.size > n_groups else n_groups
        own = np.argsort(-mass, kind="stable")[:n_own]
        groups[own] = np.arange(own.size)
    else:
        inner = mass[:-1]
        middle = np.cumsum(inner) - inner / 2
        groups = np.minimum((middle / inner.sum() * n_groups).astype(int), n_groups - 1)
        groups = np.append(groups, groups[-1])
    return np.unique(groups, return_inverse=True)[1]


def group_loadings(bins: Bins, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mass and loadings of grouped bins; the loadings have mean 0 over the mass."""
    mass = np.bincount(groups, bins.mass)
    loadings = _root(_kernel(mass, numeric=bins.edges is not None, missing=False))
    loadings = loadings - mass @ loadings
    # Centring takes a dimension, which would cost noise in pairs.
    left, values, _ = np.linalg.svd(loadings, full_matrices=False)
    kept = values > LEAST_SINGULAR_VALUE * max(values[0], 1e-12)
    return mass, left[:, kept] * values[kept]


def pair_loadings(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the loadings of a pair: products of centred ones, without main effects."""
    shape = first.shape[0] * second.shape[0], first.shape[1] * second.shape[1]
    loadings = (first[:, np.newaxis, :, np.newaxis] * second[:, np.newaxis]).reshape(shape)
    return np.asarray(loadings / max(_longest_row(loadings), 1e-12))


def _kernel(mass: np.ndarray, *, numeric: bool, missing: bool) -> np.ndarray:
    if not numeric:
        return np.eye(mass.size)
    kernel = np.eye(mass.size)
    inner = mass[:-1] if missing else mass
    if inner.size > 1:
        inner = inner**RANK_POWER
        ranks = np.cumsum(inner) - inner / 2
        ranks = (ranks - ranks[0]) / (ranks[-1] - ranks[0])
        signed = 2 * ranks - 1
        near = np.exp(-np.abs(ranks[:, np.newaxis] - ranks) / LENGTH_SCALE)
        kernel[: inner.size, : inner.size] = (1 - LINEAR) * near + LINEAR * np.outer(signed, signed)
    return kernel


def _root(kernel: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(kernel)
    kept = values > LEAST_EIGENVALUE * values[-1]
    loadings = vectors[:, kept] * np.sqrt(values[kept])
    return np.asarray(loadings / _longest_row(loadings))


def _longest_row(loadings: np.ndarray) -> float:
    return float(np.sqrt((loadings * loadings).sum(axis=1).max(initial=0.0)))
