"""Helpers that the gallery and the benchmarks share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "examples" / "physics"))

import shared_epidemics as epidemics
import shared_power_grids as power_grids

__all__ = ["epidemics", "power_grids"]
