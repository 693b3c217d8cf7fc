"""Sphinx configuration."""

import re
from importlib.metadata import version as installed_version

project = "skkuranet"
author = "The skkuranet developers"
copyright = author
version = release = installed_version("skkuranet")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["templates"]
exclude_patterns = ["_build", "generated/*.inc.rst", "templates"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"(demo|distributed_network|paper_settings)\.py",
    "show_memory": False,
    "matplotlib_animations": True,
    "reference_url": {"skkuranet": None},
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = "skkuranet"
html_show_sourcelink = False
# Pages without any below them have nothing to navigate.
html_sidebars = {
    page: [] for page in ("install", "model", "tuning", "results", "physics", "scale", "trust")
}
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}


# Of what classes inherit from scikit-learn, these belong to the everyday interface.
INHERITED = {"fit_transform", "get_feature_names_out", "get_params", "score", "set_params"}


def is_foreign(thing):
    return not (getattr(thing, "__module__", None) or "skkuranet").startswith("skkuranet")


def skip_foreign(app, what, name, thing, skip, options):
    return skip or (is_foreign(thing) and name not in INHERITED)


def unlink_foreign(app, what, name, thing, options, lines):
    """References into scikit-learn's own pages lead nowhere here."""
    if is_foreign(thing):
        lines[:] = [re.sub(r":ref:`(?:([^`<]*) <)?([^`>]*)>?`", r"\1\2", line) for line in lines]


def setup(app):
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", unlink_foreign)
