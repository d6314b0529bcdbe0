"""PATE: what teachers see, who votes, what the student gets."""

import math
import pickle
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from teaching import Stub, pate

from skprivacy import BudgetExceededError, PrivacyAccountant, PrivacyWarning
from skprivacy.accounting import gdp_mu
from skprivacy.attacks import record
from skprivacy.distillation import PATEClassifier
from skprivacy.distillation._pate import usual_queries, usual_teachers
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.plan import Facts

by_adjacency = pytest.mark.parametrize("adjacency", ["add-remove", "replace-one"])


# The price


@by_adjacency
@pytest.mark.parametrize("confident", [False, True])
def test_both_adjacencies_have_one_price_and_one_noise(adjacency, confident):
    model = PATEClassifier(epsilon=2.0, delta=1e-5, confident=confident)
    plan = model.plan(Facts(adjacency=adjacency))
    assert plan.loss.to_epsilon(1e-5) == pytest.approx(2.0)
    assert plan.mechanisms == model.plan(Facts(adjacency="add-remove")).mechanisms


def test_noise_is_what_the_anchor_says(problem):
    """Q=100, sigma=40 is epsilon 1.35647 at delta=1e-5."""
    X, y, pool, _ = problem
    model = pate(epsilon=1.35647, delta=1e-5, n_queries=100).fit(X, y, X_public=pool)
    (sigma,) = model.privacy_.noise_scales.values()
    assert sigma == pytest.approx(40, abs=1e-3)


def test_agreement_of_the_teachers_changes_no_price(problem):
    X, y, pool, _ = problem
    random_labels = np.random.default_rng(0).permutation(y)
    one, other = (
        pate(confident=True).fit(X, labels, X_public=pool) for labels in (y, random_labels)
    )
    assert one.privacy_.loss == other.privacy_.loss


def test_everything_is_charged_before_the_first_teacher(problem, seen):
    X, y, pool, _ = problem
    accountant = PrivacyAccountant(epsilon=0.5, delta=1e-6)
    with pytest.raises(BudgetExceededError):
        pate(Stub(), Stub(), accountant=accountant).fit(X, y, X_public=pool)
    assert len(accountant.entries) == 0
    private = {row.tobytes() for row in X}
    assert seen  # the rehearsals, on public rows
    assert not any(row.tobytes() in private for _, rows, _, _ in seen for row in rows)


def test_without_delta_there_is_no_price():
    with pytest.raises(ValueError, match="delta above 0"):
        PATEClassifier(delta=0).plan()


def test_an_accountant_previews_and_allocates_it(problem):
    X, y, pool, _ = problem
    accountant = PrivacyAccountant(epsilon=2.0, delta=1e-6)
    assert accountant.preview(pate(epsilon=1.5)).epsilon == pytest.approx(1.5)
    model = accountant.allocate(pate())
    model.fit(X, y, X_public=pool)
    assert accountant.spent.epsilon == pytest.approx(2.0, rel=1e-3)
    with pytest.raises(BudgetExceededError):
        model.fit(X, y, X_public=pool)


# Who sees what


def test_each_row_reaches_one_teacher_and_no_student(problem, seen):
    X, y, pool, _ = problem
    pate(Stub(), Stub(), n_queries=50).fit(X, y, X_public=pool)
    numbers = {row.tobytes(): i for i, row in enumerate(X)}
    fits = [rows for method, rows, _, _ in seen if method == "fit"]
    found = [numbers[row.tobytes()] for rows in fits for row in rows if row.tobytes() in numbers]
    assert sorted(found) == list(range(len(X)))
    public = {row.tobytes() for row in pool}
    assert all(row.tobytes() in public for row in fits[-1])  # the student's
    for method, rows, _, _ in seen:
        if method == "predict":
            assert all(row.tobytes() in public for row in rows)
    # Private rows come in fits of teachers only, none of which has a public row beside them.
    assert all(len({row.tobytes() in numbers for row in rows}) == 1 for rows in fits if len(rows))


def test_every_teacher_has_its_own_integer_seed(problem, seen):
    X, y, pool, _ = problem
    pate(Stub(random_state=np.random.RandomState(0)), Stub()).fit(X, y, X_public=pool)
    seeds = [seed for method, _, labels, seed in seen if method == "fit"][2:]
    assert len(set(seeds)) == len(seeds) == 11  # ten teachers and the student
    assert all(isinstance(seed, int) for seed in seeds)


def test_nested_random_states_are_seeded(problem):
    X, y, pool, _ = problem
    teacher = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss"))
    kept = pate(teacher, store_teachers=True).fit(X, y, X_public=pool).teachers_
    seeds = {member[-1].random_state for member in kept}
    assert len(seeds) == len(kept) == 10
    assert teacher[-1].random_state is None


def test_random_teachers_do_not_share_a_stream(problem):
    """One row more changes the votes of its own teacher alone."""
    X, y, pool, _ = problem
    teacher = make_pipeline(RandomForestClassifier(3, max_depth=2))

    def kept(n_rows):
        model = pate(teacher, store_teachers=True).fit(X[:n_rows], y[:n_rows], X_public=pool)
        return np.array([member.predict(pool) for member in model.teachers_])

    changed = (kept(600) != kept(599)).any(axis=1)
    assert changed.sum() <= 1


def test_without_a_seed_the_deal_is_secret(problem, seen):
    """numpy.random.seed does not repeat it."""
    X, y, pool, _ = problem
    deals = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002 - whether fits read it is the question
        seen.clear()
        model = pate(Stub(), Stub(), random_state=None).fit(X, y, X_public=pool)
        assert not model.privacy_.reproducible
        deals.append([rows.shape for method, rows, _, _ in seen if method == "fit"])
    assert deals[0] != deals[1]
    assert pate(Stub(), Stub()).fit(X, y, X_public=pool).privacy_.reproducible


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_change_nothing(problem, backend):
    X, y, pool, _ = problem
    alone = pate().fit(X, y, X_public=pool)
    with parallel_config(backend):
        together = pate(n_jobs=2).fit(X, y, X_public=pool)
    assert np.array_equal(alone.student_.coef_, together.student_.coef_)


# Who votes for what


def test_a_teacher_without_rows_does_not_vote_and_one_class_is_a_vote(seen):
    """Five rows for ten teachers, all of class 'b': its votes are counted, and nobody fits."""
    X, y = np.arange(10.0).reshape(5, 2), np.array(["b"] * 5)
    pool = np.zeros((30, 2))
    run = lambda: pate(Stub(), Stub(), classes=["a", "b"]).fit(X, y, X_public=pool)  # noqa: E731
    (release,) = record(run).releases
    n_voters = (release.total[0] / release.total[0].max()).sum()
    assert n_voters == 1.0  # all votes for one class
    assert (release.total == release.total[0]).all()
    assert not any(
        row in X.tolist() for m, rows, _, _ in seen if m == "fit" for row in rows.tolist()
    )


@pytest.mark.parametrize("answer", ["c", 7, math.nan, None])
def test_a_label_outside_the_classes_is_no_vote(problem, answer):
    X, y, pool, _ = problem
    labels = np.where(y == 1, "yes", "no")
    teacher = Stub(answer=answer)
    (release,) = record(lambda: pate(teacher, Stub()).fit(X, labels, X_public=pool)).releases
    assert (release.total.sum() == 0) == (answer is not None)


def test_a_teacher_that_fails_does_not_vote_and_tells_nothing(problem, seen):
    X, y, pool, _ = problem
    seen.clear()

    class Fails(Stub):
        def fit(self, X, y):
            if len(X) != 200:  # not at the rehearsal
                warnings.warn(f"the value is {X[0, 0]}", stacklevel=1)
                raise ValueError(f"the value is {X[0, 0]}")
            return super().fit(X, y)

    (release,) = record(lambda: pate(Fails(), Stub()).fit(X, y, X_public=pool)).releases
    assert release.total.sum() == 0


def test_teachers_print_nothing(problem, capfd):
    X, y, pool, _ = problem
    teacher = make_pipeline(StandardScaler(), SGDClassifier(verbose=1, max_iter=5), verbose=True)
    pate(teacher).fit(X, y, X_public=pool)
    assert capfd.readouterr() == ("", "")
    assert teacher[-1].verbose == 1


def test_wrong_teachers_and_students_are_found_on_public_rows_before_the_charge(problem):
    X, y, pool, _ = problem
    accountant = PrivacyAccountant()
    wrong = LogisticRegression(C=-1.0)
    for parameters in ({"estimator": wrong}, {"student": wrong}):
        with pytest.raises(ValueError, match="'C' parameter") as caught:
            pate(accountant=accountant, **parameters).fit(X, y, X_public=pool)
        assert "Nothing was charged" in caught.value.__notes__[0]
    assert len(accountant.entries) == 0


def test_private_and_caching_teachers_are_refused(problem, tmp_path):
    X, y, pool, _ = problem
    private = DPLogisticRegression()
    for parameters in (
        {"estimator": private},
        {"estimator": make_pipeline(StandardScaler(), private)},
        {"student": private},
    ):
        with pytest.raises(ValueError, match="own charge would come on top"):
            pate(**parameters).fit(X, y, X_public=pool)
    cached = make_pipeline(StandardScaler(), LogisticRegression(), memory=str(tmp_path))
    with pytest.raises(ValueError, match="has a cache"):
        pate(cached).fit(X, y, X_public=pool)


# The automatic numbers


def test_the_number_of_teachers_is_fixed_unless_the_number_of_rows_is_public(problem):
    X, y, pool, _ = problem
    model = PATEClassifier(random_state=0)
    assert model.fit(X, y, X_public=pool).n_teachers_ == 100
    assert model.fit(X[:100], y[:100], X_public=pool).n_teachers_ == 100
    declared = clone(model).set_params(n_rows=1000).fit(X, y, X_public=pool)
    assert declared.n_teachers_ == 20
    assert any("declared by the user" in text for text in declared.privacy_.assumptions)
    model.set_params(accountant=PrivacyAccountant(adjacency="replace-one"))
    assert model.fit(X, y, X_public=pool).n_teachers_ == 12
    with pytest.raises(ValueError, match="'n_teachers' parameter"):
        PATEClassifier(n_teachers=9).fit(X, y, X_public=pool)


def test_the_automatic_numbers():
    adult, digits = ((20_000, 2), (1200, 10))
    mus = {epsilon: gdp_mu(epsilon, 1e-5) for epsilon in (1.0, 3.0, 8.0)}
    found = [usual_teachers(*adult, mu, 6000) for mu in mus.values()]
    assert found[0] == 400 > found[1] > found[2] > 90
    assert usual_teachers(*digits, mus[1.0], 300) == 80
    assert usual_teachers(10, 2, mus[1.0], 300) == 10
    assert usual_teachers(None, 2, mus[1.0], 300) == 100
    assert usual_teachers(None, 2, 100.0, 300) == 10
    assert abs(usual_queries(150, 2, mus[1.0]) - 82) <= 1
    assert abs(usual_queries(400, 2, mus[1.0]) - 588) <= 2
    assert usual_queries(80, 10, mus[1.0]) == 20


# The student


def test_it_learns(problem):
    X, y, pool, labels = problem
    model = pate(epsilon=8.0, n_teachers=20).fit(X, y, X_public=pool)
    assert model.score(pool, labels) > 0.85
    assert model.n_queries_ == model.n_answered_
    few = pate(epsilon=8.0, n_teachers=20, confident=True, n_answers=40)
    few.fit(X, y, X_public=pool)
    assert few.n_answered_ == 40 < few.n_queries_
    assert few.score(pool, labels) > 0.8


def test_probabilities_have_a_column_for_every_class(problem):
    X, y, pool, _ = problem
    model = pate(Stub(answer="b"), classes=["a", "b", "c"], epsilon=1e4, soft_labels=False)
    model.fit(X, np.where(y == 1, "a", "b"), X_public=pool)
    assert model.predict_proba(pool).tolist() == [[0.0, 1.0, 0.0]] * len(pool)
    assert set(model.predict(pool)) == {"b"}
    assert model.predict_log_proba(pool)[0].tolist() == [-math.inf, 0.0, -math.inf]
    assert not hasattr(pate(student=SGDClassifier()), "predict_proba")
    assert hasattr(pate(student=KNeighborsClassifier()), "predict_proba")


def test_kept_teachers_warn_when_they_are_pickled(problem):
    X, y, pool, _ = problem
    model = pate().fit(X, y, X_public=pool)
    assert not hasattr(model, "teachers_")
    pickle.dumps(model)
    model.set_params(store_teachers=True).fit(X, y, X_public=pool)
    assert len(model.teachers_) == 10
    assert any("nothing here covers them" in text for text in model.privacy_.assumptions)
    with pytest.warns(PrivacyWarning, match="store_teachers=False"):
        pickle.dumps(model)


def test_soft_labels_are_the_noisy_counts_over_their_noise(problem, seen):
    X, y, pool, _ = problem
    student = make_pipeline(Stub())
    hard = record(lambda: pate(student=student, soft_labels=False).fit(X, y, X_public=pool))
    assert hard.result.student_[-1].classes_.tolist() == [0, 1]
    assert len(seen[-1][1]) == 20
    (release,) = hard.releases
    winners = release.output.argmax(axis=1)
    assert np.array_equal(seen[-1][2], winners)
    soft = pate(student=student).fit(X, y, X_public=pool)
    assert len(seen[-1][1]) == 40
    odds = (release.output[:, 1] - release.output[:, 0]) / release.scale
    weights = np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=1)
    assert soft.student_[-1].weights_ == pytest.approx(weights.ravel())


def test_regressors_learn_probabilities_and_are_no_teachers(problem):
    X, y, pool, labels = problem
    text, trees = np.where(y == 1, "yes", "no"), RandomForestRegressor(10, max_depth=4)
    model = pate(student=trees, epsilon=8.0, n_teachers=20).fit(X, text, X_public=pool)
    assert (model.predict(pool) == np.where(labels == 1, "yes", "no")).mean() > 0.8
    assert model.predict_proba(pool).sum(axis=1) == pytest.approx(1)
    with pytest.raises(ValueError, match="learns from probabilities alone"):
        pate(student=trees, soft_labels=False).fit(X, y, X_public=pool)
    with pytest.raises(ValueError, match="must be a classifier"):
        pate(trees).fit(X, y, X_public=pool)
