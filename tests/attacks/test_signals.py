import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from skprivacy.attacks import model_signals

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


class Fixed:
    """A model that is no estimator: it answers what it is told to."""

    classes_ = np.array([0, 1])

    def __init__(self, answers, response="predict_proba"):
        setattr(self, response, lambda X: np.asarray(answers))


class LabelsAlone:
    def __init__(self, model):
        self._model = model
        self.predict = model.predict


def test_confidence_is_the_probability_of_the_rows_own_label():
    model = LogisticRegression(max_iter=1000).fit(X, NAMES)
    signals = model_signals(model, X, NAMES)
    own = model.predict_proba(X)[np.arange(150), Y]
    np.testing.assert_allclose(signals.confidence, own)
    np.testing.assert_allclose(signals.statistic, logit(own))
    np.testing.assert_array_equal(signals.correct, model.predict(X) == NAMES)
    assert signals.n_saturated == 0


def test_saturated_probabilities_are_clipped_and_counted():
    signals = model_signals(
        Fixed([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), np.zeros((3, 1)), [0, 0, 1]
    )
    np.testing.assert_allclose(signals.confidence, [1 - 1e-6, 1e-6, 0.5])
    assert signals.n_saturated == 2
    assert model_signals(
        Fixed([[0.9, 0.1]]), np.zeros((1, 1)), [0], clip=0.2
    ).confidence == pytest.approx(0.8)


def test_a_label_the_model_never_saw_has_no_probability():
    model = GaussianNB().fit(X[:100], NAMES[:100])
    signals = model_signals(model, X[100:], NAMES[100:])
    assert (signals.confidence == 1e-6).all()
    assert not signals.correct.any()
    assert signals.n_saturated == 50


def test_margins_stand_in_for_probabilities():
    model = LinearSVC(max_iter=10_000, random_state=0).fit(X, NAMES)
    signals = model_signals(model, X, NAMES)
    answers = model.decision_function(X)
    others = np.where(np.eye(3, dtype=bool)[Y], -np.inf, answers)
    margin = answers[np.arange(150), Y] - others.max(axis=1)
    np.testing.assert_allclose(signals.statistic, margin)
    np.testing.assert_allclose(signals.confidence, np.clip(expit(margin), 1e-6, 1 - 1e-6))
    np.testing.assert_array_equal(signals.correct, model.predict(X) == NAMES)


def test_the_margin_of_two_classes_has_the_labels_sign():
    model = LinearSVC(random_state=0).fit(X[:100], NAMES[:100])
    signals = model_signals(model, X[:100], NAMES[:100])
    answers = model.decision_function(X[:100])
    np.testing.assert_allclose(signals.statistic, np.where(Y[:100] == 1, answers, -answers))
    np.testing.assert_array_equal(signals.correct, model.predict(X[:100]) == NAMES[:100])
    unseen = model_signals(model, X[:2], ["virginica", "virginica"])
    assert (unseen.statistic < 0).all()


def test_labels_alone_show_whether_they_are_right():
    model = GaussianNB().fit(X, NAMES)
    signals = model_signals(LabelsAlone(model), X, NAMES)
    assert signals.confidence is None
    np.testing.assert_array_equal(signals.statistic, model.predict(X) == NAMES)
    weaker = model_signals(model, X, NAMES, response="predict")
    np.testing.assert_array_equal(weaker.correct, signals.correct)


def test_a_regressor_shows_residuals():
    model = LinearRegression().fit(X[:, 1:], X[:, 0])
    for target in (model, LabelsAlone(model)):
        signals = model_signals(target, X[:, 1:], X[:, 0])
        np.testing.assert_allclose(signals.statistic, X[:, 0] - model.predict(X[:, 1:]))
        assert signals.confidence is None
        assert signals.correct is None


def test_answers_must_be_finite():
    with pytest.raises(ValueError, match="predict_proba has values that are not finite for 2"):
        model_signals(Fixed([[np.nan, np.nan], [0.5, 0.5]]), np.zeros((2, 1)), [0, 1])


def test_several_outputs_are_refused():
    rows, labels = make_multilabel_classification(random_state=0)
    model = RandomForestClassifier(5, random_state=0).fit(rows, labels)
    with pytest.raises(ValueError, match="one output"):
        model_signals(model, rows, labels[:, 0])


@pytest.mark.parametrize("model", [object(), GaussianNB, "model"])
def test_a_model_must_answer(model):
    with pytest.raises(TypeError, match="must be a fitted model with predict_proba"):
        model_signals(model, X, Y)


def test_parameters_are_checked():
    model = GaussianNB().fit(X, Y)
    with pytest.raises(ValueError, match=r"clip must be a float in the range \(0, 0.5\). Got 0.5"):
        model_signals(model, X, Y, clip=0.5)
    with pytest.raises(ValueError, match="response must be 'auto' or one of"):
        model_signals(model, X, Y, response="loss")
