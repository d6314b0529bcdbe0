"""Estimators that let something of the rows out, one way each."""

import functools
import warnings
import weakref
from dataclasses import replace

import numpy as np
from faults import Faults
from good_estimators import Centroid, Duck, Mean, Slope, Weighted

from skprivacy.mechanisms import GaussianSum, random_source

faults = Faults()


# What leaves the rows


@faults.fails("attributes_are_releases")
class ExactMean(Mean):
    """Sets a statistic of the rows without noise."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.centre_ = X.mean(axis=0, dtype=np.float64)


@faults.fails("attributes_are_releases")
class ExactNumberAmongNoisy(Mean):
    """Hides an exact maximum between noisy numbers, deep in a private attribute."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._memory = [{"numbers": np.append(self.mean_, np.abs(X).max() / 2)}]


@faults.fails("attributes_are_releases")
class ExactBoundOfOneRow(Mean):
    """Keeps whether any row is out of bounds."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.has_outliers_ = bool((np.abs(X) > 100).any())


@faults.fails("attributes_are_releases", "row_count_is_private")
class ExactClassShares(Centroid):
    """Keeps the exact shares of the classes, which follow the rows and their number."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.share_ = float(np.mean(y == self.classes_[0]))


@faults.fails("noise_at_large_epsilon")
class NoNoiseAtLargeEpsilon(Mean):
    """Takes a large epsilon for leave to release the sum itself."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        if self.epsilon > 10:
            self.mean_ = X.sum(axis=0)


@faults.fails("releases_are_declared")
class DrawsUndeclared(Mean):
    """Makes a noisy release that no plan has."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        extra = GaussianSum(name="squares").calibrate(release.adjacency, mu=0.1)
        source = random_source(self.random_state)
        self.squares_ = extra.draw(X**2, adjacency=release.adjacency, source=source).value


@faults.fails("releases_are_declared")
class DrawsTwice(Mean):
    """Goes round the release to draw a mechanism again."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        source = random_source(self.random_state)
        again = release.mechanism("sum").draw(X, adjacency=release.adjacency, source=source)
        self.mean_ = (self.mean_ + again.value / len(self.mean_)) / 2


@faults.fails("releases_are_declared")
class HalvesNoise(Duck):
    """Draws with half of the noise that was priced."""

    def _draw(self, plan, X, source):
        priced = plan.mechanisms[0]
        quiet = replace(priced, noise_multiplier=priced.noise_multiplier / 2)
        return quiet.draw(X, adjacency=plan.adjacency, source=source)


@faults.fails("refit_starts_anew")
class WarmStart(Mean):
    """Starts from the last fit, which the new receipt does not cover."""

    def _fit(self, X, y, sample_weight, release):
        earlier = getattr(self, "mean_", 0.0)
        super()._fit(X, y, sample_weight, release)
        self.mean_ = (self.mean_ + earlier) / 2


@faults.fails("weights_are_clipped")
class UnclippedWeights(Weighted):
    """Lets a heavy row count beyond max_weight."""

    def _part(self, sample_weight):
        return sample_weight / self.max_weight


# Noise


@faults.fails("random_state")
class SameNoiseEveryTime(Duck):
    """Has a seed of its own where the user gave none."""

    def _source(self):
        return random_source(0 if self.random_state is None else self.random_state)


@faults.fails("random_state")
class GlobalNoise(Mean):
    """Adds noise from NumPy's global generator, which anybody can seed."""

    def _fit(self, X, y, sample_weight, release):
        seed = self.random_state
        if seed is None:
            seed = np.random.randint(2**31)  # noqa: NPY002
        release._source = random_source(seed)
        super()._fit(X, y, sample_weight, release)


@faults.fails("random_state")
class SilentSeed(Duck):
    """Does not say that its noise can be made again."""

    def plan(self, facts):
        return replace(super().plan(facts), reproducible=False)


@faults.fails("random_state")
class CallsAllReproducible(Duck):
    """Calls secret noise reproducible."""

    def plan(self, facts):
        return replace(super().plan(facts), reproducible=True)


@faults.fails("random_state")
class IgnoresSeed(Duck):
    """Takes a random state and does not use it."""

    def _source(self):
        return random_source()


@faults.fails("interface")
class SeededByDefault(Mean):
    """Has no secret noise unless it is asked for."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=0):
        super().__init__(epsilon, delta, accountant, random_state)


@faults.fails("no_generator_is_kept")
class KeepsGenerator(Mean):
    """Keeps the generator, from whose state the noise can be drawn again."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._noise = {"source": release._source}


# Rows


@faults.fails("no_rows_are_kept", "attributes_are_releases")
class KeepsRows(Mean):
    """Keeps two rows as examples."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.examples_ = X[:2].astype(np.float64)


@faults.fails("no_rows_are_kept", "attributes_are_releases")
class KeepsRowInFunction(Mean):
    """Hides a row in the arguments of a function, in single precision."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._distance = functools.partial(np.subtract, X[0].astype(np.float32))


_seen = {}
_cache = weakref.WeakKeyDictionary()


@faults.fails("no_rows_are_kept")
class PicklesRows(Mean):
    """Has no row among its attributes, but in its pickle."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        _cache[self] = X[:1].copy()

    def __getstate__(self):
        return {**super().__getstate__(), "cached": _cache.get(self)}

    def __setstate__(self, state):
        state.pop("cached")
        super().__setstate__(state)


@faults.caught_by("no_rows_are_kept")
class PicklesSinglePrecision(PicklesRows):
    """Has a row in its pickle, in single precision."""

    def __getstate__(self):
        state = super().__getstate__()
        if state["cached"] is not None:
            state["cached"] = state["cached"].astype(np.float32)
        return state


@faults.caught_by("no_rows_are_kept")
class PicklesText(PicklesRows):
    """Has the text of a row in its pickle."""

    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "cached": str(state["cached"])}


@faults.fails("no_rows_are_kept")
class WarnsOfRows(Mean):
    """Quotes a value of the rows in a warning."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        warnings.warn(f"The value {X[0, 0]!r} looks strange.", stacklevel=2)


@faults.fails("no_rows_are_kept")
class PrintsRows(Mean):
    """Prints a row."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        print(X[0])


@faults.fails("no_rows_are_kept", "price_is_public")
class QuotesRowsInLedger(Duck):
    """Writes a value of the rows into the ledger."""

    def _facts(self, X):
        _seen["value"] = float(X[0, 0])
        return super()._facts(X)

    def _charge(self, plan):
        if self.accountant is None:
            return None
        return self.accountant.spend(plan, source=f"mean of {_seen['value']} and others")


@faults.fails("no_rows_are_kept", "attributes_are_releases")
class KeepsTarget(Slope):
    """Keeps a value of the target."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._first_target = float(y[0])


@faults.fails("no_row_labels_are_kept")
class KeepsIndex(Mean):
    """Keeps the names of a data frame's rows."""

    def fit(self, X, y=None):
        super().fit(X)
        if hasattr(X, "index"):
            self.index_ = list(X.index)
        return self


@faults.fails("row_count_is_private")
class KeepsCount(Mean):
    """Keeps the number of rows."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.n_rows_ = X.shape[0]


@faults.fails("row_count_is_private")
class KeepsRate(Mean):
    """Keeps a number that follows from the number of rows."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.rate_ = 1 / np.sqrt(X.shape[0])


@faults.fails("row_count_is_private")
class KeepsClassCounts(Centroid):
    """Keeps counts that add up to the number of rows, noisy as each may be."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        first = round(float(self.direction_[0]))
        self.class_counts_ = np.array([first, len(X) - first])


@faults.fails("row_count_is_private")
class KeepsScores(Mean):
    """Keeps one number a row."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.scores_ = np.outer(np.ones(len(X)), self.mean_)


@faults.fails("row_count_is_private")
class TellsCount(Mean):
    """Says in the receipt how many rows it saw."""

    def fit(self, X, y=None):
        super().fit(X)
        texts = (*self.privacy_.assumptions, f"There were {len(X)} rows.")
        # Told of large data only, so that the description of small data stays the same.
        if len(X) > 1000:
            self.privacy_ = replace(self.privacy_, assumptions=texts)
        return self


@faults.fails("no_row_attributes")
class HasSamplesSeen(Mean):
    """Has scikit-learn's attribute for the number of rows, if with noise."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.n_samples_seen_ = int(100 * self.mean_[0])


@faults.fails("no_row_attributes")
class CountsIterations(Mean):
    """Shows a number of iterations that the rows decided."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.n_iter_ = int(1e6 * abs(self.mean_[0]))
