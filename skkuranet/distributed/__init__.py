"""One network, or one fit, on several processes of torch.distributed.

Start the script with ``torchrun``, and call ``torch.distributed.init_process_group`` in it.
"""

from skkuranet._ranks import Ranks
from skkuranet.distributed._operators import (
    ShardedCoupling,
    ShardedFactorizedCoupling,
    couple_sharded,
)
from skkuranet.distributed._run import fit, local_rows, simulate

__all__ = [
    "Ranks",
    "ShardedCoupling",
    "ShardedFactorizedCoupling",
    "couple_sharded",
    "fit",
    "local_rows",
    "simulate",
]
