r"""
Contacts that keep an epidemic small
====================================

An epidemic without immunity: :math:`x_i`, the chance that a person is infected, obeys

.. math:: \dot x_i = s_i (1 - x_i) \sum_j K_{ij}\, b_j x_j - d_i x_i ,

with susceptibility s, infectivity b and recovery d. Everybody has two contacts in the sum, no more
and no less, and may choose with whom. Which contacts keep the infection low?
"""

import matplotlib.pyplot as plt
import torch
from shared_epidemics import (
    INFECTIVITY,
    PLAN,
    RECOVERY,
    SUSCEPTIBILITY,
    ContactNetwork,
    Prevalence,
    contacts_by_rank,
    draw_people,
    epidemic_of,
    spread,
)

from skkuranet.coupling import DenseCoupling, EqualDegree, couple
from skkuranet.training import train

# %%
# :class:`skkuranet.coupling.EqualDegree` gives everybody as many contacts; if these were shared out
# freely, the least infection would be that of a few who have them all. People and the objective are
# in ``shared_epidemics.py`` beside this file. Units without phases train like any
# others: the objective sees their states.
generator = torch.Generator().manual_seed(0)
people, equal = draw_people(4000, generator), EqualDegree(2.0)
network = ContactNetwork(torch.Generator().manual_seed(0))
network.standardize(people.mean(0), people.std(0))
train(network, equal, people, Prevalence(dynamics=epidemic_of(people)), PLAN, generator)

# %%
# A thousand other people. Chance meetings beside three rules: like with like by risk, high risk
# with low risk, and what was learned.
new = draw_people(1000, generator)
with torch.no_grad():
    contacts = {
        "by chance": equal(DenseCoupling(torch.zeros(len(new), len(new)))),
        "like with like": equal(contacts_by_rank(new, 320.0, like=True)),
        "high with low risk": equal(contacts_by_rank(new, 320.0, like=False)),
        "learned": couple(network, new, equal),
    }
figure, ax = plt.subplots(layout="constrained")
for name, coupling in contacts.items():
    path = spread(coupling, new, time=40.0)
    ax.plot(path.times, path.states.mean(-1), label=name)
    print(f"{name:20s} {float(path.states[-1].mean()):.3f} infected in the end")
ax.set(xlabel="time", ylabel="share of the infected", ylim=(0, None))
ax.legend()
plt.show()

# %%
# Contacts between groups of people, who are sorted by what others do to them, s, and what they do
# to others, b / d. The rule by hand only knows the product. What was learned also lets those who
# are infected anyway, at the bottom right, meet among themselves, so that nobody else catches it
# from them.
groups = 4
level = [
    (new[:, SUSCEPTIBILITY].argsort().argsort() * groups) // len(new),
    ((new[:, INFECTIVITY] / new[:, RECOVERY]).argsort().argsort() * groups) // len(new),
]
member = torch.nn.functional.one_hot(groups * level[0] + level[1], groups**2).float()
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
ticks = [groups * s + (groups - 1) / 2 for s in range(groups)]
names = ["low s", "", "", "high s"]
for ax, name in zip(axes, ("high with low risk", "learned")):
    between = member.T @ contacts[name].dense() @ member / (2.0 * member.sum(0)[:, None])
    image = ax.imshow(between.numpy(), vmin=0.0, cmap="magma")
    figure.colorbar(image, ax=ax, label="share of the contacts of a group", shrink=0.8)
    ax.set(title=name, xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    for edge in range(groups, groups**2, groups):
        ax.axhline(edge - 0.5, color="0.7", linewidth=0.5)
        ax.axvline(edge - 0.5, color="0.7", linewidth=0.5)
    ax.set_xlabel("groups of sources, infectivity rising within each")
plt.show()
