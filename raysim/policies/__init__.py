"""Pure decisions: which node. Never a clock, never I/O, no memory but their own."""

from raysim.policies.base import Policy
from raysim.policies.registry import create, located, names

__all__ = ["Policy", "create", "located", "names"]
