import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skprivacy import PrivacyAccountant
from skprivacy.attacks import ShadowModels
from skprivacy.exceptions import PrivacyWarning
from skprivacy.inspection import privacy_report
from skprivacy.linear_model import DPLogisticRegression


def sides(X, y, n=150):
    return X[:n], y[:n], X[n : 2 * n], y[n : 2 * n]


@pytest.fixture(scope="module")
def rows():
    X, y = make_classification(n_samples=300, n_features=20, flip_y=0.2, random_state=0)
    return sides(X, y)


def quiet_report(model, rows, **options):
    """Return a report whose warnings are not the test's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        return privacy_report(model, *rows, **{"n_shadow": 8, "random_state": 0, **options})


@pytest.fixture(scope="module")
def forest(rows):
    return RandomForestClassifier(20, bootstrap=False, random_state=0).fit(*rows[:2])


@pytest.fixture(scope="module")
def report(forest, rows):
    return quiet_report(forest, rows)


def test_the_worst_attack_comes_first_and_scores_are_the_models(report, forest, rows):
    areas = [result.roc_auc for result in report.attacks.values()]
    assert areas == sorted(areas, reverse=True)
    assert set(report.attacks) == {"loss", "gap", "lira", "rmia"}
    assert areas[0] > 0.8
    assert report.train_score == accuracy_score(rows[1], forest.predict(rows[0]))
    assert report.test_score == accuracy_score(rows[3], forest.predict(rows[2]))
    assert (report.n_members, report.n_nonmembers, report.n_shadow) == (150, 150, 8)
    assert report.epsilon_claimed is None
    assert report.delta is None
    rate, tpr = next(iter(report.attacks[report.worst].tpr_at_fpr.items()))
    assert report.leakage_ratio >= tpr / rate


def test_the_model_is_not_fitted_again(forest, rows):
    before = pickle.dumps(forest)
    quiet_report(forest, rows)
    assert pickle.dumps(forest) == before


def test_no_score_of_a_row_and_no_epsilon_is_in_the_output(report):
    text = " ".join([str(report), repr(report), report._repr_html_(), json.dumps(report.to_dict())])
    for result in report.attacks.values():
        for score in result.member_scores[:20]:
            if len(repr(float(score))) > 8:
                assert repr(float(score)) not in text
    assert "epsilon" not in str(report).replace("audit_epsilon", "")
    flat = str(report.to_dict())
    assert "scores" not in flat
    assert report.to_dict()["epsilon_claimed"] is None


def test_outputs_agree(report):
    plain = json.loads(json.dumps(report.to_dict()))
    frame = report.to_frame()
    assert list(frame["attack"]) == list(report.attacks) == list(plain["attacks"])
    assert frame["roc_auc"].iloc[0] == plain["attacks"][report.worst]["roc_auc"]
    assert f"{report.attacks[report.worst].roc_auc:.3f}" in str(report)
    assert plain["worst"] == report.worst
    assert "<table>" in report._repr_html_()


def test_the_figure_has_curves_and_bars(report):
    axes = Figure().subplots(1, 2)
    assert report.plot(ax=axes) is axes[0].figure
    assert len(axes[0].lines) == len(report.attacks) + 1
    heights = [patch.get_height() for patch in axes[1].patches]
    assert heights == [
        report.train_score,
        report.test_score,
        report.attacks[report.worst].roc_auc,
    ]
    with pytest.raises(ValueError, match="2 axes"):
        report.plot(ax=Figure().subplots(1, 3))


def test_a_model_that_memorises_is_told_from_one_that_does_not(rows, report):
    calm = quiet_report(LogisticRegression(C=1e-3).fit(*rows[:2]), rows)
    low, _ = calm.attacks[calm.worst].roc_auc_interval
    assert low < 0.6 < report.attacks[report.worst].roc_auc_interval[0]


def test_labels_without_meaning_are_not_found_out():
    """Members and non-members of a model that saw neither: no attack may find a difference."""
    X, y = make_classification(n_samples=900, n_features=20, flip_y=0.2, random_state=1)
    model = RandomForestClassifier(20, random_state=0).fit(X[600:], y[600:])
    report = quiet_report(model, sides(X, y, 300))
    for result in report.attacks.values():
        low, high = result.roc_auc_interval
        assert low - 0.03 < 0.5 < high + 0.03


def test_regressors_are_reported_by_residuals():
    X, y = make_regression(n_samples=300, n_features=5, noise=20, random_state=0)
    rows = sides(X, y)
    model = RandomForestRegressor(20, random_state=0).fit(*rows[:2])
    report = quiet_report(model, rows)
    assert set(report.attacks) == {"loss", "lira"}
    assert report.metric == "R2"
    assert report.train_score == pytest.approx(r2_score(rows[1], model.predict(rows[0])))
    assert report.attacks["lira"].roc_auc > 0.7


def test_tables_of_text_go_through_the_models_own_pipeline(rows):
    frame = pd.DataFrame(rows[0]).add_prefix("c"), pd.DataFrame(rows[2]).add_prefix("c")
    drop = FunctionTransformer(lambda frame: frame.drop(columns="note").to_numpy())
    for part in frame:
        part["note"] = "text"
    model = make_pipeline(drop, LogisticRegression()).fit(frame[0], rows[1])
    report = quiet_report(model, (frame[0], rows[1], frame[1], rows[3]), n_shadow=4)
    assert report.model == "Pipeline"
    assert report.n_shadow == 4


def test_shadow_models_can_be_brought_along(forest, rows):
    shadows = ShadowModels(forest, n_models=4, random_state=0)
    shadows.fit(np.vstack([rows[0], rows[2]]), np.concatenate([rows[1], rows[3]]))
    first = quiet_report(forest, rows, shadow_models=shadows)
    assert first.n_shadow == 4
    again = quiet_report(forest, rows, shadow_models=shadows)
    assert first.to_dict()["attacks"] == again.to_dict()["attacks"]


def test_a_private_models_claim_is_shown_and_its_ledger_not_charged(rows):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    model = DPLogisticRegression(1.0, 1e-6, accountant=accountant, clipping_norm=4.0)
    model.fit(*rows[:2])
    report = quiet_report(model, rows, n_shadow=6)
    assert report.epsilon_claimed == pytest.approx(1.0, rel=1e-6)
    assert report.delta == 1e-6
    assert "epsilon = 1" in str(report)
    assert len(accountant.entries) == 1
    assert report.attacks[report.worst].roc_auc_interval[0] < 0.55


def test_a_claim_that_is_passed_is_warned_of(forest, rows):
    report = quiet_report(forest, rows, epsilon=0.1)
    assert any("finds more members than epsilon = 0.1" in text for text in report.warnings)
    honest = quiet_report(forest, rows, epsilon=30.0)
    assert not any("finds more members" in text for text in honest.warnings)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_shadow": 0}, "Without shadow models the leak is understated"),
        ({}, "150 non-members are few"),
        ({}, "memorised"),
        ({}, "were clipped"),
    ],
)
def test_what_limits_the_report_is_warned_of_and_kept(forest, rows, change, match):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = privacy_report(forest, *rows, **{"n_shadow": 4, "random_state": 0, **change})
    assert any(match in str(warning.message) for warning in caught)
    assert any(match in text for text in report.warnings)
    assert all(warning.filename == __file__ for warning in caught)


class Counted(GaussianNB):
    """Counts the rows that it is asked about."""

    def fit(self, X, y):
        self.n_asked_ = 0
        return super().fit(X, y)

    def predict_proba(self, X):
        self.n_asked_ += len(X)
        return super().predict_proba(X)


def test_the_target_is_asked_about_each_row_once(rows):
    model = Counted().fit(*rows[:2])
    report = quiet_report(model, rows, n_shadow=4)
    assert model.n_asked_ == 300
    assert report.test_score == accuracy_score(rows[3], model.predict(rows[2]))


class Softened(ClassifierMixin, BaseEstimator):
    """Right about everything it saw, and hardly sure of it."""

    def fit(self, X, y):
        self.inner_ = RandomForestClassifier(10, random_state=0).fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return 0.5 + 0.1 * (self.inner_.predict_proba(X) - 0.5)

    def predict(self, X):
        return self.inner_.predict(X)


def test_softened_outputs_are_warned_of(rows):
    report = quiet_report(Softened().fit(*rows[:2]), rows, n_shadow=4)
    assert any("label smoothing" in text for text in report.warnings)
    calm = quiet_report(GaussianNB().fit(*rows[:2]), rows, n_shadow=4)
    assert not any("label smoothing" in text for text in calm.warnings)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"epsilon": -1.0}, "epsilon must be"),
        ({"delta": 1.0}, "delta must be"),
        ({"n_shadow": 1}, "n_shadow must be"),
        ({"attacks": ["lyra"]}, "lyra"),
        ({"clip": 0.7}, "clip must be"),
    ],
)
def test_wrong_parameters_are_named(forest, rows, change, match):
    with pytest.raises(ValueError, match=match):
        privacy_report(forest, *rows, **change)


def test_wrong_rows_are_named(forest, rows):
    X, y, X_out, y_out = rows
    with pytest.raises(ValueError, match="20 columns, the non-members 19"):
        privacy_report(forest, X, y, X_out[:, :-1], y_out)
    with pytest.raises(ValueError, match="1 row"):
        privacy_report(forest, X[:1], y[:1], X_out, y_out)
    with pytest.raises(ValueError, match="one class"):
        privacy_report(forest, X, np.zeros(150, int), X_out, np.zeros(150, int))
    with pytest.raises(ValueError, match=r"unseen by the model: \[7\]"):
        privacy_report(forest, X, np.where(np.arange(150) < 3, 7, y), X_out, y_out)
    with pytest.raises(TypeError, match="predict"):
        privacy_report(object(), *rows)


@pytest.mark.slow
def test_a_network_that_overfits_leaks_most_to_shadow_attacks():
    X, y = load_digits(return_X_y=True)
    rows = sides(X / 16, y, 400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier(max_iter=100, random_state=0).fit(*rows[:2])
        report = privacy_report(model, *rows, random_state=0)
    assert report.attacks[report.worst].roc_auc > 0.6
    assert report.worst in {"lira", "rmia"}
