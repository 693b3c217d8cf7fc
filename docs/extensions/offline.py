"""Animations that play without a network, and are drawn without ffmpeg."""

import re

import matplotlib.pyplot as plt
from docutils import nodes

# The theme has the icons that matplotlib's player fetches.
FETCHED = re.compile(r'<link\s+rel="stylesheet"\s+href="https?://[^"]*font-awesome[^"]*"\s*/?>')


def draw_by_pillow(gallery_conf, name):
    """Reset matplotlib as sphinx-gallery does before each page, and choose a writer."""
    plt.rcParams["animation.writer"] = "pillow"


def keep_at_home(app, doctree):
    for node in doctree.findall(nodes.raw):
        text = node.astext()
        if FETCHED.search(text):
            node.replace_self(nodes.raw("", FETCHED.sub("", text), format=node["format"]))


def setup(app):
    app.connect("doctree-read", keep_at_home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
