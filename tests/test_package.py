import importlib.metadata
import pkgutil
import subprocess
import sys

import pytest

import skprivacy


def test_importing_the_package_imports_nothing_heavy():
    script = (
        "import sys, skprivacy\n"
        "heavy = {'numpy', 'scipy', 'sklearn', 'pandas', 'matplotlib', 'diffprivlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert skprivacy.PrivacyAccountant and skprivacy.datasets.load_adult\n"
        "assert not {'matplotlib', 'diffprivlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_all_names_exist_and_the_version_is_that_of_the_distribution():
    assert all(getattr(skprivacy, name) is not None for name in skprivacy.__all__)
    assert set(skprivacy.__all__) <= set(dir(skprivacy))
    assert skprivacy.__version__ == importlib.metadata.version("skprivacy")


def test_every_public_module_is_an_attribute():
    names = [found.name for found in pkgutil.iter_modules(skprivacy.__path__)]
    for name in names:
        if not name.startswith("_"):
            assert getattr(skprivacy, name).__name__ == f"skprivacy.{name}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'PrivacyAcountant'"):
        skprivacy.PrivacyAcountant  # noqa: B018
