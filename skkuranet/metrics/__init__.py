"""Scores of phases and of segmentations."""

from skkuranet.metrics._phases import (
    circular_variance,
    cluster_synchrony_loss,
    feature_correlation,
    order_parameter,
    splay_loss,
)
from skkuranet.metrics._segmentation import (
    best_dice,
    probabilistic_rand_index,
    segmentation_covering,
    symmetric_best_dice,
    variation_of_information,
)

__all__ = [
    "best_dice",
    "circular_variance",
    "cluster_synchrony_loss",
    "feature_correlation",
    "order_parameter",
    "probabilistic_rand_index",
    "segmentation_covering",
    "splay_loss",
    "symmetric_best_dice",
    "variation_of_information",
]
