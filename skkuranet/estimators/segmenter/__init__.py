"""Pixels as oscillators that learn to synchronise into segments."""

from skkuranet.estimators.segmenter._segmenter import KuraNetSegmenter

__all__ = ["KuraNetSegmenter"]
