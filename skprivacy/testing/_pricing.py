"""Checks of the price: known without data, public, and the same wherever it is written.

The plan, the entry of the ledger and the receipt must give one price, and that price must
be what the parameters promise: not more, or the user is deceived; not noticeably less, or
noise is added that nobody asked for.
"""

import json
import math
from dataclasses import replace
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import is_classifier

from ..accounting import ADJACENCIES, Adjacency, PrivacyLoss
from ..ledger import PrivacyAccountant
from ..plan import Facts, Plan
from ._charging import paid_problem
from ._problem import Problem, is_unprotected, parameters, prepared
from ._recording import ensure, recorded_draws
from ._state import attributes

TOLERANCE = 1e-6
"""Part of a budget that calibration may leave unused."""

RECEIPT = {
    "source",
    "epsilon",
    "delta",
    "mu",
    "loss",
    "adjacency",
    "mechanisms",
    "noise_scales",
    "assumptions",
    "reproducible",
    "entry_uid",
}


def check_plan_needs_no_data(estimator: Any) -> None:
    """`plan` prices a fit from public facts alone, and does nothing besides."""
    problem = Problem.for_estimator(estimator)
    accountant = PrivacyAccountant()
    for private in (prepared(estimator), prepared(estimator, accountant)):
        before = attributes(private)
        for adjacency in ADJACENCIES:
            with recorded_draws() as drawn:
                plans = [_plan(private, problem, adjacency) for _ in range(2)]
            ensure(not drawn, "plan drew a release.")
            ensure(not accountant.entries, "plan charged the accountant.")
            ensure(attributes(private) == before, "plan set attributes of the estimator.")
            for plan in plans:
                ensure(isinstance(plan, Plan), f"plan returned {type(plan).__name__}, not a Plan.")
                ensure(
                    plan.adjacency == adjacency,
                    f"plan was given facts of {adjacency} adjacency and priced {plan.adjacency}.",
                )
            ensure(plans[0] == plans[1], "plan gave two different plans for the same facts.")


def _plan(private: Any, problem: Problem, adjacency: Adjacency) -> Any:
    try:
        return private.plan(Facts(adjacency=adjacency))
    except (TypeError, ValueError):
        # A price may depend on the columns and classes, which are public too.
        return private.plan(problem.facts(private, adjacency))


def check_one_price(estimator: Any) -> None:
    """Plan, ledger and receipt give the same price and the same releases."""
    problem = Problem.for_estimator(estimator)
    for adjacency in ADJACENCIES:
        accountant = PrivacyAccountant(adjacency=adjacency)
        private = prepared(estimator, accountant)
        plan = private.plan(problem.facts(private, adjacency))
        receipt = problem.fit(private).privacy_
        prices = {"receipt": receipt.loss}
        names = {"receipt": [mechanism["name"] for mechanism in receipt.mechanisms]}
        for entry in accountant.entries:
            prices["ledger"] = entry.loss
            names["ledger"] = [mechanism["name"] for mechanism in entry.mechanisms]
        for where, price in prices.items():
            ensure(
                price == plan.loss,
                f"The {where} gives the price {price}, the plan {plan.loss} ({adjacency}).",
            )
            ensure(
                names[where] == [mechanism.name for mechanism in plan.mechanisms],
                f"The releases in the {where}, {names[where]}, are not those of the plan.",
            )


def check_budget_is_kept(estimator: Any) -> None:
    """The price is what epsilon and delta promise: never above, and not below either."""
    problem = paid_problem(estimator)
    delta = float(estimator.delta)
    if is_unprotected(estimator):
        _expect_no_guarantee(estimator, problem)
        return
    budgets = {(float(estimator.epsilon), delta), (0.5, delta), (2.0, delta), (1.0, 1e-5), (1.0, 0)}
    for epsilon, delta in sorted(budgets):
        for adjacency in ADJACENCIES:
            private = prepared(estimator, epsilon=epsilon, delta=delta)
            try:
                plan = private.plan(problem.facts(private, adjacency))
            except ValueError:
                # Not every estimator has a mode for pure differential privacy.
                if delta == 0:
                    continue
                raise
            price = plan.loss.to_epsilon(delta)
            promise = f"epsilon = {epsilon:g} at delta = {delta:g} ({adjacency})"
            ensure(price <= epsilon, f"A fit costs {price!r}; it promises {promise}.")
            ensure(
                price >= epsilon * (1 - TOLERANCE),
                f"A fit costs {price!r} only, so it adds too much noise; it promises {promise}.",
            )


def _expect_no_guarantee(estimator: Any, problem: Problem) -> None:
    """Whatever delta is, the price is infinite, and plan, receipt and ledger say so."""
    for adjacency in ADJACENCIES:
        accountant = PrivacyAccountant(adjacency=adjacency)
        private = prepared(estimator, accountant)
        plan = private.plan(problem.facts(private, adjacency))
        ensure(
            plan.loss == PrivacyLoss.none(),
            f"With epsilon=None nothing is guaranteed, but the plan's price is {plan.loss}.",
        )
        receipt = problem.fit(private).privacy_
        for where, found in {"receipt": receipt, "ledger": accountant.spent}.items():
            ensure(
                found.epsilon == math.inf,
                f"A fit without a guarantee has epsilon = {found.epsilon} in the {where}.",
            )


def check_price_is_public(estimator: Any) -> None:
    """The price and its description depend on neither the rows' values nor their number."""
    problem = Problem.for_estimator(estimator)
    constant = np.ones_like(problem.X)
    data = {
        "the same rows": problem,
        "a third of the rows": problem.head(problem.n_rows // 3),
        "rows a hundred times as large": replace(problem, X=problem.X * 100),
        "rows with an extreme one": problem.neighbour(),
        "constant rows": replace(problem, X=constant),
    }
    descriptions = {}
    for what, rows in data.items():
        accountant = PrivacyAccountant()
        private = rows.fit(prepared(estimator, accountant))
        texts = [
            json.dumps([entry.source, entry.assumptions, entry.mechanisms], sort_keys=True)
            for entry in accountant.entries
        ]
        descriptions[what] = (private.privacy_.loss, private.privacy_.assumptions, texts)
    expected = descriptions["the same rows"]
    for what, found in descriptions.items():
        ensure(
            found == expected,
            f"The price or its description is another one for {what}: it depends on the rows.",
        )
    private = prepared(estimator)
    prices = {
        n_features: private.plan(
            replace(problem.facts(private), n_features=n_features, bounds=None)
        ).loss
        for n_features in (1, problem.X.shape[1], 1000)
    }
    # Shares may follow the columns, and sums of other shares are rounded otherwise.
    first = prices[1]
    same = all(
        math.isclose(loss.mu, first.mu, rel_tol=1e-9)
        and math.isclose(loss.epsilon, first.epsilon, rel_tol=1e-9)
        and loss.delta == first.delta
        for loss in prices.values()
    )
    ensure(same, f"The price depends on the number of columns: {prices}.")


def check_receipt(estimator: Any) -> None:
    """The receipt states what was released, under which adjacency, at which delta."""
    problem = Problem.for_estimator(estimator)
    private = problem.fit(prepared(estimator, PrivacyAccountant()))
    ensure(hasattr(private, "privacy_"), "fit set no privacy_.")
    receipt = private.privacy_
    lacking = sorted(name for name in RECEIPT if not hasattr(receipt, name))
    ensure(not lacking, f"The receipt lacks {lacking}. Make it with Receipt.from_plan.")
    ensure(
        receipt.source == type(estimator).__name__,
        f"The receipt names {receipt.source!r}, not {type(estimator).__name__!r}.",
    )
    ensure(
        receipt.delta == estimator.delta,
        f"The receipt states delta = {receipt.delta}, the parameter is {estimator.delta}.",
    )
    ensure(
        receipt.epsilon == receipt.loss.to_epsilon(receipt.delta),
        "The receipt's epsilon is not that of its loss at its delta.",
    )
    names = [mechanism["name"] for mechanism in receipt.mechanisms]
    for name, scale in receipt.noise_scales.items():
        ensure(name in names, f"The receipt has a noise scale of {name!r}, which is no release.")
        ensure(np.isfinite(scale).all(), f"The noise scale of {name!r} is not finite.")
        ensure((np.asarray(scale) >= 0).all(), f"The noise scale of {name!r} is negative.")
    written = json.loads(receipt.to_json())
    ensure(set(written) >= RECEIPT, "The receipt's JSON lacks some of its fields.")


def check_adjacency_is_the_accountants(estimator: Any) -> None:
    """Adjacency comes from the accountant alone; without one it is add-remove."""
    problem = Problem.for_estimator(estimator)
    alone = problem.fit(prepared(estimator)).privacy_.adjacency
    ensure(alone == "add-remove", f"Without an accountant the receipt says {alone} adjacency.")
    for adjacency in ADJACENCIES:
        accountant = PrivacyAccountant(adjacency=adjacency)
        with recorded_draws() as drawn:
            found = problem.fit(prepared(estimator, accountant)).privacy_.adjacency
        ensure(
            found == adjacency,
            f"The accountant has {adjacency} adjacency, the receipt says {found}.",
        )
        used = {draw.adjacency for draw in drawn} - {None, adjacency}
        ensure(not used, f"Under {adjacency} adjacency noise was set for {used}.")


def check_undeclared_classes_are_named(estimator: Any) -> None:
    """Class labels taken from y are named in the receipt; declared ones bind y."""
    if not is_classifier(estimator):
        raise SkipTest("Not a classifier.")
    if "classes" not in parameters(estimator):
        _expect_named(Problem.for_estimator(estimator).fit(prepared(estimator)))
        return
    if "unknown_labels" in parameters(estimator):
        estimator = prepared(estimator, unknown_labels="error")
    problem = Problem.for_estimator(prepared(estimator, classes=None))
    _expect_named(problem.fit(prepared(estimator, classes=None)))
    declared = problem.fit(prepared(estimator, classes=[0, 1, 2]))
    ensure(
        list(declared.classes_) == [0, 1, 2],
        "classes_ must be the declared classes, whichever of them are in y.",
    )
    accountant = PrivacyAccountant()
    private = prepared(estimator, accountant, classes=[0, 7])
    try:
        problem.fit(private)
    except ValueError:
        ensure(not accountant.entries, "A label that is not declared was refused after a charge.")
    else:
        raise AssertionError("y has a label that 'classes' does not declare, and fit took it.")


def _expect_named(fitted: Any) -> None:
    ensure(
        any("class" in text.lower() for text in fitted.privacy_.assumptions),
        "The class labels were taken from y, and the receipt's assumptions do not say so.",
    )


def check_partial_fit_adds_up(estimator: Any) -> None:
    """Every `partial_fit` is charged, and the receipt covers all batches so far."""
    if not hasattr(estimator, "partial_fit"):
        raise SkipTest("There is no partial_fit.")
    problem = paid_problem(estimator)
    accountant = PrivacyAccountant()
    private = prepared(estimator, accountant)
    options = {}
    if is_classifier(estimator) and problem.y is not None:
        options["classes"] = np.unique(problem.y)
    half = problem.n_rows // 2
    for number, rows in enumerate((problem.head(half), problem), start=1):
        private.partial_fit(rows.X, *(() if rows.y is None else (rows.y,)), **options)
        ensure(
            len(accountant.entries) == number,
            f"There are {len(accountant.entries)} entries after {number} calls of partial_fit.",
        )
    entries = accountant.entries
    whole = entries[0].loss + entries[1].loss
    found = private.privacy_.loss
    ensure(
        math.isclose(found.mu, whole.mu, rel_tol=1e-9)
        and math.isclose(found.delta, whole.delta, rel_tol=1e-9),
        f"The receipt gives {found} after two batches, which cost {whole} together.",
    )
    private.set_params(accountant=PrivacyAccountant(adjacency="replace-one"))
    try:
        private.partial_fit(problem.X, *(() if problem.y is None else (problem.y,)), **options)
    except ValueError:
        pass
    else:
        raise AssertionError("One receipt can't cover batches of different adjacencies.")
    private.set_params(accountant=accountant)
    receipt = problem.fit(private).privacy_
    ensure(receipt.loss == entries[0].loss, "fit after partial_fit does not start anew.")
