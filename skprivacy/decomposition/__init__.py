"""Private decompositions of rows."""

from ._pca import DPPCA

__all__ = ["DPPCA"]
