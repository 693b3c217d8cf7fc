"""Superpixels of an image, of one kind or of several that overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from skimage.segmentation import felzenszwalb, slic
from torch import Tensor
from torch.nn.functional import normalize

from skkuranet.grouping.edge_features_images import image_graph
from skkuranet.grouping.graph import Graph
from skkuranet.grouping.image_cues import Cues
from skkuranet.grouping.network import distances_along

# Superpixels of an image, more or less, and how compact they are.
_SUPERPIXELS, _COMPACTNESS = 600, 8.0
# Scale and least size of those by felzenszwalb, as shares of an image, so that there are about 500
# of a photograph; and at least, as those of small images would be noise.
_SCALE, _LEAST = 1 / 5000, 1 / 2500
_LEAST_SCALE, _LEAST_SIZE = 30.0, 30


def _slic(rgb: np.ndarray) -> np.ndarray:
    return slic(rgb, _SUPERPIXELS, _COMPACTNESS, sigma=1.0, start_label=0)


def _felzenszwalb(rgb: np.ndarray) -> np.ndarray:
    n_pixels = rgb.shape[0] * rgb.shape[1]
    scale = max(_LEAST_SCALE, _SCALE * n_pixels)
    return felzenszwalb(rgb, scale, sigma=0.8, min_size=max(_LEAST_SIZE, int(_LEAST * n_pixels)))


def _each_pixel(rgb: np.ndarray) -> np.ndarray:
    return np.arange(rgb.shape[0] * rgb.shape[1]).reshape(rgb.shape[:2])


#: What makes superpixels (h, w) of colours between 0 and 1 (h, w, 3), by name; None leaves pixels.
SUPERPIXELS: dict[str | None, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {
    "both": (_slic, _felzenszwalb),
    "slic": (_slic,),
    "felzenszwalb": (_felzenszwalb,),
    None: (_each_pixel,),
}


@dataclass(frozen=True)
class Superpixels:
    """An image as superpixels of one kind or several; segments are made of those of the first.

    Parameters
    ----------
    kinds : sequence of ndarray of shape (h, w)
        Superpixel of each kind that each pixel is in, from 0.
    graphs : sequence of Graph
        Those of each kind as a network; none if nothing parts the image.
    """

    kinds: Sequence[np.ndarray]
    graphs: Sequence[Graph]

    def distances(self, states: Sequence[Tensor]) -> np.ndarray:
        """Return the mean over kinds of 1 - cos along the edges of the first, (n_edges,).

        ``states`` (n_dims, n_nodes) are of each kind. For another kind than the first, a superpixel
        is where the pixels in it point on average.
        """
        found = []
        for state, kind in zip(states, self.kinds, strict=True):
            shared = csr_array((np.ones(kind.size), (self.kinds[0].ravel(), kind.ravel())))
            total = torch.from_numpy(shared @ state.mT.double().numpy()).mT
            found.append(distances_along(self.graphs[0], normalize(total, dim=0)))
        return np.mean(found, axis=0)


def superpixels_of(kinds: Sequence[np.ndarray], cues: Callable[[], Cues]) -> Superpixels:
    """Return an image of which superpixels (h, w) of each kind are numbered from 0.

    A kind that does not part the image is left out. ``cues`` returns what is seen of it; where
    nothing parts it, it is not looked at.
    """
    parting = [kind for kind in kinds if kind.any()]
    if not parting:
        return Superpixels(kinds[:1], [])
    seen = cues()
    return Superpixels(parting, [image_graph(seen, kind) for kind in parting])
