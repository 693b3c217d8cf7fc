"""Disordered oscillators that learn to synchronise."""

from skkuranet.estimators.synchronizer._synchronizer import KuraNetSynchronizer

__all__ = ["KuraNetSynchronizer"]
