"""Couplings found in measured phases."""

from skkuranet.estimators.identifier._identifier import KuraNetIdentifier

__all__ = ["KuraNetIdentifier"]
