"""What holds for every private scaler: tables, bounds, errors, and what leaves a fit."""

import gc
import inspect
import itertools
import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skprivacy import PrivacyAccountant
from skprivacy.attacks import record, replay, transcript_mu_squared
from skprivacy.exceptions import BudgetExceededError
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.plan import declared_bounds
from skprivacy.preprocessing import DPMinMaxScaler, DPStandardScaler

SCALERS = [DPStandardScaler, DPMinMaxScaler]
by_scaler = pytest.mark.parametrize("scaler_class", SCALERS)
ADJACENCIES = ["add-remove", "replace-one"]
by_adjacency = pytest.mark.parametrize("adjacency", ADJACENCIES)
by_bounds = pytest.mark.parametrize("bounds", [None, (-4, 14)], ids=["private", "declared"])


@pytest.fixture(scope="module", name="X")
def rows_of_three_columns():
    return np.random.default_rng(0).normal([0, 3, 10], [1, 2, 0.5], size=(4000, 3))


# Containers


@by_scaler
@by_bounds
def test_tables_of_all_kinds_give_the_same(X, scaler_class, bounds):
    names = ["a", "b", "c"]
    frames = [X, pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names), X.tolist()]
    results = []
    for frame in frames:
        scaler = scaler_class(bounds=bounds, random_state=0)
        results.append(scaler.fit_transform(frame))
        assert isinstance(results[-1], np.ndarray)
        # Older versions of scikit-learn see no names in polars frames.
        twin = StandardScaler().fit(frame)
        assert list(scaler.get_feature_names_out()) == list(twin.get_feature_names_out())
        assert hasattr(scaler, "feature_names_in_") == hasattr(twin, "feature_names_in_")
        if isinstance(frame, pd.DataFrame):
            assert list(scaler.feature_names_in_) == names
    assert all(np.array_equal(result, results[0]) for result in results)


@by_scaler
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_output_containers(X, scaler_class, kind):
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=range(7, 4007))
    scaler = scaler_class(bounds=(-4, 14), random_state=0).set_output(transform=kind)
    output = scaler.fit_transform(frame)
    assert type(output).__module__.startswith(kind)
    assert list(output.columns) == ["a", "b", "c"]
    plain = clone(scaler).set_output(transform="default").fit_transform(frame)
    assert np.array_equal(output.to_numpy(), plain)
    if kind == "pandas":
        assert (output.index == frame.index).all()


@by_scaler
@by_bounds
def test_float32_is_kept(X, scaler_class, bounds):
    rows = X.astype(np.float32)
    scaler = scaler_class(bounds=bounds, random_state=0)
    output = scaler.fit_transform(rows)
    assert output.dtype == np.float32
    assert scaler.inverse_transform(output).dtype == np.float32
    wide = clone(scaler).fit(rows.astype(np.float64))
    # The release is of the values, not of their type.
    assert np.array_equal(scaler.scale_, wide.scale_)
    np.testing.assert_allclose(output, wide.transform(rows.astype(np.float64)), atol=1e-5)


@by_scaler
@by_bounds
def test_inverse_transform_undoes_the_scaling(X, scaler_class, bounds):
    scaler = scaler_class(bounds=bounds, random_state=0).fit(X)
    np.testing.assert_allclose(
        scaler.inverse_transform(scaler.transform(X)), np.clip(X, *scaler.bounds_), atol=1e-12
    )
    unclipped = clone(scaler).set_params(clip=False).fit(X)
    far = X * 100
    np.testing.assert_allclose(
        unclipped.inverse_transform(unclipped.transform(far)), far, rtol=1e-12, atol=1e-10
    )


@by_scaler
def test_input_is_not_written_to(X, scaler_class):
    rows = X.copy()
    for clip in (True, False):
        scaler = scaler_class(epsilon=0.01, clip=clip, random_state=0)
        scaler.fit_transform(rows)
        scaler.inverse_transform(rows)
    assert np.array_equal(rows, X)


@by_scaler
@by_bounds
def test_one_row_one_column_and_layouts(scaler_class, bounds):
    scaler = scaler_class(bounds=bounds, random_state=0)
    assert scaler.fit_transform([[1.0]]).shape == (1, 1)
    assert np.isfinite(scaler.fit_transform([[1.0, -2.0, 3.0]])).all()
    rows = np.random.default_rng(1).normal(size=(200, 4))
    expected = scaler.fit(rows).scale_
    for other in (np.asfortranarray(rows), np.repeat(rows, 2, axis=0)[::2], rows[::-1]):
        assert np.array_equal(scaler.fit(other).scale_, expected)


@by_scaler
def test_output_is_clipped_unless_asked_not_to(X, scaler_class):
    scaler = scaler_class(bounds=(0, 5), random_state=0).fit(X)
    low, high = scaler.transform([[0.0] * 3, [5.0] * 3])
    far = scaler.transform([[-1e9] * 3, [1e9] * 3])
    assert np.array_equal(far, [low, high])
    scaler.set_params(clip=False)
    assert np.abs(scaler.transform([[1e9] * 3])).min() > 1e6


@by_scaler
def test_columns_without_a_range_become_zero(scaler_class):
    X = np.array([[5.0, 1e300], [-3.0, -1e300]])
    for clip in (True, False):
        scaler = scaler_class(epsilon=0.01, clip=clip, random_state=0).fit(X)
        assert not scaler.found_.any()
        assert np.array_equal(scaler.transform(X), np.zeros((2, 2)))


@by_scaler
def test_an_unfitted_scaler_says_so(scaler_class):
    for method in ("transform", "inverse_transform"):
        with pytest.raises(NotFittedError):
            getattr(scaler_class(), method)([[1.0]])


# Missing values


@by_scaler
@by_bounds
def test_missing_values_are_allowed_by_the_constructor_alone(X, scaler_class, bounds):
    holes = X.copy()
    holes[::3, 1] = np.nan
    accountant = PrivacyAccountant()
    scaler = scaler_class(bounds=bounds, accountant=accountant, random_state=0)
    with pytest.raises(ValueError, match="contains NaN"):
        scaler.fit(holes)
    assert len(accountant.entries) == 0
    scaler.set_params(missing="ignore")
    output = scaler.fit_transform(holes)
    assert np.array_equal(np.isnan(output), np.isnan(holes))
    assert np.array_equal(np.isnan(scaler.inverse_transform(output)), np.isnan(holes))
    # The plan and the price are the same for rows that happen to be complete.
    plan = scaler.privacy_.to_dict()["mechanisms"]
    assert scaler.fit(X).privacy_.to_dict()["mechanisms"] == plan
    with pytest.raises(ValueError, match="'missing' parameter"):
        scaler.set_params(missing="drop").fit(X)


@by_scaler
def test_infinity_is_refused_and_charges_nothing(X, scaler_class):
    accountant = PrivacyAccountant()
    rows = X.copy()
    rows[5, 0] = np.inf
    for missing in ("error", "ignore"):
        with pytest.raises(ValueError, match="infinity"):
            scaler_class(missing=missing, accountant=accountant).fit(rows)
    assert len(accountant.entries) == 0


# Errors charge nothing


@by_scaler
@pytest.mark.parametrize(
    "bounds",
    [
        (1, 0),
        (1, 1),
        (0, float("nan")),
        (-float("inf"), 0),
        (0, 1, 2),
        ([0, 0], [1, 1]),
        ([0, 0, 0], [1, 1, 0]),
        ("low", "high"),
        (None, 1),
        (0, 1e301),
        "wrong",
        7,
    ],
)
def test_wrong_bounds_are_named_and_charge_nothing(X, scaler_class, bounds):
    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match="'bounds' parameter"):
        scaler_class(bounds=bounds, accountant=accountant).fit(X)
    assert len(accountant.entries) == 0


@by_scaler
@pytest.mark.parametrize(
    ("parameters", "rows"),
    [
        ({}, sparse.csr_array(np.eye(3))),
        ({}, [[]]),
        ({}, np.empty((0, 3))),
        ({}, [1.0, 2.0]),
        ({}, [["a", "b"]]),
        ({}, [[1j]]),
        ({"epsilon": 0}, [[1.0]]),
        ({"epsilon": float("nan")}, [[1.0]]),
        ({"delta": 1}, [[1.0]]),
        ({"delta": 0}, [[1.0]]),
        ({"clip": "yes"}, [[1.0]]),
        ({"random_state": "x"}, [[1.0]]),
        ({"epsilon": 1e-300, "delta": 1e-300}, [[1.0]]),
    ],
)
def test_wrong_input_charges_nothing(scaler_class, parameters, rows):
    accountant = PrivacyAccountant()
    with pytest.raises((ValueError, TypeError)):
        scaler_class(accountant=accountant, **parameters).fit(rows)
    assert len(accountant.entries) == 0


@by_scaler
def test_a_fit_beyond_the_ceiling_is_refused_before_any_noise(X, scaler_class):
    accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    scaler = scaler_class(epsilon=0.9, accountant=accountant).fit(X)
    before = pickle.dumps(scaler.scale_)
    with pytest.raises(BudgetExceededError):
        scaler.fit(X)
    assert pickle.dumps(scaler.scale_) == before
    assert len(accountant.entries) == 1


@by_scaler
@pytest.mark.parametrize("epsilon", [1e-9, 1e-4, 1.0, 1000.0, 1e30])
@by_adjacency
@by_bounds
def test_budgets_of_all_sizes_are_kept(X, scaler_class, epsilon, adjacency, bounds):
    # The greatest are more than the grids carry: they spend less.
    accountant = PrivacyAccountant(epsilon=epsilon, delta=1e-6, adjacency=adjacency)
    scaler = scaler_class(epsilon=epsilon, accountant=accountant, bounds=bounds).fit(X)
    assert np.isfinite(scaler.transform(X)).all()
    assert scaler.privacy_.epsilon <= epsilon * (1 + 1e-9)
    if scaler.privacy_.mechanisms:
        if epsilon <= 1000:
            assert scaler.privacy_.epsilon == pytest.approx(epsilon, rel=1e-4, abs=1e-10)
        assert scaler.privacy_.adjacency == adjacency
        (entry,) = accountant.entries
        assert entry.mu == scaler.privacy_.mu


# What leaves a fit


def everything(scaler):
    """All that a fitted scaler holds, but for its parameters."""
    state = {key: value for key, value in vars(scaler).items() if key.endswith("_")}
    hidden = {
        k: v for k, v in vars(scaler).items() if k.startswith("_") and k != "_sklearn_version"
    }
    return pickle.dumps((sorted(state.items()), sorted(hidden.items())))


CONFIGURATIONS = [
    (DPStandardScaler, {}),
    (DPStandardScaler, {"bounds": (-1, 5)}),
    (DPStandardScaler, {"missing": "ignore"}),
    (DPStandardScaler, {"bounds": (-1, 5), "missing": "ignore", "clip": False}),
    (DPMinMaxScaler, {}),
    (DPMinMaxScaler, {"bounds": (-1, 5)}),
]


@pytest.mark.parametrize(("scaler_class", "parameters"), CONFIGURATIONS)
@by_adjacency
@pytest.mark.parametrize("epsilon", [0.01, 5.0])
def test_nothing_leaves_a_fit_but_through_releases(scaler_class, parameters, adjacency, epsilon):
    """Other rows with the same noisy outputs: not a bit of the fitted scaler differs."""
    rng = np.random.default_rng(3)
    first = rng.normal(2, 1, size=(300, 2))
    second = rng.normal(-50, 1e4, size=(300 if adjacency == "replace-one" else 9001, 2))
    second[0] = 0.0, 1e300
    if parameters.get("missing") == "ignore":
        second[1:, 1] = np.nan
    accountant = PrivacyAccountant(adjacency=adjacency)

    def fit(X):
        scaler = scaler_class(epsilon=epsilon, accountant=accountant, random_state=0, **parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning would speak of the rows
            scaler.fit(X)
        # The identity of the ledger entry and its time are not the rows'.
        scaler.privacy_ = str(scaler.privacy_.to_dict() | {"entry_uid": None})
        return everything(scaler)

    transcript = record(lambda: fit(first))
    assert replay(lambda: fit(second), transcript).result == transcript.result


@pytest.mark.parametrize(("scaler_class", "parameters"), CONFIGURATIONS)
@by_adjacency
def test_whole_transcripts_cost_no_more_than_charged(scaler_class, parameters, adjacency):
    """Neighbours chosen to hurt, every release of the fit together, in exact arithmetic."""
    base = np.full((60, 3), 0.5)
    base[:30] = -0.75
    row, other = np.full((1, 3), 1e9), np.full((1, 3), -1e9)
    if adjacency == "add-remove":
        pair = base, np.vstack([base, row])
    else:
        pair = np.vstack([base, other]), np.vstack([base, row])
    accountant = PrivacyAccountant(adjacency=adjacency)

    def fit(X):
        return lambda: (
            scaler_class(epsilon=2.0, accountant=accountant, random_state=0, **parameters)
            .fit(X)
            .privacy_.mu
        )

    first = record(fit(pair[0]))
    if not first.releases:
        assert first.result == 0
        return
    moved = float(transcript_mu_squared(first, replay(fit(pair[1]), first)))
    assert moved <= first.result**2
    # Rows at both ends of declared bounds spend all of it.
    if "bounds" in parameters:
        assert moved > 0.99 * first.result**2


@by_scaler
@by_bounds
def test_nothing_counts_the_rows(X, scaler_class, bounds):
    scaler = scaler_class(bounds=bounds).fit(X)
    assert not hasattr(scaler, "n_samples_seen_")
    for name, value in vars(scaler).items():
        assert not np.any(np.asarray(value, dtype=object) == len(X)), name
    assert len(pickle.dumps(scaler)) < 10_000


@by_scaler
def test_a_failed_fit_stays_charged_and_names_its_class_alone(X, scaler_class, monkeypatch):
    accountant = PrivacyAccountant()
    scaler = scaler_class(accountant=accountant)

    def fail(self, *args):
        raise RuntimeError("the secret of a row")

    monkeypatch.setattr(scaler_class, "_fit", fail)
    with pytest.raises(RuntimeError):
        scaler.fit(X)
    text = accountant.to_json()
    assert "RuntimeError" in text
    assert "secret" not in text
    assert len(accountant.entries) == 1


# The next step


def test_bounds_are_handed_to_the_next_step(X):
    for scaler in (DPStandardScaler(random_state=0), DPMinMaxScaler(random_state=0)):
        for kind in ("default", "pandas", "polars"):
            output = scaler.set_output(transform=kind).fit_transform(X)
            low, high = declared_bounds(output)
            values = np.asarray(output)
            assert (low <= values.min(axis=0)).all()
            assert (values.max(axis=0) <= high).all()
            following = DPMinMaxScaler().fit(output)
            assert following.privacy_.mechanisms == ()
            assert np.array_equal(following.data_min_, low)
    assert declared_bounds(scaler.set_params(clip=False).fit_transform(X)) is None


def test_bounds_lost_on_the_way_are_found_privately(X):
    output = DPStandardScaler(random_state=0).fit_transform(X)
    names = {m["name"] for m in DPMinMaxScaler().fit(output).privacy_.mechanisms}
    assert names == set()
    for lost in (output[:2000], output.copy(), np.asarray(output.tolist())):
        receipt = DPMinMaxScaler().fit(lost).privacy_
        assert len(receipt.mechanisms) == 2
        assert receipt.epsilon == pytest.approx(1.0, rel=1e-6)


def test_bounds_go_with_the_output_when_it_dies(X):
    from skprivacy import plan

    gc.collect()
    before = len(plan._declared)
    output = DPStandardScaler(random_state=0).set_output(transform="pandas").fit_transform(X)
    assert len(plan._declared) > before
    del output
    gc.collect()
    assert len(plan._declared) == before


@by_adjacency
def test_a_pipeline_needs_no_bounds_after_its_scaler(X, adjacency):
    """diffprivlib issue 102: which norm to declare after a private scaler."""
    y = X[:, 0] > 0
    accountant = PrivacyAccountant(adjacency=adjacency)
    for kind in ("default", "pandas"):
        model = make_pipeline(DPStandardScaler(), DPLogisticRegression())
        model.set_output(transform=kind)
        accountant.bind(model)
        model.fit(X, y)
        released = [m["name"] for m in model[-1].privacy_.mechanisms]
        assert not any("range" in name for name in released)
        assert any("previous step" in text for text in model[-1].privacy_.assumptions)
    between = make_pipeline(
        DPStandardScaler(), FunctionTransformer(np.copy), DPLogisticRegression()
    ).fit(X, y)
    assert any("range" in m["name"] for m in between[-1].privacy_.mechanisms)


# Breakages of peers


def test_every_fit_of_one_object_is_charged(X):
    """As diffprivlib does."""
    accountant = PrivacyAccountant()
    scaler = DPStandardScaler(accountant=accountant)
    scaler.fit(X)
    scaler.fit(X)
    assert len(accountant.entries) == 2


def test_a_clone_charges_the_same_accountant(X):
    """diffprivlib copies the accountant with its ledger: the budget forks."""
    accountant = PrivacyAccountant()
    original = DPStandardScaler(accountant=accountant).fit(X)
    copy = clone(original)
    assert copy.accountant is accountant
    copy.fit(X)
    assert len(accountant.entries) == 2


def test_a_cached_step_of_a_pipeline_keeps_its_charge(X, tmp_path):
    """diffprivlib loses the scaler's charge with Pipeline(memory=...)."""
    accountant = PrivacyAccountant()
    model = make_pipeline(
        DPStandardScaler(epsilon=0.5, accountant=accountant),
        DPLogisticRegression(epsilon=1.0, accountant=accountant),
        memory=str(tmp_path),
    )
    model.fit(X, X[:, 0] > 0)
    assert sorted(entry.source for entry in accountant.entries) == [
        "DPLogisticRegression",
        "DPStandardScaler",
    ]


def test_a_column_transformer_charges(X):
    """diffprivlib: the accountant that was passed shows 0."""
    accountant = PrivacyAccountant()
    model = ColumnTransformer(
        [
            ("a", DPStandardScaler(accountant=accountant), [0, 1]),
            ("b", DPMinMaxScaler(accountant=accountant), [2]),
        ]
    )
    model.fit_transform(X)
    assert [entry.source for entry in accountant.entries] == ["DPStandardScaler", "DPMinMaxScaler"]


def test_every_fold_is_charged(X):
    """diffprivlib: cross_val_score with a ceiling of 2 spends 5 and records 0."""
    accountant = PrivacyAccountant()
    model = make_pipeline(
        DPStandardScaler(accountant=accountant), DPLogisticRegression(accountant=accountant)
    )
    cross_val_score(model, X, X[:, 0] > 0, cv=5, error_score="raise")
    assert len(accountant.entries) == 10


def test_a_scaler_without_an_accountant_fits(X):
    """diffprivlib: set_params(accountant=None) makes fit raise AttributeError."""
    scaler = DPStandardScaler(accountant=PrivacyAccountant()).set_params(accountant=None)
    assert scaler.fit(X).privacy_.epsilon == pytest.approx(1.0, rel=1e-6)


@by_scaler
def test_bounds_from_the_data_are_never_written_back(X, scaler_class):
    """diffprivlib keeps 2979.19, taken from the data, on refit and through clone."""
    scaler = scaler_class(random_state=0)
    parameters = scaler.get_params()
    first = scaler.fit(X).bounds_
    assert scaler.get_params() == parameters
    assert clone(scaler).bounds is None
    second = scaler.fit(X * 1000).bounds_
    assert (second[1] > 100 * first[1]).all()


def test_parameters_have_defaults_that_construct():
    for scaler_class in SCALERS:
        for parameter in inspect.signature(scaler_class).parameters.values():
            assert parameter.default is not inspect.Parameter.empty
        assert scaler_class().accountant is None


def test_copies_in_other_workers_draw_other_noise(X):
    """diffprivlib hands every worker the same random state: equal noise cancels."""
    blob = pickle.dumps(DPStandardScaler(bounds=(-4, 14)))
    results = []

    def work():
        results.append(tuple(pickle.loads(blob).fit(X[:500]).mean_))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 4


def test_weights_are_refused_and_not_read(X):
    """DP-EBM lets the greatest weight be read off its noise scale."""
    with pytest.raises(TypeError):
        DPStandardScaler().fit(X, sample_weight=np.full(len(X), 50.0))


def test_error_falls_with_epsilon(X):
    """diffprivlib issue 97: accuracy unrelated to epsilon even at 1e7."""
    errors = []
    for epsilon in (0.03, 0.3, 3.0, 30.0):
        fits = [
            DPStandardScaler(epsilon, bounds=(-4, 14), random_state=seed).fit(X).mean_
            for seed in range(10)
        ]
        errors.append(np.abs(np.array(fits) - X.mean(axis=0)).mean())
    assert all(later < earlier / 3 for earlier, later in itertools.pairwise(errors))


def test_released_moments_lie_on_a_public_grid():
    """No low bits: the same multiples come out whatever the rows."""
    for X in (np.zeros((7, 2)), np.random.default_rng(5).normal(0.3, 0.1, size=(900, 2))):
        scaler = DPStandardScaler(bounds=(-1, 1)).fit(X)
        for moments, grid in zip(scaler._moments[0], (2.0**-31, 2.0**-16, 2.0**-33), strict=True):
            assert np.array_equal(moments, np.rint(moments / grid) * grid)
