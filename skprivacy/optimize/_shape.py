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

ROW_GRID = 2.0**-20
FLOOR = 0.3
"""Eigenvalue floor in units of the spectral norm of the moment's noise: s sqrt(2 d), or
s sqrt(2 log d) for a diagonal."""

INSIDE = 1 - 2.0**-40
"""Radius rows are scaled to, so that no rounding takes a norm above 1."""


@dataclass(frozen=True)
class Shape:
    """A shaping matrix and what is known of the rows it shapes.

    Parameters
    ----------
    matrix : array of shape (n_columns, n_columns) or (n_columns,)
        Symmetric, with entries on a grid that makes products with `UnitRows` exact; or
        the diagonal, where columns are shaped one by one.
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
        moment : array of shape (n_columns, n_columns) or (n_columns,)
            Released sum of z z', or its diagonal.
        noise_scale : float
            Standard deviation of the noise on the diagonal.
        n_rows : float
            Released or public number of rows.
        """
        n_columns = moment.shape[0]
        if moment.ndim == 1:
            eigenvalues, vectors = moment, None
            size = math.sqrt(2 * math.log(n_columns + 1))
        else:
            eigenvalues, vectors = np.linalg.eigh(moment)
            size = math.sqrt(2 * n_columns)
        trace = float(np.clip(eigenvalues.sum(), 0.05 * n_rows, n_rows))
        spectrum = simplex_projection(eigenvalues, trace)
        floor = FLOOR * noise_scale * size
        stretch = (spectrum + floor) ** -0.5
        # Mean squared norm 1 after shaping, unless that would shrink every direction.
        typical = math.sqrt(float(stretch**2 @ spectrum) / n_rows)
        stretch /= min(typical, float(stretch.max()))
        if vectors is None:
            return cls(stretch, stretch, spectrum)
        matrix = (vectors * stretch) @ vectors.T
        grid = 2.0 ** (math.ceil(math.log2(float(np.abs(matrix).max()))) - 24)
        return cls(np.rint(matrix / grid) * grid, stretch, spectrum)

    def __matmul__(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the matrix times coefficients of shaped rows: those of unit rows."""
        if self.matrix.ndim == 2:
            return np.asarray(self.matrix @ coefficients)
        return np.asarray((self.matrix * coefficients.T).T)

    @property
    def shaped_moment(self) -> np.ndarray:
        """Estimated sum of squared coordinates after shaping, per eigenvector."""
        return np.asarray(self.stretch**2 * self.moment)


def simplex_projection(values: np.ndarray, total: float) -> np.ndarray:
    """Return the nearest vector to `values` with nonnegative entries that sum to `total`."""
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - total) / np.arange(1, values.size + 1)
    last = np.nonzero(ordered > excess)[0][-1]
    return np.asarray(np.maximum(values - excess[last], 0.0))
