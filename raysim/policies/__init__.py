"""Pure decisions: which node. Never a clock, never I/O, no memory but their own."""

from raysim.policies.base import Policy
from raysim.policies.catalogue import located
from raysim.policies.registry import create, names
from raysim.spec.node import has_room
from raysim.spec.resources import fits

__all__ = ["Policy", "create", "fits", "has_room", "located", "names"]
