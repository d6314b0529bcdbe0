"""Products in which a row's result depends on that row alone, to the last digit."""

import numpy as np
import pytest

from skprivacy.adversarial._exact import EXACT, exact_product, tree_sums
from skprivacy.adversarial._inference import see
from skprivacy.adversarial._network import Network, softmax

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (3, 2), (64, 64), (1000, 7)])
def test_product_is_close_and_needs_no_company(n_in, n_out):
    rows = RNG.normal(size=(37, n_in)) * np.geomspace(1e-100, 1e100, 37)[:, np.newaxis]
    weights = RNG.normal(size=(n_in, n_out))
    product = exact_product(rows, weights)
    size = np.linalg.norm(rows, axis=1)[:, np.newaxis] * np.linalg.norm(weights)
    assert (np.abs(product - rows @ weights) <= 1e-4 * size).all()
    for kept in (slice(0, 1), slice(3, 4), slice(0, 36), slice(None, None, -1)):
        np.testing.assert_array_equal(exact_product(rows[kept], weights), product[kept])
    order = RNG.permutation(n_in)
    np.testing.assert_array_equal(exact_product(rows[:, order], weights[order]), product)


def test_what_a_network_sees_of_a_row_needs_no_company():
    net = Network((20, 33, 11, 5))
    net.initialise(np.random.default_rng(1))
    X, codes = RNG.normal(size=(50, 20)), RNG.integers(0, 5, 50)

    def seen(kept):
        layers = net.forward(X[kept], EXACT)
        P = softmax(layers[-1], EXACT)
        features = see(P, codes[kept], EXACT).features
        return [*layers[1:], P, features, *net.derivatives(layers, P.copy(), EXACT)]

    whole = seen(np.arange(50))
    for kept in ([7], [7, 8, 9], RNG.permutation(50)):
        for one, other in zip(seen(kept), whole, strict=True):
            np.testing.assert_array_equal(one, other[kept])


def test_no_rows_and_rows_of_zeros():
    assert exact_product(np.empty((0, 3)), np.ones((3, 2))).shape == (0, 2)
    assert (exact_product(np.zeros((4, 3)), np.ones((3, 2))) == 0).all()
    assert (exact_product(np.ones((4, 3)), np.zeros((3, 2))) == 0).all()


def test_tree_sums():
    terms = RNG.normal(size=(4, 13))
    np.testing.assert_allclose(tree_sums(terms), terms.sum(axis=1))
    assert tree_sums(terms[:, :1]).shape == (4,)
