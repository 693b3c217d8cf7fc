"""Coupling operators and node parameters to phases (torch only)."""

from skkuranet.dynamics._adaptive import Adaptive
from skkuranet.dynamics._integrate import SOLVERS, delay_in_steps, integrate
from skkuranet.dynamics._locking import Locking, follow, lock, wrap
from skkuranet.dynamics._replay import replayed_steps
from skkuranet.dynamics._runge_kutta import EULER, RK4, RungeKutta
from skkuranet.dynamics._system import HISTORIES, KuramotoSystem
from skkuranet.dynamics._trajectory import Trajectory

__all__ = [
    "EULER",
    "HISTORIES",
    "RK4",
    "SOLVERS",
    "Adaptive",
    "KuramotoSystem",
    "Locking",
    "RungeKutta",
    "Trajectory",
    "delay_in_steps",
    "follow",
    "integrate",
    "lock",
    "replayed_steps",
    "wrap",
]
