"""Audits of the whole fit of a private logistic regression.

The sums it releases are audited exactly, by replaying a fit on a neighbour against the
recorded outputs; the minimiser, which a replay hands over as recorded, statistically, end to
end. Its exact profiles and its own attack are in ``tests/optimize/test_objective.py``.
"""

import numpy as np
import pytest
from auditing import ALPHA, halved_noise

from skprivacy import PrivacyAccountant
from skprivacy.accounting import gdp_epsilon
from skprivacy.attacks import audit_epsilon, audit_transcript
from skprivacy.linear_model import DPLogisticRegression


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


@pytest.mark.parametrize("kind", ["long", "heavy tail", "ordinary"])
@pytest.mark.parametrize("bounds", ["public", "private"])
@pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])
def test_transcript_stays_within_its_price(adjacency, bounds, kind):
    """The sums of a fit shift by no more than their part of mu, and the worst uses it up."""
    model = DPLogisticRegression(
        2.0,
        accountant=PrivacyAccountant(epsilon=5.0, adjacency=adjacency),
        random_state=0,
        classes=[0, 1],
        **({"clipping_norm": 1.0} if bounds == "public" else {}),
    )
    audit = audit_transcript(model, *neighbours(adjacency, kind))
    assert audit.not_covered == ("coefficients",)
    assert not audit.violated
    if kind == "long" and bounds == "public":
        assert audit.share >= 0.95


def test_planted_fault_is_in_the_transcript():
    """With half the noise, the transcript passes its price."""
    model = DPLogisticRegression(2.0, random_state=0, classes=[0, 1], clipping_norm=1.0)
    pair = neighbours("add-remove", "long")
    claimed = audit_transcript(model, *pair).mu_claimed
    with halved_noise():
        audit = audit_transcript(model, *pair, mu=claimed)
    assert audit.violated
    assert audit.share > 1.9


def end_to_end(n_runs, mu):
    """Audit the coefficient of a one-column fit without intercept.

    All other rows have the canary's column and the other label, so many that they push its
    margin far down: its gradient is then nearly as large as can be, and the coefficient
    falls with the noise alone.
    """
    X, y = np.ones((201, 1)), np.zeros(201, dtype=int)
    y[-1] = 1
    model = DPLogisticRegression(
        gdp_epsilon(mu, 1e-6), clipping_norm=1.0, classes=[0, 1], fit_intercept=False
    )
    return audit_epsilon(
        model,
        (X, y),
        (X[:-1], y[:-1]),
        n_runs=n_runs,
        score=lambda fitted: fitted.coef_[0, 0],
        mu=mu,
        delta=1e-6,
        alpha=ALPHA,
        canary="saturated, flipped label",
    )


@pytest.mark.slow
@pytest.mark.parametrize("mu", [1.5, 3.0])
def test_end_to_end_at_full_size_finds_no_violation_and_finds_halved_noise(mu):
    audit = end_to_end(20_000, mu)
    assert not audit.violated
    assert audit.mu_lower > 0.5 * mu
    with halved_noise():
        assert end_to_end(20_000, mu).violated
