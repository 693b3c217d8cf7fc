"""Masks as people have them: which pixels are labelled, and labels that nobody meant."""

import warnings

import numpy as np
import pytest
from PIL import Image

from skkuranet.images.masks import read_masks, warn_of_strays

HALVES = np.repeat([[1, 2]], 20, axis=1).repeat(24, axis=0)


def read(*masks, unlabeled="auto", classes=(), shape=HALVES.shape):
    """Masks as they are read."""
    names = [f"mask[{i}]" for i in range(len(masks))]
    found = read_masks(masks, unlabeled, names, classes)
    return [mask.fitting(shape, name) for mask, name in zip(found, names, strict=True)]


def strokes(dtype, nothing=0):
    """Two strokes in a mask that is nothing elsewhere."""
    mask = np.full((24, 40), nothing, dtype=dtype)
    mask[5, :15], mask[5, 25:] = 1, 2
    return mask


@pytest.mark.parametrize("dtype", [np.int8, np.int16, ">i4", np.int64, np.float32])
def test_minus_one_is_unlabelled_where_a_mask_can_hold_it(dtype):
    mask = np.where(HALVES == 2, -1, 0).astype(dtype)
    (found,) = read(mask)
    np.testing.assert_array_equal(found.known, HALVES == 1)
    (found,) = read(mask, unlabeled=None)
    assert found.known.all()


@pytest.mark.parametrize("mode", ["L", "P", "I;16"])
def test_zero_of_a_painted_mask_is_unlabelled_and_said_to_be(tmp_path, mode):
    mask = strokes(np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(mask)
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "mask.png")
    for painted in (image, tmp_path / "mask.png", str(tmp_path / "mask.png")):
        with pytest.warns(UserWarning, match=r"96.9% of their pixels. Set unlabeled=None") as told:
            found = read(painted, painted)
        assert len(told) == 1
        for one in found:
            np.testing.assert_array_equal(one.known, mask > 0)
            np.testing.assert_array_equal(one.labels, mask)
            assert one.labels.dtype == mask.dtype
    # What the message advises says no more.
    (found,) = read(image, unlabeled=0)
    np.testing.assert_array_equal(found.known, mask > 0)
    (found,) = read(image, unlabeled=None)
    assert found.known.all()


def test_zero_is_a_label_where_there_is_one_other():
    black_and_white = [Image.fromarray(np.uint8(255) * (k == HALVES)) for k in (1, 2)]
    for mask in (*black_and_white, black_and_white[0].convert("1")):
        (found,) = read(mask)
        assert found.known.all()
    # All masks of a call are seen together.
    both = [Image.fromarray(np.uint8(k) * (HALVES == 1)) for k in (1, 2)]
    with pytest.warns(UserWarning, match=r"50.0% of their pixels"):
        found = read(*both)
    np.testing.assert_array_equal(found[0].known, HALVES == 1)
    # A mask to be scored by is like those of fit.
    (found,) = read(Image.fromarray(strokes(np.uint8)), classes=np.array([0, 1, 2]))
    assert found.known.all()


def test_zero_is_a_label_in_arrays():
    full = HALVES.astype(np.uint8)
    full[:4] = 0
    for dtype in (np.uint8, np.uint16, np.uint64, bool, np.int32):
        (found,) = read(full.astype(dtype))
        assert found.known.all()
        assert found.labels.dtype == dtype
    with pytest.warns(UserWarning, match=r"0 counts as a label .* 96.9% .* Set unlabeled=0"):
        (found,) = read(strokes(np.uint8))
    assert found.known.all()
    (found,) = read(strokes(np.uint8), unlabeled=0)
    np.testing.assert_array_equal(found.known, strokes(np.uint8) > 0)


def test_strings_and_booleans_are_labels():
    names = np.array(["", "sky", "sea"])
    want = strokes(int)
    for mask in (names[want], names.astype(object)[want], np.where(want, names[want], None)):
        (found,) = read(mask)
        np.testing.assert_array_equal(found.known, want > 0)
        assert set(found.labels[found.known]) == {"sky", "sea"}
    (found,) = read(names[want], unlabeled="sea")
    np.testing.assert_array_equal(found.known, want != 2)
    (found,) = read(HALVES == 1)
    assert found.labels.dtype == bool
    with pytest.warns(UserWarning, match="label '-1' in mask is a string"):
        read(np.array(["a", "b", -1])[want])


def test_masks_of_several_types_meet_in_one():
    found = read(HALVES.astype(np.uint8), HALVES.astype(np.int16))
    assert {one.labels.dtype for one in found} == {np.dtype(np.int16)}
    found = read(HALVES.astype(np.uint64), HALVES.astype(np.int64))
    assert {one.labels.dtype for one in found} == {np.dtype(np.int64)}


BAD = {
    "strings and numbers": ([HALVES, HALVES.astype(str)], "Some masks hold strings"),
    "mixed": ([np.where(HALVES == 1, "a", HALVES.astype(object))], "mixes strings with other"),
    "None": ([np.where(HALVES == 1, None, HALVES)], r"mask\[0\] holds None.*-1"),
    "NaN": ([np.where(HALVES == 1, np.nan, HALVES)], r"mask\[0\] holds NaN.*nan=-1"),
    "bytes": ([HALVES.astype("S")], "whole numbers, booleans or strings"),
    "infinite": ([np.where(HALVES == 1, np.inf, HALVES)], "must hold whole numbers"),
    "colours": ([np.dstack([HALVES] * 3)], r"has 3 channels.*np\.unique"),
    "nothing": ([HALVES, HALVES * 0 - 1], r"mask\[1\] has no labels: every pixel is unlabeled=-1"),
    "no names": ([np.full(HALVES.shape, "")], "every pixel is unlabeled=''"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_masks_are_named(case):
    masks, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        read(*masks)


def test_labels_of_smooth_edges_are_named():
    picture = Image.new("L", (40, 24))
    picture.paste(255, (14, 6, 28, 18))
    # Painting tools draw borders in shades.
    smooth = np.asarray(picture.rotate(20, Image.Resampling.BICUBIC)).astype(int)
    classes = np.unique(smooth)
    assert len(classes) > 12
    (mask,) = read(smooth)
    with pytest.warns(UserWarning, match=r"of the .* labels in mask are stray .*\[0, 255\]"):
        warn_of_strays([mask], classes)


def test_labels_that_cover_next_to_nothing_are_named():
    large = HALVES.repeat(5, axis=0).repeat(5, axis=1)
    large[:5, :5] = 3
    large[60, 60] = 7
    for n_small, names in ((1, r"\[7\]"), (0, None)):
        labels = large if n_small else np.where(large == 7, 1, large)
        (mask,) = read(labels, shape=labels.shape)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            warn_of_strays([mask], np.unique(labels))
        assert len(told) == n_small
        if names:
            assert "cover less than .01 % of the labelled pixels" in str(told[0].message)
            assert "[7]" in str(told[0].message)


def test_a_few_scattered_labels_are_no_strays():
    rng = np.random.RandomState(0)
    labels = np.full((60, 80), -1)
    labels.flat[rng.permutation(labels.size)[:30]] = np.arange(30) % 10
    (mask,) = read(labels, shape=labels.shape)
    warn_of_strays([mask], np.arange(10))
