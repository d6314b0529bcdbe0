"""Products of matrices in which a row's result is a function of that row alone.

A library adds up a product's terms in an order that depends on the shapes, so that a row's
last digits depend on how many rows stand beside it. Under differential privacy that would
be a way, if a narrow one, in which one record moves the gradients of all others. Here rows
and weights are rounded to integers, few enough bits each that every sum is exact, in any
order. Noise hides what the rounding costs.
"""

import math

import numpy as np

from ._network import Arithmetic

_DIGITS = 52


def exact_product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return ``rows @ weights``, both rounded to integers whose product is exact.

    Parameters
    ----------
    rows : array of shape (n_rows, n_in)
        Rounded relative to the largest entry of each row.
    weights : array of shape (n_in, n_out)
        Public; rounded relative to the largest entry of all.
    """
    bits = (_DIGITS - math.ceil(math.log2(max(rows.shape[1], 2)))) // 2
    scale, integers = _integers(rows, bits)
    whole_scale, whole = _integers(weights.reshape(1, -1), bits)
    product = integers @ whole.reshape(weights.shape)
    return np.asarray(np.ldexp(product, scale + whole_scale))


def _integers(rows: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return exponents and integers of at most `bits` bits, row by row."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    exponents = np.frexp(largest)[1][:, np.newaxis] - bits
    return exponents, np.rint(np.ldexp(rows, -exponents))


def tree_sums(terms: np.ndarray) -> np.ndarray:
    """Return the sum of every row by one fixed tree of additions."""
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        folded = terms[..., :half] + terms[..., half : 2 * half]
        if terms.shape[-1] % 2:
            folded[..., 0] += terms[..., -1]
        terms = folded
    return np.asarray(terms[..., 0])


EXACT = Arithmetic(exact_product, tree_sums)
"""Sums that do not depend on the other rows."""
