"""Training of coupling networks through the dynamics."""

from skkuranet.training._result import TrainingResult
from skkuranet.training._run import train
from skkuranet.training._schedule import ClosedForm, Curriculum

__all__ = ["ClosedForm", "Curriculum", "TrainingResult", "train"]
