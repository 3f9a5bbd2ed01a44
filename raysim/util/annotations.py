"""Ray's warnings under Ray's name. Never a definition."""

from raysim.api.annotations import RayDeprecationWarning

__all__ = ["RayDeprecationWarning"]
