"""Noise that floating point cannot betray: exactly rounded Gaussian and Laplace.

A released float can give its secret away through its last bits, because float
noise has gaps that move with the value it is added to. So nothing here is added in
floats. Statistics are sums of integers in units of a public power-of-two grid, and
the noise is ``round(N)`` for a real, not a floating-point, normal or Laplace
variable ``N``. For an integer ``s``, ``s + round(N) = round(s + N)``: the release is a
post-processing of the real-valued mechanism and inherits its guarantee exactly,
with no correction for discreteness and no failure probability.

Four steps, proved in ``docs/theory/noise.md``:

1. `lattice` chooses the grid from public quantities alone;
2. `quantise_rows` (or `quantise_rows_l1`) makes each row an integer vector whose
   norm is at most the clipping norm in exact arithmetic, as a function of that row
   alone;
3. `sum_rows` adds rows exactly, so that their order and blocks do not matter;
4. `rounded_gaussian` or `rounded_laplace` draws the noise for the integer total.

The inverse distribution function is evaluated in floats on one 64-bit word per
coordinate. Where the error bound of that evaluation can't exclude the neighbouring
integer (one draw in 10**4 on the finest grid), more bits are drawn and the
question is settled in decimal arithmetic of sufficient precision.
"""

import math
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from ._random import RandomSource

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MAX_SCALE = 2.0**48
"""Largest noise scale, in lattice units."""

QUANTILE_ERROR = 2.0**-46
"""Bound on |computed - exact quantile| / (1 + quantile) for a given word.

The measured error of SciPy's ndtri is below 2**-51; a test guards that margin.
"""

_NOISE_BITS = 30
_TOTAL_BITS = 62
_LEAST, _GREATEST = 2.0**-900, 2.0**900
_LEAST_SQUARED = 2.0**-400


def _context(digits: int) -> Context:
    # The caller's own decimal context may have any precision and any traps.
    return Context(prec=digits + 10, Emin=-999999999, Emax=999999999, traps=[])


@lru_cache(maxsize=8)
def _sqrt_two_pi(digits: int) -> Decimal:
    """Return sqrt(2 pi) to ten digits more than `digits`, by Machin's formula."""

    def arctan_inverse(x: int) -> int:
        total = term = unit // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    unit: int = 10 ** (digits + 20)
    two_pi = 8 * (4 * arctan_inverse(5) - arctan_inverse(239))
    with localcontext(_context(digits + 10)):
        return (Decimal(two_pi) / unit).sqrt()


def _gaussian_tail(t: Decimal, digits: int) -> Decimal:
    """Return P(N > t) for t >= 0 with absolute error below 10**-digits.

    To be called in a context of ``digits + 10`` digits. The series
    Phi(t) - 1/2 = phi(t) (t + t^3/3 + t^5/(3 5) + ...) has positive terms only, so that
    rounding errors stay relative.
    """
    square = t * t
    if square > 5 * digits:
        # P(N > t) < exp(-t^2 / 2) / 2 < 10^(-2.5 digits / log 10) / 2.
        return Decimal(0)
    term = total = t
    negligible = Decimal(1).scaleb(-digits - 10)
    n = 1
    # Once n > 2 t^2 terms fall at least by half, and what is left out is below the last one.
    while term > negligible or n < 2 * square:
        n += 2
        term *= square / n
        total += term
    return Decimal("0.5") - (-square / 2).exp() / _sqrt_two_pi(digits) * total


def _laplace_tail(t: Decimal, digits: int) -> Decimal:  # noqa: ARG001
    """Return P(L > t) for a unit Laplace variable and t >= 0, correct to the context."""
    return (-t).exp() / 2


def _round_exactly(
    word: int,
    start: int,
    scale: float,
    tail: Callable[[Decimal, int], Decimal],
    source: RandomSource,
) -> int:
    """Round one magnitude exactly, with further random bits as needed.

    The magnitude is the point whose tail probability has the binary expansion
    ``word * 2**-64`` followed by fresh bits. The result is the least integer k >= 0
    with magnitude < k + 1/2, searched outwards from `start`.
    """
    bits = 64

    def is_below(k: int) -> bool:
        """Whether magnitude < k + 1/2."""
        nonlocal word, bits
        while True:
            # At least four digits more than the cell [word, word + 1) 2**-bits is wide.
            digits = bits * 30103 // 100000 + 5
            with localcontext(_context(digits)):
                edge = Decimal(2 * k + 1) / (2 * Decimal(scale))
                probability = int(tail(edge, digits).scaleb(digits + 1))
            error, unit = 11, 10 ** (digits + 1)
            if (probability + error) << bits <= word * unit:
                return True
            if (probability - error) << bits >= (word + 1) * unit:
                return False
            word, bits = word << 64 | int(source.words(1)[0]), bits + 64

    low, high, step = start - 1, start, 1
    while not is_below(high):
        low, high, step = high, high + step, 2 * step
    step = 1
    while low >= 0 and is_below(low):
        low, high, step = low - step, low, 2 * step
    low = max(low, -1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_below(middle) else (middle, high)
    return high


def _rounded(
    shape: int | tuple[int, ...],
    scale: float,
    quantile: Callable[[FloatArray], FloatArray],
    density: Callable[[FloatArray], FloatArray],
    tail: Callable[[Decimal, int], Decimal],
    source: RandomSource,
) -> IntArray:
    if not 0 < scale <= MAX_SCALE:
        raise ValueError(
            "The noise scale must be a float in the range (0, 2**48], in lattice units. "
            f"Got {scale!r} instead."
        )
    scale = float(scale)
    shape = shape if isinstance(shape, tuple) else (shape,)
    words = source.words(math.prod(shape))
    # One bit for the sign, 63 for the cell [v, v + 1) 2**-64 of the tail probability.
    v = words >> np.uint64(1)
    x = quantile((v.astype(np.float64) + 0.5) * 2.0**-64)
    error = QUANTILE_ERROR * (1.0 + x) + 2.0**-64 / density(x)
    shifted = scale * x + 0.5
    nearest = np.rint(shifted)
    magnitude = np.floor(shifted).astype(np.int64)
    # The first cell reaches to infinity: no width bounds it.
    undecided = (np.abs(shifted - nearest) <= scale * error + 2.0**-50 * shifted) | (v == 0)
    for i in np.flatnonzero(undecided):
        magnitude[i] = _round_exactly(int(v[i]), int(nearest[i]), scale, tail, source)
    negative = (words & np.uint64(1)).astype(bool)
    np.negative(magnitude, out=magnitude, where=negative)
    return magnitude.reshape(shape)


def _gaussian_quantile(p: FloatArray) -> FloatArray:
    return -np.asarray(ndtri(p), dtype=np.float64)


def _gaussian_density(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * x * x) * 0.3989422804014327)


def _laplace_quantile(p: FloatArray) -> FloatArray:
    return np.asarray(-np.log(2.0 * p))


def _laplace_density(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.exp(-x))


def rounded_gaussian(shape: int | tuple[int, ...], sigma: float, source: RandomSource) -> IntArray:
    """Draw independent integers distributed exactly as round(N(0, sigma^2)).

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the result.
    sigma : float
        Standard deviation before rounding, in lattice units, in (0, 2**48].
    source : RandomSource
        Where the random words come from: one a draw, and seldom a few more.

    Returns
    -------
    ndarray of shape `shape`, dtype int64
        A value beyond 2**63 would need a magnitude of 2**15 standard deviations.

    Raises
    ------
    ValueError
        If `sigma` is outside its range.

    Notes
    -----
    For an integer statistic s of L2 sensitivity D, ``s + rounded_gaussian(...)`` is
    exactly (D / sigma)-GDP: it is the rounding of s + N(0, sigma^2).

    Examples
    --------
    >>> from skprivacy.mechanisms import random_source, rounded_gaussian
    >>> rounded_gaussian(5, 2.0**20, random_source(0))
    array([ 560693, -205982, -187685, -201983, -514647])
    """
    return _rounded(shape, sigma, _gaussian_quantile, _gaussian_density, _gaussian_tail, source)


def rounded_laplace(shape: int | tuple[int, ...], b: float, source: RandomSource) -> IntArray:
    """Draw independent integers distributed exactly as round(Laplace(0, b)).

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the result.
    b : float
        Scale before rounding, in lattice units, in (0, 2**48].
    source : RandomSource
        Where the random words come from: one a draw, and seldom a few more.

    Returns
    -------
    ndarray of shape `shape`, dtype int64

    Raises
    ------
    ValueError
        If `b` is outside its range.

    Notes
    -----
    For an integer statistic s of L1 sensitivity D, ``s + rounded_laplace(...)`` is
    exactly (D / b)-differentially private: it is the rounding of s + Laplace(b).
    """
    return _rounded(shape, b, _laplace_quantile, _laplace_density, _laplace_tail, source)


def lattice(clip: float, noise_scale: float, *, row_cap: int = 2**31) -> float:
    """Return a public power-of-two grid for a noisy sum of rows of norm at most `clip`.

    The grid is the finest power of two with

    - ``noise_scale < 2**31 * grid``, so that hardly any draw needs the exact path, and
    - ``row_cap * clip <= 2**62 * grid``, so that a total and its noise fit in 64 bits.

    Where the first rule decides, truncating n rows moves a coordinate of the sum by
    less than ``n * 2**-30`` noise scales. The true number of rows must not enter: a
    grid that moved with it would reveal it.

    Parameters
    ----------
    clip : float
        Bound on the norm of a row, in [2**-900, 2**900].
    noise_scale : float
        Scale of the noise, in the same unit and range.
    row_cap : int, default=2**31
        Public bound on the number of rows.

    Returns
    -------
    float
        The grid, an exact power of two.

    Raises
    ------
    ValueError
        If an argument is outside its range, or the noise is so small beside `clip`
        that it would be finer than the grid.

    Examples
    --------
    >>> from skprivacy.mechanisms._rounded import lattice
    >>> lattice(1.0, 4.0) == 2.0**-28
    True
    """
    for name, value in (("clip", clip), ("noise_scale", noise_scale)):
        _check_range(name, value)
    by_noise = math.frexp(noise_scale)[1] - 1 - _NOISE_BITS
    mantissa, exponent = math.frexp(clip)
    by_total = (exponent - (mantissa == 0.5)) + (row_cap - 1).bit_length() - _TOTAL_BITS
    grid = math.ldexp(1.0, max(by_noise, by_total))
    if noise_scale < grid:
        raise ValueError(
            f"A noise scale of {noise_scale!r} is too small for rows of norm {clip!r}: "
            f"{row_cap} such rows are summed on a grid of {grid!r}."
        )
    return grid


def _check_range(name: str, value: float) -> None:
    if not _LEAST <= value <= _GREATEST:
        raise ValueError(
            f"{name} must be a float in the range [2**-900, 2**900]. Got {value!r} instead."
        )


def fold_columns(terms: FloatArray) -> FloatArray:
    """Return the sum of each row by a fixed binary tree of elementwise additions.

    A library's sum along an axis may order its additions by memory layout or block
    size. Then a row's contribution would depend on the rows around it, and a bound on
    the contribution would not bound what adding the row changes.
    """
    while terms.shape[1] > 1:
        half = terms.shape[1] // 2
        folded = terms[:, :half] + terms[:, half : 2 * half]
        if terms.shape[1] % 2:
            folded[:, 0] += terms[:, -1]
        terms = folded
    return np.asarray(terms.sum(axis=1))


def _quantise(
    X: FloatArray,
    clip: float,
    grid: float,
    norm: Callable[[FloatArray], FloatArray],
    quick_norm: Callable[[FloatArray], FloatArray] | None = None,
) -> FloatArray:
    _check_range("clip", clip)
    _check_range("grid", grid)
    if math.frexp(grid)[0] != 0.5 or clip > 2.0**52 * grid:
        raise ValueError(
            "grid must be a power of two and at least clip / 2**52. "
            f"Got grid={grid!r} with clip={clip!r}."
        )
    rows = np.asarray(X, dtype=np.float64)
    if quick_norm is None or clip < _LEAST_SQUARED or rows.shape[1] > 2**20:
        return _quantise_slowly(rows, clip, grid, norm)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        quantised = rows * (1.0 / grid)
        # In whatever order the sums are made, these rows are within for the slower test too.
        within = quick_norm(rows) <= clip * (1.0 - 2.0**-30)
        np.trunc(quantised, out=quantised)
    if not within.all():
        beyond = ~within
        quantised[beyond] = _quantise_slowly(rows[beyond], clip, grid, norm)
    return quantised


def _quantise_slowly(
    rows: FloatArray, clip: float, grid: float, norm: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    largest = np.max(np.abs(rows), axis=1, initial=0.0)
    if not np.isfinite(largest).all():
        rows = np.nan_to_num(rows)
        largest = np.max(np.abs(rows), axis=1, initial=0.0)
    # Rows are brought to a largest entry of about 1; only rows far below every clip, or
    # at the end of the floating range, miss that by the limits on the exponent.
    exponent = np.clip(np.frexp(largest)[1], -1000, 1000)
    with np.errstate(over="ignore", under="ignore"):
        scaled = rows * np.ldexp(1.0, -exponent)[:, np.newaxis]
        # The slack covers every rounding of a sum of d terms and of a square root.
        bound = norm(scaled) * (1.0 + (rows.shape[1] + 8) * 2.0**-53)
        inside = bound <= np.ldexp(clip, -exponent)
        factor = np.ldexp(1.0 / grid, np.where(inside, exponent, 0))
        outside = ~inside
        # 2**-50 covers the roundings of this line and of the product below.
        factor[outside] = clip / grid / bound[outside] * (1.0 - 2.0**-50)
        scaled *= factor[:, np.newaxis]
    return np.asarray(np.trunc(scaled, out=scaled))


def _quick_euclidean(rows: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows)))


def _euclidean(scaled: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(fold_columns(scaled * scaled)))


def _absolute(scaled: FloatArray) -> FloatArray:
    return fold_columns(np.abs(scaled))


def quantise_rows(X: FloatArray, clip: float, *, grid: float) -> FloatArray:
    """Clip rows to an L2 norm and round them toward zero to integers of a grid.

    The result holds integers in units of `grid`. The L2 norm of every row of it is at
    most ``clip / grid`` in exact arithmetic, for any floats in `X`, and it depends on
    that row of `X` alone. A row that is within the clipping norm by the float evaluation
    of its norm is divided by the grid and truncated, nothing else.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Rows. NaN counts as 0 and an infinity as the largest float: their absence
        is validated before, here the bound only has to hold.
    clip : float
        Clipping norm, in [2**-900, 2**900].
    grid : float
        Power of two, at least ``clip / 2**52``; see `lattice`.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), dtype float64
        Integer-valued.

    Raises
    ------
    ValueError
        If `clip` or `grid` is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from skprivacy.mechanisms._rounded import quantise_rows
    >>> quantise_rows(np.array([[0.3, -0.4], [30.0, 40.0]]), 1.0, grid=2.0**-4)
    array([[ 4., -6.],
           [ 9., 12.]])
    """
    return _quantise(X, clip, grid, _euclidean, _quick_euclidean)


def quantise_rows_l1(X: FloatArray, clip: float, *, grid: float) -> FloatArray:
    """Clip rows to an L1 norm and round them toward zero to integers of a grid.

    As `quantise_rows`, with the L1 norm in place of the L2 norm.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Rows.
    clip : float
        Clipping norm, in [2**-900, 2**900].
    grid : float
        Power of two, at least ``clip / 2**52``.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), dtype float64
        Integer-valued, every row with L1 norm at most ``clip / grid``.

    Raises
    ------
    ValueError
        If `clip` or `grid` is outside its range.
    """
    return _quantise(X, clip, grid, _absolute)


def sum_rows(quantised: FloatArray) -> IntArray:
    """Return the exact sum of integer-valued rows, whatever their order.

    Parameters
    ----------
    quantised : array of shape (n_rows, n_columns)
        Integer-valued rows, from `quantise_rows`, whose sum fits in 64 bits: the grid of
        `lattice` sees to that for up to `row_cap` rows.

    Returns
    -------
    ndarray of shape (n_columns,), dtype int64
    """
    return np.asarray(quantised.astype(np.int64).sum(axis=0))


def round_to_grid(values: FloatArray, grid: float) -> IntArray:
    """Round a statistic to the nearest integers in units of a grid.

    Two statistics at L2 distance D end up at distance at most
    ``D / grid + sqrt(dimension)``, which is the sensitivity to pay for. Values beyond
    2**62 units are moved to that limit, which brings no two points further apart.

    Parameters
    ----------
    values : array
        The statistic. NaN counts as 0.
    grid : float
        Power of two in [2**-900, 2**900].

    Returns
    -------
    ndarray of the shape of `values`, dtype int64

    Raises
    ------
    ValueError
        If `grid` is no power of two in its range.
    """
    _check_range("grid", grid)
    if math.frexp(grid)[0] != 0.5:
        raise ValueError(f"grid must be a power of two. Got {grid!r} instead.")
    limit = 2.0**_TOTAL_BITS
    finite = np.nan_to_num(np.asarray(values, dtype=np.float64))
    with np.errstate(over="ignore", under="ignore"):
        units = np.clip(np.rint(finite / grid), -limit, limit)
    return np.asarray(units.astype(np.int64))
