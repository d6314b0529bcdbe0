"""Public objects have complete numpydoc docstrings."""

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import skprivacy

# Asked of nobody: an example, a longer text and a See Also stand where they help.
OPTIONAL = {"ES01", "EX01", "SA01"}

# Asked of what most users call; elsewhere one line may say all that a section would.
SECTIONS = {"PR01", "PR04", "PR07", "PR08", "RT01", "RT02", "RT03", "YD01"}
FOR_USERS = (
    "additive",
    "adversarial",
    "cluster",
    "covariance",
    "datasets",
    "decomposition",
    "distillation",
    "ensemble",
    "inspection",
    "interop",
    "linear_model",
    "naive_bayes",
    "preprocessing",
)


def public_objects():
    """Yield the dotted name of everything that a subpackage exports, and of its methods."""
    modules = ["skprivacy"]
    modules += [
        f"skprivacy.{found.name}"
        for found in pkgutil.iter_modules(skprivacy.__path__)
        if not found.name.startswith("_")
    ]
    seen = set()
    for module_name in modules:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", []):
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)) or id(value) in seen:
                continue
            seen.add(id(value))
            yield f"{module_name}.{name}"
            if inspect.isclass(value):
                for key, member in vars(value).items():
                    if not key.startswith("_") and callable(member):
                        yield f"{module_name}.{name}.{key}"


def ignored(name):
    """Return the checks that an object need not pass."""
    _, subpackage, *rest = name.split(".")
    for_users = subpackage in FOR_USERS and len(rest) == 1
    return OPTIONAL if for_users else OPTIONAL | SECTIONS


@pytest.mark.parametrize("name", sorted(public_objects()))
def test_a_public_docstring_is_valid_numpydoc(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in ignored(name)]
    assert errors == []


def test_the_walk_finds_what_is_public():
    names = set(public_objects())
    assert {
        "skprivacy.PrivacyAccountant.spend",
        "skprivacy.datasets.load_adult",
        "skprivacy.linear_model.DPLogisticRegression",
    } <= names
