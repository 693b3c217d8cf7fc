"""A segmented image beside the phases it comes from."""

from __future__ import annotations

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skkuranet._utils.given import as_labels
from skkuranet.estimators._arrays import on_host
from skkuranet.images.masks import read_masks
from skkuranet.images.reading import intensities, read_image
from skkuranet.inspection._base import asked
from skkuranet.inspection._colours import PHASE_COLOURS, colours, wrapped
from skkuranet.inspection._given import array_of, check_fits, numbers

# Of a picture and of its title, in inches.
_WIDTH, _TITLE = 3.2, 0.4


class SegmentationDisplay:
    """An image, the phases of its pixels, their segments, and the true ones (Fig. 4).

    Make one with :meth:`from_estimator`, or from arrays of your own.

    Parameters
    ----------
    image : ndarray of shape (h, w) or (h, w, n_channels)
        Shown in colour if it has three or four channels, else its first channel in grey.
    phases : ndarray of shape (h, w)
        Phase of each pixel in radians; shown on a cyclic colour map.
    labels : ndarray of shape (h, w)
        Segment of each pixel.
    mask : ndarray of shape (h, w), default=None
        True segments, or scribbles; None leaves them out.
    unlabeled : int or str, default=-1
        Label of pixels in ``mask`` that are not labelled; they stay blank, as do those that are
        masked in an array of :mod:`numpy.ma`.
    margins : ndarray of shape (h, w), default=None
        How much likelier the segment of each pixel is than any other, from 0 to 1; None leaves it
        out.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of the last plot, one for each picture.
    figure_ : matplotlib Figure
        Figure of the last plot.

    Examples
    --------
    >>> import numpy as np
    >>> from skkuranet.inspection import SegmentationDisplay
    >>> halves = np.repeat([[0, 1]], 2, axis=0)
    >>> display = SegmentationDisplay(halves, np.pi * halves, halves).plot()
    """

    def __init__(self, image, phases, labels, *, mask=None, unlabeled=-1, margins=None):
        self.image = image
        self.phases = phases
        self.labels = labels
        self.mask = mask
        self.unlabeled = unlabeled
        self.margins = margins

    @classmethod
    def from_estimator(cls, estimator, image, mask=None, *, margins=False, axes=None):
        """Segment an image and plot it.

        Parameters
        ----------
        estimator : KuraNetSegmenter
            A fitted estimator, or a pipeline or search that ends in one.
        image : array of shape (h, w) or (h, w, n_channels), PIL image, or path
            The image.
        mask : array of shape (h, w), PIL image, or path, default=None
            True segments, or scribbles.
        margins : bool, default=False
            Whether to show how sure the segment of each pixel is, of ``predict_proba``.
        axes : sequence of matplotlib Axes, default=None
            One for each picture: three, and one for a mask and for margins each. None makes a new
            figure.

        Returns
        -------
        SegmentationDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the estimator is of volumes.
        """
        model, before = asked(cls, estimator, "transform")
        if model.spatial_dims == 3:
            raise ValueError(
                "SegmentationDisplay shows images, and this segmenter is of volumes. Show a plane "
                "of each: SegmentationDisplay(volume[k], segmenter.transform(volume)[k], "
                "segmenter.predict(volume)[k]).plot()."
            )
        pixels = read_image(image, nodata=model.nodata)
        seen = before(pixels)
        if mask is not None:
            (read,) = read_masks([mask], model.unlabeled, ["mask"], model.classes_)
            read = read.fitting(pixels.shape[:-1], "mask")
            mask = np.ma.masked_array(read.labels, mask=~read.known)
        sure = None
        if margins:
            two = np.sort(model.predict_proba(seen), axis=-1)[..., -2:]
            sure = two[..., 1] - two[..., 0]
        phases, labels = model.transform(seen), model.predict(seen)
        display = cls(pixels, phases, labels, mask=mask, margins=sure)
        return display.plot(axes=axes)

    def plot(self, *, axes=None):
        """Plot the pictures.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            One for each picture: three, and one for a mask and for margins each. None makes a new
            figure.

        Returns
        -------
        SegmentationDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there are not as many axes as pictures.
        """
        check_matplotlib_support("SegmentationDisplay.plot")
        import matplotlib.pyplot as plt

        labels = self._of_pixels("labels")
        phases = numbers(self.phases, "phases", labels.shape, "as labels have")
        margins = self.margins
        if margins is not None:
            margins = numbers(margins, "margins", labels.shape, "as labels have")
        image = read_image(self.image)
        if image.shape[:-1] != labels.shape:
            raise ValueError(
                f"labels must have shape {image.shape[:-1]}, as image has, got {labels.shape}."
            )
        mask = None if self.mask is None else self._of_pixels("mask")
        if mask is not None and mask.shape != labels.shape:
            raise ValueError(f"mask must have shape {labels.shape}, got {mask.shape}.")
        n_pictures = 3 + (self.mask is not None) + (self.margins is not None)
        if axes is None:
            height, width = labels.shape
            size = _WIDTH * n_pictures, _WIDTH * height / width + _TITLE
            _, axes = plt.subplots(1, n_pictures, figsize=size, layout="constrained")
        if len(axes) != n_pictures:
            raise ValueError(f"axes must be {n_pictures}, one for each picture, got {len(axes)}.")
        self.axes_, self.figure_ = np.asarray(axes), axes[0].figure
        picture = intensities(image)
        colour = picture.shape[2] in (3, 4)
        self.axes_[0].imshow(picture if colour else picture[..., 0], cmap="gray")
        self.axes_[1].imshow(wrapped(phases), **PHASE_COLOURS)
        shown = [labels] if mask is None else [labels, np.ma.getdata(mask)]
        classes, palette = colours(np.concatenate([np.unique(s) for s in shown]))
        # Pixels that are not labelled stay blank.
        palette[_equal(classes, self.unlabeled)] = 0.0
        pictures = [palette[np.searchsorted(classes, segments)] for segments in shown]
        if mask is not None:
            pictures[1][np.ma.getmaskarray(mask)] = 0.0
        titles = ["image", "phases", "segments", "mask"][: 2 + len(pictures)]
        for ax, picture in zip(self.axes_[2:], pictures, strict=False):
            ax.imshow(picture, interpolation="nearest")
        if margins is not None:
            self.axes_[-1].imshow(margins, vmin=0.0, vmax=1.0, cmap="gray")
            titles.append("margins")
        for ax, title in zip(self.axes_, titles, strict=True):
            ax.set(title=title, xticks=[], yticks=[])
        return self

    def _of_pixels(self, name):
        """Return segments or a mask as an array of two axes, masked where it was."""
        value = getattr(self, name)
        found = as_labels(value if np.ma.isMA(value) else on_host(value), name)
        check_fits(found, name, (None, None), "one label for each pixel")
        return found


def _equal(classes, label):
    """Return which classes are a label, which may be of another type or none."""
    found = array_of(label, "unlabeled")
    if found.ndim:
        raise ValueError(f"unlabeled must be one label, got shape {found.shape}.")
    return np.array([bool(one == label) for one in classes.tolist()])
