"""Coupling operators and node parameters to trajectories (torch only)."""

from skkuranet.dynamics._adaptive import Adaptive
from skkuranet.dynamics._catalogue import DYNAMICS
from skkuranet.dynamics._cuda_graphs import replayed_steps
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics._explicit import EULER, HEUN, RK4, RungeKutta
from skkuranet.dynamics._integrate import SOLVERS, delay_in_steps, integrate
from skkuranet.dynamics._locking import Locking, follow, lock, wrap
from skkuranet.dynamics._problem import HISTORIES, Problem
from skkuranet.dynamics._solver import Solver
from skkuranet.dynamics._trajectory import Trajectory
from skkuranet.dynamics.daido import Daido
from skkuranet.dynamics.hopfield import Hopfield
from skkuranet.dynamics.kuramoto import Kuramoto, KuramotoSystem
from skkuranet.dynamics.sakaguchi import Sakaguchi
from skkuranet.dynamics.second_order import SecondOrder
from skkuranet.dynamics.sis import SIS
from skkuranet.dynamics.sphere import Sphere
from skkuranet.dynamics.stuart_landau import StuartLandau
from skkuranet.dynamics.theta_neurons import ThetaNeurons

__all__ = [
    "DYNAMICS",
    "EULER",
    "HEUN",
    "HISTORIES",
    "RK4",
    "SIS",
    "SOLVERS",
    "Adaptive",
    "Daido",
    "Dynamics",
    "Hopfield",
    "Kuramoto",
    "KuramotoSystem",
    "Locking",
    "Problem",
    "RungeKutta",
    "Sakaguchi",
    "SecondOrder",
    "Solver",
    "Sphere",
    "StuartLandau",
    "ThetaNeurons",
    "Trajectory",
    "delay_in_steps",
    "follow",
    "integrate",
    "lock",
    "replayed_steps",
    "wrap",
]
