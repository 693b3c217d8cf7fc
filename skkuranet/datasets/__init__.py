"""Data sets of the paper, in scikit-learn's conventions."""

from skkuranet.datasets._bsds500 import fetch_bsds500, load_bsds500, load_bsds500_paper
from skkuranet.datasets._disorder import make_disorder
from skkuranet.datasets._mixtures import make_gaussian_ring, make_spirals

__all__ = [
    "fetch_bsds500",
    "load_bsds500",
    "load_bsds500_paper",
    "make_disorder",
    "make_gaussian_ring",
    "make_spirals",
]
