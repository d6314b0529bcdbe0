import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from skprivacy.attacks import GapAttack, LabelOnlyAttack, ShadowModels, noisy_copies
from skprivacy.exceptions import PrivacyWarning

X, Y = make_classification(
    n_samples=600, n_features=12, n_informative=6, flip_y=0.2, class_sep=2.0, random_state=0
)
ROWS = X[:300], Y[:300], X[300:], Y[300:]


class LabelsAlone(DecisionTreeClassifier):
    """A tree that answers with labels alone."""

    @property
    def predict_proba(self):
        raise AttributeError("predict_proba")


@pytest.fixture(scope="module")
def tree():
    return LabelsAlone(random_state=0).fit(X[:300], Y[:300])


def test_noisy_copies_find_more_than_the_gap():
    forest = RandomForestClassifier(20, random_state=0).fit(*ROWS[:2])
    with pytest.warns(PrivacyWarning, match="were clipped"):
        attack = LabelOnlyAttack(n_queries=16, n_shadow=6, random_state=0).fit(forest, *ROWS)
    with pytest.warns(PrivacyWarning, match="were clipped"):
        gap = GapAttack().fit(forest, *ROWS)
    assert gap.roc_auc_ > 0.55
    assert attack.roc_auc_ > gap.roc_auc_ + 0.02


def test_sides_swapped_at_random_cannot_be_told_apart(tree):
    order = np.random.default_rng(0).permutation(600)
    A, b = X[order], Y[order]
    attack = LabelOnlyAttack(n_queries=8, n_shadow=8, random_state=0)
    low, high = attack.fit(tree, A[:300], b[:300], A[300:], b[300:]).result_.roc_auc_interval
    assert low < 0.5 < high


def test_statistics_are_log_odds_of_labels_kept(tree):
    probe = noisy_copies(tree, X, Y, n_queries=8, noise=0.2, random_state=0)
    kept = sum((tree.predict(probe.copy(query)) == Y).astype(int) for query in range(8))
    np.testing.assert_allclose(probe(tree), np.log((kept + 0.5) / (8 - kept + 0.5)))


def test_every_model_is_asked_the_same(tree):
    probe = noisy_copies(tree, X, Y, noise=0.2, random_state=0)
    np.testing.assert_array_equal(probe.copy(3), probe.copy(3))
    assert (probe.copy(3) != probe.copy(4)).any()


def test_numbers_get_noise_in_proportion_and_the_rest_is_replaced():
    rng = np.random.default_rng(0)
    n = 20_000
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "age": rng.integers(20, 60, n),
            "smoker": rng.integers(2, size=n),
            "city": pd.Categorical(rng.choice(["Bern", "Basel"], n)),
        }
    )
    frame.loc[:99, "height"] = np.nan
    probe = noisy_copies(None, frame, np.zeros(n), noise=0.1, random_state=0)
    copy = probe.copy(0)
    assert (copy.dtypes == frame.dtypes).all()
    assert np.std(copy["height"] - frame["height"]) == pytest.approx(1.0, rel=0.05)
    assert copy["height"].isna().sum() == 100
    assert np.std(copy["age"] - frame["age"]) == pytest.approx(
        np.hypot(0.1 * frame["age"].std(), 12**-0.5), rel=0.05
    )
    # A tenth is replaced, half of that by the same value.
    for name in ("smoker", "city"):
        assert (copy[name] != frame[name]).mean() == pytest.approx(0.05, abs=0.005)
    polars = noisy_copies(
        None, pl.from_pandas(frame.astype({"city": str})), np.zeros(n), noise=0.1, random_state=0
    )
    assert polars.copy(0)["age"].to_list() == copy["age"].to_list()


def test_automatic_noise_keeps_most_labels(tree):
    probe = noisy_copies(tree, X, Y, random_state=0)
    right = tree.predict(X) == Y
    assert 0.85 < probe.kept(tree)[right].mean() / 48 < 0.99


def test_shared_shadow_models_must_have_been_asked(tree):
    probe = noisy_copies(tree, X, Y, n_queries=8, noise=0.1, random_state=0)
    attack = LabelOnlyAttack(n_queries=8, noise=0.1, random_state=0)
    asked = ShadowModels(tree, n_models=4, random_state=0).fit(X, Y, probe=probe)
    assert attack.fit(tree, *ROWS, shadow_models=asked).roc_auc_ > 0.5
    silent = ShadowModels(tree, n_models=4, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="not asked about noisy copies"):
        attack.fit(tree, *ROWS, shadow_models=silent)


@pytest.mark.parametrize("noise", [0, -1.0, "much", True])
def test_noise_is_checked(noise, tree):
    with pytest.raises(ValueError, match="noise must be 'auto' or a float in the range"):
        noisy_copies(tree, X, Y, noise=noise)


def test_rows_must_be_a_dense_table(tree):
    for rows in (sparse.csr_array(X), ["text"] * 600):
        with pytest.raises(ValueError, match="densify X first"):
            noisy_copies(tree, rows, Y)
