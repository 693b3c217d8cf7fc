"""Every public name is documented, in numpydoc's form, and listed in the API reference."""

import importlib
import inspect
import tomllib
from pathlib import Path
from types import FunctionType

import pytest

ROOT = Path(__file__).parent.parent
MODULES = [
    "skkuranet",
    "skkuranet.analysis",
    "skkuranet.coupling",
    "skkuranet.datasets",
    "skkuranet.distributed",
    "skkuranet.dynamics",
    "skkuranet.inspection",
    "skkuranet.losses",
    "skkuranet.metrics",
    "skkuranet.objectives",
    "skkuranet.training",
]


def public_names():
    for module in MODULES:
        loaded = importlib.import_module(module)
        for name in loaded.__all__:
            yield f"{module}.{name}", getattr(loaded, name)


def documented():
    """Public functions and classes, and methods where one of our classes first defines them."""
    found = set()
    for path, thing in public_names():
        if inspect.isfunction(thing) or inspect.isclass(thing):
            found.add(path)
        for name, base in {k: b for b in getattr(thing, "__mro__", ()) for k in vars(b)}.items():
            member = inspect.getattr_static(base, name)
            ours = base.__module__.startswith("skkuranet") and not name.startswith("_")
            # A class method, or one that some parameters take away.
            member = getattr(member, "__func__", getattr(member, "fn", member))
            if ours and isinstance(member, FunctionType):
                found.add(f"{base.__module__}.{base.__name__}.{name}")
    return sorted(found)


def refused():
    with open(ROOT / "pyproject.toml", "rb") as file:
        left_out = tomllib.load(file)["tool"]["numpydoc_validation"]["checks"]
    return set(left_out) - {"all"}


@pytest.mark.parametrize("path", documented())
def test_docstrings_are_numpydoc(path):
    validate = pytest.importorskip("numpydoc.validate").validate
    problems = [(c, m) for c, m in validate(path)["errors"] if c not in refused()]
    assert not problems


def test_every_public_object_has_an_example():
    """Examples are run as doctests."""
    things = {path: t for path, t in public_names() if inspect.isclass(t) or inspect.isfunction(t)}
    assert [path for path, thing in things.items() if ">>> " not in inspect.getdoc(thing)] == []


def test_the_figures_of_the_readme_are_those_of_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    assert (ROOT / "README.md").read_text() == importlib.import_module("tables").readme()


def test_api_reference_lists_every_public_name():
    reference = (ROOT / "docs" / "api.rst").read_text()
    missing = [path for path, _ in public_names() if path.rpartition(".")[2] not in reference]
    assert not missing
