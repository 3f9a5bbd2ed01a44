"""The simulated world: the protocol's roles in virtual time, in one process. Never a second protocol."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raysim.backend import InitOptions
    from raysim_sim.world import SimWorld


def create(options: "InitOptions") -> "SimWorld":
    """The backend's entry point. Raises ValueError or TypeError for options that it does not know."""
    # Only here: what a role needs of this package must not load the roles.
    from raysim_sim.world import SimWorld

    return SimWorld(options)


__all__ = ["create"]
