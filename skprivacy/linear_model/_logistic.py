"""Private logistic regression by shaped objective perturbation.

Three releases: the class counts, a noisy second moment of the rows, and the minimiser
of a randomly tilted logistic loss on rows that the moment has shaped. The first two
cost little and make the third much better; together they compose exactly in Gaussian
differential privacy. With more than two classes the loss is the cross entropy of a
softmax, whose price is Gaussian too. The theory is in
``docs/theory/logistic_regression.md``.
"""

from typing import Any, ClassVar, Self

import numpy as np

from .._sklearn import StrOptions
from ..base import SCALE, DPEstimator, ProbabilityMixin
from ..ledger import PrivacyAccountant
from ..optimize import Logistic, Loss, Softmax
from ._classifier import LinearClassifier, log_odds


class DPLogisticRegression(ProbabilityMixin, LinearClassifier):
    """Logistic regression with differential privacy.

    Parameters
    ----------
    epsilon : float, default=1.0
        Privacy budget of a fit; smaller is more private.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement. 0 asks for pure differential
        privacy: all noise is Laplace noise, which is larger, and one of
        `bounds` and `clipping_norm` has to be given.
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
    C : float, default=None
        Inverse strength of an L2 penalty on `coef_`, as in scikit-learn, added to the
        regularisation that privacy needs, which is chosen from released quantities.
        None leaves that alone. It can only add: no `C` lowers what the proof asks for.
    unknown_labels : {"error", "ignore"}, default="error"
        What becomes of labels that `classes` does not declare. The error, before any
        charge, tells that there are some; ignored, such rows have weight 0.

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
    (sqrt(2)); the second moment of the rows, sensitivity 1 (sqrt(2)); the coefficients
    by objective perturbation, with noise for the solver's tolerance. A row's gradient has
    norm at most 1 with two classes and sqrt(2) with more (two rows as a group), and all is
    Gaussian-DP, exactly composed. The shares of mu squared are .03, .15 and .82. The number
    of iterations, norms of gradients and the number of rows do not leave the fit.

    The strength of regularisation is chosen from released quantities. A penalty by `C`
    depends on no row and makes the objective more convex: the price is the same.

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
        "clipping_norm": [SCALE, None],
        "bounds": ["array-like", tuple, None],
        "fit_intercept": ["boolean"],
        "classes": ["array-like", None],
        "unknown_labels": [StrOptions({"error", "ignore"})],
        "max_weight": [SCALE],
        "C": [SCALE, None],
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
        C: float | None = None,
        unknown_labels: str = "error",
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.clipping_norm = clipping_norm
        self.bounds = bounds
        self.fit_intercept = fit_intercept
        self.classes = classes
        self.unknown_labels = unknown_labels
        self.max_weight = max_weight
        self.C = C

    def _is_joint(self, n_classes: int) -> bool:
        return n_classes > 2

    def _row_loss(self, n_classes: int | None) -> Loss:
        return Logistic() if n_classes is None else Softmax(n_classes)

    def _curvature(self, shares: np.ndarray) -> float:
        if shares.size == 2:
            return float(0.8 * shares[0] * shares[1])
        return 0.5 / shares.size

    def _offset(self, share: float) -> float:
        return log_odds(share)

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
