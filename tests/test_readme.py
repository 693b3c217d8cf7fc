"""What newcomers read first: it runs as it stands, and what it links to is there."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def snippets(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("snippets")


@pytest.mark.parametrize("place", range(3))
def test_snippets_run_and_print_a_number(snippets, place, capsys):
    exec(compile(snippets.of_readme()[place], f"README.md, snippet {place + 1}", "exec"), {})
    assert re.search(r"\d", capsys.readouterr().out)


def test_there_is_no_snippet_that_is_not_run(snippets):
    assert len(snippets.of_readme()) == 3


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []
