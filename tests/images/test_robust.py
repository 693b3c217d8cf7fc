"""Hot pixels, pixels without data, and channels in other units."""

import re

import numpy as np
import pytest

from skkuranet import KuraNetSegmenter
from skkuranet.images.reading import read_image, read_pixels
from skkuranet.images.robust import seems_no_data

SETTINGS = {"random_state": 0, "verbose": 0}


@pytest.fixture(scope="module")
def disc():
    """An image of a disc, its mask, and scribbles."""
    rows, columns = np.mgrid[:60, :90]
    mask = ((rows - 30) ** 2 + (columns - 45) ** 2 < 350).astype(int)
    image = np.where(mask, 0.7, 0.3) + np.random.RandomState(0).normal(0.0, 0.05, mask.shape)
    scribbles = np.full(mask.shape, -1)
    scribbles[30, 38:53] = 1
    scribbles[[6, 54], 10:80] = 0
    return image, mask, scribbles


def right(image, mask, scribbles, **settings):
    """The share of pixels that are named right."""
    model = KuraNetSegmenter(**SETTINGS | settings).fit(image, scribbles)
    return np.mean(model.predict(image) == mask)


@pytest.mark.parametrize("place", [(0, 0), (30, 45)])
@pytest.mark.parametrize("hot", [100.0, -9999.0, 1e30])
def test_a_hot_pixel_changes_nothing(disc, place, hot):
    image, mask, scribbles = disc
    spoilt = image.copy()
    spoilt[place] = hot
    assert right(spoilt, mask, scribbles) > 0.995


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3, 1e6])
def test_units_of_a_channel_change_nothing(disc, unit):
    image, mask, scribbles = disc
    noise = np.random.RandomState(1).uniform(0.4, 0.6, mask.shape)
    assert right(np.dstack([image, unit * noise]), mask, scribbles) > 0.995


def spoilt_by(image, how):
    """An image without data in a corner, and what says so."""
    spoilt = image.copy()
    if how == "masked":
        hidden = np.zeros(image.shape, dtype=bool)
        hidden[:15, :30] = True
        spoilt[:15, :30] = -9999.0
        return np.ma.masked_array(spoilt, hidden), None
    spoilt[:15, :30] = how
    return spoilt, how


@pytest.mark.parametrize("how", [-9999.0, np.nan, np.inf, "masked"])
def test_pixels_without_data_change_nothing(disc, how):
    image, mask, scribbles = disc
    spoilt, nodata = spoilt_by(image, how)
    model = KuraNetSegmenter(nodata=nodata, **SETTINGS).fit(spoilt, scribbles)
    assert np.mean(model.predict(spoilt) == mask) > 0.99
    # Wrong labels of such pixels neither teach nor count.
    wrong = mask.copy()
    wrong[:15, :30] = 1
    assert model.score(spoilt, wrong) > 0.98
    assert model.synchrony_loss(spoilt, wrong, n_steps=100) < 0.05
    taught = scribbles.copy()
    taught[:15, :30] = 1
    again = KuraNetSegmenter(nodata=nodata, **SETTINGS).fit(spoilt, taught)
    assert np.mean(again.predict(spoilt) == mask) > 0.99


# Nothing is learned in two iterations.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_value_that_seems_to_be_no_data_is_named(disc):
    image, _, scribbles = disc
    model = KuraNetSegmenter(**SETTINGS | {"max_iter": 2})
    for value in (-9999.0, 1e20):
        spoilt, _ = spoilt_by(image, value)
        with pytest.warns(UserWarning, match=re.escape(f"Set nodata={value} if that stands")):
            model.fit(spoilt, scribbles)
    # Objects before an empty background, and pictures of few values, are as they should be.
    for usual in (np.where(image > 0.5, image, 0.0), image > 0.5, np.round(image) * 1000.0 + 1.0):
        assert seems_no_data(np.asarray(usual)[..., None]) is None


def test_a_value_in_one_channel_is_not_without_data():
    image = np.random.RandomState(0).randint(1, 255, (20, 30, 3), dtype=np.uint8)
    image[3, 4, 0] = image[5, 6] = 0
    found, missing = read_pixels(image, nodata=0)
    assert np.argwhere(missing).tolist() == [[5, 6]]
    assert found[3, 4, 0] == 0
    assert found[5, 6].min() > 0
    assert image[5, 6].max() == 0


def test_images_without_hot_pixels_stay_as_they_are():
    rng = np.random.RandomState(0)
    binary = np.zeros((60, 80), dtype=np.uint8)
    binary[3, 4:6] = 255
    for image in (
        rng.randint(0, 255, (60, 80, 3), dtype=np.uint8),
        rng.normal(size=(60, 80)),
        binary,
        binary > 0,
        np.full((5, 6), 7),
        np.array([[0, 2**63 - 1], [-(2**63), 5]]),
        np.array([[0, 2**64 - 1]], dtype=np.uint64),
    ):
        found = read_image(image)
        np.testing.assert_array_equal(found.reshape(image.shape), image)
        assert found.dtype == image.dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, np.float32])
def test_a_hot_pixel_is_dimmed_in_its_own_type(dtype):
    image = np.random.RandomState(0).randint(10, 20, (30, 40)).astype(dtype)
    image[4, 5] = 120
    found = read_image(image)[..., 0]
    assert found.dtype == dtype
    assert 19 < found[4, 5] < 40
    np.testing.assert_array_equal(np.delete(found, 4, 0), np.delete(image, 4, 0))
    np.testing.assert_array_equal(read_image(found)[..., 0], found)


def test_images_without_any_data_are_refused():
    image = np.full((20, 30), -9999.0)
    with pytest.raises(ValueError, match=r"image has no data: .* nodata=-9999"):
        KuraNetSegmenter(nodata=-9999).fit(image, np.ones((20, 30), int))
    image[:, 15:] = 1.0
    mask = np.where(image > 0, -1, 3)
    with pytest.raises(ValueError, match=r"mask labels no pixel that has data.*check nodata"):
        KuraNetSegmenter(nodata=-9999).fit(image, mask)
    with pytest.raises(ValueError, match="'nodata' parameter"):
        KuraNetSegmenter(nodata="none").fit(image, mask)
    with pytest.raises(ValueError, match=r"NaN or infinite pixels.*nodata=np\.nan"):
        KuraNetSegmenter().fit(np.where(image > 0, np.nan, image), mask)
