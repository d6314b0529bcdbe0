"""Audits of the whole fit of a private logistic regression.

The sums it releases are audited exactly, by replaying a fit on a neighbour against the
recorded outputs; the minimiser statistically, end to end. Its exact profiles and its own
attack are in ``tests/optimize/test_objective.py``.
"""

import numpy as np
import pytest
from auditing import halved_noise, mu_lower_bound, record, replay, transcript_mu_squared

from skprivacy import PrivacyAccountant
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.mechanisms import Draw
from skprivacy.optimize import ObjectivePerturbation


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
    monkeypatch.setattr(
        ObjectivePerturbation, "draw", lambda self, Z, *_, **__: Draw(np.zeros(Z.shape[1]))
    )


@pytest.mark.usefixtures("no_minimiser")
@pytest.mark.parametrize("kind", ["long", "heavy tail", "ordinary"])
@pytest.mark.parametrize("bounds", ["public", "private"])
@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_transcript_stays_within_its_price(adjacency, bounds, kind):
    """The sums of a fit shift by no more than their part of mu, and the worst uses it up."""
    parameters = {"clipping_norm": 1.0} if bounds == "public" else {}

    def run(rows):
        accountant = PrivacyAccountant(epsilon=5.0, adjacency=adjacency)
        return lambda: DPLogisticRegression(
            2.0, accountant=accountant, random_state=0, classes=[0, 1], **parameters
        ).fit(*rows)

    one, other = neighbours(adjacency, kind)
    first = record(run(one))
    second = replay(run(other), first)
    mechanisms = [
        m for m in first.result.privacy_.mechanisms if m["mechanism"] != "ObjectivePerturbation"
    ]
    price = sum(m["mu"] ** 2 for m in mechanisms)
    spent = float(transcript_mu_squared(first, second))
    assert spent <= price * (1 + 1e-9)
    if kind == "long" and bounds == "public":
        assert spent >= 0.95 * price


def end_to_end(n_runs, epsilon=8.0):
    """Lower bound on mu from the coefficient of a one-column fit without intercept.

    All other rows have the canary's column and the other label, so that the canary's
    gradient is nearly as large as can be.
    """
    X = np.ones((31, 1))
    y = np.zeros(31, dtype=int)
    y[30] = 1
    model = DPLogisticRegression(
        epsilon, clipping_norm=1.0, classes=[0, 1], fit_intercept=True, random_state=None
    )

    def scores(n_rows):
        fits = (model.fit(X[:n_rows], y[:n_rows]) for _ in range(n_runs))
        return np.array([fit.coef_[0, 0] + fit.intercept_[0] for fit in fits])

    bound = mu_lower_bound(scores(31), scores(30))
    return bound, model.privacy_.mu


def test_end_to_end_finds_no_violation():
    bound, claimed = end_to_end(150)
    assert bound <= claimed


@pytest.mark.slow
def test_end_to_end_at_full_size_finds_no_violation_and_finds_halved_noise():
    bound, claimed = end_to_end(20_000)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = end_to_end(20_000)
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
        if not isinstance(m, ObjectivePerturbation)
    )
    with halved_noise():
        first = record(run(one))
        second = replay(run(other), first)
    assert transcript_mu_squared(first, second) > 2 * price
