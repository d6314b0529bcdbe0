"""Every private estimator of the package is audited, and every audit finds planted faults.

By its transcript, exactly: on no pair may a fit spend more than it is charged for its sums,
and on the worst it spends nearly all of it. And by its output, statistically, with no
knowledge of how it works: at a size that sees noise half of what it should be.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from listing import public_estimators
from sklearn.base import clone

from skprivacy import PrivacyAccountant
from skprivacy.accounting import gdp_epsilon
from skprivacy.additive import DPAdditiveClassifier, DPAdditiveRegressor
from skprivacy.adversarial import AdversariallyRegularizedClassifier
from skprivacy.attacks import audit_epsilon, audit_transcript
from skprivacy.base import DPEstimator
from skprivacy.bounding import MAGNITUDE, _evidence, _magnitude_weights
from skprivacy.cluster import DPKMeans
from skprivacy.covariance import DPEmpiricalCovariance
from skprivacy.decomposition import DPPCA
from skprivacy.distillation import DistilledClassifier, MembershipDistiller, PATEClassifier
from skprivacy.ensemble import DPExtraTreesClassifier, DPExtraTreesRegressor
from skprivacy.linear_model import (
    DPLinearRegression,
    DPLinearSVC,
    DPLogisticRegression,
    DPRidge,
)
from skprivacy.naive_bayes import DPCategoricalNB, DPGaussianNB
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler

ADJACENCIES = ["add-remove", "replace-one"]
by_adjacency = pytest.mark.parametrize("adjacency", ADJACENCIES)
DELTA = 1e-6


@dataclass(frozen=True)
class Pair:
    """Rows that hurt: a canary that is added, or stands where its opposite was."""

    base: Any
    canary: Any
    opposite: Any
    labels: Any = None
    """Of the base, the canary and its opposite."""

    def data(self, adjacency):
        more = np.vstack([self.base, [self.canary]])
        swapped = np.vstack([self.base, [self.opposite]])
        less = self.base if adjacency == "add-remove" else swapped
        if self.labels is None:
            return (more,), (less,)
        y = np.append(np.full(len(self.base), self.labels[0]), self.labels[1:])
        kept = np.delete(y, -2)
        return (more, y[:-1]), (less, kept if adjacency == "replace-one" else kept[:-1])


def budgeted(estimator, adjacency, mu):
    """Return a copy with a budget of mu, under an adjacency."""
    # Without an accountant the adjacency is add-remove, and a fit is faster.
    accountant = None if adjacency == "add-remove" else PrivacyAccountant(adjacency=adjacency)
    return clone(estimator).set_params(
        epsilon=gdp_epsilon(mu, DELTA), delta=DELTA, accountant=accountant
    )


# Transcripts

SEPARATE = np.repeat([[-1.9], [1.9]], 100, axis=0)
CENTRE = np.full((60, 2), 0.25)

# Estimator, its worst pair, and the share of the claim that the pair spends at least. Where
# ranges and norms are found privately, one row can't be the worst for all of them at once.
TRANSCRIPTS = [
    (DPStandardScaler(bounds=(-1, 1)), Pair(CENTRE, [1, 1], [-1, -1]), (0.99, 0.99)),
    (
        DPStandardScaler(bounds=(-1, 1), missing="ignore"),
        Pair(CENTRE, [1, 1], [-1, -1]),
        (0.99, 0.99),
    ),
    (DPStandardScaler(), Pair(SEPARATE, [1.999], [-1.999]), (0.99, 0.99)),
    (DPMinMaxScaler(), Pair(SEPARATE, [0.4], [-0.4]), (0.99, 0.99)),
    (
        DPLogisticRegression(clipping_norm=1.0, classes=[0, 1]),
        Pair(CENTRE, [9, 0], [0, 9], (0, 1, 0)),
        (0.99, 0.99),
    ),
    (
        DPLogisticRegression(clipping_norm=1.0, classes=["a", "b", "c"]),
        Pair(CENTRE, [9, 0], [0, 9], ("a", "b", "c")),
        (0.99, 0.99),
    ),
    (
        DPLogisticRegression(classes=[0, 1]),
        Pair(CENTRE, [0.25, 0.25], [-0.25, -0.25], (0, 1, 0)),
        (0.99, 0.5),
    ),
]


@pytest.mark.parametrize("case", range(len(TRANSCRIPTS)))
@by_adjacency
@pytest.mark.parametrize("mu", [0.1, 0.5, 5.0])
def test_transcript_spends_its_price_and_no_more(case, adjacency, mu):
    estimator, pair, least = TRANSCRIPTS[case]
    one, other = pair.data(adjacency)
    shares = []
    for first, second in ((one, other), (other, one)):
        audit = audit_transcript(budgeted(estimator, adjacency, mu), first, second)
        assert not audit.violated
        shares.append(audit.share)
    # With a small budget no range is found privately, and part of the price buys nothing.
    if mu == 5.0:
        assert max(shares) >= least[ADJACENCIES.index(adjacency)]


@pytest.mark.parametrize("case", range(len(TRANSCRIPTS)))
@by_adjacency
def test_transcript_shows_halved_noise(case, adjacency):
    estimator, pair, _ = TRANSCRIPTS[case]
    estimator = budgeted(estimator, adjacency, 0.5)
    data = pair.data(adjacency)
    claimed = audit_transcript(estimator, *data).mu_claimed
    with halved_noise():
        audit = audit_transcript(estimator, *data, mu=claimed)
    assert audit.violated


# Outputs


@dataclass(frozen=True)
class Statistical:
    """An estimator, its pair, and what an attacker looks at."""

    estimator: DPEstimator
    pair: Pair
    options: dict[str, Any]
    mu: float
    n_runs: int
    least: float
    """Part of mu that the bound reaches at full size."""


def scattered():
    return np.random.default_rng(5).choice([-0.2, 0.6], size=(200, 2))


def edge_of_being_seen(mu, adjacency):
    """As many rows in a magnitude as its threshold asks for: the noise decides on one more.

    That takes the magnitudes' half of mu squared; the event can't take more.
    """
    scaler = budgeted(DPMinMaxScaler(), adjacency, mu)
    noise = scaler.fit([[0.0]]).privacy_.noise_scales[MAGNITUDE]
    n_rows = round(float((noise * _evidence(_magnitude_weights()))[-65]))  # the cell of [1, 2)
    return Pair(np.vstack([np.zeros((300, 1)), np.full((n_rows - 1, 1), 1.5)]), [1.5], [0.0])


def outputs(adjacency="add-remove"):
    """Return the cases, made for the noise as it is at the moment: attackers know it."""
    return {
        "standard scaler": Statistical(
            DPStandardScaler(bounds=(-1, 1)), Pair(scattered(), [1, 1], [-1, -1]), {}, 2.0, 600, 0.6
        ),
        "minmax scaler": Statistical(
            DPMinMaxScaler(),
            edge_of_being_seen(1.0, adjacency),
            {"score": lambda model: float(model.data_max_[0] > 0.5), "threshold": 0.5},
            1.0,
            1500,
            0.5,
        ),
        "logistic regression": Statistical(
            DPLogisticRegression(clipping_norm=1.0, classes=[0, 1], fit_intercept=False),
            Pair(np.ones((200, 1)), [1], [1], (0, 1, 0)),
            {"score": lambda model: model.coef_[0, 0]},
            2.0,
            600,
            0.5,
        ),
    }


def audit_of(name, adjacency, n_runs=None):
    case = outputs(adjacency)[name]
    audit = audit_epsilon(
        budgeted(case.estimator, adjacency, case.mu),
        *case.pair.data(adjacency),
        n_runs=case.n_runs if n_runs is None else n_runs,
        mu=case.mu,
        delta=DELTA,
        alpha=ALPHA,
        **case.options,
    )
    return audit, case


@pytest.mark.parametrize("name", outputs())
def test_output_shows_no_violation_and_shows_halved_noise(name):
    audit, case = audit_of(name, "add-remove")
    assert not audit.violated
    assert audit.mu_lower > 0.2 * case.mu
    with halved_noise():
        assert audit_of(name, "add-remove")[0].violated


@pytest.mark.slow
@pytest.mark.parametrize("name", outputs())
@by_adjacency
def test_output_at_full_size(name, adjacency):
    audit, case = audit_of(name, adjacency, 20_000)
    assert not audit.violated
    if adjacency == "add-remove":
        assert audit.mu_lower > case.least * case.mu
        with halved_noise():
            assert audit_of(name, adjacency, 20_000)[0].violated


# Coverage


# Audited beside their other tests: by transcript, and by their output with halved noise. A
# distilled classifier is its private teacher's, and soft labels of an unprotected teacher
# claim nothing.
ELSEWHERE = {
    AdversariallyRegularizedClassifier,
    DPAdditiveClassifier,
    DPAdditiveRegressor,
    DPCategoricalNB,
    DPEmpiricalCovariance,
    DPExtraTreesClassifier,
    DPExtraTreesRegressor,
    DPGaussianNB,
    DPKMeans,
    DPLinearRegression,
    DPLinearSVC,
    DPPCA,
    DPRidge,
    DistilledClassifier,
    MembershipDistiller,
    PATEClassifier,
}


def test_every_estimator_of_the_package_is_audited():
    expected = public_estimators() - ELSEWHERE
    assert expected == {type(case.estimator) for case in outputs().values()}
    assert expected == {type(estimator) for estimator, _, _ in TRANSCRIPTS}
