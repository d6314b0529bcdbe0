"""The README's and the quick start's Python really runs, as it stands."""

import re
from pathlib import Path

import pytest

from skprivacy import BudgetExceededError

ROOT = Path(__file__).parents[1]


def python_blocks(path):
    text = (ROOT / path).read_text()
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", ["README.md", "docs/quickstart.md"])
def test_python_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(path)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, path, "exec"), names)
    # As the README says: the budget is spent.
    with pytest.raises(BudgetExceededError):
        names["model"].fit(names["X"], names["y"])


def test_named_files_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
