"""Trajectories that move."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from skkuranet._utils.messages import naming, plain
from skkuranet._utils.scalars import positive_number, whole_number
from skkuranet.inspection._base import read_trajectory
from skkuranet.inspection._colours import wrapped
from skkuranet.inspection._network import NetworkDisplay
from skkuranet.inspection._phase import PhaseDisplay

_SIZE = (7.2, 3.4)
# Frames and milliseconds between two of them, at most; resolutions that letters can be drawn in.
_MOST_FRAMES, _LONGEST, _DPI = 1_000_000, 1e6, (5, 2000)
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
.animation {{ text-align: center; font-family: sans-serif }}
{icons}
</style></head><body>
{player}
</body></html>
"""
# Of the buttons, which a browser would otherwise fetch from elsewhere.
_ICONS = {
    "plus": "+",
    "minus": "−",
    "play": "▶",
    "pause": "❚❚",
    "step-forward": "❯",
    "step-backward": "❮",
    "fast-forward": "❯❯",
    "fast-backward": "❮❮",
}


def animate(
    trajectory,
    path=None,
    *,
    labels=None,
    network=None,
    positions="spring",
    n_frames=100,
    fps=20,
    dpi=100,
):
    """Show a trajectory as an animation, beside the order parameter through time.

    Parameters
    ----------
    trajectory : Trajectory
        What one network did.
    path : str or path-like, default=None
        File to write: .gif, .html, which plays in any browser, or .mp4, which needs ffmpeg. None
        writes nothing.
    labels : array-like of shape (n,), default=None
        Classes or numbers that colour the oscillators on the circle; see
        :class:`skkuranet.inspection.PhaseDisplay`.
    network : OscillatorNetwork or couplings of shape (n, n), default=None
        Network to show on a layout, in the colours of its phases, in place of the circle. Units
        without phases need one, and have the colours of their states.
    positions : {"spring", "circular"}, mapping or array-like of shape (n, 2), default="spring"
        Where its nodes are; see :class:`skkuranet.inspection.NetworkDisplay`.
    n_frames : int, default=100
        Frames that are shown at most, evenly spread over the times.
    fps : float, default=20
        Frames per second.
    dpi : float, default=100
        Resolution; a frame is 7.2 by 3.4 inches.

    Returns
    -------
    matplotlib FuncAnimation
        Keep it as long as it is to play. In a notebook, ``HTML(animation.to_jshtml())`` shows it.

    Raises
    ------
    RuntimeError
        If ffmpeg is needed and not found.
    TypeError
        If there is no trajectory.
    ValueError
        If the file has another ending, or something does not fit.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skkuranet import OscillatorNetwork
    >>> from skkuranet.inspection import animate
    >>> path = OscillatorNetwork(np.full((9, 9), 0.2)).simulate(n_steps=50, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     animation = animate(path, f"{folder}/synchrony.gif", n_frames=3)
    """
    check_matplotlib_support("animate")
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation

    motion = read_trajectory(trajectory, single=True)
    with naming("path"):
        ending = None if path is None else _ending_of(path)
    n_frames = whole_number(n_frames, "n_frames", most=_MOST_FRAMES)
    fps = positive_number(fps, "fps")
    dpi = positive_number(dpi, "dpi")
    if not _DPI[0] <= dpi <= _DPI[1] or not 1000.0 / fps < _LONGEST:
        raise ValueError(
            f"dpi must lie between {_DPI[0]} and {_DPI[1]} and fps be above {1000 / _LONGEST:g}, "
            f"got {plain(dpi)} and {plain(fps)}."
        )
    if not motion.times.size:
        raise ValueError("trajectory must hold one time at least.")
    if motion.phases is None and network is None:
        raise ValueError("Units without phases have no place on the circle; set network.")
    figure, (left, right) = plt.subplots(
        1, 2, figsize=_SIZE, dpi=dpi, layout="constrained", width_ratios=(1, 1.2)
    )
    if network is None:
        move = _on_the_circle(left, motion, labels)
    else:
        move = _on_a_layout(left, motion, network, positions)
    follow = _through_time(right, motion)

    def show(frame):
        move(frame)
        follow(frame)

    show(0)
    # Places are found once, as all frames are alike.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    frames = np.unique(np.linspace(0, len(motion.times) - 1, n_frames).round().astype(int))
    animation = FuncAnimation(figure, show, frames=frames, interval=1000.0 / fps)
    if ending is not None:
        _WRITERS[ending](animation, Path(path), fps, dpi)
    return animation


def _ending_of(path):
    """Return the ending of a file that can be written."""
    from matplotlib.animation import FFMpegWriter

    ending = Path(path).suffix.lower()
    if ending not in _WRITERS:
        raise ValueError(f"path must end in one of {[*_WRITERS]}, got {str(path)!r}.")
    if ending == ".mp4" and not FFMpegWriter.isAvailable():
        raise RuntimeError(
            "Writing .mp4 needs ffmpeg, and there is none on the path. Install it, or write .gif "
            "or .html."
        )
    return ending


def _on_the_circle(ax, motion, labels):
    """Draw oscillators and mean fields; return what moves them to a frame."""
    display = PhaseDisplay(motion.phases[0], labels=labels).plot(ax=ax)

    def move(frame):
        display.move(motion.phases[frame])

    return move


def _on_a_layout(ax, motion, network, positions):
    """Draw nodes and lines; return what colours the nodes as in a frame."""
    K, names = (network.coupled(), network.names) if _is_network(network) else (network, None)
    has_phases = motion.phases is not None
    values = wrapped(motion.phases) if has_phases else motion.states
    display = NetworkDisplay(
        K, values[0], kind="phase" if has_phases else "number", positions=positions, names=names
    ).plot(ax=ax)
    (points,) = display.points_
    if not has_phases:
        points.set_clim(values.min(), values.max())
        display.legend_.set_label("state")

    def move(frame):
        points.set_array(values[frame])

    return move


def _is_network(network):
    return hasattr(network, "coupled") and hasattr(network, "names")


def _through_time(ax, motion):
    """Draw the order parameter, or the mean state, faintly; return what draws it up to a frame."""
    if motion.phases is None:
        curve, label, top = motion.states.mean(-1), "mean state", None
    else:
        curve, label, top = motion.order_parameter(), "order parameter R", 1.02
    ax.plot(motion.times, curve, color="0.85")
    (line,) = ax.plot([], [], color="tab:blue")
    (dot,) = ax.plot([], [], "o", color="tab:blue", markersize=5, clip_on=False)
    ax.set(xlabel="time", ylabel=label, ylim=(0.0, top) if top else None)
    ax.margins(x=0.0)

    def follow(frame):
        line.set_data(motion.times[: frame + 1], curve[: frame + 1])
        dot.set_data(motion.times[[frame]], curve[[frame]])

    return follow


def _write_gif(animation, path, fps, dpi):
    from matplotlib.animation import PillowWriter

    animation.save(path, writer=PillowWriter(fps=fps), dpi=dpi)


def _write_mp4(animation, path, fps, dpi):
    from matplotlib.animation import FFMpegWriter

    animation.save(path, writer=FFMpegWriter(fps=fps), dpi=dpi)


def _write_html(animation, path, fps, dpi):
    import matplotlib

    # No frame is left out for its size.
    with matplotlib.rc_context({"animation.embed_limit": np.inf, "savefig.dpi": dpi}):
        player = animation.to_jshtml(fps=fps, default_mode="loop")
    player = re.sub(r"<link[^>]*>", "", player)
    icons = "\n".join(
        f'.fa-{name}::before {{ content: "{sign}" }}' for name, sign in _ICONS.items()
    )
    icons += "\n.fa-flip-horizontal { display: inline-block; transform: scaleX(-1) }"
    path.write_text(_PAGE.format(title=path.stem, icons=icons, player=player), encoding="utf-8")


_WRITERS = {".gif": _write_gif, ".html": _write_html, ".mp4": _write_mp4}
