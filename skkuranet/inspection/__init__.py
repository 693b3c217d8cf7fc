"""Pictures of couplings and phases (these need matplotlib: ``pip install skkuranet[plot]``)."""

from skkuranet.inspection._coupling_matrix import CouplingMatrixDisplay
from skkuranet.inspection._fan_in import FanInDisplay
from skkuranet.inspection._phase import PhaseDisplay
from skkuranet.inspection._phase_landscape import PhaseLandscapeDisplay
from skkuranet.inspection._segmentation import SegmentationDisplay

__all__ = [
    "CouplingMatrixDisplay",
    "FanInDisplay",
    "PhaseDisplay",
    "PhaseLandscapeDisplay",
    "SegmentationDisplay",
]
