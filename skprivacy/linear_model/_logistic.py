"""Private logistic regression by shaped objective perturbation.

Three releases: the class counts, a noisy second moment of the rows, and the minimiser
of a randomly tilted logistic loss on rows that the moment has shaped. The first two
cost little and make the third much better; together they compose exactly in Gaussian
differential privacy. The theory is in ``docs/theory/logistic_regression.md``.
"""

import math
from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import log_expit, logit
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._sklearn import Interval
from ..base import DPEstimator, Release
from ..bounding import RowScaling, bounding_assumptions, bounding_mechanisms, column_bounds
from ..ledger import PrivacyAccountant
from ..mechanisms import GaussianHistogram, GaussianSecondMoment, Mechanism, row_blocks
from ..optimize import ObjectivePerturbation, Shape, shape_rows, unit_rows
from ..plan import Facts

COUNTS = "class counts"
MOMENT = "second moment of the rows"
COEFFICIENTS = "coefficients"

COUNTS_SHARE, MOMENT_SHARE, COEFFICIENTS_SHARE = 0.03, 0.15, 0.82
INTERCEPT = 1.0
SIGNAL = 0.3
"""Assumed mean squared logit, the prior that the regularisation strength is chosen for."""


class DPLogisticRegression(ClassifierMixin, DPEstimator):
    """Logistic regression with differential privacy.

    Parameters
    ----------
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement; above 0.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        None draws noise from the operating system. Anything else makes the noise
        reproducible, which protects nobody: the receipt says so.
    clipping_norm : float, default=None
        Public bound on the Euclidean norm of a row (after scaling by `bounds`, where
        they are given). Longer rows are scaled down to it; about the .99 quantile of
        the norms is a good choice. None: found privately, for 2 % of the budget.
    bounds : tuple (low, high), default=None
        Public bounds of the columns, numbers or one number a column; columns are
        scaled to [-1, 1] by them. None: the columns are used as they are if
        `clipping_norm` is given or if the previous step of a pipeline was a private
        scaler; else found privately, for 8 % of the budget.
    fit_intercept : bool, default=True
        Whether to fit an intercept. It is regularised like a coefficient.
    classes : array-like, default=None
        All labels that can occur. None: the labels in `y` are taken to be public, and
        the receipt says so.
    max_weight : float, default=1.0
        Largest sample weight; larger ones are clipped.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    coef_ : array of shape (1, n_features) or (n_classes, n_features)
        Coefficients, for columns as given to `fit`.
    intercept_ : array of shape (1,) or (n_classes,)
        Intercepts.
    bounds_ : tuple of two arrays of shape (n_features,), or None
        Declared or released bounds that columns are clipped to, in `fit` and in
        predictions; None if `clipping_norm` alone bounds the rows.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same without privacy.
    skprivacy.preprocessing.DPStandardScaler : Private scaling of columns.

    Notes
    -----
    Released, under add-remove (replace-one) adjacency: class counts, L2 sensitivity 1
    (sqrt(2)); the second moment of the rows, sensitivity 1 (sqrt(2)); for each class,
    one if there are two, the coefficients by objective perturbation, where a row's
    gradient has norm at most 1 (two rows as a group), with noise for the solver's
    tolerance. Each is Gaussian-DP, exactly composed; the shares of mu squared are .03,
    .15 and .82, the last split evenly over the classes. The number of iterations, norms
    of gradients and the number of rows do not leave the fit.

    The strength of regularisation is chosen from released quantities; there is no `C`.

    References
    ----------
    .. [1] K. Chaudhuri, C. Monteleoni and A. D. Sarwate, "Differentially Private
       Empirical Risk Minimization", JMLR 12, 2011.
    .. [2] J. Dong, A. Roth and W. J. Su, "Gaussian Differential Privacy", JRSS B 84,
       2022.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skprivacy.linear_model import DPLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> high = [40, 50, 250, 3000, .2, .4, .5, .3, .4, .1, 3, 5, 25, 600, .1,
    ...         .2, .5, .1, .1, .1, 40, 60, 300, 5000, .3, 1.2, 1.5, .4, .8, .3]
    >>> model = DPLogisticRegression(epsilon=3.0, bounds=(0, high), random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.85
    True
    >>> round(model.privacy_.epsilon, 6)
    3.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "clipping_norm": [Interval(Real, 0, None, closed="neither"), None],
        "bounds": ["array-like", tuple, None],
        "fit_intercept": ["boolean"],
        "classes": ["array-like", None],
        "max_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        epsilon: float = 1.0,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        clipping_norm: float | None = None,
        bounds: Any = None,
        fit_intercept: bool = True,
        classes: Any = None,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.clipping_norm = clipping_norm
        self.bounds = bounds
        self.fit_intercept = fit_intercept
        self.classes = classes
        self.max_weight = max_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model and charge the accountant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; clipped to `max_weight`.

        Returns
        -------
        self : DPLogisticRegression
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(X, y, sample_weight)

    def _mechanisms(self, facts: Facts) -> Sequence[Mechanism]:
        classes = self.classes if facts.classes is None else facts.classes
        names = _problem_names(2 if classes is None else len(classes))
        bounding = bounding_mechanisms(self.bounds, self.clipping_norm, facts)
        own = 1 - math.fsum(mechanism.share for mechanism in bounding)
        return [
            *bounding,
            GaussianHistogram(name=COUNTS, share=own * COUNTS_SHARE),
            GaussianSecondMoment(name=MOMENT, share=own * MOMENT_SHARE),
            *(
                ObjectivePerturbation(name=name, share=own * COEFFICIENTS_SHARE / len(names))
                for name in names
            ),
        ]

    def _assumptions(self, facts: Facts) -> list[str]:
        return [
            *super()._assumptions(facts),
            *bounding_assumptions(self.bounds, self.clipping_norm, facts),
        ]

    def _check_data(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool = True
    ) -> tuple[Any, Any, Any]:
        X, y, sample_weight = super()._check_data(X, y, sample_weight, reset=reset)
        column_bounds(self.bounds, X.shape[1], type(self).__name__)
        return X, y, sample_weight

    def _fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None,
        sample_weight: np.ndarray | None,
        release: Release,
    ) -> None:
        classes = self._public_classes(y)
        codes = np.searchsorted(classes, np.asarray(y))
        weights = (
            None if sample_weight is None else np.minimum(sample_weight / self.max_weight, 1.0)
        )
        scaling = RowScaling.from_release(
            X, self.bounds, self.clipping_norm, release, centre=self.fit_intercept
        )
        constant = INTERCEPT if self.fit_intercept else 0.0
        radius = math.hypot(scaling.radius, constant)

        counts = release.sum(COUNTS, codes[:, np.newaxis], n_cells=classes.size, weights=weights)[0]
        counts_noise = release.noise_scales[COUNTS]
        if release.adjacency == "replace-one" and weights is None:
            n_rows = rows_at_most = float(X.shape[0])
        else:
            n_rows = max(float(counts.sum()), 1.0)
            rows_at_most = n_rows + 10 * counts_noise * math.sqrt(counts.size)

        def unit_blocks() -> Iterator[np.ndarray]:
            for block in row_blocks(X):
                yield unit_rows(scaling.apply(block), radius, constant)

        moment = release.sum(MOMENT, lambda: _weighted(unit_blocks(), weights))
        shape = Shape.from_moment(moment, release.noise_scales[MOMENT], n_rows)
        Z = np.empty((X.shape[0], shape.matrix.shape[0]))
        start = 0
        for block in unit_blocks():
            Z[start : start + block.shape[0]] = shape_rows(block, shape)
            start += block.shape[0]

        coefficients, intercepts = [], []
        names = _problem_names(classes.size)
        for name, positive in zip(names, range(classes.size)[-len(names) :], strict=True):
            prior = (counts[positive] + counts_noise) / (n_rows + 2 * counts_noise)
            prior = float(np.clip(prior, 0.02, 0.98))
            offset = float(np.clip(logit(prior), -3.0, 3.0)) if self.fit_intercept else 0.0
            theta = release.solve(
                name,
                Z,
                np.where(codes == positive, 1.0, -1.0),
                rows_at_most=rows_at_most,
                regularization=_regularization(release.mechanism(name), shape, prior, n_rows),
                offset=offset,
                weights=weights,
            )
            theta = shape.matrix @ theta / radius
            coefficient, shift = scaling.unscale(theta[: X.shape[1]])
            coefficients.append(coefficient)
            intercepts.append(constant * theta[-1] + offset + shift if self.fit_intercept else 0.0)
        self.classes_ = classes
        self.bounds_ = scaling.bounds
        self.coef_ = np.array(coefficients)
        self.intercept_ = np.array(intercepts)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the log odds of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            Log odds of ``classes_[1]`` with two classes, else of each class against
            the others.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        if self.bounds_ is not None:
            # Rows were clipped in training; beyond the bounds the model knows nothing.
            X = np.clip(X, *self.bounds_)
        scores = X @ self.coef_.T + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        scores = self.decision_function(X)
        best = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
            With more than two classes, the one-against-rest probabilities, normalised.
        """
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, without underflow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.asarray(log_expit(np.stack([-scores, scores], axis=1)))
        logs = log_expit(scores)
        return np.asarray(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))


def _problem_names(n_classes: int) -> list[str]:
    """Return the names of the binary problems: one for two classes, else one a class."""
    if n_classes <= 2:
        return [COEFFICIENTS]
    return [f"{COEFFICIENTS}, class {index} against the rest" for index in range(n_classes)]


def _weighted(blocks: Iterator[np.ndarray], weights: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield blocks whose second moment is weighted."""
    start = 0
    for block in blocks:
        stop = start + block.shape[0]
        yield block if weights is None else block * np.sqrt(weights[start:stop])[:, np.newaxis]
        start = stop


def _regularization(mechanism: Mechanism, shape: Shape, prior: float, n_rows: float) -> float:
    """Return the lambda of least estimated risk: noise against shrinkage, per direction."""
    sigma = mechanism.calibrated_noise()  # to a few per cent, which lambda decides later
    moment = shape.shaped_moment
    curvature = 0.8 * prior * (1 - prior) * moment
    signal = SIGNAL * n_rows / max(float(moment.sum()), 1e-12)
    candidates = sigma * np.geomspace(1e-3, 1e4, 200)[:, np.newaxis]
    risk = curvature * (sigma**2 + candidates**2 * signal) / (curvature + candidates) ** 2
    return float(candidates[np.argmin(risk.sum(axis=1)), 0])
