"""The price of a release, and how prices add.

A `PrivacyLoss` says of a release: for neighbouring data sets with output laws P and Q,
in either order,

    P(S) <= e^x Q(S) + delta_mu(x) + delta    for every event S and every real x,

where delta_mu is the curve of mu-GDP; in words, the release is mu-GDP up to probability
delta. Where the release is also pure epsilon-DP that epsilon is carried along, else it is
infinite. The statement survives adaptive composition with mu = sqrt(sum mu_i^2) and
delta = sum delta_i: P is within delta of a P' that is mu-GDP against Q (Blackwell), and
the P' are coupled step by step. The proofs are in docs/theory/accounting.md.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest

from ._adjacency import Adjacency
from ._checks import check_number
from ._cover import gdp_cover
from ._gdp import gdp_delta, gdp_epsilon
from ._pairs import Curve
from ._pure import laplace_mu, pure_mu
from ._subsampling import subsampled_gaussian_loss


def _ratio(sensitivity: float, noise_scale: float) -> float:
    """Return sensitivity / noise_scale, where no noise at all gives infinity."""
    sensitivity = check_number("sensitivity", sensitivity, below_most=True)
    noise_scale = check_number("noise_scale", noise_scale)
    if sensitivity == 0:
        return 0.0
    return sensitivity / noise_scale if noise_scale > 0 else math.inf


@dataclass(frozen=True, slots=True)
class PrivacyLoss:
    """What a release costs: mu-GDP up to delta, and pure epsilon where it has one.

    Losses add with ``+`` or `compose`; ``<=`` and the other comparisons are the partial
    order in which every coordinate is compared.

    Parameters
    ----------
    mu : float
        Gaussian-DP parameter, in [0, inf].
    delta : float, default=0.0
        Probability outside the mu statement, in [0, 1].
    epsilon : float, default=inf
        Pure epsilon, in [0, inf]; infinite where `delta` > 0.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or a finite epsilon comes with a delta.

    Examples
    --------
    >>> from skprivacy.accounting import PrivacyLoss
    >>> total = PrivacyLoss.gaussian(1.0, 4.0) + PrivacyLoss.gaussian(1.0, 3.0)
    >>> round(total.mu, 12)
    0.416666666667
    >>> round(total.to_epsilon(1e-6), 6)
    1.846083
    """

    mu: float
    delta: float = 0.0
    epsilon: float = math.inf

    def __post_init__(self) -> None:
        check_number("mu", self.mu)
        check_number("delta", self.delta, 1)
        check_number("epsilon", self.epsilon)
        if self.delta > 0 and self.epsilon < math.inf:
            raise ValueError(
                "A loss with a delta has no pure epsilon: leave epsilon infinite, or make the "
                f"loss by PrivacyLoss.approximate. Got delta={self.delta}, epsilon={self.epsilon}."
            )

    @classmethod
    def zero(cls) -> "PrivacyLoss":
        """Return the loss of releasing nothing."""
        return cls(0.0, 0.0, 0.0)

    @classmethod
    def none(cls) -> "PrivacyLoss":
        """Return the infinite loss of a release without any guarantee."""
        return cls(math.inf)

    @classmethod
    def gaussian(cls, sensitivity: float, noise_scale: float) -> "PrivacyLoss":
        """Return the loss of Gaussian noise: mu = sensitivity / noise_scale, exactly.

        Parameters
        ----------
        sensitivity : float
            L2 sensitivity, under the adjacency the loss is meant for.
        noise_scale : float
            Standard deviation of the noise in every coordinate.
        """
        mu = _ratio(sensitivity, noise_scale)
        return cls.zero() if mu == 0 else cls(mu)

    @classmethod
    def laplace(cls, sensitivity: float, noise_scale: float) -> "PrivacyLoss":
        """Return the loss of Laplace noise: `laplace_mu`, and pure sensitivity / noise_scale.

        Parameters
        ----------
        sensitivity : float
            L1 sensitivity, under the adjacency the loss is meant for.
        noise_scale : float
            Scale b of the noise, whose density is proportional to ``exp(-|x| / b)``.
        """
        ratio = _ratio(sensitivity, noise_scale)
        return cls(laplace_mu(ratio), 0.0, ratio)

    @classmethod
    def pure(cls, epsilon: float) -> "PrivacyLoss":
        """Return the loss of any epsilon-DP release: `pure_mu`, and epsilon itself.

        Parameters
        ----------
        epsilon : float
            In [0, inf].
        """
        return cls(pure_mu(epsilon), 0.0, epsilon)

    @classmethod
    def approximate(cls, epsilon: float, delta: float) -> "PrivacyLoss":
        """Return the loss of an (epsilon, delta)-DP release of unknown form.

        It is that of pure epsilon, plus delta (Murtagh and Vadhan 2016).

        Parameters
        ----------
        epsilon : float
            In [0, inf].
        delta : float
            In [0, 1].
        """
        return cls(pure_mu(epsilon), delta) if delta != 0 else cls.pure(epsilon)

    @classmethod
    def subsampled_gaussian(
        cls,
        sampling_rate: float,
        noise_multiplier: float,
        n_steps: int,
        delta0: float,
        adjacency: Adjacency = "add-remove",
    ) -> "PrivacyLoss":
        """Return the loss of Gaussian noise on Poisson samples.

        All steps are priced together, by `from_curve` on their numerical composition.

        Parameters
        ----------
        sampling_rate : float
            Probability of each row to take part in a step, independently, in [0, 1].
        noise_multiplier : float
            Noise scale over the largest L2 norm of what one row adds to a step's sum.
        n_steps : int
        delta0 : float
            In (0, 1); a small part of the budget's delta, such as a hundredth. It is
            charged as the loss's delta, unless mu without it is no larger.
        adjacency : {"add-remove", "replace-one"}, default="add-remove"
        """
        return cls(
            *subsampled_gaussian_loss(sampling_rate, noise_multiplier, n_steps, delta0, adjacency)
        )

    @classmethod
    def from_curve(cls, curve: Curve, delta0: float) -> "PrivacyLoss":
        """Return the loss of a release known by a bound h on its curve.

        mu is the least with h(epsilon) <= delta_mu(epsilon) + delta0 at every epsilon >= 0,
        as `gdp_cover` finds it, and delta0 is the loss's delta.

        Parameters
        ----------
        curve : callable
            For an array of epsilon >= 0, an array of upper bounds on delta(epsilon), valid
            for neighbours in both orders. Nonincreasing.
        delta0 : float
            In [0, 1); above the probability of an infinite loss.
        """
        return cls(gdp_cover(curve, delta0), delta0)

    @classmethod
    def compose(cls, losses: Iterable["PrivacyLoss"]) -> "PrivacyLoss":
        """Return the loss of several releases on the same rows, chosen adaptively or not.

        mu is the root of the sum of squares; delta and epsilon are sums. No release at
        all costs nothing.

        Parameters
        ----------
        losses : iterable of PrivacyLoss
        """
        terms = tuple(losses)
        # Where a term has a delta its epsilon is infinite, and so is the sum.
        return cls(
            math.hypot(*(loss.mu for loss in terms)),
            min(math.fsum(loss.delta for loss in terms), 1.0),
            math.fsum(loss.epsilon for loss in terms),
        )

    @classmethod
    def parallel(cls, losses: Iterable["PrivacyLoss"], *, parts_touched: int = 1) -> "PrivacyLoss":
        """Return the loss of releases on disjoint parts of the rows.

        Valid if each record's part is drawn by its own secret coin or, under add-remove
        adjacency, decided by its own content. A part assigned by row index or by a public
        seed voids it under add-remove: one inserted row moves the others.

        Parameters
        ----------
        losses : iterable of PrivacyLoss
            The loss on each part.
        parts_touched : int, default=1
            How many parts a change of one record can reach. With 1 the result is the
            maximum of every coordinate. Under replace-one adjacency a part decided by
            the record's content makes it 2: the record leaves one part and joins another,
            and the two largest add-remove losses are composed.

        Raises
        ------
        ValueError
            If `parts_touched` is less than 1.
        """
        if parts_touched < 1:
            raise ValueError(f"parts_touched must be at least 1. Got {parts_touched} instead.")
        terms = tuple(losses)
        return cls.compose(
            map(
                cls,
                nlargest(parts_touched, (loss.mu for loss in terms)),
                nlargest(parts_touched, (loss.delta for loss in terms)),
                nlargest(parts_touched, (loss.epsilon for loss in terms)),
            )
        )

    def to_epsilon(self, delta: float) -> float:
        """Return the epsilon of this loss at a total delta.

        Parameters
        ----------
        delta : float
            In [0, 1].

        Returns
        -------
        float
            The smaller of the pure epsilon and of the epsilon that mu has at what is left
            of `delta` beside the loss's own; infinite where nothing is left.

        Raises
        ------
        ValueError
            If `delta` is out of its range.
        """
        rest = check_number("delta", delta, 1) - self.delta
        return min(self.epsilon, gdp_epsilon(self.mu, rest)) if rest >= 0 else math.inf

    def to_delta(self, epsilon: float) -> float:
        """Return the total delta of this loss at an epsilon.

        Parameters
        ----------
        epsilon : float
            In [0, inf].

        Returns
        -------
        float
            0 where the pure epsilon is not above `epsilon`, else that of mu plus the
            loss's own delta, at most 1.

        Raises
        ------
        ValueError
            If `epsilon` is negative or NaN.
        """
        check_number("epsilon", epsilon)
        if self.epsilon <= epsilon < math.inf:
            return 0.0
        return min(gdp_delta(self.mu, epsilon) + self.delta, 1.0)

    def __add__(self, other: "PrivacyLoss") -> "PrivacyLoss":
        if not isinstance(other, PrivacyLoss):
            return NotImplemented
        return PrivacyLoss.compose((self, other))

    def __le__(self, other: "PrivacyLoss") -> bool:
        if not isinstance(other, PrivacyLoss):
            return NotImplemented
        return self.mu <= other.mu and self.delta <= other.delta and self.epsilon <= other.epsilon

    def __lt__(self, other: "PrivacyLoss") -> bool:
        if not isinstance(other, PrivacyLoss):
            return NotImplemented
        return self != other and self <= other

    def __ge__(self, other: "PrivacyLoss") -> bool:
        if not isinstance(other, PrivacyLoss):
            return NotImplemented
        return other <= self

    def __gt__(self, other: "PrivacyLoss") -> bool:
        if not isinstance(other, PrivacyLoss):
            return NotImplemented
        return other < self
