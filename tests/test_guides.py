"""Guides are programs: each runs from top to bottom, and prints what it says it prints."""

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
