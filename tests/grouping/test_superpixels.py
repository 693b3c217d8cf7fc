"""Superpixels of several kinds."""

import numpy as np
import pytest
import torch

from skkuranet.grouping.image_cues import cues_of, learn_textons
from skkuranet.grouping.superpixels import superpixels_of

RGB = np.random.RandomState(0).uniform(size=(12, 12, 3)).astype(np.float32)
ROWS, COLUMNS = np.indices((12, 12))


def seen_as(*kinds):
    textons = learn_textons([RGB], np.random.RandomState(0))
    return superpixels_of(kinds, lambda: cues_of(RGB, textons))


def test_distances_are_means_over_kinds_of_where_pixels_point():
    """Of three columns, the middle one is half in one half of the image, half in the other."""
    seen = seen_as(COLUMNS // 4, COLUMNS // 6)
    np.testing.assert_array_equal(seen.graphs[0].edges, [[0, 1], [1, 2]])
    alike, across = torch.tensor([[1.0] * 3, [0.0] * 3]), torch.eye(2)
    assert seen.distances([alike, across]) == pytest.approx([0.5 * (1 - 0.5**0.5)] * 2)


def test_a_kind_that_parts_nothing_is_left_out():
    halves, whole = ROWS // 6, np.zeros_like(ROWS)
    seen = seen_as(whole, halves)
    assert len(seen.graphs) == 1
    np.testing.assert_array_equal(seen.kinds, [halves])
    seen = seen_as(whole, whole)
    assert not seen.graphs
    np.testing.assert_array_equal(seen.kinds, [whole])
