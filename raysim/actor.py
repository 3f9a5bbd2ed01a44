"""What Ray keeps in `ray.actor`: actor classes, handles and methods, under its names. Defines none."""

from raysim.api.actors import ActorClass, ActorClassInheritanceException
from raysim.api.ending import exit_actor
from raysim.api.handles import ActorHandle, ActorMethod
from raysim.api.methods import method

__all__ = [
    "ActorClass",
    "ActorClassInheritanceException",
    "ActorHandle",
    "ActorMethod",
    "exit_actor",
    "method",
]
