"""Multilayer perceptrons in NumPy: one, or many of one shape at once.

The parameters of a network are one flat array, weights first, of which the layers are
views: the optimiser then takes a handful of calls a step, however many layers there are.
With a leading axis of models every product of matrices becomes a stack of products,
and many small networks are trained for little more than the price of one.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Arithmetic(NamedTuple):
    """How rows are multiplied by weights, and how each row's entries are summed."""

    product: Callable[[np.ndarray, np.ndarray], np.ndarray]
    row_sums: Callable[[np.ndarray], np.ndarray]


FAST = Arithmetic(np.matmul, lambda terms: np.asarray(np.add.reduce(terms, axis=-1)))
"""The library's sums: fastest, in an order that may depend on the other rows."""


class Network:
    """Fully connected networks with the same shape.

    Parameters
    ----------
    sizes : sequence of int
        Numbers of inputs, hidden units and outputs.
    lead : tuple of int, default=()
        Leading axis: ``()`` is one network, ``(n_models,)`` several. Shapes below start
        with it.
    dtype : dtype, default=float64
    activation : {"relu", "tanh"}, default="relu"
        Of the hidden layers; the outputs have none.

    Attributes
    ----------
    parameters : array of shape (lead, n_parameters)
        All weights, then all biases.
    weights, biases : list of arrays of shape (lead, n_in, n_out) and (lead, 1, n_out)
        Views of `parameters`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        lead: tuple[int, ...] = (),
        dtype: Any = np.float64,
        activation: str = "relu",
    ) -> None:
        self.sizes = tuple(sizes)
        self.lead = lead
        self.activation = activation
        shapes = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        self.n_weights = sum(n_in * n_out for n_in, n_out in shapes)
        self.parameters = np.zeros(
            (*lead, self.n_weights + sum(n_out for _, n_out in shapes)), dtype=dtype
        )
        self.weights, self.biases = self.views(self.parameters)

    def __getstate__(self) -> dict[str, Any]:
        # Views would come back as copies.
        state = vars(self).copy()
        del state["weights"], state["biases"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.weights, self.biases = self.views(self.parameters)

    def views(self, flat: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return weights and biases as views of an array that is laid out like `parameters`."""
        weights, biases = [], []
        start, bias = 0, self.n_weights
        for n_in, n_out in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            stop = start + n_in * n_out
            weights.append(flat[..., start:stop].reshape(*self.lead, n_in, n_out))
            biases.append(flat[..., bias : bias + n_out].reshape(*self.lead, 1, n_out))
            start, bias = stop, bias + n_out
        return weights, biases

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw weights by the rule of Glorot and Bengio; set biases to 0."""
        self.parameters[...] = 0
        for weights in self.weights:
            bound = np.sqrt(6.0 / (weights.shape[-2] + weights.shape[-1]))
            weights[...] = rng.uniform(-bound, bound, weights.shape)

    def forward(self, X: Any, arithmetic: Arithmetic = FAST) -> list[Any]:
        """Return the inputs of every layer and, last, the outputs.

        Parameters
        ----------
        X : array of shape (lead, n_rows, n_in), or a sparse matrix for one network
        arithmetic : Arithmetic, default=FAST
        """
        layers = [X]
        last = len(self.weights) - 1
        for number, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            below = layers[-1]
            z = (
                np.asarray(below @ weights)
                if _is_sparse(below)
                else arithmetic.product(below, weights)
            )
            z += biases
            if number < last:
                if self.activation == "relu":
                    np.maximum(z, 0, out=z)
                else:
                    np.tanh(z, out=z)
            layers.append(z)
        return layers

    def derivatives(
        self, layers: Sequence[Any], G: np.ndarray, arithmetic: Arithmetic = FAST
    ) -> list[np.ndarray]:
        """Return a loss's derivatives by every layer's sums, given those by the outputs.

        Parameters
        ----------
        layers : list
            From `forward`.
        G : array of shape (lead, n_rows, n_out)
        arithmetic : Arithmetic, default=FAST
        """
        found = [G]
        for number in range(len(self.weights) - 1, 0, -1):
            G = self._below(G, number, arithmetic)
            a = layers[number]
            if self.activation == "relu":
                G *= a > 0
            else:
                G *= 1 - a * a
            found.append(G)
        return found[::-1]

    def input_derivatives(
        self, derivatives: Sequence[np.ndarray], arithmetic: Arithmetic = FAST
    ) -> np.ndarray:
        """Return the derivatives by the network's inputs."""
        return self._below(derivatives[0], 0, arithmetic)

    def _below(self, G: np.ndarray, number: int, arithmetic: Arithmetic) -> np.ndarray:
        return arithmetic.product(G, self.weights[number].swapaxes(-1, -2))

    def gradient(self, layers: Sequence[Any], derivatives: Sequence[np.ndarray]) -> np.ndarray:
        """Return the gradient, summed over rows, laid out like `parameters`."""
        flat = np.empty_like(self.parameters)
        weights, biases = self.views(flat)
        for number, G in enumerate(derivatives):
            below = layers[number]
            if _is_sparse(below):
                weights[number][...] = below.T @ G
            else:
                np.matmul(below.swapaxes(-1, -2), G, out=weights[number])
            np.add.reduce(G, axis=-2, keepdims=True, out=biases[number])
        return flat


_CACHED = 16384
"""Parameters that the optimiser updates at a time."""


class Adam:
    """Kingma and Ba's optimiser, as in scikit-learn.

    Parameters
    ----------
    network : Network
        Whose parameters are updated in place.
    learning_rate : float
    alpha : float, default=0.0
        Strength of the L2 penalty alpha / 2 times the squared weights, biases apart.
    """

    def __init__(self, network: Network, learning_rate: float, alpha: float = 0.0) -> None:
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.n_steps = 0
        self.first = np.zeros_like(network.parameters).ravel()
        self.second = np.zeros_like(self.first)

    def step(self, network: Network, gradient: np.ndarray) -> None:
        """Take a step; `gradient` is used up."""
        if self.alpha:
            n = network.n_weights
            gradient[..., :n] += self.alpha * network.parameters[..., :n]
        self.n_steps += 1
        rate = self.learning_rate * math.sqrt(1 - 0.999**self.n_steps) / (1 - 0.9**self.n_steps)
        kept = network.parameters.ravel(), gradient.ravel(), self.first, self.second
        for start in range(0, kept[0].size, _CACHED):
            self._update(rate, *(flat[start : start + _CACHED] for flat in kept))

    def _update(
        self,
        rate: float,
        parameters: np.ndarray,
        gradient: np.ndarray,
        first: np.ndarray,
        second: np.ndarray,
    ) -> None:
        """Update a part that stays in the cache from the first line to the last."""
        scratch = gradient * 0.1
        first *= 0.9
        first += scratch
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 0.001
        second *= 0.999
        second += scratch
        np.sqrt(second, out=scratch)
        scratch += 1e-8
        np.divide(first, scratch, out=scratch)
        scratch *= rate
        parameters -= scratch


def softmax(logits: np.ndarray, arithmetic: Arithmetic = FAST) -> np.ndarray:
    """Return probabilities, over the last axis."""
    P = logits - logits.max(axis=-1, keepdims=True)
    np.exp(P, out=P)
    P /= arithmetic.row_sums(P)[..., np.newaxis]
    return P


def _is_sparse(X: Any) -> bool:
    return not isinstance(X, np.ndarray)
