"""Estimators whose price is wrong, or that break a convention, one way each."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from faults import Faults
from good_estimators import Centroid, Duck, Mean, Revealed
from sklearn.base import clone

from skprivacy.accounting import PrivacyLoss
from skprivacy.exceptions import BudgetExceededError
from skprivacy.ledger import Receipt
from skprivacy.mechanisms import random_source
from skprivacy.plan import Facts

faults = Faults()

_seen = {}
NAMES = ["a", "b"]


# Price


@faults.fails("budget_is_kept")
class SpendsMore(Duck):
    """Costs more than its epsilon."""

    def _promised(self):
        return 1.001 * self.epsilon


@faults.fails("budget_is_kept")
class SpendsLess(Duck):
    """Adds more noise than its epsilon asks for."""

    def _promised(self):
        return 0.999 * self.epsilon


@faults.caught_by("budget_is_kept")
class ClaimsAGuarantee(Revealed):
    """Gives a receipt of a finite epsilon for a mean without noise."""

    def fit(self, X, y=None):
        super().fit(X, y)
        if self.epsilon is None:
            self.privacy_ = replace(self.privacy_, epsilon=1.0)
        return self


@faults.fails("refused_charge_stops_fit")
class EvadesTheCeiling(Revealed):
    """Leaves the accountant out where its ceiling refuses a fit without a guarantee."""

    def fit(self, X, y=None):
        try:
            return super().fit(X, y)
        except BudgetExceededError:
            accountant = self.accountant
            self.accountant = None
            super().fit(X, y)
            self.accountant = accountant
            return self


@faults.fails("one_price")
class ChargesLess(Duck):
    """Charges the ledger half of the price of its plan."""

    def _charge(self, plan):
        half = PrivacyLoss(plan.loss.mu / 2)
        return None if self.accountant is None else self.accountant.spend(half)


@faults.fails("one_price")
class ClaimsLess(Duck):
    """Gives a receipt for less than was charged."""

    def _receipt(self, plan, entry, draw):
        quiet = tuple(m.calibrate(plan.adjacency, mu=plan.loss.mu / 2) for m in plan.mechanisms)
        return super()._receipt(replace(plan, mechanisms=quiet), entry, draw)


@faults.fails("plan_needs_no_data")
class IgnoresFacts(Duck):
    """Prices for its accountant's adjacency, whatever adjacency it is asked about."""

    def plan(self, facts):
        mine = "add-remove" if self.accountant is None else self.accountant.adjacency
        return super().plan(Facts(adjacency=mine))


@faults.fails("price_is_public", "attributes_are_releases")
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


@faults.caught_by("plan_needs_no_data")
class PlanDraws(Duck):
    """Draws a release to find out its price."""

    def plan(self, facts):
        plan = super().plan(facts)
        self._draw(plan, np.zeros((1, 2)), random_source())
        return plan


@faults.caught_by("plan_needs_no_data")
class PlanCharges(Duck):
    """Charges the ledger when it is asked for a price."""

    def plan(self, facts):
        plan = super().plan(facts)
        if self.accountant is not None:
            self.accountant.spend(PrivacyLoss(plan.loss.mu))
        return plan


@faults.caught_by("plan_needs_no_data")
class PlanLearns(Duck):
    """Keeps the plan among its attributes when it is asked for a price."""

    def plan(self, facts):
        self.plan_ = super().plan(facts)
        return self.plan_


@faults.caught_by("plan_needs_no_data")
class PlanChanges(Duck):
    """Gives another plan every time."""

    n_plans = 0

    def plan(self, facts):
        type(self).n_plans += 1
        texts = (f"This is plan {self.n_plans}.",)
        return replace(super().plan(facts), assumptions=texts)


@faults.caught_by("plan_needs_no_data")
class PlanIsADict(Duck):
    """Gives plain data for a plan."""

    def plan(self, facts):
        return super().plan(facts).to_dict()


@faults.fails("one_price")
class RenamesReleases(Duck):
    """Calls a release on the receipt what it is not called in the plan."""

    def _receipt(self, plan, entry, draw):
        renamed = tuple(replace(m, name="mean") for m in plan.mechanisms)
        receipt = super()._receipt(replace(plan, mechanisms=renamed), entry, draw)
        return replace(receipt, noise_scales={"mean": 1.0})


@faults.fails("price_is_public")
class PricesByColumns(Duck):
    """Costs less for many columns."""

    def plan(self, facts):
        if facts.n_features is None or facts.n_features < 100:
            return super().plan(facts)
        cheap = clone(self).set_params(epsilon=self.epsilon / 2).plan(replace(facts, n_features=1))
        return replace(cheap, source=type(self).__name__)


@faults.fails("price_is_public")
class DescribesRows(Duck):
    """Tells the ledger something about the rows, in an assumption."""

    def _facts(self, X):
        _seen["text"] = "All rows are the same." if np.ptp(X) == 0 else "The rows differ."
        return super()._facts(X)

    def _receipt(self, plan, entry, draw):
        return super()._receipt(replace(plan, assumptions=(_seen["text"],)), entry, draw)


@faults.fails("receipt")
class WrongDelta(Duck):
    """States its guarantee at another delta than its own."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), delta=1e-3)


@faults.fails("receipt")
class AnotherDelta(Duck):
    """States a true guarantee, at another delta than its own."""

    def _receipt(self, plan, entry, draw):
        receipt = super()._receipt(plan, entry, draw)
        return replace(receipt, delta=1e-3, epsilon=receipt.loss.to_epsilon(1e-3))


@faults.fails("receipt")
class WrongEpsilon(Duck):
    """States half of its epsilon."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), epsilon=self.epsilon / 2)


class OtherScales(Duck):
    """States other noise scales than it has."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), noise_scales=self._scales())


@faults.fails("receipt")
class UnknownScale(OtherScales):
    """States a noise scale of no release."""

    def _scales(self):
        return {"sum of squares": 1.0}


@faults.fails("receipt")
class InfiniteScale(OtherScales):
    """States an infinite noise scale."""

    def _scales(self):
        return {"sum": [np.inf, 1.0]}


@faults.fails("receipt")
class NegativeScale(OtherScales):
    """States a negative noise scale."""

    def _scales(self):
        return {"sum": -1.0}


class ShortReceipt(Receipt):
    """A receipt that does not write down all it says."""

    def to_json(self):
        return '{"source": "Duck"}'


@faults.fails("receipt")
class GivesShortReceipt(Duck):
    """Gives a receipt whose JSON lacks the guarantee."""

    def _receipt(self, plan, entry, draw):
        return ShortReceipt(**vars(super()._receipt(plan, entry, draw)))


@faults.caught_by("receipt")
class GivesNoReceipt(Duck):
    """Gives no receipt."""

    def fit(self, X, y=None):
        super().fit(X)
        del self.privacy_
        return self


@faults.caught_by("receipt")
class GivesAnything(Duck):
    """Gives a receipt that says next to nothing."""

    def _receipt(self, plan, entry, draw):
        return SimpleNamespace(source="GivesAnything", epsilon=self.epsilon)


@faults.fails("receipt")
class WrongName(Duck):
    """Gives a receipt in another's name."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), source="StandardScaler")


@faults.fails("adjacency_is_the_accountants")
class NoiseForAddRemove(Duck):
    """Sets its noise for add-remove adjacency, whatever its accountant has."""

    def _draw(self, plan, X, source):
        return super()._draw(replace(plan, adjacency="add-remove"), X, source)


@faults.fails("adjacency_is_the_accountants")
class ClaimsAddRemove(Duck):
    """Claims add-remove adjacency on the receipt of a fit under replace-one."""

    def _receipt(self, plan, entry, draw):
        return replace(super()._receipt(plan, entry, draw), adjacency="add-remove")


@faults.fails("adjacency_is_the_accountants")
class ReplaceOneAlone(Duck):
    """Takes the number of rows for public where no accountant says so."""

    def _facts(self, X):
        facts = super()._facts(X)
        return facts if self.accountant is not None else Facts(adjacency="replace-one")


@faults.fails("undeclared_classes_are_named")
class SilentClasses(Centroid):
    """Takes labels from y and does not say so."""

    def _assumptions(self, facts):
        return ["The number of columns is public."]


@faults.fails("undeclared_classes_are_named")
class IgnoresClasses(Centroid):
    """Has the parameter for declared classes and looks at y instead."""

    def _public_classes(self, y):
        return np.unique(y)


@faults.fails("undeclared_classes_are_named")
class HidesClasses(Centroid):
    """Has only those of the declared classes that are in y."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.classes_ = np.unique(y)


@faults.fails("undeclared_classes_are_named")
class ChargesUndeclared(Centroid):
    """Refuses a label that is not declared, after the charge."""

    def _public_classes(self, y):
        if not isinstance(self.classes, list):
            return super()._public_classes(y)
        return np.unique(self.classes)

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        if not np.isin(y, self.classes_).all():
            raise ValueError("y has labels that the 'classes' parameter does not declare.")


class Batches(Mean):
    """A mean over batches that keeps the contract."""

    def partial_fit(self, X, y=None):
        return self._private_fit(X, extend=True)


@faults.fails("partial_fit_adds_up")
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


@faults.fails("partial_fit_adds_up")
class ForgetsBatches(Batches):
    """Gives a receipt for the last batch only."""

    def partial_fit(self, X, y=None):
        if hasattr(self, "privacy_") and self.privacy_.adjacency != self._adjacency():
            raise ValueError("Earlier batches have another adjacency.")
        return self._private_fit(X)


@faults.caught_by("partial_fit_adds_up")
class NeverStartsAnew(Batches):
    """Goes on where it should start anew."""

    def fit(self, X, y=None):
        return self._private_fit(X, extend=True)


@faults.fails("partial_fit_adds_up")
class MixesAdjacencies(Batches):
    """Puts batches of different adjacencies on one receipt."""

    def partial_fit(self, X, y=None):
        if hasattr(self, "privacy_"):
            self.privacy_ = replace(self.privacy_, adjacency=self._adjacency())
        return super().partial_fit(X)


# Conventions


@faults.fails("parameters_survive_fit")
class WritesBack(Mean):
    """Writes what it learned into a constructor's parameter."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, centre=None):
        super().__init__(epsilon, delta, accountant, random_state)
        self.centre = centre

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.centre = self.mean_


@faults.fails("parameters_survive_fit")
class ChangesParameter(Mean):
    """Changes the list that it was given as a parameter."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, names=NAMES):
        super().__init__(epsilon, delta, accountant, random_state)
        self.names = names

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        if isinstance(self.names, list):
            self.names.append("fitted")


@faults.caught_by("interface")
class HasNoDelta(Mean):
    """Has no delta to set."""

    def __init__(self, epsilon=1.0, accountant=None, random_state=None):
        self.epsilon = epsilon
        self.accountant = accountant
        self.random_state = random_state


@faults.caught_by("interface")
class HasNoPlan(Mean):
    """Can't say what it will cost."""

    plan = None


@faults.fails("input_is_untouched")
class ClipsInPlace(Mean):
    """Clips the rows of its caller."""

    def _fit(self, X, y, sample_weight, release):
        if X.flags.writeable:
            np.clip(X, -2, 2, out=X)
        super()._fit(X, y, sample_weight, release)


@faults.fails("types_are_fixed")
class TypeOfRows(Mean):
    """Has attributes in the type of the rows."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = self.mean_.astype(X.dtype)


@faults.fails("types_are_fixed")
class DropsConstantColumns(Mean):
    """Has attributes as long as there are columns that vary."""

    def _fit(self, X, y, sample_weight, release):
        super()._fit(X, y, sample_weight, release)
        self.mean_ = self.mean_[np.ptp(X, axis=0) > 0]
