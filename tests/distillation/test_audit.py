"""Audits of a whole fit of PATE, where one row flips its teacher's vote on every query."""

import numpy as np
import pytest
from auditing import ALPHA, halved_noise
from teaching import Stub, pate

from skprivacy import PrivacyAccountant
from skprivacy.attacks import mu_lower_bound, record, replay, transcript_mu_squared
from skprivacy.distillation import PATEClassifier

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])

# Teachers vote for class 1 if they have seen a row of it. One row has.


def neighbours(adjacency):
    X, y = np.arange(82.0).reshape(41, 2), np.zeros(41, dtype=int)
    y[-1] = 1
    if adjacency == "add-remove":
        return (X, y), (X[:-1], y[:-1])
    return (X, y), (X, np.zeros_like(y))


class AnyOne(Stub):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.most_ = y.max()
        return self


def audited(adjacency, seed=0, **parameters):
    return pate(
        AnyOne(),
        Stub(),
        classes=[0, 1],
        random_state=seed,
        delta=1e-5,
        accountant=PrivacyAccountant(adjacency=adjacency),
        **parameters,
    )


def transcripts(adjacency, **parameters):
    pool = np.zeros((60, 2))

    def run(rows):
        return lambda: audited(adjacency, **parameters).fit(*rows, X_public=pool)

    one, other = neighbours(adjacency)
    first = record(run(one))
    return first, replay(run(other), first)


@by_adjacency
@pytest.mark.parametrize("confident", [False, True])
def test_transcript_uses_its_price_up_and_no_more(adjacency, confident):
    parameters = {"confident": confident, "threshold": 0.0} if confident else {}
    first, second = transcripts(adjacency, **parameters)
    price = first.result.privacy_.mu**2
    share = float(transcript_mu_squared(first, second)) / price
    assert 0.95 <= share <= 1
    with halved_noise():
        assert transcript_mu_squared(*transcripts(adjacency, **parameters)) > 3.8 * price


@by_adjacency
def test_a_teacher_that_stops_voting_costs_less(adjacency):
    """A removed row that was alone with its teacher takes a vote away and brings none."""
    X, y, pool = np.zeros((3, 2)), np.array([0, 0, 1]), np.zeros((30, 2))
    other = (X[:-1], y[:-1]) if adjacency == "add-remove" else (X, [0, 0, 0])
    shares = set()
    for seed in range(6):
        first = record(lambda seed=seed: audited(adjacency, seed).fit(X, y, X_public=pool))
        second = replay(
            lambda seed=seed: audited(adjacency, seed).fit(*other, X_public=pool), first
        )
        price = first.result.privacy_.mu**2
        shares.add(round(float(transcript_mu_squared(first, second)) / price, 6))
    assert shares == ({0.5, 1.0} if adjacency == "add-remove" else {1.0})


def audit(adjacency, n_runs):
    """Lower bound on mu from a single released label of constant teachers, end to end.

    One teacher votes for class 1, because of a row that is replaced by one of class 0; or
    removed, beside a row that keeps the votes nearly even.
    """
    canary, other = np.array([1]), np.array([0])
    if adjacency == "add-remove":
        canary, other = np.array([0, 1]), np.array([0])
    model = PATEClassifier(
        AnyOne(),
        Stub(),
        epsilon=8.0,
        delta=1e-5,
        n_teachers=10,
        n_queries=1,
        soft_labels=False,
        classes=[0, 1],
        accountant=PrivacyAccountant(delta=1e-5, adjacency=adjacency),
    )

    def scores(y):
        X, pool = np.zeros((y.size, 1)), np.zeros((1, 1))
        return [model.fit(X, y, X_public=pool).predict(pool)[0] for _ in range(n_runs)]

    bound = mu_lower_bound(scores(canary), scores(other), threshold=0.5, alpha=ALPHA)
    return bound, model.privacy_.mu


def test_end_to_end_finds_no_violation_and_finds_halved_noise():
    bound, claimed = audit("replace-one", 250)
    assert 0.5 * claimed < bound <= claimed
    with halved_noise():
        planted, _ = audit("replace-one", 250)
    assert planted > claimed


def test_end_to_end_finds_no_violation_under_add_remove():
    """The label tells half of mu only: the vote is missing, and not another one."""
    bound, claimed = audit("add-remove", 1000)
    assert 0.05 * claimed < bound <= claimed
