"""How good a fitted pipeline is on rows that it was not fitted on.

Classifiers: the area under the ROC curve (several classes: the mean over one against the
rest), accuracy, and the log-loss where there are probabilities. Regressors: R2. Without a
target: the mean squared distance to the nearest centre, the share of the variance that lies
along the components, and the distance of the covariance matrix from that of the rows,
relative to its norm (Frobenius).
"""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

METRICS: dict[str, dict[str, str]] = {
    "classification": {"auc": "AUC", "accuracy": "accuracy", "log_loss": "log-loss"},
    "regression": {"r2": "R2"},
    "unsupervised": {
        "inertia": "inertia a row",
        "captured_variance": "captured variance",
        "covariance_error": "covariance error",
    },
}
"""For each task the fields of a result that are its scores, and their titles."""


def score(
    model: Any, X: np.ndarray, y: np.ndarray, task: str, classes: tuple[int, ...] = ()
) -> dict[str, float]:
    """Return the scores of a fitted pipeline.

    Parameters
    ----------
    model : fitted pipeline
    X : array of shape (n_rows, n_columns)
        Rows that it was not fitted on.
    y : array of shape (n_rows,)
        Codes of their labels, or numbers; not used if the task is unsupervised.
    task : {"classification", "regression", "unsupervised"}
    classes : tuple of int, default=()
        Codes of all labels, sorted.

    Returns
    -------
    dict of str to float
        By the fields of `METRICS`. What the model has no answer to is left out.
    """
    if task == "classification":
        return _classifier(model, X, y, np.asarray(classes))
    if task == "regression":
        return {"r2": float(r2_score(y, model.predict(X)))}
    return _unsupervised(model, X)


def _classifier(model: Any, X: np.ndarray, y: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(X)
        return {
            "auc": _auc(y, probabilities, classes),
            "accuracy": float(accuracy_score(y, classes[probabilities.argmax(axis=1)])),
            "log_loss": float(log_loss(y, probabilities, labels=classes)),
        }
    margins = model.decision_function(X)
    if margins.ndim == 1:
        margins = np.column_stack([-margins, margins])
    return {
        "auc": _auc(y, margins, classes),
        "accuracy": float(accuracy_score(y, model.predict(X))),
    }


def _auc(y: np.ndarray, values: np.ndarray, classes: np.ndarray) -> float:
    if classes.size == 2:
        return float(roc_auc_score(y == classes[1], values[:, 1]))
    each = [roc_auc_score(y == label, values[:, k]) for k, label in enumerate(classes)]
    return float(np.mean(each))


def _unsupervised(model: Any, X: np.ndarray) -> dict[str, float]:
    fitted = getattr(model, "estimator_", model)
    if hasattr(fitted, "cluster_centers_"):
        squares = [((X - centre) ** 2).sum(axis=1) for centre in fitted.cluster_centers_]
        return {"inertia": float(np.min(squares, axis=0).mean())}
    true = np.atleast_2d(np.cov(X, rowvar=False, ddof=0))
    if hasattr(fitted, "components_"):
        basis = np.linalg.qr(fitted.components_.T)[0]
        return {"captured_variance": float(np.trace(basis.T @ true @ basis) / np.trace(true))}
    error = np.linalg.norm(fitted.covariance_ - true) / np.linalg.norm(true)
    return {"covariance_error": float(error)}
