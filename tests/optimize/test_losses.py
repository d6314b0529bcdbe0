"""Losses keep the bounds that their price rests on, and their derivatives are right."""

import numpy as np
import pytest

from skprivacy.optimize import Huber, HuberisedHinge, Logistic, Softmax
from skprivacy.optimize._losses import LARGEST_OFFSET, ONE_SIGNED

SCALAR = [Logistic(), HuberisedHinge(), HuberisedHinge(0.1), Huber(), Huber(0.2)]
SEVERAL = [Softmax(3), Softmax(10)]


def labels_for(loss, n_rows, rng):
    if loss.n_scores is not None:
        return rng.integers(0, loss.n_scores, n_rows)
    return rng.uniform(-1, 1, n_rows) if isinstance(loss, Huber) else rng.choice([-1.0, 1], n_rows)


def scores_for(loss, n_rows, rng):
    sizes = rng.choice([0.3, 1, 4], n_rows)
    if loss.n_scores is None:
        return rng.normal(size=n_rows) * sizes
    return rng.normal(size=(n_rows, loss.n_scores)) * sizes[:, np.newaxis]


def hessians(loss, second, n_rows):
    k = range(loss.n_scores or 1)
    return (
        np.array([[second(i, j) for j in k] for i in k])
        .transpose(2, 0, 1)
        .reshape(n_rows, len(k), len(k))
    )


@pytest.mark.parametrize("loss", SCALAR + SEVERAL, ids=repr)
def test_bounds_hold(loss):
    rng = np.random.default_rng(0)
    n_rows = 20_000
    labels = loss.clean_labels(labels_for(loss, n_rows, rng))
    losses, slopes, second = loss.terms(scores_for(loss, n_rows, rng), labels)
    norms = np.linalg.norm(slopes.reshape(n_rows, -1), axis=1)
    eigenvalues = np.linalg.eigvalsh(hessians(loss, second, n_rows))
    assert losses.min() >= 0
    assert 0.8 * loss.slope < norms.max() <= loss.slope
    assert eigenvalues.min() >= -1e-12
    assert 0.8 * loss.curvature < eigenvalues.max() <= loss.curvature * (1 + 1e-12)
    traces = eigenvalues.sum(axis=1)
    assert 0.8 * loss.trace < traces.max() <= loss.trace * (1 + 1e-12)
    if loss.certified is ONE_SIGNED:
        assert (slopes * labels <= 0).all()


@pytest.mark.parametrize("loss", SCALAR + SEVERAL, ids=repr)
def test_derivatives_match_differences(loss):
    rng = np.random.default_rng(1)
    n_rows, step = 500, 1e-6
    labels = loss.clean_labels(labels_for(loss, n_rows, rng))
    scores = scores_for(loss, n_rows, rng)
    _, slopes, second = loss.terms(scores, labels)
    for k in range(loss.n_scores or 1):
        shift = np.zeros_like(scores)
        shift[(slice(None), k) if loss.n_scores else slice(None)] = step
        up, down = loss.terms(scores + shift, labels), loss.terms(scores - shift, labels)
        slope = slopes[:, k] if loss.n_scores else slopes
        np.testing.assert_allclose((up.losses - down.losses) / (2 * step), slope, atol=1e-5)
        change = ((up.slopes - down.slopes) / (2 * step)).reshape(n_rows, -1)[:, -1]
        # A corner of the slope may lie between the two points.
        close = np.isclose(change, second(k, (loss.n_scores or 1) - 1), atol=1e-4)
        assert close.mean() > 0.99


@pytest.mark.parametrize("loss", SCALAR + SEVERAL, ids=repr)
def test_loss_at_zero_is_bounded_for_every_offset(loss):
    rng = np.random.default_rng(2)
    labels = loss.clean_labels(labels_for(loss, 2000, rng))
    scores = LARGEST_OFFSET * rng.choice([-1.0, 1.0], scores_for(loss, 2000, rng).shape)
    assert loss.terms(scores, labels).losses.max() <= loss.largest_at_zero


def test_labels_are_cleaned():
    assert Logistic().clean_labels([-7, 0, 3]).tolist() == [-1, -1, 1]
    assert Huber().clean_labels([np.nan, 5, -0.5]).tolist() == [0, 1, -0.5]
    assert Softmax(3).clean_labels([-1, 2, 9]).tolist() == [0, 2, 2]


def test_the_parabola_joins_the_lines():
    loss = HuberisedHinge(0.5)
    margins = np.array([-1.0, 0.5, 1.0, 1.5, 4.0])
    assert loss.terms(margins, np.ones(5)).losses.tolist() == [2.0, 0.5, 0.125, 0.0, 0.0]
