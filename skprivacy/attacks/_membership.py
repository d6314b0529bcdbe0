"""Membership inference, which asks whether a row was in a fitted model's training data.

Each attack gives every row a score, high for members, from what the model says about it.
The simplest trust the model's confidence as it stands; the strongest compare it with that
of shadow models, fitted with and without the row. A model is as private as the worst of
them finds it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._attack import Array, MembershipAttack
from ._scores import difficulty_calibrated_scores, lira_scores, rmia_scores
from ._signals import CLIP
from ._view import View


class LossAttack(MembershipAttack):
    """Take the rows that the model fits best for members.

    The score is the confidence in the row's own label, on the logit scale (of a margin, the
    margin; of a regressor, minus the squared residual). It needs no shadow models and
    understates what a stronger attacker finds.

    Parameters
    ----------
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].

    Attributes
    ----------
    member_scores_, nonmember_scores_ : ndarray of shape (n_rows,)
        Scores of rows, high for members.
    roc_auc_ : float
        Area under the ROC curve.
    advantage_ : float
        Largest true less false positive rate.
    result_ : AttackResult
        The same and more.

    See Also
    --------
    LiRAAttack : Compares with what shadow models say about the row.
    run_attacks : Runs several attacks on shared shadow models.

    References
    ----------
    Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the
    Connection to Overfitting", CSF 2018.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import LossAttack
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> attack = LossAttack().fit(model, X[:200], y[:200], X[200:], y[200:])
    >>> attack.roc_auc_ > 0.6
    True
    """

    name = "loss"
    _for_regression = True

    def __init__(self, *, clip: float = CLIP) -> None:
        self.clip = clip

    def scores(self, view: View) -> Array:
        """Return the confidence in each row's label, or minus the squared residual.

        Parameters
        ----------
        view : View
            Signals of a target.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """
        statistic = view.signals.statistic
        return -(statistic**2) if view.is_regression else statistic


class GapAttack(MembershipAttack):
    """Take the rows that the model gets right for members.

    Its advantage is the gap between the accuracy on members and on non-members: what
    overfitting gives away to somebody who sees labels alone. It is for classifiers.

    Attributes
    ----------
    member_scores_, nonmember_scores_ : ndarray of shape (n_rows,)
        1 where the model is right, else 0.
    roc_auc_ : float
        Area under the ROC curve.
    advantage_ : float
        Accuracy on members less that on non-members, if positive.
    result_ : AttackResult
        The same and more.

    See Also
    --------
    LabelOnlyAttack : Learns more from labels, by asking about noisy copies of a row.

    References
    ----------
    Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the
    Connection to Overfitting", CSF 2018.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import GapAttack
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> attack = GapAttack().fit(model, X[:200], y[:200], X[200:], y[200:])
    >>> gap = model.score(X[:200], y[:200]) - model.score(X[200:], y[200:])
    >>> bool(abs(attack.advantage_ - gap) < 1e-12)
    True
    """

    name = "gap"
    _for_labels = True

    def scores(self, view: View) -> Array:
        """Return 1 where the model is right, else 0.

        Parameters
        ----------
        view : View
            Signals of a target.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """
        return np.asarray(view.signals.correct, dtype=float)


class CalibratedAttack(MembershipAttack):
    """Compare the model's confidence with its mean over models that never saw the row.

    Rows that every model is sure of are not taken for members. It is for classifiers, and
    for attackers who can't train on the row.

    Parameters
    ----------
    n_shadow : int, default=16
        Number of shadow models, if `fit` is given none.
    n_jobs : int, default=None
        Shadow models fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the halves of the shadow models, and their seeds.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Attributes
    ----------
    member_scores_, nonmember_scores_ : ndarray of shape (n_rows,)
        Scores of rows, high for members.
    roc_auc_ : float
        Area under the ROC curve.
    advantage_ : float
        Largest true less false positive rate.
    result_ : AttackResult
        The same and more.

    See Also
    --------
    LiRAAttack : Uses the spread over models too, and models fitted with the row.

    References
    ----------
    Watson, Guo, Cormode and Sablayrolles, "On the Importance of Difficulty Calibration in
    Membership Inference Attacks", ICLR 2022.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import CalibratedAttack
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> attack = CalibratedAttack(random_state=0).fit(model, X[:200], y[:200], X[200:], y[200:])
    >>> attack.roc_auc_ > 0.65
    True
    """

    name = "calibrated"
    _shadowed = True

    def __init__(
        self,
        *,
        n_shadow: int = 16,
        n_jobs: int | None = None,
        random_state: Any = None,
        clip: float = CLIP,
        verbose: bool = False,
    ) -> None:
        self.n_shadow = n_shadow
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.clip = clip
        self.verbose = verbose

    def scores(self, view: View) -> Array:
        """Return confidences less their means over models without the row.

        Parameters
        ----------
        view : View
            Signals of a target and of shadow models.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """
        return difficulty_calibrated_scores(
            view.signals.statistic, shadow_array(view.statistic), shadow_array(view.inside)
        )


class LiRAAttack(MembershipAttack):
    """Compare the model's confidence with its distributions with and without the row.

    The likelihood ratio attack: over shadow models, the confidence in a row's label, on the
    logit scale, is close to Gaussian; the score is the log density under the models fitted
    with the row less that under those without. Of regressors the signed residual is taken.

    Parameters
    ----------
    online : bool, default=True
        Whether models fitted with the row are used. Otherwise the score is the distance
        from those without, in standard deviations: an attacker's who can't train on the row.
    variance : {"pooled", "per-row"}, default="pooled"
        One variance for all rows, better below some 64 shadow models, or one a row.
    n_shadow : int, default=16
        Number of shadow models, if `fit` is given none.
    n_jobs : int, default=None
        Shadow models fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the halves of the shadow models, and their seeds.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Attributes
    ----------
    member_scores_, nonmember_scores_ : ndarray of shape (n_rows,)
        Scores of rows, high for members.
    roc_auc_ : float
        Area under the ROC curve.
    advantage_ : float
        Largest true less false positive rate.
    result_ : AttackResult
        The same and more.

    See Also
    --------
    RMIAAttack : Stronger where probabilities saturate, as those of forests do.
    ShadowModels : Fitted once, they serve several attacks.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import LiRAAttack
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> attack = LiRAAttack(random_state=0).fit(model, X[:200], y[:200], X[200:], y[200:])
    >>> attack.roc_auc_ > 0.7
    True
    """

    _shadowed = True
    _for_regression = True

    def __init__(
        self,
        *,
        online: bool = True,
        variance: str = "pooled",
        n_shadow: int = 16,
        n_jobs: int | None = None,
        random_state: Any = None,
        clip: float = CLIP,
        verbose: bool = False,
    ) -> None:
        self.online = online
        self.variance = variance
        self.n_shadow = n_shadow
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.clip = clip
        self.verbose = verbose

    @property
    def name(self) -> str:
        """Name of the attack in reports."""
        return "lira" if self.online else "lira-offline"

    def scores(self, view: View) -> Array:
        """Return log likelihood ratios, or distances from the models without the row.

        Parameters
        ----------
        view : View
            Signals of a target and of shadow models.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """
        target, shadows = view.signals.statistic, shadow_array(view.statistic)
        if view.is_regression and not self.online:
            # Small residuals of either sign speak for a member.
            target, shadows = -np.abs(target), -np.abs(shadows)
        inside = shadow_array(view.inside)
        return lira_scores(target, shadows, inside, online=self.online, variance=self.variance)


class RMIAAttack(MembershipAttack):
    """Compare the row with rows of the population, each relative to its expectation.

    The confidence in a row's label is divided by its mean over shadow models; the score is
    the share of the population's rows whose ratio is not larger. It is for classifiers with
    confidences, needs few shadow models and bears saturated probabilities.

    Parameters
    ----------
    online : bool, default=True
        Whether models fitted with the row count in the mean.
    offline_a : float, default=0.3
        Without them the mean is ((1 + a) mean out + 1 - a) / 2.
    gamma : float, default=1.0
        How much larger a ratio must be. For the ROC curve it hardly matters: scores rise
        strictly with the ratio, whatever the population.
    n_shadow : int, default=16
        Number of shadow models, if `fit` is given none.
    n_jobs : int, default=None
        Shadow models fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the halves of the shadow models, and their seeds.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Attributes
    ----------
    member_scores_, nonmember_scores_ : ndarray of shape (n_rows,)
        Scores of rows in [0, 1), high for members.
    roc_auc_ : float
        Area under the ROC curve.
    advantage_ : float
        Largest true less false positive rate.
    result_ : AttackResult
        The same and more.

    See Also
    --------
    LiRAAttack : The likelihood ratio attack.
    ShadowModels : Fitted once, they serve several attacks.

    Notes
    -----
    Without a population in `fit` the non-members stand in for it. The population only sets
    the scale of the scores, so this changes no ROC curve.

    References
    ----------
    Zarifzadeh, Liu and Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML
    2024.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import RMIAAttack
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> attack = RMIAAttack(random_state=0).fit(model, X[:200], y[:200], X[200:], y[200:])
    >>> attack.roc_auc_ > 0.7
    True
    """

    _shadowed = True

    def __init__(
        self,
        *,
        online: bool = True,
        offline_a: float = 0.3,
        gamma: float = 1.0,
        n_shadow: int = 16,
        n_jobs: int | None = None,
        random_state: Any = None,
        clip: float = CLIP,
        verbose: bool = False,
    ) -> None:
        self.online = online
        self.offline_a = offline_a
        self.gamma = gamma
        self.n_shadow = n_shadow
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.clip = clip
        self.verbose = verbose

    @property
    def name(self) -> str:
        """Name of the attack in reports."""
        return "rmia" if self.online else "rmia-offline"

    def scores(self, view: View) -> Array:
        """Return shares of the population below each row's ratio.

        Parameters
        ----------
        view : View
            Signals of a target and of shadow models.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """
        return rmia_scores(
            shadow_array(view.signals.confidence),
            shadow_array(view.confidence),
            shadow_array(view.inside),
            shadow_array(view.target_population),
            shadow_array(view.shadow_population),
            population_inside=view.population_inside,
            online=self.online,
            offline_a=self.offline_a,
            gamma=self.gamma,
        )


def shadow_array(array: NDArray[Any] | None) -> NDArray[Any]:
    """Return an array that a view has wherever the attack applies."""
    if array is None:
        raise ValueError("The view lacks shadow models, or signals of this kind.")
    return array
