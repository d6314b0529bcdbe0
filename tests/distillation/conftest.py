"""Fixtures of tests of teachers and students."""

import pytest
from sklearn.datasets import make_classification
from teaching import Stub


@pytest.fixture
def seen(monkeypatch):
    """Everything that stubs are shown, rehearsals included."""
    found = []
    monkeypatch.setattr(Stub, "seen", found)
    return found


@pytest.fixture(scope="module")
def problem():
    X, y = make_classification(900, 4, n_redundant=0, class_sep=1.5, random_state=0)
    return X[:600], y[:600], X[600:], y[600:]
