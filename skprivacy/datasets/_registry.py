"""All data sets by name.

`load_dataset` gives every set in one form: rows, target and the facts about the columns
that are public (`bounds`, `categories`; empty where nothing is publicly known; `target_bounds`,
None where not). Adult ships with the package, five sets with scikit-learn, the others with
the ``benchmark`` extra.
"""

from sklearn.utils import Bunch

from ._adult import adult_bunch
from ._packaged import PACKAGED
from ._rdatasets import load_packaged
from ._scikit_learn import SCIKIT_LEARN, load_scikit_learn
from ._themis import THEMIS, load_themis


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
    ['digits', 'iris', 'wine', 'chile_vote', 'hpc_jobs']
    """
    tasks = {"adult": "binary"}
    tasks |= {name: kind for name, (_, kind, _) in SCIKIT_LEARN.items()}
    tasks |= {name: spec.task for name, spec in PACKAGED.items()}
    tasks |= dict.fromkeys(THEMIS, "binary")
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
        ``target_names``, ``task``, ``bounds``, ``categories``, ``target_bounds`` and
        ``DESCR``. Data is an array for scikit-learn's sets, a pandas data frame for those of
        the ``benchmark`` extra, and for Adult a data frame where pandas is installed. Adult
        comes without the rows that have missing values.

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
    if name in SCIKIT_LEARN:
        return load_scikit_learn(name)
    if name in PACKAGED:
        return load_packaged(name)
    if name in THEMIS:
        return load_themis(name)
    raise ValueError(f"There is no data set {name!r}. Known are {', '.join(list_datasets())}.")


def _load_adult() -> Bunch:
    try:
        bunch = adult_bunch(as_frame=True, missing="drop")
    except ImportError:
        bunch = adult_bunch(as_frame=False, missing="drop")
    bunch.update(name="adult", task="binary", target_bounds=None)
    return bunch
