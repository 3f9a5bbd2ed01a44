"""What Ray keeps in `ray.types`, under its name. Defines nothing."""

from raysim.runtime.object_ref import ObjectRef

__all__ = ["ObjectRef"]
