"""Transcripts are exact, condition on outputs, and see a course that depends on the rows."""

import math
from fractions import Fraction

import numpy as np
import pytest
from auditing import halved_noise

from skprivacy import PrivacyAccountant
from skprivacy.attacks import (
    TranscriptError,
    audit_transcript,
    record,
    replay,
    transcript_epsilon,
    transcript_mu_squared,
)
from skprivacy.base import DPEstimator
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.mechanisms import GaussianSum, LaplaceSum, PermuteAndFlip, random_source
from skprivacy.preprocessing import DPStandardScaler


def a_sum(mechanism, rows, seed=0):
    def run():
        return mechanism.draw(
            np.array(rows), adjacency="add-remove", source=random_source(seed)
        ).value

    return run


def test_transcripts_are_exact_and_condition_on_the_outputs():
    mechanism = GaussianSum(name="sum").calibrate("add-remove", mu=0.5)
    first = record(a_sum(mechanism, [[0.0, 0.0]]))
    second = replay(a_sum(mechanism, [[0.0, 0.0], [0.0, -1.0]], seed=1), first)
    assert (first.result == second.result).all()
    assert (first.result == a_sum(mechanism, [[0.0, 0.0]])()).all()
    squared = transcript_mu_squared(first, second)
    assert squared <= Fraction(mechanism.loss("add-remove").mu) ** 2
    assert math.sqrt(squared) == pytest.approx(0.5)

    mechanism = LaplaceSum(name="sum").calibrate("add-remove", epsilon=0.5)
    laplace = record(a_sum(mechanism, [[0.0, 0.0]]))
    second = replay(a_sum(mechanism, [[0.0, 0.0], [0.5, -0.5]]), laplace)
    assert float(transcript_epsilon(laplace, second)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="not gaussian"):
        transcript_mu_squared(laplace, second)
    with pytest.raises(ValueError, match="not laplace"):
        transcript_epsilon(first, first)


def test_a_scale_or_shape_that_depends_on_the_rows_is_seen():
    mechanism = GaussianSum(name="sum").calibrate("add-remove", mu=0.5)
    first = record(a_sum(mechanism, [[1.0, 0.0]]))
    with pytest.raises(TranscriptError, match="shape of a release tells"):
        replay(a_sum(mechanism, [[1.0]]), first)
    with pytest.raises(TranscriptError, match="noise tells"):
        replay(a_sum(mechanism.calibrate("add-remove", mu=0.4), [[1.0, 0.0]]), first)
    with pytest.raises(TranscriptError, match="fewer"):
        replay(lambda: None, first)
    with pytest.raises(TranscriptError, match="more"):
        replay(lambda: [a_sum(mechanism, [[1.0, 0.0]])() for _ in range(2)], first)
    # Whatever happened, the noise is the package's own again.
    assert (a_sum(mechanism, [[1.0, 0.0]])() == first.result).all()


def test_noise_that_is_not_added_is_seen():
    def run():
        from skprivacy.mechanisms import _gaussian

        return _gaussian.rounded_gaussian((2,), 5.0, random_source(0))

    with pytest.raises(TranscriptError, match="added to no total"):
        record(run)


class ChoiceThenSum(DPEstimator):
    """Chooses a column privately, then sums the rows; `leak` looks at the rows in between."""

    def __init__(self, epsilon=1.0, delta=1e-6, accountant=None, random_state=None, leak=None):
        super().__init__(epsilon, delta, accountant, random_state)
        self.leak = leak

    def fit(self, X, y=None):
        return self._private_fit(X, y)

    def _mechanisms(self, facts):
        return [
            PermuteAndFlip(name="column", share=0.5),
            *([PermuteAndFlip(name="another", share=0.1)] if self.leak == "order" else []),
            GaussianSum(name="sum", share=0.5),
        ]

    def _fit(self, X, y, sample_weight, release):
        names = ["column", *(["another"] if self.leak == "order" else [])]
        if self.leak == "order" and X[-1, 0] > 0.5:
            names.reverse()
        self.columns_ = [release.select(name, np.abs(X) / 2) for name in names]
        self.sum_ = release.sum("sum", X * (2.0 if self.leak == "sensitivity" else 1.0))


def test_releases_that_are_no_sum_are_handed_over_and_left_out():
    base = np.zeros((20, 2))
    more = np.vstack([base, [[1.0, 0.0]]])
    for one, other in ((base, more), (more, base)):
        audit = audit_transcript(ChoiceThenSum(), one, other)
        assert audit.not_covered == ("column",)
        assert audit.n_releases == 1
        assert not audit.violated
        assert audit.share > 0.99
        assert audit.mu_claimed < ChoiceThenSum().fit(base).privacy_.mu
    with pytest.raises(TranscriptError, match="order of releases"):
        audit_transcript(ChoiceThenSum(leak="order"), base, more)

    model = ChoiceThenSum()
    first = record(lambda: model.fit(base).columns_)
    assert replay(lambda: model.fit(more).columns_, first).result == first.result


def test_audit_reads_the_claim_and_charges_nothing():
    base = np.full((20, 2), 0.25)
    more = np.vstack([base, [[1.0, 1.0]]])
    accountant = PrivacyAccountant(epsilon=1.0)
    scaler = DPStandardScaler(bounds=(-1, 1), accountant=accountant)
    audit = audit_transcript(scaler, base, more)
    assert len(accountant.entries) == 0
    assert audit.mu_claimed == pytest.approx(scaler.plan().loss.mu)
    assert 0.95 < audit.share <= 1
    assert audit.mu_spent == audit.share * audit.mu_claimed
    for text in (str(audit), audit._repr_html_()):
        assert "within the claim" in text
    # The same by a run of one's own, with a claim of one's own.
    scaler.accountant = None
    own = audit_transcript(lambda X: lambda: scaler.fit(X), base, more, mu=audit.mu_claimed / 2)
    assert own.violated
    assert own.share == pytest.approx(2 * audit.share)
    assert "VIOLATED" in str(own)
    with pytest.raises(ValueError, match="give mu"):
        audit_transcript(lambda X: lambda: scaler.fit(X).mean_, base, more)


def test_planted_faults_are_found():
    base = np.full((20, 2), 0.25)
    more = np.vstack([base, [[1.0, 1.0]]])
    scaler = DPStandardScaler(bounds=(-1, 1))
    claimed = scaler.plan().loss.mu
    with halved_noise():
        audit = audit_transcript(scaler, base, more, mu=claimed)
    assert audit.violated
    assert audit.share == pytest.approx(2, rel=0.05)


def test_a_sensitivity_that_is_not_enforced_is_found(monkeypatch):
    """A sum that clips rows at twice the norm that is paid for."""
    from skprivacy.mechanisms import _gaussian

    honest = _gaussian.GaussianSum.draw
    monkeypatch.setattr(
        _gaussian.GaussianSum,
        "draw",
        lambda self, rows, **options: honest(self, np.vstack([rows, rows]), **options),
    )
    base = np.zeros((20, 2))
    audit = audit_transcript(ChoiceThenSum(), base, np.vstack([base, [[1.0, 0.0]]]))
    assert audit.violated
    assert audit.share == pytest.approx(2, rel=1e-3)


def test_a_fit_with_a_minimiser_is_audited_but_for_the_minimiser():
    X = np.random.default_rng(0).uniform(-0.5, 0.5, size=(40, 2))
    y = (X[:, 0] > 0).astype(int)
    X[-1] = [9.0, 0.0]
    model = DPLogisticRegression(2.0, clipping_norm=1.0, classes=[0, 1])
    audit = audit_transcript(model, (X, y), (X[:-1], y[:-1]))
    assert audit.not_covered == ("coefficients",)
    assert not audit.violated
    assert audit.share >= 0.95
