"""What training wants of the phases (torch only)."""

from skkuranet.objectives._base import Objective
from skkuranet.objectives._groups import ClusterObjective, PairObjective
from skkuranet.objectives._synchrony import OBJECTIVES, FrequencyObjective, SynchronyObjective

__all__ = [
    "OBJECTIVES",
    "ClusterObjective",
    "FrequencyObjective",
    "Objective",
    "PairObjective",
    "SynchronyObjective",
]
