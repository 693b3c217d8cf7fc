"""Masks as users have them: labels of pixels, and which pixels have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skkuranet._utils.messages import naming, plain, warn_caller
from skkuranet.images.files import is_file, read_file

# In masks of these kinds "auto" takes this label for none; unsigned ones have a rule of their own.
_NONE = {"i": -1, "f": -1, "U": ""}
# Share of the pixels from which on zeros of an unsigned array look like pixels nobody labelled.
_MOSTLY = 0.9
# A label is rare below this share of the labelled pixels, and said to be so below this one.
_RARE, _TINY = 0.01, 1e-4
# Rare labels without a pixel inside, from this number on, are what smooth edges leave.
_STRAY = 3


@dataclass(frozen=True)
class Mask:
    """Labels of the pixels of one image.

    Parameters
    ----------
    labels : ndarray of shape (h, w), or (d, h, w) of a volume
        Whole numbers, booleans or strings.
    known : ndarray of that shape, bool
        Which of them count.
    """

    labels: np.ndarray
    known: np.ndarray

    def fitting(self, shape: tuple[int, ...], name: str) -> Mask:
        """Return the mask of an image whose pixels have this shape; raise ValueError if it is none.

        A mask with one channel fits, too.
        """
        if self.labels.shape == (*shape, 1):
            return Mask(self.labels[..., 0], self.known[..., 0])
        if self.labels.shape[:-1] == shape:
            raise ValueError(
                f"{name} has {self.labels.shape[-1]} channels, but a label is one number. If its "
                "colours are labels, number them: np.unique(mask.reshape(-1, mask.shape[-1]), "
                "axis=0, return_inverse=True)[1].reshape(mask.shape[:-1]). If it is of a volume, "
                "set spatial_dims=3."
            )
        if self.labels.shape != shape:
            planes = f"{shape[0]} planes, " if len(shape) == 3 else ""
            raise ValueError(
                f"{name} has shape {self.labels.shape}, but the image has {planes}{shape[-2]} rows "
                f"and {shape[-1]} columns. Pass one label for each pixel."
            )
        return self


@dataclass(frozen=True)
class _Raw:
    """A mask as it was read; ``hidden`` pixels of a masked array have no label."""

    name: str
    labels: np.ndarray
    hidden: np.ndarray
    is_painted: bool


def read_masks(masks, unlabeled, names, classes=(), n_axes=2) -> list[Mask]:
    """Return masks, arrays, PIL images or paths, as labels of one type.

    Whether they fit an image of ``n_axes`` axes of pixels, :meth:`Mask.fitting` tells. ``names``
    are what errors call the masks. ``unlabeled`` is a label, None if all pixels have one, or
    "auto":

    - -1 in signed whole numbers and floats, "" in strings, none in booleans;
    - 0 in unsigned whole numbers from files and PIL images, where painting tools leave it, if
      there are two other labels in all such masks together and ``classes``, known labels, does not
      have it; the caller is told so;
    - none in unsigned arrays.

    Raise ValueError if a mask has labels of other types, or no labels.
    """
    raw = [_raw(mask, name, n_axes) for mask, name in zip(masks, names, strict=True)]
    strings = {one.labels.dtype.kind == "U" for one in raw}
    if len(strings) > 1:
        raise ValueError(
            "Some masks hold strings and others numbers. Use one type, for instance "
            "mask.astype(str)."
        )
    zero = unlabeled == "auto" and _zero_is_none(raw, classes)
    read = []
    for one in raw:
        none = _none_of(one, unlabeled, zero)
        known = ~one.hidden if none is None else ~one.hidden & (one.labels != none)
        if not known.any():
            raise ValueError(
                f"{one.name} has no labels: every pixel is unlabeled={plain(none)}. Label a few "
                "pixels of each segment, or leave the image out; if it is a slice of a volume, set "
                "spatial_dims=3."
            )
        read.append(Mask(one.labels, known))
    if zero:
        _tell_of_zeros(raw, read)
    elif unlabeled == "auto":
        _hint_at_zeros(raw, classes)
    _warn_of_a_twin(read, unlabeled)
    dtype = np.result_type(*(one.labels.dtype for one in raw))
    # 64-bit numbers with and without sign meet in floats, which do not hold them.
    dtype = np.dtype(np.int64) if dtype.kind == "f" else dtype
    return [Mask(one.labels.astype(dtype, copy=False), one.known) for one in read]


def _raw(mask, name, n_axes):
    """Read one mask and check its type."""
    is_painted = is_file(mask)
    if is_painted:
        # A palette image is a mask as it should be: its numbers are labels.
        mask = read_file(mask, name, n_axes=n_axes)
    with naming(name):
        mask = np.ma.asarray(mask)
    labels, hidden = mask.data, np.ma.getmaskarray(mask)
    if not labels.size:
        raise ValueError(f"{name} is empty: its shape is {labels.shape}.")
    return _Raw(name, _typed(labels, hidden, name), hidden, is_painted)


def _typed(labels, hidden, name):
    """Return labels as whole numbers, booleans or strings of this machine."""
    if labels.dtype == object:
        labels = _of_objects(labels, hidden, name)
    kind = labels.dtype.kind
    if kind in "TU":
        return labels.astype(str)
    if kind == "f":
        seen = labels[~hidden]
        if np.isnan(seen).any():
            raise ValueError(
                f"{name} holds NaN, which is no label. Set such pixels to -1 if their segment is "
                "not known: np.nan_to_num(mask, nan=-1)."
            )
        if not (np.isfinite(seen).all() and np.all(seen % 1 == 0)):
            raise ValueError(f"{name} must hold whole numbers, got dtype {labels.dtype}.")
        labels = np.where(hidden, 0, labels)
    elif kind not in "bui":
        raise ValueError(
            f"{name} must hold whole numbers, booleans or strings, got dtype {labels.dtype}."
        )
    limits = np.iinfo(np.int64)
    # Whole numbers of Python are exact, where floats near the limit round to it.
    if int(labels.max()) > limits.max or int(labels.min()) < limits.min:
        raise ValueError(f"{name} holds labels outside the range of 64-bit integers.")
    return labels.astype(np.int64 if kind == "f" else labels.dtype.newbyteorder("="))


def _of_objects(labels, hidden, name):
    """Return labels of Python in the type that NumPy has for them; None and "" alike are none."""
    seen = labels[~hidden]
    names = [isinstance(label, str) for label in seen]
    missing = [label is None for label in seen]
    if any(names):
        if not all(a or b for a, b in zip(names, missing, strict=True)):
            raise ValueError(
                f"{name} mixes strings with other labels. Use one type, for instance "
                "mask.astype(str)."
            )
        return np.where(hidden | (labels == None), "", labels).astype(str)  # noqa: E711
    if any(missing):
        raise ValueError(
            f"{name} holds None, which is no label. Set such pixels to -1 if their segment is not "
            "known."
        )
    return np.array(np.where(hidden, 0, labels).tolist())


def _none_of(mask, unlabeled, zero):
    """The label that stands for none in a mask; None if no label does."""
    kind = mask.labels.dtype.kind
    if unlabeled == "auto":
        return 0 if zero and mask.is_painted and kind == "u" else _NONE.get(kind)
    if unlabeled is None or isinstance(unlabeled, str) != (kind == "U"):
        return None
    return unlabeled if kind == "U" else int(unlabeled)


def _others(masks):
    """Labels but 0 of unsigned masks."""
    found = [np.unique(mask.labels[~mask.hidden]) for mask in masks]
    return np.setdiff1d(np.concatenate(found), [0]) if found else np.array([])


def _zero_is_none(masks: Sequence[_Raw], classes) -> bool:
    painted = [mask for mask in masks if mask.is_painted and mask.labels.dtype.kind == "u"]
    return len(_others(painted)) >= 2 and not any(label == 0 for label in classes)


def _tell_of_zeros(raw, read):
    painted = [
        mask.known
        for one, mask in zip(raw, read, strict=True)
        if one.is_painted and one.labels.dtype.kind == "u"
    ]
    share = np.mean(np.concatenate([~known.ravel() for known in painted]))
    if share > 0:
        warn_caller(
            f"0 counts as unlabelled in masks from files and PIL images: {share:.1%} of their "
            "pixels. Set unlabeled=None if 0 is a label, or unlabeled=0 to be told no more.",
            UserWarning,
        )


def _hint_at_zeros(masks, classes):
    arrays = [mask for mask in masks if not mask.is_painted and mask.labels.dtype.kind == "u"]
    if not arrays or len(classes) or len(_others(arrays)) < 2:
        return
    share = np.mean(np.concatenate([mask.labels.ravel() == 0 for mask in arrays]))
    if share > _MOSTLY:
        warn_caller(
            f"0 counts as a label in masks that are unsigned arrays, and {share:.1%} of the pixels "
            "have it. Set unlabeled=0 if these are not labelled, or unlabeled=None to be told no "
            "more.",
            UserWarning,
        )


def _warn_of_a_twin(masks, unlabeled):
    """Warn of strings that are written like the number that stands for none."""
    none = _NONE["i"] if unlabeled == "auto" else unlabeled
    if none is None or isinstance(none, str) or masks[0].labels.dtype.kind != "U":
        return
    if any((mask.labels == str(none)).any() for mask in masks):
        warn_caller(
            f"The label {str(none)!r} in mask is a string and counts as a segment. Set "
            f"unlabeled={str(none)!r} if its pixels have none; NumPy makes strings of all labels "
            "if one is a string.",
            UserWarning,
        )


def _shifted(codes, step, axis):
    """Return codes of the pixels one step away along an axis; -1 beyond the border."""
    found = np.roll(codes, step, axis)
    edge = (slice(None),) * axis + (0 if step > 0 else -1,)
    found[edge] = -1
    return found


def warn_of_strays(masks: Sequence[Mask], classes: np.ndarray) -> None:
    """Name labels that cover next to nothing, and those that smooth edges leave."""
    counts, inside = (np.zeros(len(classes), dtype=np.int64) for _ in range(2))
    for mask in masks:
        codes = np.where(mask.known, np.searchsorted(classes, mask.labels), -1)
        counts += np.bincount(codes[mask.known], minlength=len(classes))
        alike = codes >= 0
        # Borders of the image have no pixel beyond them that could be alike.
        for axis in range(codes.ndim):
            for step in (1, -1):
                alike &= codes == _shifted(codes, step, axis)
        inside += np.bincount(codes[alike], minlength=len(classes))
    share = counts / counts.sum()
    stray = (share < _RARE) & (inside == 0)
    if stray.sum() >= _STRAY and inside.any():
        warn_caller(
            f"{stray.sum()} of the {len(classes)} labels in mask are stray pixels along the "
            f"borders of others: {plain(classes[stray])}. Smooth edges (anti-aliasing) and JPEG "
            "make such labels, and each counts as a segment. Paint with hard edges, save without "
            "loss, or keep what you meant: "
            f"np.where(np.isin(mask, {plain(classes[inside > 0])}), mask, unlabeled).",
            UserWarning,
        )
    else:
        stray[:] = False
    # Of few labelled pixels, one may be a label.
    tiny = (share < _RARE) & ((share < _TINY) | (counts == 1)) & ~stray
    if tiny.any():
        warn_caller(
            f"These labels in mask cover less than .01 % of the labelled pixels, or a single one: "
            f"{plain(classes[tiny])}. So few say little about a segment; label more, or make them "
            "unlabeled.",
            UserWarning,
        )
