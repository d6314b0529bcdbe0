import math

import numpy as np
import pytest
from private_steps import PrivateShift, PrivateSign
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    LeaveOneOut,
    RandomizedSearchCV,
)
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from skprivacy.exceptions import BudgetExceededError, PrivacyWarning
from skprivacy.ledger import PrivacyAccountant


@pytest.fixture
def accountant():
    return PrivacyAccountant(epsilon=2.0, delta=1e-6)


def all_private(model):
    return [
        value
        for value in model.get_params(deep=True).values()
        if isinstance(value, PrivateShift | PrivateSign)
    ]


# bind --------------------------------------------------------------------------------------


def test_bind_reaches_every_private_step(accountant, data):
    model = make_pipeline(
        FeatureUnion(
            [
                ("a", ColumnTransformer([("s", PrivateShift(), [0, 1])])),
                ("b", make_pipeline(Normalizer(), PrivateShift())),
            ]
        ),
        PrivateSign(),
    )
    assert accountant.bind(model) is model
    assert len(all_private(model)) == 3
    assert all(step.accountant is accountant for step in all_private(model))
    for step in all_private(model):
        step.set_params(epsilon=0.1)
    model.fit(*data)
    assert len(accountant.entries) == 3


def test_bind_a_bare_estimator(accountant):
    model = PrivateSign()
    assert accountant.bind(model).accountant is accountant


def test_bind_a_search(accountant):
    search = GridSearchCV(PrivateSign(), {"epsilon": [0.1, 0.2]})
    with pytest.warns(PrivacyWarning, match="GridSearchCV chooses by exact scores"):
        accountant.bind(search)
    assert search.error_score == "raise"
    assert search.estimator.accountant is accountant


def test_bind_reaches_estimators_among_the_candidates(accountant):
    other = PrivateSign(epsilon=0.3)
    search = GridSearchCV(
        make_pipeline(PrivateShift(), PrivateSign()), {"privatesign": [other, PrivateSign()]}
    )
    with pytest.warns(PrivacyWarning):
        accountant.bind(search)
    assert other.accountant is accountant


def test_bind_refuses_a_search_over_accountants(accountant):
    search = GridSearchCV(PrivateSign(), {"accountant": [None]})
    with pytest.raises(ValueError, match="varies an accountant"):
        accountant.bind(search)
    assert search.estimator.accountant is None


def test_bound_search_stops_at_the_ceiling_instead_of_scoring_nan(data):
    accountant = PrivacyAccountant(epsilon=0.5)
    search = GridSearchCV(PrivateSign(), {"epsilon": [0.1, 5.0]}, cv=3)
    with pytest.warns(PrivacyWarning):
        accountant.bind(search)
    with pytest.raises(BudgetExceededError):
        search.fit(*data)


def test_bind_names_what_reads_rows_without_a_charge(accountant):
    model = make_pipeline(
        FunctionTransformer(), Normalizer(), StandardScaler(), PrivateShift(), PrivateSign()
    )
    with pytest.warns(PrivacyWarning) as caught:
        accountant.bind(model)
    (warning,) = caught
    assert "'standardscaler' (StandardScaler) reads rows without a charge" in str(warning.message)
    assert "normalizer" not in str(warning.message)
    assert "functiontransformer" not in str(warning.message)
    assert warning.filename == __file__


def test_bind_needs_no_number_of_fits(accountant):
    model = RFE(PrivateSign())
    with pytest.warns(PrivacyWarning, match="RFE reads rows"):
        accountant.bind(model)
    assert model.estimator.accountant is accountant
    with pytest.warns(PrivacyWarning):
        accountant.bind(HalvingGridSearchCV(PrivateSign(), {"epsilon": [0.1]}))


@pytest.mark.parametrize("bootstrap", [True, False])
def test_bootstrap_is_not_covered(bootstrap, accountant, recwarn):
    accountant.bind(BaggingClassifier(PrivateSign(), bootstrap=bootstrap))
    assert any("several times into one fit" in str(w.message) for w in recwarn) == bootstrap


def test_nothing_private_is_an_error(accountant):
    with pytest.raises(ValueError, match="no private estimator inside"):
        accountant.bind(make_pipeline(StandardScaler(), LogisticRegression()))


@pytest.mark.parametrize("value", [None, 3, PrivateSign])
def test_what_is_no_estimator(value, accountant):
    for method in (accountant.bind, accountant.allocate, accountant.preview):
        with pytest.raises(TypeError, match="takes an estimator"):
            method(value)


# allocate ----------------------------------------------------------------------------------


def use_up(accountant, model, data):
    """Fit and check that exactly the ceiling was used."""
    model.fit(*data)
    ceiling = accountant.ceiling
    assert accountant.spent.mu == pytest.approx(ceiling.mu, rel=1e-8)
    assert accountant.spent.mu <= ceiling.mu
    assert accountant.spent.loss.delta == pytest.approx(ceiling.delta_reserve, rel=1e-9)
    assert accountant.spent.epsilon == pytest.approx(ceiling.epsilon, rel=1e-6)
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=ceiling.mu * 1e-3)


@pytest.mark.parametrize("shift_needs", [False, True])
@pytest.mark.parametrize("sign_needs", [False, True])
def test_allocated_pipeline_uses_the_ceiling_up(shift_needs, sign_needs, accountant, data):
    model = make_pipeline(PrivateShift(own_delta=shift_needs), PrivateSign(own_delta=sign_needs))
    shared = accountant.allocate(model, {"privateshift": 1, "privatesign": 9})
    assert shared is not model
    assert model[0].accountant is None
    use_up(accountant, shared, data)
    costs = {entry.source: entry.mu**2 for entry in accountant.entries}
    assert costs["PrivateSign"] == pytest.approx(9 * costs["PrivateShift"], rel=1e-6)
    assert accountant.ceiling.delta_reserve == pytest.approx((shift_needs + sign_needs) * 1e-8)
    # Each step's own parameters say so too.
    assert [step.delta for step in (shared[0], shared[1])] == pytest.approx([1e-6, 1e-6])


def test_default_weights_are_equal(accountant, data):
    shared = accountant.allocate(make_pipeline(PrivateShift(), PrivateSign()))
    use_up(accountant, shared, data)
    first, second = accountant.entries
    assert first.mu == pytest.approx(second.mu)


def test_bare_estimator_gets_the_ceilings_own_budget(accountant, data):
    shared = accountant.allocate(PrivateSign())
    assert shared.epsilon == pytest.approx(2.0)
    assert shared.delta == 1e-6
    use_up(accountant, shared, data)


def test_what_remains_is_shared_out(accountant, data):
    accountant.spend(mu=0.3)
    shared = accountant.allocate(make_pipeline(PrivateShift(own_delta=True), PrivateSign()))
    shared.fit(*data)
    assert accountant.spent.mu == pytest.approx(accountant.ceiling.mu, rel=1e-8)
    assert accountant.spent.loss.delta == pytest.approx(1e-8)


def test_need_that_is_unknown_counts_as_yes_and_never_overspends(accountant, data):
    model = make_pipeline(PrivateShift(), PrivateSign(needs_classes=True))
    shared = accountant.allocate(model)
    assert accountant.ceiling.delta_reserve == pytest.approx(1e-8)
    shared.fit(*data)
    assert accountant.spent.mu == pytest.approx(accountant.ceiling.mu, rel=1e-3)


def test_declared_classes_settle_the_need(accountant, data):
    model = make_pipeline(PrivateShift(), PrivateSign(needs_classes=True))
    shared = accountant.allocate(model, classes=[0, 1])
    assert accountant.ceiling.delta_reserve == 0
    use_up(accountant, shared, data)


def test_many_steps_keep_a_tenth_of_delta_aside_at_most(accountant, data):
    steps = [(f"s{i}", PrivateShift(own_delta=True)) for i in range(20)]
    shared = accountant.allocate(FeatureUnion(steps))
    assert accountant.ceiling.delta_reserve == pytest.approx(1e-7)
    shared.fit(data[0])
    assert len(accountant.entries) == 20
    assert accountant.spent.mu == pytest.approx(accountant.ceiling.mu, rel=1e-8)


@pytest.mark.parametrize("own_delta", [False, True])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_is_divided_by_its_fits(own_delta, n_jobs, accountant, data):
    search = GridSearchCV(
        make_pipeline(PrivateShift(own_delta=own_delta), PrivateSign()),
        {"privatesign__random_state": [0, 1, 2]},
        cv=4,
        n_jobs=n_jobs,
        error_score=np.nan,
    )
    with pytest.warns(PrivacyWarning):
        shared = accountant.allocate(search, {"privateshift": 0.3, "privatesign": 0.7})
    assert shared.error_score == "raise"
    assert math.isnan(search.error_score)
    use_up(accountant, shared, data)
    assert len(accountant.entries) == 26


def test_random_search_is_divided_by_its_fits(accountant, data):
    search = RandomizedSearchCV(
        PrivateSign(), {"random_state": list(range(100))}, n_iter=5, cv=2, refit=False
    )
    with pytest.warns(PrivacyWarning):
        shared = accountant.allocate(search)
    use_up(accountant, shared, data)
    assert len(accountant.entries) == 10


def test_bagging_is_divided_by_its_members(accountant, data):
    use_up(
        accountant,
        accountant.allocate(BaggingClassifier(PrivateSign(), n_estimators=7, bootstrap=False)),
        data,
    )
    assert len(accountant.entries) == 7


def test_voting_is_one_fit_of_each(accountant, data):
    model = VotingClassifier([("a", PrivateSign()), ("b", PrivateSign())])
    use_up(accountant, accountant.allocate(model, {"a": 1, "b": 2}), data)
    assert len(accountant.entries) == 2


def test_pure_ceiling_shares_out_epsilon(data):
    accountant = PrivacyAccountant(epsilon=1.0, delta=0.0)
    accountant.spend(epsilon=0.1)
    shared = accountant.allocate(
        make_pipeline(PrivateShift(), PrivateSign()), {"privateshift": 1, "privatesign": 2}
    )
    assert [step.epsilon for step in (shared[0], shared[1])] == pytest.approx([0.3, 0.6])
    shared.fit(*data)
    assert accountant.spent.epsilon == pytest.approx(1.0)
    with pytest.raises(BudgetExceededError, match="Nothing remains|would pass"):
        accountant.spend(epsilon=1e-3)


@pytest.mark.parametrize("delta", [0.0, 1e-6])
def test_exhausted_ledger_has_nothing_to_allocate(delta):
    accountant = PrivacyAccountant(epsilon=1.0, delta=delta)
    accountant.allocate(PrivateSign()).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(BudgetExceededError, match="Nothing remains"):
        accountant.allocate(PrivateSign())


def test_no_delta_left_for_steps_that_need_some():
    accountant = PrivacyAccountant(epsilon=1.0, delta_reserve=0.0)
    with pytest.raises(BudgetExceededError, match="delta of their own.*delta_reserve="):
        accountant.allocate(PrivateSign(own_delta=True))


@pytest.mark.parametrize("own_delta", [False, True])
def test_large_delta_and_many_fits_still_keep_to_the_ceiling(own_delta, data):
    # So small a mu that (0, delta) would already be more than it.
    accountant = PrivacyAccountant(epsilon=0.01, delta=0.05)
    model = BaggingClassifier(PrivateSign(own_delta=own_delta), n_estimators=30, bootstrap=False)
    shared = accountant.allocate(model)
    assert shared.estimator.epsilon > 0
    shared.fit(*data)
    assert accountant.spent.mu == pytest.approx(accountant.ceiling.mu, rel=1e-6)


def test_weights_by_nested_path_and_by_what_holds_the_steps(accountant):
    model = make_pipeline(
        ColumnTransformer([("a", PrivateShift(), [0]), ("b", PrivateShift(), [1])]), PrivateSign()
    )
    shared = accountant.allocate(model, {"columntransformer": 0.5, "privatesign": 0.5})
    inner = [shared[0].transformers[i][1] for i in (0, 1)]
    assert inner[0].epsilon == inner[1].epsilon < shared[1].epsilon
    shared = accountant.allocate(
        model, {"columntransformer__a": 0.1, "columntransformer__b": 0.2, "privatesign": 0.7}
    )
    assert shared[0].transformers[0][1].epsilon < shared[0].transformers[1][1].epsilon


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"privatesign": 1}, r"without a weight: \['privateshift'\]"),
        ({"privateshift": 1, "privatesign": 1, "other": 1}, r"weights for no step: \['other'\]"),
        ({"privateshift": 0, "privatesign": 1}, "above 0"),
        ({"privateshift": math.nan, "privatesign": 1}, "above 0"),
    ],
)
def test_wrong_weights(weights, message, accountant):
    with pytest.raises(ValueError, match=message):
        accountant.allocate(make_pipeline(PrivateShift(), PrivateSign()), weights)
    assert accountant.ceiling.mu is None


def test_no_ceiling_has_nothing_to_share_out():
    with pytest.raises(ValueError, match="needs a ceiling"):
        PrivacyAccountant().allocate(PrivateSign())


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (GridSearchCV(PrivateSign(), {"epsilon": [0.1]}), "varies epsilon"),
        (GridSearchCV(PrivateSign(), [{"delta": [0.1]}]), "varies delta"),
        (
            GridSearchCV(
                make_pipeline(PrivateSign()), {"privatesign": [PrivateSign(), PrivateSign()]}
            ),
            "other estimators in the place of steps",
        ),
        (HalvingGridSearchCV(PrivateSign(), {"random_state": [1]}), "depends on the data"),
        (GridSearchCV(PrivateSign(), {"random_state": [1]}, cv=LeaveOneOut()), "needs the data"),
        (RFE(PrivateSign()), "RFE fits what is inside it can't be known"),
    ],
)
def test_what_can_not_be_shared_out(search, message, accountant):
    with pytest.raises(ValueError, match=message):
        accountant.allocate(search)
    assert accountant.ceiling.mu is None


def test_allocated_model_can_be_cloned(accountant, data):
    shared = clone(accountant.allocate(PrivateSign()))
    use_up(accountant, shared, data)
