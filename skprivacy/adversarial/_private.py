"""Training with differential privacy: noisy gradients for both networks.

Both networks learn from the rows by noisy sums of clipped gradients on Poisson samples, and
by nothing else. The inference network's weights enter every row's gradient, but they are
noisy releases themselves, so that is post-processing. What a row is used for, learning or
reference, is decided by a secret coin of its own, or by the data set it came in.

The steps are fixed beforehand: `max_iter` passes of 1 / `sampling_rate` steps. Under
add-remove adjacency the number of rows is private. It would scale the mean gradient, so a
noisy count does, for a hundredth of the budget.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from ..accounting import Adjacency
from ..base import Release
from ..mechanisms import GaussianSum, Mechanism, SubsampledGradients
from ._exact import EXACT
from ._inference import gain_by_logits, inference_network, see
from ._network import Adam, Network, softmax
from ._training import Recipe, relax_target, relaxed_derivatives

CLASSIFIER = "gradients of the classifier"
ATTACKER = "gradients of the inference network"
COUNT = "number of rows"

COUNT_SHARE, ATTACKER_SHARE = 0.01, 0.2


def number_of_steps(max_iter: int, sampling_rate: float) -> int:
    """Return the number of steps, which is public: `max_iter` expected passes."""
    return math.ceil(max_iter / sampling_rate)


def private_mechanisms(
    recipe: Recipe, sampling_rate: float, adjacency: Adjacency
) -> list[Mechanism]:
    """Return what a private fit releases."""
    n_steps = number_of_steps(recipe.max_iter, sampling_rate)
    rest = 1.0
    mechanisms: list[Mechanism] = []
    if adjacency == "add-remove":
        mechanisms.append(GaussianSum(name=COUNT, share=COUNT_SHARE))
        rest -= COUNT_SHARE
    if recipe.adversarial:
        attacker = SubsampledGradients(
            name=ATTACKER,
            share=rest * ATTACKER_SHARE,
            sampling_rate=sampling_rate,
            n_steps=n_steps * recipe.adversary_steps,
        )
        mechanisms.append(attacker)
        rest *= 1 - ATTACKER_SHARE
    mechanisms.append(
        SubsampledGradients(
            name=CLASSIFIER, share=rest, sampling_rate=sampling_rate, n_steps=n_steps
        )
    )
    return mechanisms


def shapes_of(network: Network) -> list[tuple[int, int]]:
    """Return the shapes of the layers, with a constant input for the biases."""
    return [
        (n_in + 1, n_out) for n_in, n_out in zip(network.sizes[:-1], network.sizes[1:], strict=True)
    ]


def _with_constant(inputs: np.ndarray) -> np.ndarray:
    return np.concatenate([inputs, np.ones((inputs.shape[0], 1))], axis=1)


def _flat(network: Network, sums: list[np.ndarray], factor: float) -> np.ndarray:
    """Return noisy sums laid out like a network's parameters, times a factor."""
    flat = np.empty_like(network.parameters)
    weights, biases = network.views(flat)
    for w, b, total in zip(weights, biases, sums, strict=True):
        w[...] = total[:-1] * factor
        b[...] = total[-1:] * factor
    return flat


class PrivateTraining:
    """One classifier and its inference network, trained through a `Release` alone.

    Parameters
    ----------
    recipe : Recipe
    network : Network
        The classifier, with the weights it starts from.
    n_classes : int
    clipping_norm : float
        Of every row's gradient.
    generator : numpy.random.Generator
        For the inference network's first weights, which are public.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        n_classes: int,
        clipping_norm: float,
        generator: np.random.Generator,
    ) -> None:
        self.recipe = recipe
        self.network = network
        self.n_classes = n_classes
        self.clipping_norm = clipping_norm
        self.optimiser = Adam(network, recipe.learning_rate_init, recipe.alpha)
        self.attacker = inference_network(n_classes, recipe.adversary_hidden)
        self.attacker.initialise(generator)
        self.attacker_optimiser = Adam(self.attacker, recipe.adversary_lr)

    def run(
        self,
        X: Any,
        codes: np.ndarray,
        weights: np.ndarray,
        referred: np.ndarray,
        balance: tuple[float, float],
        sampling_rate: float,
        release: Release,
        report: Callable[[int, int], None],
    ) -> int:
        """Take all steps and return their number.

        Parameters
        ----------
        X : array of shape (n_rows, n_features), or sparse matrix
        codes : array of int of shape (n_rows,)
        weights : array of shape (n_rows,)
            In [0, 1].
        referred : array of bool of shape (n_rows,)
            Which rows are reference rows: by a coin, or by the data set they came in.
        balance : tuple of two floats
            Public weights, in [0, 1], of members and reference rows for the inference
            network.
        sampling_rate : float
        release : Release
        report : callable
            Told the number of steps taken and of all steps, which are public.
        """
        n_rows = codes.size
        own = np.where(referred, 0.0, weights)
        expected = sampling_rate * self._number_of_rows(weights, own, release)
        attack_weights = weights * np.where(referred, balance[1], balance[0])
        n_steps = number_of_steps(self.recipe.max_iter, sampling_rate)
        warmup = self.recipe.warmup_epochs / sampling_rate
        for number in range(n_steps):
            if self.recipe.adversarial:
                for _ in range(self.recipe.adversary_steps):
                    sums = release.step(
                        ATTACKER,
                        lambda rows: self._attacker_factors(X, codes, referred, rows),
                        n_rows=n_rows,
                        shapes=shapes_of(self.attacker),
                        weights=attack_weights,
                    )
                    factor = self.clipping_norm / expected
                    self.attacker_optimiser.step(self.attacker, _flat(self.attacker, sums, factor))
            attacked = self.recipe.adversarial and number >= warmup
            flatten = math.floor(number * sampling_rate) % 2 == 1
            sums = release.step(
                CLASSIFIER,
                lambda rows, attacked=attacked, flatten=flatten: self._factors(
                    X, codes, rows, attacked=attacked, flatten=flatten
                ),
                n_rows=n_rows,
                shapes=shapes_of(self.network),
                weights=own,
            )
            factor = self.clipping_norm / expected
            self.optimiser.step(self.network, _flat(self.network, sums, factor))
            report(number + 1, n_steps)
        return n_steps

    def _number_of_rows(self, weights: np.ndarray, own: np.ndarray, release: Release) -> float:
        if release.adjacency == "replace-one":
            # The number of rows is public, how many of them are members or weigh less is not.
            return float(weights.size)
        return max(float(release.sum(COUNT, own[:, np.newaxis])[0]), 1.0)

    def _seen_layers(self, X: Any, rows: np.ndarray) -> list[Any]:
        block = X[rows]
        block = block if isinstance(block, np.ndarray) else block.toarray()
        return self.network.forward(np.asarray(block, dtype=np.float64), EXACT)

    def _factors(
        self, X: Any, codes: np.ndarray, rows: np.ndarray, *, attacked: bool, flatten: bool
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the factors of some rows' gradients for the classifier."""
        layers = self._seen_layers(X, rows)
        P, labels = softmax(layers[-1], EXACT), codes[rows]
        index = np.arange(labels.size)
        if self.recipe.regularizer == "relaxloss":
            own = P[index, labels]
            # Each row's own loss: a batch's mean would tie the rows to one another.
            low = -np.log(np.maximum(own, 1e-12)) <= relax_target(self.recipe, self.n_classes)
            G = relaxed_derivatives(P, own, low[:, np.newaxis], index, labels, flatten=flatten)
        else:
            G = P.copy()
            G[index, labels] -= 1
        if attacked:
            seen = see(P, labels, EXACT)
            weight, objective = self.recipe.adversary_weight, self.recipe.objective
            G += gain_by_logits(self.attacker, seen, weight, objective, EXACT)
        return self._outer(layers, self.network.derivatives(layers, G, EXACT))

    def _attacker_factors(
        self, X: Any, codes: np.ndarray, referred: np.ndarray, rows: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the factors of some rows' gradients for the inference network."""
        P = softmax(self._seen_layers(X, rows)[-1], EXACT)
        layers = self.attacker.forward(see(P, codes[rows], EXACT).features, EXACT)
        G = row_attack_derivatives(layers[-1], referred[rows])
        return self._outer(layers, self.attacker.derivatives(layers, G, EXACT))

    def _outer(
        self, layers: list[Any], derivatives: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (_with_constant(layer), G / self.clipping_norm)
            for layer, G in zip(layers, derivatives, strict=False)
        ]


def row_attack_derivatives(logits: np.ndarray, referred: np.ndarray) -> np.ndarray:
    """Return derivatives of every row's cross-entropy by the inference network's logit."""
    return np.asarray(expit(logits) - np.where(referred, 0.0, 1.0)[:, np.newaxis])
