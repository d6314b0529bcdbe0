import copy
import gc
import json
import math
import multiprocessing
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from private_steps import PrivateShift, PrivateSign, PrivateStep, try_to_spend
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skprivacy.accounting import PrivacyLoss, gdp_mu
from skprivacy.exceptions import BudgetExceededError, LedgerError
from skprivacy.ledger import PrivacyAccountant, adopt_ledger
from skprivacy.mechanisms import GaussianSum
from skprivacy.plan import Facts, Plan

# Python warns of forks in a process with threads; that such forks are safe is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def accountant():
    return PrivacyAccountant()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "patients.ledger"


# Identity ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "travel",
    [
        clone,
        copy.copy,
        copy.deepcopy,
        lambda it: pickle.loads(pickle.dumps(it)),
        lambda it: pickle.loads(pickle.dumps(it, protocol=2)),
        lambda it: clone(PrivateSign(accountant=it)).accountant,
        lambda it: copy.deepcopy(PrivateSign(accountant=it)).accountant,
        lambda it: pickle.loads(pickle.dumps(PrivateSign(accountant=it))).accountant,
        lambda it: PrivateSign().set_params(accountant=it).accountant,
        lambda it: clone(make_pipeline(PrivateShift(), PrivateSign(accountant=it)))[1].accountant,
    ],
)
def test_the_same_object_after(travel, accountant):
    assert travel(accountant) is accountant


def test_constructing_twice_on_a_path_gives_one_object(path):
    first = PrivacyAccountant(1.0, path=path)
    assert PrivacyAccountant(1.0, path=path) is first
    assert PrivacyAccountant.open(path) is first


def test_two_ledgers_without_a_path_are_different():
    assert PrivacyAccountant() is not PrivacyAccountant()


def test_a_blob_loaded_many_times_charges_one_ledger(accountant, data):
    blob = pickle.dumps(PrivateShift(accountant=accountant))
    for _ in range(5):
        pickle.loads(blob).fit(data[0])
    assert len(accountant.entries) == 5


def test_nothing_varies_in_what_is_shown_or_pickled(accountant):
    before = (repr(accountant), pickle.dumps(accountant), joblib.hash(accountant))
    accountant.spend(mu=0.1)
    assert (repr(accountant), pickle.dumps(accountant), joblib.hash(accountant)) == before
    assert repr(accountant) == "PrivacyAccountant(epsilon=inf, delta=1e-06)"


# Estimators in scikit-learn ----------------------------------------------------------------


def test_fit_twice_is_counted_twice(accountant, data):
    model = PrivateSign(accountant=accountant)
    model.fit(*data).fit(*data)
    assert len(accountant.entries) == 2


def test_accountant_can_be_taken_away(accountant, data):
    model = PrivateSign(accountant=accountant).fit(*data)
    model.set_params(accountant=None).fit(*data)
    clone(PrivateSign(accountant=None)).fit(*data)
    assert len(accountant.entries) == 1
    assert model.privacy_.entry_uid is None


def test_pipeline_and_its_clone_charge_one_ledger(accountant, data):
    model = make_pipeline(PrivateShift(accountant=accountant), PrivateSign(accountant=accountant))
    model.fit(*data)
    clone(model).fit(*data)
    assert [entry.source for entry in accountant.entries] == ["PrivateShift", "PrivateSign"] * 2


def test_cached_pipeline_charges_what_it_draws(accountant, data, tmp_path):
    model = make_pipeline(
        PrivateShift(accountant=accountant),
        PrivateSign(accountant=accountant),
        memory=str(tmp_path),
    )
    model.fit(*data)
    assert len(accountant.entries) == 2
    first = model[0].sum_
    assert model[0].accountant is accountant
    model.fit(*data)
    # The cached transformer is the same release, free to use again; the classifier is new.
    np.testing.assert_array_equal(model[0].sum_, first)
    assert [entry.source for entry in accountant.entries] == [
        "PrivateShift",
        "PrivateSign",
        "PrivateSign",
    ]


def test_column_transformer(accountant, data):
    model = ColumnTransformer(
        [("a", PrivateShift(accountant=accountant), [0, 1]), ("b", "passthrough", [2])]
    )
    model.fit(data[0])
    assert len(accountant.entries) == 1
    assert model.named_transformers_["a"].accountant is accountant


def test_cross_val_score_stops_at_the_ceiling(data):
    accountant = PrivacyAccountant(epsilon=2.0)
    model = PrivateSign(epsilon=1.0, accountant=accountant)
    assert accountant.remaining.epsilon == pytest.approx(2.0)
    with pytest.raises(BudgetExceededError):
        cross_val_score(model, *data, cv=5, error_score="raise")
    assert 1 <= len(accountant.entries) < 5


BACKENDS = [
    (1, "sequential"),
    (2, "loky"),
    (2, "threading"),
    (2, "multiprocessing"),
]


@pytest.mark.parametrize(("n_jobs", "backend"), BACKENDS)
def test_a_search_of_3_candidates_on_4_folds_with_refit_has_13_entries(
    n_jobs, backend, accountant, data
):
    search = GridSearchCV(
        PrivateSign(accountant=accountant), {"epsilon": [0.5, 1.0, 2.0]}, cv=4, n_jobs=n_jobs
    )
    with joblib.parallel_backend(backend):
        search.fit(*data)
    assert len(accountant.entries) == 13
    assert search.best_estimator_.accountant is accountant
    costs = sorted(entry.mu for entry in accountant.entries)
    expected = sorted([gdp_mu(e, 1e-6) for e in (0.5, 1.0, 2.0) for _ in range(4)])
    refit = gdp_mu(search.best_params_["epsilon"], 1e-6)
    np.testing.assert_allclose(sum(costs), sum(expected) + refit, rtol=1e-6)
    accountant.verify()


@pytest.mark.parametrize(("n_jobs", "backend"), BACKENDS)
def test_no_backend_passes_the_ceiling(n_jobs, backend, data):
    accountant = PrivacyAccountant(epsilon=1.0)
    accountant.spend(mu=1e-9)
    mu = accountant.ceiling.mu / math.sqrt(5.5)
    with joblib.parallel_backend(backend):
        outcome = joblib.Parallel(n_jobs=n_jobs)(
            joblib.delayed(try_to_spend)(accountant, mu) for _ in range(20)
        )
    assert sum(outcome) == 5
    assert len(accountant.entries) == 6
    accountant.verify()


def test_bagging(accountant, data):
    model = BaggingClassifier(
        PrivateSign(accountant=accountant), n_estimators=4, n_jobs=2, bootstrap=False
    )
    model.fit(*data)
    assert len(accountant.entries) == 4
    assert all(member.accountant is accountant for member in model.estimators_)


def test_unpickled_in_another_process_charges_the_same_ledger(path, data):
    accountant = PrivacyAccountant(epsilon=5.0, path=path)
    blob = path.with_suffix(".pickle")
    blob.write_bytes(pickle.dumps(PrivateShift(accountant=accountant)))
    code = (
        f"import pickle, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"model = pickle.load(open({str(blob)!r}, 'rb'))\n"
        "model.fit([[1.0, 2.0], [3.0, 4.0]])\n"
        "assert pickle.loads(pickle.dumps(model.accountant)) is model.accountant\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(accountant.entries) == 1


# Opening -----------------------------------------------------------------------------------


def test_attaching_keeps_what_was_charged(path):
    PrivacyAccountant(1.0, path=path).spend(mu=0.1)
    gc.collect()
    again = PrivacyAccountant(1.0, path=path)
    assert again.spent.mu == pytest.approx(0.1)


@pytest.mark.parametrize(
    "other",
    [
        {"epsilon": 2.0},
        {"epsilon": 1.0, "delta": 1e-5},
        {"epsilon": 1.0, "adjacency": "replace-one"},
        {"epsilon": 1.0, "delta_reserve": 1e-8},
    ],
)
def test_attaching_with_other_terms_is_refused(path, other):
    PrivacyAccountant(1.0, path=path)
    with pytest.raises(LedgerError, match=r"keeps its terms.*PrivacyAccountant\.open"):
        PrivacyAccountant(**other, path=path)


def test_open_reads_the_ceiling(path):
    PrivacyAccountant(1.5, 1e-5, path=path, adjacency="replace-one", delta_reserve=1e-6)
    opened = PrivacyAccountant.open(path)
    ceiling = opened.ceiling
    assert (ceiling.epsilon, ceiling.delta) == (1.5, 1e-5)
    assert (ceiling.adjacency, ceiling.delta_reserve) == ("replace-one", 1e-6)
    assert opened.adjacency == "replace-one"


def test_open_makes_nothing(path):
    with pytest.raises(LedgerError, match="is not there"):
        PrivacyAccountant.open(path)
    assert not path.exists()


def test_two_names_of_a_file_are_one_ledger(path):
    accountant = PrivacyAccountant(1.0, path=path)
    link = path.with_name("link.ledger")
    link.symlink_to(path)
    assert PrivacyAccountant.open(link) is accountant


def test_a_path_with_marks_of_its_own(tmp_path):
    where = tmp_path / "a b?mode=ro#100%.ledger"
    accountant = PrivacyAccountant(1.0, path=where)
    accountant.spend(mu=0.1)
    assert where.exists()
    assert len(accountant.entries) == 1


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(LedgerError, match=r"can't be made: .*folder exists"):
        PrivacyAccountant(1.0, path=tmp_path / "none" / "a.ledger")


def test_file_is_the_users_alone(path):
    PrivacyAccountant(1.0, path=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def open_many(path, barrier, queue):
    barrier.wait()
    accountant = PrivacyAccountant(1.0, path=path)
    accountant.spend(mu=1e-3)
    queue.put(accountant.path)


def test_processes_that_start_at_once_share_one_new_ledger(path):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(6), context.Queue()
    workers = [context.Process(target=open_many, args=(path, barrier, queue)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert len(PrivacyAccountant(1.0, path=path).entries) == 6
    assert not list(path.parent.glob("*.new*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": -1.0}, "epsilon"),
        ({"epsilon": math.nan}, "epsilon"),
        ({"delta": 1.0}, "delta"),
        ({"delta": -1e-6}, "delta"),
        ({"delta_reserve": 1e-5}, "delta_reserve"),
        ({"adjacency": "swap"}, "adjacency"),
    ],
)
def test_wrong_parameters(options, message, path):
    with pytest.raises(ValueError, match=message):
        PrivacyAccountant(**options, path=path)
    assert not path.exists()


# Spending ----------------------------------------------------------------------------------


def test_spend_takes_a_loss_a_plan_or_numbers(accountant):
    plan = PrivateStep(epsilon=1.0).plan(Facts())
    accountant.spend(PrivacyLoss(0.3, 1e-8))
    accountant.spend(plan)
    accountant.spend(plan, source="mine")
    accountant.spend(epsilon=0.5)
    accountant.spend(mu=0.2, delta=1e-9, source="mean")
    losses = [entry.loss for entry in accountant.entries]
    assert losses == [
        PrivacyLoss(0.3, 1e-8),
        plan.loss,
        plan.loss,
        PrivacyLoss.pure(0.5),
        PrivacyLoss(0.2, 1e-9),
    ]
    sources = [entry.source for entry in accountant.entries]
    assert sources == ["release", "PrivateStep", "mine", "release", "mean"]
    total = PrivacyLoss.compose(losses)
    assert accountant.spent.mu == pytest.approx(total.mu, rel=1e-14)
    assert accountant.spent.loss.delta == pytest.approx(total.delta)


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((), {}),
        ((PrivacyLoss(0.1),), {"mu": 0.1}),
        ((), {"mu": 0.1, "epsilon": 1.0}),
        ((PrivacyLoss(0.1),), {"delta": 1e-9}),
        ((), {"mu": -1.0}),
        ((), {"mu": math.nan}),
        ((), {"epsilon": -1.0}),
        ((), {"epsilon": 1.0, "delta": 2.0}),
    ],
)
def test_wrong_charges_are_errors_and_free(args, options, accountant):
    with pytest.raises(ValueError, match=r".+"):
        accountant.spend(*args, **options)
    assert accountant.entries == []


def test_a_charge_of_another_kind_is_a_type_error(accountant):
    with pytest.raises(TypeError, match="Plan or a PrivacyLoss"):
        accountant.spend(0.5)


def test_refused_charge_says_why_and_is_free():
    accountant = PrivacyAccountant(epsilon=1.0)
    accountant.spend(mu=0.2)
    head = accountant.head
    with pytest.raises(BudgetExceededError, match=r"costs mu = 0\.2.*mu = 0\.124.* is left"):
        accountant.spend(mu=0.2)
    assert accountant.head == head


def test_refused_first_charge_fixes_nothing():
    accountant = PrivacyAccountant(epsilon=1.0)
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=5.0)
    assert accountant.ceiling.mu is None
    accountant.spend(mu=gdp_mu(1.0, 1e-6))


def test_charge_of_nothing_fixes_nothing():
    accountant = PrivacyAccountant(epsilon=1.0)
    accountant.spend(PrivacyLoss.zero())
    accountant.spend(mu=0.0)
    assert accountant.ceiling.mu is None
    accountant.spend(mu=gdp_mu(1.0, 1e-6))


@pytest.mark.parametrize("own_delta", [False, True])
def test_one_fit_with_the_ceilings_own_budget_fits_once(own_delta, data):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    model = PrivateShift(1.0, 1e-6, accountant, own_delta=own_delta)
    model.fit(data[0])
    with pytest.raises(BudgetExceededError):
        model.fit(data[0])
    assert accountant.spent.epsilon == pytest.approx(1.0, rel=1e-6)
    assert accountant.spent.epsilon <= 1.0


def test_one_pure_fit_with_the_ceilings_own_epsilon_fits_once(data):
    for delta in (0.0, 1e-6):
        accountant = PrivacyAccountant(epsilon=1.0, delta=delta)
        model = PrivateShift(1.0, 0.0, accountant)
        model.fit(data[0])
        with pytest.raises(BudgetExceededError):
            model.fit(data[0])


def test_pure_ceiling_refuses_gaussian_noise():
    accountant = PrivacyAccountant(epsilon=1.0, delta=0.0)
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=1e-3)


def test_pure_route_closes_with_the_first_gaussian_charge():
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    accountant.spend(epsilon=0.5)
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=0.01)  # together neither pure nor in the rectangle
    accountant.spend(epsilon=0.5)


def test_release_without_a_guarantee_is_refused_by_a_ceiling_and_recorded_without():
    accountant = PrivacyAccountant(epsilon=10.0)
    with pytest.raises(BudgetExceededError, match=r"no privacy guarantee.*epsilon=inf"):
        accountant.spend(PrivacyLoss.none(), source="Plain")
    free = PrivacyAccountant()
    free.spend(PrivacyLoss.none(), source="Plain")
    assert free.spent.epsilon == math.inf
    assert free.entries[0].mu == math.inf
    free.spend(mu=0.1)
    free.verify()


def test_plan_of_another_adjacency_is_refused(accountant):
    plan = PrivateStep().plan(Facts(adjacency="replace-one"))
    with pytest.raises(LedgerError, match="replace-one adjacency"):
        accountant.spend(plan)
    assert accountant.entries == []


def test_budget_of_unknown_form_gets_a_hint():
    with pytest.raises(BudgetExceededError, match=r"spend\(mu=sensitivity / noise_scale\)"):
        PrivacyAccountant(epsilon=1.0).spend(epsilon=1.0, delta=1e-6)


def test_used_up_reserve_gets_a_hint():
    accountant = PrivacyAccountant(epsilon=1.0, delta_reserve=1e-8)
    with pytest.raises(BudgetExceededError, match="delta_reserve="):
        accountant.spend(PrivacyLoss(0.01, 2e-8))


def test_validation_error_charges_nothing(accountant, data):
    model = PrivateSign(accountant=accountant)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(data[0], np.nan), data[1])
    with pytest.raises(ValueError, match="epsilon"):
        clone(model).set_params(epsilon=-1.0).fit(*data)
    assert accountant.entries == []


def test_failed_fit_stays_charged_and_its_message_stays_out(accountant, data):
    with pytest.raises(RuntimeError, match="row 17"):
        PrivateSign(accountant=accountant, fail=True).fit(*data)
    (entry,) = accountant.entries
    assert (entry.status, entry.reason) == ("failed", "RuntimeError")
    assert "row 17" not in accountant.to_json()
    assert accountant.spent.mu > 0
    accountant.verify()


@pytest.mark.parametrize("reason", ["row 17 has the value 42", "", "a\nb", "x" * 200])
def test_failure_takes_class_names_alone(accountant, reason):
    entry = accountant.spend(mu=0.1)
    with pytest.raises(ValueError, match="name of an error class"):
        accountant.fail(entry.uid, reason)


def test_failure_of_an_unknown_entry(accountant):
    with pytest.raises(LedgerError, match="no entry"):
        accountant.fail("0" * 32, "ValueError")


def test_entry_records_who_and_what(accountant):
    mechanism = GaussianSum(name="total").calibrate("add-remove", mu=0.1)
    plan = Plan(
        mechanisms=(mechanism,),
        adjacency="add-remove",
        source="Mine",
        assumptions=("n is public",),
        reproducible=True,
    )
    returned = accountant.spend(plan)
    (entry,) = accountant.entries
    assert entry == returned
    assert entry.reproducible
    assert entry.assumptions == ("n is public",)
    assert entry.mechanisms == (mechanism.describe("add-remove"),)
    assert (entry.pid, entry.source, entry.status) == (
        multiprocessing.current_process().pid,
        "Mine",
        "charged",
    )
    assert entry.host
    assert entry.version
    assert entry.hash == accountant.head


def test_ledger_holds_nothing_of_the_rows(path, data):
    X, y = data
    accountant = PrivacyAccountant(path=path)
    PrivateSign(accountant=accountant).fit(X, y)
    PrivateSign(accountant=accountant).fit(X * 2 + 1, y)
    first, second = ([*accountant.entries][i].to_dict() for i in (0, 1))
    varying = {key for key in first if first[key] != second[key]}
    assert varying == {"uid", "sequence", "time", "previous", "hash"}


# Hosts -------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch):
    def move():
        monkeypatch.setattr("skprivacy.ledger._host.socket.gethostname", lambda: "elsewhere")

    return move


def test_charge_from_another_host_is_refused(path, elsewhere):
    accountant = PrivacyAccountant(1.0, path=path)
    accountant.spend(mu=0.1)
    elsewhere()
    with pytest.raises(LedgerError, match=r"belongs to host.*adopt_ledger"):
        accountant.spend(mu=0.1)
    assert len(accountant.entries) == 1


def test_moved_ledger_can_be_adopted_for_good(path, elsewhere, monkeypatch):
    accountant = PrivacyAccountant(1.0, path=path)
    accountant.dataset("other", epsilon=1.0, delta=1e-6).spend(mu=0.1)
    with monkeypatch.context() as inner:
        inner.setattr("skprivacy.ledger._host.socket.gethostname", lambda: "elsewhere")
        adopt_ledger(path).spend(mu=0.1)
        accountant.dataset("other", epsilon=1.0, delta=1e-6).spend(mu=0.1)
    with pytest.raises(LedgerError, match="belongs to host 'elsewhere'"):
        accountant.spend(mu=0.1)
    accountant.verify()


# Reserving, data sets ----------------------------------------------------------------------


def test_reserve_charges_now_and_spends_later():
    accountant = PrivacyAccountant(epsilon=2.0)
    inner = accountant.reserve(epsilon=1.0, delta=5e-7)
    paid = accountant.spent.loss
    inner.spend(mu=0.1)
    inner.spend(mu=0.1)
    assert accountant.spent.loss == paid
    assert paid.mu >= gdp_mu(1.0, 5e-7)
    with pytest.raises(BudgetExceededError):
        inner.spend(mu=0.5)
    assert len(accountant.entries) == 1
    accountant.verify()


@pytest.mark.parametrize("own_delta", [False, True])
def test_one_fit_with_the_reserved_budget_fits(own_delta, data):
    accountant = PrivacyAccountant(epsilon=2.0)
    inner = accountant.reserve(epsilon=1.0, delta=5e-7)
    PrivateShift(1.0, 5e-7, inner, own_delta=own_delta).fit(data[0])


def test_the_whole_ceiling_can_be_reserved(data):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    inner = accountant.reserve(epsilon=1.0, delta=1e-6)
    PrivateShift(1.0, 1e-6, inner).fit(data[0])
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=0.01)


def test_reserving_with_a_reserve_of_its_own(data):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    inner = accountant.reserve(epsilon=1.0, delta=1e-6, delta_reserve=1e-8)
    PrivateShift(1.0, 1e-6, inner, own_delta=True).fit(data[0])


def test_reserving_too_much_is_refused_and_opens_nothing():
    accountant = PrivacyAccountant(epsilon=1.0)
    with pytest.raises(BudgetExceededError):
        accountant.reserve(epsilon=2.0, delta=1e-7)
    accountant.verify()
    assert accountant.entries == []


def test_pure_reservation():
    accountant = PrivacyAccountant(epsilon=1.0, delta=0.0)
    inner = accountant.reserve(epsilon=0.5, delta=0.0)
    inner.spend(epsilon=0.5)
    accountant.spend(epsilon=0.5)
    with pytest.raises(BudgetExceededError):
        inner.spend(epsilon=0.1)


def test_reserved_accountant_travels_too(data):
    inner = PrivacyAccountant(epsilon=2.0).reserve(epsilon=1.0, delta=5e-7)
    assert pickle.loads(pickle.dumps(inner)) is inner
    search = GridSearchCV(PrivateSign(0.1, 1e-7, inner), {"random_state": [0, 1]}, cv=3, n_jobs=2)
    search.fit(*data)
    assert len(inner.entries) == 7


def test_dataset_has_its_own_ceiling_and_label(path):
    accountant = PrivacyAccountant(1.0, path=path)
    other = accountant.dataset("clinic B", epsilon=3.0, delta=1e-5)
    other.spend(mu=0.5)
    assert accountant.entries == []
    (entry,) = other.entries
    assert entry.dataset == "clinic B"
    assert accountant.dataset("clinic B", epsilon=3.0, delta=1e-5) is other
    with pytest.raises(LedgerError, match="keeps its terms"):
        accountant.dataset("clinic B", epsilon=4.0, delta=1e-5)
    with pytest.raises(BudgetExceededError):
        other.spend(mu=5.0)
    accountant.verify()


# Reports -----------------------------------------------------------------------------------


def test_json_is_strict_and_its_chain_can_be_checked_by_anyone():
    import hashlib

    accountant = PrivacyAccountant(epsilon=1.0)
    accountant.spend(mu=0.1)
    accountant.spend(epsilon=0.01)
    document = json.loads(accountant.to_json(), parse_constant=pytest.fail)
    previous = ""
    for event in document["events"]:
        stored = event.pop("hash")
        text = json.dumps(event, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == stored
        assert event["previous"] == previous
        previous = stored
    assert document["head"] == previous == accountant.head


def test_kfold_objects_do_not_disturb_counts(accountant, data):
    cross_val_score(PrivateSign(accountant=accountant), *data, cv=KFold(3))
    assert len(accountant.entries) == 3
