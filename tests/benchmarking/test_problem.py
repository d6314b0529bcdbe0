import math

import numpy as np
import pytest

from skprivacy.benchmarking import BenchmarkError, make_problem, problem_from_bunch
from skprivacy.benchmarking._problem import MAX_CATEGORIES, MAX_CLASSES
from skprivacy.datasets import load_adult, load_dataset

LABELS = ["no", "yes"] * 10
NUMBERS = np.arange(20.0)


def text(*values):
    return np.array([*values] * (20 // len(values)), dtype=object)


def test_facts_that_are_not_declared_are_named_as_assumptions():
    numbers = NUMBERS.copy()
    numbers[3] = np.nan
    columns = {"age": numbers, "town": text("b", "a"), "sex": text("f", "m")}
    problem = make_problem(
        "t", columns, LABELS, bounds={"age": (0.0, 99.0)}, categories={"sex": ("f", "m", "x")}
    )
    assert problem.classes == ("no", "yes")
    assert problem.categories == {"town": ("a", "b"), "sex": ("f", "m", "x")}
    assert problem.bounded
    text_of = " ".join(problem.assumptions)
    assert "The categories of town are taken from the rows" in text_of
    assert "missing in age" in text_of
    assert "sex" not in text_of


def test_with_declared_facts_the_classes_are_the_only_assumption():
    problem = problem_from_bunch(load_dataset("adult"))
    assert problem.assumptions == ("The list of classes is taken as public.",)
    assert problem.bounded
    assert (problem.n_rows, len(problem.columns)) == (45222, 14)


def test_adult_is_the_same_problem_with_and_without_pandas():
    frame = load_adult(missing="drop")
    array = load_adult(missing="drop", as_frame=False)
    for bunch in (frame, array):
        bunch.update(name="adult", task="binary")
    first, second = problem_from_bunch(frame), problem_from_bunch(array)
    for name, values in first.columns.items():
        np.testing.assert_array_equal(values, second.columns[name])
    np.testing.assert_array_equal(first.target, second.target)


def test_identifiers_and_empty_columns_are_left_out_and_named():
    many = np.array([f"id{k}" for k in range(MAX_CATEGORIES + 2)], dtype=object)
    n = len(many)
    columns = {
        "id": many,
        "void": np.full(n, np.nan),
        "blank": np.full(n, np.nan, dtype=object),
        "x": np.arange(float(n)),
    }
    problem = make_problem("t", columns, ["a", "b"] * (n // 2))
    assert list(problem.columns) == ["x"]
    assert "Left out: id, void, blank" in problem.assumptions[-1]
    assert not problem.bounded


@pytest.mark.parametrize(
    ("columns", "labels", "message"),
    [
        ({"x": NUMBERS}, ["a"] * 20, "one class only, 'a'"),
        ({"x": NUMBERS}, ["a"] * 16 + ["b"] * 4, "Class 'b' of t has 4 rows"),
        ({}, LABELS, "no column to learn from"),
        ({"x": np.full(20, np.inf)}, LABELS, "'x' of t has infinite values"),
        ({"x": np.empty(0)}, [], "no rows with a target"),
        ({"x": NUMBERS}, list(range(MAX_CLASSES + 1)), f"{MAX_CLASSES + 1} different values"),
    ],
)
def test_what_cannot_be_benchmarked_says_why(columns, labels, message):
    with pytest.raises(BenchmarkError, match=message):
        make_problem("t", columns, labels)


def test_a_set_is_for_its_own_task_or_for_none():
    bunch = load_dataset("iris")
    with pytest.raises(BenchmarkError, match="iris is a classification problem"):
        problem_from_bunch(bunch, "regression")
    problem = problem_from_bunch(bunch, "unsupervised")
    assert (problem.task, problem.classes, problem.n_rows) == ("unsupervised", (), 150)
    assert problem.assumptions == ()


def test_a_numeric_target_keeps_its_numbers_and_its_range():
    problem = problem_from_bunch(load_dataset("diabetes"))
    assert (problem.task, problem.classes, problem.target_bounds) == ("regression", (), (0, 400))
    assert problem.target.dtype == np.float64
    assert problem.bounded


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (LABELS, "not numeric"),
        ([1.0] * 20, "is 1 in every row"),
        ([*range(19), math.inf], "no finite numbers"),
        ([1.0, 2.0], "has 2 rows with a target"),
    ],
)
def test_a_target_that_is_no_number_to_predict_says_why(target, message):
    with pytest.raises(BenchmarkError, match=message):
        make_problem("t", {"x": NUMBERS[: len(target)]}, target, task="regression")


def test_a_long_list_of_columns_is_cut():
    columns = {f"c{k}": text("a", "b") for k in range(12)}
    assumption = make_problem("t", columns, LABELS).assumptions[1]
    assert "c7 and 4 more" in assumption
    assert "c8" not in assumption
