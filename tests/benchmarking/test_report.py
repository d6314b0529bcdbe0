import csv
import json
import math
import sys

import pytest

from skprivacy import PrivacyAccountant, PrivacyLoss
from skprivacy.benchmarking import (
    BenchmarkResult,
    FitResult,
    Options,
    format_ledger,
    format_markdown,
    format_table,
    summarise,
    write_files,
)
from skprivacy.benchmarking._report import align


def fit(pipeline="dp", guarantee="proof", epsilon=1.0, repeat=0, auc=0.8, **more):
    scores = {"accuracy": 0.7, "log_loss": 0.5, "fit_seconds": 0.1, "epsilon_spent": epsilon}
    return FitResult(
        pipeline=pipeline,
        guarantee=guarantee,
        epsilon=epsilon,
        repeat=repeat,
        auc=auc,
        **scores | more,
    )


@pytest.fixture
def result():
    return BenchmarkResult(
        problem={
            "name": "t",
            "task": "classification",
            "n_rows": 100,
            "n_columns": 3,
            "n_encoded": 5,
            "classes": ["a", "b"],
            "norm_bound": None,
            "assumptions": ["Classes are public."],
        },
        options=Options(epsilons=(0.1, 1.0), repeats=2),
        fits=(
            fit(epsilon=1.0, auc=0.8),
            fit(epsilon=1.0, auc=0.9, repeat=1, warnings=("W: a", "W: b")),
            fit(epsilon=0.1, auc=0.6),
            fit("plain", "", math.inf, auc=0.95),
            FitResult(
                pipeline="old", guarantee="claim", epsilon=0.1, repeat=0, error="TypeError: gone"
            ),
        ),
        skipped={"other": "needs bounds"},
        versions={"numpy": "2.0"},
        finished="2026-01-01T00:00:00+00:00",
    )


def test_means_and_spread_over_the_splits_without_privacy_first(result):
    rows = summarise(result)
    assert [(row.pipeline, row.epsilon) for row in rows] == [
        ("plain", math.inf), ("dp", 0.1), ("old", 0.1), ("dp", 1.0),
    ]  # fmt: skip
    assert rows[3].mean["auc"] == pytest.approx(0.85)
    assert rows[3].sd["auc"] == pytest.approx(0.1 / math.sqrt(2))
    assert math.isnan(rows[1].sd["auc"])
    assert (rows[2].n_fits, rows[2].error) == (0, "TypeError: gone")
    assert math.isnan(rows[2].mean["auc"])


def test_the_table_says_everything_a_reader_needs(result):
    text = format_table(result)
    assert "t: 100 rows, 3 columns (5 encoded), 2 classes; delta 1e-05, 2 splits, seed 0" in text
    lines = {tuple(line.split()[:2]): line for line in text.splitlines()}
    assert "0.8500 ±0.0707" in lines["1", "dp"]
    assert "1.000 ±0.000" in lines["1", "dp"]
    assert "±" not in lines["0.1", "dp"]
    assert lines["none", "plain"].split()[-1] == "none"
    assert "does not run here: TypeError: gone" in lines["0.1", "old"]
    assert "Guarantee of dp: proof." in text
    assert "Guarantee of old: claim." in text
    assert "Not run: other, which needs bounds." in text
    assert text.endswith("Classes are public.")


def test_markdown_has_the_epsilons_side_by_side_and_a_table_for_each_score(result):
    lines = format_markdown(result).splitlines()
    assert lines[2:5] == ["| AUC | 0.1 | 1 | not private |", "|---|---|---|---|", lines[4]]
    assert "| `plain` |  |  | 0.9500 |" in lines
    assert "| `dp` | 0.6000 | 0.8500 ±0.0707 |  |" in lines
    assert not any("`old`" in line for line in lines)
    assert "| log-loss | 0.1 | 1 | not private |" in lines
    assert "- Guarantee of dp: proof." in lines
    assert lines[-1] == "- Made with numpy 2.0."


def test_a_task_has_its_own_columns_in_table_and_file(tmp_path):
    result = BenchmarkResult(
        problem={
            "name": "t",
            "task": "regression",
            "n_rows": 100,
            "n_columns": 3,
            "n_encoded": 5,
            "classes": [],
            "norm_bound": None,
            "assumptions": [],
        },
        options=Options(epsilons=(1.0,), repeats=1),
        fits=(FitResult(pipeline="dp", guarantee="proof", epsilon=1.0, repeat=0, r2=0.5),),
        skipped={},
        versions={},
        finished="",
    )
    text = format_table(result)
    assert "5 encoded), regression; delta" in text
    assert "AUC" not in text
    assert text.splitlines()[2].split()[:3] == ["epsilon", "pipeline", "R2"]
    header = write_files(result, tmp_path, {})[0].read_text(encoding="utf-8").split("\n", 1)[0]
    assert "r2" in header.split(",")
    assert not {"auc", "inertia"} & set(header.split(","))
    assert (tmp_path / "privacy-utility.png").exists()


def test_files_hold_every_fit_and_the_whole_result(result, tmp_path):
    paths = write_files(result, tmp_path, {"entries": []})
    assert [path.name for path in paths] == ["fits.csv", "results.json", "privacy-utility.png"]
    rows = list(csv.DictReader(paths[0].read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 5
    assert (rows[1]["auc"], rows[1]["dataset"], rows[1]["delta"]) == ("0.9", "t", "1e-05")
    assert (rows[1]["warnings"], rows[4]["error"]) == ("W: a; W: b", "TypeError: gone")
    document = json.loads(paths[1].read_text(encoding="utf-8"))
    assert document["versions"] == {"numpy": "2.0"}
    assert document["options"]["seed"] == 0
    assert document["problem"]["assumptions"] == ["Classes are public."]
    assert document["ledger"] == {"entries": []}
    assert document["summary"][0]["epsilon"] == "inf"
    assert document["summary"][1]["sd"]["auc"] is None
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_json_has_no_numbers_that_json_lacks(result, tmp_path):
    path = write_files(result, tmp_path, {})[1]

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_without_matplotlib_there_is_no_figure(result, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert len(write_files(result, tmp_path, {})) == 2
    assert not (tmp_path / "privacy-utility.png").exists()


def test_columns_are_aligned_and_a_short_row_runs_on():
    lines = align([["a", "bb", "c"], ["1", "2", "3"], ["1", "a long last cell of a short row"]])
    assert lines == ["a  bb  c", "-  --  -", "1  2   3", "1  a long last cell of a short row"]


def test_a_ledger_groups_equal_prices_or_lists_every_entry():
    accountant = PrivacyAccountant(epsilon=3.0)
    for _ in range(3):
        accountant.spend(mu=0.1, source="mean")
    failed = accountant.spend(PrivacyLoss.pure(0.25), source="count")
    accountant.fail(failed.uid, "ValueError")
    text = format_ledger(accountant)
    lines = [line.split() for line in text.splitlines()]
    assert lines[2][1:] == ["3", "mean", "0.1", "0", "inf"]
    assert lines[3][1:] == ["1", "count", "0.31298", "0", "0.25", "failed"]
    assert "Ceiling: epsilon = 3, delta = 1e-06" in text
    assert "Spent: epsilon = " in text
    every = format_ledger(accountant, every_entry=True).splitlines()
    assert sum("mean" in line for line in every) == 3
