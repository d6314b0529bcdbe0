"""The accounting package stands on NumPy and a little of SciPy alone."""

import ast
import sys
from pathlib import Path

import skprivacy.accounting

FOLDER = Path(skprivacy.accounting.__file__).parent
ALLOWED = {"numpy", "numpy.polynomial.legendre", "numpy.typing", "scipy.special", "scipy.fft"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def test_nothing_else_is_imported():
    modules = sorted(FOLDER.glob("*.py"))
    assert len(modules) > 5
    for path in modules:
        for name, level in imports(path):
            standard = name.split(".")[0] in sys.stdlib_module_names
            assert level == 1 or (level == 0 and (standard or name in ALLOWED)), (path, name)


def test_everything_public_is_there():
    for name in skprivacy.accounting.__all__:
        assert hasattr(skprivacy.accounting, name)
