"""Real processes: the protocol on sockets, shared memory and forked workers. Never a second protocol."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raysim_cluster.service import NodeServices
    from raysim_cluster.world import create as create

    services: NodeServices


def __getattr__(name: str) -> Any:
    # The processes of a node import this package too, and need nothing of the driver's side.
    if name == "create":
        from raysim_cluster.world import create

        return create
    if name == "services":
        from raysim_cluster.service import NodeServices

        return NodeServices()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
