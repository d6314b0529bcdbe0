"""How the classifier's fits, with and without noise, are made of networks and rows."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ..base import UNPROTECTED, DPEstimator, Release
from ..mechanisms import Mechanism
from ..plan import Facts
from ._network import Network
from ._private import PrivateTraining, private_mechanisms
from ._splitting import hold_out
from ._training import Recipe, Rows, Training

_PREDICTED_ROWS = 4096
_LARGEST_SEED = 2**31 - 1


class AdversarialFits(ClassifierMixin, DPEstimator):
    """What a fit does, for parameters that the subclass has."""

    _network: Network
    _training: Training
    _declared: np.ndarray | None

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        return private_mechanisms(Recipe.of(self), self.sampling_rate, facts.adjacency)

    def _assumptions(self, facts: Facts) -> list[str]:
        assumptions = super()._assumptions(facts)
        if self.epsilon is not None:
            assumptions.append(
                "Reference rows given to fit are other people's rows than the training rows."
            )
        return assumptions

    def _extended(self) -> bool:
        """Whether the fit under way goes on from an earlier one."""
        return (self.warm_start or hasattr(self, "_declared")) and hasattr(self, "privacy_")

    def _declared_classes(self, classes: Any) -> np.ndarray | None:
        """Return the labels that a call of `partial_fit` may have, where they are known."""
        if classes is None:
            if not hasattr(self, "privacy_") and self.classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit, or be declared by "
                    f"the 'classes' parameter of {type(self).__name__}."
                )
            return None
        return np.unique(np.asarray(classes))

    def _public_classes(self, y: Any) -> np.ndarray:
        declared = getattr(self, "_declared", None)
        if not self._extended():
            return super()._public_classes(y) if declared is None else _known(y, declared)
        if declared is not None and not np.array_equal(declared, self.classes_):
            raise ValueError(
                f"classes={declared!r} is not the same as on the last call, {self.classes_!r}."
            )
        return _known(y, self.classes_)

    def _check_more(self, X: Any, y: Any, **more: Any) -> dict[str, Any]:
        X_reference, y_reference = more.pop("X_reference"), more.pop("y_reference")
        if (X_reference is None) != (y_reference is None):
            raise ValueError("Give X_reference and y_reference together, or neither.")
        if X_reference is not None:
            X_reference = check_array(
                X_reference, accept_sparse="csr", dtype=X.dtype, input_name="X_reference"
            )
            if X_reference.shape[1] != X.shape[1]:
                raise ValueError(
                    f"X_reference has {X_reference.shape[1]} features, but X has {X.shape[1]}."
                )
            y_reference = column_or_1d(y_reference)
            check_consistent_length(X_reference, y_reference)
            _known(y_reference, self._public_classes(y), "y_reference")
        sizes = Recipe.of(self).hidden_layer_sizes
        if any(size < 1 for size in sizes):
            raise ValueError(
                f"hidden_layer_sizes must be positive integers. Got {self.hidden_layer_sizes!r}."
            )
        if self._extended() and self._network.sizes[1:-1] != sizes:
            raise ValueError(
                f"The last fit had hidden_layer_sizes={self._network.sizes[1:-1]}, this one has "
                f"{sizes}. Use warm_start=False to start anew."
            )
        return {**more, "X_reference": X_reference, "y_reference": y_reference}

    def _fit(
        self,
        X: Any,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
        **more: Any,
    ) -> None:
        classes = self._public_classes(y)
        codes = np.searchsorted(classes, np.asarray(y))
        n_own = codes.size
        weights = np.ones(n_own) if sample_weight is None else np.asarray(sample_weight)
        if more["X_reference"] is not None:
            reference = more["X_reference"]
            if sp.issparse(X) or sp.issparse(reference):
                X = sp.vstack([X, reference], format="csr")
            else:
                X = np.concatenate([X, reference])
            codes = np.append(codes, np.searchsorted(classes, more["y_reference"]))
        if self.epsilon is None:
            self._plain_fit(X, codes, weights, sample_weight is not None, classes, release, more)
        else:
            self._noisy_fit(X, codes, weights, classes, release)
        self.classes_ = classes

    def _plain_fit(
        self,
        X: Any,
        codes: np.ndarray,
        weights: np.ndarray,
        weighted: bool,
        classes: np.ndarray,
        release: Release,
        more: dict[str, Any],
    ) -> None:
        recipe = Recipe.of(self)
        single_pass = more.get("single_pass", False)
        n_own = weights.size
        extends = self._extended() and hasattr(self, "_training")
        drawn = check_random_state(self.random_state).randint(_LARGEST_SEED, size=4)
        past = self._training.n_epochs if extends else 0
        *seeds, split = [(int(seed), past) for seed in drawn]
        generator = np.random.default_rng(split)
        members = np.flatnonzero(weights > 0)
        if not members.size:
            raise ValueError("All sample weights are 0: there is no row to learn from.")
        reference = validation = None
        if recipe.adversarial:
            if codes.size > n_own:
                reference = np.arange(n_own, codes.size)
            else:
                members, reference = hold_out(members, codes, self.reference_fraction, generator)
        if self.early_stopping and not single_pass:
            members, validation = hold_out(members, codes, self.validation_fraction, generator)
        rows = Rows(
            X,
            codes,
            members,
            reference if reference is not None and reference.size else None,
            validation if validation is not None and validation.size else None,
            np.append(weights / weights[members].mean(), np.ones(codes.size - n_own))
            if weighted
            else None,
        )
        if extends:
            training = copy.deepcopy(self._training)
            training.resume(recipe, seeds)
        else:
            training = Training(recipe, X.shape[1], classes.size, seeds, dtype=X.dtype)
            if self._extended():
                training.network.parameters[...] = self._network.parameters
        n_epochs = training.run(
            rows, 1 if single_pass else recipe.max_iter, _report if self.verbose else None
        )
        training.forget_generators()
        training = release.reveal(UNPROTECTED, training)
        self._training = training
        self._network = training.network
        self.n_iter_ = int(n_epochs)
        self.loss_curve_ = [float(loss) for loss in training.curves.loss]
        self.adversary_accuracy_curve_ = [float(a) for a in training.curves.adversary_accuracy]
        self.validation_scores_ = [float(score) for score in training.curves.validation]

    def _noisy_fit(
        self,
        X: Any,
        codes: np.ndarray,
        weights: np.ndarray,
        classes: np.ndarray,
        release: Release,
    ) -> None:
        recipe = Recipe.of(self)
        # First weights are public: they have no part in the guarantee.
        drawn = check_random_state(self.random_state).randint(_LARGEST_SEED, size=2)
        start, attack = (np.random.default_rng(int(seed)) for seed in drawn)
        sizes = (X.shape[1], *recipe.hidden_layer_sizes, classes.size)
        network = Network(sizes, activation=recipe.activation)
        network.initialise(start)
        if self._extended():
            network.parameters[...] = self._network.parameters
        n_own = weights.size
        weights = np.append(np.minimum(weights / self.max_weight, 1.0), np.ones(codes.size - n_own))
        balance = 1.0, 1.0
        referred = np.arange(codes.size) >= n_own
        if recipe.adversarial and codes.size == n_own:
            part = self.reference_fraction
            referred = release.coins(codes.size, part)
            balance = min(1.0, part / (1 - part)), min(1.0, (1 - part) / part)
        training = PrivateTraining(recipe, network, classes.size, self.clipping_norm, attack)
        a_pass = math.ceil(1 / self.sampling_rate)

        def report(number: int, n_steps: int) -> None:
            if self.verbose and (number % a_pass == 0 or number == n_steps):
                print(f"Step {number} of {n_steps}")  # noqa: T201

        training.run(X, codes, weights, referred, balance, self.sampling_rate, release, report)
        for name in _SEEN_IN_ROWS:
            self.__dict__.pop(name, None)
        self._network = network
        self.n_iter_ = int(self.max_iter)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of every layer."""
        return list(self._fitted_network().weights)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of every layer."""
        return [biases[0] for biases in self._fitted_network().biases]

    def _fitted_network(self) -> Network:
        if "_network" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self._network

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        dtype = self._network.parameters.dtype
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=dtype)
        blocks = [
            self._network.forward(X[start : start + _PREDICTED_ROWS])[-1]
            for start in range(0, X.shape[0], _PREDICTED_ROWS)
        ]
        return np.concatenate(blocks)


_SEEN_IN_ROWS = (
    "_training",
    "loss_curve_",
    "adversary_accuracy_curve_",
    "validation_scores_",
)
"""What an earlier fit without noise may have left, and a private one must not show."""


def _known(y: Any, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """Return the classes, or raise if a label is not among them."""
    if classes.size < 2:
        raise ValueError(f"At least 2 classes are needed; 1 class is declared: {classes!r}.")
    if not np.isin(np.unique(y), classes).all():
        raise ValueError(f"{name} has labels that are not among the classes {classes!r}.")
    return classes


def _report(training: Training) -> None:
    """Print a line on the last epoch."""
    curves = training.curves
    text = f"Epoch {training.n_epochs}, loss = {float(curves.loss[-1]):.6f}"
    if curves.adversary_accuracy:
        text += f", adversary's accuracy = {float(curves.adversary_accuracy[-1]):.4f}"
    if curves.validation:
        text += f", validation score = {float(curves.validation[-1]):.4f}"
    print(text)  # noqa: T201
