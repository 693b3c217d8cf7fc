"""Coupling operators and node parameters to trajectories (torch only)."""

from skkuranet.dynamics._adaptive import Adaptive
from skkuranet.dynamics._cuda_graphs import replayed_steps
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._explicit import EULER, HEUN, RK4, RungeKutta
from skkuranet.dynamics._integrate import SOLVERS, delay_in_steps, integrate
from skkuranet.dynamics._locking import Locking, follow, lock, wrap
from skkuranet.dynamics._problem import HISTORIES, Problem
from skkuranet.dynamics._solver import Solver
from skkuranet.dynamics._trajectory import Trajectory
from skkuranet.dynamics.kuramoto import Kuramoto, KuramotoSystem
from skkuranet.dynamics.sakaguchi import Sakaguchi

__all__ = [
    "EULER",
    "HEUN",
    "HISTORIES",
    "RK4",
    "SOLVERS",
    "Adaptive",
    "Dynamics",
    "Kuramoto",
    "KuramotoSystem",
    "Locking",
    "Problem",
    "RungeKutta",
    "Sakaguchi",
    "Solver",
    "Trajectory",
    "delay_in_steps",
    "follow",
    "integrate",
    "lock",
    "replayed_steps",
    "wrap",
]
