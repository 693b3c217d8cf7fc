"""What the displays share."""

from __future__ import annotations

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from sklearn.exceptions import NotFittedError
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support

# Shades of red, green and blue that colours of classes are mixed from, and how dark and light
# these may be on white paper, in CIE L*.
_SHADES, _DARKEST, _LIGHTEST = 12, 30.0, 80.0
# Classes that a legend names, the share of a colour bar that names may cover, and sizes of these
# in points.
_IN_LEGEND, _LINES, _SIZES = 10, 0.8, (5.0, 10.0)


def asked(display, estimator, method):
    """Return the estimator that a display asks, and what takes X to where it takes it.

    ``estimator`` has the method, or is a pipeline or fitted search that ends in one that has. Raise
    NotFittedError if a search has no best estimator, TypeError if none has the method.
    """
    model, pipelines = estimator, []
    while isinstance(model, (Pipeline, BaseSearchCV)):
        if isinstance(model, Pipeline):
            if len(model) > 1:
                pipelines.append(model[:-1])
            model = model[-1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            raise NotFittedError(
                f"{display.__name__}.from_estimator shows the best estimator of a search, and "
                f"{type(model).__name__} has none yet. Fit it, with refit=True."
            )
    if not hasattr(model, method):
        last = "" if model is estimator else f" that ends in {type(model).__name__}"
        raise TypeError(
            f"{display.__name__}.from_estimator needs an estimator with {method!r}, or a pipeline "
            f"or search that ends in one, got {type(estimator).__name__}{last}."
        )

    def before(X):
        for pipeline in pipelines:
            X = pipeline.transform(X)
        return X

    return model, before


def axes_of(display, ax):
    """Return the axes to draw on, by default of a new figure, and note both on the display."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def colours(labels):
    """Return the classes (k,) and a colour (k, 4) for each of them."""
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


def name_classes(ax, classes, palette):
    """Return a legend that says which colour is which class, or a colour bar if there are many."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, NoNorm

    if len(classes) <= _IN_LEGEND:
        # Beside the axes, if the layout of the figure makes room there.
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False}
        place = {"loc": "upper right"} if ax.figure.get_layout_engine() is None else beside
        return ax.legend(markerscale=2.5, handletextpad=0.1, **place)
    numbers = ScalarMappable(NoNorm(0, len(classes) - 1), ListedColormap(palette))
    bar = ax.figure.colorbar(numbers, ax=ax)
    height = 72.0 / ax.figure.dpi * ax.get_window_extent().height
    size = np.clip(_LINES * height / len(classes), *_SIZES)
    every = int(np.ceil(size * len(classes) / (_LINES * height)))
    bar.set_ticks(np.arange(len(classes))[::every], labels=[*map(str, classes[::every])])
    bar.ax.tick_params(labelsize=size, length=0)
    bar.ax.invert_yaxis()
    return bar
