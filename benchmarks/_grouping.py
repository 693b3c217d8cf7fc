"""What the benchmarks of groups never seen set beside oscillators, with the same network."""

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.cluster import SpectralClustering

# Where trees are cut, and numbers of groups that spectral clustering is asked for.
CUTS = np.concatenate((np.geomspace(0.005, 0.5, 24), np.linspace(0.55, 1.2, 8)))
N_GROUPS = (2, 4, 6, 9, 13, 18)


@torch.no_grad()
def edge_distances(grouping, graph):
    """How unlikely both ends of each edge belong together, by the edge network alone."""
    return 1.0 - grouping.network.logits(graph).sigmoid().double().numpy()


@torch.no_grad()
def diffused(grouping, graph):
    """States after linear diffusion with the same couplings, start and steps, without sphere."""
    network = grouping.network
    coupling = network.couplings(graph, network.logits(graph))
    state = network.start(graph)
    for _ in range(network.n_steps):
        state = state + network.step_size * coupling.matvec(state)
    return torch.nn.functional.normalize(state, dim=0)


def spectral(graph, distances, numbers):
    """Yield numbers of groups, and those of spectral clustering of the same edges."""
    weights = (1.0 - distances) * graph.weights
    affinity = csr_array((weights, tuple(graph.edges)), shape=(graph.n_nodes,) * 2)
    affinity = (affinity + affinity.T).toarray() + 1e-9
    for k in numbers:
        model = SpectralClustering(k, affinity="precomputed", random_state=0, n_init=3)
        yield k, model.fit_predict(affinity)
