"""Data to try private learners on, with the public facts about their columns.

The bounds and categories that a private learner should not read from the rows come
beside the rows, where they are publicly known.
"""

from ._adult import load_adult
from ._registry import list_datasets, load_dataset

__all__ = ["list_datasets", "load_adult", "load_dataset"]
