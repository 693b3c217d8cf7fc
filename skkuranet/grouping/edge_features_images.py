"""What is seen of the edges between neighbouring superpixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from skkuranet.grouping.graph import Graph
from skkuranet.grouping.image_cues import N_BINS, Cues

# Logarithms begin here, so that what is nothing stays finite.
_LEAST = 1e-4


@dataclass(frozen=True)
class Borders:
    """Pairs of neighbouring pixels in different superpixels.

    Parameters
    ----------
    edges : ndarray of shape (2, n_edges)
        Superpixels with a common border, each pair once.
    edge : ndarray of shape (n_pairs,)
        Which border a pair of pixels is on.
    pixels : ndarray of shape (2, 2, n_pairs)
        Row and column of both pixels.
    lengths : ndarray of shape (n_edges,)
        Pairs of pixels on each border.
    normals : ndarray of shape (2, n_edges)
        Row and column of the direction across each border, of length 1.
    """

    edges: np.ndarray
    edge: np.ndarray
    pixels: np.ndarray
    lengths: np.ndarray
    normals: np.ndarray


def borders_of(regions: np.ndarray) -> Borders:
    """Return the borders between superpixels (h, w), numbered from 0."""
    n = int(regions.max()) + 1
    rows, columns = np.indices(regions.shape)
    found = []
    for here, there in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        differ = regions[here] != regions[there]
        ends = regions[here][differ], regions[there][differ]
        pixels = [[rows[a][differ], columns[a][differ]] for a in (here, there)]
        found.append((np.stack(ends), np.array(pixels)))
    ends, pixels = (np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True))
    low, high = np.sort(ends, axis=0).astype(np.int64)
    keys, edge = np.unique(low * n + high, return_inverse=True)
    lengths = np.bincount(edge, minlength=len(keys)).astype(float)
    # From the superpixel of the lower number to the other; a sum over pairs is the integral of
    # the normal along the border.
    across = (pixels[1] - pixels[0]) * np.where(ends[0] < ends[1], 1, -1)
    normals = np.stack([np.bincount(edge, one.astype(float), len(keys)) for one in across])
    normals /= np.maximum(np.hypot(*normals), 1e-9)
    return Borders(np.stack((keys // n, keys % n)), edge, pixels, lengths, normals)


def image_graph(cues: Cues, regions: np.ndarray) -> Graph:
    """Return superpixels (h, w), numbered from 0, as a network; neighbours are joined."""
    borders = borders_of(regions)
    n = int(regions.max()) + 1
    sizes, means, variances, histograms = _regions(cues, regions, n)
    i, j = borders.edges
    perimeter = np.bincount(borders.edges.ravel(), np.tile(borders.lengths, 2), n)
    shares = borders.lengths / perimeter[borders.edges]
    area = sizes[borders.edges] / regions.size
    differ = np.abs(means[i] - means[j]) / 100.0
    columns = [
        *_along(cues, borders),
        *differ.T,
        np.sqrt(np.square(differ).sum(1)),
        *(np.abs(np.sqrt(variances[i]) - np.sqrt(variances[j])) / 100.0).T,
        *_chi_squared(histograms, i, j),
        np.log(area.min(0)),
        np.log(area.max(0)),
        np.log(borders.lengths),
        shares.min(0),
        shares.max(0),
    ]
    own = np.stack(columns, axis=1)
    height, width = regions.shape
    rows, places = np.indices(regions.shape)
    place = [
        np.bincount(regions.ravel(), (axis / max(height, width)).ravel(), n) / sizes
        for axis in (rows, places)
    ]
    nodes = np.column_stack(
        (means / 100.0, np.sqrt(variances) / 100.0, *place, np.log(sizes / regions.size))
    )
    return Graph(
        n,
        borders.edges,
        np.concatenate((own, *_in_context(own, borders.edges, n)), axis=1).astype(np.float32),
        np.concatenate((nodes, np.sqrt(histograms)), axis=1).astype(np.float32),
        borders.lengths,
    )


def _regions(
    cues: Cues, regions: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return sizes, means and variances of Lab, and histograms of superpixels."""
    flat = regions.ravel()
    sizes = np.bincount(flat, minlength=n).astype(float)
    inside = sp.csr_array((np.ones(flat.size), (flat, np.arange(flat.size))), shape=(n, flat.size))
    lab = cues.lab.reshape(-1, 3).astype(float)
    means = inside @ lab / sizes[:, None]
    variances = (inside @ np.square(lab) / sizes[:, None] - np.square(means)).clip(0.0)
    colours = inside @ cues.colours.reshape(len(cues.colours), -1).T / sizes[:, None]
    textons = np.bincount(
        flat * cues.n_textons + cues.textons.ravel(), minlength=n * cues.n_textons
    )
    textons = textons.reshape(n, -1)
    return sizes, means, variances, np.concatenate((colours, textons / sizes[:, None]), axis=1)


def _along(cues: Cues, borders: Borders) -> list[np.ndarray]:
    """Return how fast each cue changes along borders: across them, and at most."""
    n = len(borders.lengths)
    edge = np.tile(borders.edge, 2)
    rows, columns = np.moveaxis(borders.pixels, 1, 0).reshape(2, -1)
    by_row, by_column = borders.normals
    found = []
    for level, tensors in cues.gradients:
        here = tensors[:, :, rows >> level, columns >> level]
        for tensor in here:
            rr, rc, cc = (np.bincount(edge, one, n) / (2.0 * borders.lengths) for one in tensor)
            across = rr * by_row**2 + 2.0 * rc * by_row * by_column + cc * by_column**2
            most = 0.5 * (rr + cc) + np.sqrt(0.25 * np.square(rr - cc) + np.square(rc))
            found += [np.sqrt(across.clip(0.0)), np.sqrt(most.clip(0.0))]
    return found


def _chi_squared(histograms: np.ndarray, i: np.ndarray, j: np.ndarray) -> list[np.ndarray]:
    """Return how the histograms of L, a, b and textons differ, roots of the chi-squared."""
    ends = [N_BINS, 2 * N_BINS, 3 * N_BINS]
    return [
        np.sqrt(0.5 * (np.square(p[i] - p[j]) / (p[i] + p[j] + _LEAST)).sum(1))
        for p in np.split(histograms, ends, axis=1)
    ]


def _in_context(own: np.ndarray, edges: np.ndarray, n: int) -> list[np.ndarray]:
    """Return features of edges standardised within the image, and means around both ends."""
    scale = own.std(0)
    standard = (own - own.mean(0)) / np.where(scale > 1e-9, scale, 1.0)
    n_edges = edges.shape[1]
    both = sp.csr_array(
        (np.ones(2 * n_edges), (edges.ravel(), np.tile(np.arange(n_edges), 2))), shape=(n, n_edges)
    )
    means = both @ standard / np.maximum(both.sum(1), 1.0)[:, None]
    around = means[edges]
    return [standard, around.min(0), around.max(0)]
