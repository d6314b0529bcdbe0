"""The README's and the quick start's Python really runs, as it stands."""

import re
from pathlib import Path

import pytest

from skprivacy import BudgetExceededError

ROOT = Path(__file__).parents[1]


def python_blocks(path):
    text = (ROOT / path).read_text()
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run_blocks(path):
    blocks = python_blocks(path)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, path, "exec"), names)
    return names


@pytest.mark.filterwarnings("ignore::skprivacy.PrivacyWarning")  # of what limits a report
def test_attacks_run():
    names = run_blocks("docs/attacks.md")
    assert names["report"].attacks[names["report"].worst].roc_auc > 0.8
    assert not names["audit"].violated


@pytest.mark.filterwarnings("ignore::skprivacy.PrivacyWarning")
@pytest.mark.parametrize("path", ["README.md", "docs/quickstart.md"])
def test_python_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = run_blocks(path)
    # As the README says: the budget is spent.
    with pytest.raises(BudgetExceededError):
        names["model"].fit(names["X"], names["y"])


def test_named_files_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
