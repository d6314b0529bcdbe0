"""Export of prices to Google's dp-accounting, for a second opinion.

A mu-GDP release is told apart from its neighbour no more easily than two unit Gaussians
mu apart, which is dp-accounting's Gaussian event with noise multiplier 1 / mu; a release
with Laplace noise is its Laplace event. Both already contain the ledger's adjacency in
their size, so account for them under ``NeighboringRelation.ADD_OR_REMOVE_ONE``.

dp-accounting has no event for a probability outside a statement: `delta` is returned
beside the event, to be subtracted from the target delta.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..accounting import PrivacyLoss
from ..plan import Plan


def to_dp_accounting(source: Any) -> tuple[Any, float]:
    """Return the dp-accounting event of a loss, a plan, or entries of a ledger.

    Parameters
    ----------
    source : PrivacyLoss, Plan, Entry, or iterable of these
        What to export; the entries of a ledger are ``accountant.entries``.

    Returns
    -------
    event : dp_accounting.DpEvent
        For an accountant of dp-accounting with ``ADD_OR_REMOVE_ONE``.
    delta : float
        Probability outside the event: ask that accountant for the epsilon at the target
        delta minus this.

    Raises
    ------
    ImportError
        If dp-accounting is not installed.

    Examples
    --------
    >>> from skprivacy import PrivacyLoss
    >>> from skprivacy.interop import to_dp_accounting
    >>> event, delta = to_dp_accounting(PrivacyLoss.gaussian(1.0, 2.0))
    >>> event
    GaussianDpEvent(noise_multiplier=2.0)
    >>> delta
    0.0
    """
    try:
        import dp_accounting
    except ImportError as error:
        raise ImportError(
            "Export needs dp-accounting. Install it with pip install dp-accounting."
        ) from error
    prices = list(_prices(source))
    events = [_event(dp_accounting, price) for price in prices]
    delta = math.fsum(price["delta"] for price in prices)
    if len(events) == 1:
        return events[0], delta
    return dp_accounting.ComposedDpEvent(events), delta


def _prices(source: Any) -> Iterable[Mapping[str, Any]]:
    """Yield plain descriptions with mu, delta, epsilon and, where known, noise."""
    if isinstance(source, PrivacyLoss):
        yield {"mu": source.mu, "delta": source.delta, "epsilon": source.epsilon}
    elif isinstance(source, Plan):
        yield from source.to_dict()["mechanisms"]
    elif isinstance(getattr(source, "loss", None), PrivacyLoss):
        yield from source.mechanisms or _prices(source.loss)
    else:
        for item in source:
            yield from _prices(item)


def _event(dp_accounting: Any, price: Mapping[str, Any]) -> Any:
    if math.isinf(price["mu"]):
        return dp_accounting.NonPrivateDpEvent()
    if price["mu"] == 0:
        return dp_accounting.NoOpDpEvent()
    if price.get("noise") == "laplace":
        return dp_accounting.LaplaceDpEvent(1.0 / price["epsilon"])
    return dp_accounting.GaussianDpEvent(1.0 / price["mu"])
