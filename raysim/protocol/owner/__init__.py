"""The owner: who submitted or put owns what comes of it. Never executes."""

from raysim.protocol.owner.owner import Owner

__all__ = ["Owner"]
