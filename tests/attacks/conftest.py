"""Targets of attacks: models that leak much, and models that leak little."""

import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier


@pytest.fixture(scope="session")
def digits():
    """Return members and non-members: X_member, y_member, X_nonmember, y_nonmember."""
    X, y = load_digits(return_X_y=True)
    X_member, X_nonmember, y_member, y_nonmember = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=0
    )
    return X_member, y_member, X_nonmember, y_nonmember


@pytest.fixture(scope="session")
def forest(digits):
    """Return a forest without restraint: it remembers its rows."""
    return RandomForestClassifier(30, random_state=0).fit(*digits[:2])


@pytest.fixture(scope="session")
def restrained(digits):
    """Return a model in which single rows hardly count; it is right on 90 %."""
    return KNeighborsClassifier(80).fit(*digits[:2])


@pytest.fixture(scope="session")
def smooth(digits):
    """Return a model whose probabilities are not saturated."""
    return GaussianNB(var_smoothing=10).fit(*digits[:2])
