"""Real processes: the protocol on sockets, shared memory and forked workers. Never a second protocol."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raysim_cluster.world import create as create


def __getattr__(name: str) -> Any:
    # The processes of a node import this package too, and need nothing of the driver's side.
    if name == "create":
        from raysim_cluster.world import create

        return create
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
