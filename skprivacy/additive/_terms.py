"""Shape functions as linear models: a kernel over the bins of a column, made of loadings.

A numeric column's bins are joined by a kernel in their noisy ranks, short, long and linear, so
that neighbouring bins share their evidence; long and linear parts are what little evidence is
enough for. Categories stand alone, but for a part that follows their declared order. The
kernel K = L L' turns values f = L g into loadings L, whose rows have norm at most 1: that is
what bounds the contribution of a row. A constant, which the intercept has, would waste norm,
so the centre of the smallest ball around the rows is taken away, and the rest scaled to 1.
"""

from dataclasses import dataclass

import numpy as np

from ..mechanisms import Term
from ._bins import Bins

SHORT_SCALE, LONG_SCALE = 0.1, 0.5
PARTS_FOR_LITTLE, PARTS_FOR_MUCH = (0.2, 0.5, 0.3), (0.5, 0.3, 0.2)
"""Ranges of the kernel in ranks; its parts of short and of long range, and its linear part, for
little and for much evidence."""

ORDER = 0.4
"""Part of the kernel of categories that follows their order."""

CENTRE_STEPS = 100
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


def column_loadings(bins: Bins, rare: float, evidence: float) -> np.ndarray:
    """Return the loadings of a column's bins.

    Parameters
    ----------
    bins : Bins
    rare : float
        Part of the rows of which the noise leaves little: categories of such a mass, and
        missing values, have half the squared norm.
    evidence : float
        How much the rows say, from 0 to 1: with more of it the kernel is rougher.
    """
    known = bins.mass / (bins.mass + rare)
    if bins.edges is not None:
        kernel = _kernel(bins.mass, evidence, numeric=True, missing=True)
        kernel[-1, -1] = known[-1]
    else:
        n_listed = bins.n_bins - 2
        parts = np.where(np.arange(bins.n_bins) < n_listed, 1 - ORDER, 1.0)
        kernel = np.diag(known * parts)
        kernel[:n_listed, :n_listed] += ORDER * _smooth(np.linspace(0.0, 1.0, n_listed), evidence)
    return _centred(_root(kernel))


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
    loadings = _root(_kernel(mass, 1.0, numeric=bins.edges is not None, missing=False))
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


def _kernel(mass: np.ndarray, evidence: float, *, numeric: bool, missing: bool) -> np.ndarray:
    kernel = np.eye(mass.size)
    if numeric:
        inner = mass[:-1] if missing else mass
        if inner.size > 1:
            inner = inner**RANK_POWER
            ranks = np.cumsum(inner) - inner / 2
            ranks = (ranks - ranks[0]) / (ranks[-1] - ranks[0])
            kernel[: inner.size, : inner.size] = _smooth(ranks, evidence)
    return kernel


def _smooth(ranks: np.ndarray, evidence: float) -> np.ndarray:
    """Return the kernel of places in [0, 1]."""
    apart = np.abs(ranks[:, np.newaxis] - ranks)
    signed = 2 * ranks - 1
    little, much = np.array(PARTS_FOR_LITTLE), np.array(PARTS_FOR_MUCH)
    short, long, linear = little + evidence * (much - little)
    near = short * np.exp(-apart / SHORT_SCALE) + long * np.exp(-apart / LONG_SCALE)
    return np.asarray(near + linear * np.outer(signed, signed))


def _centred(loadings: np.ndarray) -> np.ndarray:
    """Return loadings around the centre of the smallest ball that holds them, of norm 1.

    The centre is found by steps towards the farthest row (Badoiu and Clarkson 2003).
    """
    products = loadings @ loadings.T
    squares = products.diagonal()
    weights = np.full(squares.size, 1 / squares.size)
    along = products @ weights
    for step in range(CENTRE_STEPS):
        # The squared distance to the centre, but for a constant.
        farthest = (squares - 2 * along).argmax()
        along += (products[farthest] - along) / (step + 2)
        weights *= 1 - 1 / (step + 2)
        weights[farthest] += 1 / (step + 2)
    centre = weights @ loadings
    left, values, _ = np.linalg.svd(loadings - centre, full_matrices=False)
    kept = values**2 > LEAST_EIGENVALUE * values[0] ** 2
    loadings = left[:, kept] * values[kept]
    return np.asarray(loadings / max(_longest_row(loadings), 1e-12))


def _root(kernel: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(kernel)
    kept = values > LEAST_EIGENVALUE * values[-1]
    loadings = vectors[:, kept] * np.sqrt(values[kept])
    return np.asarray(loadings / _longest_row(loadings))


def _longest_row(loadings: np.ndarray) -> float:
    return float(np.sqrt((loadings * loadings).sum(axis=1).max(initial=0.0)))
