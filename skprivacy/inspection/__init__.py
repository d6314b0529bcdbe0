"""Displays: what privacy costs, and what it buys, to look at.

They follow scikit-learn's: made by a ``from_`` method, they hold the data, draw it with
`plot` and keep the axes. Drawing needs matplotlib, of the ``report`` extra.
"""

from ._privacy_utility import PrivacyUtilityDisplay
from ._shape_function import ShapeFunctionDisplay

__all__ = ["PrivacyUtilityDisplay", "ShapeFunctionDisplay"]
