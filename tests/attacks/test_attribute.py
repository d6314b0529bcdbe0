import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from skprivacy.attacks import AttributeInferenceAttack
from skprivacy.attacks._columns import ColumnFeatures, column_values, with_value


def people(kind="pandas", n=800, seed=0):
    """Return rows with a secret column that the others and the label say little about."""
    rng = np.random.default_rng(seed)
    secret = rng.choice(["no", "yes"], n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "secret": secret,
            "income": rng.normal(0, 1, n) + 0.3 * (secret == "yes"),
        }
    )
    y = np.where(rng.random(n) < 0.35 + 0.3 * (secret == "yes"), "ill", "well")
    if kind == "array":
        return frame.assign(secret=(secret == "yes").astype(float)).to_numpy(), y
    if kind == "categorical":
        return frame.astype({"secret": "category"}), y
    return pl.from_pandas(frame) if kind == "polars" else frame, y


def pipeline(model, kind):
    if kind == "array":
        return model
    return make_pipeline(FunctionTransformer(as_numbers), model)


def as_numbers(frame):
    secret = np.asarray(frame["secret"]) == "yes"
    return np.column_stack([secret, np.asarray(frame["age"]), np.asarray(frame["income"])])


def attacked(kind, model, attack=None):
    X, y = people(kind)
    fitted = pipeline(model, kind).fit(X[:400], y[:400])
    column = 1 if kind == "array" else "secret"
    attack = AttributeInferenceAttack(column, random_state=0) if attack is None else attack
    return attack.fit(fitted, X[:400], y[:400], X[400:], y[400:])


@pytest.mark.parametrize("kind", ["array", "pandas", "categorical", "polars"])
def test_a_tree_that_remembers_rows_gives_their_secret_away(kind):
    result = attacked(kind, DecisionTreeClassifier(random_state=0)).result_
    assert result.model_members > result.model_nonmembers + 0.05
    assert result.attack_members > result.prior_members + 0.03
    assert result.leak > 0.03
    assert result.leak_interval[0] > 0
    assert result.n_members == result.n_nonmembers == 400


def test_a_model_that_generalises_adds_little_to_the_prior():
    attack = AttributeInferenceAttack(1, prior=LogisticRegression(max_iter=2000), random_state=0)
    result = attacked("array", GaussianNB(), attack).result_
    low, high = result.leak_interval
    assert low < 0.01
    assert high < 0.05
    assert abs(result.prior_members - result.prior_nonmembers) < 0.1
    assert result.prior_members > 0.6  # the secret is guessed from the label anyway


def test_the_result_never_shows_members_alone():
    text = str(attacked("array", GaussianNB()).result_)
    result = attacked("array", GaussianNB()).result_
    for guess in ("attack", "prior", "model"):
        for side in ("members", "nonmembers"):
            assert f"{getattr(result, f'{guess}_{side}'):.3f}" in text
    assert result.to_dict()["prior_nonmembers"] == result.prior_nonmembers


def test_guesses_are_the_largest_of_both_logarithms():
    X, y = people("array")
    model = LogisticRegression().fit(X[:400], y[:400])
    prior = LogisticRegression(max_iter=1000)
    attack = AttributeInferenceAttack(1, prior=prior).fit(
        model, X[:400], y[:400], X[400:], y[400:], X_prior=X[400:], y_prior=y[400:]
    )
    own = (y == model.classes_[1]).astype(int)
    chances = [model.predict_proba(with_value(X, 1, v))[np.arange(800), own] for v in (0.0, 1.0)]
    given = ColumnFeatures(1).fit(X, y).transform(X, y)
    guess = prior.fit(given[400:], X[400:, 1]).predict_proba(given)
    expected = (np.log(np.stack(chances, axis=1)) + np.log(guess)).argmax(axis=1)
    found = np.concatenate([attack.member_guesses_, attack.nonmember_guesses_])
    assert (found == expected).mean() > 0.995
    assert attack.result_.attack_members == pytest.approx(
        (expected == X[:, 1])[:400].mean(), abs=0.01
    )


def test_a_model_that_ignores_the_column_is_right_by_tossing_alone():
    class Blind(GaussianNB):
        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    result = attacked("array", Blind()).result_
    assert result.model_members == result.model_nonmembers == 0.5
    assert result.leak == 0.0


def test_unknown_values_are_left_out():
    X, y = people("array")
    model = GaussianNB().fit(X[:400], y[:400])
    X = X.copy()
    X[:100, 1] = np.nan
    attack = AttributeInferenceAttack(1, random_state=0)

    class Tolerant:
        classes_ = model.classes_

        def predict_proba(self, rows):
            return model.predict_proba(np.nan_to_num(rows))

    result = attack.fit(Tolerant(), X[:400], y[:400], X[400:], y[400:]).result_
    assert (result.n_members, result.n_nonmembers) == (300, 400)


def test_columns_are_found_by_name_or_number():
    frame, _ = people()
    np.testing.assert_array_equal(column_values(frame, 1), frame["secret"])
    np.testing.assert_array_equal(column_values(frame.to_numpy(), -2), frame["secret"])
    with pytest.raises(ValueError, match="There is no column 'sex'. There are"):
        column_values(frame, "sex")
    with pytest.raises(ValueError, match="There is no column 3: the table has 3"):
        column_values(frame.to_numpy(), 3)
    with pytest.raises(TypeError, match="must be named by its number. Got 'secret'"):
        column_values(frame.to_numpy(), "secret")


@pytest.mark.parametrize("kind", ["array", "pandas", "categorical", "polars"])
def test_a_column_is_filled_in_a_copy_of_its_own_type(kind):
    X, _ = people(kind)
    column, value = (1, 1.0) if kind == "array" else ("secret", "yes")
    before = column_values(X, column).copy()
    filled = with_value(X, column, value)
    assert type(filled) is type(X)
    assert (column_values(filled, column) == value).all()
    np.testing.assert_array_equal(column_values(X, column), before)
    if kind != "array":
        assert list(filled.dtypes) == list(X.dtypes)


def test_what_cannot_be_attacked_is_named():
    X, y = people("array")
    rows = X[:400], y[:400], X[400:], y[400:]
    model = GaussianNB().fit(*rows[:2])
    with pytest.raises(ValueError, match="has 800 values, more than 20. Bin it"):
        AttributeInferenceAttack(0).fit(model, *rows)
    with pytest.raises(ValueError, match=r"at least 2 possible values.* Got \[1.0\]"):
        AttributeInferenceAttack(1, values=[1.0]).fit(model, *rows)
    regression = LinearRegression().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="needs a classifier with predict_proba"):
        AttributeInferenceAttack(1).fit(regression, X[:400], X[:400, 0], X[400:], X[400:, 0])
