"""Where this process runs, for programs that open their own connections; nodes that are to go. Never opens one."""

import os

from raysim.api.session import connected
from raysim.runtime.current import current

_LOOPBACK = "127.0.0.1"


def get_node_ip_address() -> str:
    """The address under which other nodes reach this one; loopback outside of a session.

    Ray: `ray.util.get_node_ip_address`.
    """
    backend = current()
    if backend is None:
        return _LOOPBACK
    here = backend.context_info().node_id
    found = (node["NodeManagerAddress"] for node in backend.nodes() if node["NodeID"] == here)
    return str(next(found, _LOOPBACK))


def get_node_instance_id() -> str:
    """The cloud provider's name of this machine (env RAY_CLOUD_INSTANCE_ID); empty without one."""
    return os.environ.get("RAY_CLOUD_INSTANCE_ID", "")


def drain_node(node_id: str, reason: str = "", deadline_s: float | None = None) -> None:
    """Have a node leave in good order. It takes on nothing new from now on, and `list_nodes` shows it as DRAINING.

    Calls that run there may end; actors with restarts left start elsewhere, which counts as none of their
    `max_restarts`; the objects that it keeps are moved. Then it is dead, with this reason. Those that are left there
    after `deadline_s` seconds go with it: an actor without restarts, or what its own processes own. None: it
    stays for as long as they do. Returns at once. Asked once more, the new reason and deadline count.

    Raises ValueError where there is no such live node, or where it is the head. Ray: `ray drain-node`.
    """
    if deadline_s is not None and not deadline_s > 0:
        raise ValueError(
            f"deadline_s is {deadline_s!r}: give seconds above zero, or None for no deadline."
        )
    try:
        known = bytes.fromhex(node_id)
    except ValueError:
        known = b""
    if not known:
        raise ValueError(f"{node_id!r} is no node id, which is hexadecimal: see nodes().")
    connected().drain_node(known, reason, deadline_s)
