"""Couplings between oscillators, learned: KuraNet with the scikit-learn interface."""

from importlib.metadata import PackageNotFoundError, version

from skkuranet._clusterer import KuraNetClusterer
from skkuranet._compress import compress
from skkuranet._random_batches import BatchedSimulation, simulate_in_batches
from skkuranet._segmenter import KuraNetSegmenter
from skkuranet._synchronizer import KuraNetSynchronizer

#: Another name of the clusterer, by what it is to scikit-learn.
KuraNetClassifier = KuraNetClusterer

try:
    __version__ = version("skkuranet")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0.0.0"

__all__ = [
    "BatchedSimulation",
    "KuraNetClassifier",
    "KuraNetClusterer",
    "KuraNetSegmenter",
    "KuraNetSynchronizer",
    "compress",
    "simulate_in_batches",
]
