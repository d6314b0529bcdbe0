"""Shared by these tests: the good and bad estimators, importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
