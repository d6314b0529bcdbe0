"""Audits of private training: what one row can move, step by step, in exact arithmetic."""

import math

import numpy as np
import pytest
from auditing import halved_noise

from skprivacy import PrivacyAccountant
from skprivacy.adversarial import AdversariallyRegularizedClassifier
from skprivacy.adversarial._private import ATTACKER, CLASSIFIER, COUNT
from skprivacy.attacks import clopper_pearson, record, replay, transcript_mu_squared

RNG = np.random.default_rng(0)
# An even number of rows: sampling one less asks for as many random words.
X = RNG.normal(size=(24, 3))
Y = np.tile([0, 1, 2], 8)
REFERENCE = {"X_reference": X[:6] + 1, "y_reference": Y[:6]}


def model(**parameters):
    return AdversariallyRegularizedClassifier(
        **{
            "epsilon": 3.0,
            "random_state": 0,
            "hidden_layer_sizes": (4,),
            "adversary_hidden": 4,
            "max_iter": 20,
            "sampling_rate": 1.0,
            "warmup_epochs": 2,
            "classes": [0, 1, 2],
            **parameters,
        }
    )


def run(X, Y, weights=None, reference=REFERENCE, **parameters):
    # A norm so small that every row's gradient is clipped: the sensitivity is attained.
    parameters = {"clipping_norm": 1e-4, **parameters}
    return lambda: model(**parameters).fit(X, Y, weights, **reference)


def share(first, second):
    """Return the mu that a row moves, over the mu that the honest plan claims."""
    claimed = model().plan().loss.mu
    recorded = record(first)
    return math.sqrt(transcript_mu_squared(recorded, replay(second, recorded))) / claimed


@pytest.mark.parametrize("regularizer", ["adversarial", "relaxloss", None])
def test_one_row_moves_what_is_paid_for_and_no_more(regularizer):
    found = share(run(X, Y, regularizer=regularizer), run(X[:-1], Y[:-1], regularizer=regularizer))
    # Each release's certified mu is a little below its part of the budget.
    assert 0.95 <= found <= 1


def test_a_reference_row_is_paid_for_too():
    less = {name: value[:-1] for name, value in REFERENCE.items()}
    found = share(run(X[:-1], Y[:-1]), run(X[:-1], Y[:-1], reference=less))
    # It moves the inference network's gradients alone.
    attacker = next(m for m in model().plan().mechanisms if m.name == ATTACKER)
    assert 0.95 * attacker.budget / model().plan().loss.mu <= found <= 1


def test_a_row_of_twice_the_largest_weight_moves_no_more():
    heavy = np.ones(24)
    heavy[-1] = 5.0
    assert share(run(X, Y, heavy), run(X[:-1], Y[:-1])) <= 1


def test_huge_rows_move_no_more():
    huge = X.copy()
    huge[-1] = 1e100
    assert share(run(huge, Y), run(X[:-1], Y[:-1])) <= 1


def test_half_the_noise_is_seen():
    with halved_noise():
        recorded = record(run(X, Y))
        other = replay(run(X[:-1], Y[:-1]), recorded)
    claimed = model().plan().loss.mu
    assert math.sqrt(transcript_mu_squared(recorded, other)) / claimed > 1.9


def test_replacing_a_row_moves_what_is_paid_for_and_no_more():
    accountant = PrivacyAccountant(adjacency="replace-one")
    other_X, other_Y = X.copy(), Y.copy()
    other_X[-1], other_Y[-1] = -3 * X[-1], 0
    recorded = record(run(X, Y, accountant=accountant))
    moved = replay(run(other_X, other_Y, accountant=accountant), recorded)
    claimed = recorded.result.privacy_.mu
    assert 0.5 <= math.sqrt(transcript_mu_squared(recorded, moved)) / claimed <= 1


def moved_by_step(first, second, name, n_layers, start, **parameters):
    """Return how far, in noise scales squared, a row moves each step's release."""
    plan = {m.name: m for m in model(**parameters).plan().mechanisms}
    recorded = record(first)
    other = replay(second, recorded)
    squares = [
        ((one.total - two.total).astype(float) ** 2).sum() / one.scale**2
        for one, two in zip(recorded.releases, other.releases, strict=True)
    ]
    # After the number of rows, one release for every layer.
    steps = np.array(squares[1:]).reshape(plan[name].n_steps, -1)[:, start : start + n_layers]
    return steps.sum(axis=1), plan[name]


@pytest.mark.parametrize("name", [CLASSIFIER, ATTACKER])
def test_a_row_takes_part_as_often_as_is_paid_for(name):
    # The row left out is the last that is sampled, so that the others keep their coins.
    parameters = {"sampling_rate": 0.1, "max_iter": 60}
    if name == CLASSIFIER:
        parameters["regularizer"] = None
        pair = (
            run(X, Y, reference={}, **parameters),
            run(X[:-1], Y[:-1], reference={}, **parameters),
        )
        moved, paid = moved_by_step(*pair, name, 2, 0, **parameters)
    else:
        less = {name: value[:-1] for name, value in REFERENCE.items()}
        pair = run(X, Y, **parameters), run(X, Y, reference=less, **parameters)
        moved, paid = moved_by_step(*pair, name, 3, 0, **parameters)
    assert moved.size == paid.n_steps == 600
    assert (moved <= paid.noise_multiplier**-2 * (1 + 1e-9)).all()
    assert moved.max() >= 0.95 * paid.noise_multiplier**-2
    low, high = clopper_pearson(int((moved > 0).sum()), 600, 1e-6)
    assert low <= 0.1 <= high


def test_reference_rows_are_chosen_by_coins_and_paid_like_the_rest():
    plan = {m.name for m in model().plan().mechanisms}
    assert plan == {COUNT, ATTACKER, CLASSIFIER}
    counts = []
    for seed in range(40):
        recorded = record(run(X, Y, reference={}, random_state=seed, max_iter=1))
        # The first release is the number of rows that are learned from.
        first = recorded.releases[0]
        counts.append(first.total[0] / recorded.releases[0].scale)
    unit = max(counts) / 24
    assert len(set(counts)) > 3
    assert 0.6 < np.mean(counts) / (24 * unit) <= 1
