"""Node features to coupling operators (torch only)."""

from skkuranet.coupling._base import CouplingOperator
from skkuranet.coupling._build import DEFAULT_MEMORY_BUDGET, couple, couple_driven, driven_by
from skkuranet.coupling._dense import DenseCoupling
from skkuranet.coupling._edge_weights import EdgeWeightNetwork, WeightedEdges
from skkuranet.coupling._encoding import FourierFeatures
from skkuranet.coupling._equal_degree import EqualDegree
from skkuranet.coupling._factorized import FactorizedCoupling
from skkuranet.coupling._given import as_coupling
from skkuranet.coupling._half import HalfCoupling
from skkuranet.coupling._low_rank import FactorizedNetwork, LowRankNetwork
from skkuranet.coupling._membership import MembershipNetwork
from skkuranet.coupling._networks import CouplingNetwork, PairwiseNetwork
from skkuranet.coupling._node_identity import NodeIdentity
from skkuranet.coupling._normalization import (
    Balanced,
    Identity,
    InDegree,
    MeanDegree,
    Normalization,
    PerSource,
)
from skkuranet.coupling._nystrom import NystromNetwork
from skkuranet.coupling._products import product
from skkuranet.coupling._shared import SharedCoupling
from skkuranet.coupling._sparse import SparseCoupling
from skkuranet.coupling._tiled import TiledCoupling, tile_side

__all__ = [
    "DEFAULT_MEMORY_BUDGET",
    "Balanced",
    "CouplingNetwork",
    "CouplingOperator",
    "DenseCoupling",
    "EdgeWeightNetwork",
    "EqualDegree",
    "FactorizedCoupling",
    "FactorizedNetwork",
    "FourierFeatures",
    "HalfCoupling",
    "Identity",
    "InDegree",
    "LowRankNetwork",
    "MeanDegree",
    "MembershipNetwork",
    "NodeIdentity",
    "Normalization",
    "NystromNetwork",
    "PairwiseNetwork",
    "PerSource",
    "SharedCoupling",
    "SparseCoupling",
    "TiledCoupling",
    "WeightedEdges",
    "as_coupling",
    "couple",
    "couple_driven",
    "driven_by",
    "product",
    "tile_side",
]
