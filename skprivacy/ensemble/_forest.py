"""What the private forests share: questions, leaf counts, and how far to trust them.

The rows meet the trees twice. All leaves of all trees are counted in one release, in which a
row is in one leaf of each tree. And one of a few factors for the mean of the trees is chosen
by permute-and-flip: trees with random questions say too little, each by itself and on
average, and the factor makes up for it. The theory is in ``docs/theory/extra_trees.md``.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn import Interval
from ..base import SCALE, DPEstimator, Release
from ..bounding import box_assumptions, box_share, find_range, range_mechanisms
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianHistogram, Mechanism, PermuteAndFlip, row_blocks
from ..plan import Facts, column_bounds
from ._trees import N_CUTS, Trees, cut_cells, noisy_quantiles

CUTS = "where the numbers are"
LEAVES = "counts of the leaves"
FACTOR = "factor of the trees' mean"
CUTS_SHARE, FACTOR_SHARE = 0.07, 0.03

FACTORS = 2.0 ** np.arange(0.5, 4.5, 0.5)

LEAST_DEPTH, MOST_DEPTH = 3, 8
ROWS_PER_NOISE = 0.7
"""Each count of a leaf should have so many times as many rows as its noise is large."""


class PrivateForest(DPEstimator):
    """Randomly drawn oblivious trees with noisy leaves."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, 16, closed="both"), None],
        "bounds": ["array-like", tuple, None],
        "categorical_features": ["array-like", None],
        "max_weight": [SCALE],
    }
    _trees: Trees
    _tables: np.ndarray

    def __init__(
        self,
        n_estimators: int = 64,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        max_depth: int | None = None,
        bounds: Any = None,
        categorical_features: Any = None,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.bounds = bounds
        self.categorical_features = categorical_features
        self.max_weight = max_weight

    @abstractmethod
    def _leaf_mechanism(self, share: float) -> Mechanism:
        """Return the mechanism of the leaves."""

    def _needs_range(self, facts: Facts) -> bool:
        return self.bounds is None and facts.bounds is None

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        box = range_mechanisms(box_share(facts.n_features)) if self._needs_range(facts) else []
        own = 1 - math.fsum(mechanism.share for mechanism in box)
        return [
            *box,
            GaussianHistogram(name=CUTS, share=own * CUTS_SHARE),
            self._leaf_mechanism(own * (1 - CUTS_SHARE - FACTOR_SHARE)),
            PermuteAndFlip(name=FACTOR, share=own * FACTOR_SHARE),
        ]

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = [*super()._assumptions(facts), *box_assumptions(self.bounds, facts)]
        if self.categorical_features is not None:
            assumptions.append("Which columns are categories was declared by the user.")
        return assumptions

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
        self._categorical(X.shape[1])
        return X, y, sample_weight

    def _categorical(self, n_features: int) -> np.ndarray:
        """Return which columns are categories."""
        mask = np.zeros(n_features, dtype=bool)
        declared = [] if self.categorical_features is None else self.categorical_features
        declared = np.asarray(declared)
        if declared.size == 0:
            return mask
        names = getattr(self, "feature_names_in_", None)
        if declared.dtype.kind in "OU" and names is not None and np.isin(declared, names).all():
            return np.isin(names, declared)
        if declared.dtype == bool and declared.shape == (n_features,):
            return declared
        in_range = declared.dtype.kind in "iu" and declared.min() >= 0
        if not (in_range and declared.max() < n_features):
            raise ValueError(
                f"The 'categorical_features' parameter of {type(self).__name__} must name "
                f"columns, give their indices below {n_features}, or mark each of them by a "
                f"bool. Got {self.categorical_features!r} instead."
            )
        mask[declared] = True
        return mask

    def _find_bounds(
        self, X: np.ndarray, y: np.ndarray, categorical: np.ndarray, release: Release
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of all columns; those of categories mean nothing."""
        declared = column_bounds(self.bounds, X.shape[1], type(self).__name__)
        known = release.facts.bounds if declared is None else declared
        if known is not None:
            return known
        low, high = np.full((2, X.shape[1]), np.nan)
        numeric = ~categorical
        if numeric.any():
            low[numeric], high[numeric], _ = find_range(X[:, numeric], release)
        return low, high

    def _grow(
        self,
        X: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        categorical: np.ndarray,
        weights: np.ndarray | None,
        release: Release,
    ) -> None:
        """Draw the questions, by where the numbers are."""
        numeric = ~categorical
        low, high = low[numeric], high[numeric]

        def cells() -> Iterator[np.ndarray]:
            for block in row_blocks(X):
                # The last column, all in one cell, counts the rows.
                one = np.zeros((len(block), 1), dtype=np.int64)
                yield np.hstack([cut_cells(block[:, numeric], low, high), one])

        counts = release.sum(CUTS, cells, n_cells=N_CUTS, weights=weights)
        noise = release.noise_scales[CUTS]
        quantiles = noisy_quantiles(counts[:-1], noise, low, high)
        depth = self.max_depth
        if depth is None:
            depth = self._suitable_depth(max(float(counts[-1, 0]), 1.0), release)
        self._trees = Trees.random(self.n_estimators, depth, quantiles, categorical, self._lots())

    def _suitable_depth(self, n_rows: float, release: Release) -> int:
        """Return a depth at which the leaves of so many rows are seen above their noise."""
        noise = release.mechanism(LEAVES).calibrated_noise() * math.sqrt(self.n_estimators)
        n_counts = 2 if release.facts.classes is None else len(release.facts.classes)
        leaves = n_rows / (ROWS_PER_NOISE * n_counts * noise)
        return int(np.clip(math.log2(max(leaves, 1.0)), LEAST_DEPTH, MOST_DEPTH))

    def _lots(self) -> np.random.Generator:
        """Return a generator for the questions, which need not be secret."""
        if isinstance(self.random_state, np.random.RandomState):
            return np.random.default_rng(self.random_state.randint(2**31))
        return np.random.default_rng(self.random_state)

    def _means(self, block: np.ndarray) -> np.ndarray:
        """Return the mean of the trees' leaf values for each row of a block.

        Summed in one order by elementwise additions: a function of each row alone.
        """
        leaves = self._trees.leaves(block)
        total = np.zeros((block.shape[0], *self._tables.shape[2:]))
        for tree, table in enumerate(self._tables):
            total += table[leaves[:, tree]]
        return total / len(self._tables)

    def _choose_factor(
        self,
        X: np.ndarray,
        weights: np.ndarray | None,
        release: Release,
        factors: np.ndarray,
        row_scores: Callable[[int, np.ndarray], np.ndarray],
    ) -> float:
        """Release which of the factors serves best, by `row_scores(start, means)` in [0, 1]."""

        def blocks() -> Iterator[np.ndarray]:
            start = 0
            for block in row_blocks(X):
                scores = row_scores(start, self._means(block))
                if weights is not None:
                    scores *= np.clip(weights[start : start + len(block), np.newaxis], 0.0, 1.0)
                start += len(block)
                yield scores

        return float(factors[release.select(FACTOR, blocks)])

    def _all_means(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return np.concatenate([self._means(block) for block in row_blocks(X)])
