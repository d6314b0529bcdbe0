"""The package's private estimators, found and not listed by hand."""

import importlib
import inspect
import pkgutil

import skprivacy
from skprivacy.base import DPEstimator


def public_estimators():
    """Return every class of the package that is a private estimator and has a public name."""
    names = [found.name for found in pkgutil.walk_packages(skprivacy.__path__, "skprivacy.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    return {
        kind
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, DPEstimator)
        and not inspect.isabstract(kind)
        and name in getattr(module, "__all__", ())
    }
