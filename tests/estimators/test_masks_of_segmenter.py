"""KuraNetSegmenter with masks as people have them, and stacks of images."""

import numpy as np
import pytest
from PIL import Image
from small_images import scene, scribbled

from skkuranet import KuraNetSegmenter
from skkuranet.inspection import SegmentationDisplay

QUICK = {"max_iter": 80, "hidden_layer_sizes": (32, 32), "random_state": 0, "verbose": 0}
IMAGE, MASK = scene()
# As a painting tool saves strokes of 85, 170 and 255.
PAINTED = (85 * (scribbled(MASK) + 1)).astype(np.uint8)


def test_strokes_of_a_painting_tool(tmp_path):
    path = tmp_path / "strokes.png"
    Image.fromarray(PAINTED).save(path)
    model = KuraNetSegmenter(**QUICK)
    with pytest.warns(UserWarning, match="0 counts as unlabelled") as told:
        model.fit(IMAGE, path)
    assert len(told) == 1
    np.testing.assert_array_equal(model.classes_, [85, 170, 255])
    found = model.predict(IMAGE)
    assert np.mean(found == 85 * (MASK + 1)) > 0.95
    picture = Image.fromarray(found)
    assert picture.mode == "L"
    # Nor do pixels that are not painted count in scores, or show.
    with pytest.warns(UserWarning, match="0 counts as unlabelled"):
        assert model.score(IMAGE, path) > 0.95
    with pytest.warns(UserWarning, match="0 counts as unlabelled"):
        assert model.synchrony_loss(IMAGE, path, n_steps=200) < 0.1
    with pytest.warns(UserWarning, match="0 counts as unlabelled"):
        display = SegmentationDisplay.from_estimator(model, IMAGE, path)
    blank = display.axes_[3].images[0].get_array()[..., 3] == 0
    np.testing.assert_array_equal(blank, PAINTED == 0)
    same = KuraNetSegmenter(**QUICK, unlabeled=0).fit(IMAGE, PAINTED)
    np.testing.assert_array_equal(same.predict(IMAGE), found)


def test_a_mask_in_black_and_white_is_labelled_throughout(tmp_path):
    path = tmp_path / "disc.png"
    Image.fromarray(np.uint8(255) * (MASK == 2)).save(path)
    model = KuraNetSegmenter(**QUICK).fit(IMAGE, path)
    np.testing.assert_array_equal(model.classes_, [0, 255])
    assert model.score(IMAGE, path) > 0.95


def test_scores_by_a_file_know_what_fit_called_a_label(tmp_path):
    path = tmp_path / "truth.png"
    Image.fromarray(MASK.astype(np.uint8)).save(path)
    model = KuraNetSegmenter(**QUICK).fit(IMAGE, scribbled(MASK))
    assert model.score(IMAGE, path) == model.score(IMAGE, MASK)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, ">u2", bool])
def test_results_have_the_type_of_the_mask(dtype):
    labels = MASK == 2 if dtype is bool else MASK
    model = KuraNetSegmenter(**QUICK | {"unlabeled": None}).fit(IMAGE, labels.astype(dtype))
    found = model.predict(IMAGE)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.mean(found == labels) > 0.95
    if found.dtype in (np.uint8, np.uint16, np.int32, bool):
        np.testing.assert_array_equal(np.asarray(Image.fromarray(found)), found)


def test_groups_have_the_type_of_the_mask():
    settings = {"n_segments": 3, "max_iter": 20, "hidden_layer_sizes": (16,), "verbose": 0}
    model = KuraNetSegmenter(**settings, random_state=0)
    model.fit(IMAGE, MASK.astype(np.uint8))
    assert model.predict(IMAGE).dtype == np.uint8
    assert model.fit(IMAGE, np.array(["a", "b", "c"])[MASK]).predict(IMAGE).dtype == np.int64


def test_names_of_segments():
    names = np.array(["sky", "ground", "disc"])
    scribbles = np.where(scribbled(MASK) < 0, "", names[MASK])
    model = KuraNetSegmenter(**QUICK).fit(IMAGE, scribbles)
    assert sorted(model.classes_) == sorted(names)
    assert np.mean(model.predict(IMAGE) == names[MASK]) > 0.95
    assert model.score(IMAGE, names[MASK]) > 0.95
    display = SegmentationDisplay.from_estimator(model, IMAGE, scribbles)
    blank = display.axes_[3].images[0].get_array()[..., 3] == 0
    np.testing.assert_array_equal(blank, scribbles == "")


# Nothing is learned in two iterations.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_labels_that_nobody_meant_are_named():
    smooth = MASK.copy()
    smooth[26, ::2] = np.arange(30) + 100
    model = KuraNetSegmenter(**QUICK | {"max_iter": 2})
    with pytest.warns(UserWarning, match=r"30 of the 33 labels in mask are stray.*\[0, 1, 2\]"):
        model.fit(IMAGE, smooth)
    single = MASK.copy()
    single[0, 0] = 9
    with pytest.warns(UserWarning, match=r"or a single one: \[9\]"):
        model.fit(IMAGE, single)


def test_stacks_of_grey_images():
    images, masks = zip(*(scene(seed=s) for s in range(3)), strict=True)
    grey = np.stack([image[..., 0] for image in images])
    masks = np.stack([(mask == 2).astype(int) for mask in masks])
    model = KuraNetSegmenter(**QUICK)
    one_by_one = model.fit(list(grey), list(masks)).predict(list(grey))
    for labels in (masks, list(masks)):
        found = model.fit(grey, labels).predict(grey)
        assert model.n_channels_in_ == 1
        np.testing.assert_array_equal(found, one_by_one)
    assert model.score(grey, masks) > 0.8
    assert [phases.shape for phases in model.transform(grey)] == [(40, 60)] * 3
    with pytest.raises(ValueError, match="Pass one image"):
        model.simulate(grey)


def test_arrays_that_are_no_stacks_are_named():
    model = KuraNetSegmenter(**QUICK)
    with pytest.raises(ValueError, match=r"image has shape \(3, 40, 60\).*np\.moveaxis"):
        model.fit(np.moveaxis(IMAGE, -1, 0), MASK)
    with pytest.raises(ValueError, match="mask has 3 channels, but a label is one number"):
        model.fit(IMAGE, IMAGE)
    model.fit(IMAGE[..., 0], MASK == 2)
    with pytest.raises(ValueError, match="image has 3 channels, but KuraNetSegmenter was fitted"):
        model.predict(IMAGE)
