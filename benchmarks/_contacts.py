"""Epidemics among people who all have as many contacts: with whom?"""

import torch
from _examples import epidemics

from skkuranet.coupling import DenseCoupling, EqualDegree, couple
from skkuranet.training import train

N_TRAIN, N_TEST, SIZES = 5000, 2000, (100, 1000)
EQUAL = EqualDegree(2.0)
# Nearly pairs: contacts of opposite ranks do the better the sharper they are, and hardly beyond.
SHARPNESS = 320.0


def network(seed):
    return epidemics.ContactNetwork(torch.Generator().manual_seed(seed))


def by(coupling_network):
    return lambda people: couple(coupling_network, people, EQUAL)


def by_rank(like):
    return lambda people: EQUAL(epidemics.contacts_by_rank(people, SHARPNESS, like=like))


def uniform(people):
    return EQUAL(DenseCoupling(torch.zeros(*people.shape[:-1], people.shape[-2])))


def run(problem, seed):
    """Rows of one seed."""
    generator = torch.Generator().manual_seed(seed)
    people = epidemics.draw_people(N_TRAIN, generator)
    untrained, learned = network(seed), network(seed)
    for made in (untrained, learned):
        made.standardize(people.mean(0), people.std(0))
    objective = epidemics.Prevalence(dynamics=epidemics.epidemic_of(people))
    train(learned, EQUAL, people, objective, epidemics.PLAN, generator)
    rivals = {
        "uniform": uniform,
        "untrained": by(untrained),
        "like with like": by_rank(like=True),
        "by hand, high with low risk": by_rank(like=False),
        "learned": by(learned),
    }
    rows = []
    for n in SIZES:
        test = epidemics.draw_people(N_TEST, generator).view(-1, n, 3)
        for name, coupled in rivals.items():
            with torch.no_grad():
                coupling = coupled(test)
            contacts = coupling.dense().sum(-1)
            prevalence = epidemics.spread(coupling, test).states[-1].mean()
            rows.append(
                {
                    "n": n,
                    "couplings": name,
                    "prevalence": float(prevalence),
                    "contacts_off_by": float((contacts - EQUAL.degree).abs().max()),
                    "largest_with_oneself": float(coupling.dense().diagonal(0, -2, -1).max()),
                }
            )
    return rows
