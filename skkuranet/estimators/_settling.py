"""Rhythm of a reference network, and the nodes that keep it."""

from __future__ import annotations

import numpy as np

from skkuranet.dynamics import Trajectory

#: How long the network is watched once it has settled, in units of time.
WATCHED_TIME = 100.0
# A network that turns by less than this angle meanwhile is at rest in its field.
_CREEP = 0.05


def settled(path, lag, *, turns, answers):
    """Return the fitted attributes of a reference network, from its motion.

    They are states and phases, the frequency of the mean field, effective frequencies and which
    nodes are locked; unless a closed form ``answers`` where driven nodes rest, also the states that
    act on them at each step. The motion begins by the longest delay, ``lag`` (n,) in steps, before
    it is watched. ``turns`` says whether a network that turns as a whole is at rest in a frame that
    turns with it.
    """
    reach = int(lag.max())
    made = {"reference_states_": path.states[-1]}
    if path.phases is None:
        moved = np.abs(path.states[-1] - path.states[reach]).reshape(-1, len(lag)).max(0)
        at_rest = moved < _CREEP
        made |= {"locked_": at_rest, "reference_frequency_": 0.0}
    else:
        watched = Trajectory(path.times[reach:], path.phases[reach:])
        turned = float(np.diff(watched.mean_phase()[[0, -1]])[0])
        frequency = turned / float(watched.times[-1] - watched.times[0])
        # A closed form needs fixed angles; without one, nodes that keep step may sway.
        at_rest = watched.locked() if answers else watched.locked(np.pi)
        made |= {
            "reference_phases_": watched.phases[-1],
            "effective_frequencies_": watched.effective_frequency(),
            "locked_": at_rest,
        }
        # A network that creeps in its field has no fixed angle to it.
        if not turns:
            at_rest = at_rest & (abs(turned) < _CREEP)
            frequency = 0.0 if at_rest.all() else frequency
        made["reference_frequency_"] = frequency
    fixed = bool(at_rest.all())
    acting = None
    if not (fixed and answers):
        step = np.arange(reach, len(path.states) - 1)
        # Nodes first, to pick each at its time.
        acting = np.moveaxis(path.states, -1, 1)[step[:, None] - lag, np.arange(len(lag))]
        acting = np.moveaxis(acting, 1, -1)
        if path.phases is path.states:
            # Wrapped, single precision does for angles.
            acting = np.remainder(acting, 2.0 * np.pi)
        acting = acting.astype(np.float32)
    return made | {"_acting_states": acting, "_reference_rests": fixed}
