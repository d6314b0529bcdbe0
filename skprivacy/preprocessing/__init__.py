"""Private scaling of columns."""

from ._minmax import DPMinMaxScaler
from ._standard import DPStandardScaler

__all__ = ["DPMinMaxScaler", "DPStandardScaler"]
