"""Audits of the whole fits of private linear models.

The sums it releases are audited exactly, by replaying a fit on a neighbour against the
recorded outputs; the minimiser, which a replay hands over as recorded, statistically, end to
end. Its exact profiles and its own attack are in ``tests/optimize/test_objective.py``.
"""

import numpy as np
import pytest
from auditing import halved_noise

from skprivacy import PrivacyAccountant
from skprivacy.attacks import (
    mu_lower_bound,
    record,
    replay,
    transcript_epsilon,
    transcript_mu_squared,
)
from skprivacy.linear_model import DPLinearSVC, DPLogisticRegression, DPRidge
from skprivacy.mechanisms import Draw
from skprivacy.optimize import Perturbation

MODELS = {
    "logistic": lambda **parameters: DPLogisticRegression(2.0, classes=[0, 1], **parameters),
    "softmax": lambda **parameters: DPLogisticRegression(2.0, classes=[0, 1, 2], **parameters),
    "svc": lambda **parameters: DPLinearSVC(2.0, classes=[0, 1], **parameters),
    "ridge": lambda **parameters: DPRidge(epsilon=2.0, y_bounds=(0, 1), **parameters),
}


def neighbours(adjacency, kind):
    """Rows, and the same without a row or with it replaced by its opposite."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(60, 2)) / 2
    y = (X[:, 0] > 0).astype(int)
    canary = {
        "long": ([5.0, 0.0], [0.0, 5.0]),
        "heavy tail": ([1e6, 1.0], [1e-9, -1.0]),
        "ordinary": ([0.3, 0.2], [0.3, -0.2]),
    }[kind]
    X = np.vstack([X, canary[0]])
    y = np.append(y, 1)
    if adjacency == "add-remove":
        return (X, y), (X[:-1], y[:-1])
    other_X, other_y = X.copy(), y.copy()
    other_X[-1], other_y[-1] = canary[1], 0
    return (X, y), (other_X, other_y)


@pytest.fixture
def no_minimiser(monkeypatch):
    """Make the minimiser, which is no sum, give out a constant."""

    def constant(self, Z, *_, **__):
        n_scores = self.row_loss.n_scores
        return Draw(np.zeros(Z.shape[1] if n_scores is None else (Z.shape[1], n_scores)))

    monkeypatch.setattr(Perturbation, "draw", constant)


@pytest.mark.usefixtures("no_minimiser")
@pytest.mark.parametrize("kind", ["long", "heavy tail", "ordinary"])
@pytest.mark.parametrize("bounds", ["public", "private"])
@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
@pytest.mark.parametrize("model", MODELS)
def test_transcript_stays_within_its_price(model, adjacency, bounds, kind):
    """The sums of a fit shift by no more than their part of mu, and the worst uses it up."""
    parameters = {"clipping_norm": 1.0} if bounds == "public" else {}

    def run(rows):
        accountant = PrivacyAccountant(epsilon=5.0, adjacency=adjacency)
        return lambda: MODELS[model](accountant=accountant, random_state=0, **parameters).fit(*rows)

    one, other = neighbours(adjacency, kind)
    first = record(run(one))
    second = replay(run(other), first)
    mechanisms = [
        m for m in first.result.privacy_.mechanisms if "Perturbation" not in m["mechanism"]
    ]
    price = sum(m["mu"] ** 2 for m in mechanisms)
    spent = float(transcript_mu_squared(first, second))
    assert spent <= price * (1 + 1e-9)
    if kind == "long" and bounds == "public" and (model, adjacency) != ("ridge", "replace-one"):
        assert spent >= 0.95 * price


@pytest.mark.usefixtures("no_minimiser")
@pytest.mark.parametrize("kind", ["long", "heavy tail", "ordinary"])
@pytest.mark.parametrize("clipping_norm", [None, 1.0])
@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
@pytest.mark.parametrize("model", MODELS)
def test_transcript_of_a_pure_fit_stays_within_its_price(model, adjacency, clipping_norm, kind):
    def run(rows):
        accountant = PrivacyAccountant(epsilon=5.0, delta=0.0, adjacency=adjacency)
        return lambda: MODELS[model](
            accountant=accountant,
            random_state=0,
            delta=0.0,
            bounds=(-2, 2),
            clipping_norm=clipping_norm,
        ).fit(*rows)

    one, other = neighbours(adjacency, kind)
    first = record(run(one))
    second = replay(run(other), first)
    receipt = first.result.privacy_
    assert receipt.epsilon == pytest.approx(2.0, rel=1e-6)
    price = sum(m["epsilon"] for m in receipt.mechanisms if "Perturbation" not in m["mechanism"])
    spent = float(transcript_epsilon(first, second))
    assert spent <= price * (1 + 1e-9)
    assert spent > 0


def classifier_scores(model):
    """Coefficients of one column where all other rows have the canary's and the other label.

    So the canary's gradient is nearly as large as can be.
    """
    X, y = np.ones((31, 1)), np.zeros(31, dtype=int)
    y[30] = 1

    def scores(n_rows, n_runs):
        fits = (model.fit(X[:n_rows], y[:n_rows]) for _ in range(n_runs))
        return np.array([fit.coef_[-1, 0] + fit.intercept_[-1] for fit in fits])

    return scores


def regressor_scores(model):
    X, y = np.ones((31, 1)), np.zeros(31)
    y[30] = 1.0

    def scores(n_rows, n_runs):
        fits = (model.fit(X[:n_rows], y[:n_rows]) for _ in range(n_runs))
        return np.array([fit.coef_[0] + fit.intercept_ for fit in fits])

    return scores


ATTACKS = {
    "logistic": (
        classifier_scores,
        DPLogisticRegression(8.0, clipping_norm=1.0, classes=[0, 1]),
    ),
    "softmax": (
        classifier_scores,
        DPLogisticRegression(8.0, clipping_norm=1.0, classes=[-1, 0, 1]),
    ),
    "svc": (classifier_scores, DPLinearSVC(8.0, clipping_norm=1.0, classes=[0, 1])),
    "ridge": (regressor_scores, DPRidge(epsilon=8.0, clipping_norm=1.0, y_bounds=(0, 1))),
}


def end_to_end(name, n_runs):
    """Return a lower bound on mu from the fitted models, and the mu that was claimed."""
    attack, model = ATTACKS[name]
    scores = attack(model)
    bound = mu_lower_bound(scores(31, n_runs), scores(30, n_runs))
    return bound, model.privacy_.mu


@pytest.mark.parametrize("name", ATTACKS)
def test_end_to_end_finds_no_violation(name):
    bound, claimed = end_to_end(name, 150)
    assert bound <= claimed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("logistic", 0.5), ("softmax", 0.2), ("svc", 0.3), ("ridge", 0.2)]
)
def test_end_to_end_at_full_size_finds_no_violation(name, least):
    bound, claimed = end_to_end(name, 20_000)
    assert least * claimed < bound <= claimed


@pytest.mark.slow
def test_end_to_end_at_full_size_finds_halved_noise():
    claimed = ATTACKS["logistic"][1].plan().loss.mu
    with halved_noise():
        planted, _ = end_to_end("logistic", 20_000)
    assert planted > claimed


@pytest.mark.usefixtures("no_minimiser")
def test_planted_fault_is_in_the_transcript():
    """With half the noise, the transcript passes its price."""

    def run(rows):
        model = DPLogisticRegression(2.0, random_state=0, classes=[0, 1], clipping_norm=1.0)
        return lambda: model.fit(*rows)

    one, other = neighbours("add-remove", "long")
    price = sum(
        m.loss("add-remove").mu ** 2
        for m in DPLogisticRegression(2.0, clipping_norm=1.0).plan().mechanisms
        if not isinstance(m, Perturbation)
    )
    with halved_noise():
        first = record(run(one))
        second = replay(run(other), first)
    assert transcript_mu_squared(first, second) > 2 * price
