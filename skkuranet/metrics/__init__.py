"""Scores of phases and of segmentations."""

from skkuranet.metrics._groups import (
    chimera_index,
    metastability_index,
    phase_clusters,
    splay_order,
)
from skkuranet.metrics._phases import (
    circular_variance,
    cluster_synchrony_loss,
    feature_correlation,
    order_parameter,
    splay_loss,
)
from skkuranet.metrics._ring import coherent_share, winding_number
from skkuranet.metrics._segmentation import (
    best_dice,
    probabilistic_rand_index,
    segmentation_covering,
    symmetric_best_dice,
    variation_of_information,
)

__all__ = [
    "best_dice",
    "chimera_index",
    "circular_variance",
    "cluster_synchrony_loss",
    "coherent_share",
    "feature_correlation",
    "metastability_index",
    "order_parameter",
    "phase_clusters",
    "probabilistic_rand_index",
    "segmentation_covering",
    "splay_loss",
    "splay_order",
    "symmetric_best_dice",
    "variation_of_information",
    "winding_number",
]
