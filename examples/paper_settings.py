"""The published recipe for clusters, as options of this library's core.

Ricci et al. (2021) train on one network of 100 oscillators at a time, from random initial phases,
with the loss of eq. 5 over the whole trajectory and couplings of a pairwise perceptron whose rows
have unit norm. No seeding, no growing horizon, no further loss, one learning rate throughout.
benchmarks/equal_budget.py sets it beside the defaults of the estimators.

    objective, curriculum = paper_objective(labels, 5), PaperCurriculum()
    train(paper_network(2), PAPER_NORMALIZATION, X, objective, curriculum, generator)
"""

from dataclasses import dataclass

from skkuranet.coupling import InDegree, PairwiseNetwork
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum

# Unit row norm, then the mean with the transpose.
PAPER_NORMALIZATION = InDegree(order=2)


@dataclass(frozen=True)
class PaperCurriculum(Curriculum):
    """Everything from the first iteration to the last as in the last."""

    n_iterations: int = 300
    batch_size: int = 1
    # Their step of 15 with rows of norm 1/n is one of 1.5 with those of unit norm at n = 100.
    step_size: float = 1.5
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    tolerance: float = 0.0

    def horizon(self, progress):
        """All steps."""
        return self.n_steps

    def loss_window(self, progress):
        """The whole trajectory."""
        return 1.0

    def seed_probability(self, progress):
        """Random initial phases."""
        return 0.0

    def rate(self, iteration):
        """One learning rate."""
        return self.learning_rate


def paper_network(n_features, generator=None):
    """Two hidden layers of 128."""
    return PairwiseNetwork(n_features, (128, 128), generator=generator)


def paper_objective(labels, n_classes):
    """Loss of eq. 5, and nothing else."""
    return ClusterObjective(labels, n_classes, locking=0.0, evidence=0.0)
