"""Rigorous upper bounds on the privacy curve of objective perturbation.

The curve of a record with slope bound m and curvature bound kappa = m / rho is at most

    sup over k: R -> [0, m], 0 <= k' <= kappa of
    int ((1 + k'(t)) phi(t + k(t)) - e^eps phi(t))_+ dt.

`upper_bounds` bounds this supremum from above by dynamic programming over cells of
(t, k); `worst_ratio` compares the bounds with the curve of a Gaussian mechanism, between
the points of the grid too. Statement and proof:
``docs/theory/objective_perturbation.md``, section "The certificate".

NumPy is the reference. The same recursion in C, some twenty times faster, is used for
the int64_t sweep where a compiler is at hand.
"""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from skprivacy.accounting import gdp_delta

RIGHT_END = 6.0
"""Cells cover t up to here; what lies beyond is bounded as a whole."""

LEFT_MARGIN = 6.0
"""Cells cover t down to this far left of -(x + m / 2) and of -m."""

ROUNDING = 1.0 + 1e-9
"""Covers the float rounding of the recursion, which is below 1e-11."""


def _window(m, x):
    """Return how far left of 0 the cells reach for each x."""
    return np.maximum(x + m / 2, m) + LEFT_MARGIN


def _cells(m, rho, x, n_levels):
    """Return the cells in t, and which of the ascending `x` each can matter for.

    A cell [left, left + width) matters for x[start:stop]: not for those whose window ends
    to its right, nor for those whose e^eps its largest density ratio can't reach.
    """
    width = rho / n_levels
    window = _window(m, x)
    n_cells = int(np.ceil((window[-1] + RIGHT_END) / width))
    left = -window[-1] + width * np.arange(n_cells)
    right = left + width
    mass = _mass(left, right)
    mode = np.clip(0.0, left, right)
    peak = width * np.exp(-(mode**2) / 2) / np.sqrt(2 * np.pi) * (1 + 1e-14)
    log_ratio = np.where(left > -m, np.minimum(left, 0) ** 2 / 2, -left * m - m * m / 2)
    start = np.searchsorted(window, -right)
    stop = np.searchsorted(m * x, np.log1p(m / rho) + log_ratio + 1e-9)
    return left, mass, np.maximum(peak, mass), start, np.maximum(start, stop)


def _mass(left, right):
    """Return the probability of [left, right] under N(0, 1), without cancellation in the tails."""
    return np.where(left > 0, ndtr(-left) - ndtr(-right), ndtr(right) - ndtr(left))


def _largest_ratio(t, low, high):
    """Return the maximum over k in [low, high] of phi(t + k) / phi(t)."""
    k = np.clip(-t, low, high)
    return np.exp(-t * k - k * k / 2)


def upper_bounds(m, rho, x, n_levels):
    """Bound the supremum at eps = m * x.

    Parameters
    ----------
    m : float
        Upper end of the range of k.
    rho : float
        m over the bound on k'.
    x : array, ascending
        Values of eps / m.
    n_levels : int
        Number of levels of k; cells have height m / n_levels and width rho / n_levels.
    """
    left, mass, peak, start, stop = _cells(m, rho, x, n_levels)
    kappa, step = m / rho, m / n_levels
    e = np.exp(m * x)[:, np.newaxis]
    level = np.arange(n_levels + 1)
    low = np.maximum(level - 1, 0) * step
    high_stay = np.minimum((level + 1) * step, m)
    high_ramp = np.minimum((level[:-1] + 2) * step, m)
    value = np.zeros((x.size, n_levels + 1))
    stay, ramp, steep = (
        np.empty_like(value),
        np.empty_like(value[:, 1:]),
        np.empty_like(value[:, 1:]),
    )
    for i in range(left.size - 1, -1, -1):
        if start[i] == stop[i]:
            continue
        rows = slice(start[i], stop[i])
        v, a, b, c = value[rows], stay[rows], ramp[rows], steep[rows]
        # (r - e)_+ without and ((1 + kappa) r - e)_+ with the full slope k' = kappa.
        ratio = _largest_ratio(left[i], low[:-1], high_ramp)
        np.maximum(np.subtract(ratio, e[rows], out=b), 0.0, out=b)
        np.maximum(np.subtract((1 + kappa) * ratio, e[rows], out=c), 0.0, out=c)
        c -= b
        c *= peak[i]
        b *= mass[i]
        b += c
        b += v[:, 1:]
        np.subtract(_largest_ratio(left[i], low, high_stay), e[rows], out=a)
        np.maximum(a, 0.0, out=a)
        a *= mass[i]
        v += a
        np.maximum(v[:, :-1], b, out=v[:, :-1])
    return _close(value.max(axis=1), m, kappa, x)


def _close(inner, m, kappa, x):
    """Add what lies left and right of the cells."""
    left_tail = ndtr(m - _window(m, x))
    right_tail = np.maximum(1 + kappa - np.exp(m * x), 0.0) * ndtr(-RIGHT_END)
    return (inner + left_tail + right_tail) * ROUNDING


def compiled_upper_bounds():
    """Return `upper_bounds` with its loop in C, or None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "sweep.c"), Path(folder, "sweep.so")
        source.write_text(C_SOURCE)
        command = [compiler, "-O3", "-shared", "-fPIC", "-o", library, source, "-lm"]
        for more in (["-march=native"], []):
            if not subprocess.run([*command, *more], capture_output=True, check=False).returncode:
                break
        else:
            return None
        sweep = ctypes.CDLL(str(library)).sweep
    floats, integers = (np.ctypeslib.ndpointer(t, flags="C") for t in (np.float64, np.int64))
    real, whole = ctypes.c_double, ctypes.c_int64
    sweep.restype = None
    sweep.argtypes = [real, real, whole, whole, *[floats] * 3, *[integers] * 2, *[floats] * 2]

    def in_c(m, rho, x, n_levels):
        left, mass, peak, start, stop = _cells(m, rho, x, n_levels)
        value = np.zeros((x.size, n_levels + 1))
        sweep(m, rho, n_levels, left.size, left, mass, peak, start, stop, np.exp(m * x), value)
        return _close(value.max(axis=1), m, m / rho, x)

    return in_c


def worst_ratio(m, eta, x, bounds):
    """Return the largest ratio of the bounds to the curve of a ((1 + eta) m)-GDP release.

    The true curve is convex in e^eps, so that between two points it lies below the chord
    of their bounds. The Gaussian curve G is convex too: where G' equals the slope of the
    chord, or else at an end, it comes closest.
    """
    mu, eps = (1 + eta) * m, m * x
    ratios = [bounds / gdp_delta(mu, eps)]
    e = np.exp(eps)
    slope = np.diff(bounds) / np.diff(e)
    # G'(e) = -Phi(-eps / mu - mu / 2).
    touching = -mu * (ndtri(np.minimum(-slope, 0.5)) + mu / 2)
    inside = (touching > eps[:-1]) & (touching < eps[1:])
    chord = bounds[:-1] + slope * (np.exp(touching) - e[:-1])
    ratios.append(chord[inside] / gdp_delta(mu, touching[inside]))
    return float(np.max(np.concatenate(ratios)))


def theorem_a(m, kappa, eps):
    """Bound the supremum in closed form (Theorem A); eps >= 0.

    For every m and kappa, and never far off where eps is well above m^2 / 2.
    """
    eps = np.asarray(eps, dtype=float)
    centre = np.log1p(kappa) + m * m / 2
    below = -np.expm1(eps - centre + np.log(0.5 + np.exp(log_ndtr(-m) + m * m / 2)))
    above = gdp_delta(m, np.maximum(eps, centre) - np.log1p(kappa))
    return np.where(eps < centre, below, above)


def exact_curve(t, k, eps):
    """Return the hockey-stick divergence of P_k from Q for a piecewise linear k.

    `k` is linear between the ascending knots `t` and constant outside. On a piece with
    k = s t + c the log ratio log(1 + s) - t k - k^2 / 2 is concave in t: it passes eps on
    one interval, whose masses under P and Q are known.
    """
    slope = np.concatenate([[0.0], np.diff(k) / np.diff(t), [0.0]])[:, np.newaxis]
    start = np.concatenate([[-np.inf], t])[:, np.newaxis]
    end = np.concatenate([t, [np.inf]])[:, np.newaxis]
    at = np.concatenate([t[:1], t])[:, np.newaxis]
    intercept = np.concatenate([k[:1], k])[:, np.newaxis] - slope * at
    # a t^2 + b t + c <= 0 where the log ratio is at least eps.
    a = slope + slope**2 / 2
    b = intercept * (1 + slope)
    c = intercept**2 / 2 - np.log1p(slope) + eps
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, half = -b / (2 * a), np.sqrt(np.maximum(b * b - 4 * a * c, 0.0)) / (2 * a)
        linear_end = np.where(b > 0, -c / b, np.where(c < 0, np.inf, -np.inf))
        low = np.maximum(start, np.where(a > 0, centre - half, -np.inf))
        high = np.minimum(end, np.where(a > 0, centre + half, linear_end))
        high = np.maximum(low, high)
        image_low = np.where(np.isinf(low), low, low * (1 + slope) + intercept)
        image_high = np.where(np.isinf(high), high, high * (1 + slope) + intercept)
    return np.sum(_mass(image_low, image_high) - np.exp(eps) * _mass(low, high), axis=0)


C_SOURCE = r"""
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
static double largest_ratio(double t, double low, double high) {
    double k = -t < low ? low : (-t > high ? high : -t);
    return exp(-t * k - k * k / 2);
}
/* value: n_x by n_levels + 1, zeros on entry. The loop of upper_bounds. */
void sweep(double m, double rho, int64_t n_levels, int64_t n_cells, const double *left,
           const double *mass, const double *peak, const int64_t *start,
           const int64_t *stop, const double *e, double *value) {
    double kappa = m / rho, step = m / n_levels;
    double *stay = malloc(sizeof(double) * (n_levels + 1));
    double *ramp = malloc(sizeof(double) * (n_levels + 1));
    for (int64_t i = n_cells - 1; i >= 0; i--) {
        if (start[i] >= stop[i]) continue;
        for (int64_t j = 0; j <= n_levels; j++) {
            double low = j > 0 ? (j - 1) * step : 0;
            stay[j] = largest_ratio(left[i], low, fmin((j + 1) * step, m));
            ramp[j] = largest_ratio(left[i], low, fmin((j + 2) * step, m));
        }
        for (int64_t s = start[i]; s < stop[i]; s++) {
            double *v = value + s * (n_levels + 1), es = e[s];
            for (int64_t j = 0; j < n_levels; j++) {
                double a = stay[j] - es, b = ramp[j] - es, c = (1 + kappa) * ramp[j] - es;
                a = a > 0 ? a : 0;
                b = b > 0 ? b : 0;
                c = c > 0 ? c : 0;
                a = v[j] + a * mass[i];
                b = v[j + 1] + b * mass[i] + (c - b) * peak[i];
                v[j] = a > b ? a : b;
            }
            double a = stay[n_levels] - es;
            v[n_levels] += (a > 0 ? a : 0) * mass[i];
        }
    }
    free(stay);
    free(ramp);
}
"""
