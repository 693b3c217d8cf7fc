"""Pixels of files and PIL images, as they are shown."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from tifffile import TiffFile

from skkuranet._utils.messages import warn_caller

# Formats that hold pixels. Others hold programs (PostScript), or need readers of their own.
_FORMATS = (
    *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX"),
    *("PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP"),
)
# Formats whose further pictures are previews, layers or the other eye's.
_ONE_PICTURE = ("ICNS", "ICO", "MPO", "PSD")
# How TIFF files begin, the large ones too.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Colours of a TIFF whose numbers mean what they say.
_COLOURS = ("MINISBLACK", "RGB")
# Axes of a TIFF that are pixels and channels, and what others count.
_PIXELS_AND_CHANNELS, _COUNTED = "YXCS", {"T": "times", "Z": "planes of a volume"}

# Names that a note lists, at most.
_NAMES = 10
# What an orientation of EXIF asks for, of arrays (h, w, ...).
_TURNS = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def is_file(source):
    """Return whether pixels have to be read, from a path or a PIL image."""
    return isinstance(source, (str, os.PathLike, Image.Image))


def in_folder(source, name):
    """Return the images in a folder, by their names, and anything else as it is.

    Hidden files and those of other kinds do not count. Raise ValueError if there is none.
    """
    if not isinstance(source, (str, os.PathLike)) or not os.path.isdir(source):
        return source
    kinds = {end for end, kind in Image.registered_extensions().items() if kind in _FORMATS}
    found = [
        path
        for path in sorted(Path(source).iterdir())
        if path.suffix.lower() in kinds and not path.name.startswith(".")
    ]
    if not found:
        raise ValueError(f"{name}={str(source)!r} is a folder without images.")
    return found


def check_names(images, masks):
    """Raise ValueError unless the files of two folders go together by their names, one by one."""
    for image, mask in zip(images, masks, strict=False):
        if image.stem not in mask.stem and mask.stem not in image.stem:
            raise ValueError(
                f"Files of two folders go together in the order of their names, but "
                f"{image.name!r} and {mask.name!r} do not. Name masks after their images, or pass "
                "lists."
            )


def read_file(source, name, *, n_axes=2, modes=None, turned=None):
    """Return the pixels of a path or PIL image, (h, w) or (h, w, n_channels).

    With ``n_axes=3`` it is a volume, (d, h, w) or (d, h, w, n_channels), from a TIFF whose axes say
    that its pages are planes; any other file is a volume of one plane. Errors call the source
    ``name``. ``modes`` are those of PIL that may be; None takes all. Names
    of images that EXIF turns go to the list ``turned``; without one the caller is told at once.
    Raise ValueError for another mode, or several pages that are not channels; OSError if the file
    is no image.
    """
    if isinstance(source, Image.Image):
        found = None
        pixels, is_turned = _read_pillow(source, name, modes)
    else:
        label = f"{name}={str(source)!r}"
        try:
            with open(source, "rb") as file:
                is_tiff = file.read(4) in _TIFF
        except OSError as error:
            raise type(error)(error.errno, f"{label} cannot be read: {error.strerror}") from error
        found = _read_tiff(source, label, n_axes) if is_tiff else None
        pixels, is_turned = _open(source, label, modes) if found is None else found
    if n_axes == 3 and found is None:
        pixels = pixels[None]
    if is_turned:
        if turned is None:
            note_turned([name])
        else:
            turned.append(name)
    return pixels


def note_turned(names):
    """Say, once for all images of a call, which of them EXIF turns."""
    if names:
        which = names[0] if len(names) == 1 else f"[{', '.join(names[:_NAMES])}]"
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        warn_caller(
            f"EXIF turns {which}{more}: pixels are taken as viewers show them, and a mask has to "
            "fit that. To be told no more, save the image turned: "
            "PIL.ImageOps.exif_transpose(image).",
            UserWarning,
        )


def _open(path, name, modes):
    """Read a file by Pillow."""
    # Pillow has these formats only where it was built with them.
    Image.init()
    try:
        with Image.open(path, formats=[known for known in _FORMATS if known in Image.OPEN]) as file:
            return _read_pillow(file, name, modes)
    except Image.DecompressionBombError as error:
        raise OSError(
            f"{name} is larger than Pillow opens: {error}. If it can be trusted, raise "
            "PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except UnidentifiedImageError as error:
        raise OSError(
            f"{name} is not an image that Pillow can read. Read it yourself, for instance by "
            "np.load, and pass the array."
        ) from error


def _read_pillow(image, name, modes):
    """Return the pixels of a PIL image, and whether EXIF turns them."""
    if image.format not in _ONE_PICTURE and getattr(image, "is_animated", False):
        raise ValueError(
            f"{name} has {image.n_frames} pages, and nothing says that they are channels. Pass one "
            "of them, image.seek(i) and image.copy() of a PIL image, or a list of several."
        )
    if modes is not None and image.mode not in modes:
        raise ValueError(
            f"{name} has the mode {image.mode!r}, whose numbers are not intensities of light. "
            "Convert it first: image.convert('RGB')."
        )
    try:
        asked = image.getexif().get(ExifTags.Base.Orientation)
        # Pillow reads pixels when they are first looked at, and turns those of a TIFF itself.
        pixels = np.asarray(image)
        left = image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, ValueError) as error:
        raise OSError(f"{name} is damaged or cut off: {error}.") from error
    return _turned(pixels, left), asked in _TURNS


def _turned(pixels, orientation):
    return _TURNS[orientation](pixels) if orientation in _TURNS else pixels


def _read_tiff(path, name, n_axes):
    """Return the pixels of a TIFF, and whether EXIF turns them; None if Pillow has to read it.

    Pillow knows no axes, and keeps eight bits of some pixels that have more.
    """
    try:
        with TiffFile(path) as file:
            # Pages may be smaller copies, or masks, of others.
            pictures = [s for s in file.series if not _is_aside(s.keyframe)]
            page = pictures[0].keyframe
            fault = _fault(pictures, n_axes)
            if fault is None and page.photometric.name not in _COLOURS:
                return None
            pixels = pictures[0].asarray() if fault is None else None
            axes, tag = pictures[0].axes, page.tags.get("Orientation")
    except (ValueError, IndexError, struct.error) as error:
        if "imagecodecs" not in str(error) or (len(pictures[0]) == 1 and page.bitspersample <= 8):
            # Pillow knows this compression, or says what is wrong.
            return None
        fault = "is compressed, and cannot be read without a package: pip install imagecodecs"
    if fault is not None:
        raise ValueError(f"{name} {fault}.")
    orientation = None if tag is None else tag.value
    if n_axes == 3:
        return _volume(pixels, axes), False
    return _turned(_channels_last(pixels, axes), orientation), orientation in _TURNS


def _is_aside(page):
    return page.is_reduced or page.is_mask


def _fault(pictures, n_axes):
    """Say why the pictures of a TIFF are not one image or volume; None if they are."""
    if len(pictures) > 1:
        return (
            f"has {len(pictures)} pictures of different shapes. Pass one as an array: "
            "tifffile.imread(path, series=0)"
        )
    axes, shape = pictures[0].axes, pictures[0].shape
    known = _PIXELS_AND_CHANNELS + ("Z" if n_axes == 3 else "")
    counted = [axis for axis in axes if axis not in known]
    if not counted:
        return None
    n_pages = math.prod(n for axis, n in zip(axes, shape, strict=True) if axis in counted)
    kind = _COUNTED.get(counted[0], "pages") if len(counted) == 1 else "pages"
    if n_axes == 3:
        return (
            f"has {n_pages} {kind}, and nothing says that they are planes of a volume. If they "
            "are, pass them as an array: tifffile.imread(path)"
        )
    volume = "Set spatial_dims=3 to read a volume. Or pass" if counted == ["Z"] else "Pass"
    return (
        f"has {n_pages} {kind}, and nothing says that they are channels. {volume} one as an array, "
        "tifffile.imread(path)[0], or, if they are channels, all of them: "
        "np.moveaxis(tifffile.imread(path), 0, -1)"
    )


def _volume(pixels, axes):
    """Return pixels with the axes of a TIFF, such as ZCYX, as (d, h, w[, n_channels])."""
    if "Z" not in axes:
        pixels, axes = pixels[None], "Z" + axes
    pixels = np.moveaxis(pixels, [axes.index(axis) for axis in "ZYX"], (0, 1, 2))
    return pixels if pixels.ndim == 3 else pixels.reshape(*pixels.shape[:3], -1)


def _channels_last(pixels, axes):
    """Return pixels with the axes of a TIFF, such as CYX, as (h, w) or (h, w, n_channels)."""
    rows, columns = axes.index("Y"), axes.index("X")
    pixels = np.moveaxis(pixels, (rows, columns), (0, 1))
    return pixels if pixels.ndim == 2 else pixels.reshape(*pixels.shape[:2], -1)
