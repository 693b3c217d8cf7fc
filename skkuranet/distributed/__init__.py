"""One network, or one fit, on several processes of torch.distributed.

Start the script with ``torchrun``, and call ``torch.distributed.init_process_group`` in it.
"""

from skkuranet.distributed._operators import (
    ShardedCoupling,
    ShardedFactorizedCoupling,
    couple_sharded,
)
from skkuranet.distributed._run import fit, local_rows, simulate
from skkuranet.training._process_group import Ranks

__all__ = [
    "Ranks",
    "ShardedCoupling",
    "ShardedFactorizedCoupling",
    "couple_sharded",
    "fit",
    "local_rows",
    "simulate",
]
