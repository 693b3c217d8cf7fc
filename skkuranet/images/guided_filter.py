"""What neighbouring pixels tell of each other, where they look alike."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from sklearn.decomposition import PCA
from torch.nn.functional import avg_pool2d, avg_pool3d, interpolate

# Windows have this radius at least on the grid that coefficients are computed on.
_RADIUS = 8
# More channels are reduced to as many principal components.
_CHANNELS = 4
# Of images and of volumes.
_POOLS, _MODES = {2: avg_pool2d, 3: avg_pool3d}, {2: "bilinear", 3: "trilinear"}


def guided_filter(values, guide, radius, epsilon):
    """Return values (*shape, n) smoothed over windows, but not across the edges of a guide.

    In each window values are replaced by the affine function of the guide that fits them best;
    where windows overlap, their functions are averaged (K. He, J. Sun & X. Tang, "Guided image
    filtering", IEEE Transactions on Pattern Analysis and Machine Intelligence 35, 2013).
    Coefficients of wide windows are computed on a coarser grid (K. He & J. Sun, "Fast guided
    filter", arXiv:1505.00996, 2015). Windows have 2 radius + 1 pixels on a side; one counts as one
    with edges from a variance ``epsilon`` of the guide (*shape, n_channels) on; ``shape`` has two
    axes, or three of a volume.
    """
    shape = values.shape[:-1]
    if guide.shape[-1] > _CHANNELS:
        flat = guide.reshape(-1, guide.shape[-1])
        guide = PCA(_CHANNELS, svd_solver="covariance_eigh").fit_transform(flat)
        guide = guide.reshape(*shape, _CHANNELS)
    stride = max(1, radius // _RADIUS)
    size = 2 * max(1, round(radius / stride)) + 1

    def mean(x):
        axes = tuple(range(len(shape)))
        flat = x.reshape(*x.shape[: len(shape)], -1)
        return uniform_filter(flat, size, axes=axes, mode="nearest").reshape(x.shape)

    x, y = _coarse(guide, stride), _coarse(values, stride)
    mean_x, mean_y = mean(x), mean(y)
    variance = mean(x[..., :, None] * x[..., None, :]) - mean_x[..., :, None] * mean_x[..., None, :]
    shared = mean(x[..., :, None] * y[..., None, :]) - mean_x[..., :, None] * mean_y[..., None, :]
    slope = np.linalg.solve(variance + epsilon * np.eye(x.shape[-1]), shared)
    offset = mean_y - (mean_x[..., None] * slope).sum(axis=-2)
    slope, offset = mean(slope), mean(offset)
    smoothed = np.empty_like(values)
    # One after the other: in full size they take as much memory as the image each.
    for k in range(values.shape[-1]):
        total = _fine(offset[..., k], shape)
        for channel in range(guide.shape[-1]):
            total += _fine(slope[..., channel, k], shape) * guide[..., channel]
        smoothed[..., k] = total
    return smoothed


def _coarse(image, stride):
    """Mean of each block of pixels, in double precision."""
    pool = _POOLS[image.ndim - 1]
    planes = torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, 0)
    # A volume has to have an axis of samples.
    blocks = pool(planes[None], stride, ceil_mode=True, count_include_pad=False)[0]
    return blocks.movedim(0, -1).double().numpy()


def _fine(plane, shape):
    whole = torch.from_numpy(np.ascontiguousarray(plane, dtype=np.float32))[None, None]
    return interpolate(whole, size=shape, mode=_MODES[plane.ndim], align_corners=False)[
        0, 0
    ].numpy()
