"""Many classifiers at once, for the shadow models of membership attacks.

An attack on an algorithm needs dozens of models of it on random halves of the rows. They
have the same shape and differ in their rows alone, so a stack of them is trained in the
same calls as one.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_X_y

from ._classifier import AdversariallyRegularizedClassifier
from ._network import softmax
from ._splitting import hold_out_evenly
from ._training import Recipe, Rows, Training

_LARGEST_SEED = 2**31 - 1
_PREDICTED_ROWS = 1024


class ShadowPredictions(NamedTuple):
    """What shadow models say.

    Parameters
    ----------
    probabilities : array of shape (n_models, n_rows, n_classes)
        On the rows of the pool.
    population : array of shape (n_models, n_population, n_classes), or None
        On other rows.
    classes : array of shape (n_classes,)
        Class labels, in the order of the last axis.
    n_iter : array of int of shape (n_models,)
        Epochs of each model.
    """

    probabilities: np.ndarray
    population: np.ndarray | None
    classes: np.ndarray
    n_iter: np.ndarray


def shadow_predictions(
    estimator: Any,
    X: Any,
    y: Any,
    inside: Any,
    *,
    X_population: Any = None,
    X_reference: Any = None,
    y_reference: Any = None,
    n_stacked: int = 16,
    random_state: Any = None,
) -> ShadowPredictions:
    """Train copies of a classifier on parts of a pool, in stacks, and ask them about all of it.

    Parameters
    ----------
    estimator : AdversariallyRegularizedClassifier
        Its parameters are used, it is not fitted. Without `epsilon`: private training is
        attacked one model at a time.
    X : array-like of shape (n_rows, n_features)
        The pool.
    y : array-like of shape (n_rows,)
        Labels.
    inside : array-like of bool of shape (n_models, n_rows)
        Which rows each model is trained on.
    X_population : array-like of shape (n_population, n_features), default=None
        Further rows to be asked about.
    X_reference : array-like of shape (n_reference, n_features), default=None
        Reference rows of every model. None: `reference_fraction` of its own rows.
    y_reference : array-like of shape (n_reference,), default=None
        Their labels.
    n_stacked : int, default=16
        How many models are trained together; beyond some dozens, caches overflow.
    random_state : int, RandomState instance or None, default=None
        Of initial weights, order of rows, and rows set aside.

    Returns
    -------
    ShadowPredictions
        Probabilities, in the order of the models.

    Raises
    ------
    TypeError
        If the estimator is another.
    ValueError
        If it has an `epsilon`, or the form of the rows is wrong.

    Notes
    -----
    Shadow models are simulations by the owner of the rows: nothing is charged, and nothing
    about them should be released. Each model sets aside its own rows for reference and for
    early stopping, as many of each class as its part allows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skprivacy.adversarial import AdversariallyRegularizedClassifier, shadow_predictions
    >>> X, y = load_digits(return_X_y=True)
    >>> inside = np.random.default_rng(0).permuted(np.arange(600) < 300 + np.zeros((4, 1)), axis=1)
    >>> model = AdversariallyRegularizedClassifier(max_iter=5)
    >>> shadow_predictions(model, X[:600] / 16, y[:600], inside).probabilities.shape
    (4, 600, 10)
    """
    if not isinstance(estimator, AdversariallyRegularizedClassifier):
        raise TypeError(
            "shadow_predictions trains copies of an AdversariallyRegularizedClassifier. "
            f"Got {estimator!r} instead."
        )
    if estimator.epsilon is not None:
        raise ValueError(
            "shadow_predictions trains without noise, and the estimator has "
            f"epsilon={estimator.epsilon!r}. Fit private models one by one."
        )
    estimator.plan()  # refuses wrong parameters
    X, y = check_X_y(X, y, dtype=[np.float64, np.float32])
    inside = np.atleast_2d(np.asarray(inside, dtype=bool))
    if inside.shape[1] != y.size or not inside.any(axis=1).all():
        raise ValueError(
            f"inside must have shape (n_models, {y.size}), and rows for every model. "
            f"Got shape {inside.shape}."
        )
    if X_population is not None:
        X_population = check_array(X_population, dtype=X.dtype)
    classes, codes = np.unique(y, return_inverse=True)
    rows, reference = X, None
    if X_reference is not None:
        X_reference, y_reference = check_X_y(X_reference, y_reference, dtype=X.dtype)
        if not np.isin(y_reference, classes).all():
            raise ValueError("y_reference has labels that are not in y.")
        rows = np.concatenate([X, X_reference])
        codes = np.append(codes, np.searchsorted(classes, y_reference))
        reference = np.arange(y.size, codes.size)
    random = check_random_state(random_state)
    probabilities = np.empty((len(inside), y.size, classes.size), dtype=X.dtype)
    population = (
        None
        if X_population is None
        else np.empty((len(inside), len(X_population), classes.size), dtype=X.dtype)
    )
    n_iter = np.zeros(len(inside), dtype=int)
    sizes = inside.sum(axis=1)
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        for start in range(0, alike.size, n_stacked):
            models = alike[start : start + n_stacked]
            seeds = random.randint(_LARGEST_SEED, size=4)
            training, n_iter[models] = _trained(
                estimator, rows, codes, inside[models], reference, seeds
            )
            probabilities[models] = _asked(training, X)
            if population is not None:
                population[models] = _asked(training, X_population)
    return ShadowPredictions(probabilities, population, classes, n_iter)


def _trained(
    estimator: Any,
    X: np.ndarray,
    codes: np.ndarray,
    inside: np.ndarray,
    shared: np.ndarray | None,
    seeds: Any,
) -> tuple[Training, np.ndarray]:
    """Return a stack of trained networks, and their numbers of epochs."""
    recipe = Recipe.of(estimator)
    *seeds, split = (int(seed) for seed in seeds)
    generator = np.random.default_rng(split)
    members = [np.flatnonzero(row) for row in inside]
    reference = None if shared is None else np.tile(shared, (len(inside), 1))
    validation: np.ndarray | None = None
    if recipe.adversarial and reference is None:
        members, reference = _set_aside(members, codes, estimator.reference_fraction, generator)
    if estimator.early_stopping:
        members, validation = _set_aside(members, codes, estimator.validation_fraction, generator)
    rows = Rows(X, codes, np.stack(members), reference, validation)
    n_classes = int(codes.max()) + 1
    training = Training(recipe, X.shape[1], n_classes, seeds, (len(inside),), X.dtype)
    return training, training.run(rows)


def _set_aside(
    members: list[np.ndarray], codes: np.ndarray, fraction: float, generator: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray | None]:
    splits = [hold_out_evenly(rows, codes, fraction, generator) for rows in members]
    held = np.stack([held for _, held in splits])
    return [kept for kept, _ in splits], held if held.size else None


def _asked(training: Training, X: np.ndarray) -> np.ndarray:
    blocks = [
        softmax(training.network.forward(X[start : start + _PREDICTED_ROWS])[-1])
        for start in range(0, X.shape[0], _PREDICTED_ROWS)
    ]
    return np.concatenate(blocks, axis=-2)
