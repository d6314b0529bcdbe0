"""From a budget to noise: how mechanisms share it."""

import math
from collections.abc import Sequence

from ..accounting import Adjacency, gdp_mu
from ..mechanisms import Mechanism

SAFETY = 1e-9
"""Part of mu squared that calibration leaves unused, so that exact splits never trip."""


DELTA0_PART = 0.01
"""Part of its delta that a budget sets aside for releases with a delta of their own."""


def calibrate(
    mechanisms: Sequence[Mechanism], epsilon: float, delta: float, adjacency: Adjacency
) -> tuple[Mechanism, ...]:
    """Split a budget over mechanisms by their shares and solve each one's noise.

    Parameters
    ----------
    mechanisms : sequence of Mechanism
        Uncalibrated, with shares.
    epsilon, delta : float
        The budget. With ``delta=0`` epsilon is split; else mu squared of the budget is,
        mu being the Gaussian differential privacy that (epsilon, delta) amounts to. Where
        mechanisms need a delta of their own they share a hundredth of delta, and mu is
        that of (epsilon, .99 delta).
    adjacency : {"add-remove", "replace-one"}

    Returns
    -------
    tuple of Mechanism
        The calibrated mechanisms.
    """
    whole = math.fsum(mechanism.share for mechanism in mechanisms)
    parts = [mechanism.share / whole * (1 - SAFETY) for mechanism in mechanisms]
    if delta == 0:
        return tuple(
            mechanism.calibrate(adjacency, epsilon=epsilon * part)
            for mechanism, part in zip(mechanisms, parts, strict=True)
        )
    n_needs = sum(mechanism.needs_delta0 for mechanism in mechanisms)
    if n_needs == 0:
        mu = gdp_mu(epsilon, delta)
        return tuple(
            mechanism.calibrate(adjacency, mu=mu * math.sqrt(part))
            for mechanism, part in zip(mechanisms, parts, strict=True)
        )
    mu = gdp_mu(epsilon, (1 - DELTA0_PART) * delta)
    delta0 = {"delta0": DELTA0_PART * delta / n_needs}
    return tuple(
        mechanism.calibrate(
            adjacency, mu=mu * math.sqrt(part), **(delta0 if mechanism.needs_delta0 else {})
        )
        for mechanism, part in zip(mechanisms, parts, strict=True)
    )
