"""Private training: a row's gradient is its own, to the last digit, and what is public stays so."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from skprivacy import PrivacyAccountant
from skprivacy.adversarial import AdversariallyRegularizedClassifier
from skprivacy.adversarial._inference import inference_network
from skprivacy.adversarial._network import Network
from skprivacy.adversarial._private import PrivateTraining, number_of_steps
from skprivacy.adversarial._training import Recipe, Rows, Training

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
CODES = RNG.integers(0, 3, 60)
REFERRED = RNG.random(60) < 0.3


def training(n_features=5, hidden=7, **parameters):
    recipe = Recipe.of(
        AdversariallyRegularizedClassifier(
            hidden_layer_sizes=(hidden,), adversary_hidden=hidden, **parameters
        )
    )
    network = Network((n_features, hidden, 3))
    network.initialise(np.random.default_rng(1))
    return PrivateTraining(recipe, network, 3, 0.5, np.random.default_rng(2))


@pytest.mark.parametrize("regularizer", ["adversarial", "relaxloss", None])
@pytest.mark.parametrize("flatten", [False, True])
def test_a_rows_gradient_needs_no_company(regularizer, flatten):
    # Wide enough that most libraries' sums do depend on the number of rows.
    private = training(301, 97, regularizer=regularizer)
    attacked = regularizer == "adversarial"
    X = np.random.default_rng(3).normal(size=(60, 301))

    def factors(rows):
        rows = np.asarray(rows)
        own = private._factors(X, CODES, rows, attacked=attacked, flatten=flatten)
        return [*own, *private._attacker_factors(X, CODES, REFERRED, rows)]

    whole = factors(np.arange(60))
    for kept in ([17], [3, 17, 40], RNG.permutation(60)):
        for one, all_ in zip(factors(kept), whole, strict=True):
            for found, expected in zip(one, all_, strict=True):
                np.testing.assert_array_equal(found, expected[kept])


@pytest.mark.parametrize("objective", ["linear", "log"])
def test_summed_factors_are_the_gradient_of_plain_training(objective):
    private = training(objective=objective, adversary_weight=2.0)
    rows = np.flatnonzero(~REFERRED)
    factors = private._factors(X, CODES, rows, attacked=True, flatten=False)
    plain = Training(private.recipe, 5, 3, (0, 1, 2))
    plain.network.parameters[...] = private.network.parameters
    plain.attacker.parameters[...] = private.attacker.parameters
    plain.attacker_optimiser.learning_rate = 0.0
    plain.n_epochs = private.recipe.warmup_epochs
    seen = []
    plain.optimiser.step = lambda network, gradient: seen.append(gradient)
    plain._step(Rows(X, CODES, rows, np.flatnonzero(REFERRED)), rows)
    weights, biases = private.network.views(seen[0] * rows.size)
    for (a, d), w, b in zip(factors, weights, biases, strict=True):
        total = private.clipping_norm * a.T @ d
        np.testing.assert_allclose(total[:-1], w, atol=1e-4)
        np.testing.assert_allclose(total[-1:], b, atol=1e-4)


def test_sparse_rows_train_the_same_private_model():
    options = {"epsilon": 5.0, "max_iter": 2, "sampling_rate": 0.5, "random_state": 0}
    fits = [
        AdversariallyRegularizedClassifier(**options).fit(rows, CODES).coefs_[0]
        for rows in (X, sp.csr_matrix(X))
    ]
    np.testing.assert_array_equal(*fits)


@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_plan_counts_every_step_of_both_networks(adjacency, steps):
    accountant = PrivacyAccountant(adjacency=adjacency)
    model = AdversariallyRegularizedClassifier(
        epsilon=2.0,
        accountant=accountant,
        max_iter=3,
        sampling_rate=0.4,
        adversary_steps=steps,
        random_state=0,
    ).fit(X, CODES)
    n_steps = number_of_steps(3, 0.4)
    assert n_steps == 8
    described = {m["name"]: m for m in model.privacy_.mechanisms}
    counts = [m["sensitivity"] for m in described.values() if "gradients" in m["name"]]
    assert [f"{n} steps" in text for n, text in zip((8 * steps, 8), counts, strict=True)] == [
        True,
        True,
    ]
    assert ("number of rows" in described) == (adjacency == "add-remove")
    assert model.privacy_.loss == accountant.entries[0].loss
    assert model.privacy_.epsilon == pytest.approx(2.0, rel=1e-6)
    assert model.privacy_.loss.delta == pytest.approx(1e-8)


def test_steps_do_not_follow_the_number_of_rows():
    assert number_of_steps(1, 1.0) == 1
    assert number_of_steps(10, 0.3) == math.ceil(10 / 0.3)
    plans = []
    for rows in (X, X[:20]):
        model = AdversariallyRegularizedClassifier(
            epsilon=2.0, max_iter=1, sampling_rate=0.5, classes=[0, 1, 2]
        )
        model.fit(rows, CODES[: len(rows)])
        plans.append([m["noise_multiplier"] for m in model.privacy_.mechanisms])
    assert plans[0] == plans[1]


def test_the_inference_network_tells_reference_rows_from_members():
    private = training()
    private.attacker = inference_network(3, 6)
    private.attacker.initialise(np.random.default_rng(5))
    (*_, last) = private._attacker_factors(X, CODES, REFERRED, np.arange(60))
    sign = np.sign(last[1][:, 0])
    np.testing.assert_array_equal(sign, np.where(REFERRED, 1, -1))
