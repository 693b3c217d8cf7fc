"""Course of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class TrainingResult:
    """Course of a training run, whose network holds the best weights.

    Parameters
    ----------
    loss_curve : list of float
        Loss of every iteration.
    limit_loss : float
        Loss of the best weights at the limit of held-out initial phases.
    converged : bool
        False if the limit phases are in a trap.
    interrupted : bool
        Whether a KeyboardInterrupt ended training.
    scores : list of float
        Accuracy on rows left out, at each look of learning in closed form.
    recalls : list of float
        Share of each class that is named right, of rows left out; empty without learning in
        closed form.

    Examples
    --------
    >>> from skkuranet.training import TrainingResult
    >>> result = TrainingResult([0.5, 0.1], limit_loss=0.02, converged=True)
    >>> result.n_iterations, result.limit_loss
    (2, 0.02)
    """

    loss_curve: list[float] = field(default_factory=list)
    limit_loss: float = math.inf
    converged: bool = False
    interrupted: bool = False
    scores: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)

    @property
    def n_iterations(self) -> int:
        """Number of iterations done."""
        return len(self.loss_curve)
