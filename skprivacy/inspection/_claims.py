"""What a claim of privacy allows an attacker, and the claim that a fitted model makes.

An attacker who tells members from non-members is a test between two neighbouring data
sets. Under (epsilon, delta) differential privacy, a test that is wrong about non-members
with probability a (its false positive rate) finds members with probability at most

    min(e^epsilon a + delta, 1 - e^-epsilon (1 - delta - a)),

and under mu-Gaussian differential privacy up to delta at most
Phi(Phi^-1(a) + mu) + delta (Kairouz, Oh and Viswanath 2015; Dong, Roth and Su 2022).
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from sklearn.base import clone

from ..accounting import Adjacency, PrivacyLoss
from ..exceptions import PrivacyWarning
from ..ledger import PrivacyAccountant


@dataclass(frozen=True)
class Claim:
    """A claimed price of a model.

    Parameters
    ----------
    epsilon, delta : float
        The claim in its usual form.
    mu : float
        The same in Gaussian differential privacy, up to `mu_delta`; infinite if not known.
    mu_delta : float
        Probability outside the Gaussian part.
    adjacency : str
        What neighbouring data sets are.
    """

    epsilon: float
    delta: float = 0.0
    mu: float = math.inf
    mu_delta: float = 0.0
    adjacency: str = "add-remove"

    @classmethod
    def from_loss(cls, loss: PrivacyLoss, *, delta: float, adjacency: str) -> Self:
        """Return the claim that a price makes.

        Parameters
        ----------
        loss : PrivacyLoss
            The price.
        delta : float
            Where its epsilon is read.
        adjacency : str
            What neighbouring data sets are.
        """
        return cls(loss.to_epsilon(delta), delta, loss.mu, loss.delta, adjacency)

    def largest_tpr(self, fpr: ArrayLike) -> NDArray[np.float64]:
        """Return the largest true positive rate that the claim allows.

        Parameters
        ----------
        fpr : array-like
            False positive rates.

        Returns
        -------
        ndarray
            Of the shape of `fpr`.
        """
        fpr = np.asarray(fpr, dtype=float)
        largest = np.ones_like(fpr)
        if self.epsilon < math.inf:
            # e^epsilon overflows long before either line is of use.
            factor = math.exp(min(self.epsilon, 700.0))
            largest = np.minimum(factor * fpr + self.delta, 1 - (1 - self.delta - fpr) / factor)
        if self.mu < math.inf:
            largest = np.minimum(largest, ndtr(ndtri(fpr) + self.mu) + self.mu_delta)
        return np.clip(largest, 0.0, 1.0)

    def __str__(self) -> str:
        return f"epsilon = {self.epsilon:.6g} at delta = {self.delta:.6g}, {self.adjacency}"


def claim_of(
    model: Any, *, n_features: int | None, n_rows: int | None, classes: Any
) -> tuple[Claim | None, str | None]:
    """Return what a fitted model claims, and a note where that is less than it seems.

    Its own receipt if it has one; otherwise the composed price of the private steps inside
    it, unless a step reads rows without a charge: then the whole has no epsilon.
    """
    receipt = getattr(model, "privacy_", None)
    if receipt is not None:
        loss = receipt.loss
        return _finite(
            Claim.from_loss(loss, delta=receipt.delta, adjacency=receipt.adjacency)
        ), _reproducible(receipt)
    private = [value for value in _nested(model) if hasattr(value, "plan")]
    if not private:
        return None, None
    accountants = [value.accountant for value in private if value.accountant is not None]
    adjacency: Adjacency = accountants[0].adjacency if accountants else "add-remove"
    delta = max(float(value.delta) for value in private)
    pricing = PrivacyAccountant(delta=delta, adjacency=adjacency)
    try:
        with warnings.catch_warnings():
            # What is not covered is in the preview, and said below.
            warnings.simplefilter("ignore", PrivacyWarning)
            preview = pricing.preview(
                pricing.bind(clone(model)),
                n_features=n_features,
                n_rows=n_rows if adjacency == "replace-one" else None,
                classes=None if classes is None else list(classes),
            )
    except (TypeError, ValueError) as error:
        return None, f"The model's private steps could not be priced as a whole: {error}"
    if preview.not_covered:
        return None, (
            "No epsilon is claimed for the model as a whole: "
            + "; ".join(preview.not_covered)
            + "."
        )
    return _finite(Claim.from_loss(preview.total, delta=delta, adjacency=adjacency)), None


def _nested(model: Any) -> list[Any]:
    if not hasattr(model, "get_params"):
        return []
    values = model.get_params(deep=True).values()
    return [value for value in values if hasattr(value, "get_params") and hasattr(value, "fit")]


def _finite(claim: Claim) -> Claim | None:
    return claim if claim.epsilon < math.inf or claim.mu < math.inf else None


def _reproducible(receipt: Any) -> str | None:
    if not receipt.reproducible:
        return None
    return "The noise of this fit can be reproduced from its random_state: it protects nobody."
