"""Attribute inference, which asks what a model adds to guessing a hidden column.

Someone knows a person's other columns and label, and guesses a sensitive one: by what the
model says with each possible value in its place, and by what the columns say about each
other anyway. Most of such a guess is right without the model. So the guess of the prior
alone, and the same guesses about people the model never saw, always stand beside it: only
what is above both is the model's leak.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state

from ._attack import is_confident
from ._columns import ColumnFeatures, column_values, with_value
from ._label_only import is_table
from ._notes import checked_target
from ._rows import Pool, check_rows, check_same_columns, plain_values
from ._shadow import LARGEST_SEED
from ._signals import CLIP, Labels, check_clip, model_signals

Array = NDArray[np.float64]
MOST_VALUES = 20
N_FOLDS = 5
LEAST_CHANCE = 1e-6
QUANTILE_95 = 1.959963984540054


@dataclass(frozen=True)
class AttributeInferenceResult:
    """Shares of sensitive values guessed right, by guess and by side.

    Parameters
    ----------
    sensitive : int or str
        The column.
    values : tuple
        Its possible values.
    n_members, n_nonmembers : int
        Rows whose value is among them.
    attack_members, attack_nonmembers : float
        Right guesses of model and prior together.
    prior_members, prior_nonmembers : float
        Right guesses of the prior alone.
    model_members, model_nonmembers : float
        Right guesses of the model alone.
    leak : float
        What the model adds to the prior on members, less what it adds on non-members.
    leak_interval : tuple of float
        Its 95 % confidence interval over the draw of rows, with model and prior as fitted.
    """

    sensitive: int | str
    values: tuple[Any, ...]
    n_members: int
    n_nonmembers: int
    attack_members: float
    attack_nonmembers: float
    prior_members: float
    prior_nonmembers: float
    model_members: float
    model_nonmembers: float
    leak: float
    leak_interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain data.

        Returns
        -------
        dict
            By name.
        """
        return asdict(self)

    def __str__(self) -> str:
        low, high = self.leak_interval
        sides = f"members ({self.n_members})   non-members ({self.n_nonmembers})"
        lines = [
            f"guesses of {self.sensitive!r}   {sides}",
            f"model and prior   {self.attack_members:.3f}   {self.attack_nonmembers:.3f}",
            f"prior alone       {self.prior_members:.3f}   {self.prior_nonmembers:.3f}",
            f"model alone       {self.model_members:.3f}   {self.model_nonmembers:.3f}",
            f"leak: {self.leak:.3f} [{low:.3f}, {high:.3f}], added to the prior by the model,",
            "on members less on non-members",
        ]
        return "\n".join(lines)


class AttributeInferenceAttack(BaseEstimator):
    """Guess a hidden column of a row from a classifier's answers.

    For each possible value v the model is asked about the row with v in its place. The
    guess is the v with the largest log p(y | row with v) + log p(v | other columns, y).

    Parameters
    ----------
    sensitive : int or str
        Number or name of the hidden column.
    values : array-like, default=None
        Its possible values. None: those that occur in the members and non-members, at most
        20.
    prior : classifier, default=None
        Unfitted classifier with `predict_proba`, for the value given the other columns and
        the label. It sees numbers: text columns and the label come one-hot encoded. None: a
        histogram gradient boosting.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    random_state : int, RandomState instance or None, default=None
        Draws the folds of the prior, and its seed if it is the default one.

    Attributes
    ----------
    result_ : AttributeInferenceResult
        Guesses on members and non-members, with the prior beside them.
    values_ : ndarray of shape (n_values,)
        Possible values.
    member_guesses_, nonmember_guesses_ : ndarray of shape (n_rows,)
        The guess for each row.

    See Also
    --------
    run_attacks : Membership inference.

    Notes
    -----
    The prior never sees members. It is fitted on the non-members, cross-fitted in five folds
    for guesses about themselves, or on rows of its own given to `fit`.

    References
    ----------
    Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the
    Connection to Overfitting", CSF 2018. Jayaraman and Evans, "Are Attribute Inference
    Attacks Just Imputation?", CCS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skprivacy.attacks import AttributeInferenceAttack
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 4))
    >>> X[:, 0] = rng.integers(2, size=400)  # the secret, independent of the rest
    >>> y = rng.integers(2, size=400)
    >>> model = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    >>> attack = AttributeInferenceAttack(0, random_state=0)
    >>> result = attack.fit(model, X[:200], y[:200], X[200:], y[200:]).result_
    >>> result.n_members, abs(result.prior_members - 0.5) < 0.15
    (200, True)
    """

    def __init__(
        self,
        sensitive: int | str,
        *,
        values: Any = None,
        prior: Any = None,
        clip: float = CLIP,
        random_state: Any = None,
    ) -> None:
        self.sensitive = sensitive
        self.values = values
        self.prior = prior
        self.clip = clip
        self.random_state = random_state

    def fit(
        self,
        model: Any,
        X_member: Any,
        y_member: Any,
        X_nonmember: Any,
        y_nonmember: Any,
        *,
        X_prior: Any = None,
        y_prior: Any = None,
    ) -> Self:
        """Attack a fitted classifier, which is not fitted again.

        Parameters
        ----------
        model : classifier
            The fitted target, with `predict_proba` or `decision_function`.
        X_member, y_member : array-like or data frame, dense
            Rows that it was fitted on, with the true values of the hidden column.
        X_nonmember, y_nonmember : array-like or data frame
            Rows of the same kind that it never saw.
        X_prior, y_prior : array-like or data frame, default=None
            Rows that the prior is fitted on. None: the non-members.

        Returns
        -------
        self : AttributeInferenceAttack
            With the result.

        Raises
        ------
        ValueError
            If the model is no classifier with confidences, the column is not there, has too
            many values or only one, or rows and labels have a wrong form.
        """
        check_clip(self.clip)
        pool, regression = checked_target(model, X_member, y_member, X_nonmember, y_nonmember)
        if regression or not is_confident(model):
            raise ValueError(
                "Attribute inference needs a classifier with predict_proba or "
                f"decision_function. Got {model!r} instead."
            )
        if not is_table(pool.X):
            raise ValueError("Attribute inference is for dense tables: densify X first.")
        truth = column_values(pool.X, self.sensitive)
        values = self._possible(truth)
        codes = Labels(truth).codes_in(values)
        known, members = codes >= 0, pool.is_member
        fits = np.stack(
            [
                model_signals(
                    model, with_value(pool.X, self.sensitive, value), pool.y, clip=self.clip
                ).statistic
                for value in values
            ],
            axis=1,
        )
        model_log = -np.logaddexp(0.0, -fits)
        prior_log = self._prior_log(pool, codes, values, X_prior, y_prior)
        right = {
            "attack": _right(model_log + prior_log, codes),
            "prior": _right(prior_log, codes),
            "model": _right(model_log, codes),
        }
        self.values_ = values
        guesses = values[(model_log + prior_log).argmax(axis=1)]
        self.member_guesses_, self.nonmember_guesses_ = guesses[members], guesses[~members]
        sides = {"members": members & known, "nonmembers": ~members & known}
        lift = [(right["attack"] - right["prior"])[side] for side in sides.values()]
        leak = float(lift[0].mean() - lift[1].mean())
        width = QUANTILE_95 * math.sqrt(sum(part.var() / part.size for part in lift))
        self.result_ = AttributeInferenceResult(
            sensitive=self.sensitive,
            values=tuple(values.tolist()),
            n_members=int(sides["members"].sum()),
            n_nonmembers=int(sides["nonmembers"].sum()),
            leak=leak,
            leak_interval=(leak - width, leak + width),
            **{
                f"{guess}_{side}": float(hits[rows].mean())
                for guess, hits in right.items()
                for side, rows in sides.items()
            },
        )
        return self

    def _possible(self, truth: NDArray[Any]) -> NDArray[Any]:
        """Return the possible values of the hidden column."""
        if self.values is not None:
            values = np.asarray(self.values)
        else:
            values = np.array(sorted(set(plain_values(truth)) - {None}))
            if values.size > MOST_VALUES:
                raise ValueError(
                    f"The column {self.sensitive!r} has {values.size} values, more than "
                    f"{MOST_VALUES}. Bin it, or name the possible ones with values=."
                )
        if values.ndim != 1 or len(set(values.tolist())) < max(2, values.size):
            raise ValueError(
                f"The column {self.sensitive!r} needs at least 2 possible values, all "
                f"different. Got {values.tolist()} instead."
            )
        return values

    def _prior_log(
        self, pool: Pool, codes: NDArray[np.intp], values: NDArray[Any], X: Any, y: Any
    ) -> Array:
        """Return the log probability of each value, by classifiers that saw no member."""
        features = ColumnFeatures(self.sensitive).fit(pool.X, pool.y)
        given = features.transform(pool.X, pool.y)
        random = check_random_state(self.random_state)
        seed = int(random.randint(LARGEST_SEED))

        def fitted(rows: Array, labels: NDArray[np.intp], asked: Array) -> Array:
            known = labels >= 0
            if not known.any():
                raise ValueError("The prior has no row with a known value of the hidden column.")
            prior = HistGradientBoostingClassifier(max_iter=40, random_state=seed)
            prior = clone(prior if self.prior is None else self.prior)
            chances = np.full((asked.shape[0], values.size), LEAST_CHANCE)
            if np.unique(labels[known]).size == 1:
                chances[:, labels[known][0]] = 1.0
            else:
                prior.fit(rows[known], labels[known])
                chances[:, prior.classes_] += prior.predict_proba(asked)
            return np.log(chances)

        if X is not None:
            X, y = check_rows(X, y, "prior's rows")
            check_same_columns(pool.X, X, "members", "prior's rows")
            labels = Labels(column_values(X, self.sensitive)).codes_in(values)
            return fitted(features.transform(X, y), labels, given)
        outside = np.flatnonzero(~pool.is_member)
        logs = np.empty((pool.y.size, values.size))
        logs[: pool.n_members] = fitted(given[outside], codes[outside], given[: pool.n_members])
        folds = KFold(min(N_FOLDS, outside.size), shuffle=True, random_state=seed)
        for rest, held_out in folds.split(outside):
            logs[outside[held_out]] = fitted(
                given[outside[rest]], codes[outside[rest]], given[outside[held_out]]
            )
        return logs


def _right(logs: Array, codes: NDArray[np.intp]) -> Array:
    """Return for each row whether the largest is the true one; ties are tossed for."""
    best = np.isclose(logs, logs.max(axis=1, keepdims=True), rtol=0.0, atol=1e-12)
    own = best[np.arange(codes.size), np.maximum(codes, 0)]
    return own / best.sum(axis=1)
