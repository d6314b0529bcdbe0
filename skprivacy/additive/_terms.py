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
LONG_SCALE = 0.5
LONG = 0.3
LINEAR = 0.3
"""Ranges of the kernel in ranks, and the parts of it that are wide and linear."""

ORDER = 0.4
RARE = 1.0
CENTRE = 1

RANK_POWER = 0.5
LEAST_EIGENVALUE = 1e-6
LEAST_PAIR_SINGULAR_VALUE = 1e-3
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


def column_loadings(bins: Bins, rare: float) -> np.ndarray:
    """Return the loadings of a column's bins; `rare` is the part of the rows that tells little."""
    loadings = _root(_column_kernel(bins, rare))
    if CENTRE:
        loadings = loadings - _enclosing_centre(loadings)
        left, values, _ = np.linalg.svd(loadings, full_matrices=False)
        kept = values**2 > LEAST_EIGENVALUE * values[0]**2
        loadings = left[:, kept] * values[kept]
        loadings = loadings / _longest_row(loadings)
    return loadings


def _column_kernel(bins, rare):
    mass = bins.mass
    known = mass / (mass + RARE * rare)
    if bins.edges is not None:
        kernel = _kernel(mass, numeric=True, missing=True)
        kernel[-1, -1] = known[-1]
        return kernel
    kernel = np.diag(known)
    n = mass.size - 2
    kernel *= 1 - ORDER
    if n > 1:
        t = np.linspace(0, 1, n)
        kernel[:n, :n] += ORDER * _smooth(t)
        kernel[n:, n:] /= 1 - ORDER
    return kernel


def _enclosing_centre(points, n_steps=100):
    centre = points.mean(axis=0)
    for k in range(n_steps):
        d = ((points - centre) ** 2).sum(axis=1)
        centre = centre + (points[d.argmax()] - centre) / (k + 2)
    return centre


def _smooth(t):
    d = np.abs(t[:, np.newaxis] - t)
    u = 2 * t - 1
    return (
        (1 - LINEAR - LONG) * np.exp(-d / LENGTH_SCALE)
        + LONG * np.exp(-d / LONG_SCALE)
        + LINEAR * np.outer(u, u)
    )


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
    return mass, loadings - mass @ loadings


def pair_loadings(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the loadings of a pair: products of centred ones, without main effects."""
    loadings = np.kron(first, second)
    loadings = loadings / max(_longest_row(loadings), 1e-12)
    left, values, _ = np.linalg.svd(loadings, full_matrices=False)
    kept = values > LEAST_PAIR_SINGULAR_VALUE * max(values[0], 1e-12)
    return np.asarray(left[:, kept] * values[kept])


def _kernel(mass: np.ndarray, *, numeric: bool, missing: bool) -> np.ndarray:
    if not numeric:
        return np.eye(mass.size)
    kernel = np.eye(mass.size)
    inner = mass[:-1] if missing else mass
    if inner.size > 1:
        inner = inner**RANK_POWER
        ranks = np.cumsum(inner) - inner / 2
        ranks = (ranks - ranks[0]) / (ranks[-1] - ranks[0])
        kernel[: inner.size, : inner.size] = _smooth(ranks)
    return kernel


def _root(kernel: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(kernel)
    kept = values > LEAST_EIGENVALUE * values[-1]
    loadings = vectors[:, kept] * np.sqrt(values[kept])
    return np.asarray(loadings / _longest_row(loadings))


def _longest_row(loadings: np.ndarray) -> float:
    return float(np.sqrt((loadings * loadings).sum(axis=1).max(initial=0.0)))
