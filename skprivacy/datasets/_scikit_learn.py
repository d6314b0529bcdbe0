"""scikit-learn's own data sets, with ranges of their columns.

The ranges are round numbers around the extremes that the documentation of each set
prints; a digit's pixel counts the dots set in a 4 x 4 block, which is 0 to 16 by
construction. They are facts for trying out private learners, not a recommendation: on
private rows a range must come from elsewhere.
"""

from collections.abc import Callable
from functools import partial

import sklearn.datasets
from sklearn.utils import Bunch

Range = tuple[float, float]

# Columns come as mean, standard error and worst of the same ten measurements.
_BREAST_CANCER_HIGH = (
    *(30, 40, 200, 3000, 0.2, 0.4, 0.5, 0.25, 0.4, 0.1),
    *(3, 5, 25, 600, 0.04, 0.2, 0.4, 0.06, 0.1, 0.03),
    *(40, 50, 300, 5000, 0.3, 1.2, 1.5, 0.3, 0.7, 0.25),
)
_WINE: tuple[Range, ...] = (
    (11, 15), (0, 6), (1, 4), (10, 30), (70, 170), (0, 4), (0, 6), (0, 1), (0, 4), (1, 13),
    (0, 2), (1, 4), (200, 1700),
)  # fmt: skip
_IRIS: tuple[Range, ...] = ((4, 8), (2, 5), (1, 7), (0, 3))
_DIABETES: tuple[Range, ...] = (
    (0, 100), (1, 2), (10, 60), (40, 160), (50, 400), (0, 300), (0, 120), (0, 12), (2, 8),
    (40, 160),
)  # fmt: skip
TARGET_BOUNDS: dict[str, Range] = {"diabetes": (0.0, 400.0)}

SCIKIT_LEARN: dict[str, tuple[Callable[..., Bunch], str, tuple[Range, ...]]] = {
    "breast_cancer": (
        sklearn.datasets.load_breast_cancer,
        "binary",
        tuple((0.0, high) for high in _BREAST_CANCER_HIGH),
    ),
    "digits": (sklearn.datasets.load_digits, "multiclass", ((0.0, 16.0),) * 64),
    "iris": (sklearn.datasets.load_iris, "multiclass", _IRIS),
    "wine": (sklearn.datasets.load_wine, "multiclass", _WINE),
    "diabetes": (partial(sklearn.datasets.load_diabetes, scaled=False), "regression", _DIABETES),
}


def load_scikit_learn(name: str) -> Bunch:
    """Load a set of `SCIKIT_LEARN` in the registry's form."""
    loader, task, bounds = SCIKIT_LEARN[name]
    raw = loader()
    names = [str(feature) for feature in raw.feature_names]
    return Bunch(
        name=name,
        data=raw.data,
        target=raw.target,
        feature_names=names,
        target_names=None if task == "regression" else [str(v) for v in raw.target_names],
        task=task,
        bounds={key: (float(a), float(b)) for key, (a, b) in zip(names, bounds, strict=True)},
        target_bounds=TARGET_BOUNDS.get(name),
        categories={},
        DESCR=raw.DESCR,
    )
