"""Pictures of couplings, phases and what networks do.

These need matplotlib: ``pip install skkuranet[plot]``.
"""

from skkuranet.inspection._animate import animate
from skkuranet.inspection._coupling_matrix import CouplingMatrixDisplay
from skkuranet.inspection._fan_in import FanInDisplay
from skkuranet.inspection._network import NetworkDisplay
from skkuranet.inspection._phase import PhaseDisplay
from skkuranet.inspection._phase_landscape import PhaseLandscapeDisplay
from skkuranet.inspection._segmentation import SegmentationDisplay
from skkuranet.inspection._spectrum import SpectrumDisplay
from skkuranet.inspection._sweep import SweepDisplay
from skkuranet.inspection._trajectory import TrajectoryDisplay

__all__ = [
    "CouplingMatrixDisplay",
    "FanInDisplay",
    "NetworkDisplay",
    "PhaseDisplay",
    "PhaseLandscapeDisplay",
    "SegmentationDisplay",
    "SpectrumDisplay",
    "SweepDisplay",
    "TrajectoryDisplay",
    "animate",
]
