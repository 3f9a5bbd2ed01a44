"""A node's raylet: leases, workers, the object store, pulls. Never runs user code, never owns an object."""

from raysim.protocol.raylet.raylet import Raylet

__all__ = ["Raylet"]
