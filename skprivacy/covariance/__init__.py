"""Private covariance matrices."""

from ._empirical import DPEmpiricalCovariance

__all__ = ["DPEmpiricalCovariance"]
