import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris

from skprivacy.interop import UNPROVEN, diffprivlib_model, load_diffprivlib

X, y = load_iris(return_X_y=True)


def run(script):
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_importing_interop_does_not_import_the_other_libraries():
    run(
        "import sys, skprivacy.interop\n"
        "assert not {'diffprivlib', 'dp_accounting'} & set(sys.modules)"
    )


def test_loading_leaves_scikit_learn_as_it_was():
    run(
        "import sklearn.tree._tree as tree\n"
        "before = dict(vars(tree))\n"
        "from skprivacy.interop import load_diffprivlib\n"
        "diffprivlib = load_diffprivlib()\n"
        "assert diffprivlib.models.GaussianNB and diffprivlib is load_diffprivlib()\n"
        "assert vars(tree).keys() == before.keys()\n"
        "assert all(vars(tree)[name] is value for name, value in before.items())"
    )


def test_loading_twice_gives_the_same_module():
    assert load_diffprivlib() is load_diffprivlib() is sys.modules["diffprivlib"]


def test_logistic_regression_trains_as_under_scikit_learn_1_7():
    # Recorded with diffprivlib 0.6.6 itself, scikit-learn 1.7.2 and scipy 1.17.
    model = diffprivlib_model("LogisticRegression", epsilon=500.0, data_norm=10.0, random_state=0)
    model.fit(X, y)
    np.testing.assert_allclose(
        model.coef_,
        [
            [-0.68438908, 0.99422168, -2.20877702, -1.15603139],
            [-0.17664139, -2.01986807, 0.67792332, -1.22425394],
            [-0.56698669, -0.45879795, 2.75988792, 2.59961605],
        ],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        model.predict_proba(X[:2]),
        [[0.893958232, 0.106039856, 1.91171128e-6], [0.781466104, 0.218531524, 2.37141304e-6]],
        rtol=1e-5,
    )
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))


def test_binary_probabilities_follow_the_scores():
    model = diffprivlib_model("LogisticRegression", epsilon=500.0, data_norm=10.0, random_state=0)
    model.fit(X[:100], y[:100])
    probabilities = model.predict_proba(X[:100])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(probabilities[:, 1] > 0.5, model.decision_function(X[:100]) > 0)


def test_logistic_regression_clones():
    model = diffprivlib_model("LogisticRegression", epsilon=2.0, data_norm=3.0, C=0.5)
    params = clone(model).get_params()
    assert (params["epsilon"], params["data_norm"], params["C"]) == (2.0, 3.0, 0.5)


PARAMS = {
    "DecisionTreeClassifier": {"bounds": (0, 8), "classes": [0, 1, 2]},
    "GaussianNB": {"bounds": (0, 8)},
    "KMeans": {"bounds": (0, 8), "n_clusters": 3},
    "LinearRegression": {"bounds_X": (0, 8), "bounds_y": (0, 2)},
    "LogisticRegression": {"data_norm": 12.0},
    "PCA": {"bounds": (0, 8), "data_norm": 12.0, "n_components": 2},
    "RandomForestClassifier": {"bounds": (0, 8), "classes": [0, 1, 2], "n_estimators": 3},
    "StandardScaler": {"bounds": (0, 8)},
}


@pytest.mark.parametrize("name", sorted(UNPROVEN))
def test_every_model_runs_with_this_scikit_learn(name):
    model = diffprivlib_model(name, epsilon=1.0, random_state=0, **PARAMS[name])
    model.fit(X, y)
    output = model.predict(X) if hasattr(model, "predict") else model.transform(X)
    assert len(output) == len(X)
    assert np.isfinite(output).all()


def test_an_unknown_model_is_refused_with_what_is_known():
    with pytest.raises(ValueError, match="no model 'SVC'.*GaussianNB"):
        diffprivlib_model("SVC")
