"""Receipts: what a fit released and what it cost, for the fitted estimator to carry.

A receipt is the plan as it was run. It is plain data: no accountant, no path, no rows.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Self

import numpy as np

from ..accounting import PrivacyLoss
from ..plan import Plan
from ._events import plain

NOT_PRIVATE = "reproducible noise: not private"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a fit released and what it cost.

    Parameters
    ----------
    source : str
        Name of the estimator.
    epsilon, delta : float
        The guarantee in its usual form: epsilon at this delta.
    mu : float
        The same in Gaussian differential privacy.
    loss : PrivacyLoss
        The price that was charged.
    adjacency : {"add-remove", "replace-one"}
        What neighbouring data sets are.
    mechanisms : tuple of dict
        Every release: name, noise, sensitivity, noise multiplier, price.
    noise_scales : dict
        Scale of the noise in units of the released statistic, by name of the release.
    assumptions : tuple of str
        What was taken as public.
    reproducible : bool
        Whether the noise came from a fixed seed, so that it protects nobody.
    entry_uid : str or None
        The entry of the ledger that paid, if there was one.
    """

    source: str
    epsilon: float
    delta: float
    mu: float
    loss: PrivacyLoss
    adjacency: str
    mechanisms: tuple[dict[str, Any], ...]
    noise_scales: dict[str, Any] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    reproducible: bool = False
    entry_uid: str | None = None

    @classmethod
    def from_plan(
        cls,
        plan: Plan,
        *,
        delta: float,
        entry_uid: str | None = None,
        noise_scales: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return the receipt of a plan that was run.

        Parameters
        ----------
        plan : Plan
            The plan that was charged.
        delta : float
            The delta at which `epsilon` is stated.
        entry_uid : str, default=None
            Entry of the ledger that paid.
        noise_scales : mapping of str to float or array, default=None
            Physical noise scales, by name of the release.
        """
        loss = plan.loss
        return cls(
            source=plan.source,
            epsilon=loss.to_epsilon(delta),
            delta=float(delta),
            mu=loss.mu,
            loss=loss,
            adjacency=plan.adjacency,
            mechanisms=tuple(m.describe(plan.adjacency) for m in plan.mechanisms),
            noise_scales={
                name: np.asarray(scale, dtype=float).tolist()
                for name, scale in (noise_scales or {}).items()
            },
            assumptions=tuple(plan.assumptions),
            reproducible=plan.reproducible,
            entry_uid=entry_uid,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the receipt as a dict."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the receipt as JSON; infinite numbers are the string "inf"."""
        return json.dumps(plain(self.to_dict()), indent=2)

    def _lines(self) -> list[tuple[str, str]]:
        """Return what a reader sees, as label and text."""
        if self.epsilon < math.inf:
            guarantee = f"epsilon = {self.epsilon:.6g}"
            if self.delta > 0:
                guarantee += f" at delta = {self.delta:.6g} (mu = {self.mu:.6g})"
        else:
            guarantee = "none (epsilon is infinite)"
        lines = [("Guarantee", f"{guarantee}, {self.adjacency} adjacency")]
        if self.reproducible:
            lines.append(("Warning", NOT_PRIVATE))
        for mechanism in self.mechanisms:
            multiplier = mechanism.get("noise_multiplier")
            text = f"{mechanism['noise']} noise"
            if multiplier is not None:
                text += f", multiplier {multiplier:.6g}"
            text += f", sensitivity {mechanism['sensitivity']}, mu = {mechanism['mu']:.6g}"
            lines.append((f"Release {mechanism['name']}", text))
        lines.extend(("Assumption", assumption) for assumption in self.assumptions)
        lines.append(("Ledger entry", self.entry_uid or "none (no accountant)"))
        return lines

    def __str__(self) -> str:
        head = f"Privacy receipt of {self.source}"
        return "\n".join([head, *(f"  {label}: {text}" for label, text in self._lines())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(label)}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for label, text in self._lines()
        )
        return f"<table><caption>Privacy receipt of {escape(self.source)}</caption>{rows}</table>"
