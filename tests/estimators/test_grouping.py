"""Grouping the pixels of images never seen, from labels that mean nothing beyond their image."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from skkuranet import KuraNetSegmenter
from skkuranet.coupling import DenseCoupling
from skkuranet.objectives import PairObjective

QUICK = {"n_segments": 3, "max_iter": 150, "hidden_layer_sizes": (32, 32), "random_state": 0}


def stripes(seed, height=24, width=36):
    """Three stripes of colours of their own; labels in any order."""
    rng = np.random.RandomState(seed)
    mask = np.repeat(rng.permutation(3), width // 3)[None].repeat(height, axis=0)
    hues = np.array([[230, 40, 40], [40, 200, 60], [50, 60, 230], [230, 220, 60]])
    colours = hues[rng.permutation(4)[:3]]
    image = colours[mask] + rng.normal(0.0, 12.0, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), mask


@pytest.fixture(scope="module")
def data():
    images, masks = zip(*[stripes(seed) for seed in range(12)], strict=True)
    return list(images), list(masks)


@pytest.fixture(scope="module")
def fitted(data):
    return KuraNetSegmenter(**QUICK).fit(*data)


def test_segments_of_images_never_seen(fitted):
    for seed in range(100, 105):
        image, mask = stripes(seed)
        found = fitted.predict(image)
        assert found.shape == mask.shape
        assert adjusted_rand_score(mask.ravel(), found.ravel()) > 0.9
        assert fitted.score(image, mask) > 0.95
    assert set(np.unique(found)) == {0, 1, 2}
    assert np.unique(fitted.cluster(image, 2)).size == 2


def test_names_of_labels_do_not_matter(data):
    images, masks = data
    renamed = [7 - 2 * mask for mask in masks]
    models = [KuraNetSegmenter(**{**QUICK, "max_iter": 20}) for _ in range(2)]
    a, b = (
        model.fit(images, labels) for model, labels in zip(models, (masks, renamed), strict=True)
    )
    # Which code a label gets plays no part in the loss but for the order of sums.
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-3)


def test_phases_are_those_of_the_mutual_dynamics(fitted):
    image, mask = stripes(100)
    phases = fitted.transform(image)
    assert phases.shape == mask.shape
    path = fitted.simulate(image)
    np.testing.assert_allclose(np.exp(1j * phases.ravel()), np.exp(1j * path.phases[-1]), atol=1e-5)
    assert np.abs(phases).max() <= np.float32(np.pi)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(image), fitted.predict(image))


def test_an_image_may_have_several_masks(data):
    images, masks = data
    coarse = [np.minimum(mask, 1) for mask in masks]
    model = KuraNetSegmenter(**{**QUICK, "max_iter": 5})
    model.fit([images[0], images[0], images[1]], [masks[0], coarse[0], masks[1]])
    assert len(model.predict(images)) == len(images)


def test_learning_labels_after_groups_and_back(fitted, data):
    image, mask = data[0][0], data[1][0]
    model = pickle.loads(pickle.dumps(fitted)).set_params(n_segments=None, max_iter=60)
    model.fit(image, mask)
    assert (model.predict(image) == mask).mean() > 0.9
    model.set_params(n_segments=3, max_iter=5).fit(*data)
    assert not hasattr(model, "reference_phases_")
    assert not hasattr(model, "smoothing_")
    assert model.predict(image).shape == mask.shape


def test_nothing_to_tell_apart(data):
    images, masks = data
    with pytest.raises(ValueError, match="No mask has two labels"):
        KuraNetSegmenter(**QUICK).fit(images, [np.zeros_like(mask) for mask in masks])
    with pytest.raises(ValueError, match="n_segments"):
        clone(KuraNetSegmenter(n_segments=1)).fit(images, masks)
    with pytest.raises(ValueError, match="normalization='balanced' does not go with"):
        KuraNetSegmenter(normalization="balanced", **QUICK).fit(images, masks)


def test_loss_of_pairs_is_their_cross_entropy():
    objective = PairObjective(torch.tensor([0, 0, 1]), synchrony=0.0)
    K = torch.tensor([[[0.0, 0.5, -0.5], [0.5, 0.0, -0.5], [-0.5, -0.5, 0.0]]])
    index = torch.tensor([[0, 1, 2]])
    loss = objective.loss(DenseCoupling(K), torch.zeros(1, 1, 3), index)
    logit = objective.scale * 3 * 0.5
    expected = (6 * np.log1p(np.exp(-logit)) + 3 * np.log(2.0)) / 9
    np.testing.assert_allclose(float(loss), expected, rtol=1e-6)
    # Groups in phase and opposite each other cost nothing.
    phases = torch.tensor([[[1.0, 1.0, 1.0 + np.pi]]])
    assert abs(float(objective.limit_loss(phases, index))) < 1e-6
