"""How a node's process begins and ends: it forks the fork-server, then is the node. Never a part of what it does.

It forks before it has imported any role: then the fork-server imports what workers need while this process
imports what the node does, on two cores, and neither carries the other's.
"""

import contextlib
import gc
import logging
import os
import select
import shutil
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Final

from raysim.config import MS
from raysim_cluster import fork_server
from raysim_cluster.arena import Arena
from raysim_cluster.control import DISPLACED, LEFT, Channel, StartNode, StopNode, log_file
from raysim_cluster.linux import (
    allow_many_files,
    go_on_without_parent,
    name_process,
    watch_process,
)
from raysim_cluster.rotated import log_to

if TYPE_CHECKING:
    from raysim_cluster.node import Node

_END_NS: Final = 1_000 * MS
"""How long the fork-server has to kill and reap its workers before it is killed itself."""


def main(fd: int, preloaded: bool = False) -> None:
    """`fd`: the channel to the driver, which sends StartNode first. `preloaded`: what it needs is imported."""
    driver = Channel(socket.socket(fileno=fd))
    settings, _ = driver.receive()
    if settings is None or isinstance(settings, StopNode):
        return  # The driver ended, or gave up, before it came to this node.
    assert isinstance(settings, StartNode), f"the driver sent {settings}"
    arena = Arena.create(settings.store_bytes)
    forks, theirs = Channel.pair()
    pid = os.fork()
    if pid == 0:
        driver.close()
        forks.close()
        fork_server.main(theirs, settings, arena)
    theirs.close()
    name_process("raysim-node")
    go_on_without_parent()
    os.makedirs(settings.folder, 0o700, exist_ok=True)
    allow_many_files()
    # Its workers, forked elsewhere, keep the driver's output.
    log_to(log_file(settings.folder, settings.node_id), settings.config)
    node: Node | None = None
    try:
        node = _be_the_node(settings, driver, forks, arena, preloaded)
    except Exception:
        logging.getLogger(__name__).exception("the node process fails")
        raise
    finally:
        forks.close()
        _wait_for(pid)
        if (node is not None and node.driver_is_gone) or _has_ended(driver):
            # Nobody else is left to do it.
            shutil.rmtree(settings.folder, ignore_errors=True)
    if node.was_displaced:
        sys.exit(DISPLACED)
    if node.has_left:
        sys.exit(LEFT)


def _be_the_node(
    settings: StartNode, driver: Channel, forks: Channel, arena: Arena, preloaded: bool
) -> "Node":
    """Until it ends."""
    keeper = None
    if settings.head is None and settings.gcs_apart:
        from raysim_cluster.gcs_keeper import GcsKeeper  # Boots beside us from now on.

        keeper = GcsKeeper(settings, preloaded)
    from raysim_cluster.node import Node

    # What is imported by now is never garbage.
    gc.freeze()
    gc.enable()
    node = Node(settings, driver, forks, arena, keeper)
    node.run()
    return node


def _has_ended(driver: Channel) -> bool:
    """The driver's end is closed: it has no more to say, not even good-bye."""
    driver.sock.setblocking(False)
    try:
        return driver.receive()[0] is None
    except BlockingIOError:
        return False


def _wait_for(pid: int) -> None:
    """Until the fork-server has ended; it has killed its workers then."""
    end = time.monotonic_ns() + _END_NS
    pidfd = watch_process(pid)
    if pidfd is not None:
        select.select([pidfd], (), (), max(0, end - time.monotonic_ns()) / 1e9)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
