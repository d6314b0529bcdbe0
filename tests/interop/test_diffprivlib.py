import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skprivacy import BudgetExceededError, PrivacyAccountant, PrivacyError
from skprivacy.accounting import pure_mu
from skprivacy.interop import (
    CLAIM,
    UNPROVEN,
    DiffprivlibEstimator,
    diffprivlib_model,
    load_diffprivlib,
    read_budget_accountant,
)
from skprivacy.plan import Facts

X, y = load_iris(return_X_y=True)


def naive_bayes(epsilon=1.0, **params):
    params = {"claims": "as-claimed"} | params
    model = diffprivlib_model("GaussianNB", epsilon=epsilon, bounds=(0, 8), random_state=0)
    return DiffprivlibEstimator(model, **params)


def scaler(epsilon=0.5, **params):
    model = diffprivlib_model("StandardScaler", epsilon=epsilon, bounds=(0, 8), random_state=0)
    return DiffprivlibEstimator(model, claims="as-claimed", **params)


def total_epsilon(accountant):
    return math.fsum(entry.epsilon for entry in accountant.entries)


@pytest.mark.parametrize("name", sorted(UNPROVEN))
def test_an_unproven_claim_is_refused_and_costs_nothing(name):
    accountant = PrivacyAccountant()
    model = DiffprivlibEstimator(diffprivlib_model(name), accountant=accountant)
    with pytest.raises(PrivacyError, match=f"{name} claims is unproven"):
        model.fit(X, y)
    assert len(accountant.entries) == 0


def test_claims_must_be_one_of_its_values():
    with pytest.raises(ValueError, match="claims must be 'refuse' or 'as-claimed'"):
        naive_bayes(claims="believe").fit(X, y)


def test_a_fit_charges_the_claim_and_says_that_it_is_one():
    accountant = PrivacyAccountant(epsilon=2.0)
    model = naive_bayes(1.5, accountant=accountant).fit(X, y)
    (entry,) = accountant.entries
    assert (entry.epsilon, entry.mu, entry.delta) == (1.5, pytest.approx(pure_mu(1.5)), 0.0)
    assert entry.source == "diffprivlib.GaussianNB"
    assert CLAIM in entry.assumptions[0]
    assert UNPROVEN["GaussianNB"] in entry.assumptions[0]
    assert entry.reproducible
    assert model.privacy_.entry_uid == entry.uid
    assert model.privacy_.epsilon == pytest.approx(1.5)


def test_the_charge_comes_before_the_rows():
    accountant = PrivacyAccountant(epsilon=1.0)
    model = naive_bayes(1.0, accountant=accountant)
    model.fit(X, y)
    with pytest.raises(BudgetExceededError):
        clone(model).fit(None, None)  # the rows are not looked at
    assert len(accountant.entries) == 1


def test_a_failed_fit_stays_charged_and_is_marked_without_its_message():
    accountant = PrivacyAccountant(epsilon=2.0)
    with pytest.raises(ValueError, match="inconsistent"):
        naive_bayes(accountant=accountant).fit(X, y[:10])
    (entry,) = accountant.entries
    assert (entry.status, entry.reason) == ("failed", "ValueError")


def test_diffprivlibs_own_accountants_are_not_used():
    theirs = load_diffprivlib().BudgetAccountant(epsilon=0.1, delta=0.0)
    inner = diffprivlib_model("GaussianNB", epsilon=1.0, bounds=(0, 8), accountant=theirs)
    DiffprivlibEstimator(inner, claims="as-claimed").fit(X, y)
    assert len(theirs) == 0
    assert not hasattr(inner, "theta_")


def test_a_pipeline_and_its_clone_charge_one_ledger():
    accountant = PrivacyAccountant()
    model = make_pipeline(scaler(accountant=accountant), naive_bayes(accountant=accountant))
    model.fit(X, y)
    assert (len(accountant.entries), total_epsilon(accountant)) == (2, 1.5)
    clone(model).fit(X, y)
    assert (len(accountant.entries), total_epsilon(accountant)) == (4, 3.0)
    assert model.predict(X).shape == y.shape


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_charges_every_fit_wherever_it_runs(n_jobs):
    accountant = PrivacyAccountant()
    model = make_pipeline(scaler(accountant=accountant), naive_bayes(accountant=accountant))
    grid = {"diffprivlibestimator-2__estimator__epsilon": [1.0, 3.0, 10.0]}
    search = GridSearchCV(model, grid, cv=4, n_jobs=n_jobs, error_score="raise").fit(X, y)
    best = search.best_params_["diffprivlibestimator-2__estimator__epsilon"]
    assert len(accountant.entries) == 3 * 4 * 2 + 2
    assert total_epsilon(accountant) == 12 * 0.5 + 4 * 14.0 + 0.5 + best


def test_cross_validation_charges_every_fold():
    accountant = PrivacyAccountant()
    cross_val_score(naive_bayes(accountant=accountant), X, y, cv=5)
    assert total_epsilon(accountant) == 5.0


def test_bind_reaches_the_wrapper_and_not_the_model_inside():
    accountant = PrivacyAccountant(epsilon=3.0)
    model = accountant.bind(make_pipeline(scaler(), naive_bayes()))
    clone(model).fit(X, y)
    assert total_epsilon(accountant) == 1.5
    assert "estimator__accountant" not in naive_bayes().get_params()
    assert naive_bayes().get_params()["estimator__epsilon"] == 1.0


WEIGHTS = {"diffprivlibestimator-1": 0.2, "diffprivlibestimator-2": 0.8}


def test_allocate_uses_a_pure_ceiling_up():
    accountant = PrivacyAccountant(epsilon=1.0, delta=0.0)
    model = accountant.allocate(make_pipeline(scaler(), naive_bayes()), WEIGHTS)
    model.fit(X, y)
    assert [entry.epsilon for entry in accountant.entries] == pytest.approx([0.2, 0.8])
    with pytest.raises(BudgetExceededError):
        naive_bayes(0.001, accountant=accountant).fit(X, y)


def test_allocate_uses_the_mu_of_a_ceiling_up():
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    model = accountant.allocate(make_pipeline(scaler(), naive_bayes()), WEIGHTS)
    model.fit(X, y)
    first, second = (entry.mu**2 for entry in accountant.entries)
    assert second / first == pytest.approx(4.0)
    assert accountant.spent.mu == pytest.approx(accountant.ceiling.mu)


def test_with_a_delta_the_price_is_that_of_the_budget():
    plan = naive_bayes(epsilon=1.0, delta=1e-5).plan(Facts())
    assert plan.loss.to_epsilon(1e-5) <= 1.0 * (1 + 1e-9)
    assert plan.loss.to_epsilon(1e-5) == pytest.approx(min(1.0, plan.loss.epsilon), rel=1e-6)


class Spendthrift(BaseEstimator):
    """A model that spends twice what it was given, as seen by its own accountant."""

    def __init__(self, epsilon=1.0, accountant=None):
        self.epsilon = epsilon
        self.accountant = accountant

    def fit(self, X):
        self.accountant.spend(self.epsilon, 0)
        self.accountant.spend(self.epsilon, 1e-7)
        return self


def test_what_a_model_spends_beyond_its_claim_is_charged_too():
    accountant = PrivacyAccountant()
    DiffprivlibEstimator(Spendthrift(), accountant=accountant).fit(X)
    claimed, excess = accountant.entries
    assert claimed.epsilon == 1.0
    assert (excess.delta, excess.mu) == (1e-7, pytest.approx(pure_mu(1.0)))
    assert excess.source == "diffprivlib.Spendthrift (excess)"


def test_methods_and_tags_are_those_of_the_model():
    model = naive_bayes().fit(X, y)
    assert is_classifier(model)
    np.testing.assert_array_equal(model.predict(X), model.estimator_.predict(X))
    np.testing.assert_array_equal(model.predict_proba(X), model.estimator_.predict_proba(X))
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.score(X, y) == model.estimator_.score(X, y)
    assert model.n_features_in_ == 4
    assert not hasattr(model, "transform")
    assert not hasattr(scaler(), "predict")
    np.testing.assert_array_equal(*[step.fit(X).transform(X) for step in (scaler(), scaler())])


def test_a_fitted_model_unpickles_where_diffprivlib_was_not_imported(tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(naive_bayes().fit(X, y)))
    script = (
        "import pickle, sys\n"
        f"model = pickle.loads(open({str(path)!r}, 'rb').read())\n"
        "assert model.predict([[5.0, 3.0, 1.5, 0.2]]).shape == (1,)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_budget_accountants_are_read_as_losses():
    spent = [(0.5, 0.0), (1.0, 1e-6), (0.0, 1e-7)]
    theirs = load_diffprivlib().BudgetAccountant(delta=0.1, slack=0.01, spent_budget=spent)
    losses = read_budget_accountant(theirs)
    assert [loss.delta for loss in losses] == [0.0, 1e-6, 1e-7]
    assert losses[0].epsilon == 0.5
    assert losses[1].mu == pytest.approx(pure_mu(1.0))
    assert losses[2].mu == 0.0


def test_an_infinite_spend_has_no_guarantee():
    theirs = load_diffprivlib().BudgetAccountant(spent_budget=[(math.inf, 0.0)])
    (loss,) = read_budget_accountant(theirs)
    assert loss.mu == math.inf
