"""Shaping rows by a noisy second moment, so that isotropic noise hurts less.

Noise of equal size in every direction is wasteful where the rows hardly vary. From a
released second moment, a matrix A is made that stretches small directions; the learner
works on A z, clipped to norm 1, and maps its coefficients back. All of it is
post-processing of the released moment. Eigenvalues are projected onto the simplex of
their released trace first: without that, noise alone makes directions up.

The product A z is computed on a grid where it is exact, so that a row's image is the
same number wherever the row stands in memory.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..mechanisms import row_norms

ROW_GRID = 2.0**-20
FLOOR = 0.3
"""Eigenvalue floor in units of the spectral norm of the moment's noise, s sqrt(2 d)."""

INSIDE = 1 - 2.0**-40
"""Radius rows are scaled to, so that no rounding takes a norm above 1."""


def unit_rows(block: np.ndarray, radius: float, constant: float) -> np.ndarray:
    """Return [x; constant] clipped to norm `radius`, over `radius`, on a grid.

    Parameters
    ----------
    block : array of shape (n_rows, n_features)
    radius : float
    constant : float
        Value of the appended intercept coordinate; none is appended for 0.

    Returns
    -------
    array of shape (n_rows, n_features + 1) or (n_rows, n_features)
        Multiples of `ROW_GRID`, of norm at most 1.
    """
    rows = np.asarray(block, dtype=np.float64)
    if constant:
        rows = np.concatenate([rows, np.full((rows.shape[0], 1), constant)], axis=1)
    norms = np.maximum(row_norms(rows), radius)
    scaled = rows * (INSIDE / norms)[:, np.newaxis]
    return np.asarray(np.trunc(scaled / ROW_GRID) * ROW_GRID)


@dataclass(frozen=True)
class Shape:
    """A shaping matrix and what is known of the rows it shapes.

    Parameters
    ----------
    matrix : array of shape (n_columns, n_columns)
        Symmetric; entries on a grid that makes products with `unit_rows` exact.
    stretch : array of shape (n_columns,)
        Its eigenvalues.
    moment : array of shape (n_columns,)
        Estimated sum of squared coordinates along its eigenvectors, before shaping.
    """

    matrix: np.ndarray
    stretch: np.ndarray
    moment: np.ndarray

    @classmethod
    def from_moment(cls, moment: np.ndarray, noise_scale: float, n_rows: float) -> "Shape":
        """Make the shape from a released moment of rows of norm at most 1.

        Parameters
        ----------
        moment : array of shape (n_columns, n_columns)
            Released sum of z z'.
        noise_scale : float
            Standard deviation of the noise on its diagonal.
        n_rows : float
            Released or public number of rows.
        """
        n_columns = moment.shape[0]
        eigenvalues, vectors = np.linalg.eigh(moment)
        trace = float(np.clip(np.trace(moment), 0.05 * n_rows, n_rows))
        spectrum = simplex_projection(eigenvalues, trace)
        floor = FLOOR * noise_scale * math.sqrt(2 * n_columns)
        stretch = (spectrum + floor) ** -0.5
        # Mean squared norm 1 after shaping, unless that would shrink every direction.
        typical = math.sqrt(float(stretch**2 @ spectrum) / n_rows)
        stretch /= min(typical, float(stretch.max()))
        matrix = (vectors * stretch) @ vectors.T
        grid = 2.0 ** (math.ceil(math.log2(float(np.abs(matrix).max()))) - 24)
        return cls(np.rint(matrix / grid) * grid, stretch, spectrum)

    @property
    def shaped_moment(self) -> np.ndarray:
        """Estimated sum of squared coordinates after shaping, per eigenvector."""
        return np.asarray(self.stretch**2 * self.moment)


def shape_rows(block: np.ndarray, shape: Shape) -> np.ndarray:
    """Return the rows of a block of `unit_rows`, shaped and clipped to norm 1."""
    shaped = block @ shape.matrix
    norms = np.maximum(row_norms(shaped), 1.0)
    return np.asarray(shaped * (INSIDE / norms)[:, np.newaxis])


def simplex_projection(values: np.ndarray, total: float) -> np.ndarray:
    """Return the nearest vector to `values` with nonnegative entries that sum to `total`."""
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - total) / np.arange(1, values.size + 1)
    last = np.nonzero(ordered > excess)[0][-1]
    return np.asarray(np.maximum(values - excess[last], 0.0))
