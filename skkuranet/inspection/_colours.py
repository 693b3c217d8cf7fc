"""Colours of classes, numbers and phases, and what explains them."""

from __future__ import annotations

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from skkuranet._utils.messages import plain
from skkuranet.estimators._arrays import on_host

# Shades of red, green and blue that colours of classes are mixed from, and how dark and light
# these may be on white paper, in CIE L*.
_SHADES, _DARKEST, _LIGHTEST = 12, 30.0, 80.0
# Classes that a legend names, the share of a colour bar that names may cover, and sizes of these
# in points.
_IN_LEGEND, _LINES, _SIZES = 10, 0.8, (5.0, 10.0)
# Area of a point in a legend, in square points.
_LEGEND_AREA = 50.0
# More distinct numbers than this are no classes, even if all are whole.
_MOST_CLASSES = 50
# Of phases, on a cyclic colour map.
PHASE_COLOURS = {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}


def wrapped(phases):
    """Return phases between −π and π."""
    return np.angle(np.exp(1j * np.asarray(phases, dtype=float)))


def are_numbers(values):
    """Tell whether values are points on a scale, rather than names of classes.

    They are if they are floating-point and not all whole, or if more than fifty numbers differ.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        return False
    known = values[np.isfinite(values)]
    return bool((known % 1 != 0).any()) or len(np.unique(known)) > _MOST_CLASSES


def phase_bar(ax, mappable):
    """Explain the colours of phases by a colour bar, and return it."""
    bar = ax.figure.colorbar(mappable, ax=ax, label="phase")
    bar.set_ticks([-np.pi, 0.0, np.pi], labels=["−π", "0", "π"])
    return bar


def scatter(ax, x, y, values=None, *, kind="auto", named=True, **settings):
    """Draw points in the colours of their values.

    Parameters
    ----------
    ax : matplotlib Axes
    x, y : ndarray of shape (n,)
    values : array-like of shape (n,) or None
        None draws all of them alike.
    kind : {"auto", "phase", "number", "class"}
        What the values are; "auto" tells numbers from classes by :func:`are_numbers`.
    named : bool
        Whether colours are explained.
    **settings
        Passed to ``Axes.scatter``.

    Returns
    -------
    points : list of PathCollection
        One, or one for each class.
    groups : list of index
        Which of the values each of them shows.
    explained : Legend, Colorbar or None

    Raises
    ------
    ValueError
        If there is no such kind, or not one value for each point.
    """
    if kind not in ("auto", *KINDS):
        raise ValueError(f"kind must be one of {['auto', *KINDS]}, got {plain(kind)}.")
    if values is None:
        points = ax.scatter(x, y, **{"color": "tab:blue", **settings})
        return [points], [slice(None)], None
    # A series knows what its values are.
    name, values = getattr(values, "name", None), np.asarray(on_host(values))
    if values.shape != np.shape(x):
        raise ValueError(
            f"There must be one value for each of the {len(x)} nodes, got shape {values.shape}."
        )
    if kind == "auto":
        kind = "number" if are_numbers(values) else "class"
    return KINDS[kind](ax, x, y, values, named, name, settings)


def _scatter_phases(ax, x, y, values, named, name, settings):
    points = ax.scatter(x, y, c=wrapped(values), **{**PHASE_COLOURS, **settings})
    return [points], [slice(None)], phase_bar(ax, points) if named else None


def _scatter_numbers(ax, x, y, values, named, name, settings):
    import matplotlib

    # What is not known is grey.
    scale = matplotlib.colormaps["viridis"].with_extremes(bad="0.8")
    points = ax.scatter(x, y, c=values, plotnonfinite=True, **{"cmap": scale, **settings})
    bar = ax.figure.colorbar(points, ax=ax, label=name or "") if named else None
    return [points], [slice(None)], bar


def _scatter_classes(ax, x, y, values, named, name, settings):
    classes, palette = colours(values)
    groups = [np.flatnonzero(values == label) for label in classes]
    points = [
        ax.scatter(x[own], y[own], **{"color": [colour], "label": str(label), **settings})
        for own, label, colour in zip(groups, classes, palette, strict=True)
    ]
    scale = (_LEGEND_AREA / np.mean(settings.get("s", _LEGEND_AREA))) ** 0.5
    explained = name_classes(ax, classes, palette, markerscale=scale) if named else None
    return points, groups, explained


#: Kinds of values by name: what draws points in their colours.
KINDS = {"phase": _scatter_phases, "number": _scatter_numbers, "class": _scatter_classes}


def colours(labels):
    """Return the classes and a colour for each of them.

    Parameters
    ----------
    labels : ndarray of shape (n,)

    Returns
    -------
    classes : ndarray of shape (k,)
    palette : ndarray of shape (k, 4)
    """
    import matplotlib

    classes = np.unique(labels)
    chosen = [*matplotlib.colormaps["tab10"].colors][: len(classes)]
    side = np.linspace(0.0, 1.0, _SHADES)
    others = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3)
    lab = rgb2lab(others)
    visible = (lab[:, 0] > _DARKEST) & (lab[:, 0] < _LIGHTEST)
    others, lab = others[visible], lab[visible]
    apart = deltaE_ciede2000(lab[:, None], rgb2lab(chosen)[None]).min(axis=1)
    while len(chosen) < len(classes):
        # The next is the one that differs most from all so far.
        furthest = apart.argmax()
        chosen.append(others[furthest])
        apart = np.minimum(apart, deltaE_ciede2000(lab, lab[[furthest]]))
    return classes, np.column_stack((chosen, np.ones(len(classes))))


def name_classes(ax, classes, palette, *, markerscale=1.0):
    """Say which colour is which class: in a legend, or along a colour bar if there are many.

    Parameters
    ----------
    ax : matplotlib Axes
        With a labelled artist for each class.
    classes : ndarray of shape (k,)
    palette : ndarray of shape (k, 4)
    markerscale : float
        How much larger points are in the legend.

    Returns
    -------
    matplotlib Legend or Colorbar
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, NoNorm

    if len(classes) <= _IN_LEGEND:
        # Beside the axes, if the layout of the figure makes room there.
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
        place = {"loc": "upper right"} if ax.figure.get_layout_engine() is None else beside
        return ax.legend(markerscale=markerscale, handletextpad=0.5, **place)
    numbers = ScalarMappable(NoNorm(0, len(classes) - 1), ListedColormap(palette))
    bar = ax.figure.colorbar(numbers, ax=ax)
    height = 72.0 / ax.figure.dpi * ax.get_window_extent().height
    size = np.clip(_LINES * height / len(classes), *_SIZES)
    every = int(np.ceil(size * len(classes) / (_LINES * height)))
    bar.set_ticks(np.arange(len(classes))[::every], labels=[*map(str, classes[::every])])
    bar.ax.tick_params(labelsize=size, length=0)
    bar.ax.invert_yaxis()
    return bar
