"""Equations of motion that are built in, by name."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from skkuranet._utils.messages import plain
from skkuranet.dynamics._dynamics import Dynamics
from skkuranet.dynamics.daido import Daido
from skkuranet.dynamics.hopfield import Hopfield
from skkuranet.dynamics.kuramoto import Kuramoto
from skkuranet.dynamics.sakaguchi import Sakaguchi
from skkuranet.dynamics.second_order import SecondOrder
from skkuranet.dynamics.sis import SIS
from skkuranet.dynamics.sphere import Sphere
from skkuranet.dynamics.stuart_landau import StuartLandau
from skkuranet.dynamics.theta_neurons import ThetaNeurons

DYNAMICS: dict[str, type[Dynamics]] = {
    "kuramoto": Kuramoto,
    "sakaguchi": Sakaguchi,
    "daido": Daido,
    "second_order": SecondOrder,
    "stuart_landau": StuartLandau,
    "sphere": Sphere,
    "theta_neurons": ThetaNeurons,
    "hopfield": Hopfield,
    "sis": SIS,
}


def kind_of(dynamics: Any) -> type[Dynamics]:
    """Return the class of an equation of motion, given by name, class or instance.

    Raises
    ------
    ValueError
        If there is no such equation.
    """
    if isinstance(dynamics, Dynamics):
        return type(dynamics)
    if isinstance(dynamics, type) and issubclass(dynamics, Dynamics):
        return dynamics
    if isinstance(dynamics, str) and dynamics in DYNAMICS:
        return DYNAMICS[dynamics]
    raise ValueError(
        f"dynamics must be one of {sorted(DYNAMICS)}, a subclass of skkuranet.dynamics.Dynamics or "
        f"an instance of one, got {plain(dynamics)}."
    )


def needed_by(dynamics: Any) -> list[str]:
    """Return the parameters without which there is no such equation."""
    if isinstance(dynamics, Dynamics):
        return []
    return [f.name for f in fields(kind_of(dynamics)) if f.default is f.default_factory is MISSING]
