"""Nodes that are to go: said to whom it concerns, until they are gone. Never what is moved: see the raylet's drain.

As Ray's `DrainNode`: the node lives and places nothing new; what runs there may end, until the deadline. Unlike
there its actors with restarts left are moved at once, and so are the objects that it keeps.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.host import Timer
from raysim.protocol.messages import (
    DrainNode,
    DrainRaylet,
    NodeDraining,
    NodeDrains,
    RayletDrained,
    RayletDrains,
)
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.node import Drain


class _Open(msgspec.Struct):
    """A drain that is not over: until the raylet has heard of it, and until the deadline."""

    asking: Timer | None = None
    deadline: Timer | None = None


class Drains:
    """`began(node)` is called when a node begins to drain, and when a new GCS finds that it does."""

    def __init__(
        self, outbox: Outbox, nodes: NodeTable, began: Callable[[NodeId, str], None]
    ) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._nodes = nodes
        self._began = began
        self._open: dict[NodeId, _Open] = {}

    def load(self) -> None:
        for node_id in [one for one in self._nodes.drains if self._nodes.is_draining(one)]:
            self._go_on(node_id)

    # What is asked for.

    def on_drain(self, sender: Address, asked: DrainNode) -> None:
        refusal = self.begin(asked.node_id, asked.reason, asked.deadline_ns)
        self._outbox.send(sender, NodeDrains(asked.number, refusal))

    def begin(self, node_id: NodeId, reason: str, deadline_ns: int = 0) -> str:
        """Why it does not drain; empty: it does."""
        short = node_id.hex()[:12]
        live = self._nodes.live.get(node_id)
        if node_id == self._host.address.node_id or (live is not None and live.is_head):
            return f"Node {short} is the head, which goes with its cluster. End that: raysim stop."
        if node_id in self._nodes.dead:
            if node_id in self._nodes.drains:
                return ""  # A late copy, of what is done.
            return f"Node {short} is dead: {self._nodes.dead[node_id].death_reason}."
        if live is None:
            return f"There is no node {short} in this cluster. See: raysim list nodes."
        until_ns = self._host.now_ns() + deadline_ns if deadline_ns else 0
        drain = Drain(reason or "no reason given", deadline_ns, until_ns)
        known = self._nodes.drains.get(node_id)
        if known is not None and (known.reason, known.deadline_ns) == (drain.reason, deadline_ns):
            return ""  # A second copy moves no deadline.
        self._nodes.drain(node_id, drain)
        self._go_on(node_id)
        return ""

    def _go_on(self, node_id: NodeId) -> None:
        self.node_gone(node_id)
        self._open[node_id] = opened = _Open()
        drain = self._nodes.drains[node_id]
        for raylet in self._nodes.raylets():
            if raylet.node_id != node_id:
                self._outbox.send(raylet, NodeDraining(node_id, drain.reason))
        self._ask(node_id, opened)
        if drain.until_ns:
            # Another machine's clock may have begun anew with the GCS: never longer than was asked for.
            left_ns = min(drain.until_ns - self._host.now_ns(), drain.deadline_ns)
            overdue = partial(self._overdue, node_id)
            opened.deadline = self._outbox.call_later(max(0, left_ns), overdue)
        self._began(node_id, drain.reason)

    def _ask(self, node_id: NodeId, opened: _Open) -> None:
        """Until it is answered, or the node is dead."""
        message = DrainRaylet(self._nodes.drains[node_id].reason)
        self._outbox.send(self._nodes.live[node_id].address, message)
        again = partial(self._ask, node_id, opened)
        opened.asking = self._outbox.call_later(self._host.config.request_retry_ns, again)

    def registered(self, raylet: Address) -> None:
        """It knows of no drain, or may have missed some."""
        for node_id, drain in self._nodes.drains.items():
            if not self._nodes.is_draining(node_id):
                continue
            if node_id != raylet.node_id:
                self._outbox.send(raylet, NodeDraining(node_id, drain.reason))

    # What becomes of it.

    def on_accepted(self, raylet: Address, answer: RayletDrains) -> None:
        opened = self._open.get(raylet.node_id)
        if opened is not None and not answer.idle and opened.asking is not None:
            opened.asking.cancel()
            opened.asking = None

    def on_drained(self, raylet: Address, drained: RayletDrained) -> None:
        if self._nodes.is_draining(raylet.node_id):
            reason = self._nodes.drains[raylet.node_id].reason
            self._nodes.end(raylet.node_id, f"it was drained: {reason}")

    def _overdue(self, node_id: NodeId) -> None:
        drain = self._nodes.drains[node_id]
        text = f"it was drained: {drain.reason}; what was left after {drain.deadline_ns / 1e9:g} s went with it"
        self._nodes.end(node_id, text)

    def node_gone(self, node_id: NodeId) -> None:
        opened = self._open.pop(node_id, None)
        if opened is not None:
            for timer in (opened.asking, opened.deadline):
                if timer is not None:
                    timer.cancel()
