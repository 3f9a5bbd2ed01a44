"""Where this process runs, for programs that open their own connections. Never opens one."""

import os

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
