"""What to believe of a shape function, given how much noise it was fitted with.

The noise of every fitted coefficient is known, so how large a shape function is can be
estimated from itself: a normal prior on its coefficients, of a scale that the noisy
gradient makes likely, gives a posterior mean (empirical Bayes; Efron and Morris 1973). It
takes little from a function that stands out of the noise, and nearly all from one that is
noise. All of it is post-processing of what the rounds released.
"""

import numpy as np

AMPLITUDES = np.geomspace(0.1, 3.0, 15)
"""Sizes of shape functions in log odds that are held possible, all alike. None is so small that
a function vanishes: a column may stand for others that it depends on."""


def posterior_map(
    coefficients: np.ndarray,
    precision: np.ndarray,
    ridge: float,
    noise: float,
    sampling: float,
    scales: np.ndarray,
) -> np.ndarray:
    """Return the matrix from ridge coefficients to their posterior means.

    In the eigenvectors of the information I = precision - ridge, coefficients c are fitted
    from gradients (I + ridge) c, of mean I c and variance noise^2 + sampling I. The prior
    variance of c is a mixture over `scales` squared, weighted by the likelihood.

    Parameters
    ----------
    coefficients : array of shape (p, n_outputs)
        Minimisers of a quadratic with a ridge.
    precision : array of shape (p, p)
        Information with the ridge.
    ridge : float
        Ridge of the fit.
    noise : float
        Standard deviation of the gradient's noise in every coordinate.
    sampling : float
        Variance of the gradient by the draw of rows, per unit of information.
    scales : array
        Prior standard deviations.
    """
    values, vectors = np.linalg.eigh(precision)
    information = np.maximum(values - ridge, 0.0)
    gradient = (information + ridge)[:, np.newaxis] * (vectors.T @ coefficients)
    known = noise**2 + sampling * information
    prior = scales[:, np.newaxis] ** 2
    variance = prior * information**2 + known
    energy = (gradient * gradient).sum(axis=1)
    likelihood = -0.5 * (gradient.shape[1] * np.log(variance) + energy / variance).sum(axis=1)
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    factor = (weights @ (prior * information / variance)) * (information + ridge)
    return np.asarray((vectors * np.minimum(factor, 1.0)) @ vectors.T)
