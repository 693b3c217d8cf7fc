"""Models saved and loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from skkuranet._utils.messages import warn_caller
from skkuranet.files._container import read, write
from skkuranet.files._plain import Reader, Writer

# Raised where an older library could not read a file any more.
_FORMAT = 1


def save(model: Any, path: Any) -> None:
    """Write a model to one file that holds data and no code.

    Parameters
    ----------
    model : estimator or OscillatorNetwork
        Fitted or not.
    path : str or path-like
        The file, in the format of safetensors. One from before is replaced as a whole.

    Raises
    ------
    TypeError
        If a parameter is something that no file can hold, such as a lambda.

    See Also
    --------
    load : Read such a file.

    Examples
    --------
    >>> import tempfile, os
    >>> import skkuranet
    >>> from sklearn.datasets import make_blobs
    >>> X, y = make_blobs(100, centers=3, random_state=0)
    >>> model = skkuranet.KuraNetClusterer(random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "blobs.skkuranet")
    >>> skkuranet.save(model, path)
    >>> bool((skkuranet.load(path).predict(X) == model.predict(X)).all())
    True
    """
    from skkuranet import __version__

    writer = Writer()
    content = writer.plain(model, type(model).__name__)
    text = {
        "format": str(_FORMAT),
        "skkuranet": __version__,
        "class": type(model).__name__,
        "needs": json.dumps(writer.foreign),
        "content": json.dumps(content),
    }
    write(path, writer.arrays, text)


def load(path: Any, trusted: Iterable[Any] = ()) -> Any:
    """Read a model that :func:`save` has written. Nothing in the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : iterable of classes and functions, default=()
        Those of your own that the model uses, such as a coupling network, an equation of motion
        or a function of features. They are looked up here and nowhere else.

    Returns
    -------
    estimator or OscillatorNetwork

    Raises
    ------
    ValueError
        If the file is damaged, of a newer library, or needs what is not trusted.

    Warns
    -----
    UserWarning
        If it was written by another version of the library.

    Examples
    --------
    >>> import os, tempfile
    >>> import skkuranet
    >>> network = skkuranet.OscillatorNetwork([[0.0, 1.0], [1.0, 0.0]], frequency=[0.2, 0.8])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     network.save(os.path.join(folder, "two"))
    ...     skkuranet.load(os.path.join(folder, "two"))
    OscillatorNetwork(2 units, Kuramoto of frequency)
    """
    from skkuranet import __version__

    arrays, text = read(path)
    name = os.fspath(path)
    number = text.get("format", "")
    if not number.isdecimal():
        raise ValueError(f"{name!r} holds no model of skkuranet.")
    if int(number) > _FORMAT:
        raise ValueError(
            f"{name!r} was written by skkuranet {text.get('skkuranet')}, in a format that is newer "
            f"than this version, {__version__}, knows. Update skkuranet."
        )
    if text.get("skkuranet") != __version__:
        warn_caller(
            f"{name!r} was written by skkuranet {text.get('skkuranet')} and is read by "
            f"{__version__}; answers may differ in the last digits.",
            UserWarning,
        )
    try:
        return Reader(arrays, trusted).thing(json.loads(text["content"]))
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError) as error:
        raise ValueError(f"{name!r} holds no model that this version can make.") from error
