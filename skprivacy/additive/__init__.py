from ._classifier import DPAdditiveClassifier
__all__=["DPAdditiveClassifier"]
