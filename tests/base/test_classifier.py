"""Predictions from scores: two classes in one column or in two, and extreme scores."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from skprivacy.base import ProbabilityMixin


class Scores(ProbabilityMixin, BaseEstimator):
    """Takes rows for scores."""

    def __init__(self, classes):
        self.classes_ = np.array(classes)

    def _class_scores(self, X):
        return X


@pytest.mark.parametrize("score", [-1e4, -800.0, -1.5, 0.0, 2.0, 800.0, 1e4])
def test_log_odds_are_scores_of_two_classes(score):
    model = Scores(["no", "yes"])
    one, two = np.array([score]), np.array([[0.0, score]])
    assert model.predict_log_proba(one) == pytest.approx(model.predict_log_proba(two), rel=1e-12)
    assert model.predict_proba(one).sum() == pytest.approx(1.0)
    assert np.isfinite(model.predict_log_proba(one)).all()
    assert model.predict(one).tolist() == model.predict(two).tolist()
    assert model.predict(one)[0] == ("yes" if score > 0 else "no")


def test_a_constant_of_a_row_changes_nothing():
    model = Scores([3, 5, 7])
    scores = np.array([[0.1, 2.0, -1.0], [1e3, -1e3, 0.0]])
    shifted = scores + np.array([[700.0], [-700.0]])
    assert model.predict(scores).tolist() == [5, 3]
    assert np.allclose(model.predict_log_proba(shifted), model.predict_log_proba(scores))
    assert np.allclose(np.exp(scores[0]) / np.exp(scores[0]).sum(), model.predict_proba(scores)[0])


def test_a_poor_score_is_no_error():
    assert get_tags(Scores([0, 1])).classifier_tags.poor_score
