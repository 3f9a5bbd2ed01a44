"""What Ray keeps in `ray.runtime_context`, under its names. Defines nothing."""

from raysim.api.context import RuntimeContext, get_runtime_context

__all__ = ["RuntimeContext", "get_runtime_context"]
