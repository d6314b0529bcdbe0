import math

import numpy as np
import pytest

from skprivacy.benchmarking import BenchmarkError, read_csv

ROWS = [f"{20 + k},{'north' if k % 3 else 'south'},{'yes' if k % 2 else 'no'}" for k in range(20)]
HEADER = "age,town,ill"


def write(tmp_path, text, name="t.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def table(rows=ROWS, header=HEADER):
    return "\n".join([header, *rows]) + "\n"


def test_numbers_and_text_are_told_apart(tmp_path):
    problem = read_csv(write(tmp_path, table()), "ill")
    np.testing.assert_array_equal(problem.columns["age"], np.arange(20.0, 40.0))
    assert problem.categories == {"town": ("north", "south")}
    assert problem.classes == ("no", "yes")
    assert problem.name == "t.csv"


@pytest.mark.parametrize("sign", ["", "?", "NA", " nan ", "NULL", "n/a"])
def test_signs_of_a_missing_value(tmp_path, sign):
    rows = [f"{sign},{sign},no", *ROWS]
    problem = read_csv(write(tmp_path, table(rows)), "ill")
    assert math.isnan(problem.columns["age"][0])
    assert math.isnan(problem.columns["town"][0])
    assert problem.categories["town"] == ("north", "south")


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    problem = read_csv(write(tmp_path, table([*ROWS, "50,north,", "51,south,?"])), "ill")
    assert problem.n_rows == 20
    assert problem.columns["age"].max() == 39
    assert problem.assumptions[0] == "2 rows without a target are left out."


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separators(tmp_path, delimiter):
    problem = read_csv(write(tmp_path, table().replace(",", delimiter)), "ill")
    assert list(problem.columns) == ["age", "town"]


def test_a_byte_order_mark_quotes_line_ends_and_blank_lines(tmp_path):
    rows = [f'"{row.split(",")[0]}","a, ""b""",{row.split(",")[2]}' for row in ROWS]
    text = table([*rows, ""]).replace("\n", "\r\n")
    problem = read_csv(write(tmp_path, text, encoding="utf-8-sig"), "ill")
    assert problem.categories == {"town": ('a, "b"',)}
    assert problem.n_rows == 20


def test_a_quoted_field_may_hold_a_line_end(tmp_path):
    rows = [f'{k},"two\nlines",{"yes" if k % 2 else "no"}' for k in range(20)]
    problem = read_csv(write(tmp_path, table(rows)), "ill")
    assert problem.categories == {"town": ("two\nlines",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (HEADER + "\n", "a header and no rows"),
        (table(header="age,town,age"), "distinct column names"),
        (table(header="age,,ill"), "distinct column names"),
        (table([*ROWS, "1,2"]), "Record 22 of .* has 2 fields, the header has 3"),
        (table([*ROWS, '1,"a"b,no']), "is no CSV file"),
        (table([*ROWS, '1,"never closed,no']), "is no CSV file"),
        (table([row.rsplit(",", 1)[0] + ",no" for row in ROWS]), "one class only"),
        (table([f"{row}" for row in ROWS] + ["inf,north,no"]), "infinite values"),
    ],
)
def test_files_that_are_no_such_table(tmp_path, text, message):
    with pytest.raises(BenchmarkError, match=message):
        read_csv(write(tmp_path, text), "ill")


def test_a_wrong_target_names_what_was_meant(tmp_path):
    path = write(tmp_path, table())
    with pytest.raises(BenchmarkError, match="no column 'il'. Did you mean 'ill'"):
        read_csv(path, "il")
    with pytest.raises(BenchmarkError, match="no column 'zzz'. Columns: age, town, ill"):
        read_csv(path, "zzz")


def test_another_encoding_says_how_to_convert(tmp_path):
    path = write(tmp_path, table().replace("north", "nörth"), encoding="latin1")
    with pytest.raises(BenchmarkError, match="not UTF-8.*iconv"):
        read_csv(path, "ill")


def test_a_folder_and_a_missing_file_can_not_be_read(tmp_path):
    with pytest.raises(BenchmarkError, match="can't be read"):
        read_csv(tmp_path, "ill")
    with pytest.raises(BenchmarkError, match="can't be read: No such file"):
        read_csv(tmp_path / "none.csv", "ill")


@pytest.mark.parametrize(
    ("target", "task", "expected"),
    [
        ("age", "auto", "regression"),
        ("code", "auto", "classification"),
        ("code", "regression", "regression"),
        ("ill", "auto", "classification"),
        (None, "unsupervised", "unsupervised"),
    ],
)
def test_the_task_follows_the_target_unless_it_is_said(tmp_path, target, task, expected):
    rows = [f"{20 + k / 2},{k % 9},{'yes' if k % 2 else 'no'}" for k in range(90)]
    problem = read_csv(write(tmp_path, table(rows, "age,code,ill")), target, task)
    assert problem.task == expected
    assert len(problem.columns) == (3 if target is None else 2)
    assert problem.n_rows == 90
    assert (problem.target.dtype == np.float64) == (expected != "classification")
