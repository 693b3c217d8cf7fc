"""Large images, which are seen at a lower resolution."""

import numpy as np
import pytest

from skkuranet import KuraNetSegmenter
from skkuranet.grouping.resolution import at_shape, seen_image, seen_shape

COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]], dtype=float)


def photograph(seed, height, width):
    rng = np.random.RandomState(seed)
    mask = np.zeros((height, width), dtype=int)
    mask[:, width // 2 :] = 1
    mask[height // 3 : 2 * height // 3, width // 4 : 3 * width // 4] = 2
    return (COLOURS[mask] + rng.normal(0, 8, (*mask.shape, 3))).clip(0, 255).astype(np.uint8), mask


def test_small_images_are_seen_as_they_are():
    image = np.zeros((321, 481, 3), dtype=np.float32)
    assert seen_image(image) is image


@pytest.mark.parametrize("shape", [(3000, 4000), (1, 2_000_000), (2_000_000, 1), (700, 720)])
def test_large_images_keep_their_proportions(shape):
    seen = seen_shape(shape)
    assert min(seen) >= 1
    if min(shape) > 1:
        assert np.prod(seen) == pytest.approx(500_000, rel=0.01)
        assert seen[0] / seen[1] == pytest.approx(shape[0] / shape[1], rel=0.01)


def test_pixels_at_another_resolution_are_the_nearest():
    values = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(at_shape(values.repeat(5, 0).repeat(5, 1), (2, 3)), values)
    np.testing.assert_array_equal(at_shape(values, (4, 6)), values.repeat(2, 0).repeat(2, 1))


@pytest.mark.filterwarnings("ignore:.*has intensities up to:UserWarning")
def test_large_photographs_are_learned_from_and_segmented():
    images, masks = zip(*[photograph(seed, 120, 160) for seed in range(4)], strict=True)
    large, mask = photograph(9, 900, 1200)
    model = KuraNetSegmenter(groups="unseen", random_state=0)
    model.fit([*images, large], [*masks, mask])
    found = model.predict(photograph(10, 900, 1200)[0])
    assert found.shape == mask.shape
    assert model.score([large], [mask]) > 0.9
