"""Probabilities, objects and volumes of KuraNetSegmenter."""

import numpy as np
import pytest
import tifffile
from skimage.draw import disk
from sklearn.calibration import calibration_curve
from small_images import scene, scribbled

from skkuranet import KuraNetSegmenter
from skkuranet.images.instances import split_objects
from skkuranet.images.reading import blocks_of, feature_blocks, pixel_features
from skkuranet.inspection import SegmentationDisplay

QUICK = {"max_iter": 80, "hidden_layer_sizes": (32, 32), "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    image, mask = scene()
    return KuraNetSegmenter(**QUICK).fit(image, scribbled(mask))


def test_probabilities_sum_to_one_and_name_what_predict_does(fitted):
    image, mask = scene(seed=1)
    found = fitted.predict_proba(image)
    assert found.shape == (*mask.shape, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, atol=1e-5)
    assert found.min() >= 0.0
    np.testing.assert_array_equal(found.argmax(axis=-1), fitted.predict(image))
    both = fitted.predict_proba([image, image])
    np.testing.assert_array_equal(both[1], found)


# A few iterations from no seed may leave classes merged.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pairwise_couplings_have_probabilities_too():
    image, mask = scene(20, 30)
    settings = {"hidden_layer_sizes": (16,), "network_size": 30, "n_steps": 20, "max_iter": 60}
    model = KuraNetSegmenter("rgb_xy", coupling="pairwise", place=False, tol=1, **settings)
    model.set_params(random_state=0).fit(image, mask)
    found = model.predict_proba(image)
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=-1), model.predict(image))


def test_probabilities_are_calibrated():
    rng = np.random.RandomState(0)
    mask = np.repeat([0, 1], 40)[:, None].repeat(100, axis=1)
    # Overlapping greys, whose likelihood is known.
    image = rng.normal(0.4 + 0.2 * mask, 0.15)
    labels = np.where(rng.uniform(size=mask.shape) < 0.3, mask, -1)
    model = KuraNetSegmenter(place=False, smoothing=0.0, guidance=0, random_state=0)
    found = model.fit(image, labels).predict_proba(image)[..., 1]
    true, said = calibration_curve(mask[labels < 0], found[labels < 0], n_bins=5)
    np.testing.assert_allclose(said, true, atol=0.08)


def discs(*places, size=(60, 90), radius=12):
    mask = np.zeros(size, dtype=bool)
    for place in places:
        mask[disk(place, radius, shape=size)] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "count"),
    [
        (discs((30, 20), (30, 70)), 2),
        (discs((30, 30), (30, 52)), 2),
        (discs((30, 30)), 1),
        (discs(), 0),
        (np.ones((20, 30), dtype=bool), 1),
    ],
)
def test_objects_that_touch_are_parted(mask, count):
    found = split_objects(mask, np.ones(mask.shape), 0.9, 10)
    assert found.dtype == np.int32
    assert found.max() == len(np.unique(found[found > 0])) == count
    np.testing.assert_array_equal(found > 0, mask)
    assert split_objects(mask, np.ones(mask.shape), 0.0, 0).max() <= max(count, 1)


def test_specks_are_no_objects():
    mask = discs((30, 20))
    mask[5:8, 60:63] = True
    assert split_objects(mask, np.ones(mask.shape), 0.9, 10).max() == 1
    assert split_objects(mask, np.ones(mask.shape), 0.9, 9).max() == 2


def test_objects_of_an_image_are_numbered():
    mask = discs((30, 20), (30, 40), (20, 75), radius=11).astype(int)
    image = mask + np.random.RandomState(0).normal(0.0, 0.1, mask.shape)
    labels = np.full(mask.shape, -1)
    labels[30, 12:28], labels[3, :], labels[56, :] = 1, 0, 0
    model = KuraNetSegmenter(**QUICK).fit(image, labels)
    found = model.instances(image)
    assert found.dtype == np.int32
    assert set(np.unique(found)) == {0, 1, 2, 3}
    assert np.all(model.predict(image)[found > 0] == 1)
    assert np.mean((found > 0) == mask) > 0.98
    assert model.instances(image, neck=0.0).max() == 2
    assert model.instances(image, background=1).max() >= 1
    assert model.instances([image])[0].max() == 3


def test_bad_questions_about_objects_are_named(fitted):
    image, mask = scene()
    for settings, message in (
        ({"background": 7}, r"background must be one of the labels \[0, 1, 2\], got 7"),
        ({"neck": 2.0}, "neck must be a number from 0 to 1, got 2.0"),
        ({"min_size": -1}, "min_size must be 'auto' or a number of pixels from 0, got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.instances(image, **settings)
    groups = KuraNetSegmenter(n_segments=2, max_iter=2, hidden_layer_sizes=(8,)).fit(image, mask)
    for method in ("predict_proba", "instances"):
        assert not hasattr(groups, method)
    with pytest.raises(AttributeError) as raised:
        groups.predict_proba(image)
    assert "needs segments with names for this, but n_segments" in str(raised.value.__cause__)


def test_margins_are_shown(fitted):
    image, _ = scene()
    pytest.importorskip("matplotlib").use("agg")
    display = SegmentationDisplay.from_estimator(fitted, image, margins=True)
    assert [ax.get_title() for ax in display.axes_] == ["image", "phases", "segments", "margins"]
    two = np.sort(fitted.predict_proba(image), axis=-1)[..., -2:]
    np.testing.assert_allclose(display.margins, two[..., 1] - two[..., 0], atol=1e-6)


def volume(seed=0):
    """Balls in noise, and strokes in some of its planes."""
    planes, rows, columns = np.mgrid[:16, :40, :48]
    mask = np.zeros(planes.shape, dtype=int)
    for centre in ((8, 12, 12), (8, 28, 34)):
        away = [axis - at for axis, at in zip((planes, rows, columns), centre, strict=True)]
        mask[sum(step**2 for step in away) < 36] = 1
    noise = np.random.RandomState(seed).normal(0.0, 0.1, mask.shape)
    labels = np.full(mask.shape, -1)
    labels[8, 12, 8:16], labels[8, 28, 30:38], labels[2, 5:35, 24], labels[13, 20, 4:44] = (
        1,
        1,
        0,
        0,
    )
    return 0.3 + 0.4 * mask + noise, mask, labels


@pytest.mark.parametrize("features", ["rgb_xy", "multiscale"])
def test_volumes_are_segmented_from_strokes_in_some_planes(features):
    image, mask, labels = volume()
    model = KuraNetSegmenter(features, spatial_dims=3, **QUICK).fit(image, labels)
    found = model.predict(image)
    assert found.shape == mask.shape
    assert np.mean(found == mask) > 0.97
    assert model.predict_proba(image).shape == (*mask.shape, 2)
    assert model.transform(image).shape == mask.shape
    assert model.instances(image).max() == 2
    other = volume(seed=1)[0]
    assert np.mean(model.predict(np.stack([other, other], axis=-1)[..., :1]) == mask) > 0.97
    assert [one.shape for one in model.predict([image, image[:5]])] == [mask.shape, (5, 40, 48)]
    assert model.score(image, mask) > 0.9
    assert model.simulate(image[:3, :8, :8], n_steps=2).phases.shape[1] == 192


def test_volumes_have_positions_and_windows_of_their_own():
    image, mask, labels = volume()
    model = KuraNetSegmenter(spatial_dims=3, place=True, guidance=3, **QUICK).fit(image, labels)
    assert model.reference_features_.shape[1] == 4
    assert model.guidance_ == 3
    assert model.predict(image).shape == mask.shape
    with pytest.raises(ValueError, match="this segmenter is of volumes"):
        SegmentationDisplay.from_estimator(model, image)


def test_features_of_large_volumes_are_those_of_the_whole():
    image = np.random.RandomState(0).uniform(size=(5, 130, 20, 1)).astype(np.float32)
    whole = pixel_features(image, "multiscale").reshape(5, 130, 20, -1)
    assert len(list(blocks_of(image, "multiscale", 1))) == 2
    for block, table in feature_blocks(image, "multiscale", 1):
        np.testing.assert_allclose(table, whole[block].reshape(len(table), -1), atol=1e-5)


def test_volumes_are_read_from_files_whose_axes_say_so(tmp_path):
    image, mask, labels = volume()
    grey = (image.clip(0, 1) * 255).astype(np.uint8)
    path, mask_path = tmp_path / "volume.ome.tif", tmp_path / "mask.tif"
    tifffile.imwrite(path, grey, ome=True, metadata={"axes": "ZYX"}, photometric="minisblack")
    tifffile.imwrite(mask_path, labels.astype(np.int16) + 1, imagej=True, metadata={"axes": "ZYX"})
    model = KuraNetSegmenter(spatial_dims=3, unlabeled=0, **QUICK).fit(path, mask_path)
    np.testing.assert_array_equal(model.predict(path), model.predict(grey))
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, grey, photometric="minisblack")
    with pytest.raises(ValueError, match="nothing says that they are planes of a volume"):
        model.predict(pages)
    with pytest.raises(ValueError, match="Set spatial_dims=3 to read a volume"):
        KuraNetSegmenter().fit(path, mask[0])


def test_volumes_are_never_guessed():
    image, mask, labels = volume()
    with pytest.raises(ValueError, match=r"\(plane, row, column\).*spatial_dims=2"):
        KuraNetSegmenter(spatial_dims=3).fit(image[0], mask[8])
    with pytest.raises(ValueError, match=r"\(row, column\).*spatial_dims=3"):
        KuraNetSegmenter().fit([image[..., None]], [mask])
    with pytest.raises(ValueError, match="the image has 16 planes, 40 rows and 48 columns"):
        KuraNetSegmenter(spatial_dims=3).fit(image, labels[:5])
    with pytest.raises(ValueError, match="'spatial_dims' parameter"):
        KuraNetSegmenter(spatial_dims=4).fit(image, labels)
