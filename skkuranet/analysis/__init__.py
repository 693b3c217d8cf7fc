"""What one asks of a network of oscillators: sweeps, transitions and basins."""

from skkuranet.analysis._basin import BasinStability, basin_stability
from skkuranet.analysis._critical import CriticalCoupling, critical_coupling
from skkuranet.analysis._sweep import sweep
from skkuranet.analysis._sweep_result import Sweep, SweepBranch

__all__ = [
    "BasinStability",
    "CriticalCoupling",
    "Sweep",
    "SweepBranch",
    "basin_stability",
    "critical_coupling",
    "sweep",
]
