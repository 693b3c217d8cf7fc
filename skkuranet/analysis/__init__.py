"""What a network does in the long run, where it rests, and how parameters change that."""

from skkuranet.analysis._basin import BasinStability, basin_stability
from skkuranet.analysis._critical import critical_coupling
from skkuranet.analysis._critical_result import CriticalCoupling
from skkuranet.analysis._fixed_points import FixedPoint, fixed_points
from skkuranet.analysis._jacobian import Jacobian, jacobian
from skkuranet.analysis._lyapunov import LyapunovSpectrum, lyapunov_spectrum
from skkuranet.analysis._state import StateDescription, describe_state
from skkuranet.analysis._sweep import sweep
from skkuranet.analysis._sweep_result import Sweep, SweepBranch
from skkuranet.analysis._transverse import (
    ClusterStability,
    master_stability,
    transverse_exponents,
)

__all__ = [
    "BasinStability",
    "ClusterStability",
    "CriticalCoupling",
    "FixedPoint",
    "Jacobian",
    "LyapunovSpectrum",
    "StateDescription",
    "Sweep",
    "SweepBranch",
    "basin_stability",
    "critical_coupling",
    "describe_state",
    "fixed_points",
    "jacobian",
    "lyapunov_spectrum",
    "master_stability",
    "sweep",
    "transverse_exponents",
]
