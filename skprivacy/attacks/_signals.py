"""What an attacker sees of one model on some rows.

A model is more sure of rows it was trained on. For a classifier the signal is the
probability p of the row's own label, on the logit scale phi = log p - log(1 - p), where it
is close to Gaussian over models fitted without (or with) the row (Carlini et al. 2022). A
model without probabilities shows its margin, one with labels alone only whether it is
right, a regressor its residual.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import is_regressor
from sklearn.utils.multiclass import type_of_target

from ._rows import RESPONSES, check_model, plain_values

CLIP = 1e-6


@dataclass(frozen=True, eq=False)
class Signals:
    """What an attacker sees of one model on some rows.

    Parameters
    ----------
    statistic : ndarray of shape (n_rows,)
        High where the model is sure of the row's label: the confidence on the logit scale,
        or the margin, or, with labels alone, 1 where the model is right and 0 elsewhere.
        For a regressor the residual, y minus prediction.
    confidence : ndarray of shape (n_rows,) or None
        Probability of the row's own label, clipped; None for regressors and for models
        that answer with labels alone.
    correct : ndarray of shape (n_rows,) of bool, or None
        Whether the label is the model's choice; None for regressors.
    n_saturated : int
        Rows whose probability was clipped.
    """

    statistic: NDArray[np.float64]
    confidence: NDArray[np.float64] | None
    correct: NDArray[np.bool_] | None
    n_saturated: int = 0

    def split(self, n_rows: int) -> tuple["Signals", "Signals"]:
        """Return the signals of the first rows and of the rest, without the count."""

        def part(rows: slice) -> Signals:
            confidence = None if self.confidence is None else self.confidence[rows]
            correct = None if self.correct is None else self.correct[rows]
            return Signals(self.statistic[rows], confidence, correct)

        return part(slice(n_rows)), part(slice(n_rows, None))


def is_regression(model: Any, y: NDArray[Any]) -> bool:
    """Whether a model is a regressor; for one that does not say, whether its target is."""
    try:
        if is_regressor(model):
            return True
    except AttributeError:  # scikit-learn 1.7: an object without tags
        pass
    if getattr(model, "_estimator_type", None) == "regressor":
        return True
    says = any(hasattr(model, name) for name in ("classes_", "predict_proba", "decision_function"))
    return not says and str(type_of_target(y)).startswith("continuous")


class Labels:
    """Labels of rows, looked through once for any number of models.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        The labels.
    """

    def __init__(self, y: NDArray[Any]) -> None:
        self.y = y
        places: dict[Any, int] = {}
        numbers = [places.setdefault(value, len(places)) for value in plain_values(y)]
        self._numbers = np.array(numbers, dtype=np.intp)
        self._values = list(places)

    def codes(self, model: Any) -> NDArray[np.intp]:
        """Return the column of each label in a model's answers; -1 for labels it never saw."""
        # A wrapper that does not say: its labels are taken to be 0, 1, ...
        classes = getattr(model, "classes_", None)
        return self.codes_in(range(int(np.max(self.y)) + 1) if classes is None else classes)

    def codes_in(self, known: Iterable[Any]) -> NDArray[np.intp]:
        """Return the place of each label among the known ones, -1 where it is not there."""
        place = {value: code for code, value in enumerate(np.asarray(list(known)).tolist())}
        table = np.array([place.get(value, -1) for value in self._values], dtype=np.intp)
        return table[self._numbers]


def model_signals(
    model: Any, X: Any, y: Any, *, response: str = "auto", clip: float = CLIP
) -> Signals:
    """Return what an attacker sees of a fitted model on some rows.

    Parameters
    ----------
    model : estimator
        The fitted model; it is asked once.
    X : array-like of shape (n_rows, n_features)
        Rows as the model takes them: data frames, text and sparse matrices too.
    y : array-like of shape (n_rows,)
        Their labels or targets.
    response : {"auto", "predict_proba", "decision_function", "predict"}, default="auto"
        What the attacker may ask for; "auto" takes the first that the model has.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip]. Labels that the model never saw have
        probability 0.

    Returns
    -------
    Signals
        Statistics, high where the model is sure of the label.

    Raises
    ------
    TypeError
        If the model answers no queries.
    ValueError
        If a parameter is wrong or the model's answers are not finite or of a wrong form.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skprivacy.attacks import model_signals
    >>> X, y = [[0], [1], [2], [3]], [0, 0, 1, 0]
    >>> stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)
    >>> model_signals(stump, X, y).confidence.round(2)
    array([1. , 1. , 0.5, 0.5])
    """
    check_model(model)
    check_clip(clip)
    if response != "auto" and response not in RESPONSES:
        raise ValueError(
            f"response must be 'auto' or one of {RESPONSES}. Got {response!r} instead."
        )
    labels = Labels(np.asarray(y))
    return signals_of(
        model, X, labels, is_regression=is_regression(model, labels.y), response=response, clip=clip
    )


def signals_of(
    model: Any,
    X: Any,
    labels: Labels,
    *,
    is_regression: bool,
    response: str = "auto",
    clip: float = CLIP,
) -> Signals:
    """Return `model_signals` of labels that were looked through already."""
    if is_regression:
        answers = _finite(model.predict(X), "predict").reshape(-1)
        return Signals(np.asarray(labels.y, dtype=float) - answers, None, None)
    if response == "auto":
        response = next(name for name in RESPONSES if hasattr(model, name))
    if response == "predict":
        correct = np.asarray(model.predict(X)) == labels.y
        return Signals(correct.astype(float), None, correct)
    answers = getattr(model, response)(X)
    if isinstance(answers, list):
        # Wrong is the kind of model, not the type of what it answered.
        raise ValueError(  # noqa: TRY004
            "Attacks are for models of one output; this one has several."
        )
    answers = _finite(answers, response)
    codes = labels.codes(model)
    if response == "predict_proba":
        if answers.ndim == 1:
            answers = np.stack([1 - answers, answers], axis=1)
        own = _own_column(answers, codes, 0.0)
        correct = (answers.argmax(axis=1) == codes) & (codes >= 0)
        confidence = np.clip(own, clip, 1 - clip)
        statistic = np.log(confidence) - np.log1p(-confidence)
    else:
        statistic, correct = _margins(answers, codes)
        own = expit(statistic)
        confidence = np.clip(own, clip, 1 - clip)
    saturated = int(np.count_nonzero((own < clip) | (own > 1 - clip)))
    return Signals(statistic, confidence, correct, saturated)


def check_clip(clip: float) -> None:
    """Raise unless `clip` leaves an interval."""
    if not 0 < clip < 0.5:
        raise ValueError(f"clip must be a float in the range (0, 0.5). Got {clip!r} instead.")


def _margins(
    answers: NDArray[np.float64], codes: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the own class's lead over the best other one, and whether it leads."""
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim == 1:
        own = np.where(codes == 1, answers, -answers)
        margin = np.where(codes >= 0, own, -np.abs(answers))
        return margin, (codes == (answers > 0)) & (codes >= 0)
    best = answers.max(axis=1)
    own = _own_column(answers, codes, -np.inf)
    others = answers.copy()
    known = np.flatnonzero(codes >= 0)
    others[known, codes[known]] = -np.inf
    # A label the model never saw trails by as much as the best class leads the worst.
    own = np.where(codes >= 0, own, answers.min(axis=1))
    return own - others.max(axis=1), (codes >= 0) & (own >= best)


def _own_column(
    answers: NDArray[np.float64], codes: NDArray[np.intp], missing: float
) -> NDArray[np.float64]:
    own = answers[np.arange(len(codes)), np.maximum(codes, 0)]
    return np.where(codes >= 0, own, missing)


def _finite(answers: Any, response: str) -> NDArray[np.float64]:
    answers = np.asarray(answers, dtype=float)
    if not np.isfinite(answers).all():
        raise ValueError(
            f"The model's {response} has values that are not finite for "
            f"{int(np.count_nonzero(~np.isfinite(answers)))} entries; it can't be attacked so."
        )
    return answers
