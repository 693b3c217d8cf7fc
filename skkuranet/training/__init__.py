"""Fitting coupling networks by gradient descent through the dynamics (torch only)."""

from skkuranet.training._run import TrainingResult, train
from skkuranet.training._schedule import ClosedForm, Curriculum

__all__ = ["ClosedForm", "Curriculum", "TrainingResult", "train"]
