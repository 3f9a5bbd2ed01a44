"""What a placement policy has owners of calls do. Never a policy: see registry."""

import msgspec


class AskedOfOwners(msgspec.Struct, frozen=True):
    """As most policies have it, by default."""

    queues: bool = False
    """They ask where calls wait, though others have room: see queueing."""
    cutoff_ns: int | None = None
    """Nanoseconds from which on a call is long, and waits apart; None: all wait together."""
    near: bool = False
    """Calls whose arguments are on other nodes wait apart, and tell where they are: see locality."""
