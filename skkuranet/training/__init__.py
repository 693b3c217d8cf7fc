"""Training of coupling networks through the dynamics."""

from skkuranet.training._result import TrainingResult
from skkuranet.training._schedule import ClosedForm, Curriculum
from skkuranet.training._train import train

__all__ = ["ClosedForm", "Curriculum", "TrainingResult", "train"]
