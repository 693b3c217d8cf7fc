"""Couplings between oscillators, learned: KuraNet with the scikit-learn interface.

Names are imported when they are first asked for: the core, torch alone, loads no scikit-learn.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skkuranet.estimators.clusterer import KuraNetClusterer
    from skkuranet.estimators.clusterer import KuraNetClusterer as KuraNetClassifier
    from skkuranet.estimators.compression import compress
    from skkuranet.estimators.grouper import KuraNetGrouper
    from skkuranet.estimators.identifier import KuraNetIdentifier
    from skkuranet.estimators.random_batches import BatchedSimulation, simulate_in_batches
    from skkuranet.estimators.segmenter import KuraNetSegmenter
    from skkuranet.estimators.synchronizer import KuraNetSynchronizer
    from skkuranet.files import load, save
    from skkuranet.oscillator_network import OscillatorNetwork
    from skkuranet.signals import phases_from_signal

try:
    __version__ = version("skkuranet")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0.0.0"

__all__ = [
    "BatchedSimulation",
    "KuraNetClassifier",
    "KuraNetClusterer",
    "KuraNetGrouper",
    "KuraNetIdentifier",
    "KuraNetSegmenter",
    "KuraNetSynchronizer",
    "OscillatorNetwork",
    "compress",
    "load",
    "phases_from_signal",
    "save",
    "simulate_in_batches",
]

# Where each name is, and what it is called there.
_PLACES = {
    "BatchedSimulation": ("estimators.random_batches", "BatchedSimulation"),
    # Another name of the clusterer, by what it is to scikit-learn.
    "KuraNetClassifier": ("estimators.clusterer", "KuraNetClusterer"),
    "KuraNetClusterer": ("estimators.clusterer", "KuraNetClusterer"),
    "KuraNetGrouper": ("estimators.grouper", "KuraNetGrouper"),
    "KuraNetIdentifier": ("estimators.identifier", "KuraNetIdentifier"),
    "KuraNetSegmenter": ("estimators.segmenter", "KuraNetSegmenter"),
    "KuraNetSynchronizer": ("estimators.synchronizer", "KuraNetSynchronizer"),
    "OscillatorNetwork": ("oscillator_network", "OscillatorNetwork"),
    "compress": ("estimators.compression", "compress"),
    "load": ("files", "load"),
    "phases_from_signal": ("signals", "phases_from_signal"),
    "save": ("files", "save"),
    "simulate_in_batches": ("estimators.random_batches", "simulate_in_batches"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _PLACES[name]
    found = getattr(importlib.import_module(f"{__name__}.{module}"), there)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
