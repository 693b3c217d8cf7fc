"""Rows as oscillators that learn to synchronise into classes."""

from skkuranet.estimators.clusterer._clusterer import KuraNetClusterer

__all__ = ["KuraNetClusterer"]
