"""The training loop: minibatches for the classifier, and for the attacker inside it.

Every batch of members is met by as many reference rows, which the classifier never learns
from. The inference network takes its steps on both; then the classifier takes one against
its task's loss plus what the inference network gains. All networks of a stack take their
steps together, each on rows of its own.

RelaxLoss (Chen, Yu and Fritz 2022) is the other regulariser: training is held at a target
loss, by turning the gradient round in one epoch and by flattening the labels in the next.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from ._inference import (
    attack_derivatives,
    gain_by_logits,
    inference_network,
    part,
    probabilities,
    see,
)
from ._network import Adam, Network, softmax

RELAX_PART = 0.25
"""RelaxLoss's target, where none is given, as a part of the loss of a uniform guess."""

_VALIDATION_ROWS = 4096


@dataclass(frozen=True)
class Recipe:
    """How networks are trained; fields are named like the estimator's parameters."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    regularizer: str | None
    adversary_weight: float
    adversary_hidden: int
    adversary_steps: int
    adversary_lr: float
    warmup_epochs: int
    objective: str
    relax_target: float | None
    alpha: float
    batch_size: int
    learning_rate_init: float
    max_iter: int
    tol: float
    n_iter_no_change: int

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Return the recipe that an estimator's parameters are."""
        values = {name: getattr(estimator, name) for name in cls.__dataclass_fields__}
        sizes = estimator.hidden_layer_sizes
        values["hidden_layer_sizes"] = tuple(np.atleast_1d(np.asarray(sizes, dtype=int)).tolist())
        return cls(**values)

    @property
    def adversarial(self) -> bool:
        """Whether there is an inference network."""
        return self.regularizer == "adversarial"


@dataclass(frozen=True)
class Rows:
    """Rows and which of them each network uses for what.

    Parameters
    ----------
    X : array of shape (n_rows, n_features), or sparse matrix
    codes : array of int of shape (n_rows,)
        Index of each row's class.
    members : array of int of shape (lead, n_members)
        Rows that are learned from.
    reference, validation : arrays of int, default=None
        Rows that stand for those never seen, and rows for early stopping.
    weights : array of shape (n_rows,), default=None
        Weights of the rows, about 1 on average.
    """

    X: Any
    codes: np.ndarray
    members: np.ndarray
    reference: np.ndarray | None = None
    validation: np.ndarray | None = None
    weights: np.ndarray | None = None


@dataclass
class Curves:
    """What is known of every epoch, one value or one array over the networks each."""

    loss: list[Any] = field(default_factory=list)
    adversary_accuracy: list[Any] = field(default_factory=list)
    validation: list[Any] = field(default_factory=list)


class Training:
    """Classifiers in training, with their inference networks.

    Parameters
    ----------
    recipe : Recipe
    n_features, n_classes : int
    seeds : sequence of three ints
        For the classifiers' weights, the order of rows, and all that has to do with the
        inference network: so that a regulariser of weight 0 changes nothing.
    lead : tuple of int, default=()
        Leading axis of the networks.
    dtype : dtype, default=float64
    """

    def __init__(
        self,
        recipe: Recipe,
        n_features: int,
        n_classes: int,
        seeds: Any,
        lead: tuple[int, ...] = (),
        dtype: Any = np.float64,
    ) -> None:
        self.recipe = recipe
        self.n_classes = n_classes
        start, order, attack = (np.random.default_rng(seed) for seed in seeds)
        self._order, self._attack = order, attack
        sizes = (n_features, *recipe.hidden_layer_sizes, n_classes)
        self.network = Network(sizes, lead, dtype, recipe.activation)
        self.network.initialise(start)
        self.optimiser = Adam(self.network, recipe.learning_rate_init, recipe.alpha)
        self.attacker = inference_network(n_classes, recipe.adversary_hidden, lead, dtype)
        self.attacker.initialise(attack)
        self.attacker_optimiser = Adam(self.attacker, recipe.adversary_lr)
        self.n_epochs = 0
        self.curves = Curves()

    def resume(self, recipe: Recipe, seeds: Any) -> None:
        """Go on by another recipe, for networks of the same shape, with other random numbers."""
        if recipe.adversary_hidden != self.recipe.adversary_hidden:
            lead, dtype = self.network.lead, self.network.parameters.dtype
            self.attacker = inference_network(self.n_classes, recipe.adversary_hidden, lead, dtype)
            self.attacker.initialise(np.random.default_rng(seeds[2]))
            self.attacker_optimiser = Adam(self.attacker, recipe.adversary_lr)
        self.recipe = recipe
        self.network.activation = recipe.activation
        self.optimiser.learning_rate = recipe.learning_rate_init
        self.optimiser.alpha = recipe.alpha
        self.attacker_optimiser.learning_rate = recipe.adversary_lr
        _, self._order, self._attack = (np.random.default_rng(seed) for seed in seeds)

    def forget_generators(self) -> None:
        """Drop the random generators, which no fitted model should keep."""
        del self._order, self._attack

    # Epochs -----------------------------------------------------------------------------

    def run(
        self,
        rows: Rows,
        max_iter: int | None = None,
        report: Callable[["Training"], None] | None = None,
    ) -> np.ndarray:
        """Train for `max_iter` epochs, or until no validation score has risen for long.

        With validation rows the parameters of every network are in the end those of its best
        score; a network that has stopped keeps them, whatever the others still do.

        Returns
        -------
        array of int of the networks' leading shape
            Number of epochs of each.
        """
        lead = self.network.lead
        n_epochs = np.zeros(lead, dtype=int)
        best = np.full(lead, -math.inf)
        waited = np.zeros(lead, dtype=int)
        kept = self.network.parameters.copy()
        running = np.ones(lead, dtype=bool)
        for _ in range(self.recipe.max_iter if max_iter is None else max_iter):
            self.epoch(rows)
            n_epochs += running
            if rows.validation is None:
                kept = self.network.parameters
            else:
                score = self.validation_score(rows)
                self.curves.validation.append(score)
                waited = np.where(score < best + self.recipe.tol, waited + 1, 0)
                better = running & (score > best)
                best = np.where(better, score, best)
                kept = np.where(better[..., np.newaxis], self.network.parameters, kept)
                running = running & (waited <= self.recipe.n_iter_no_change)
            if report is not None:
                report(self)
            if not running.any():
                break
        self.network.parameters[...] = kept
        return n_epochs

    def epoch(self, rows: Rows) -> None:
        """Take one pass over the members."""
        members = rows.members
        n = members.shape[-1]
        order = self._order.random(members.shape).argsort(axis=-1)
        shuffled = np.take_along_axis(members, order, axis=-1)
        losses, right = 0.0, 0.0
        n_right = 0
        for start in range(0, n, self.recipe.batch_size):
            batch = shuffled[..., start : start + self.recipe.batch_size]
            loss, guesses = self._step(rows, batch)
            losses = losses + loss * batch.shape[-1]
            if guesses is not None:
                right, n_right = right + guesses, n_right + 1
        self.curves.loss.append(losses / n)
        if n_right:
            self.curves.adversary_accuracy.append(right / n_right)
        self.n_epochs += 1

    def _step(self, rows: Rows, batch: np.ndarray) -> tuple[Any, Any]:
        """Take a step; return the batch's mean loss and the inference network's accuracy."""
        size = batch.shape[-1]
        codes = rows.codes[batch]
        gain = guesses = None
        if self.recipe.adversarial and rows.reference is not None:
            layers, seen, guesses = self._attack_step(rows, batch)
            layers = [_first(layer, size) for layer in layers]
            seen = part(seen, size)
            P = seen.P
            if self.n_epochs >= self.recipe.warmup_epochs:
                gain = gain_by_logits(
                    self.attacker, seen, self.recipe.adversary_weight, self.recipe.objective
                )
        else:
            layers = self.network.forward(rows.X[batch])
            P = softmax(layers[-1])
        flat, labels = P.reshape(-1, self.n_classes), codes.ravel()
        index = np.arange(labels.size)
        own = flat[index, labels].reshape(codes.shape)
        losses = -np.log(np.maximum(own, 1e-12))
        weights = None if rows.weights is None else rows.weights[batch].astype(P.dtype)
        mean = (losses if weights is None else losses * weights).mean(axis=-1)
        if self.recipe.regularizer == "relaxloss":
            G = self._relaxed(P, own, mean, index, labels)
        else:
            G = P.copy()
            G.reshape(-1, self.n_classes)[index, labels] -= 1
        if gain is not None:
            G += gain
        if weights is not None:
            G *= weights[..., np.newaxis]
        G /= size
        derivatives = self.network.derivatives(layers, G)
        self.optimiser.step(self.network, self.network.gradient(layers, derivatives))
        return mean, guesses

    def _attack_step(self, rows: Rows, batch: np.ndarray) -> tuple[list[Any], Any, Any]:
        """Let the inference network take its steps; return what the last saw."""
        reference, size = rows.reference, batch.shape[-1]
        if reference is None:
            raise ValueError("Adversarial regularisation needs reference rows.")
        right: Any = 0.0
        layers: list[Any] = []
        seen: Any = None
        for number in range(max(self.recipe.adversary_steps, 1)):
            drawn = self._attack.integers(0, reference.shape[-1], batch.shape)
            drawn = np.take_along_axis(reference, drawn, axis=-1)
            both = np.concatenate([batch, drawn], axis=-1)
            layers = self.network.forward(rows.X[both])
            seen = see(softmax(layers[-1]), rows.codes[both])
            attack = self.attacker.forward(seen.features)
            G, guesses = attack_derivatives(attack[-1], size)
            if number == 0:
                right = guesses.mean(axis=(-2, -1))
            derivatives = self.attacker.derivatives(attack, G)
            gradient = self.attacker.gradient(attack, derivatives)
            self.attacker_optimiser.step(self.attacker, gradient)
        return layers, seen, right

    def _relaxed(
        self,
        P: np.ndarray,
        own: np.ndarray,
        mean: np.ndarray,
        index: np.ndarray,
        labels: np.ndarray,
    ) -> np.ndarray:
        """Return RelaxLoss's derivatives by the logits, times the number of rows."""
        target = relax_target(self.recipe, self.n_classes)
        low = np.asarray(mean <= target)[..., np.newaxis, np.newaxis]
        return relaxed_derivatives(P, own, low, index, labels, flatten=self.n_epochs % 2 == 1)

    def validation_score(self, rows: Rows) -> np.ndarray:
        """Return the accuracy of every network on its validation rows."""
        if rows.validation is None:
            raise ValueError("There are no validation rows.")
        n = rows.validation.shape[-1]
        right, whole = np.zeros(self.network.lead), np.zeros(self.network.lead)
        for start in range(0, n, _VALIDATION_ROWS):
            batch = rows.validation[..., start : start + _VALIDATION_ROWS]
            hits = probabilities(self.network, rows.X[batch]).argmax(axis=-1) == rows.codes[batch]
            weights = np.ones(batch.shape) if rows.weights is None else rows.weights[batch]
            right += (hits * weights).sum(axis=-1)
            whole += weights.sum(axis=-1)
        return right / np.maximum(whole, 1e-300)


def relax_target(recipe: Recipe, n_classes: int) -> float:
    """Return the loss at which RelaxLoss holds training."""
    if recipe.relax_target is not None:
        return float(recipe.relax_target)
    return RELAX_PART * math.log(n_classes)


def relaxed_derivatives(
    P: np.ndarray,
    own: np.ndarray,
    low: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    *,
    flatten: bool,
) -> np.ndarray:
    """Return RelaxLoss's derivatives of a summed loss by the logits.

    Where the loss is `low`, they are turned round, or, with ``flatten=True``, those of a
    label that keeps the row's own probability and is uniform over the other classes.
    """
    n_classes = P.shape[-1]
    G = P.copy()
    G.reshape(-1, n_classes)[index, labels] -= 1
    if not flatten:
        return np.asarray(np.where(low, -G, G))
    rest = (1 - own) / max(n_classes - 1, 1)
    flat = np.broadcast_to(rest[..., np.newaxis], P.shape).copy()
    flat.reshape(-1, n_classes)[index, labels] = own.ravel()
    return np.asarray(np.where(low, P - flat, G))


def _first(layer: Any, n_rows: int) -> Any:
    """Return the first rows of every network's layer."""
    return layer[..., :n_rows, :] if isinstance(layer, np.ndarray) else layer[:n_rows]
