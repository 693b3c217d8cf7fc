"""What neighbouring pixels tell of each other, where they look alike."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from sklearn.decomposition import PCA
from torch.nn.functional import avg_pool2d, interpolate

# Windows have this radius at least on the grid that coefficients are computed on.
_RADIUS = 8
# More channels are reduced to as many principal components.
_CHANNELS = 4


def guided_filter(values, guide, radius, epsilon):
    """Return values (h, w, n) smoothed over windows, but not across the edges of a guide.

    In each window values are replaced by the affine function of the guide that fits them best;
    where windows overlap, their functions are averaged (K. He, J. Sun & X. Tang, "Guided image
    filtering", IEEE Transactions on Pattern Analysis and Machine Intelligence 35, 2013).
    Coefficients of wide windows are computed on a coarser grid (K. He & J. Sun, "Fast guided
    filter", arXiv:1505.00996, 2015). Windows have 2 radius + 1 pixels on a side; one counts as one
    with edges from a variance ``epsilon`` of the guide (h, w, n_channels) on.
    """
    if guide.shape[2] > _CHANNELS:
        flat = guide.reshape(-1, guide.shape[2])
        guide = PCA(_CHANNELS, svd_solver="covariance_eigh").fit_transform(flat)
        guide = guide.reshape(*values.shape[:2], _CHANNELS)
    stride = max(1, radius // _RADIUS)
    size = 2 * max(1, round(radius / stride)) + 1

    def mean(x):
        flat = x.reshape(*x.shape[:2], -1)
        return uniform_filter(flat, size, axes=(0, 1), mode="nearest").reshape(x.shape)

    x, y = _coarse(guide, stride), _coarse(values, stride)
    mean_x, mean_y = mean(x), mean(y)
    variance = mean(x[..., :, None] * x[..., None, :]) - mean_x[..., :, None] * mean_x[..., None, :]
    shared = mean(x[..., :, None] * y[..., None, :]) - mean_x[..., :, None] * mean_y[..., None, :]
    slope = np.linalg.solve(variance + epsilon * np.eye(x.shape[2]), shared)
    offset = mean_y - (mean_x[..., None] * slope).sum(axis=-2)
    slope, offset = mean(slope), mean(offset)
    smoothed = np.empty_like(values)
    # One after the other: in full size they take as much memory as the image each.
    for k in range(values.shape[2]):
        total = _fine(offset[..., k], values.shape[:2])
        for channel in range(guide.shape[2]):
            total += _fine(slope[..., channel, k], values.shape[:2]) * guide[..., channel]
        smoothed[..., k] = total
    return smoothed


def _coarse(image, stride):
    """Mean of each block of pixels, in double precision."""
    planes = torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, 0)
    blocks = avg_pool2d(planes, stride, ceil_mode=True, count_include_pad=False)
    return blocks.movedim(0, -1).double().numpy()


def _fine(plane, shape):
    whole = torch.from_numpy(np.ascontiguousarray(plane, dtype=np.float32))[None, None]
    return interpolate(whole, size=shape, mode="bilinear", align_corners=False)[0, 0].numpy()
