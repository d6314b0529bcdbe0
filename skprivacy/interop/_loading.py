"""Importing diffprivlib with the scikit-learn that is installed.

diffprivlib 0.6.6 imports two type constants that scikit-learn 1.9 removed from a private
module; they are lent for the duration of the import. Its logistic regression moreover
passes arguments that scikit-learn 1.8 and SciPy 1.18 removed; `diffprivlib_model` gives
a subclass without them (see ``_logistic``).
"""

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

import numpy as np

# Constants of sklearn.tree._tree up to scikit-learn 1.8.
_LENT = {"DOUBLE": np.float64, "DTYPE": np.float32}


def load_diffprivlib() -> ModuleType:
    """Import diffprivlib, whatever the version of scikit-learn.

    Returns
    -------
    module
        The package diffprivlib, unchanged.

    Raises
    ------
    ImportError
        If diffprivlib can't be imported.

    Examples
    --------
    >>> from skprivacy.interop import load_diffprivlib
    >>> load_diffprivlib().BudgetAccountant(epsilon=1.0, delta=0.0)
    BudgetAccountant(epsilon=1.0, delta=0.0)
    """
    if "diffprivlib.models" in sys.modules:
        return sys.modules["diffprivlib"]
    tree = importlib.import_module("sklearn.tree._tree")
    lent = {name: value for name, value in _LENT.items() if not hasattr(tree, name)}
    try:
        for name, value in lent.items():
            setattr(tree, name, value)
        importlib.import_module("diffprivlib.models")
    finally:
        for name in lent:
            delattr(tree, name)
    return sys.modules["diffprivlib"]


def diffprivlib_model(name: str, /, **params: Any) -> Any:
    """Construct a model of diffprivlib that runs with the installed scikit-learn.

    Parameters
    ----------
    name : str
        Name of a class of ``diffprivlib.models``, such as ``"GaussianNB"``.
    **params
        Its parameters.

    Returns
    -------
    estimator
        An instance of that class; for ``"LogisticRegression"`` of a subclass that runs with
        every version of scikit-learn and SciPy, with the same training and predictions.

    Raises
    ------
    ValueError
        If diffprivlib has no such model.

    Examples
    --------
    >>> from skprivacy.interop import diffprivlib_model
    >>> diffprivlib_model("LogisticRegression", epsilon=2.0, data_norm=1.0).epsilon
    2.0
    """
    models = load_diffprivlib().models
    known = [key for key, value in vars(models).items() if inspect.isclass(value)]
    if name not in known:
        raise ValueError(f"diffprivlib has no model {name!r}. It has {sorted(known)}.")
    if name == "LogisticRegression":
        from ._logistic import LogisticRegression as Runnable

        return Runnable(**params)
    return getattr(models, name)(**params)
