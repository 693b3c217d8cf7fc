"""Sphinx configuration."""

import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "skkuranet"
author = "The skkuranet developers"
copyright = author
version = release = installed_version("skkuranet")

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "mathml",
    "myst_parser",
    "numpydoc",
    "offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["templates"]
exclude_patterns = ["_build", "generated/*.inc.rst", "templates"]

autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
html_math_renderer = "mathml"

plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 110)]
plot_rcparams = {"figure.autolayout": False, "figure.constrained_layout.use": True}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"(demo|distributed_network|paper_settings|shared_\w+)\.py",
    "subsection_order": [
        "../examples/tables",
        "../examples/oscillators",
        "../examples/images",
        "../examples/core",
        "../examples/physics",
    ],
    "matplotlib_animations": True,
    "reset_modules": ("matplotlib", "offline.draw_by_pillow"),
    "reference_url": {"skkuranet": None},
    "show_memory": False,
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = "skkuranet"
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_nav_level": 2,
    "show_prev_next": False,
}
# Pages with none below or beside them have nothing to navigate.
html_sidebars = {page: [] for page in ("index", "model", "changes", "search", "genindex")}
html_sidebars |= {"**": ["sidebar-nav-bs"]}


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
