"""KuraNetSegmenter with several images, large ones, and ones that do not go together."""

import io
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.exceptions import ConvergenceWarning

from skkuranet import KuraNetSegmenter
from skkuranet.images.guided_filter import guided_filter
from skkuranet.images.masks import read_masks
from skkuranet.images.reading import feature_blocks, pixel_features, read_image
from skkuranet.metrics import symmetric_best_dice

QUICK = {"max_iter": 80, "hidden_layer_sizes": (32, 32), "random_state": 0}
GROUPS = {"n_segments": 2, "max_iter": 20, "hidden_layer_sizes": (16,)}
COLOURS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [200, 200, 30]])


def halves(left, right, seed=0):
    """An image of two colours side by side, and a mask that names them."""
    mask = np.full((24, 40), left)
    mask[:, 20:] = right
    noise = np.random.RandomState(seed).normal(0.0, 5.0, (*mask.shape, 3))
    return (COLOURS[mask] + noise).clip(0, 255).astype(np.uint8), mask


@pytest.mark.parametrize("pairs", [[(0, 1), (2, 3)], [(0, 1), (1, 2), (2, 3)], [(0, 0), (1, 1)]])
def test_labels_that_never_share_an_image_are_told_apart(pairs):
    images, masks = zip(*(halves(*pair) for pair in pairs), strict=True)
    model = KuraNetSegmenter(**QUICK | {"max_iter": 250}).fit(list(images), list(masks))
    for image, mask in zip(images, masks, strict=True):
        assert np.mean(model.predict(image) == mask) > 0.95


def test_features_of_large_images_are_those_of_the_whole():
    image = np.random.RandomState(0).randint(0, 255, (600, 50, 3), dtype=np.uint8)
    for features in ("rgb_xy", "multiscale"):
        bands = [table for _, table in feature_blocks(image, features, 1)]
        assert len(bands) > 1
        np.testing.assert_array_equal(np.concatenate(bands), pixel_features(image, features))


@pytest.mark.parametrize("n_segments", [None, 2])
def test_a_warning_that_is_an_error_leaves_a_whole_fit(n_segments):
    image, mask = halves(0, 1)
    model = KuraNetSegmenter(**QUICK | {"max_iter": 1, "n_segments": n_segments, "tol": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model.fit(image, mask)
        except ConvergenceWarning:
            assert n_segments is None
    assert model.predict(image).shape == model.transform(image).shape == mask.shape


def test_a_fit_of_another_kind_leaves_nothing_of_the_last_one():
    image, mask = halves(0, 1)
    model = KuraNetSegmenter(**QUICK).fit(image, mask)
    model.set_params(n_segments=2).fit(image, mask)
    assert not hasattr(model, "smoothing_")
    assert not hasattr(model, "reference_phases_")
    for n_segments, kind in ((None, "to labels"), (2, "to n_segments")):
        model.set_params(n_segments=2 if n_segments is None else None, warm_start=False)
        model.fit(image, mask).set_params(n_segments=n_segments, warm_start=True)
        with pytest.raises(ValueError, match=f"warm_start=True cannot go on .*{kind}"):
            model.fit(image, mask)


# A short fit from no seed may leave all pixels in phase.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", [None, 0, np.random.RandomState(0)])
def test_groups_are_the_same_whenever_they_are_asked_for(seed):
    image, mask = halves(0, 1)
    model = KuraNetSegmenter(**GROUPS, random_state=seed).fit(image, mask)
    np.testing.assert_array_equal(model.predict(image), model.predict(image))
    np.testing.assert_array_equal(model.transform(image), model.transform(image))


def test_images_of_another_number_type_are_noticed():
    image, mask = halves(0, 1)
    model = KuraNetSegmenter(**QUICK).fit(image, mask)
    for other in (image.astype(np.int64), image.astype(float)):
        with pytest.warns(UserWarning, match="convert the image to the type"):
            model.predict(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict((image // 4).astype(np.uint8))


def test_features_of_the_user_are_checked():
    image, mask = halves(0, 1)
    wrong = {
        "must return": lambda x: x[..., :0],
        "real numbers": lambda x: x + 1j,
        "3 features of each pixel, but 2": lambda x: x[..., : (2 if x.shape[0] == 24 else 3)],
    }
    for message, features in wrong.items():
        with pytest.raises(ValueError, match=message):
            KuraNetSegmenter(features, **QUICK).fit([image, image[:20]], [mask, mask[:20]])
        with pytest.raises(ValueError, match=message):
            KuraNetSegmenter(features, **GROUPS).fit([image, image[:20]], [mask, mask[:20]])
    model = KuraNetSegmenter(lambda x: x[..., : x.shape[0] // 8], **QUICK).fit(image, mask)
    for answer in (model.predict, model.simulate):
        with pytest.raises(ValueError, match="2 features of each pixel, but 3"):
            answer(image[:16])


def test_files_that_are_no_images_are_named(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_image(tmp_path)
    whole = io.BytesIO()
    Image.fromarray(halves(0, 1)[0]).save(whole, "png")
    cut = Image.open(io.BytesIO(whole.getvalue()[:-400]))
    with pytest.raises(OSError, match="image is damaged or cut off"):
        read_image(cut)
    with pytest.raises(OSError, match="mask is damaged or cut off"):
        read_masks([cut], -1, ["mask"])
    assert read_image(Image.open(whole)).shape == (24, 40, 3)


def read(mask, unlabeled="auto", **options):
    """One mask as it is read."""
    return read_masks([mask], unlabeled, ["mask"], **options)[0]


def test_masks_may_be_masked_and_labels_as_large_as_they_go():
    _, mask = halves(0, 1)
    hidden = np.ma.masked_array(mask, mask=mask == 1)
    np.testing.assert_array_equal(read(hidden).known, mask == 0)
    largest = np.iinfo(np.int64).max
    assert read(np.where(mask, largest, 0)).labels.max() == largest
    for beyond in (np.where(mask, np.uint64(2**63), np.uint64(0)), mask * 2.0**63):
        with pytest.raises(ValueError, match="outside the range"):
            read(beyond)


def test_what_is_asked_of_whole_images_is_checked():
    image, mask = halves(0, 1)
    model = KuraNetSegmenter(**QUICK).fit(image, mask)
    with pytest.raises(ValueError, match="n_segments must lie between"):
        model.cluster(image, True)
    with pytest.raises(TypeError, match="n_steps"):
        model.cluster(image, n_steps=2.5)
    chosen = [0, 1, 39]
    K = model.coupling_matrix(image, chosen)
    assert K.shape == (3, 3)
    assert K[0, 1] > 0.0 > K[0, 2]
    with pytest.raises(ValueError, match="memory_budget"):
        model.set_params(memory_budget=1000).coupling_matrix(image)
    model.set_params(memory_budget=2**30)
    phases = model.fit_transform(image, mask)
    np.testing.assert_array_equal(phases, model.transform(image))
    tags = model.__sklearn_tags__()
    assert tags.input_tags.three_d_array
    assert tags.target_tags.required


def test_pulls_are_smoothed_along_edges_and_not_across_them():
    rng = np.random.RandomState(0)
    guide = np.zeros((60, 80, 3), np.float32)
    guide[:, 40:] = 0.5
    values = (guide[..., :1] > 0) + rng.normal(0.0, 0.3, (60, 80, 1))
    for n_channels in (3, 6):
        seen = np.repeat(guide, 2, axis=-1)[..., :n_channels]
        smoothed = guided_filter(values.astype(np.float32), seen, 12, 3e-4)[..., 0]
        assert smoothed[:, :40].std() < 0.05
        assert np.abs(smoothed[:, 38:40].mean() - 0.0) < 0.05
        assert np.abs(smoothed[:, 40:42].mean() - 1.0) < 0.05


def test_fitting_affinely_to_the_guide_is_what_the_guided_filter_does():
    # With one window for all and no regularisation, least squares.
    guide = np.random.RandomState(0).uniform(size=(9, 9, 2)).astype(np.float32)
    values = (guide @ [[2.0], [-1.0]] + 0.5).astype(np.float32)
    np.testing.assert_allclose(guided_filter(values, guide, 4, 1e-9), values, atol=1e-4)


def test_guidance_follows_the_labels():
    image, mask = halves(0, 1)
    dense = KuraNetSegmenter(**QUICK).fit(image, mask)
    assert dense.guidance_ == 0
    few = np.full(mask.shape, -1)
    few[5, [5, 35]] = mask[5, [5, 35]]
    sparse = KuraNetSegmenter(**QUICK).fit(image, few)
    assert sparse.guidance_ > 3
    fixed = KuraNetSegmenter(guidance=2, **QUICK).fit(image, few)
    assert fixed.guidance_ == 2
    assert symmetric_best_dice(mask, sparse.predict(image)) > 0.95


@pytest.mark.parametrize("n_segments", [None, 2])
def test_segments_on_any_device(n_segments, device):
    image, mask = halves(0, 1)
    model = KuraNetSegmenter(**QUICK | {"n_segments": n_segments}, device=device)
    model.fit(image, mask)
    assert symmetric_best_dice(mask, model.predict(image)) > 0.95
    assert symmetric_best_dice(mask, model.cluster(image, 2)) > 0.95
    assert all(p.device.type == "cpu" for p in model.coupling_.parameters())


def test_tensors_with_gradients_are_images():
    image, _ = halves(0, 1)
    tensor = torch.tensor(image / 255.0, requires_grad=True)
    np.testing.assert_array_equal(read_image(tensor), read_image(image / 255.0))


def test_pixels_that_are_no_intensities_are_named(tmp_path):
    segmenter = KuraNetSegmenter(max_iter=1, random_state=0)
    mask = np.repeat([[0, 1]], 6, axis=0).repeat(4, axis=1)
    with pytest.raises(ValueError, match=r"image holds pixels of 2e.300.*set nodata"):
        segmenter.fit(1e300 * (1.0 + mask), mask)
    with pytest.raises(FileNotFoundError, match=r"nothing\.png. cannot be read"):
        segmenter.fit(tmp_path / "nothing.png", mask)
