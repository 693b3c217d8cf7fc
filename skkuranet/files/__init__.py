"""Models in files that run no code."""

from skkuranet.files._save import load, save

__all__ = ["load", "save"]
