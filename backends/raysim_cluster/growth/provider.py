"""The autoscaler's NodeProvider of a real cluster: has machines started and ended on threads. Never decides how many.

A machine's name is its node's id, drawn before it is asked for: so the next life of the GCS knows which machine is
which node, and gives back those whose nodes are dead.
"""

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final

import msgspec

from raysim.config import MS
from raysim.protocol.gcs import Gcs
from raysim.protocol.gcs.autoscaler import Autoscaler
from raysim.spec.growth import Growth
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim_cluster.growth.machines import MachineError, MachineSource
from raysim_cluster.host import LoopHost
from raysim_cluster.poller import READ

_LOOK_NS: Final = 2_000 * MS
"""Between two looks at which machines there are."""

_JOIN_NS: Final = 600_000 * MS
"""A machine whose node has not joined by then is given back. A pod may wait for a new machine, and for its image."""

_THREADS: Final = 4

logger = logging.getLogger(__name__)


class _Coming(msgspec.Struct):
    """A machine that was asked for and whose node has not joined."""

    number: int
    since_ns: int
    asked: bool = False
    """Whoever has machines knows of it."""


class MachineProvider:
    def __init__(self, host: LoopHost, growth: Growth, source: MachineSource) -> None:
        self._host = host
        self._growth = growth
        self._source = source
        self._coming: dict[NodeId, _Coming] = {}
        self._ended: set[NodeId] = set()
        """Whose end was asked for since the last look."""
        self._gcs: Gcs
        self._autoscaler: Autoscaler
        self._threads = ThreadPoolExecutor(_THREADS, "machines")
        self._answers: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        host.poller.watch(self._bell, self._on_bell, READ)

    def begin(self, gcs: Gcs) -> None:
        """Once the GCS has read its tables, and before its autoscaler looks for the first time: it would start again
        what an earlier life has started. So this one look is waited for."""
        assert gcs.autoscaler is not None
        self._gcs, self._autoscaler = gcs, gcs.autoscaler
        found: dict[NodeId, str] = {}
        error: MachineError | None = None
        try:
            found = self._source.living()
        except MachineError as raised:
            error = raised
        self._seen(found, set(), error)

    def close(self) -> None:
        """The cluster ends, and what it has started."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._source.close()

    # What the autoscaler asks

    def launch(self, number: int, node_type: str) -> None:
        kind = self._growth.spec.type_of(node_type)
        assert kind is not None, f"node type {node_type} is not known"
        node_id = NodeId(os.urandom(UNIQUE_ID_BYTES))
        self._coming[node_id] = _Coming(number, time.monotonic_ns())
        logger.info("starting node %s of type %s", node_id.hex()[:12], node_type)
        self._ask(
            lambda: self._source.start(node_id, kind), lambda error: self._asked(node_id, error)
        )

    def terminate(self, node_id: NodeId) -> None:
        self._coming.pop(node_id, None)
        self._ended.add(node_id)
        self._ask(lambda: self._source.end(node_id), lambda error: self._is_ending(node_id, error))

    # What comes of it

    def _asked(self, node_id: NodeId, error: MachineError | None) -> None:
        coming = self._coming.get(node_id)
        if coming is None:
            return  # Its end was asked for meanwhile.
        if error is not None:
            self._failed(node_id, str(error))
            return
        coming.asked = True
        self._autoscaler.launched(coming.number, node_id)

    def _is_ending(self, node_id: NodeId, error: MachineError | None) -> None:
        if error is not None:
            logger.warning("node %s could not be ended: %s", node_id.hex()[:12], error)

    def _failed(self, node_id: NodeId, why: str) -> None:
        logger.warning("node %s could not be had: %s", node_id.hex()[:12], why)
        self._autoscaler.launch_failed(self._coming.pop(node_id).number)

    # Looking

    def _look(self) -> None:
        # One that is asked for from now on may be missing in the answer.
        asked = {node_id for node_id, coming in self._coming.items() if coming.asked}
        found: dict[NodeId, str] = {}

        def look() -> None:
            found.update(self._source.living())

        self._ask(look, lambda error: self._seen(found, asked, error))

    def _seen(
        self, found: dict[NodeId, str], asked: set[NodeId], error: MachineError | None
    ) -> None:
        self._host.call_later(_LOOK_NS, self._look)
        if error is not None:
            logger.warning("which machines there are is not known now: %s", error)
            return
        nodes, now = self._gcs.nodes, time.monotonic_ns()
        for node_id, coming in list(self._coming.items()):
            if node_id in nodes.live:
                del self._coming[node_id]
            elif node_id in asked and node_id not in found:
                self._failed(node_id, "its machine ended before it joined")
            elif now - coming.since_ns > _JOIN_NS:
                self._failed(node_id, f"it did not join for {_JOIN_NS / 1e9:g} s")
        ended, self._ended = self._ended, set()
        for node_id, name in found.items():
            if node_id in nodes.live or node_id in self._coming or node_id in ended:
                continue
            if node_id in nodes.dead or self._growth.spec.type_of(name) is None:
                self.terminate(node_id)
            else:  # An earlier life of the GCS has asked for it.
                number = self._autoscaler.found(node_id, name)
                self._coming[node_id] = _Coming(number, now, asked=True)

    # Threads

    def _ask(
        self, question: Callable[[], None], answer: Callable[[MachineError | None], None]
    ) -> None:
        def run() -> None:
            error: MachineError | None = None
            try:
                question()
            except MachineError as raised:
                error = raised
            self._answers.put(lambda: answer(error))
            os.eventfd_write(self._bell, 1)

        self._threads.submit(run)

    def _on_bell(self, _mask: int) -> None:
        os.eventfd_read(self._bell)
        while not self._answers.empty():
            self._answers.get()()
