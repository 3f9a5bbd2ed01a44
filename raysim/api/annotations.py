"""Warnings of the API itself. Never those of programs."""


class RayDeprecationWarning(DeprecationWarning):
    """A Ray API that goes away in a later version. Ray: `ray.util.annotations.RayDeprecationWarning`."""
