"""Rules that keep the house in order: who imports whom, and where an equation may stand."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skkuranet

ROOT = Path(skkuranet.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


def imported(name):
    """Modules of the package that a module imports when it is imported itself."""
    found = set()
    for node in ast.parse(MODULES[name].read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {module for module in inside if module in MODULES} or {node.module}
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in MODULES}
    return found


def circles(graph):
    """Sets of modules that import one another (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(part)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_no_modules_import_one_another():
    assert circles({name: imported(name) for name in MODULES}) == []


def test_the_core_knows_nothing_of_the_estimators():
    core = [n for n in MODULES if re.match(r"skkuranet\.(coupling|dynamics|training|losses)", n)]
    found = {n: [m for m in imported(n) if "estimators" in m or "images" in m] for n in core}
    assert not any(found.values()), found


def test_the_core_loads_no_scikit_learn():
    """In an interpreter of its own, as this one has loaded it."""
    code = (
        "import sys, skkuranet.dynamics, skkuranet.coupling, skkuranet.training, "
        "skkuranet.objectives, skkuranet.losses; assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)


def test_nobody_calls_private_members_of_an_estimator():
    found = [
        (name, line)
        for name, path in MODULES.items()
        for line in path.read_text().splitlines()
        if re.search(r"\bestimator\._|copy\.copy\(self\)", line)
    ]
    assert found == []


def test_a_class_has_one_base_of_our_own():
    """So that what is private to a class is that of one line of ancestors."""
    found = []
    for name in MODULES:
        module = importlib.import_module(name)
        for cls in vars(module).values():
            if inspect.isclass(cls) and cls.__module__ == name:
                ours = [b for b in cls.__bases__ if b.__module__.startswith("skkuranet")]
                # What stands in for a class that an older scikit-learn lacks is its own.
                ours = [b for b in ours if b.__module__ != "skkuranet.estimators._sklearn"]
                found += [cls.__name__] if len(ours) > 1 else []
    assert found == []


def test_an_equation_stands_in_one_file():
    """The core of the dynamics knows phases at the edges only, where they are read or wrapped."""
    edges = {"_locking", "_trajectory", "_array_ops"}
    found = [
        path.name
        for path in (ROOT / "dynamics").glob("_*.py")
        if path.stem not in {*edges, "__init__"}
        and re.search(r"\.(cos|sin)\(", without_docstrings(path))
    ]
    assert found == []


def test_dynamics_know_no_kind_of_coupling():
    kinds = re.compile(r"\b(Dense|Factorized|Half|Sparse|Tiled|Sharded)Coupling\b")
    found = [
        path.name
        for path in (ROOT / "dynamics").rglob("*.py")
        if kinds.search(without_docstrings(path))
    ]
    assert found == []


def test_couplings_know_no_phase():
    found = [
        path.name
        for path in (ROOT / "coupling").rglob("*.py")
        if re.search(r"\bphases?\b|\btheta\b", without_docstrings(path))
    ]
    assert found == []


def test_modules_say_what_they_are_in_a_line():
    told = {
        name: ast.get_docstring(ast.parse(path.read_text()))
        for name, path in MODULES.items()
        if re.match(r"skkuranet\.(estimators|training)", name)
    }
    assert [name for name, words in told.items() if len(words.split()) > 12] == []


@pytest.mark.parametrize("name", ["KuraNetClusterer", "KuraNetSegmenter", "KuraNetSynchronizer"])
def test_names_are_there_without_being_loaded_before(name):
    code = f"import skkuranet; assert {name!r} in dir(skkuranet); skkuranet.{name}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)
    with pytest.raises(AttributeError, match="no attribute 'KuraNet'"):
        skkuranet.KuraNet  # noqa: B018


def without_docstrings(path):
    """Code alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not (isinstance(body, list) and body):
            continue
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            body[0] = ast.Pass()
    return ast.unparse(tree)
