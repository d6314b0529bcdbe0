"""Estimators that break the contract, one rule each, and the checks that must see it.

Each class says in its docstring what it does wrong; `BAD` names the checks. Most faults
break one rule and fail one check. Where a fault breaks several rules, all are named.
"""

import functools
import threading
import warnings
import weakref
from dataclasses import replace

import numpy as np
from good_estimators import Centroid, Duck, Mean, Slope, Weighted
from sklearn.base import clone

from skprivacy import BudgetExceededError, LedgerError, PrivacyAccountant
from skprivacy.accounting import PrivacyLoss
from skprivacy.mechanisms import Draw, GaussianSum, random_source
from skprivacy.plan import Facts

BAD = {}


def fails(*names):
    """Register an estimator with the checks that it must fail, and no others."""

    def register(kind):
        BAD[kind] = {f"check_{name}" for name in names}
        return kind

    return register


# What leaves the rows -------------------------------------------------------------------


@fails("attributes_are_releases")
class ExactMean(Mean):
    """Sets a statistic of the rows without noise."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.centre_ = X.mean(axis=0, dtype=np.float64)


@fails("attributes_are_releases")
class ExactNumberAmongNoisy(Mean):
    """Hides an exact maximum between noisy numbers, deep in a private attribute."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._memory = [{"numbers": np.append(self.mean_, np.abs(X).max() / 2)}]


@fails("attributes_are_releases")
class ExactBoundOfOneRow(Mean):
    """Keeps whether any row is out of bounds."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.has_outliers_ = bool((np.abs(X) > 100).any())


@fails("attributes_are_releases", "row_count_is_private")
class ExactClassShares(Centroid):
    """Keeps the exact shares of the classes, which follow the rows and their number."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.share_ = float(np.mean(y == self.classes_[0]))


@fails("noise_at_large_epsilon")
class NoNoiseAtLargeEpsilon(Mean):
    """Takes a large epsilon for leave to release the sum itself."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        if self.epsilon > 10:
            self.mean_ = X.sum(axis=0)


@fails("releases_are_declared")
class DrawsUndeclared(Mean):
    """Makes a noisy release that no plan has."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        extra = GaussianSum(name="squares").calibrate(release.adjacency, mu=0.1)
        source = random_source(self.random_state)
        self.squares_ = extra.draw(X**2, adjacency=release.adjacency, source=source).value


@fails("releases_are_declared")
class DrawsTwice(Mean):
    """Goes round the release to draw a mechanism again."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        source = random_source(self.random_state)
        again = release.mechanism("sum").draw(X, adjacency=release.adjacency, source=source)
        self.mean_ = (self.mean_ + again.value / len(self.mean_)) / 2


@fails("releases_are_declared")
class HalvesNoise(Duck):
    """Draws with half of the noise that was priced."""

    def _draw(self, plan, X, source):
        priced = plan.mechanisms[0]
        quiet = replace(priced, noise_multiplier=priced.noise_multiplier / 2)
        return quiet.draw(X, adjacency=plan.adjacency, source=source)


@fails("refit_starts_anew")
class WarmStart(Mean):
    """Starts from the last fit, which the new receipt does not cover."""

    def _fit(self, X, y, sample_weight, release):
        earlier = getattr(self, "mean_", 0.0)
        super()._fit(X, y, sample_weight, release)
        self.mean_ = (self.mean_ + earlier) / 2


@fails("weights_are_clipped")
class UnclippedWeights(Weighted):
    """Lets a heavy row count beyond max_weight."""

    def _part(self, sample_weight):
        return sample_weight / self.max_weight


# Noise ----------------------------------------------------------------------------------


@fails("random_state")
class SameNoiseEveryTime(Duck):
    """Has a seed of its own where the user gave none."""

    def _source(self):
        return random_source(0 if self.random_state is None else self.random_state)


@fails("random_state")
class GlobalNoise(Mean):
    """Adds noise from NumPy's global generator, which anybody can seed."""

    def _fit(self, X, y, sample_weight, release):
        seed = self.random_state
        if seed is None:
            seed = np.random.randint(2**31)  # noqa: NPY002
        release._source = random_source(seed)
        super()._fit(X, y, sample_weight, release)


@fails("random_state")
class SilentSeed(Duck):
    """Does not say that its noise can be made again."""

    def plan(self, facts):
        return replace(super().plan(facts), reproducible=False)


@fails("random_state")
class IgnoresSeed(Duck):
    """Takes a random state and does not use it."""

    def _source(self):
        return random_source()


@fails("interface")
class SeededByDefault(Mean):
    """Has no secret noise unless it is asked for."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=0):
        super().__init__(epsilon, delta, accountant, random_state)


@fails("no_generator_is_kept")
class KeepsGenerator(Mean):
    """Keeps the generator, from whose state the noise can be drawn again."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._noise = {"source": release._source}


# Rows -----------------------------------------------------------------------------------


@fails("no_rows_are_kept", "attributes_are_releases")
class KeepsRows(Mean):
    """Keeps two rows as examples."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.examples_ = X[:2].astype(np.float64)


@fails("no_rows_are_kept", "attributes_are_releases")
class KeepsRowInFunction(Mean):
    """Hides a row in the arguments of a function, in single precision."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._distance = functools.partial(np.subtract, X[0].astype(np.float32))


_seen = {}
_cache = weakref.WeakKeyDictionary()


@fails("no_rows_are_kept")
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


@fails("no_rows_are_kept")
class WarnsOfRows(Mean):
    """Quotes a value of the rows in a warning."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        warnings.warn(f"The value {X[0, 0]!r} looks strange.", stacklevel=2)


@fails("no_rows_are_kept")
class PrintsRows(Mean):
    """Prints a row."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        print(X[0])


@fails("no_rows_are_kept", "price_is_public")
class QuotesRowsInLedger(Duck):
    """Writes a value of the rows into the ledger."""

    def _facts(self, X):
        _seen["value"] = float(X[0, 0])
        return super()._facts(X)

    def _charge(self, plan):
        if self.accountant is None:
            return None
        return self.accountant.spend(plan, source=f"mean of {_seen['value']} and others")


@fails("no_rows_are_kept", "attributes_are_releases")
class KeepsTarget(Slope):
    """Keeps a value of the target."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self._first_target = float(y[0])


@fails("no_row_labels_are_kept")
class KeepsIndex(Mean):
    """Keeps the names of a data frame's rows."""

    def fit(self, X, y=None):
        super().fit(X)
        if hasattr(X, "index"):
            self.index_ = list(X.index)
        return self


@fails("row_count_is_private")
class KeepsCount(Mean):
    """Keeps the number of rows."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.n_rows_ = X.shape[0]


@fails("row_count_is_private")
class KeepsRate(Mean):
    """Keeps a number that follows from the number of rows."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.rate_ = 1 / np.sqrt(X.shape[0])


@fails("row_count_is_private")
class KeepsClassCounts(Centroid):
    """Keeps counts that add up to the number of rows, noisy as each may be."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        first = round(float(self.direction_[0]))
        self.class_counts_ = np.array([first, len(X) - first])


@fails("row_count_is_private")
class KeepsScores(Mean):
    """Keeps one number a row."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.scores_ = np.outer(np.ones(len(X)), self.mean_)


@fails("row_count_is_private")
class TellsCount(Mean):
    """Says in the receipt how many rows it saw."""

    def fit(self, X, y=None):
        super().fit(X)
        texts = (*self.privacy_.assumptions, f"There were {len(X)} rows.")
        # Told of large data only, so that the description of small data stays the same.
        if len(X) > 1000:
            self.privacy_ = replace(self.privacy_, assumptions=texts)
        return self


@fails("no_row_attributes")
class HasSamplesSeen(Mean):
    """Has scikit-learn's attribute for the number of rows, if with noise."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.n_samples_seen_ = int(100 * self.mean_[0])


@fails("no_row_attributes")
class CountsIterations(Mean):
    """Shows a number of iterations that the rows decided."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.n_iter_ = int(1e6 * abs(self.mean_[0]))


# Price ----------------------------------------------------------------------------------


@fails("budget_is_kept")
class SpendsMore(Duck):
    """Costs more than its epsilon."""

    def _promised(self):
        return 1.001 * self.epsilon


@fails("budget_is_kept")
class SpendsLess(Duck):
    """Adds more noise than its epsilon asks for."""

    def _promised(self):
        return 0.999 * self.epsilon


@fails("one_price")
class ChargesLess(Duck):
    """Charges the ledger half of the price of its plan."""

    def _charge(self, plan):
        half = PrivacyLoss(plan.loss.mu / 2)
        return None if self.accountant is None else self.accountant.spend(half)


@fails("one_price")
class ClaimsLess(Duck):
    """Gives a receipt for less than was charged."""

    def _receipt(self, plan, entry, draw):
        quiet = tuple(m.calibrate(plan.adjacency, mu=plan.loss.mu / 2) for m in plan.mechanisms)
        return super()._receipt(replace(plan, mechanisms=quiet), entry, draw)


@fails("plan_needs_no_data")
class IgnoresFacts(Duck):
    """Prices for its accountant's adjacency, whatever adjacency it is asked about."""

    def plan(self, facts):
        mine = "add-remove" if self.accountant is None else self.accountant.adjacency
        return super().plan(Facts(adjacency=mine))


@fails("price_is_public", "attributes_are_releases")
class PricesByValues(Duck):
    """Costs less where the values are large, so that the price tells of them."""

    def fit(self, X, y=None):
        _seen["large"] = np.abs(self._checked(X)).max() > 50
        try:
            return super().fit(X)
        finally:
            _seen["large"] = False

    def _promised(self):
        return self.epsilon / (2 if _seen.get("large") else 1)


@fails("price_is_public")
class PricesByColumns(Duck):
    """Costs less for many columns."""

    def plan(self, facts):
        if facts.n_features is None or facts.n_features < 100:
            return super().plan(facts)
        cheap = clone(self).set_params(epsilon=self.epsilon / 2).plan(replace(facts, n_features=1))
        return replace(cheap, source=type(self).__name__)


@fails("price_is_public")
class DescribesRows(Duck):
    """Tells the ledger something about the rows, in an assumption."""

    def _facts(self, X):
        _seen["text"] = "All rows are the same." if np.ptp(X) == 0 else "The rows differ."
        return super()._facts(X)

    def _receipt(self, plan, entry, draw):
        return super()._receipt(replace(plan, assumptions=(_seen["text"],)), entry, draw)


@fails("receipt")
class WrongDelta(Duck):
    """States its guarantee at another delta than its own."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), delta=1e-3)


@fails("receipt")
class WrongName(Duck):
    """Gives a receipt in another's name."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), source="StandardScaler")


@fails("adjacency_is_the_accountants")
class NoiseForAddRemove(Duck):
    """Sets its noise for add-remove adjacency, whatever its accountant has."""

    def _draw(self, plan, X, source):
        return super()._draw(replace(plan, adjacency="add-remove"), X, source)


@fails("adjacency_is_the_accountants")
class ReplaceOneAlone(Duck):
    """Takes the number of rows for public where no accountant says so."""

    def _facts(self, X):
        facts = super()._facts(X)
        return facts if self.accountant is not None else Facts(adjacency="replace-one")


@fails("undeclared_classes_are_named")
class SilentClasses(Centroid):
    """Takes labels from y and does not say so."""

    def _assumptions(self, facts):
        return ["The number of columns is public."]


@fails("undeclared_classes_are_named")
class IgnoresClasses(Centroid):
    """Has the parameter for declared classes and looks at y instead."""

    def _public_classes(self, y):
        return np.unique(y)


class Batches(Mean):
    """A mean over batches that keeps the contract."""

    def partial_fit(self, X, y=None):
        return self._private_fit(X, extend=True)


@fails("partial_fit_adds_up")
class FreeBatches(Batches):
    """Charges the first batch only."""

    def partial_fit(self, X, y=None):
        if not hasattr(self, "privacy_"):
            return super().partial_fit(X)
        accountant, self.accountant = self.accountant, None
        try:
            return super().partial_fit(X)
        finally:
            self.accountant = accountant


@fails("partial_fit_adds_up")
class ForgetsBatches(Batches):
    """Gives a receipt for the last batch only."""

    def partial_fit(self, X, y=None):
        return self._private_fit(X)


@fails("partial_fit_adds_up")
class MixesAdjacencies(Batches):
    """Puts batches of different adjacencies on one receipt."""

    def partial_fit(self, X, y=None):
        if hasattr(self, "privacy_"):
            self.privacy_ = replace(self.privacy_, adjacency=self._adjacency())
        return super().partial_fit(X)


# The order of events --------------------------------------------------------------------


@fails("fit_charges_once")
class FitsTwice(Duck):
    """Fits twice in fit_transform."""

    def fit_transform(self, X, y=None):
        return self.fit(X).fit(X).transform(X)


@fails("fit_charges_once")
class NamesNoEntry(Duck):
    """Does not say in the receipt which entry paid."""

    def _receipt(self, plan, entry, draw):
        return super()._receipt(plan, None, draw)


@fails(
    "fit_charges_once",
    "charge_comes_first",
    "refused_charge_stops_fit",
    "failed_fit_stays_charged",
    "accountant_is_shared",
    "accountant_in_pipeline",
    "accountant_in_search",
)
class NeverCharges(Duck):
    """Forgets its accountant altogether."""

    def _charge(self, plan):
        return None


@fails(
    "fit_charges_once",
    "charge_comes_first",
    "failed_fit_stays_charged",
    "accountant_is_shared",
    "accountant_in_pipeline",
    "accountant_in_search",
)
class ChargesTwice(Duck):
    """Charges every fit twice."""

    def _charge(self, plan):
        super()._charge(plan)
        return super()._charge(plan)


@fails("charge_comes_first", "refused_charge_stops_fit", "failed_fit_stays_charged")
class LearnsFirst(Duck):
    """Sets an attribute before the charge."""

    def _charge(self, plan):
        self.started_ = True
        return super()._charge(plan)


@fails("charge_comes_first", "refused_charge_stops_fit", "failed_fit_stays_charged")
class DrawsFirst(Duck):
    """Draws noise, and charges only what went well."""

    def _charge(self, plan):
        return None

    def _receipt(self, plan, entry, draw):
        return super()._receipt(plan, Duck._charge(self, plan), draw)


@fails("charge_comes_first", "refused_charge_stops_fit")
class DrawsNumbersFirst(Duck):
    """Draws random numbers before the charge."""

    def _source(self):
        source = super()._source()
        source.words(1)
        return source


@fails("refused_charge_stops_fit")
class SwallowsRefusal(Duck):
    """Goes on without paying where the budget is spent."""

    def _charge(self, plan):
        try:
            return super()._charge(plan)
        except BudgetExceededError:
            return None


@fails("refused_charge_stops_fit")
class IgnoresBrokenLedger(Duck):
    """Goes on without paying where the ledger can't be written."""

    def _charge(self, plan):
        try:
            return super()._charge(plan)
        except LedgerError:
            return None


@fails("refused_charge_stops_fit", "failed_fit_stays_charged")
class ForgetsEarlierFit(Duck):
    """Throws an earlier fit away before the new one is paid for."""

    def _checked(self, X):
        for name in ("sum_", "privacy_"):
            vars(self).pop(name, None)
        return super()._checked(X)


@fails("failed_fit_stays_charged")
class MarksNothing(Duck):
    """Does not mark a charge whose fit failed."""

    def _failed(self, entry, error):
        pass


@fails("failed_fit_stays_charged")
class TellsWhatFailed(Duck):
    """Writes the text of an error into the ledger."""

    def _failed(self, entry, error):
        if entry is not None:
            self.accountant.fail(entry.uid, f"{type(error).__name__}: {error}")


@fails("failed_fit_stays_charged")
class MarksErrorsOnly(Duck):
    """Does not mark a charge whose fit was interrupted."""

    def _failed(self, entry, error):
        if isinstance(error, Exception):
            super()._failed(entry, error)


@fails("failed_fit_stays_charged")
class SwallowsErrors(Duck):
    """Goes on with made-up results where a release failed."""

    def _draw(self, plan, X, source):
        try:
            return super()._draw(plan, X, source)
        except Exception:  # noqa: BLE001
            return Draw(np.zeros(X.shape[1]), 1.0)


@fails("failed_fit_stays_charged")
class HalfFitted(Mean):
    """Keeps what a fit had set before it failed."""

    def fit(self, X, y=None):
        try:
            return super().fit(X)
        except BaseException:
            if hasattr(self, "accountant") and self.accountant and self.accountant.entries:
                self.half_ = True
            raise


@fails("invalid_data_charges_nothing")
class ChargesUnchecked(Duck):
    """Charges before it looks whether the rows have a valid form."""

    def _checked(self, X):
        return X

    def _facts(self, X):
        return Facts(
            adjacency="add-remove" if self.accountant is None else self.accountant.adjacency
        )

    def _draw(self, plan, X, source):
        return super()._draw(plan, super()._checked(X), source)

    def fit(self, X, y=None):
        return super().fit(X if hasattr(X, "shape") and len(X.shape) > 1 else np.asarray(X))


@fails("invalid_data_charges_nothing")
class TakesAnything(Duck):
    """Fits on NaN and infinity without a word."""

    def _checked(self, X):
        return np.asarray(X, dtype=float)


@fails("invalid_parameters_charge_nothing")
class TakesAnyEpsilon(Duck):
    """Takes an impossible epsilon for 1."""

    def _check_parameters(self):
        possible = isinstance(self.epsilon, float) and 0 < self.epsilon < np.inf
        clone(self).set_params(epsilon=self.epsilon if possible else 1.0)._check_strictly()

    _check_strictly = Duck._check_parameters

    def _promised(self):
        return self.epsilon if isinstance(self.epsilon, float) and self.epsilon > 0 else 1.0


@fails("invalid_parameters_charge_nothing")
class ChargesBeforeParameters(Duck):
    """Looks at one of its parameters after the charge."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, factor=1.0):
        super().__init__(epsilon, delta, accountant, random_state)
        self.factor = factor

    def _draw(self, plan, X, source):
        if not isinstance(self.factor, float):
            raise TypeError("factor must be a float.")
        return super()._draw(plan, X * self.factor, source)


@fails("invalid_parameters_charge_nothing")
class IgnoresStrangeAccountant(Duck):
    """Charges nobody where its accountant is of a type that it does not know."""

    def _known(self):
        return isinstance(self.accountant, PrivacyAccountant)

    def _facts(self, X):
        return super()._facts(X) if self._known() else Facts()

    def _charge(self, plan):
        return super()._charge(plan) if self._known() else None


@fails("predictions_are_free")
class ChargesPredictions(Slope):
    """Charges the ledger for a prediction, which costs nothing."""

    def predict(self, X):
        if self.accountant is not None:
            self.accountant.spend(mu=1e-3)
        return super().predict(X)


# The accountant -------------------------------------------------------------------------


@fails("accountant_is_shared", "parameters_survive_fit")
class OwnAccountant(Duck):
    """Makes itself an accountant where it was given none."""

    def _charge(self, plan):
        if self.accountant is None:
            self.accountant = PrivacyAccountant()
            return None
        return super()._charge(plan)


@fails("accountant_is_shared")
class PicklesWithoutAccountant(Duck):
    """Loses its accountant in a pickle, and so in every worker process."""

    def __getstate__(self):
        return {**super().__getstate__(), "accountant": None}


@fails("accountant_is_shared", "accountant_in_pipeline", "accountant_in_search")
class ClonesWithoutAccountant(Duck):
    """Loses its accountant when it is cloned."""

    def __sklearn_clone__(self):
        return type(self)(self.epsilon, self.delta, random_state=self.random_state)


@fails("accountant_in_search")
class ChargesInMainThread(Duck):
    """Does not charge what is fitted in other threads."""

    def _charge(self, plan):
        main = threading.current_thread() is threading.main_thread()
        return super()._charge(plan) if main else None


# Conventions ----------------------------------------------------------------------------


@fails("parameters_survive_fit")
class WritesBack(Mean):
    """Writes what it learned into a constructor's parameter."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, centre=None):
        super().__init__(epsilon, delta, accountant, random_state)
        self.centre = centre

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.centre = self.mean_


@fails("parameters_survive_fit")
class ChangesParameter(Mean):
    """Changes the list that it was given as a parameter."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, names=("a",)):
        super().__init__(epsilon, delta, accountant, random_state)
        self.names = names

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        if isinstance(self.names, list):
            self.names.append("fitted")


@fails("input_is_untouched")
class ClipsInPlace(Mean):
    """Clips the rows of its caller."""

    def _fit(self, X, y, sample_weight, release):
        if X.flags.writeable:
            np.clip(X, -2, 2, out=X)
        super()._fit(X, y, sample_weight, release)


@fails("types_are_fixed")
class TypeOfRows(Mean):
    """Has attributes in the type of the rows."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = self.mean_.astype(X.dtype)


@fails("types_are_fixed")
class DropsConstantColumns(Mean):
    """Has attributes as long as there are columns that vary."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = self.mean_[np.ptp(X, axis=0) > 0]


MADE = {kind: kind() for kind in BAD if kind is not ChangesParameter}
MADE[ChangesParameter] = ChangesParameter(names=["a", "b"])
