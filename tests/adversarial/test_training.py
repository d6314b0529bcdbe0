"""The training loop: what a regulariser of no weight, a stack and early stopping leave alone."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skprivacy.adversarial import AdversariallyRegularizedClassifier
from skprivacy.adversarial._inference import probabilities
from skprivacy.adversarial._training import Recipe, Rows, Training, relaxed_derivatives

X, Y = load_digits(return_X_y=True)
X = X / 16
RECIPE = Recipe.of(
    AdversariallyRegularizedClassifier(hidden_layer_sizes=(16,), max_iter=8, warmup_epochs=1)
)
SEEDS = (0, 1, 2)
MEMBERS, REFERENCE, VALIDATION = np.arange(200), np.arange(200, 400), np.arange(400, 500)


def trained(recipe, rows, lead=(), seeds=SEEDS):
    training = Training(recipe, X.shape[1], 10, seeds, lead)
    n_epochs = training.run(rows)
    return training, n_epochs


def test_a_regulariser_without_weight_changes_nothing():
    rows = Rows(X, Y, MEMBERS, REFERENCE)
    plain, _ = trained(replace(RECIPE, regularizer=None), rows)
    idle, _ = trained(replace(RECIPE, adversary_weight=0.0), rows)
    # Up to rounding: the attacker's batches are twice as long.
    same = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(idle.network.parameters, plain.network.parameters, **same)
    heeded, _ = trained(RECIPE, rows)
    assert not np.allclose(heeded.network.parameters, plain.network.parameters)


def test_the_attacker_is_not_heeded_before_the_warm_up_is_over():
    rows = Rows(X, Y, MEMBERS, REFERENCE)
    for epochs, same in ((3, True), (4, False)):
        one = replace(RECIPE, warmup_epochs=3, max_iter=epochs)
        plain, _ = trained(replace(one, regularizer=None), rows)
        heeded, _ = trained(one, rows)
        found = np.allclose(heeded.network.parameters, plain.network.parameters, 1e-6, 1e-9)
        assert found == same
        assert len(heeded.curves.adversary_accuracy) == epochs


def test_the_attacker_learns_and_the_classifier_pays():
    # An overfitted model of few rows is easy to attack; a heavy regulariser blurs it.
    rows = Rows(X, Y, MEMBERS, REFERENCE)
    recipe = replace(RECIPE, hidden_layer_sizes=(64,), max_iter=150, adversary_steps=2, alpha=0.0)
    gaps = []
    for weight in (0.0, 3.0):
        training, _ = trained(replace(recipe, adversary_weight=weight), rows)
        own = probabilities(training.network, X)[np.arange(len(X)), Y]
        gaps.append(own[MEMBERS].mean() - own[REFERENCE].mean())
        if weight == 0:
            assert np.mean(training.curves.adversary_accuracy[-20:]) > 0.52
    assert gaps[1] < 0.8 * gaps[0]


@pytest.mark.parametrize("regularizer", ["adversarial", "relaxloss", None])
def test_a_stack_of_one_is_one(regularizer):
    recipe = replace(RECIPE, regularizer=regularizer)
    one, n_one = trained(recipe, Rows(X, Y, MEMBERS, REFERENCE, VALIDATION))
    rows = Rows(X, Y, MEMBERS[None], REFERENCE[None], VALIDATION[None])
    stack, n_stack = trained(recipe, rows, (1,))
    np.testing.assert_allclose(stack.network.parameters[0], one.network.parameters, atol=1e-9)
    assert n_stack.shape == (1,)
    assert n_stack[0] == n_one
    np.testing.assert_allclose(np.ravel(stack.curves.loss), one.curves.loss)


def test_early_stopping_keeps_the_best_parameters_of_each_network():
    recipe = replace(RECIPE, max_iter=60, learning_rate_init=0.01, n_iter_no_change=2)
    rng = np.random.default_rng(0)
    order = np.stack([rng.permutation(900) for _ in range(3)])
    rows = Rows(X, Y, order[:, :200], order[:, 200:400], order[:, 400:460])
    training, n_epochs = trained(recipe, rows, (3,))
    scores = np.array(training.curves.validation)
    assert len(set(n_epochs.tolist())) > 1
    for number, n in enumerate(n_epochs):
        assert n <= 60
        best = scores[:n, number].max()
        assert training.validation_score(rows)[number] == pytest.approx(best)


def test_rows_of_no_weight_have_no_influence():
    rng = np.random.default_rng(0)
    weights = np.ones(len(X))
    weights[MEMBERS[100:]] = 0
    spoiled = X.copy()
    spoiled[MEMBERS[100:]] = rng.normal(size=(100, X.shape[1]))
    recipe = replace(RECIPE, regularizer=None)
    results = [
        trained(recipe, Rows(rows, Y, MEMBERS, weights=weights))[0].network.parameters
        for rows in (X, spoiled)
    ]
    np.testing.assert_allclose(*results)


def test_relaxed_derivatives():
    P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    labels, index = np.array([0, 0]), np.arange(2)
    own = P[index, labels]
    G = P - np.eye(3)[labels]
    low = np.array([[True], [False]])
    turned = relaxed_derivatives(P, own, low, index, labels, flatten=False)
    np.testing.assert_allclose(turned, [-G[0], G[1]])
    flat = relaxed_derivatives(P, own, low, index, labels, flatten=True)
    np.testing.assert_allclose(flat, [P[0] - [0.7, 0.15, 0.15], G[1]])


def test_relaxloss_holds_training_at_its_target():
    rows = Rows(X, Y, MEMBERS)
    recipe = replace(RECIPE, regularizer="relaxloss", max_iter=100, relax_target=0.6)
    relaxed, _ = trained(recipe, rows)
    plain, _ = trained(replace(recipe, regularizer=None), rows)
    assert np.mean(relaxed.curves.loss[-20:]) == pytest.approx(0.6, abs=0.15)
    assert plain.curves.loss[-1] < 0.3
