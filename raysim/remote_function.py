"""What Ray keeps in `ray.remote_function`, under its name. Defines nothing."""

from raysim.api.functions import RemoteFunction

__all__ = ["RemoteFunction"]
