"""The estimator: its fits, its ways of going on, and what its receipts and curves say."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skprivacy import BudgetExceededError, PrivacyAccountant
from skprivacy.adversarial import AdversariallyRegularizedClassifier
from skprivacy.adversarial._training import Training
from skprivacy.testing import check_dp_estimator

X, Y = load_digits(return_X_y=True)
X = X / 16
TRAIN, TEST = slice(0, 700), slice(700, 1400)


def model(**parameters):
    return AdversariallyRegularizedClassifier(
        **{"random_state": 0, "max_iter": 30, "n_iter_no_change": 10, **parameters}
    )


def fitted(**parameters):
    return model(**parameters).fit(X[TRAIN], Y[TRAIN])


@pytest.mark.parametrize("regularizer", ["adversarial", "relaxloss", None])
def test_it_learns(regularizer):
    learned = fitted(regularizer=regularizer)
    assert learned.score(X[TEST], Y[TEST]) > 0.85
    assert np.allclose(learned.predict_proba(X[TEST]).sum(axis=1), 1)
    np.testing.assert_allclose(
        learned.predict_log_proba(X[TEST]), np.log(learned.predict_proba(X[TEST])), atol=1e-6
    )
    assert len(learned.loss_curve_) == learned.n_iter_ == len(learned.validation_scores_)
    n_guesses = learned.n_iter_ if regularizer == "adversarial" else 0
    assert len(learned.adversary_accuracy_curve_) == n_guesses
    assert [w.shape for w in learned.coefs_] == [(64, 64), (64, 10)]
    assert [b.shape for b in learned.intercepts_] == [(64,), (10,)]


def test_plain_training_does_as_well_as_scikit_learns():
    ours = fitted(regularizer=None, early_stopping=False, alpha=0.0)
    theirs = MLPClassifier((64,), batch_size=32, max_iter=30, n_iter_no_change=100, alpha=0.0)
    theirs.random_state = 0
    with pytest.warns(match="Maximum iterations"):
        theirs.fit(X[TRAIN], Y[TRAIN])
    assert ours.score(X[TEST], Y[TEST]) > theirs.score(X[TEST], Y[TEST]) - 0.02
    assert ours.loss_curve_[-1] == pytest.approx(theirs.loss_curve_[-1], rel=0.25)


def test_float32_and_sparse_rows_give_nearly_the_same_model():
    dense = fitted(max_iter=5)
    single = model(max_iter=5).fit(X[TRAIN].astype(np.float32), Y[TRAIN])
    assert dense.predict_proba(X[TEST]).dtype == np.float64
    assert single.predict_proba(X[TEST]).dtype == np.float32
    sparse = model(max_iter=5).fit(sp.csr_matrix(X[TRAIN]), Y[TRAIN])
    np.testing.assert_allclose(
        sparse.predict_proba(sp.csr_array(X[TEST])), dense.predict_proba(X[TEST]), atol=1e-8
    )


def test_reference_rows_may_be_given():
    given = model().fit(X[TRAIN], Y[TRAIN], X_reference=X[TEST], y_reference=Y[TEST])
    idle = model(adversary_weight=0.0).fit(
        X[TRAIN], Y[TRAIN], X_reference=X[TEST], y_reference=Y[TEST]
    )
    plain = model(regularizer=None).fit(X[TRAIN], Y[TRAIN])
    np.testing.assert_allclose(idle.coefs_[0], plain.coefs_[0], rtol=1e-6, atol=1e-9)
    assert not np.allclose(given.coefs_[0], plain.coefs_[0])
    sparse = model().fit(
        X[TRAIN], Y[TRAIN], X_reference=sp.csr_matrix(X[TEST]), y_reference=Y[TEST]
    )
    np.testing.assert_allclose(sparse.coefs_[0], given.coefs_[0], atol=1e-6)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"X_reference": X[TEST]}, "together"),
        ({"y_reference": Y[TEST]}, "together"),
        ({"X_reference": X[TEST, :3], "y_reference": Y[TEST]}, "3 features"),
        ({"X_reference": X[TEST], "y_reference": Y[TEST] + 1}, "y_reference has labels"),
        ({"X_reference": X[TEST], "y_reference": Y[:5]}, "inconsistent"),
        ({"X_reference": X[TEST] * np.nan, "y_reference": Y[TEST]}, "X_reference contains NaN"),
    ],
)
def test_wrong_reference_rows_are_refused_before_the_charge(reference, message):
    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match=message):
        model(accountant=accountant).fit(X[TRAIN], Y[TRAIN], **reference)
    assert len(accountant.entries) == 0


def test_weights_count():
    weights = np.where(Y[TRAIN] == 3, 50.0, 1.0)
    plain = fitted(regularizer=None, max_iter=4, early_stopping=False)
    heavy = model(regularizer=None, max_iter=4, early_stopping=False).fit(
        X[TRAIN], Y[TRAIN], weights
    )
    assert (heavy.predict(X[TEST]) == 3).mean() > (plain.predict(X[TEST]) == 3).mean() + 0.02
    # Newer versions of scikit-learn have a word on that of their own.
    with pytest.raises(ValueError, match=r"[Ss]ample weights"):
        model().fit(X[TRAIN], Y[TRAIN], np.zeros(700))


def test_warm_start_goes_on_and_the_receipt_covers_both():
    warm = model(max_iter=3, warm_start=True, early_stopping=False)
    warm.fit(X[TRAIN], Y[TRAIN])
    first = copy.deepcopy(warm)
    warm.fit(X[TRAIN], Y[TRAIN])
    assert len(warm.loss_curve_) == 6
    assert warm.loss_curve_[:3] == first.loss_curve_
    assert warm.loss_curve_[3] < first.loss_curve_[0]
    assert len(warm.privacy_.mechanisms) == 2
    with pytest.raises(ValueError, match="warm_start=False"):
        warm.set_params(hidden_layer_sizes=(5,)).fit(X[TRAIN], Y[TRAIN])
    cold = warm.set_params(warm_start=False, hidden_layer_sizes=(64,)).fit(X[TRAIN], Y[TRAIN])
    assert cold.loss_curve_ == first.loss_curve_
    assert len(cold.privacy_.mechanisms) == 1


def test_a_failed_warm_start_leaves_the_model(monkeypatch):
    warm = model(max_iter=3, warm_start=True).fit(X[TRAIN], Y[TRAIN])
    before = warm.predict_proba(X[TEST])
    epoch = Training.epoch

    def failing(self, rows):
        epoch(self, rows)
        raise MemoryError

    monkeypatch.setattr(Training, "epoch", failing)
    with pytest.raises(MemoryError):
        warm.fit(X[TRAIN], Y[TRAIN])
    np.testing.assert_array_equal(warm.predict_proba(X[TEST]), before)


def test_partial_fit_takes_one_pass_over_each_batch():
    batched = model()
    with pytest.raises(ValueError, match="classes must be passed"):
        batched.partial_fit(X[:100], Y[:100])
    for start in range(0, 700, 100):
        part = slice(start, start + 100)
        batched.partial_fit(X[part], Y[part], classes=np.arange(10))
    assert len(batched.loss_curve_) == 7
    assert batched.loss_curve_[-1] < batched.loss_curve_[0]
    with pytest.raises(ValueError, match="not the same"):
        batched.partial_fit(X[:100], Y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match="labels that are not among"):
        batched.partial_fit(X[:100], Y[:100] + 5)
    assert not hasattr(batched, "_declared")
    pickled = pickle.loads(pickle.dumps(batched)).partial_fit(X[:100], Y[:100])
    batched.partial_fit(X[:100], Y[:100])
    np.testing.assert_array_equal(pickled.coefs_[0], batched.coefs_[0])


def test_verbose_prints_a_line_an_epoch(capsys):
    fitted(max_iter=3, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Epoch {n}" for n in (1, 2, 3)]
    assert all("adversary's accuracy = 0." in line and "score = 0." in line for line in lines)
    model(epsilon=1.0, max_iter=2, sampling_rate=0.5, verbose=True).fit(X[:99], Y[:99])
    assert capsys.readouterr().out.splitlines() == ["Step 2 of 4", "Step 4 of 4"]


def test_a_ceiling_refuses_what_has_no_guarantee_and_names_the_ways_out():
    accountant = PrivacyAccountant(epsilon=3.0)
    with pytest.raises(BudgetExceededError, match=r"epsilon=.*PrivacyAccountant\(epsilon=inf\)"):
        fitted(accountant=accountant)
    assert not accountant.preview(model()).fits_in_ceiling
    assert len(accountant.entries) == 0
    fitted(accountant=accountant, epsilon=1.0, max_iter=1, sampling_rate=0.5)
    assert accountant.spent.epsilon < 3
    unlimited = PrivacyAccountant()
    learned = fitted(accountant=unlimited, max_iter=1)
    assert learned.privacy_.epsilon == unlimited.spent.epsilon == np.inf
    assert "Nothing is guaranteed" in str(learned.privacy_)


def test_allocate_turns_the_private_mode_on():
    accountant = PrivacyAccountant(epsilon=3.0)
    search = GridSearchCV(model(max_iter=1, sampling_rate=0.5), {"clipping_norm": [0.5, 1.0]}, cv=2)
    with pytest.warns(match="Not covered"):
        search = accountant.allocate(search, classes=range(10))
    search.fit(X[TRAIN], Y[TRAIN])
    assert len(accountant.entries) == 5
    assert accountant.spent.epsilon == pytest.approx(3.0, rel=0.05)


def test_nothing_that_rows_decide_leaves_a_private_fit():
    noisy = model(epsilon=1.0, max_iter=2, sampling_rate=0.5)
    assert not hasattr(noisy, "partial_fit")
    before = fitted(max_iter=2)
    for estimator in (noisy, clone(before).fit(X[TRAIN], Y[TRAIN]).set_params(**_private())):
        estimator.fit(X[TRAIN], Y[TRAIN])
        left = {name for name in vars(estimator) if name.endswith("_")}
        assert left == {"classes_", "n_features_in_", "n_iter_", "privacy_"}
        assert not hasattr(estimator, "_training")
        assert estimator.n_iter_ == 2
        assert estimator.privacy_.epsilon == pytest.approx(1.0)


def _private():
    return {"epsilon": 1.0, "max_iter": 2, "sampling_rate": 0.5}


def test_private_training_learns():
    learned = model(epsilon=8.0, sampling_rate=0.1, learning_rate_init=5e-3, delta=1e-5)
    learned.fit(X[:1400], Y[:1400])
    assert learned.score(X[1400:], Y[1400:]) > 0.6


@pytest.mark.slow
def test_contract_of_the_defaults_under_epsilon():
    results = check_dp_estimator(AdversariallyRegularizedClassifier(epsilon=5.0, max_iter=5))
    assert {result["status"] for result in results} == {"passed"}
