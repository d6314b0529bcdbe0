"""Posterior means: noise is taken away, what stands out of it stays."""

import numpy as np
import pytest

from skprivacy.additive._posterior import AMPLITUDES, posterior_map


def fitted(truth, information, ridge, noise, rng):
    gradient = information @ truth + rng.normal(scale=noise, size=truth.shape)
    return np.linalg.solve(information + ridge * np.eye(truth.shape[0]), gradient)


@pytest.mark.parametrize("size", [0.1, 0.3, 1.0])
def test_the_error_is_below_that_of_the_ridge_and_of_nothing(size):
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    information = (rotation * np.geomspace(0.1, 100, 12)) @ rotation.T
    ridge, errors = 15.0, []
    for _ in range(200):
        truth = rng.normal(scale=size, size=(12, 1))
        estimate = fitted(truth, information, ridge, 10.0, rng)
        precision = information + ridge * np.eye(12)
        shrink = posterior_map(estimate, precision, ridge, 10.0, 1.0, AMPLITUDES)
        errors.append(
            [
                (e - truth).T @ information @ (e - truth)
                for e in (np.zeros_like(truth), estimate, shrink @ estimate)
            ]
        )
    zero, ridged, posterior = np.mean(errors, axis=0).ravel()
    assert posterior < 1.01 * min(zero, ridged)


def test_without_noise_nothing_is_taken_and_nothing_grows():
    rng = np.random.default_rng(0)
    information = np.diag(np.geomspace(1.0, 100.0, 5))
    estimate = fitted(rng.normal(size=(5, 2)), information, 1e-6, 0.0, rng)
    precision = information + 1e-6 * np.eye(5)
    shrink = posterior_map(estimate, precision, 1e-6, 1e-9, 0.0, AMPLITUDES)
    np.testing.assert_allclose(shrink, np.eye(5), atol=1e-6)
    noisy = posterior_map(estimate, precision, 1e-6, 50.0, 1.0, AMPLITUDES)
    assert np.linalg.eigvalsh(noisy).max() <= 1 + 1e-12
    assert np.linalg.eigvalsh(noisy).min() >= -1e-12
