"""What the motion of a reference network amounts to: its rhythm, and who keeps it."""

from __future__ import annotations

import numpy as np

from skkuranet.dynamics import Trajectory

#: How long the network is watched once it has settled, in units of time.
WATCHED_TIME = 100.0
# A network that turns by less than this angle meanwhile is at rest in its field.
_CREEP = 0.05


def settled(path, lag, *, in_field):
    """Return the fitted attributes that follow from the motion of a reference network.

    Parameters
    ----------
    path : Trajectory
        Its motion, from the longest delay before it is watched.
    lag : ndarray of shape (n,), int
        Delay of each oscillator in steps.
    in_field : bool
        Whether an external field acts on it.

    Returns
    -------
    dict
        Phases, the frequency of the mean field, effective frequencies and which oscillators are
        locked; the phases with which they act at each step, where they have no fixed angle to
        one another and to the field.
    """
    reach = int(lag.max())
    watched = Trajectory(path.times[reach:], path.phases[reach:])
    turned = float(np.diff(watched.mean_phase()[[0, -1]])[0])
    frequency = turned / float(watched.times[-1] - watched.times[0])
    locked = watched.locked()
    # A network that creeps in its field has no fixed angle to it.
    fixed = locked.all() and not (in_field and abs(turned) >= _CREEP)
    if in_field and fixed:
        frequency = 0.0
    acting = None
    if not fixed:
        step = np.arange(reach, len(path.phases) - 1)
        # Wrapped, single precision does for angles.
        acting = np.remainder(
            path.phases[step[:, None] - lag, np.arange(len(lag))], 2.0 * np.pi
        ).astype(np.float32)
    return {
        "reference_phases_": watched.phases[-1],
        "reference_frequency_": frequency,
        "effective_frequencies_": watched.effective_frequency(),
        "locked_": locked,
        "_acting_phases": acting,
    }
