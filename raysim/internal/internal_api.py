"""`free` under the name that Ray gave it. Never a definition."""

from raysim.api.objects import free

__all__ = ["free"]
