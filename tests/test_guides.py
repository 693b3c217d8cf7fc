"""Guides are programs: each runs from top to bottom, and prints what it says it prints."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDES = ["guide_table", "guide_oscillators", "guide_images", "guide_core", "pyclustering"]


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_runs_from_top_to_bottom(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "docs")
    plt = importlib.import_module("matplotlib.pyplot")
    plt.switch_backend("Agg")
    program = importlib.import_module("snippets").of_guide(ROOT / "docs" / f"{name}.rst")
    exec(compile(program, f"{name}.rst", "exec"), {"__name__": name})
    plt.close("all")
    told = re.findall(r"^print\(.*\)  # (.+)$", program, re.MULTILINE)
    assert told
    assert [line for line in capsys.readouterr().out.splitlines() if line in told] == told


def test_messages_that_are_explained_are_those_that_are_said():
    told = [
        node.value
        for path in (ROOT / "skkuranet").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    explained = re.findall(r"^   \* - (.+)$", (ROOT / "docs/troubleshooting.rst").read_text(), re.M)
    # scikit-learn's and NumPy's, and what goes wrong without a message.
    elsewhere = {"message", "Input X contains NaN", "could not convert string to float"}
    ours = [m for m in explained if m not in elsewhere and not m.endswith("(no message)")]
    assert len(ours) > 15
    assert [message for message in ours if not any(message in one for one in told)] == []
