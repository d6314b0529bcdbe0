"""Networks: gradients, the optimiser, stacks of networks, and what survives a pickle."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

from skprivacy.adversarial._network import Adam, Network, softmax

RNG = np.random.default_rng(0)


def network(sizes=(5, 7, 4, 3), lead=(), activation="tanh", dtype=np.float64):
    made = Network(sizes, lead, dtype, activation)
    made.initialise(np.random.default_rng(1))
    made.parameters += 0.1 * np.random.default_rng(2).normal(size=made.parameters.shape)
    return made


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 7, 3), (5, 7, 4, 3)])
@pytest.mark.parametrize("lead", [(), (2,)])
def test_gradient_is_that_of_finite_differences(activation, sizes, lead):
    net = network(sizes, lead, activation)
    X = RNG.normal(size=(*lead, 6, 5))
    target = RNG.normal(size=(*lead, 6, 3))

    def loss():
        return 0.5 * ((net.forward(X)[-1] - target) ** 2).sum()

    layers = net.forward(X)
    derivatives = net.derivatives(layers, layers[-1] - target)
    gradient = net.gradient(layers, derivatives)
    for index in np.ndindex(net.parameters.shape):
        old = net.parameters[index]
        net.parameters[index] = old + 1e-6
        above = loss()
        net.parameters[index] = old - 1e-6
        below = loss()
        net.parameters[index] = old
        assert gradient[index] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-6)
    by_inputs = net.input_derivatives(derivatives)
    moved = X.copy()
    for index in np.ndindex(X.shape):
        moved[index] += 1e-6
        above = 0.5 * ((net.forward(moved)[-1] - target) ** 2).sum()
        moved[index] -= 2e-6
        below = 0.5 * ((net.forward(moved)[-1] - target) ** 2).sum()
        moved[index] += 1e-6
        assert by_inputs[index] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-6)


def test_a_stack_is_each_of_its_networks():
    stack = network(lead=(3,))
    X = RNG.normal(size=(3, 6, 5))
    G = RNG.normal(size=(3, 6, 3))
    layers = stack.forward(X)
    gradient = stack.gradient(layers, stack.derivatives(layers, G.copy()))
    for number in range(3):
        one = network()
        one.parameters[...] = stack.parameters[number]
        own = one.forward(X[number])
        np.testing.assert_allclose(own[-1], layers[-1][number])
        expected = one.gradient(own, one.derivatives(own, G[number].copy()))
        np.testing.assert_allclose(gradient[number], expected)


def test_sparse_rows_are_dense_rows():
    net = network()
    X = np.where(RNG.random((6, 5)) < 0.5, RNG.normal(size=(6, 5)), 0.0)
    G = RNG.normal(size=(6, 3))
    results = []
    for rows in (X, sp.csr_matrix(X), sp.csr_array(X)):
        layers = net.forward(rows)
        results.append((layers[-1], net.gradient(layers, net.derivatives(layers, G.copy()))))
    for outputs, gradient in results[1:]:
        np.testing.assert_allclose(outputs, results[0][0])
        np.testing.assert_allclose(gradient, results[0][1])


def test_adam_is_that_of_scikit_learn():
    net = network()
    theirs = [net.parameters.copy()]
    adam, reference = Adam(net, 1e-2), AdamOptimizer(theirs, learning_rate_init=1e-2)
    for _ in range(20):
        gradient = RNG.normal(size=net.parameters.shape)
        reference.update_params(theirs, [gradient])
        adam.step(net, gradient.copy())
    np.testing.assert_allclose(net.parameters, theirs[0], rtol=1e-10)


def test_the_penalty_moves_weights_and_not_biases():
    net = network()
    before = net.parameters.copy()
    Adam(net, 1e-3, alpha=0.5).step(net, np.zeros_like(net.parameters))
    moved = net.parameters - before
    # Adam's first step has the size of the learning rate, against the sign of the gradient.
    np.testing.assert_allclose(
        moved[: net.n_weights], -1e-3 * np.sign(before[: net.n_weights]), rtol=1e-3
    )
    assert (moved[net.n_weights :] == 0).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_views_stay_views_in_copies(copied):
    net = network(lead=(2,))
    other = copied(net)
    other.parameters[...] = 7.0
    assert all((weights == 7.0).all() for weights in (*other.weights, *other.biases))
    assert not (net.parameters == 7.0).any()


def test_softmax_takes_large_logits():
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0, -1e4]])), [[1.0, 0.0, 0.0]])


def test_float32_stays_float32():
    net = network(dtype=np.float32)
    layers = net.forward(RNG.normal(size=(6, 5)).astype(np.float32))
    gradient = net.gradient(layers, net.derivatives(layers, layers[-1].copy()))
    adam = Adam(net, 1e-3, alpha=0.1)
    adam.step(net, gradient)
    assert {x.dtype for x in (*layers, net.parameters, gradient, adam.first)} == {
        np.dtype(np.float32)
    }
