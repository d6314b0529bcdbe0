"""A classifier trained against the attacker who asks who was in the training data.

What a classifier says about its training rows differs from what it says about others, and
that tells who was trained on. Adversarial regularisation (Nasr, Shokri and Houmansadr
2018) trains an attacker along with the classifier and makes the classifier pay for what the
attacker learns. It lowers the average attack and proves nothing: the guarantee, where
one is needed, comes from ``epsilon=``, which trains both networks by noisy gradients.
"""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import log_softmax
from sklearn.utils.metaestimators import available_if

from .._sklearn import Interval, StrOptions
from ..base import DPEstimator
from ..ledger import PrivacyAccountant
from ._fits import AdversarialFits
from ._network import softmax


def _has_no_guarantee(estimator: Any) -> bool:
    """Whether more rows can be learned from without a price being worked out again."""
    return estimator.epsilon is None


class AdversariallyRegularizedClassifier(AdversarialFits):
    """Multilayer perceptron, regularised by an attacker that infers membership.

    With ``epsilon=None``, the default, it has no differential privacy: its receipt says
    that epsilon is infinite, and an accountant with a finite ceiling refuses the fit.
    With an `epsilon` both networks are trained by private stochastic gradient descent.

    Parameters
    ----------
    epsilon : float, default=None
        Privacy budget of a fit. None: no guarantee.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement.
    accountant : PrivacyAccountant, default=None
        Accountant that every fit charges. None: the fit has a receipt only.
    random_state : int, RandomState instance or None, default=None
        Of initial weights, order of rows and, with `epsilon`, noise, which it makes
        reproducible and so worthless: the receipt says so.
    hidden_layer_sizes : array-like of int, default=(64,)
        Numbers of hidden units. ``()`` is a linear model, where plain L2 does better than
        an attacker.
    activation : {"relu", "tanh"}, default="relu"
        Of the hidden units.
    regularizer : {"adversarial", "relaxloss"} or None, default="adversarial"
        "relaxloss" holds training at a target loss [2]_ and costs little time.
    objective : {"linear", "log"}, default="linear"
        What the inference network gains by a row and the classifier lowers: its guess s
        that the row is a member, or log s, which is about three times as strong.
    adversary_weight : float, default=1.0
        Weight of that gain. From 10 on accuracy collapsed in every trial.
    adversary_hidden : int, default=64
        Hidden units of the inference network's first layer; the second has half as many.
    adversary_steps : int, default=1
        Steps of the inference network for each of the classifier.
    adversary_lr : float, default=1e-3
        Learning rate of the inference network.
    warmup_epochs : int, default=5
        Epochs in which the inference network learns and is not yet heeded.
    relax_target : float, default=None
        Target loss of "relaxloss". None: a quarter of the logarithm of the number of
        classes.
    reference_fraction : float, default=0.2
        Part of the rows set aside as non-members for the inference network where `fit` is
        given no reference rows. The classifier does not learn from them.
    alpha : float, default=1e-3
        Strength of the L2 penalty, alpha / 2 times the squared weights beside the mean
        loss; scikit-learn divides it by the batch size.
    batch_size : int, default=32
        Rows of a step; without `epsilon`.
    learning_rate_init : float, default=1e-3
        Learning rate of Adam.
    max_iter : int, default=100
        Largest number of epochs; with `epsilon` the number, fixed beforehand.
    tol : float, default=1e-4
        Gain of the validation score that counts.
    early_stopping : bool, default=True
        Whether to keep the weights of the best validation score and to stop when it does
        not rise. Off with `epsilon`, where the number of steps is fixed.
    validation_fraction : float, default=0.1
        Part of the rows set aside for early stopping.
    n_iter_no_change : int, default=5
        Epochs to wait for a better validation score.
    warm_start : bool, default=False
        Whether `fit` starts from the last fit. The receipt then covers both.
    verbose : bool, default=False
        Whether to print a line an epoch.
    classes : array-like, default=None
        All labels that can occur. None: the labels in `y`.
    clipping_norm : float, default=1.0
        With `epsilon`: bound on the norm of one row's gradient; longer ones are scaled
        down.
    sampling_rate : float, default=0.05
        With `epsilon`: probability of every row to join a step. There are
        ``max_iter / sampling_rate`` steps, whatever the number of rows, which is private.
    max_weight : float, default=1.0
        With `epsilon`: largest sample weight; larger ones are clipped.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    coefs_ : list of arrays of shape (n_in, n_out)
        Weights of every layer.
    intercepts_ : list of arrays of shape (n_out,)
        Biases of every layer.
    n_iter_ : int
        Number of epochs; with `epsilon` that is `max_iter`.
    loss_curve_ : list of float
        Mean loss of every epoch on the rows learned from; not with `epsilon`.
    adversary_accuracy_curve_ : list of float
        How often the inference network guesses right, an epoch; .5 is chance. Not with
        `epsilon`.
    validation_scores_ : list of float
        Accuracy after every epoch, with early stopping; not with `epsilon`.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : array of shape (n_features,)
        Names of the columns, where all are strings.
    privacy_ : Receipt
        What the fit released and what it cost.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : The same network without a regulariser.
    skprivacy.linear_model.DPLogisticRegression : A guarantee without learning rates to choose.
    shadow_predictions : Many of these networks at once, to attack them.

    Notes
    -----
    Early stopping is on by default because it does most of the work: at equal accuracy
    neither regulariser lowered the area under the strongest attack's curve by more than .02
    to .03 below it, and where the best accuracy comes early, stopping there was far better
    than any regulariser. The regularisers lower the average attack more than the true
    positive rate at 1 % false positives. Reference rows are rows that an unregularised
    model could have learned from.

    With `epsilon`, released are, under add-remove and replace-one adjacency: the sums of
    clipped gradients of every step and network, with Gaussian noise, on samples that each
    row joins by its own coin; and a noisy number of rows (add-remove). Reference and
    sample membership are secret coins of each row, or the data set the row came in; the
    reference rows are covered by the same guarantee. Neither losses nor scores leave the fit.

    Under noise the learning rate decides: 5e-3 to 2e-2 with fewer passes did much better than
    the default where epsilon was small, and the regulariser costs accuracy that the noise has
    paid for already. Choosing either on private rows has its own price.

    References
    ----------
    .. [1] M. Nasr, R. Shokri and A. Houmansadr, "Machine Learning with Membership Privacy
       using Adversarial Regularization", CCS 2018.
    .. [2] D. Chen, N. Yu and M. Fritz, "RelaxLoss: Defending Membership Inference Attacks
       without Losing Utility", ICLR 2022.
    .. [3] M. Abadi et al., "Deep Learning with Differential Privacy", CCS 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skprivacy.adversarial import AdversariallyRegularizedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = AdversariallyRegularizedClassifier(random_state=0).fit(X[:900] / 16, y[:900])
    >>> model.score(X[900:] / 16, y[900:]) > 0.8
    True
    >>> model.privacy_.epsilon
    inf
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DPEstimator._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="neither"), None],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"relu", "tanh"})],
        "regularizer": [StrOptions({"adversarial", "relaxloss"}), None],
        "objective": [StrOptions({"linear", "log"})],
        "adversary_weight": [Interval(Real, 0, None, closed="left")],
        "adversary_hidden": [Interval(Integral, 1, None, closed="left")],
        "adversary_steps": [Interval(Integral, 1, None, closed="left")],
        "adversary_lr": [Interval(Real, 0, None, closed="neither")],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "relax_target": [Interval(Real, 0, None, closed="left"), None],
        "reference_fraction": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "classes": ["array-like", None],
        "clipping_norm": [Interval(Real, 0, None, closed="neither")],
        "sampling_rate": [Interval(Real, 0, 1, closed="right")],
        "max_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        epsilon: float | None = None,
        delta: float = 1e-6,
        accountant: PrivacyAccountant | None = None,
        random_state: Any = None,
        *,
        hidden_layer_sizes: Any = (64,),
        activation: str = "relu",
        regularizer: str | None = "adversarial",
        objective: str = "linear",
        adversary_weight: float = 1.0,
        adversary_hidden: int = 64,
        adversary_steps: int = 1,
        adversary_lr: float = 1e-3,
        warmup_epochs: int = 5,
        relax_target: float | None = None,
        reference_fraction: float = 0.2,
        alpha: float = 1e-3,
        batch_size: int = 32,
        learning_rate_init: float = 1e-3,
        max_iter: int = 100,
        tol: float = 1e-4,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        verbose: bool = False,
        classes: Any = None,
        clipping_norm: float = 1.0,
        sampling_rate: float = 0.05,
        max_weight: float = 1.0,
    ) -> None:
        super().__init__(epsilon, delta, accountant, random_state)
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.regularizer = regularizer
        self.objective = objective
        self.adversary_weight = adversary_weight
        self.adversary_hidden = adversary_hidden
        self.adversary_steps = adversary_steps
        self.adversary_lr = adversary_lr
        self.warmup_epochs = warmup_epochs
        self.relax_target = relax_target
        self.reference_fraction = reference_fraction
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.verbose = verbose
        self.classes = classes
        self.clipping_norm = clipping_norm
        self.sampling_rate = sampling_rate
        self.max_weight = max_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.poor_score = self.epsilon is not None
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_reference: Any = None,
        y_reference: Any = None,
    ) -> Self:
        """Fit the classifier, and charge the accountant.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0; relative, or, with `epsilon`, clipped to `max_weight`.
        X_reference : array-like or sparse matrix, default=None
            Rows that the classifier does not learn from, for the inference network. None:
            `reference_fraction` of the rows.
        y_reference : array-like, default=None
            Their labels.

        Returns
        -------
        self : AdversariallyRegularizedClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling does not admit the price; nothing is charged.
        """
        return self._private_fit(
            X,
            y,
            sample_weight,
            extend=self.warm_start,
            X_reference=X_reference,
            y_reference=y_reference,
        )

    @available_if(_has_no_guarantee)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        X_reference: Any = None,
        y_reference: Any = None,
    ) -> Self:
        """Take one pass over more rows; only without `epsilon`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows, finite.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like, default=None
            All labels that can occur, in the first call, unless the parameter `classes`
            has them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, at least 0.
        X_reference, y_reference : array-like, default=None
            As in `fit`.

        Returns
        -------
        self : AdversariallyRegularizedClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If a parameter or the data's form is wrong; nothing is charged.
        BudgetExceededError
            If the accountant's ceiling is finite; nothing is charged.
        """
        self._declared = self._declared_classes(classes)
        try:
            return self._private_fit(
                X,
                y,
                sample_weight,
                extend=True,
                X_reference=X_reference,
                y_reference=y_reference,
                single_pass=True,
            )
        finally:
            del self._declared

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,)
        """
        best = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        return softmax(self._logits(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, without underflow.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_classes)
        """
        return np.asarray(log_softmax(self._logits(X), axis=1))
