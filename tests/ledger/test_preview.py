import sys

import pytest
from private_steps import PrivateShift, PrivateSign
from scipy.stats import uniform
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    RepeatedKFold,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skprivacy.accounting import gdp_mu
from skprivacy.exceptions import BudgetExceededError, PrivacyWarning
from skprivacy.ledger import PrivacyAccountant


@pytest.fixture
def accountant():
    return PrivacyAccountant(epsilon=3.0, delta=1e-6)


def search(*args, **options):
    return GridSearchCV(*args, cv=options.pop("cv", 4), **options)


MODELS = {
    "bare": (PrivateSign, 1),
    "pipeline": (lambda: make_pipeline(PrivateShift(), PrivateSign()), 2),
    "columns": (
        lambda: ColumnTransformer([("a", PrivateShift(), [0]), ("b", PrivateShift(), [1])]),
        2,
    ),
    "grid": (lambda: search(PrivateSign(), {"random_state": [1, 2, 3]}), 13),
    "grid over epsilon": (lambda: search(PrivateSign(), {"epsilon": [0.1, 0.2, 0.3]}), 13),
    "grids": (
        lambda: search(PrivateSign(), [{"epsilon": [0.1]}, {"random_state": [0, 1]}], cv=2),
        7,
    ),
    "no refit": (lambda: search(PrivateSign(), {"random_state": [1, 2]}, refit=False), 8),
    "splitter": (
        lambda: search(
            PrivateSign(),
            {"random_state": [1]},
            cv=RepeatedKFold(n_splits=2, n_repeats=3, random_state=0),
        ),
        7,
    ),
    "default cv": (lambda: search(PrivateSign(), {"random_state": [1]}, cv=None), 6),
    "pipeline in a grid": (
        lambda: search(
            make_pipeline(PrivateShift(), PrivateSign()), {"privatesign__epsilon": [0.1, 0.2]}
        ),
        18,
    ),
    "replaced step": (
        lambda: search(
            make_pipeline(PrivateShift(), PrivateSign()), {"privateshift": ["passthrough", None]}
        ),
        9,
    ),
    "random": (
        lambda: RandomizedSearchCV(
            PrivateSign(), {"epsilon": uniform(0.1, 1)}, n_iter=3, cv=2, random_state=0
        ),
        7,
    ),
    "random on a small grid": (
        lambda: RandomizedSearchCV(PrivateSign(), {"random_state": [0, 1]}, n_iter=9, cv=2),
        5,
    ),
    "grid in a grid": (
        lambda: search(
            search(PrivateSign(), {"random_state": [1, 2]}, cv=3),
            {"estimator__epsilon": [0.1, 0.2]},
            cv=2,
        ),
        5 * 7,
    ),
    "bagging": (
        lambda: BaggingClassifier(PrivateSign(), n_estimators=6, bootstrap=False),
        6,
    ),
    "stacking": (
        lambda: StackingClassifier([("a", PrivateSign())], PrivateSign(), cv=3),
        5,
    ),
    "calibrated": (lambda: CalibratedClassifierCV(PrivateSign(), cv=3), 3),
    "calibrated by one": (
        lambda: CalibratedClassifierCV(PrivateSign(), cv=3, ensemble=False),
        4,
    ),
    "one against one": (lambda: OneVsOneClassifier(PrivateSign()), 1),
    "one against rest": (lambda: OneVsRestClassifier(PrivateSign()), 1),
}


@pytest.mark.filterwarnings("ignore::skprivacy.exceptions.PrivacyWarning")
@pytest.mark.filterwarnings("ignore:The total space of parameters:UserWarning")
@pytest.mark.parametrize("name", MODELS)
def test_preview_is_what_the_fit_charges(name, data):
    make, n_fits = MODELS[name]
    accountant = PrivacyAccountant()
    model = make()
    foreseen = accountant.preview(model, n_features=3, classes=[0, 1])
    assert foreseen.n_fits == n_fits
    assert accountant.entries == []
    accountant.bind(model).fit(*data)
    assert len(accountant.entries) == n_fits
    spent = accountant.spent.mu
    if any(price.note for price in foreseen.prices):
        assert spent <= foreseen.total.mu * (1 + 1e-12)
    else:
        assert spent == pytest.approx(foreseen.total.mu, rel=1e-12)


def test_refit_is_priced_at_the_dearest_candidate(accountant):
    with pytest.warns(PrivacyWarning):
        foreseen = accountant.preview(search(PrivateSign(), {"epsilon": [0.1, 0.2]}))
    (refit,) = (price for price in foreseen.prices if price.note)
    assert refit.note == "at most"
    assert refit.epsilon == pytest.approx(0.2, rel=1e-6)
    assert "at most 0.2" in str(foreseen)


def test_refit_is_priced_above_candidates_none_of_which_is_dearest(accountant):
    model = search(PrivateSign(), [{"delta": [0.0], "epsilon": [0.01]}, {"epsilon": [0.1]}], cv=2)
    with pytest.warns(PrivacyWarning):
        foreseen = accountant.preview(model)
    (refit,) = (price for price in foreseen.prices if price.note)
    pure, gaussian = (price for price in foreseen.prices if not price.note)
    assert refit.loss >= gaussian.loss
    assert refit.loss >= pure.loss


def test_preview_says_whether_it_fits(accountant):
    assert accountant.preview(PrivateSign(epsilon=3.0)).fits_in_ceiling
    assert not accountant.preview(PrivateSign(epsilon=3.1)).fits_in_ceiling
    accountant.spend(mu=0.5)
    assert not accountant.preview(PrivateSign(epsilon=3.0)).fits_in_ceiling
    assert "DOES NOT FIT" in str(accountant.preview(PrivateSign(epsilon=3.0)))


def test_preview_foresees_the_rectangle_of_the_first_fit(data):
    # The first fit needs no delta, so a second that does is refused, and preview says so.
    accountant = PrivacyAccountant(epsilon=1.0)
    mu = gdp_mu(1.0, 1e-6)
    model = make_pipeline(
        PrivateShift(epsilon=0.999), PrivateSign(epsilon=1e-4, delta=1e-6, own_delta=True)
    )
    foreseen = accountant.preview(model)
    assert foreseen.total.mu < mu
    assert not foreseen.fits_in_ceiling
    with pytest.raises(BudgetExceededError):
        accountant.bind(model).fit(*data)


def test_allocated_model_fits_in_what_remains(accountant):
    accountant.spend(mu=0.2)
    shared = accountant.allocate(make_pipeline(PrivateShift(own_delta=True), PrivateSign()))
    foreseen = accountant.preview(shared)
    assert foreseen.fits_in_ceiling
    assert foreseen.total.mu == pytest.approx(accountant.remaining.mu, rel=1e-8)


def test_preview_names_what_is_not_covered(accountant):
    model = make_pipeline(StandardScaler(), PrivateSign())
    with pytest.warns(PrivacyWarning, match="standardscaler") as caught:
        foreseen = accountant.preview(model)
    assert caught[0].filename == __file__
    assert foreseen.not_covered == (
        "'standardscaler' (StandardScaler) reads rows without a charge",
    )
    assert "standardscaler" in str(foreseen)


def test_unknown_fits_matter_only_above_private_steps(accountant):
    model = make_pipeline(RFE(LogisticRegression()), PrivateSign())
    with pytest.warns(PrivacyWarning, match="RFE"):
        assert accountant.preview(model).n_fits == 1
    with pytest.raises(ValueError, match="RFE fits what is inside it can't be known"):
        accountant.preview(RFE(PrivateSign()))


def test_classes_decide_the_number_of_fits(accountant):
    with pytest.raises(ValueError, match="declare classes="):
        accountant.preview(OneVsRestClassifier(PrivateSign()))
    assert accountant.preview(OneVsRestClassifier(PrivateSign()), classes="abcd").n_fits == 4
    assert accountant.preview(OneVsOneClassifier(PrivateSign()), classes="abcd").n_fits == 6


def test_prefit_selector_is_not_fitted(accountant):
    model = make_pipeline(SelectFromModel(PrivateSign(), prefit=True), PrivateSign())
    assert accountant.preview(model).n_fits == 1


def test_halving_search_has_no_price(accountant):
    with pytest.raises(ValueError, match="HalvingGridSearchCV depends on the data"):
        accountant.preview(HalvingGridSearchCV(PrivateSign(), {"epsilon": [0.1]}))


def test_budgets_drawn_at_the_fit_have_no_price(accountant):
    model = RandomizedSearchCV(PrivateSign(), {"epsilon": uniform(0.1, 1)})
    with pytest.raises(ValueError, match="Set its random_state"):
        accountant.preview(model)


def test_price_that_needs_a_fact_says_of_which_step(accountant):
    model = make_pipeline(PrivateShift(), PrivateSign(needs_classes=True))
    with pytest.raises(ValueError, match="price of 'privatesign' can't be told: The price depends"):
        accountant.preview(model)
    assert accountant.preview(model, classes=[0, 1]).n_fits == 2


def test_number_of_rows_is_no_fact_under_add_remove(accountant):
    with pytest.raises(ValueError, match="n_rows is private"):
        accountant.preview(PrivateSign(), n_rows=10)
    PrivacyAccountant(adjacency="replace-one").preview(PrivateSign(), n_rows=10)


def test_forms_of_a_preview(accountant):
    foreseen = accountant.preview(make_pipeline(PrivateShift(), PrivateSign()))
    assert repr(foreseen) == str(foreseen)
    lines = str(foreseen).splitlines()
    assert lines[1].split()[:3] == ["privateshift", "PrivateShift", "1"]
    assert "<td>PrivateSign</td>" in foreseen._repr_html_()
    frame = foreseen.to_frame()
    assert list(frame["source"]) == ["PrivateShift", "PrivateSign"]
    assert frame["fits"].sum() == 2


def test_table_without_pandas(accountant, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skprivacy\[report\]"):
        accountant.preview(PrivateSign()).to_frame()


def test_preview_and_ceiling_agree_for_a_search(data):
    accountant = PrivacyAccountant(epsilon=1.0)
    model = search(PrivateSign(), {"epsilon": [0.1, 0.9]})
    with pytest.warns(PrivacyWarning):
        foreseen = accountant.preview(model)
    assert not foreseen.fits_in_ceiling
    with pytest.warns(PrivacyWarning):
        accountant.bind(model)
    with pytest.raises(BudgetExceededError):
        model.fit(*data)
