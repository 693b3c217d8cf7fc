"""What a segmenter that has learned one image, or several, says of others."""

import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from small_images import scene, scribbled

import skkuranet
from skkuranet import KuraNetSegmenter
from skkuranet.training import _run as training

QUICK = {"max_iter": 80, "hidden_layer_sizes": (32, 32), "random_state": 0}


def grey_halves(upside_down=False):
    """Above and below are of nearly one grey: place tells most, and colour little."""
    mask = np.repeat([0, 1], 20)[:, None].repeat(60, axis=1)
    mask = mask[::-1] if upside_down else mask
    noise = np.random.RandomState(0).normal(0.0, 0.1, mask.shape)
    return 0.5 + 0.1 * mask + noise, mask


@pytest.fixture(scope="module")
def of_one():
    image, mask = grey_halves()
    return KuraNetSegmenter(smoothing=1.0, guidance=0, **QUICK).fit(image, mask)


def test_place_is_for_the_labelled_image_alone(of_one):
    image, mask = grey_halves()
    other, turned = grey_halves(upside_down=True)
    assert of_one.place_
    assert not of_one.for_other_images_.place_
    assert np.mean(of_one.predict(image) == mask) > 0.95
    assert np.mean(of_one.predict(image.copy()) == mask) > 0.95
    # What lay at the top is not looked for at the top.
    assert np.mean(of_one.predict(other) == turned) > 0.7
    everywhere = KuraNetSegmenter(place=True, **QUICK).fit(image, mask)
    assert everywhere.for_other_images_ is None
    assert np.mean(everywhere.predict(other) == turned) < 0.5


def test_all_that_is_asked_of_another_image_is_without_place(of_one):
    other, turned = grey_halves(upside_down=True)
    others = of_one.for_other_images_
    np.testing.assert_array_equal(of_one.transform(other), others.transform(other))
    np.testing.assert_array_equal(of_one.predict_proba(other), others.predict_proba(other))
    some = [0, 5, 2000]
    np.testing.assert_array_equal(
        of_one.coupling_matrix(other, some), others.coupling_matrix(other, some)
    )
    assert of_one.synchrony_loss(other, turned, n_steps=20, random_state=0) == (
        others.synchrony_loss(other, turned, n_steps=20, random_state=0)
    )


def test_place_is_left_out_where_colours_tell_labels_apart():
    image, mask = scene()
    model = KuraNetSegmenter(**QUICK).fit(image, scribbled(mask))
    assert not model.place_
    assert model.for_other_images_ is None
    assert model.reference_features_.shape[1] == 3


def test_several_images_are_learned_without_place():
    images, masks = zip(*(scene(seed=s) for s in range(2)), strict=True)
    model = KuraNetSegmenter(**QUICK).fit(list(images), list(masks))
    assert not model.place_
    assert KuraNetSegmenter(place=True, **QUICK).fit(list(images), list(masks)).place_


def test_a_callable_is_given_place_where_that_is_asked_for():
    image, mask = grey_halves()
    alone = KuraNetSegmenter(lambda x: x, **QUICK).fit(image, mask)
    placed = KuraNetSegmenter(lambda x: x, place=True, **QUICK).fit(image, mask)
    assert alone.reference_features_.shape[1] == 1
    assert placed.reference_features_.shape[1] == 3
    assert np.mean(placed.predict(image) == mask) > 0.95


def test_files_hold_both_networks_and_no_pixels_if_so_wanted(of_one, tmp_path):
    image, other = grey_halves()[0], grey_halves(upside_down=True)[0]
    for training_rows in (True, False):
        path = tmp_path / f"{training_rows}.skkuranet"
        of_one.save(path, training_rows=training_rows)
        again = skkuranet.load(path)
        for asked in (image, other):
            np.testing.assert_array_equal(again.predict(asked), of_one.predict(asked))
        assert len(again.for_other_images_.reference_features_) == (
            len(of_one.for_other_images_.reference_features_) if training_rows else 0
        )


def test_going_on_keeps_place(of_one):
    image, mask = grey_halves()
    model = KuraNetSegmenter(smoothing=1.0, guidance=0, warm_start=True, **QUICK)
    model.fit(image, mask).set_params(max_iter=20).fit(image, mask)
    assert model.place_
    assert np.mean(model.predict(image) == mask) > 0.95
    assert not model.for_other_images_.place_


def test_a_fit_that_is_killed_while_it_learns_place_goes_on(tmp_path, monkeypatch):
    image, mask = grey_halves()
    settings = {"smoothing": 1.0, "guidance": 0, **QUICK}
    whole = KuraNetSegmenter(**settings).fit(image, mask)
    kept = KuraNetSegmenter(**settings, checkpoint=tmp_path / "state", checkpoint_every=10)
    step, done = training.Run.step, []

    def killed(run, iteration):
        done.append(iteration)
        if len(done) == whole.n_iter_ + 30:
            raise RuntimeError
        return step(run, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(training.Run, "step", killed)
        with pytest.raises(RuntimeError):
            kept.fit(image, mask)
    assert [path.name for path in tmp_path.iterdir()] == ["state.place.0"]
    kept.fit(image, mask)
    assert kept.loss_curve_ == whole.loss_curve_
    assert not list(tmp_path.iterdir())


def test_parameters_that_change_later_hold_for_other_images(of_one):
    other, _ = grey_halves(upside_down=True)
    of_one.set_params(memory_budget=1000)
    with pytest.raises(ValueError, match="memory_budget"):
        of_one.coupling_matrix(other)
    of_one.set_params(memory_budget="auto")


def test_small_objects_outlive_smoothing_if_they_are_labelled():
    rng = np.random.RandomState(0)
    mask = np.zeros((120, 160), dtype=int)
    for row, column in rng.randint(5, 115, size=(40, 2)):
        mask[row - 2 : row + 3, column - 2 : column + 3] = 1
    image = mask + rng.normal(0.0, 0.1, mask.shape)
    labels = np.full(mask.shape, -1)
    labels[60, :], labels[100:, 150:] = mask[60, :], 0
    labels[mask == 1] = np.where(rng.uniform(size=(mask == 1).sum()) < 0.05, 1, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KuraNetSegmenter(**QUICK).fit(image, labels)
    found = model.predict(image)
    assert np.mean(found[mask == 1] == 1) > 0.9
    assert np.mean(found[mask == 0] == 0) > 0.95


def test_thin_lines_outlive_smoothing_if_they_are_labelled():
    rng = np.random.RandomState(0)
    mask = np.zeros((100, 140), dtype=int)
    mask[:, ::7] = mask[:, 1::7] = 1
    image = mask + rng.normal(0.0, 0.25, mask.shape)
    labels = np.full(mask.shape, -1)
    labels[20:40, 35:37], labels[60:80, 84:86], labels[50, 100:134] = 1, 1, mask[50, 100:134]
    labels[20:40, 37:42] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KuraNetSegmenter(**QUICK).fit(image, labels)
    assert model.smoothing_ < 1.0
    assert np.mean(model.predict(image) == mask) > 0.9


def test_binary_images_are_told_by_their_two_values():
    _, mask = scene(80, 120)
    image = np.where(mask == 2, 255, 0).astype(np.uint8)
    labels = np.full(mask.shape, -1)
    labels[32, 40:56], labels[5, 10:110], labels[70, 10:110] = 1, 0, 0
    found = KuraNetSegmenter(random_state=0).fit(image, labels).predict(image)
    np.testing.assert_array_equal(found, image // 255)


def test_features_are_computed_once_for_an_image(monkeypatch):
    image, mask = scene()
    asked = []

    def features(x):
        asked.append(x.shape)
        return x

    model = KuraNetSegmenter(features, **QUICK).fit(image, scribbled(mask))
    model.predict(image)
    model.predict_proba(image.copy())
    assert len(asked) == 1
    model.predict(scene(seed=1)[0])
    assert len(asked) == 2


def generators(count):
    pairs = [scene(seed=s) for s in range(count)]
    return (image for image, _ in pairs), (scribbled(mask) for _, mask in pairs)


def test_images_may_come_one_by_one(tmp_path):
    images, masks = zip(*(scene(seed=s) for s in range(3)), strict=True)
    labels = [scribbled(mask) for mask in masks]
    whole = KuraNetSegmenter(**QUICK).fit(list(images), labels)
    streamed = KuraNetSegmenter(**QUICK).fit(*generators(3))
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    files = KuraNetSegmenter(**QUICK).fit(sorted(tmp_path.glob("*.png")), labels)
    expected = whole.predict(images[1])
    for model in (streamed, files):
        np.testing.assert_array_equal(model.predict(images[1]), expected)
    found = whole.predict(image for image in images)
    assert iter(found) is found
    np.testing.assert_array_equal(next(found), whole.predict(images[0]))
    assert len(list(found)) == 2


def test_images_labelled_in_part_learn_together():
    images, masks = zip(*(scene(seed=s) for s in range(3)), strict=True)
    labels = [np.where(mask == k, k, -1) for k, mask in enumerate(masks)]
    model = KuraNetSegmenter(**QUICK | {"max_iter": 200}).fit(list(images), labels)
    image, mask = scene(seed=5)
    assert np.mean(model.predict(image) == mask) > 0.95


def test_numbers_that_do_not_fit_are_named_in_streams():
    images, _ = generators(3)
    _, masks = generators(2)
    with pytest.raises(ValueError, match="as many masks as images; got more images and 2 masks"):
        KuraNetSegmenter(**QUICK).fit(images, masks)
    images, _ = generators(1)
    _, masks = generators(2)
    with pytest.raises(ValueError, match="got 1 images and 2 masks"):
        KuraNetSegmenter(**QUICK).fit(images, masks)
    with pytest.raises(ValueError, match="Pass one image"):
        KuraNetSegmenter(**QUICK).fit(*scene()).simulate(iter([scene()[0]]))


def test_how_many_images_are_done_is_shown(capsys):
    images, masks = zip(*(scene(seed=s) for s in range(2)), strict=True)
    model = KuraNetSegmenter(**QUICK).fit(list(images), list(masks))
    model.set_params(verbose=1).predict(list(images))
    assert "image 2 of 2" in capsys.readouterr().err
    model.set_params(verbose=0).predict(list(images))
    assert not capsys.readouterr().err


def test_a_mask_of_another_image_is_named():
    image, mask = scene()
    with pytest.raises(ValueError, match=r"mask has shape .* but the image has 40 rows and 60"):
        KuraNetSegmenter(**QUICK).fit(image, mask.T)
    with pytest.raises(ValueError, match="'place' parameter"):
        KuraNetSegmenter(place="never").fit(image, mask)


@pytest.mark.parametrize("features", ["rgb_xy", "multiscale"])
@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (40, 60)])
def test_images_of_one_row_and_of_one_colour(features, shape):
    image, mask = np.zeros((*shape, 3)), np.full(shape, -1)
    mask.flat[: mask.size // 4], mask.flat[-mask.size // 4 :] = 0, 1
    with warnings.catch_warnings():
        # Nothing but place tells them apart, and place is none of other images.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KuraNetSegmenter(features, **QUICK).fit(image, mask)
    assert model.predict(image).shape == shape
    assert np.isfinite(model.predict_proba(image)).all()


def test_place_is_left_out_where_it_says_nothing_of_other_parts():
    """Strokes lie apart; how far their labels reach is in the noisy intensities alone."""
    rows, columns = np.mgrid[:64, :64]
    wanted = (rows - 32) ** 2 + (columns - 32) ** 2 < 200
    image = 0.5 * wanted + np.random.RandomState(0).normal(scale=0.15, size=wanted.shape)
    mask = np.full(wanted.shape, -1)
    mask[30:34, 30:34] = 1
    mask[:6, :6] = mask[55:60, 55:60] = 0
    model = KuraNetSegmenter(random_state=0).fit(image, mask)
    assert model.place_ is False
    assert np.mean(model.predict(image) == wanted) > 0.95
