"""The Berkeley segmentation data set, and the paper's nine images of it."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import shutil
import tarfile
import tempfile
import time
import zlib
from numbers import Integral, Real
from pathlib import Path
from urllib.request import urlopen

import numpy as np
from filelock import FileLock
from scipy.io import loadmat
from skimage.io import imread
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch, check_scalar

from skkuranet._utils.messages import warn_caller
from skkuranet._utils.whole_file import remove_parts, whole_file

_SUBSETS = ("train", "val", "test")
_ARCHIVE = "BSR_bsds500.tgz"
_MIRROR = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/" + _ARCHIVE
_SHA256 = "97e49d31764f3912f0c4122707d53062ac9e783ba0f095e447a4d53c1a41af8e"
# Bytes that an archive, and what is in it, may take: about twice what they do.
_MOST_PACKED, _MOST_UNPACKED = 150_000_000, 500_000_000
_AT_ONCE = 1 << 20
# Of folders that archives are unpacked in.
_ASIDE = "unpacking-"

_DESCR = """\
Berkeley Segmentation Data Set 500: natural images of 321 x 481 pixels, each segmented by several
people. P. Arbelaez, M. Maire, C. Fowlkes and J. Malik, "Contour detection and hierarchical image
segmentation", IEEE Transactions on Pattern Analysis and Machine Intelligence 33, 2011.
For non-commercial research and education."""

# Image, index of the human segmentation, labels of each group; all other labels are background.
_PAPER = {
    90076: (4, [[11], [9], [7]]),
    118020: (3, [[12, 10, 8], [1], [2, 3], [4]]),
    124084: (0, [[2], [3], [4], [5]]),
    189011: (0, [[11], [7], [5]]),
    229036: (2, [[3], [4], [5]]),
    247003: (0, [[2], [3], [4]]),
    296028: (0, [[1], [6], [8], [10]]),
    317080: (2, [[1, 3], [4, 5, 6], [7]]),
    361010: (3, [[5, 14, 17, 27], [13, 15, 18, 20], [12]]),
}


def load_bsds500(path, *, subset="train", ids=None, return_X_y=False):
    """Load images of BSDS500 and their human segmentations from a folder.

    Parameters
    ----------
    path : str or path-like
        Folder with the subfolders ``images`` and ``groundTruth``, or one in which the archive
        of the data set was unpacked.
    subset : {"train", "val", "test"}, default="train"
        Which images.
    ids : sequence of int, default=None
        Numbers of the images wanted; None for all of the subset.
    return_X_y : bool, default=False
        Return the images and the first segmentation of each.

    Returns
    -------
    Bunch or (list, list)
        ``images``, a list of uint8 arrays of shape (h, w, 3); ``segmentations``, for each image
        the list of its segmentations, int arrays of shape (h, w); ``ids``; ``DESCR``.

    Raises
    ------
    ValueError
        If ``subset`` is unknown.
    FileNotFoundError
        If the folder does not hold the data set or an image is not in it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from scipy.io import savemat
    >>> from skkuranet.datasets import load_bsds500
    >>> folder = Path(tempfile.mkdtemp())
    >>> for kind in ("images", "groundTruth"):
    ...     (folder / "BSR/BSDS500/data" / kind / "train").mkdir(parents=True)
    >>> data = folder / "BSR/BSDS500/data"
    >>> Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(data / "images/train/7.jpg")
    >>> people = np.empty((1, 1), dtype=object)
    >>> people[0, 0] = {"Segmentation": np.ones((4, 6), np.uint16)}
    >>> savemat(data / "groundTruth/train/7.mat", {"groundTruth": people})
    >>> bunch = load_bsds500(folder)
    >>> bunch.ids, bunch.images[0].shape
    ([7], (4, 6, 3))
    """
    folder = _data_folder(path)
    _check_subset(subset)
    if ids is None:
        ids = sorted(int(p.stem) for p in (folder / "images" / subset).glob("*.jpg"))
        if not ids:
            raise FileNotFoundError(f"No images of subset={subset!r} in path={str(folder)!r}.")
    data = Bunch(
        images=[_read_image(folder, i, (subset,)) for i in ids],
        segmentations=[_read_segmentations(folder, i, (subset,)) for i in ids],
        ids=list(ids),
        DESCR=_DESCR,
    )
    if return_X_y:
        return data.images, [segmentations[0] for segmentations in data.segmentations]
    return data


def load_bsds500_paper(path, *, return_X_y=False):
    """Load the paper's nine images of BSDS500, with the segments that it groups labels into.

    Parameters
    ----------
    path : str or path-like
        Folder of the data set; see :func:`load_bsds500`.
    return_X_y : bool, default=False
        Return images and masks.

    Returns
    -------
    Bunch or (list, list)
        ``images``, a list of uint8 arrays of shape (321, 481, 3); ``masks``, a list of int arrays
        of shape (321, 481) whose label 0 is the background; ``ids``; ``DESCR``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the images.

    Examples
    --------
    >>> from skkuranet.datasets import load_bsds500_paper
    >>> try:
    ...     images, masks = load_bsds500_paper("no/such/folder", return_X_y=True)
    ... except FileNotFoundError:
    ...     print("see fetch_bsds500")
    see fetch_bsds500
    """
    folder = _data_folder(path)
    images, masks = [], []
    for number, (person, groups) in _PAPER.items():
        images.append(_read_image(folder, number, _SUBSETS))
        labels = _read_segmentations(folder, number, _SUBSETS)[person]
        masks.append(sum(k * np.isin(labels, group) for k, group in enumerate(groups, 1)))
    if return_X_y:
        return images, masks
    return Bunch(images=images, masks=masks, ids=[*_PAPER], DESCR=_DESCR)


def fetch_bsds500(
    data_home=None,
    *,
    subset="train",
    ids=None,
    mirror=_MIRROR,
    sha256=_SHA256,
    download_if_missing=True,
    n_retries=3,
    delay=1.0,
    timeout=60.0,
    return_X_y=False,
):
    """Load BSDS500, and download it first (71 MB) where it is missing.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder for data sets; None for scikit-learn's, ``~/scikit_learn_data``.
    subset : {"train", "val", "test"}, default="train"
        Which images.
    ids : sequence of int, default=None
        Numbers of the images wanted; None for all of the subset.
    mirror : str, default=URL of the authors
        URL of the archive.
    sha256 : str, default=checksum of the authors' archive
        Checksum that the archive must have.
    download_if_missing : bool, default=True
        If False, raise an error where the data set is not there.
    n_retries : int, default=3
        Number of times that a broken connection is tried again.
    delay : float, default=1.0
        Seconds between tries.
    timeout : float, default=60.0
        Seconds without an answer after which a connection counts as broken.
    return_X_y : bool, default=False
        Return the images and the first segmentation of each.

    Returns
    -------
    Bunch or (list, list)
        As :func:`load_bsds500` does.

    Raises
    ------
    OSError
        If the data set is missing and may not be or cannot be downloaded, or if the archive is not
        the one expected; such an archive is not kept.

    Examples
    --------
    >>> from skkuranet.datasets import fetch_bsds500
    >>> try:
    ...     images = fetch_bsds500("no/such/folder", download_if_missing=False).images
    ... except OSError as error:
    ...     print("not there yet")
    not there yet
    """
    _check_subset(subset)
    check_scalar(n_retries, "n_retries", Integral, min_val=0)
    check_scalar(timeout, "timeout", Real, min_val=0.0, include_boundaries="neither")
    home = Path(get_data_home(data_home)) / "bsds500"
    try:
        _data_folder(home)
    except FileNotFoundError:
        if not download_if_missing:
            raise OSError(
                f"BSDS500 is not in data_home={str(home.parent)!r} and download_if_missing=False."
            ) from None
        home.mkdir(parents=True, exist_ok=True)
        # Several processes may ask at once: one downloads, and the others wait.
        with FileLock(home.with_suffix(".lock")):
            _make(home, mirror, sha256, n_retries, delay, timeout)
    return load_bsds500(home, subset=subset, ids=ids, return_X_y=return_X_y)


def _check_subset(subset):
    if subset not in _SUBSETS:
        raise ValueError(f"subset must be one of {_SUBSETS}, got {subset!r}.")


def _data_folder(path):
    path = Path(path)
    for folder in (path, path / "BSDS500" / "data", path / "BSR" / "BSDS500" / "data"):
        if (folder / "images").is_dir() and (folder / "groundTruth").is_dir():
            return folder
    raise FileNotFoundError(
        f"path={str(path)!r} has no folders 'images' and 'groundTruth'. Pass the folder of "
        "BSDS500, or call fetch_bsds500."
    )


def _find(folder, kind, number, subsets, ending):
    for subset in subsets:
        found = folder / kind / subset / f"{number}.{ending}"
        if found.exists():
            return found
    raise FileNotFoundError(f"Image {number} is not in {' or '.join(subsets)} of {str(folder)!r}.")


def _read_image(folder, number, subsets):
    return imread(_find(folder, "images", number, subsets, "jpg"))


def _read_segmentations(folder, number, subsets):
    people = loadmat(_find(folder, "groundTruth", number, subsets, "mat"))["groundTruth"][0]
    return [person["Segmentation"][0, 0].astype(np.int64) for person in people]


def _make(home, mirror, sha256, n_retries, delay, timeout):
    """Download the archive and unpack it, unless another process has."""
    try:
        _data_folder(home)
        return
    except FileNotFoundError:
        pass
    archive = home / _ARCHIVE
    # What processes have left that were killed.
    remove_parts(archive)
    for aside in home.glob(f"{_ASIDE}*"):
        shutil.rmtree(aside, ignore_errors=True)
    if not archive.exists() or _digest(archive) != sha256:
        _download(mirror, archive, sha256, n_retries, delay, timeout)
    # Aside first: a folder that is there is whole.
    with tempfile.TemporaryDirectory(dir=home, prefix=_ASIDE) as aside:
        _unpack(archive, Path(aside), mirror)
        for folder in Path(aside).iterdir():
            if (home / folder.name).exists():
                shutil.rmtree(home / folder.name)
            folder.rename(home / folder.name)
    archive.unlink()


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(mirror, archive, sha256, n_retries, delay, timeout):
    """Download the archive, which is there as a whole or not at all."""
    for n_left in range(n_retries, -1, -1):
        try:
            with urlopen(mirror, timeout=timeout) as answer, whole_file(archive) as file:
                _copy(answer, file, sha256)
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Whatever is no connection will be the same when asked again.
            if not n_left or isinstance(error, ValueError):
                raise OSError(
                    f"mirror={mirror!r} does not give BSDS500: {str(error).rstrip('.')}. Pass "
                    "another mirror, or call again."
                ) from error
            warn_caller(f"Retry downloading BSDS500 from {mirror!r}: {error}.", UserWarning)
            time.sleep(delay)


def _copy(answer, file, sha256):
    """Copy what a server sends to a file; raise where it is too much, too little or another."""
    expected, found, digest = answer.headers.get("Content-Length"), 0, hashlib.sha256()
    while part := answer.read(_AT_ONCE):
        found += len(part)
        if found > _MOST_PACKED:
            raise ValueError(f"it sends more than {_MOST_PACKED:,} bytes")
        digest.update(part)
        file.write(part)
    if expected is not None and found < int(expected):
        raise ConnectionError(f"it broke off after {found:,} of {expected} bytes")
    if digest.hexdigest() != sha256:
        raise ValueError(f"the SHA256 checksum {digest.hexdigest()} differs from expected {sha256}")


def _unpack(archive, folder, mirror):
    """Unpack an archive; delete it where that cannot be done, or it holds something else."""
    n_bytes = 0

    def checked(member, path):
        nonlocal n_bytes
        n_bytes += member.size
        if n_bytes > _MOST_UNPACKED:
            raise tarfile.ReadError(f"it holds more than {_MOST_UNPACKED:,} bytes")
        return tarfile.data_filter(member, path)

    try:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter=checked)
        _data_folder(folder)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, FileNotFoundError) as error:
        archive.unlink()
        what = str(error).rstrip(".")
        if isinstance(error, FileNotFoundError):
            what = "there are no folders 'images' and 'groundTruth' in it"
        raise OSError(
            f"The archive of mirror={mirror!r} cannot be unpacked: {what}. Pass another mirror and "
            "its sha256."
        ) from error
