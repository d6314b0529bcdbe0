import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from skprivacy.attacks import (
    CalibratedAttack,
    GapAttack,
    LabelOnlyAttack,
    LiRAAttack,
    LossAttack,
    RMIAAttack,
    ShadowModels,
)
from skprivacy.exceptions import PrivacyWarning

ATTACKS = [
    LossAttack(),
    GapAttack(),
    CalibratedAttack(n_shadow=8, random_state=0),
    LiRAAttack(n_shadow=8, random_state=0),
    LiRAAttack(n_shadow=8, random_state=0, online=False),
    RMIAAttack(n_shadow=8, random_state=0),
    RMIAAttack(n_shadow=8, random_state=0, online=False),
    LabelOnlyAttack(n_shadow=4, n_queries=6, random_state=0),
]
CONFIDENT = [attack for attack in ATTACKS if attack.name not in {"gap", "label-only"}]


@pytest.fixture(scope="module")
def forest_shadows(digits, forest):
    pool = np.concatenate([digits[0], digits[2]]), np.concatenate([digits[1], digits[3]])
    return ShadowModels(forest, n_models=8, random_state=0).fit(*pool)


def quiet(attack, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        return clone(attack).fit(*arguments, **options)


@pytest.mark.parametrize("attack", CONFIDENT, ids=lambda attack: attack.name)
def test_a_forest_leaks_much(attack, digits, forest, forest_shadows):
    fitted = quiet(attack, forest, *digits, shadow_models=forest_shadows)
    assert fitted.roc_auc_ > 0.7
    assert fitted.result_.roc_auc_interval[0] > 0.66


@pytest.mark.parametrize("attack", ATTACKS[:-1], ids=lambda attack: attack.name)
def test_a_restrained_model_leaks_little(attack, digits, restrained):
    fitted = quiet(attack, restrained, *digits)
    assert fitted.roc_auc_ < 0.55


@pytest.fixture(scope="module")
def swapped(digits, forest):
    """Return the digits with their sides drawn anew, and shadow models of that pool."""
    X, y = np.concatenate([digits[0], digits[2]]), np.concatenate([digits[1], digits[3]])
    order = np.random.default_rng(0).permutation(y.size)
    X, y = X[order], y[order]
    shadows = ShadowModels(forest, n_models=8, random_state=0).fit(X, y)
    return (X[:900], y[:900], X[900:], y[900:]), shadows


@pytest.mark.parametrize("attack", CONFIDENT, ids=lambda attack: attack.name)
def test_sides_swapped_at_random_cannot_be_told_apart(attack, swapped, forest):
    # Neither side is now more of a member than the other: an attack that looked at
    # anything but the model would still part them.
    rows, shadows = swapped
    fitted = quiet(attack, forest, *rows, shadow_models=shadows)
    low, high = fitted.result_.roc_auc_interval
    assert low < 0.5 < high


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_an_estimator_and_leaves_the_model_alone(attack, digits, smooth):
    before = pickle.dumps(smooth)
    parameters = attack.get_params()
    fitted = quiet(attack, smooth, *digits)
    assert fitted.get_params() == parameters
    assert pickle.dumps(smooth) == before
    assert (fitted.member_scores_.size, fitted.nonmember_scores_.size) == (898, 899)
    fpr, tpr = fitted.roc_curve()
    assert fitted.advantage_ == pytest.approx((tpr - fpr).max())
    again = quiet(attack, smooth, *digits)
    np.testing.assert_array_equal(again.member_scores_, fitted.member_scores_)


def test_shadow_models_make_the_attack_stronger(digits, forest, forest_shadows):
    loss = quiet(LossAttack(), forest, *digits)
    rmia = quiet(RMIAAttack(), forest, *digits, shadow_models=forest_shadows)
    assert rmia.roc_auc_ > loss.roc_auc_ + 0.1
    assert rmia.result_.tpr_at_fpr[0.01] > loss.result_.tpr_at_fpr[0.01] + 0.1


def test_the_gap_is_the_gap(digits, restrained):
    attack = quiet(GapAttack(), restrained, *digits)
    gap = restrained.score(*digits[:2]) - restrained.score(*digits[2:])
    assert attack.advantage_ == pytest.approx(max(gap, 0.0))


def test_rmia_ranks_alike_whatever_the_population(digits, forest, forest_shadows):
    X_member, y_member, X_nonmember, y_nonmember = digits
    options = {"shadow_models": forest_shadows}
    own = quiet(RMIAAttack(), forest, *digits, **options)
    wide = quiet(RMIAAttack(gamma=2.0), forest, *digits, **options)
    assert own.roc_auc_ == pytest.approx(wide.roc_auc_, abs=1e-4)
    other = quiet(
        RMIAAttack(n_shadow=8, random_state=0),
        forest,
        X_member,
        y_member,
        X_nonmember[:450],
        y_nonmember[:450],
        X_population=X_nonmember[450:],
        y_population=y_nonmember[450:],
    )
    assert other.roc_auc_ > 0.8


def test_margins_are_attacked_like_probabilities(digits):
    model = LinearSVC(C=1.0, max_iter=20_000, random_state=0).fit(*digits[:2])
    attack = quiet(RMIAAttack(n_shadow=4, random_state=0), model, *digits)
    assert attack.roc_auc_ > 0.55


def test_a_regressor_is_attacked_by_its_residuals():
    X, y = load_diabetes(return_X_y=True)
    rows = X[:200], y[:200], X[200:400], y[200:400]
    model = DecisionTreeRegressor(min_samples_leaf=3, random_state=0).fit(*rows[:2])
    loss = LossAttack().fit(model, *rows)
    np.testing.assert_allclose(loss.member_scores_, -((rows[1] - model.predict(rows[0])) ** 2))
    assert loss.roc_auc_ > 0.6
    for online in (True, False):
        lira = LiRAAttack(n_shadow=8, online=online, random_state=0).fit(model, *rows)
        assert lira.roc_auc_ > 0.6


@pytest.mark.parametrize("attack", [GapAttack(), RMIAAttack(), LabelOnlyAttack()])
def test_what_needs_labels_is_refused_for_regressors(attack):
    X, y = load_diabetes(return_X_y=True)
    model = DecisionTreeRegressor().fit(X, y)
    with pytest.raises(ValueError, match="is for classifiers; for regressors use loss or lira"):
        attack.fit(model, X[:50], y[:50], X[50:], y[50:])


def test_few_nonmembers_are_said_where_a_rare_rate_is_asked_for(digits, smooth):
    attack = LossAttack().fit(smooth, *digits)
    assert attack.tpr_at_fpr(0.1) == attack.result_.tpr[attack.result_.fpr <= 0.1].max()
    with pytest.warns(PrivacyWarning, match="899 non-members are few .* at least 1000 non-members"):
        attack.tpr_at_fpr([0.1, 0.01])


def test_saturation_and_overlap_are_said(digits, forest, smooth):
    with pytest.warns(PrivacyWarning, match="probabilities lie within 1e-06 of 0 or 1"):
        LossAttack().fit(forest, *digits)
    X, y = digits[0], digits[1]
    with pytest.warns(PrivacyWarning, match="50 of 50 non-members equal a member"):
        LossAttack().fit(smooth, X, y, X[:50], y[:50])


def test_rows_and_models_of_a_wrong_form_are_named(digits, smooth):
    X_member, y_member, X_nonmember, y_nonmember = digits
    attack = LossAttack()
    with pytest.raises(ValueError, match="one class, 3. An attack needs rows of at least 2"):
        attack.fit(smooth, X_member, np.full(898, 3), X_nonmember, np.full(899, 3))
    with pytest.raises(ValueError, match=r"classes unseen by the model: \[10\]"):
        attack.fit(smooth, X_member, y_member + 1, X_nonmember, y_nonmember)
    with pytest.raises(ValueError, match="members have 64 columns, the non-members 63"):
        attack.fit(smooth, X_member, y_member, X_nonmember[:, 1:], y_nonmember)
    with pytest.raises(NotFittedError):
        attack.fit(GaussianNB(), *digits)
    with pytest.raises(TypeError, match="predict_proba, decision_function or predict"):
        attack.fit(None, *digits)
    with pytest.raises(NotFittedError):
        attack.tpr_at_fpr(0.1)


def test_shadow_models_must_be_of_these_rows(digits, forest, forest_shadows):
    with pytest.raises(ValueError, match="fitted on 1797 rows, but there are 908 members"):
        LiRAAttack().fit(
            forest, *digits[:2], digits[2][:10], digits[3][:10], shadow_models=forest_shadows
        )
    with pytest.raises(NotFittedError):
        LiRAAttack().fit(forest, *digits, shadow_models=ShadowModels(forest))


def test_a_nonmember_class_that_the_model_never_saw_is_no_error(digits):
    X_member, y_member, X_nonmember, y_nonmember = digits
    known = y_member != 9
    model = GaussianNB(var_smoothing=1.0).fit(X_member[known], y_member[known])
    attack = quiet(LossAttack(), model, X_member[known], y_member[known], X_nonmember, y_nonmember)
    assert (attack.nonmember_scores_[y_nonmember == 9] < -13).all()
