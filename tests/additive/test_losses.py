"""Losses: a residual is a function of its row alone, to the last bit."""

import numpy as np
import pytest
from scipy.special import expit

from skprivacy.additive._losses import Logistic, Softmax, Squared

N = 1003


def loss_of(kind, target, weights):
    if kind is Squared:
        return kind(target / 4, weights)
    n_classes = 2 if kind is Logistic else 4
    return kind(target % n_classes, weights, np.full(n_classes, 1 / n_classes))


@pytest.mark.parametrize("kind", [Logistic, Softmax, Squared])
def test_a_residual_does_not_depend_on_where_its_row_stands(kind):
    rng = np.random.default_rng(0)
    target, weights = rng.integers(0, 4, N), rng.uniform(size=N)
    scores = 30 * rng.normal(size=(4 if kind is Softmax else 1, N)) ** 3
    together = loss_of(kind, target, weights).residuals(scores.copy(), slice(0, N))
    for start in range(N - 17):
        for stop in (start + 1, start + 17):
            part = loss_of(kind, target[start:stop], weights[start:stop])
            alone = part.residuals(np.ascontiguousarray(scores[:, start:stop]), slice(0, N))
            np.testing.assert_array_equal(alone, together[:, start:stop])


def test_a_logistic_residual_is_label_minus_probability():
    scores = np.array([[-1e9, -800.0, -1.0, 0.0, 1e-9, 2.0, 800.0, 1e9]])
    for label in (0, 1):
        loss = Logistic(np.full(8, label), None, np.array([0.5, 0.5]))
        expected = np.clip((label - expit(scores)) / loss.clip, -1, 1)
        np.testing.assert_allclose(loss.residuals(scores, slice(0, 8)), expected, atol=1e-15)
