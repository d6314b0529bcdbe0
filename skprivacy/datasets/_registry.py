"""All data sets by name.

`load_dataset` gives every set in one form: rows, target and the facts about the columns
that are public (`bounds`, `categories`; empty where nothing is publicly known). Adult
ships with the package, four sets with scikit-learn, the others with the ``benchmark``
extra.
"""

from collections.abc import Callable

import sklearn.datasets
from sklearn.utils import Bunch

from ._adult import adult_bunch
from ._rdatasets import PACKAGED, load_packaged

_SCIKIT_LEARN: dict[str, tuple[Callable[..., Bunch], str]] = {
    "breast_cancer": (sklearn.datasets.load_breast_cancer, "binary"),
    "digits": (sklearn.datasets.load_digits, "multiclass"),
    "iris": (sklearn.datasets.load_iris, "multiclass"),
    "wine": (sklearn.datasets.load_wine, "multiclass"),
}

# A pixel counts the dots that are set in a 4 x 4 block: public by construction.
_DIGITS_RANGE = (0.0, 16.0)


def list_datasets(task: str | None = None) -> list[str]:
    """Return the names that `load_dataset` knows.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}, default=None
        Only the sets of this task.

    Returns
    -------
    list of str
        Adult first, then scikit-learn's, then those of the ``benchmark`` extra, whether
        it is installed or not.

    Raises
    ------
    ValueError
        If there is no such task.

    Examples
    --------
    >>> from skprivacy.datasets import list_datasets
    >>> list_datasets("multiclass")
    ['digits', 'iris', 'wine']
    """
    tasks = {"adult": "binary"}
    tasks |= {name: kind for name, (_, kind) in _SCIKIT_LEARN.items()}
    tasks |= {name: spec.task for name, spec in PACKAGED.items()}
    if task is not None and task not in tasks.values():
        raise ValueError(
            f"task must be one of {sorted(set(tasks.values()))}. Got {task!r} instead."
        )
    return [name for name, kind in tasks.items() if task in {None, kind}]


def load_dataset(name: str) -> Bunch:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        One of `list_datasets()`.

    Returns
    -------
    sklearn.utils.Bunch
        With attributes ``name``, ``data``, ``target``, ``feature_names``,
        ``target_names``, ``task``, ``bounds``, ``categories`` and ``DESCR``. Data is an
        array for scikit-learn's sets, a pandas data frame for those of the ``benchmark``
        extra, and for Adult a data frame where pandas is installed. Adult comes without
        the rows that have missing values.

    Raises
    ------
    ValueError
        If there is no such data set.
    ImportError
        If the set comes with an extra that is not installed; the message names it.

    Examples
    --------
    >>> from skprivacy.datasets import load_dataset
    >>> load_dataset("iris").data.shape
    (150, 4)
    """
    if name == "adult":
        return _load_adult()
    if name in _SCIKIT_LEARN:
        return _load_scikit_learn(name)
    if name in PACKAGED:
        return load_packaged(name)
    raise ValueError(f"There is no data set {name!r}. Known are {', '.join(list_datasets())}.")


def _load_adult() -> Bunch:
    try:
        bunch = adult_bunch(as_frame=True, missing="drop")
    except ImportError:
        bunch = adult_bunch(as_frame=False, missing="drop")
    bunch.update(name="adult", task="binary")
    return bunch


def _load_scikit_learn(name: str) -> Bunch:
    loader, task = _SCIKIT_LEARN[name]
    raw = loader()
    names = [str(feature) for feature in raw.feature_names]
    return Bunch(
        name=name,
        data=raw.data,
        target=raw.target,
        feature_names=names,
        target_names=[str(value) for value in raw.target_names],
        task=task,
        bounds=dict.fromkeys(names, _DIGITS_RANGE) if name == "digits" else {},
        categories={},
        DESCR=raw.DESCR,
    )
