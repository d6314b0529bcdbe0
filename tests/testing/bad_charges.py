"""Estimators that charge late, twice, or never, one way each."""

import threading
from dataclasses import replace

import numpy as np
from faults import Faults
from good_estimators import Duck, Mean, Slope
from sklearn.base import clone

from skprivacy import BudgetExceededError, LedgerError, PrivacyAccountant
from skprivacy.mechanisms import Draw, random_source
from skprivacy.plan import Facts

faults = Faults()


# The order of events


@faults.fails("fit_charges_once")
class FitsTwice(Duck):
    """Fits twice in fit_transform."""

    def fit_transform(self, X, y=None):
        return self.fit(X).fit(X).transform(X)


@faults.fails("fit_charges_once")
class NamesNoEntry(Duck):
    """Does not say in the receipt which entry paid."""

    def _receipt(self, plan, entry, draw):
        return super()._receipt(plan, None, draw)


@faults.fails("fit_charges_once")
class NamesInventedEntry(Duck):
    """Names an entry on the receipt of a fit that no ledger knows."""

    def _receipt(self, plan, entry, draw):
        receipt = super()._receipt(plan, entry, draw)
        return receipt if entry is not None else replace(receipt, entry_uid="0" * 32)


@faults.fails("fit_charges_once")
class MarksSuccess(Duck):
    """Marks fits as failed that went well."""

    def _receipt(self, plan, entry, draw):
        self._failed(entry, RuntimeError())
        return super()._receipt(plan, entry, draw)


@faults.fails(
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


@faults.fails(
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


@faults.fails("charge_comes_first", "refused_charge_stops_fit", "failed_fit_stays_charged")
class LearnsFirst(Duck):
    """Sets an attribute before the charge."""

    def _charge(self, plan):
        self.started_ = True
        return super()._charge(plan)


@faults.fails("charge_comes_first", "refused_charge_stops_fit", "failed_fit_stays_charged")
class DrawsFirst(Duck):
    """Draws noise, and charges only what went well."""

    def _charge(self, plan):
        return None

    def _receipt(self, plan, entry, draw):
        return super()._receipt(plan, Duck._charge(self, plan), draw)


@faults.fails("charge_comes_first", "refused_charge_stops_fit")
class DrawsNumbersFirst(Duck):
    """Draws random numbers before the charge."""

    def _source(self):
        source = super()._source()
        source.words(1)
        return source


@faults.caught_by("charge_comes_first")
class DrawsSecretlyFirst(Duck):
    """Draws its noise from the operating system, before the charge."""

    def fit(self, X, y=None):
        X = self._checked(X)
        plan = self.plan(self._facts(X))
        draw = self._draw(plan, X, random_source())
        entry = self._charge(plan)
        self.sum_ = draw.value
        self.privacy_ = self._receipt(plan, entry, draw)
        return self


@faults.caught_by("refused_charge_stops_fit")
class DrawsAfterRefusal(Duck):
    """Makes its release although it was refused, and only then says so."""

    def fit(self, X, y=None):
        try:
            return super().fit(X)
        except BudgetExceededError:
            X = self._checked(X)
            self._draw(self.plan(self._facts(X)), X, random_source())
            raise


@faults.fails("refused_charge_stops_fit")
class ChargesWhatItCan(Duck):
    """Charges a little where the whole price is refused."""

    def _charge(self, plan):
        try:
            return super()._charge(plan)
        except BudgetExceededError:
            self.accountant.spend(mu=1e-9)
            raise


@faults.fails("refused_charge_stops_fit")
class SwallowsRefusal(Duck):
    """Goes on without paying where the budget is spent."""

    def _charge(self, plan):
        try:
            return super()._charge(plan)
        except BudgetExceededError:
            return None


@faults.fails("refused_charge_stops_fit")
class IgnoresBrokenLedger(Duck):
    """Goes on without paying where the ledger can't be written."""

    def _charge(self, plan):
        try:
            return super()._charge(plan)
        except LedgerError:
            return None


@faults.fails("refused_charge_stops_fit", "failed_fit_stays_charged")
class ForgetsEarlierFit(Duck):
    """Throws an earlier fit away before the new one is paid for."""

    def _checked(self, X):
        for name in ("sum_", "privacy_"):
            vars(self).pop(name, None)
        return super()._checked(X)


@faults.fails("failed_fit_stays_charged")
class MarksNothing(Duck):
    """Does not mark a charge whose fit failed."""

    def _failed(self, entry, error):
        pass


@faults.fails("failed_fit_stays_charged")
class TellsWhatFailed(Duck):
    """Writes the text of an error into the ledger."""

    def _failed(self, entry, error):
        if entry is not None:
            self.accountant.fail(entry.uid, f"{type(error).__name__}: {error}")


@faults.fails("failed_fit_stays_charged")
class TellsTheWrongError(Duck):
    """Gives the ledger another error's class."""

    def _failed(self, entry, error):
        super()._failed(entry, ValueError())


@faults.fails("failed_fit_stays_charged")
class MarksErrorsOnly(Duck):
    """Does not mark a charge whose fit was interrupted."""

    def _failed(self, entry, error):
        if isinstance(error, Exception):
            super()._failed(entry, error)


@faults.fails("failed_fit_stays_charged")
class SwallowsErrors(Duck):
    """Goes on with made-up results where a release failed."""

    def _draw(self, plan, X, source):
        try:
            return super()._draw(plan, X, source)
        except Exception:  # noqa: BLE001
            return Draw(np.zeros(X.shape[1]), 1.0)


@faults.fails("failed_fit_stays_charged")
class HalfFitted(Mean):
    """Keeps what a fit had set before it failed."""

    def fit(self, X, y=None):
        try:
            return super().fit(X)
        except BaseException:
            if hasattr(self, "accountant") and self.accountant and self.accountant.entries:
                self.half_ = True
            raise


@faults.fails("invalid_data_charges_nothing")
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


@faults.caught_by("invalid_data_charges_nothing")
class LearnsUnchecked(Duck):
    """Sets an attribute before it looks at the form of the rows."""

    def _checked(self, X):
        self.started_ = True
        return super()._checked(X)


@faults.fails("invalid_data_charges_nothing")
class TakesAnything(Duck):
    """Fits on NaN and infinity without a word."""

    def _checked(self, X):
        return np.asarray(X, dtype=float)


@faults.fails("invalid_parameters_charge_nothing")
class TakesAnyEpsilon(Duck):
    """Takes an impossible epsilon for 1."""

    def _check_parameters(self):
        possible = isinstance(self.epsilon, float) and 0 < self.epsilon < np.inf
        clone(self).set_params(epsilon=self.epsilon if possible else 1.0)._check_strictly()

    _check_strictly = Duck._check_parameters

    def _promised(self):
        return self.epsilon if isinstance(self.epsilon, float) and self.epsilon > 0 else 1.0


@faults.fails("invalid_parameters_charge_nothing")
class ChargesBeforeParameters(Duck):
    """Looks at one of its parameters after the charge."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, factor=1.0):
        super().__init__(epsilon, delta, accountant, random_state)
        self.factor = factor

    def _draw(self, plan, X, source):
        if not isinstance(self.factor, float):
            raise TypeError("factor must be a float.")
        return super()._draw(plan, X * self.factor, source)


@faults.fails("invalid_parameters_charge_nothing")
class IgnoresStrangeAccountant(Duck):
    """Charges nobody where its accountant is of a type that it does not know."""

    def _known(self):
        return isinstance(self.accountant, PrivacyAccountant)

    def _facts(self, X):
        return super()._facts(X) if self._known() else Facts()

    def _charge(self, plan):
        return super()._charge(plan) if self._known() else None


@faults.fails("predictions_are_free")
class ChargesPredictions(Slope):
    """Charges the ledger for a prediction, which costs nothing."""

    def predict(self, X):
        if self.accountant is not None:
            self.accountant.spend(mu=1e-3)
        return super().predict(X)


# The accountant


@faults.fails("predictions_are_free")
class ReservesForPredictions(Slope):
    """Sets a budget aside for predictions, which cost nothing."""

    def predict(self, X):
        if self.accountant is not None:
            self.accountant.reserve(0.01, 1e-9)
        return super().predict(X)


@faults.fails("accountant_is_shared", "parameters_survive_fit")
class OwnAccountant(Duck):
    """Makes itself an accountant where it was given none."""

    def _charge(self, plan):
        if self.accountant is None:
            self.accountant = PrivacyAccountant()
            return None
        return super()._charge(plan)


@faults.fails("accountant_is_shared")
class CopiesWithoutAccountant(Duck):
    """Loses its accountant when it is copied."""

    def __deepcopy__(self, memo):
        copied = clone(self)
        vars(copied).update(vars(self), accountant=None)
        return copied


@faults.fails("accountant_is_shared")
class PicklesWithoutAccountant(Duck):
    """Loses its accountant in a pickle, and so in every worker process."""

    def __getstate__(self):
        return {**super().__getstate__(), "accountant": None}


@faults.fails("accountant_is_shared", "accountant_in_pipeline", "accountant_in_search")
class ClonesWithoutAccountant(Duck):
    """Loses its accountant when it is cloned."""

    def __sklearn_clone__(self):
        return type(self)(self.epsilon, self.delta, random_state=self.random_state)


@faults.fails("accountant_in_search")
class ChargesInMainThread(Duck):
    """Does not charge what is fitted in other threads."""

    def _charge(self, plan):
        main = threading.current_thread() is threading.main_thread()
        return super()._charge(plan) if main else None
