"""The inference network: its features and the gradient that passes through it."""

import numpy as np
import pytest
from scipy.special import expit

from skprivacy.adversarial._exact import EXACT
from skprivacy.adversarial._inference import (
    LEAST,
    attack_derivatives,
    gain_by_logits,
    inference_network,
    part,
    see,
)
from skprivacy.adversarial._network import FAST, softmax

RNG = np.random.default_rng(0)


def attacker(n_classes, lead=()):
    net = inference_network(n_classes, 8, lead)
    net.initialise(np.random.default_rng(3))
    net.parameters += 0.2 * np.random.default_rng(4).normal(size=net.parameters.shape)
    net.activation = "tanh"  # without kinks, finite differences are sharp
    return net


def test_features_are_the_label_and_four_numbers():
    P, codes = softmax(RNG.normal(size=(5, 4))), np.array([0, 3, 1, 1, 2])
    features = see(P, codes).features
    for row, code, found in zip(P, codes, features, strict=True):
        np.testing.assert_allclose(found[:4], np.eye(4)[code])
        log_own = np.log(row[code] + LEAST)
        log_other = np.log(np.delete(row, code).max() + LEAST)
        entropy = -(row * np.log(row + LEAST)).sum()
        np.testing.assert_allclose(
            found[4:], [0.2 * log_own, 0.2 * (log_own - log_other), row[code], entropy]
        )


@pytest.mark.parametrize("arithmetic", [FAST, EXACT], ids=["fast", "exact"])
@pytest.mark.parametrize("objective", ["linear", "log"])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_gradient_passes_through_the_inference_network(n_classes, objective, arithmetic):
    net = attacker(n_classes)
    logits = 2 * RNG.normal(size=(9, n_classes))
    codes = RNG.integers(0, n_classes, 9)
    weight = 1.7

    def gain(logits):
        s = expit(net.forward(see(softmax(logits), codes).features)[-1])[:, 0]
        return weight * (s - 0.5 if objective == "linear" else np.log(s))

    found = gain_by_logits(net, see(softmax(logits), codes), weight, objective, arithmetic)
    expected = np.empty_like(logits)
    for column in range(n_classes):
        step = np.zeros(n_classes)
        step[column] = 1e-5
        expected[:, column] = (gain(logits + step) - gain(logits - step)) / 2e-5
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5 if arithmetic is EXACT else 1e-8)


def test_a_stack_sees_and_gains_like_each_of_its_networks():
    stack = attacker(4, (3,))
    P, codes = softmax(RNG.normal(size=(3, 6, 4))), RNG.integers(0, 4, (3, 6))
    whole = gain_by_logits(stack, see(P, codes), 1.0, "linear")
    first = gain_by_logits(stack, part(see(P, codes), 2), 1.0, "linear")
    np.testing.assert_allclose(first, whole[:, :2])
    for number in range(3):
        one = attacker(4)
        one.parameters[...] = stack.parameters[number]
        own = gain_by_logits(one, see(P[number], codes[number]), 1.0, "linear")
        np.testing.assert_allclose(whole[number], own)


def test_attack_learns_to_tell_members_first():
    logits = RNG.normal(size=(6, 1))
    G, right = attack_derivatives(logits.copy(), 4)
    target = np.array([1, 1, 1, 1, 0, 0])[:, np.newaxis]
    np.testing.assert_allclose(G, (expit(logits) - target) / 6)
    np.testing.assert_array_equal(right, (logits > 0) == target)
