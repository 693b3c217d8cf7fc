"""Couplings between oscillators, learned: KuraNet with the scikit-learn interface."""

from importlib.metadata import PackageNotFoundError, version

from skkuranet._clusterer import KuraNetClusterer
from skkuranet._segmenter import KuraNetSegmenter
from skkuranet._synchronizer import KuraNetSynchronizer

try:
    __version__ = version("skkuranet")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0.0.0"

__all__ = ["KuraNetClusterer", "KuraNetSegmenter", "KuraNetSynchronizer"]
