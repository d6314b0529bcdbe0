"""Private principal components: captured variance, parameters, and what leaves a fit."""

import pickle

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from skprivacy import PrivacyAccountant
from skprivacy.decomposition import DPPCA
from skprivacy.interop import diffprivlib_model
from skprivacy.linear_model import DPLogisticRegression
from skprivacy.naive_bayes import DPGaussianNB
from skprivacy.preprocessing import DPMinMaxScaler

DIGITS = load_digits().data


def captured(components, X):
    """Part of the variance that the same number of true components has."""
    best = PCA(len(components)).fit(X).explained_variance_.sum()
    orthonormal = np.linalg.qr(np.asarray(components).T)[0]
    return np.trace(orthonormal.T @ np.cov(X.T) @ orthonormal) / best


# The means of the specification's prototype, which took a box for the ball around the mean.
@pytest.mark.parametrize(("epsilon", "least"), [(0.5, 0.8), (1.0, 0.95), (4.0, 0.99)])
def test_captures_most_of_the_variance_of_digits(epsilon, least):
    shares = [
        captured(
            DPPCA(2, epsilon, bounds=(0, 16), random_state=seed).fit(DIGITS).components_, DIGITS
        )
        for seed in range(4)
    ]
    assert np.mean(shares) > least


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_is_above_diffprivlib(epsilon):
    X = load_breast_cancer().data[:, :10]
    bounds = np.zeros(10), X.max(axis=0) * 1.2
    norm = float(np.linalg.norm(bounds[1]))
    ours, theirs = [], []
    for seed in range(5):
        ours.append(DPPCA(2, epsilon, bounds=bounds, random_state=seed).fit(X))
        parameters = {"bounds": bounds, "data_norm": norm, "random_state": seed}
        theirs.append(
            diffprivlib_model("PCA", n_components=2, epsilon=epsilon, **parameters).fit(X)
        )
    mean = [np.mean([captured(pca.components_, X) for pca in pcas]) for pcas in (ours, theirs)]
    assert mean[0] > mean[1]


def test_large_epsilon_gives_scikit_learns_model():
    X = DIGITS[:, 18:24]
    private, twin = DPPCA(3, 1e5, bounds=(0, 16)).fit(X), PCA(3).fit(X)
    np.testing.assert_allclose(private.mean_, twin.mean_, atol=0.01)
    for name in ("explained_variance_", "explained_variance_ratio_", "noise_variance_"):
        np.testing.assert_allclose(getattr(private, name), getattr(twin, name), rtol=0.01)
    alike = np.abs(np.sum(private.components_ * twin.components_, axis=1))
    assert (alike > 0.999).all()
    np.testing.assert_allclose(private.get_covariance(), twin.get_covariance(), atol=0.3)
    np.testing.assert_allclose(
        private.inverse_transform(private.transform(X)),
        twin.inverse_transform(twin.transform(X)),
        atol=0.3,
    )


def test_numbers_of_components():
    full = DPPCA(bounds=(0, 16), random_state=0).fit(DIGITS)
    assert full.components_.shape == (64, 64)
    assert full.noise_variance_ == 0
    part = DPPCA(0.5, bounds=(0, 16), random_state=0).fit(DIGITS)
    ratios = np.cumsum(full.explained_variance_ratio_)
    assert part.n_components_ == np.argmax(ratios >= 0.5) + 1
    assert part.get_feature_names_out()[0] == "dppca0"
    assert len(part.get_feature_names_out()) == part.n_components_
    accountant = PrivacyAccountant()
    with pytest.raises(ValueError, match="at most the number of columns, 64"):
        DPPCA(65, accountant=accountant).fit(DIGITS)
    assert not accountant.entries


def test_whitening_divides_by_the_released_deviation():
    plain = DPPCA(3, bounds=(0, 16), random_state=0).fit(DIGITS)
    white = DPPCA(3, bounds=(0, 16), random_state=0, whiten=True).fit(DIGITS)
    np.testing.assert_allclose(
        white.transform(DIGITS) * np.sqrt(plain.explained_variance_), plain.transform(DIGITS)
    )
    np.testing.assert_allclose(
        white.inverse_transform(white.transform(DIGITS)),
        plain.inverse_transform(plain.transform(DIGITS)),
    )


def test_what_is_no_projection_is_not_transformed_back():
    with pytest.raises(ValueError, match="64 columns, but there are 3 components"):
        DPPCA(3, bounds=(0, 16)).fit(DIGITS).inverse_transform(DIGITS)


def test_single_precision_stays_single():
    X = DIGITS.astype(np.float32)
    pca = DPPCA(2, bounds=(0, 16), random_state=0)
    assert pca.fit_transform(X).dtype == np.float32
    np.testing.assert_allclose(pca.transform(X), pca.transform(DIGITS), rtol=1e-4, atol=1e-3)


def test_works_in_a_pipeline_and_says_its_price():
    X, y = load_breast_cancer(return_X_y=True)
    accountant = PrivacyAccountant(epsilon=4.0, delta=1e-6)
    model = make_pipeline(DPMinMaxScaler(), DPPCA(3), DPLogisticRegression())
    model = accountant.allocate(
        model, {"dppca": 0.4, "dpminmaxscaler": 0.2, "dplogisticregression": 0.4}
    )
    model.fit(X, y)
    assert len(accountant.entries) == 3
    assert accountant.spent.epsilon <= 4.0
    # The scaler's bounds are known, so the components need no range.
    assert "range" not in str([m["name"] for m in model[1].privacy_.mechanisms])


def test_parts_of_a_table_have_a_price_before_the_fit():
    X, y = load_breast_cancer(return_X_y=True)
    columns = ColumnTransformer(
        [("size", DPPCA(2), slice(0, 10)), ("shape", DPPCA(3), slice(10, 30))]
    )
    accountant = PrivacyAccountant(epsilon=4.0, delta=1e-6)
    model = accountant.allocate(make_pipeline(columns, DPGaussianNB()), classes=[0, 1])
    price = accountant.preview(model, n_features=30, classes=[0, 1])
    model.fit(X, y)
    assert accountant.spent.epsilon <= 4.0
    assert len(accountant.entries) == 3
    assert model.predict(X).shape == y.shape
    assert "DPPCA" in str(price)


def test_pickle_holds_the_released_model_alone():
    pca = DPPCA(2, bounds=(0, 16)).fit(DIGITS)
    blob = pickle.dumps(pca)
    assert len(blob) < 15_000
    np.testing.assert_array_equal(pickle.loads(blob).transform(DIGITS), pca.transform(DIGITS))
