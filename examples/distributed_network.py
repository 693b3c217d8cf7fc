"""One fit and one network of 200,000 oscillators on several processes.

torchrun --standalone --nproc-per-node=2 examples/distributed_network.py
"""

import numpy as np
import torch.distributed as dist

from skkuranet import KuraNetClusterer, distributed
from skkuranet.datasets import make_gaussian_ring
from skkuranet.metrics import order_parameter

dist.init_process_group("gloo")
X, y = make_gaussian_ring(5, 200_000, random_state=0)
clusterer = KuraNetClusterer(random_state=0)
distributed.fit(clusterer, X[:5000], y[:5000])

own = distributed.local_rows(len(X))
limit = distributed.simulate(clusterer, X[own], n_steps=200, save_from=200).phases[0]
for rank in range(dist.get_world_size()):
    if rank == dist.get_rank():
        order = np.mean([order_parameter(limit[y[own] == label]) for label in range(5)])
        print(f"process {rank}: {len(limit)} oscillators, order within clusters {order:.4f}")
    dist.barrier()
dist.destroy_process_group()
