"""What the classifier and the regressor share: tables in, cells, rounds, explanations out."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, cast

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._sklearn import Interval, StrOptions
from ..base import SCALE, DPEstimator, Release
from ..bounding import RANGE_SHARE, find_range, range_mechanisms
from ..ledger import PrivacyAccountant
from ..mechanisms import (
    GaussianCellCounts,
    GaussianHistogram,
    GaussianRounds,
    Mechanism,
    row_blocks,
)
from ..plan import Facts, column_bounds
from ._bins import Bins, category_bins, merge_cells, pack_columns
from ._codes import FineCells
from ._explain import ShapeFunction, importances, shape_functions
from ._losses import Loss
from ._model import freeze
from ._solver import MOST_JOINT_CELLS, AdditiveSolver, Fitted
from ._table import (
    Schema,
    column_mapping,
    encode,
    encoded_by,
    is_plain,
    make_schema,
    plain_schema,
    read_table,
    schema_of,
)

COUNTS = "counts of rows"
CELLS = "cells of the columns"
ROUNDS = "rounds of gradients"

COUNTS_SHARE, CELLS_SHARE, ROUNDS_SHARE = 0.01, 0.08, 0.91

CATEGORICAL_PART = 0.1
"""Part of the budget for counts that a categorical column gets, where a numeric one gets 1."""

LEAST_ROWS = 10.0
"""What a released number of rows is raised to."""

MUCH, VERY_MUCH = 1e3, 3e4
"""Rows per unit of noise from which pairs are worth their noise, and finer bins are."""

N_ROUNDS = 50
FEW_BINS, MANY_BINS = 64, 128
MOST_INTERACTIONS = 120
"""Most pairs that can be asked for: memory is set aside for them before the first round."""

MOST_PAIRS = 15


class AdditiveModel(DPEstimator):
    """A private additive model of binned columns and of pairs of them."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "bounds": ["array-like", tuple, dict, None],
        "categories": [dict, None],
        "interactions": [
            Interval(Integral, 0, MOST_INTERACTIONS, closed="both"),
            StrOptions({"auto"}),
        ],
        "max_weight": [SCALE],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        bounds: Any = None,
        categories: Any = None,
        interactions: Any = "auto",
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.bounds = bounds
        self.categories = categories
        self.interactions = interactions
        self.max_weight = max_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _missing_is_allowed(self) -> bool:
        return True

    # What is released

    def _knows_ranges(self, facts: Facts) -> bool:
        """Whether the bounds of the columns are public."""
        return self.bounds is not None or facts.bounds is not None

    def _knows_all_ranges(self, facts: Facts) -> bool:
        return self._knows_ranges(facts)

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        ranges = [] if self._knows_all_ranges(facts) else range_mechanisms(RANGE_SHARE)
        own = 1 - math.fsum(mechanism.share for mechanism in ranges)
        return [
            *ranges,
            GaussianHistogram(name=COUNTS, share=own * COUNTS_SHARE),
            GaussianCellCounts(name=CELLS, share=own * CELLS_SHARE),
            GaussianRounds(name=ROUNDS, share=own * ROUNDS_SHARE),
        ]

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = super()._assumptions(facts)
        if self.bounds is not None:
            assumptions.append("The bounds of the columns were declared by the user.")
        elif facts.bounds is not None:
            assumptions.append("The bounds of the columns were released by the previous step.")
        if self.categories:
            assumptions.append("The values of categorical columns were declared by the user.")
        assumptions.append(
            "Which columns hold numbers, truth values or text, and the values of columns whose "
            "categories are not declared, were taken from the rows; they are assumed to be public."
        )
        return assumptions

    # Rows in

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        table = read_table(X) if hasattr(X, "columns") else X
        if is_plain(table, self.categories):
            X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
            schema = plain_schema(X.shape[1], getattr(self, "feature_names_in_", None))
        else:
            validate_data(self, X, reset=reset, skip_check_array=True)
            table = read_table(X)
            schema = make_schema(table, self.categories, type(self).__name__)
            encoded = encode(table, schema)
            check_array(encoded, ensure_all_finite="allow-nan")
            # Names and number of the columns are those of X; what is checked is their values.
            seen = {
                name: getattr(self, name, None) for name in ("n_features_in_", "feature_names_in_")
            }
            X, y, sample_weight = super()._check_data(encoded, y, sample_weight, reset=True)
            for key, value in seen.items():
                if value is not None:
                    setattr(self, key, value)
        if self.bounds is not None:
            self._declared_bounds(schema)
        return encoded_by(X, schema), y, sample_weight

    def _check_bounds(self, n_features: int) -> None:
        """Do nothing: bounds may be a dict, and `_check_data` knows which columns have any."""

    def _declared_bounds(self, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
        """Return `bounds` as two arrays; [0, 1] for categorical columns."""
        name, n_columns = type(self).__name__, len(schema.names)
        numeric = schema.numeric
        if not numeric.any() and len(self.categories or {}) < n_columns:
            # Numbers in an array of text would else be taken for categories, one by one.
            raise ValueError(
                f"The 'bounds' parameter of {name} is given, but all columns have text. Pass "
                "numbers as numbers, in a data frame or a list of rows, or leave out the bounds."
            )
        if not isinstance(self.bounds, dict):
            try:
                low, high = (np.asarray(bound, dtype=np.float64) for bound in self.bounds)
                low, high = (np.broadcast_to(bound, (n_columns,)) for bound in (low, high))
            except (TypeError, ValueError):
                column_bounds(self.bounds, n_columns, name)  # says what is wrong
                raise
            pairs = np.array([np.where(numeric, low, 0.0), np.where(numeric, high, 1.0)])
        else:
            given = column_mapping(self.bounds, schema.names, "bounds", name)
            text = [schema.names[j] for j in np.flatnonzero(~numeric) if j in given]
            if text:
                raise ValueError(
                    f"The 'bounds' parameter of {name} has bounds for {text}, which have "
                    "categories and no numbers. Pass numbers as numbers, or leave out these bounds."
                )
            lacking = [schema.names[j] for j in np.flatnonzero(numeric) if j not in given]
            if lacking:
                raise ValueError(
                    f"The 'bounds' parameter of {name} has no bounds for the numeric columns "
                    f"{lacking}. Declare them, or use bounds=None to find all of them privately."
                )
            pairs = np.array(
                [given[j] if numeric[j] else (0.0, 1.0) for j in range(n_columns)], dtype=float
            ).T
        bounds = column_bounds(pairs, n_columns, name)
        return cast(tuple[np.ndarray, np.ndarray], bounds)

    def _encoded(self, X: Any) -> np.ndarray:
        """Return the table of a prediction, by the schema of `fit`."""
        check_is_fitted(self)
        schema = self._schema
        if schema.numeric.all():
            return np.asarray(
                validate_data(
                    self,
                    X,
                    reset=False,
                    dtype=[np.float64, np.float32],
                    ensure_all_finite="allow-nan",
                )
            )
        validate_data(self, X, reset=False, skip_check_array=True)
        return np.asarray(check_array(encode(X, schema), ensure_all_finite="allow-nan"))

    # The fit

    def _fit_additive(
        self,
        X: np.ndarray,
        loss: Loss,
        n_rows: float,
        bounds: tuple[np.ndarray, np.ndarray],
        release: Release,
    ) -> None:
        """Release the bins and run the rounds."""
        schema, (low, high) = schema_of(X), bounds
        X = np.asarray(X)
        rounds = cast(GaussianRounds, release.mechanism(ROUNDS))
        strength = n_rows / rounds.round_scale(1, release.adjacency)
        n_bins = FEW_BINS if strength < VERY_MUCH else MANY_BINS
        most_pairs = self.interactions
        if most_pairs == "auto":
            most_pairs = MOST_PAIRS if strength > MUCH else 0
        fine = FineCells(X, (low, high), schema.categories)
        bins = self._release_bins(fine, n_rows, n_bins, release, loss.weights)
        packs = pack_columns([one.n_bins for one in bins], MOST_JOINT_CELLS)
        cells = fine.joint(bins, packs)
        solver = AdditiveSolver(
            cells, packs, bins, loss, n_rows, int(most_pairs), n_rows / strength
        )
        fitted: Fitted = release.solve(ROUNDS, solver, n_rounds=N_ROUNDS)
        self._schema = schema
        capacity = MOST_PAIRS if self.interactions == "auto" else int(self.interactions)
        self._model = freeze(fitted, bins, MANY_BINS, capacity)
        self.bounds_ = np.where(schema.numeric, low, np.nan), np.where(schema.numeric, high, np.nan)
        self.categories_ = list(schema.categories)
        self.n_pairs_ = self._model.pairs.n_used

    def _ranges(
        self, X: np.ndarray, release: Release, *more: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return bounds of the columns, and of `more` columns, which are always found."""
        schema = schema_of(X)
        n_columns, numeric = X.shape[1], schema.numeric
        low, high = np.zeros(n_columns + len(more)), np.ones(n_columns + len(more))
        if self.bounds is not None:
            low[:n_columns], high[:n_columns] = self._declared_bounds(schema)
        elif release.facts.bounds is not None:
            least, greatest = release.facts.bounds
            low[:n_columns], high[:n_columns] = (
                least,
                np.where(greatest > least, greatest, least + 1),
            )
        found = numeric & (not self._knows_ranges(release.facts))
        mask = np.append(found, np.ones(len(more), dtype=bool))
        if mask.any():
            table = np.asarray(X)
            whole = not more and found.all()
            values = table if whole else np.column_stack([table[:, found], *more])
            low[mask], high[mask], _ = find_range(values, release)
        return low, high

    def _release_bins(
        self,
        cells: FineCells,
        n_rows: float,
        n_bins: int,
        release: Release,
        weights: np.ndarray | None,
    ) -> list[Bins]:
        edges, sizes = cells.edges, cells.sizes
        counts = release.sum(
            CELLS,
            cells.blocks,
            sizes=sizes,
            parts=[1.0 if edge is not None else CATEGORICAL_PART for edge in edges],
            weights=weights,
        )
        noise = release.noise_scales[CELLS]
        return [
            category_bins(part, sd, n_rows)
            if edge is None
            else merge_cells(edge, part, sd, n_rows, n_bins)
            for part, edge, sd in zip(
                np.split(counts, np.cumsum(sizes)[:-1]), edges, noise, strict=True
            )
        ]

    # Scores and explanations

    @property
    def feature_importances_(self) -> np.ndarray:
        """Importance of every column, in sum 1, from released quantities only."""
        return importances(self.explain_global(), len(self._model.columns))

    def _unit(self) -> float:
        """Return the unit of scores in explanations."""
        return 1.0

    def explain_global(self) -> list[ShapeFunction]:
        """Return the shape functions, with bands for the noise: of columns, then of pairs.

        They are functions of what the fit released: they cost nothing.

        Returns
        -------
        list of ShapeFunction
            In units of the score: log odds of ``classes_[1]``, scores of the softmax
            with more classes, the target's own unit for a regressor.
        """
        check_is_fitted(self)
        return shape_functions(self._model, self._schema, self.bounds_, self._unit())

    def _scores(self, X: Any) -> np.ndarray:
        """Return the scores of rows, of shape (n_rows, n_outputs)."""
        X = self._encoded(X)
        numeric = self._schema.numeric
        bounds = tuple(np.where(numeric, ends, 0.0) for ends in self.bounds_)
        parts = [
            self._model.scores(clipped_columns(block, bounds, numeric)) for block in row_blocks(X)
        ]
        return np.concatenate(parts)


def clipped_columns(
    block: np.ndarray, bounds: Sequence[np.ndarray], numeric: np.ndarray
) -> list[np.ndarray]:
    """Return the columns of a block as floats, numeric ones clipped to their bounds."""
    low, high = bounds
    return [
        np.clip(column.astype(np.float64), low[j], high[j])
        if numeric[j]
        else column.astype(np.float64)
        for j, column in enumerate(block.T)
    ]
