"""Noisy sums of gradients over Poisson samples, drawn once a step.

Private stochastic gradient descent (Abadi et al. 2016, "Deep learning with differential
privacy"; Song, Chaudhuri and Sarwate 2013) releases, in every step, the sum of clipped
gradients over a sample that each row joins by its own coin. All steps are priced together,
before the first, and the mechanism tosses the coins itself.

A layer's gradient for one row is an outer product, a d' of its inputs and of the loss's
derivative by its outputs, whose norm is |a| |d| (Goodfellow 2015, "Efficient per-example
gradient computations"). So norms need no gradient of any single row, and a clipped sum is
one product of matrices. Here it is exact, too: the unit vector a / |a| and the vector
|a| d of all layers, clipped to norm 1, are quantised to integers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np
from scipy.optimize import brentq

from ..accounting import Adjacency, PrivacyLoss, check_adjacency
from ._base import Draw, Mechanism, drawable_multiplier, rounded_up
from ._gaussian import product_grid
from ._random import RandomSource
from ._rounded import quantise_rows, rounded_gaussian
from ._rows import BLOCK_ROWS, row_norms

Factors = Sequence[tuple[np.ndarray, np.ndarray]]
"""For every layer, inputs of shape (n_rows, n_in) and derivatives of shape (n_rows, n_out)."""

LEAST_NOISE = 0.4
"""Least noise multiplier of a step on a sample; no budget is so large that less would help."""

_UNUSED = 5e-5
"""Part of mu that solving for the noise leaves unused: curves are solved on a grid."""


@dataclass(frozen=True, kw_only=True)
class SubsampledGradients(Mechanism):
    """Noisy sums of outer products over Poisson samples, each row's clipped to norm 1.

    A step's sum has L2 sensitivity 1 under add-remove. Under replace-one a row's two
    contributions differ by at most 2, and `SubsampledReplacement` bounds the curve.

    The steps of several such mechanisms may alternate: the composed curves depend on the
    settings alone, which are fixed before the first step.

    Parameters
    ----------
    sampling_rate : float
        Probability of each row to join a step's sample, in (0, 1].
    n_steps : int
        Number of draws.
    delta0 : float, default=None
        Charged as the release's delta; part of the budget, set by `calibrate`.
    budget : float, default=None
        The mu that the noise was solved for; charged even where the certified mu is a
        little less.
    """

    noise: ClassVar[str] = "gaussian"
    kind: ClassVar[str] = "step"
    needs_delta0: ClassVar[bool] = True

    sampling_rate: float
    n_steps: int
    delta0: float | None = None
    budget: float | None = None

    @property
    def n_draws(self) -> int:
        """Number of draws that the price covers."""
        return self.n_steps

    def loss(self, adjacency: Adjacency) -> PrivacyLoss:
        """Return the certified price of all steps together."""
        if self.delta0 is None:
            raise ValueError(
                f"Mechanism {self.name!r} is not calibrated yet. Call calibrate first."
            )
        multiplier = self.calibrated_noise()
        mu = _mu(self.sampling_rate, multiplier, self.n_steps, self.delta0, adjacency)
        return PrivacyLoss(max(mu, self.budget or 0.0), self.delta0)

    def solve_noise(
        self, adjacency: Adjacency, *, mu: float | None = None, epsilon: float | None = None
    ) -> float:
        """Return a noise multiplier whose certified price fits into `mu`, almost the least."""
        check_adjacency(adjacency)
        if mu is None or self.delta0 is None:
            raise ValueError(
                f"Release {self.name!r} has Gaussian noise on samples, which has no pure epsilon. "
                "Use a delta above 0."
            )
        multiplier = _solve(self.sampling_rate, self.n_steps, self.delta0, adjacency, mu)
        return drawable_multiplier(self.name, multiplier)

    def calibrate(
        self,
        adjacency: Adjacency,
        *,
        mu: float | None = None,
        epsilon: float | None = None,
        delta0: float | None = None,
    ) -> Self:
        """Return a copy whose noise is solved for `mu` and `delta0`."""
        prepared = replace(self, delta0=delta0)
        multiplier = prepared.solve_noise(adjacency, mu=mu, epsilon=epsilon)
        return replace(prepared, noise_multiplier=multiplier, budget=mu)

    def unit_sensitivity(self, adjacency: Adjacency) -> str:
        """Return the sensitivity for receipts."""
        moved = 1 if check_adjacency(adjacency) == "add-remove" else 2
        return (
            f"{moved} (L2 of a step's sum, a row's gradient clipped to norm 1), "
            f"{self.n_steps} steps, each row with probability {self.sampling_rate:.6g}"
        )

    def draw(
        self,
        factors: Callable[[np.ndarray], Factors],
        *,
        n_rows: int,
        shapes: Sequence[tuple[int, int]],
        weights: np.ndarray | None = None,
        adjacency: Adjacency,
        source: RandomSource,
    ) -> Draw:
        """Release the noisy sums of one step.

        Parameters
        ----------
        factors : callable
            For an array of row indices, the factors of these rows' gradients, layer by
            layer, in units of the clipping norm.
        n_rows : int
            Number of rows that can be sampled. It leaves the draw through the sums alone.
        shapes : sequence of (n_in, n_out)
            Public shapes of the layers.
        weights : array of shape (n_rows,), default=None
            Weights of the rows' clipped gradients, clipped to [0, 1].
        adjacency, source
            Adjacency of the data and source of random words.

        Returns
        -------
        Draw
            `value`: a list of arrays of shape (n_in, n_out).
        """
        check_adjacency(adjacency)
        # Stated for a contribution of norm 1: what two rows differ by is in the price.
        scale = rounded_up(self.calibrated_noise())
        grid = product_grid(scale)
        totals = [np.zeros(shape, dtype=np.int64) for shape in shapes]
        sample = poisson_sample(n_rows, self.sampling_rate, source)
        for start in range(0, sample.size, BLOCK_ROWS):
            rows = sample[start : start + BLOCK_ROWS]
            _add_gradients(totals, factors(rows), None if weights is None else weights[rows], grid)
        noisy = [
            (total + rounded_gaussian(total.shape, scale / grid**2, source)) * grid**2
            for total in totals
        ]
        return Draw(noisy, scale)


def _add_gradients(
    totals: list[np.ndarray], factors: Factors, weights: np.ndarray | None, grid: float
) -> None:
    """Add the clipped outer products of some rows to exact totals, in units of grid squared."""
    directions, scaled = [], []
    for inputs, derivatives in factors:
        norms = row_norms(inputs)[:, np.newaxis]
        with np.errstate(all="ignore"):
            directions.append(np.where(norms > 0, inputs / norms, 0.0))
            scaled.append(derivatives * norms)
    # Jointly over the layers: a row's whole gradient has norm at most 1.
    vector = np.concatenate(scaled, axis=1)
    if weights is not None:
        vector = _clipped(vector) * np.clip(np.nan_to_num(weights), 0.0, 1.0)[:, np.newaxis]
    entries = quantise_rows(vector, 1.0, grid=grid)
    start = 0
    for total, direction in zip(totals, directions, strict=True):
        stop = start + total.shape[1]
        # Integers up to 2^16: the products and their sum over a block are exact.
        unit = quantise_rows(direction, 1.0, grid=grid)
        np.add(total, (unit.T @ entries[:, start:stop]).astype(np.int64), out=total)
        start = stop


def _clipped(rows: np.ndarray) -> np.ndarray:
    """Return rows scaled down to norm 1 before they are weighted."""
    rows = np.nan_to_num(np.asarray(rows, dtype=np.float64), posinf=0.0, neginf=0.0)
    return np.asarray(rows / np.maximum(row_norms(rows), 1.0)[:, np.newaxis])


def poisson_sample(n_rows: int, rate: float, source: RandomSource) -> np.ndarray:
    """Return the indices of rows, each taken by its own coin with probability at most `rate`.

    The probability is `rate` rounded down to a multiple of 2^-32; a price for `rate` covers
    it, since sampling less often is a post-processing of the choice.
    """
    threshold = math.floor(Fraction(rate) * 2**32)
    coins = source.words((n_rows + 1) // 2).view(np.uint32)[:n_rows]
    return np.flatnonzero(coins.astype(np.uint64) < threshold)


def _mu(q: float, multiplier: float, n_steps: int, delta0: float, adjacency: Adjacency) -> float:
    return PrivacyLoss.subsampled_gaussian(q, multiplier, n_steps, delta0, adjacency).mu


@lru_cache(maxsize=256)
def _solve(q: float, n_steps: int, delta0: float, adjacency: Adjacency, mu: float) -> float:
    """Return a noise multiplier with a certified mu a little below `mu`."""
    target = math.log(mu * (1 - _UNUSED))

    def excess(log_multiplier: float) -> float:
        return math.log(_mu(q, math.exp(log_multiplier), n_steps, delta0, adjacency)) - target

    # Without sampling this much is enough; with it, for large noise, q times that almost is.
    high = math.log((1 if adjacency == "add-remove" else 2) * math.sqrt(n_steps) / mu)
    low = high + math.log(q)
    if excess(high) >= 0:
        return _nudged(q, n_steps, delta0, adjacency, mu, high)
    least = min(math.log(LEAST_NOISE), high)
    low = max(low, least)
    while excess(low) < 0:
        if low == least:
            return math.exp(least)
        high, low = low, max(low - 1.0, least)
    solved = float(brentq(excess, low, high, xtol=_UNUSED / 10, rtol=1e-12))
    return _nudged(q, n_steps, delta0, adjacency, mu, solved)


def _nudged(
    q: float, n_steps: int, delta0: float, adjacency: Adjacency, mu: float, log_multiplier: float
) -> float:
    """Return the multiplier, enlarged until its certified price is within `mu`."""
    multiplier = math.exp(log_multiplier)
    while _mu(q, multiplier, n_steps, delta0, adjacency) > mu:
        multiplier *= 1 + _UNUSED
    return multiplier
