"""Data sets of the paper, in scikit-learn's conventions."""

from skkuranet.datasets._disorder import make_disorder
from skkuranet.datasets._mixtures import make_gaussian_ring, make_spirals

__all__ = ["make_disorder", "make_gaussian_ring", "make_spirals"]
