"""The inference network: the attacker that the classifier is trained against.

It sees what the classifier says about a row, and the row's label, and guesses whether the
row was trained on (Nasr, Shokri and Houmansadr 2018, "Machine learning with membership
privacy using adversarial regularization"). Its inputs are the label and four numbers that
the strongest attacks use: the log probability of the label, its margin over the best
other class, the probability itself, and the entropy. The classifier's gradient passes
through it and through these features.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from ._network import FAST, Arithmetic, Network, softmax

LEAST = 1e-7
"""Added to probabilities before their logarithm is taken."""

LOG_SCALE = 0.2
"""Logarithms are brought to the size of the other features."""

N_NUMBERS = 4


class Seen(NamedTuple):
    """What the inference network sees of some rows, and what its gradient needs again."""

    features: np.ndarray
    P: np.ndarray
    codes: np.ndarray
    logs: np.ndarray
    own: np.ndarray
    runner_up: np.ndarray
    other: np.ndarray


def inference_network(
    n_classes: int, hidden: int, lead: tuple[int, ...] = (), dtype: Any = np.float64
) -> Network:
    """Return an inference network: features to `hidden`, to half of it, to one logit."""
    return Network((n_classes + N_NUMBERS, hidden, max(hidden // 2, 1), 1), lead, dtype)


def see(P: np.ndarray, codes: np.ndarray, arithmetic: Arithmetic = FAST) -> Seen:
    """Return the features of rows.

    Parameters
    ----------
    P : array of shape (..., n_rows, n_classes)
        What the classifier says.
    codes : array of int of shape (..., n_rows)
        Labels.
    arithmetic : Arithmetic, default=FAST
    """
    n_classes = P.shape[-1]
    flat, labels = P.reshape(-1, n_classes), codes.ravel()
    rows = np.arange(labels.size)
    logs = np.log(flat + P.dtype.type(LEAST))
    others = flat.copy()
    others[rows, labels] = -1
    runner_up = others.argmax(axis=1)
    own, other = flat[rows, labels], flat[rows, runner_up]
    features = np.zeros((labels.size, n_classes + N_NUMBERS), dtype=P.dtype)
    features[rows, labels] = 1
    features[:, n_classes] = LOG_SCALE * logs[rows, labels]
    features[:, n_classes + 1] = features[:, n_classes] - LOG_SCALE * logs[rows, runner_up]
    features[:, n_classes + 2] = own
    features[:, n_classes + 3] = -arithmetic.row_sums(flat * logs)
    shaped = features.reshape(*P.shape[:-1], n_classes + N_NUMBERS)
    return Seen(shaped, P, labels, logs, own, runner_up, other)


def part(seen: Seen, n_rows: int) -> Seen:
    """Return what was seen of the first rows of every network."""
    shape = seen.P.shape[:-1]

    def first(array: np.ndarray) -> np.ndarray:
        below = array.shape[1:]
        rows = np.moveaxis(array.reshape(*shape, *below), len(shape) - 1, 0)[:n_rows]
        return np.moveaxis(rows, 0, len(shape) - 1).reshape(-1, *below)

    return Seen(seen.features[..., :n_rows, :], seen.P[..., :n_rows, :], *map(first, seen[2:]))


def derivatives_by_probabilities(seen: Seen, by_features: np.ndarray) -> np.ndarray:
    """Return derivatives by the probabilities, given those by the features."""
    n_classes = seen.P.shape[-1]
    rows = np.arange(seen.codes.size)
    by_log, by_margin, by_own, by_entropy = by_features.reshape(-1, n_classes + N_NUMBERS)[
        :, n_classes:
    ].T
    flat = seen.P.reshape(-1, n_classes)
    by_P = flat / (flat + LEAST)
    by_P += seen.logs
    by_P *= -by_entropy[:, np.newaxis]
    by_P[rows, seen.codes] += LOG_SCALE * (by_log + by_margin) / (seen.own + LEAST) + by_own
    by_P[rows, seen.runner_up] -= LOG_SCALE * by_margin / (seen.other + LEAST)
    return by_P.reshape(seen.P.shape)


def attack_derivatives(logits: np.ndarray, n_members: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the inference network's derivatives by its logits, and which guesses are right.

    The first `n_members` rows are members, the others reference rows; the loss is the mean
    of both cross-entropies.
    """
    G = expit(logits)
    right = G > 0.5
    right[..., n_members:, :] ^= True
    G[..., :n_members, :] -= 1
    G /= logits.shape[-2]
    return G, right


def gain_derivatives(logits: np.ndarray, weight: float, objective: str) -> np.ndarray:
    """Return the derivatives by an attacker's logits of its gain, which the classifier lowers.

    The gain of a row is weight (s - 1/2) for the linear objective, s being the guess that it
    is a member, and weight log s for the logarithmic one.
    """
    s = expit(logits)
    return (weight * s * (1 - s)) if objective == "linear" else weight * (1 - s)


def gain_by_logits(
    attacker: Network,
    seen: Seen,
    weight: float,
    objective: str,
    arithmetic: Arithmetic = FAST,
) -> np.ndarray:
    """Return the derivatives of each row's gain by the classifier's logits."""
    layers = attacker.forward(seen.features, arithmetic)
    G = np.asarray(gain_derivatives(layers[-1], weight, objective), dtype=seen.P.dtype)
    derivatives = attacker.derivatives(layers, G, arithmetic)
    by_P = derivatives_by_probabilities(seen, attacker.input_derivatives(derivatives, arithmetic))
    P = seen.P
    by_P -= arithmetic.row_sums(by_P * P)[..., np.newaxis]
    by_P *= P
    return by_P


def probabilities(network: Network, X: Any, arithmetic: Arithmetic = FAST) -> np.ndarray:
    """Return what a classifier says about rows."""
    return softmax(network.forward(X, arithmetic)[-1], arithmetic)
