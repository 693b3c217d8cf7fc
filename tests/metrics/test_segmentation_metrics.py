"""Scores of segmentations: by hand, against scikit-image and scikit-learn, and bad input."""

import numpy as np
import pytest
from skimage import data, metrics, segmentation
from sklearn.metrics import rand_score

from skkuranet.metrics import (
    best_dice,
    probabilistic_rand_index,
    segmentation_covering,
    symmetric_best_dice,
    variation_of_information,
)

# Dice of 0 with 0: 2*4/(5+4), of 1 with 1: 2*2/(2+2), of 2 with 2: 2*2/(2+3).
TRUE = np.array([[0, 0, 1], [0, 0, 1], [0, 2, 2]])
PRED = np.array([[0, 0, 1], [0, 0, 1], [2, 2, 2]])


def test_dice_by_hand():
    expected = (8 / 9 + 1.0 + 4 / 5) / 3
    assert best_dice(TRUE, PRED) == pytest.approx(expected)
    assert symmetric_best_dice(TRUE, PRED) == pytest.approx(expected)


def test_the_smaller_direction_counts():
    # a has one segment of 9, b three of 3: its best is 2*3/12, and each of b's is the same.
    whole, rows = np.zeros((3, 3), int), np.repeat([[0], [1], [2]], 3, axis=1)
    assert best_dice(whole, rows) == pytest.approx(0.5)
    # The two lone pixels are badly covered, the rest well.
    spots = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 2]])
    assert best_dice(whole, spots) == pytest.approx(14 / 16)
    assert best_dice(spots, whole) == pytest.approx((14 / 16 + 2 * 2 / 10) / 3)
    assert symmetric_best_dice(whole, spots) == pytest.approx((14 / 16 + 0.4) / 3)


def test_background_conventions():
    inside = (1.0 + 4 / 5) / 2
    assert symmetric_best_dice(TRUE, PRED, background=0) == pytest.approx(inside)
    assert symmetric_best_dice(TRUE + 3, PRED + 1, background="lowest") == pytest.approx(inside)
    # Label 0 is background in both, though the lowest of one is another.
    shifted = np.where(PRED == 0, -1, PRED)
    assert symmetric_best_dice(TRUE, shifted, background=0) < inside
    empty = np.zeros((3, 3), int)
    assert symmetric_best_dice(empty, empty, background=0) == 1.0
    assert symmetric_best_dice(TRUE, empty, background=0) == 0.0
    assert symmetric_best_dice(empty, TRUE, background="lowest") == 0.0
    with pytest.raises(ValueError, match="background must be a label, 'lowest' or None"):
        symmetric_best_dice(TRUE, PRED, background="largest")


def test_covering_by_hand():
    # Overlaps 4/5, 1 and 2/3 of segments of 5, 2 and 2 pixels.
    assert segmentation_covering(TRUE, PRED) == pytest.approx((4 + 2 + 4 / 3) / 9)


@pytest.fixture(scope="module")
def pair():
    image = data.coffee()[::4, ::4]
    return (
        segmentation.slic(image, 12) + 3,
        segmentation.felzenszwalb(image, 100),
    )


def test_agreement_with_scikit_image_and_scikit_learn(pair):
    a, b = pair
    expected = np.sum(metrics.variation_of_information(a, b))
    assert variation_of_information(a, b) == pytest.approx(expected)
    assert variation_of_information(a - 100, b * 7) == pytest.approx(expected)
    assert probabilistic_rand_index(a, b) == rand_score(a.ravel(), b.ravel())
    several = probabilistic_rand_index([a, b], b)
    assert several == pytest.approx((rand_score(a.ravel(), b.ravel()) + 1) / 2)
    # Its error weighs the pairs that are together in one and apart in the other.
    error, *_ = metrics.adapted_rand_error(a, b, ignore_labels=())
    n = a.size
    together = sum(
        float(np.sum(sizes * (sizes - 1.0)))
        for sizes in (np.unique(labels, return_counts=True)[1] for labels in (a, b))
    )
    assert error * together / (n * (n - 1)) == pytest.approx(1.0 - probabilistic_rand_index(a, b))


def test_a_segment_for_every_pixel_is_no_table_of_all_pairs():
    fine = np.arange(300 * 300).reshape(300, 300)
    for score in SCORES:
        assert score(fine, fine) == pytest.approx(float(score is not variation_of_information))
    assert symmetric_best_dice(fine, fine // 2) == pytest.approx(2 / 3)
    assert segmentation_covering(fine, fine // 2) == pytest.approx(1 / 2)


def test_several_true_segmentations_are_checked_one_by_one():
    with pytest.raises(ValueError, match="one image"):
        probabilistic_rand_index([TRUE, TRUE[1:]], PRED)
    with pytest.raises(ValueError, match="no pixels"):
        probabilistic_rand_index([], PRED)
    with pytest.raises(ValueError, match="whole numbers"):
        probabilistic_rand_index([TRUE, np.full(TRUE.shape, np.nan)], PRED)


SCORES = (
    best_dice,
    symmetric_best_dice,
    segmentation_covering,
    variation_of_information,
    probabilistic_rand_index,
)


@pytest.mark.parametrize("score", SCORES)
def test_names_of_labels_do_not_matter(score, pair):
    a, b = pair
    rng = np.random.RandomState(0)
    renamed = rng.permutation(1000)[b]
    assert score(a, renamed) == pytest.approx(score(a, b))
    perfect = 0.0 if score is variation_of_information else 1.0
    assert score(a, a) == pytest.approx(perfect)


@pytest.mark.parametrize("score", SCORES)
def test_bad_segmentations_are_named(score):
    with pytest.raises(ValueError, match=r"one image, got the shapes \(3, 3\) and \(2, 3\)"):
        score(TRUE, PRED[1:])
    with pytest.raises(ValueError, match="has no pixels"):
        score(TRUE[:0], PRED[:0])
    with pytest.raises(ValueError, match="must hold whole numbers"):
        score(TRUE, PRED + 0.5)
    assert score(TRUE, PRED.astype(float)) == score(TRUE, PRED)


@pytest.mark.parametrize("score", SCORES)
def test_masked_pixels_do_not_count(score):
    hidden = np.zeros(TRUE.shape, dtype=bool)
    hidden[0], hidden[2, 1] = True, True
    expected = score(TRUE[~hidden], PRED[~hidden])
    # What a mask hides need not be a label.
    true = np.ma.masked_array(np.where(hidden, np.nan, TRUE), hidden)
    assert score(true, PRED) == expected
    assert score(TRUE, np.ma.masked_array(PRED, hidden)) == expected
    above = np.arange(3)[:, None] < np.array([[1, 1, 1]])
    parts = np.ma.masked_array(TRUE, above), np.ma.masked_array(PRED, hidden & ~above)
    assert score(*parts) == expected
    with pytest.raises(ValueError, match="no pixels that are not masked"):
        score(np.ma.masked_array(TRUE, True), PRED)


def test_a_masked_pixel_costs_no_dice():
    assert symmetric_best_dice(np.ma.masked_array([0, 0, 1, 1], [0, 0, 0, 1]), [0, 0, 1, 0]) == 1.0
