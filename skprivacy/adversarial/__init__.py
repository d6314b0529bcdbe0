"""Classifiers trained against membership inference.

None of this is differential privacy by itself. Regularisation against an attacker lowers
what the average attack finds, early stopping does as much, and only ``epsilon=`` gives a
guarantee; the receipt of every fit says which it was.
"""

from ._classifier import AdversariallyRegularizedClassifier

__all__ = ["AdversariallyRegularizedClassifier"]
