"""How releases are made: sensitivity, noise, price and draw of every mechanism.

A mechanism is a frozen dataclass. Its rows are clipped and quantised by itself, its
noise is exactly rounded, and its words come from the operating system. See
`docs/theory` for the proofs.
"""

from ._base import Draw, Mechanism, rounded_up
from ._cells import GaussianCellCounts, GaussianRounds, Residuals, RoundSums
from ._gaussian import (
    GaussianHistogram,
    GaussianMechanism,
    GaussianMoments,
    GaussianSecondMoment,
    GaussianSum,
)
from ._groups import GaussianGroupMoments
from ._joint import CellBlock, CellRows, Term, Terms, block_diagonal
from ._laplace import LaplaceHistogram, LaplaceMechanism, LaplaceSum
from ._random import RandomSource, random_source
from ._rounded import rounded_gaussian, rounded_laplace
from ._rows import (
    ColumnScaler,
    Rows,
    cached_rows,
    cached_slices,
    is_sparse,
    one_entry_a_place,
    row_blocks,
    row_norms,
)
from ._selection import PermuteAndFlip
from ._split import GaussianSplitHistogram
from ._subsampled import SubsampledGradients
from ._unprotected import Unprotected
from ._voting import ConfidentVotes, GaussianVotes, Votes

__all__ = [
    "CellBlock",
    "CellRows",
    "ColumnScaler",
    "ConfidentVotes",
    "Draw",
    "GaussianCellCounts",
    "GaussianGroupMoments",
    "GaussianHistogram",
    "GaussianMechanism",
    "GaussianMoments",
    "GaussianRounds",
    "GaussianSecondMoment",
    "GaussianSplitHistogram",
    "GaussianSum",
    "GaussianVotes",
    "LaplaceHistogram",
    "LaplaceMechanism",
    "LaplaceSum",
    "Mechanism",
    "PermuteAndFlip",
    "RandomSource",
    "Residuals",
    "RoundSums",
    "Rows",
    "SubsampledGradients",
    "Term",
    "Terms",
    "Unprotected",
    "Votes",
    "block_diagonal",
    "cached_rows",
    "cached_slices",
    "is_sparse",
    "one_entry_a_place",
    "random_source",
    "rounded_gaussian",
    "rounded_laplace",
    "rounded_up",
    "row_blocks",
    "row_norms",
]
