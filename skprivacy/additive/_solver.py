"""The rounds of a fit: noisy gradients, quasi-Newton steps, and what is learned on the way.

Everything here but the residuals is a function of earlier releases: the kernels and the
preconditioner of the noisy counts, the weights of the columns and the choice of pairs of
the shape functions so far, the length of a step of the noisy gradients.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..mechanisms import CellBlock, CellRows, Residuals, RoundSums, Term, Terms, block_diagonal
from ._bins import Bins
from ._losses import Loss
from ._posterior import AMPLITUDES, posterior_map
from ._terms import PAIR_GROUPS, Shape, column_loadings, group_bins, group_loadings, pair_loadings

STEP = 0.6
INTERCEPT_WEIGHT = 0.15
PAIR_WEIGHT = 0.3
"""Part of the squared norm of a row that is the intercept's; of the rest, the pairs'."""

REWEIGHT_AT, PAIRS_AT, AVERAGE_FROM = 0.2, 0.3, 0.5
"""Parts of the rounds after which columns get weights, pairs come, iterates are averaged."""

ONE_PAIR_WEIGHT = 0.06
"""Part that a single pair gets, of which all get `PAIR_WEIGHT` at most."""

SCREENED, SCREEN_GROUPS, SCREEN_COLUMNS = 16, 4, 4
PAIR_EVIDENCE = 4.0
"""How many columns are screened for pairs, in groups of how many bins and how many columns to a
joint table; and the standard deviations of noise that a pair has to stand out by."""

PAIR_COLUMNS = 4

LEAST_IMPORTANCE, IMPORTANCE_POWER = 0.1, 0.7
OVERSHOOT = 3.0
"""Noise deviations by which a gradient points against the last step when that was too long."""

BAND_FACTOR = 1.5
"""Measured spread of values beside the first-order one: iterates that are averaged are not
independent, and the curvature is below that of the prior where a model has learned."""

HALF_EVIDENCE = 4000.0
"""Rows per unit of noise, times the variance of a residual, that are half of much evidence."""

LEAST_RIDGE = 1e-7
MOST_JOINT_CELLS = 256
"""So that a byte holds a cell. More cells and fewer tables are hardly faster."""


@dataclass(frozen=True)
class FittedShape:
    """A shape function as the rounds end with it, all of it released.

    Parameters
    ----------
    columns : tuple of int
        The column, or the two.
    mass : array of shape (n_cells,)
        Released parts of the rows in its cells.
    values : array of shape (n_cells, n_outputs)
        Its values; their mean over the mass is 0.
    deviations : array of shape (n_cells,)
        Standard deviation of each value by the noise of the rounds.
    """

    columns: tuple[int, ...]
    mass: np.ndarray
    values: np.ndarray
    deviations: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """What the rounds end with.

    Parameters
    ----------
    intercept : array of shape (n_outputs,)
        Mean scores.
    shapes : tuple of FittedShape
        The columns' functions in order, then those of pairs.
    groups : dict of int to array
        Group of every bin of the columns that are in pairs.
    """

    intercept: np.ndarray
    shapes: tuple[FittedShape, ...]
    groups: dict[int, np.ndarray]


class AdditiveSolver:
    """Fit shape functions to noisy gradients.

    Parameters
    ----------
    cells : CellRows
        Joint tables of the columns' bins.
    packs : list of lists of int
        The columns of each joint table, in order of its axes.
    bins : sequence of Bins
        Bins of the columns.
    loss : Loss
        Target and residuals.
    n_rows : float
        Released number of rows.
    most_pairs : int
        How many pairs of columns there may be.
    noise_rows : float
        Noise scale of all rounds together, in rows.
    """

    def __init__(
        self,
        cells: CellRows,
        packs: list[list[int]],
        bins: Sequence[Bins],
        loss: Loss,
        n_rows: float,
        most_pairs: int,
        noise_rows: float,
    ) -> None:
        self._cells = cells
        self._packs = packs
        self._bins = bins
        self._loss = loss
        self._n_rows = n_rows
        self._most_pairs = most_pairs
        self._groups: dict[int, np.ndarray] = {}
        place = {
            column: Term(table, (axis,))
            for table, pack in enumerate(packs)
            for axis, column in enumerate(pack)
        }
        evidence = 1 / (1 + HALF_EVIDENCE * noise_rows / (n_rows * loss.variance))
        rare = noise_rows * math.sqrt(len(bins)) / n_rows
        self._shapes = [Shape((), Term(0, ()), np.ones(1), np.ones((1, 1)))]
        self._shapes += [
            Shape((j,), place[j], one.mass, column_loadings(one, rare, evidence))
            for j, one in enumerate(bins)
        ]
        self._terms = Terms([shape.term for shape in self._shapes], cells.shapes)
        n_columns = len(bins)
        self._weights = np.array(
            [INTERCEPT_WEIGHT, *np.full(n_columns, (1 - INTERCEPT_WEIGHT) / n_columns)]
        )
        n_outputs = loss.offset.size
        self._theta = np.zeros((sum(one.loadings.shape[1] for one in self._shapes), n_outputs))

    def __call__(self, rounds: RoundSums) -> Fitted:
        """Run all rounds."""
        n_rounds, loss = rounds.n_rounds, self._loss
        noise = loss.clip * rounds.noise_scale
        ridge = loss.shrinkage * noise / math.sqrt(n_rounds)
        ridge = max(ridge, LEAST_RIDGE * loss.curvature * self._n_rows)
        reweight_at = round(REWEIGHT_AT * n_rounds)
        pairs_at = round(PAIRS_AT * n_rounds) if self._most_pairs and len(self._bins) > 1 else -1
        average_from = min(n_rounds * (1 - AVERAGE_FROM), n_rounds - 1)
        self._prepare(rounds, ridge)
        step_length = STEP
        last: tuple[np.ndarray, float] | None = None
        total, first, n_averaged = np.zeros(0), np.zeros(0), 0
        for number in range(n_rounds):
            if number == pairs_at:
                found = self._screen(rounds)
                if found:
                    self._add_pairs(found)
            if number in {reweight_at, pairs_at}:
                self._reweight()
                self._prepare(rounds, ridge)
                last = None
            if number == pairs_at:
                continue
            theta = self._theta
            gradient = loss.clip * self._noisy_gradient(rounds) - ridge * theta
            along = 0.0 if last is None else float((gradient * last[0]).sum())
            if last is not None and along < -OVERSHOOT * noise * math.sqrt((last[0] ** 2).sum()):
                # Instead of a step, shorten the last one to where its slope is estimated 0.
                step, slope = last
                shorter = min(step_length / 2, step_length / (1 - along / max(slope, 1e-12)))
                theta = theta - (step_length - shorter) * step
                step_length, last = shorter, None
            else:
                step = self._precondition(gradient)
                last = step, float((gradient * step).sum())
                theta = theta + step_length * step
            self._theta = theta
            if number >= average_from:
                total, first = (theta, theta) if n_averaged == 0 else (total + theta, first)
                n_averaged += 1
        # What full steps from every iterate would lead to: without the way that is still to go.
        average = (total + (theta - first) / STEP) / n_averaged
        return self._result(average, noise / math.sqrt(n_averaged), ridge)

    def _prepare(self, rounds: RoundSums, ridge: float) -> None:
        """Set loadings by the weights, and the preconditioner of these loadings.

        Columns are taken to be independent: their second moments then follow from the
        counts. What that leaves is a block for each shape and a product of means.
        """
        scaled = [
            math.sqrt(weight) * shape.loadings
            for weight, shape in zip(self._weights, self._shapes, strict=True)
        ]
        self._integers = rounds.quantise(scaled)
        self._unit = 2.0**-rounds.loading_bits
        curvature = self._loss.curvature * self._n_rows
        inverses, means = [], []
        for shape, integers in zip(self._shapes, self._integers, strict=True):
            loading = self._unit * integers
            mean = shape.mass @ loading if len(shape.columns) < 2 else np.zeros(loading.shape[1])
            moment = (loading.T * shape.mass) @ loading - np.outer(mean, mean)
            inverses.append(np.linalg.inv(curvature * moment + ridge * np.eye(mean.size)))
            means.append(mean)
        self._mean = np.concatenate(means)
        self._inverse = block_diagonal(inverses)
        sizes = [mean.size for mean in means]
        parts = np.split(self._inverse.data, np.cumsum(np.square(sizes))[:-1])
        self._inverses = [part.reshape(n, n) for part, n in zip(parts, sizes, strict=True)]
        self._solved_mean = self._inverse @ self._mean
        self._mean_factor = curvature / (1 + curvature * float(self._mean @ self._solved_mean))

    def _precondition(self, gradient: np.ndarray) -> np.ndarray:
        solved = self._inverse @ gradient
        along = self._mean_factor * (self._mean @ solved)
        return solved - np.outer(self._solved_mean, along)

    def _noisy_gradient(self, rounds: RoundSums) -> np.ndarray:
        return rounds(self._cells, self._terms, self._integers, self._residuals(self._cells))

    def _residuals(self, cells: CellRows) -> Residuals:
        """Return the function that gives the rows' residuals to a sum over `cells`."""
        values = self._integers.values(self._theta)
        values[0] += self._loss.offset
        tables = self._terms.spread(values)

        def residuals(block: CellBlock) -> np.ndarray:
            own = block if cells is self._cells else CellBlock(self._cells, block.rows)
            scores = np.ascontiguousarray(own.scores(tables).T)
            return self._loss.residuals(scores, block.rows)

        return residuals

    def _values(self, theta: np.ndarray) -> list[np.ndarray]:
        """Return the values of each shape function in its cells."""
        ends = np.cumsum([loading.shape[0] for loading in self._integers])
        return np.split(self._integers.values(theta), ends[:-1])

    def _spreads(self) -> np.ndarray:
        """Return the standard deviation of each column's shape function over the rows."""
        spreads = []
        # Pairs that have just been added have no loadings yet; they stand after the columns.
        n_loadings = sum(loading.shape[1] for loading in self._integers)
        values = self._values(self._theta[:n_loadings])
        for number in range(1, len(self._bins) + 1):
            value, mass = values[number], self._shapes[number].mass
            variance = mass @ (value * value) - (mass @ value) ** 2
            spreads.append(math.sqrt(max(float(variance.sum()), 0.0)))
        return np.array(spreads)

    def _reweight(self) -> None:
        """Give columns weights by their importance so far, and pairs their part."""
        spreads = self._spreads()
        share = np.maximum(spreads / max(float(spreads.max()), 1e-12), LEAST_IMPORTANCE)
        share = share**IMPORTANCE_POWER
        share *= (1 - INTERCEPT_WEIGHT) / share.sum()
        earlier = self._weights
        n_pairs = len(self._shapes) - 1 - len(self._bins)
        part = min(PAIR_WEIGHT, n_pairs * ONE_PAIR_WEIGHT)
        self._weights = np.concatenate(
            [
                [INTERCEPT_WEIGHT],
                share * (1 - part),
                np.full(n_pairs, (1 - INTERCEPT_WEIGHT) * part / max(n_pairs, 1)),
            ]
        )
        # The functions stay as they are: coefficients are in units of the weights' roots.
        factors = np.ones(len(self._shapes))
        factors[: earlier.size] = np.sqrt(earlier / self._weights[: earlier.size])
        widths = [shape.loadings.shape[1] for shape in self._shapes]
        self._theta = np.repeat(factors, widths)[:, np.newaxis] * self._theta

    def _screen(self, rounds: RoundSums) -> list[tuple[int, int]]:
        """Spend a round on the gradients of all pairs, and return those that stand out.

        Coarse groups of the columns are enough to see that a pair has something to say.
        """
        columns = np.argsort(-self._spreads(), kind="stable")[:SCREENED]
        pairs = [(int(a), int(b)) for a, b in itertools.combinations(sorted(columns.tolist()), 2)]
        cells, shapes = self._pair_shapes(pairs, SCREEN_GROUPS, SCREEN_COLUMNS)[:2]
        weight = 1 / math.sqrt(len(pairs))
        loadings = rounds.quantise([weight * shape.loadings for shape in shapes])
        terms = [shape.term for shape in shapes]
        gradient = rounds(cells, terms, loadings, self._residuals(cells))
        part = gradient / rounds.noise_scale
        # Where a pair has nothing to say: the noise, and that of drawing so many rows.
        unit = 2.0**-rounds.loading_bits / rounds.noise_scale
        squares = block_diagonal([(unit * loading) ** 2 for loading in loadings])
        drawn = squares.T @ np.concatenate([shape.mass for shape in shapes])
        variance = 1 + self._n_rows * self._loss.variance * drawn
        ends = np.cumsum([shape.loadings.shape[1] for shape in shapes])
        of_pairs = [
            values.sum(axis=1)
            for values in np.split(
                np.stack([(part**2).sum(axis=1), variance, variance**2]), ends[:-1], axis=1
            )
        ]
        n_outputs = part.shape[1]
        scores = [
            (found - n_outputs * expected) / max(math.sqrt(2 * n_outputs * squared), 1.0)
            for found, expected, squared in of_pairs
        ]
        best = sorted(range(len(pairs)), key=lambda number: -scores[number])[: self._most_pairs]
        return [pairs[number] for number in best if scores[number] > PAIR_EVIDENCE]

    def _pair_shapes(
        self, pairs: Sequence[tuple[int, int]], n_groups: int, most_columns: int
    ) -> tuple[CellRows, list[Shape], dict[int, np.ndarray]]:
        """Return joint tables of grouped columns that hold all pairs, and the pairs' shapes."""
        columns = sorted({column for pair in pairs for column in pair})
        groups = {column: group_bins(self._bins[column], n_groups) for column in columns}
        grouped = {column: group_loadings(self._bins[column], groups[column]) for column in columns}
        packs: list[list[int]] = []
        place = {}
        for pair in pairs:
            fits = [n for n, pack in enumerate(packs) if len({*pack, *pair}) <= most_columns]
            place[pair] = fits[0] if fits else len(packs)
            if not fits:
                packs.append([])
            pack = packs[place[pair]]
            pack.extend(column for column in pair if column not in pack)
        shapes = []
        for pair in pairs:
            pack = packs[place[pair]]
            first, second = sorted(pair, key=pack.index)
            (mass_a, loading_a), (mass_b, loading_b) = grouped[first], grouped[second]
            term = Term(place[pair], (pack.index(first), pack.index(second)))
            loadings = pair_loadings(loading_a, loading_b)
            shapes.append(Shape((first, second), term, np.kron(mass_a, mass_b), loadings))
        sizes = [tuple(int(groups[column].max()) + 1 for column in pack) for pack in packs]
        codes = _GroupedCodes(self._cells, self._packs, packs, groups)
        return CellRows((codes,), tuple(sizes)), shapes, groups

    def _add_pairs(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Add shape functions of pairs."""
        cells, shapes, self._groups = self._pair_shapes(pairs, PAIR_GROUPS, PAIR_COLUMNS)
        n_tables = len(self._cells.shapes)
        codes = np.concatenate([cells.codes[0][block.rows] for block in self._cells.blocks()])
        self._cells = self._cells.extended(CellRows((codes,), cells.shapes))
        for shape in shapes:
            shape.term = Term(n_tables + shape.term.table, shape.term.axes)
            self._shapes.append(shape)
        n_new = sum(shape.loadings.shape[1] for shape in shapes)
        new = np.zeros((n_new, self._loss.offset.size))
        self._theta = np.concatenate([self._theta, new])
        self._terms = Terms([shape.term for shape in self._shapes], self._cells.shapes)

    def _result(self, average: np.ndarray, noise: float, ridge: float) -> Fitted:
        """Return the centred shape functions of averaged coefficients, or their posterior means."""
        ends = np.cumsum([loading.shape[1] for loading in self._integers])
        parts = np.split(average, ends[:-1])
        reaches = list(self._inverses)
        if self._loss.shrinks:
            sampling = self._loss.variance * self._loss.clip**2 / self._loss.curvature
            for number, weight in enumerate(self._weights[1:], start=1):
                shrink = posterior_map(
                    parts[number],
                    np.linalg.inv(self._inverses[number]),
                    ridge,
                    noise,
                    sampling,
                    AMPLITUDES / math.sqrt(weight),
                )
                parts[number], reaches[number] = shrink @ parts[number], reaches[number] @ shrink
        values = self._values(np.concatenate(parts))
        intercept = self._loss.offset + values[0][0]
        fitted = []
        for number, shape in enumerate(self._shapes[1:], start=1):
            value, loading = values[number], self._unit * self._integers[number]
            if len(shape.columns) == 1:
                value = self._towards_the_mean(number, value, ridge)
                centre = shape.mass @ value
                value, intercept = value - centre, intercept + centre
                loading = loading - shape.mass @ loading
            reach = loading @ reaches[number]
            deviation = BAND_FACTOR * noise * np.sqrt((reach * reach).sum(axis=1))
            fitted.append(FittedShape(shape.columns, shape.mass, value, deviation))
        return Fitted(intercept, tuple(fitted), self._groups)

    def _towards_the_mean(self, number: int, value: np.ndarray, ridge: float) -> np.ndarray:
        """Return values where cells that little is known of lean to the mean instead of to 0.

        Only cells that share their evidence with no other: categories and missing values.
        """
        shape = self._shapes[number]
        numeric = self._bins[shape.columns[0]].edges is not None
        alone = slice(-1, None) if numeric else slice(None)
        square = ((self._unit * self._integers[number][alone]) ** 2).sum(axis=1)
        known = self._loss.curvature * self._n_rows * shape.mass[alone] * square
        moved = value.copy()
        moved[alone] += np.outer(ridge / (known + ridge), shape.mass @ value)
        return moved


class _GroupedCodes:
    """The rows' cells in joint tables of grouped columns, made of those in larger tables.

    Parameters
    ----------
    cells : CellRows
        Tables of the columns' bins.
    tables : list of lists of int
        Columns of each of these tables.
    packs : list of lists of int
        Columns of each table that is made.
    groups : dict of int to array
        Group of each bin of the columns.
    """

    def __init__(
        self,
        cells: CellRows,
        tables: list[list[int]],
        packs: list[list[int]],
        groups: dict[int, np.ndarray],
    ) -> None:
        self.shape = cells.n_rows, len(packs)
        self._cells = cells
        self._packs = packs
        self._sizes = {column: int(group.max()) + 1 for column, group in groups.items()}
        most = max(math.prod(self._sizes[column] for column in pack) for pack in packs)
        self._kind = np.min_scalar_type(most - 1)
        self._of_cells: dict[int, tuple[int, np.ndarray]] = {}
        for table, columns in enumerate(tables):
            shape = cells.shapes[table]
            for column in groups.keys() & set(columns):
                along = np.ones(len(shape), dtype=int)
                along[columns.index(column)] = -1
                group = np.broadcast_to(groups[column].astype(self._kind).reshape(along), shape)
                self._of_cells[column] = table, group.ravel()

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        of_rows = {
            column: of_cells.take(self._cells.of_table(table, rows))
            for column, (table, of_cells) in self._of_cells.items()
        }
        made = np.empty((of_rows[self._packs[0][0]].size, len(self._packs)), dtype=self._kind)
        for number, pack in enumerate(self._packs):
            code = of_rows[pack[0]]
            for column in pack[1:]:
                code = code * self._kind.type(self._sizes[column]) + of_rows[column]
            made[:, number] = code
        return made
