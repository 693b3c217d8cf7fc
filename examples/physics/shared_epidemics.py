"""
Who meets whom
==============

What :ref:`sphx_glr_auto_examples_physics_plot_19_epidemics.py` and
``benchmarks/other_dynamics.py`` share: people who differ, a network of their contacts, and what is
wanted of an epidemic.
"""

import torch

from skkuranet.coupling import DenseCoupling, PairwiseNetwork
from skkuranet.dynamics import SIS, integrate
from skkuranet.objectives import SynchronyObjective
from skkuranet.training import Curriculum

# Columns of the table of people.
RECOVERY, SUSCEPTIBILITY, INFECTIVITY = range(3)


def draw_people(n, generator):
    """Rates of recovery from .5 to 1.5; susceptibilities and infectivities from .1 to 1.9."""
    return torch.tensor([0.5, 0.1, 0.1]) + torch.tensor([1.0, 1.8, 1.8]) * torch.rand(
        (n, 3), generator=generator
    )


def epidemic_of(people):
    """The equation of motion of the rows of a table, (..., n, 3)."""
    return SIS(*people.unbind(-1))


class ContactNetwork(PairwiseNetwork):
    """Symmetric logits between −10 and 10."""

    def __init__(self, generator=None):
        super().__init__(3, (64, 64), symmetric=True, generator=generator)

    def forward(self, x, y):
        """Return logits, (..., n, p), of targets (..., n, 3) and sources (..., p, 3)."""
        return 10.0 * torch.tanh(super().forward(x, y) / 10.0)


class Prevalence(SynchronyObjective):
    """As few as possible are to be infected in the end."""

    def initial_phases(self, index, seed_probability, generator):
        """Any share of anybody's time to begin with."""
        return torch.rand(index.shape, generator=generator)

    def loss(self, coupling, phases, index):
        """Return the mean state in the end."""
        return phases[-1].mean()

    def limit_loss(self, phases, index):
        """Return the mean state."""
        return phases.mean()

    def is_trapped(self, phases, index):
        """Say no."""
        return False


# %%
# Rules by hand go by the rank of a person's risk, susceptibility times infectivity over recovery.
def contacts_by_rank(people, sharpness, *, like):
    """Logits by which those of like ranks meet, or of opposite ones."""
    risk = people[..., SUSCEPTIBILITY] * people[..., INFECTIVITY] / people[..., RECOVERY]
    rank = risk.argsort(-1).argsort(-1) / (people.shape[-2] - 1.0)
    other = rank if like else 1.0 - rank
    return DenseCoupling(-sharpness * (rank.unsqueeze(-1) - other.unsqueeze(-2)).abs())


#: How to train: 8 networks at a time, of 100 people each.
PLAN = Curriculum(
    n_iterations=500,
    batch_size=8,
    network_size=100,
    step_size=0.2,
    n_steps=60,
    learning_rate=1e-2,
    weight_decay=0.0,
    limit_time=100.0,
    check_every=100,
    tolerance=0.0,
)


# %%
@torch.no_grad()
def spread(coupling, people, time=200.0, step=0.1):
    """The motion from the state in which everybody is infected half of the time."""
    start, n_steps = torch.full(people.shape[:-1], 0.5), round(time / step)
    return integrate(coupling, start, epidemic_of(people), step_size=step, n_steps=n_steps)
