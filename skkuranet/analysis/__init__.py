"""What a network does in the long run: where it rests, how stable that is, how chaotic it is."""

from skkuranet.analysis._fixed_points import FixedPoint, fixed_points
from skkuranet.analysis._jacobian import Jacobian, jacobian
from skkuranet.analysis._lyapunov import LyapunovSpectrum, lyapunov_spectrum
from skkuranet.analysis._transverse import (
    ClusterStability,
    master_stability,
    transverse_exponents,
)

__all__ = [
    "ClusterStability",
    "FixedPoint",
    "Jacobian",
    "LyapunovSpectrum",
    "fixed_points",
    "jacobian",
    "lyapunov_spectrum",
    "master_stability",
    "transverse_exponents",
]
