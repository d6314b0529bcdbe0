"""Stacks of shadow models: what they are trained on, and that they are worth the name."""

import time

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from skprivacy.adversarial import AdversariallyRegularizedClassifier, shadow_predictions

X, Y = load_digits(return_X_y=True)
X, Y = (X / 16).astype(np.float32)[:800], Y[:800]
HALVES = np.random.default_rng(0).permuted(np.tile(np.arange(800) < 400, (6, 1)), axis=1)


def model(**parameters):
    return AdversariallyRegularizedClassifier(
        **{"max_iter": 30, "n_iter_no_change": 10, **parameters}
    )


@pytest.mark.parametrize("regularizer", ["adversarial", "relaxloss", None])
def test_shadow_models_are_as_good_as_those_fitted_one_by_one(regularizer):
    shadows = shadow_predictions(model(regularizer=regularizer), X, Y, HALVES, random_state=0)
    assert shadows.probabilities.shape == (6, 800, 10)
    hits = shadows.classes[shadows.probabilities.argmax(axis=2)] == Y
    alone = [
        clone(model(regularizer=regularizer, random_state=seed)).fit(X[rows], Y[rows]).predict(X)
        == Y
        for seed, rows in enumerate(HALVES)
    ]
    ours, theirs = hits[~HALVES].mean(), np.array(alone)[~HALVES].mean()
    assert ours == pytest.approx(theirs, abs=0.05)


def test_members_and_only_they_are_trained_on():
    options = {"early_stopping": False, "regularizer": None, "max_iter": 60, "alpha": 0.0}
    spoiled = X.copy()
    spoiled[~HALVES[0]] = 7.0
    one = shadow_predictions(model(**options), X, Y, HALVES[:1], random_state=0)
    other = shadow_predictions(model(**options), spoiled, Y, HALVES[:1], random_state=0)
    inside = HALVES[0]
    np.testing.assert_array_equal(one.probabilities[0, inside], other.probabilities[0, inside])
    own = one.probabilities[0, np.arange(800), Y]
    assert own[inside].mean() > own[~inside].mean() + 0.02


def test_models_of_different_sizes_and_small_stacks():
    inside = HALVES.copy()
    inside[2, np.flatnonzero(inside[2])[:50]] = False
    shadows = shadow_predictions(
        model(max_iter=2), X, Y, inside, X_population=X[:7], n_stacked=2, random_state=0
    )
    assert shadows.population.shape == (6, 7, 10)
    np.testing.assert_allclose(shadows.population, shadows.probabilities[:, :7], rtol=1e-4)
    assert (shadows.n_iter == 2).all()
    assert np.isfinite(shadows.probabilities).all()
    assert len({p.tobytes() for p in shadows.probabilities}) == 6


def test_reference_rows_may_be_given():
    Z, labels = load_digits(return_X_y=True)
    given = {"X_reference": Z[800:1200] / 16, "y_reference": labels[800:1200]}
    options = {"random_state": 0, **given}
    idle, plain, heeded = (
        shadow_predictions(model(max_iter=8, **parameters), X, Y, HALVES[:2], **options)
        for parameters in ({"adversary_weight": 0.0}, {"regularizer": None}, {})
    )
    np.testing.assert_allclose(idle.probabilities, plain.probabilities, rtol=1e-2, atol=1e-3)
    assert not np.allclose(heeded.probabilities, plain.probabilities, rtol=1e-2, atol=1e-3)
    with pytest.raises(ValueError, match="not in y"):
        shadow_predictions(model(), X, Y, HALVES, X_reference=X, y_reference=Y + 1)


def test_what_can_not_be_stacked_is_refused():
    with pytest.raises(TypeError, match="trains copies"):
        shadow_predictions(object(), X, Y, HALVES)
    with pytest.raises(ValueError, match="epsilon=1.0"):
        shadow_predictions(model(epsilon=1.0), X, Y, HALVES)
    with pytest.raises(ValueError, match="inside must have shape"):
        shadow_predictions(model(), X, Y, HALVES[:, :5])
    with pytest.raises(ValueError, match="inside must have shape"):
        shadow_predictions(model(), X, Y, np.zeros((2, 800), dtype=bool))
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        shadow_predictions(model(max_iter=0), X, Y, HALVES)


@pytest.mark.slow
def test_a_stack_costs_much_less_than_its_models_one_by_one():
    inside = np.random.default_rng(0).permuted(np.tile(np.arange(800) < 400, (32, 1)), axis=1)
    plain = model(regularizer=None, early_stopping=False)

    def seconds(work):
        start = time.process_time()
        work()
        return time.process_time() - start

    stacked = min(
        seconds(lambda: shadow_predictions(plain, X, Y, inside, random_state=0)) for _ in range(2)
    )
    single = min(seconds(lambda: plain.fit(X[inside[0]], Y[inside[0]])) for _ in range(3))
    assert stacked < 32 * single / 1.5
