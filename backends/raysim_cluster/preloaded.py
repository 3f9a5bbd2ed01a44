"""Imports once what the processes of a node need that goes on when drivers end, and forks them apart. Never runs it.

Of a node that nobody uses most memory is what was imported. Its processes share that: each has for itself only what
it writes to. A driver's own nodes are programs instead, which import different things on several cores at once.
"""

import gc
import os

from raysim import policies
from raysim.config import Config
from raysim_cluster import beginning
from raysim_cluster.forked import Forked
from raysim_cluster.launch import SECRETS
from raysim_cluster.linux import give_back_memory
from raysim_cluster.session import Session


def preload(config: Config, is_head: bool) -> None:
    """Before the first fork."""
    from raysim_cluster import (  # noqa: F401  (for those that are forked)
        node,
        samples,
        worker,
    )

    if is_head:
        from raysim_cluster import gcs_keeper, gcs_process  # noqa: F401  (as above)
    policies.create(config.policy, config)  # What it finds out of its class is kept.
    # What no collection touches any more stays shared.
    gc.collect()
    give_back_memory()
    gc.freeze()
    gc.enable()


def fork_node(session: Session, fd: int) -> Forked:
    """A node's process, with its channel."""
    return Forked(f"raysim-node {session.session_id}", fd, _be_node)


def _be_node(fd: int) -> None:
    gc.disable()  # As in a program of its own, until it is a node.
    for name in SECRETS:  # User code runs here.
        os.environ.pop(name, None)
    beginning.main(fd, preloaded=True)
