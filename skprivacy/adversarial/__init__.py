"""Classifiers trained against membership inference.

None of this is differential privacy by itself. Regularisation against an attacker lowers
what the average attack finds, early stopping does as much, and only ``epsilon=`` gives a
guarantee; the receipt of every fit says which it was.
"""

from ._classifier import AdversariallyRegularizedClassifier
from ._shadows import ShadowPredictions, shadow_predictions

__all__ = ["AdversariallyRegularizedClassifier", "ShadowPredictions", "shadow_predictions"]
