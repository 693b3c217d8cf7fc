"""KuraNetSegmenter as its users meet it: images, masks, and what can be wrong with them."""

import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from small_images import scene, scribbled

from skkuranet import KuraNetSegmenter
from skkuranet.coupling import couple_driven
from skkuranet.images.reading import pixel_features
from skkuranet.metrics import symmetric_best_dice

QUICK = {"max_iter": 80, "hidden_layer_sizes": (32, 32), "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    image, mask = scene()
    return KuraNetSegmenter(**QUICK).fit(image, mask)


def test_segments_the_rest_of_the_image_from_a_few_labels():
    image, mask = scene()
    model = KuraNetSegmenter(**QUICK)
    predicted = model.fit_predict(image, scribbled(mask))
    assert predicted.shape == mask.shape
    assert symmetric_best_dice(mask, predicted) > 0.95
    assert model.score(image, mask) == symmetric_best_dice(mask, predicted)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


def test_carries_over_to_an_image_of_another_size(fitted):
    image, mask = scene(80, 120, seed=1)
    assert fitted.score(image, mask) > 0.95


def test_the_whole_image_is_one_network(fitted):
    image, mask = scene()
    assert symmetric_best_dice(mask, fitted.cluster(image, random_state=1)) > 0.95
    assert fitted.synchrony_loss(image, mask) < 0.02
    path = fitted.simulate(image, n_steps=5, save_from=0, random_state=0)
    assert path.phases.shape == (6, mask.size)
    again = fitted.simulate(image, n_steps=5, initial_phases=path.phases[0].reshape(mask.shape))
    np.testing.assert_array_equal(again.phases[-1], path.phases[-1])


def test_phases_of_a_segment_are_those_of_its_centre(fitted):
    image, mask = scene()
    phases = fitted.transform(image)
    centres = np.arctan2(*fitted.cluster_centers_.T[::-1])
    apart = np.abs(np.angle(np.exp(1j * (phases - centres[mask]))))
    assert np.median(apart) < 0.1


def test_labels_are_those_of_the_mask():
    image, mask = scene()
    model = KuraNetSegmenter(unlabeled=0, **QUICK)
    odd = np.array([7, -5, 2**40])[mask]
    odd[scribbled(mask) < 0] = 0
    model.fit(image, odd)
    np.testing.assert_array_equal(model.classes_, [-5, 7, 2**40])
    assert set(np.unique(model.predict(image))) <= {-5, 7, 2**40}
    assert model.score(image, odd) > 0.95


def variants(tmp_path):
    image, mask = scene()
    file, mask_file = tmp_path / "image.png", tmp_path / "mask.png"
    Image.fromarray(image).save(file)
    Image.fromarray(mask.astype(np.uint8)).save(mask_file)
    return {
        "uint8": (image, mask),
        "uint16": (image.astype(np.uint16) * 257, mask.astype(np.uint16)),
        "float": (image / 255.0, mask.astype(float)),
        "pil": (Image.fromarray(image), Image.fromarray(mask.astype(np.uint8))),
        "path": (file, str(mask_file)),
    }


def test_an_image_is_the_same_in_any_type(tmp_path):
    # A file may leave 0 for pixels that nobody labelled.
    settings = {**QUICK, "max_iter": 10, "unlabeled": None}
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (image, mask) in variants(tmp_path).items():
            found[name] = KuraNetSegmenter(**settings).fit(image, mask).predict(image)
    for name, labels in found.items():
        assert np.mean(labels == found["uint8"]) > 0.98, name


@pytest.mark.parametrize("channels", [None, 1, 2, 4, 7])
def test_any_number_of_channels(channels):
    image, mask = scene()
    if channels is None:
        image = image[..., 0]
    else:
        image = np.concatenate([image] * 3, axis=-1)[..., :channels]
    model = KuraNetSegmenter(**QUICK).fit(image, mask)
    assert model.n_channels_in_ == (channels or 1)
    assert model.score(image, mask) > 0.9


def test_features_multiscale_and_of_a_callable():
    image, mask = scene()
    model = KuraNetSegmenter("multiscale", **QUICK).fit(image, scribbled(mask))
    assert model.score(image, mask) > 0.9
    assert model.reference_features_.shape[1] > 20
    red = KuraNetSegmenter(lambda x: x[..., :1], **QUICK).fit(image, mask == 2)
    assert red.score(image, mask == 2) > 0.9


def test_lists_of_images_in_cross_validation_and_grid_search():
    images, masks = zip(*(scene(seed=s) for s in range(4)), strict=True)
    images, masks = list(images), list(masks)
    model = KuraNetSegmenter(**QUICK)
    groups = [0, 0, 1, 1]
    scores = cross_val_score(model, images, masks, groups=groups, cv=GroupKFold(2))
    assert scores.min() > 0.9
    search = GridSearchCV(model, {"bandwidth": [0.0, 4.0]}, cv=2).fit(images, masks)
    predicted = search.predict(images)
    assert [p.shape for p in predicted] == [m.shape for m in masks]
    assert search.score(images, masks) > 0.9


def test_an_estimator_like_others(fitted):
    image, mask = scene()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).predict(image), fitted.predict(image)
    )
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    assert not hasattr(again, "coupling_")
    with pytest.raises(NotFittedError):
        again.predict(image)
    again.fit(image, mask)
    np.testing.assert_array_equal(again.predict(image), fitted.predict(image))
    np.testing.assert_array_equal(again.loss_curve_, fitted.loss_curve_)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    again.fit(image, mask)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_answers_do_not_depend_on_how_pixels_are_batched(fitted, monkeypatch):
    image, _ = scene()
    whole = fitted.transform(image)
    monkeypatch.setattr("skkuranet.images.feature_cache._PIXELS_AT_ONCE", 500)
    np.testing.assert_array_equal(fitted.transform(image), whole)


def test_progress_of_predictions_is_shown(fitted, capsys):
    image, _ = scene()
    clone(fitted).set_params(verbose=1)
    model = pickle.loads(pickle.dumps(fitted)).set_params(verbose=1)
    model.predict(image)
    assert "100%" in capsys.readouterr().err


IMAGE, MASK = scene()
BAD = {
    "shape": (IMAGE, MASK[1:], "mask has shape .* but the image has 40 rows and 60 columns"),
    "one label": (IMAGE, MASK * 0 + 3, "mask has one label only, 3"),
    "no labels": (IMAGE, MASK * 0 - 1, "mask has no labels: every pixel is unlabeled=-1"),
    "range": (IMAGE, np.full(MASK.shape, 2**64 - 1, dtype=np.uint64), "64-bit integers"),
    "broken labels": (IMAGE, MASK + 0.5, "mask must hold whole numbers"),
    "empty": (IMAGE[:0], MASK[:0], "is empty"),
    "nan": (np.where(IMAGE.max() == IMAGE, np.nan, IMAGE), MASK, "NaN or infinite pixels"),
    "axes": (np.zeros((2, 3, 4, 5, 6)), MASK, "must have the axes"),
    "complex": (IMAGE * 1j, MASK, "real numbers"),
    "cmyk": (Image.new("CMYK", (60, 40)), MASK, "mode 'CMYK'.*convert"),
    "palette": (Image.new("P", (60, 40)), MASK, "mode 'P'.*convert"),
    "channels": ([IMAGE, IMAGE[..., 0]], [MASK, MASK], r"as many channels, got \[1, 3\]"),
    "number": ([IMAGE, IMAGE], [MASK], "as many masks as images"),
    "one mask": ([IMAGE, IMAGE], MASK, "mask is one mask"),
    "second mask": ([IMAGE, IMAGE], [MASK, MASK[1:]], r"mask\[1\] has shape"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images_and_masks_are_named_and_leave_nothing_behind(case):
    image, mask, message = BAD[case]
    model = KuraNetSegmenter(**QUICK)
    with pytest.raises(ValueError, match=message):
        model.fit(image, mask)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FileNotFoundError):
        KuraNetSegmenter().fit(tmp_path / "none.png", MASK)
    text = tmp_path / "text.png"
    text.write_text("not an image")
    with pytest.raises(OSError, match="not an image that Pillow can read"):
        KuraNetSegmenter().fit(text, MASK)
    whole = io.BytesIO()
    Image.fromarray(IMAGE).save(whole, "PNG")
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.getvalue()[:2000])
    with pytest.raises(OSError, match="damaged or cut off"):
        KuraNetSegmenter().fit(cut, MASK)


def test_bad_settings_and_calls_are_named(fitted):
    image, mask = scene()
    with pytest.raises(ValueError, match="'features' parameter"):
        KuraNetSegmenter("rgb").fit(image, mask)
    with pytest.raises(ValueError, match="features returned shape"):
        KuraNetSegmenter(np.mean).fit(image, mask)
    with pytest.raises(ValueError, match="features returned NaN"):
        KuraNetSegmenter(lambda x: x * np.nan).fit(image, mask)
    with pytest.raises(ValueError, match="network_size=2 cannot hold the 3 labels"):
        KuraNetSegmenter(network_size=2).fit(image, mask)
    with pytest.raises(ValueError, match="has 1 channels, but KuraNetSegmenter was fitted"):
        fitted.predict(image[..., 0])
    with pytest.raises(ValueError, match="n_segments must lie between"):
        fitted.cluster(image, 0)
    with pytest.raises(ValueError, match="Pass one image"):
        fitted.simulate([image])
    with pytest.raises(ValueError, match="initial_phases must have shape"):
        fitted.simulate(image, initial_phases=np.zeros(3))


def test_an_interrupted_fit_keeps_the_best_couplings(monkeypatch):
    from skkuranet.training import _run as training

    image, mask = scene()
    step, done = training.Run.step, []

    def interrupted(run, iteration):
        done.append(iteration)
        if len(done) == 30:
            raise KeyboardInterrupt
        return step(run, iteration)

    monkeypatch.setattr(training.Run, "step", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        model = KuraNetSegmenter(**QUICK).fit(image, mask)
    assert model.n_iter_ == 29
    assert model.predict(image).shape == mask.shape


def test_the_label_is_that_of_the_segment_that_pulls_hardest(fitted):
    image, _ = scene()
    model = pickle.loads(pickle.dumps(fitted))
    model.smoothing_ = 0.0
    own = model.predict(image)
    reference, phases = model.reference_features_, model.reference_phases_
    centres = model.cluster_centers_ @ np.array([1.0, 1.0j])
    nearest = np.abs(np.exp(1j * phases)[:, None] - centres).argmin(axis=1)
    with torch.no_grad():
        coupling = couple_driven(
            model.coupling_.double(),
            torch.from_numpy(pixel_features(image, "rgb_xy", model.place_)).double(),
            torch.from_numpy(reference).double(),
            model.normalization_,
        ).dense()
    coupling = coupling.numpy()
    pulls = np.stack([coupling[:, nearest == c].sum(axis=1) for c in range(3)])
    np.testing.assert_array_equal(own.ravel(), model.classes_[pulls.argmax(axis=0)])
    # And the phase is the angle of the whole field.
    field = coupling @ np.exp(1j * phases)
    np.testing.assert_allclose(model.transform(image).ravel(), np.angle(field), atol=1e-5)


def test_smoothing_averages_pulls_over_neighbours():
    image, mask = scene()
    # Colours alone: place would tell as well.
    model = KuraNetSegmenter(lambda image: image, **QUICK).fit(image, mask)
    noisy = image.copy()
    # One ground-coloured pixel in the sky.
    noisy[3, 50] = (60, 140, 60)
    sky = np.arctan2(*model.cluster_centers_[0][::-1])
    apart = []
    for smoothing in (0.0, 2.0):
        model.smoothing_ = smoothing
        phase = model.transform(noisy)[3, 50]
        apart.append(abs(np.angle(np.exp(1j * (phase - sky)))))
    assert apart[1] < 0.5 * apart[0]


def test_smoothing_follows_how_far_labels_are_apart(fitted):
    image = np.zeros((200, 300))
    image[:, 150:] = 1.0
    strokes = np.full(image.shape, -1)
    strokes[:10, :10], strokes[:10, -10:] = 0, 1
    settings = {**QUICK, "max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        far = KuraNetSegmenter(**settings).fit(image, strokes).smoothing_
        own = KuraNetSegmenter(**settings, smoothing=3.0).fit(image, strokes).smoothing_
    assert fitted.smoothing_ == 1.0
    assert own == 3.0
    assert 10.0 < far < 25.0


def test_without_bandwidth_there_are_no_waves():
    image, mask = scene()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KuraNetSegmenter(**{**QUICK, "max_iter": 1}, bandwidth=0.0).fit(image, mask)
    assert model.coupling_.encoding is None


def test_bandwidth_follows_the_number_of_labels():
    image, mask = scene()
    settings = {**QUICK, "max_iter": 1}
    spread = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for labels in (scribbled(mask, 5), mask):
            model = KuraNetSegmenter(place=True, **settings).fit(image, labels)
            spread.append(float(model.coupling_.encoding.frequencies.std()))
    assert spread[1] > 1.5 * spread[0]
