"""The data of the checks: what estimators can be fitted on, and pairs that differ as told."""

import numpy as np
import pytest
from good_estimators import GOOD, Centroid, Mean, Slope

from skprivacy import PrivacyAccountant
from skprivacy.preprocessing import DPStandardScaler
from skprivacy.testing._problem import LARGE, SMALL, Problem, prepared


@pytest.mark.parametrize("estimator", GOOD, ids=str)
def test_is_always_the_same_and_never_shared(estimator):
    first, second = (Problem.for_estimator(estimator) for _ in range(2))
    np.testing.assert_array_equal(first.X, second.X)
    assert not np.shares_memory(first.X, second.X)
    assert first.fit(prepared(estimator)).privacy_.epsilon > 0


def test_neighbours_differ_in_one_row():
    for estimator in (Mean(), Centroid(), Slope()):
        problem = Problem.for_estimator(estimator, LARGE)
        other = problem.neighbour()
        assert (problem.X != other.X).any(axis=1).sum() == 1
        assert problem.n_rows == other.n_rows == LARGE
        if problem.y is not None:
            assert (problem.y != other.y).sum() == 1
            assert problem.y[0] != other.y[0]
            assert set(np.unique(problem.y)) >= set(np.unique(other.y)) or problem.y.dtype == float


def test_a_neighbour_may_have_a_missing_value_where_that_is_allowed():
    assert np.isnan(Problem.for_estimator(DPStandardScaler(missing="ignore")).neighbour().X).any()
    assert np.isfinite(Problem.for_estimator(DPStandardScaler()).neighbour().X).all()


def test_longer_has_one_row_more_and_the_same_mean():
    problem = Problem.for_estimator(Centroid())
    longer = problem.longer()
    assert longer.n_rows == len(longer.y) == SMALL + 1
    np.testing.assert_allclose(longer.X.mean(axis=0), problem.X.mean(axis=0), rtol=1e-12)


def test_nudged_moves_every_value_a_little():
    problem = Problem.for_estimator(Mean())
    nudged = problem.nudged()
    assert (nudged.X != problem.X).all()
    np.testing.assert_allclose(nudged.X, problem.X, rtol=1e-5)


def test_positive_columns_where_the_tags_ask_for_them():
    class Positive(Mean):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.positive_only = True
            return tags

    assert (Problem.for_estimator(Positive()).X > 0).all()
    assert (Problem.for_estimator(Positive()).neighbour().X > 0).all()


def test_number_of_rows_is_a_fact_under_replace_one_alone():
    problem = Problem.for_estimator(Centroid())
    assert problem.facts(Centroid()).n_rows is None
    facts = problem.facts(Centroid(), "replace-one")
    assert (facts.n_rows, facts.n_features, facts.classes) == (SMALL, 3, (0, 1))


def test_prepared_takes_the_place_of_accountant_and_seed():
    accountant = PrivacyAccountant()
    estimator = Mean(2.0, accountant=PrivacyAccountant(), random_state=5)
    assert prepared(estimator).accountant is None
    assert prepared(estimator).random_state is None
    private = prepared(estimator, accountant, 7, epsilon=3.0)
    assert (private.accountant, private.random_state, private.epsilon) == (accountant, 7, 3.0)
    assert estimator.random_state == 5
