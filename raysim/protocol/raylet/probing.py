"""Where calls wait under a policy that queues: draws nodes, asks how long their queues are. Never grants: see leases.

An owner asks its own raylet, which knows the nodes. How long a queue is, only the node itself knows:
that is asked of it, and costs a round trip. An owner that waits for long asks again, and is then
answered without those that were silent.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from raysim.policies.base import Policy
from raysim.policies.index import load
from raysim.policies.queueing import Queueing
from raysim.protocol.host import Host
from raysim.protocol.messages import CallsPlaced, PlaceCalls, ProbeQueue, QueueProbed
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.lease import LeaseQueue
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId

SILENT: Final = 1 << 62
"""In place of the load of a node that did not answer: any other is preferred."""

_Key: TypeAlias = tuple[WorkerId, int]


class _Round(msgspec.Struct):
    """A request that is not answered yet."""

    owner: Address
    place: PlaceCalls
    number: int = 0
    candidates: list[NodeId] = []
    loads: dict[NodeId, int] = {}
    silent: dict[NodeId, None] = {}
    """Those that have not answered."""


class Probing:
    def __init__(
        self, host: Host, view: ClusterView, policy: Policy, queue: LeaseQueue, fence: Fence
    ) -> None:
        self._host = host
        self._view = view
        self._policy = policy if isinstance(policy, Queueing) else None
        self._queue = queue
        self._fence = fence
        self._rng = host.rng("probing")
        self._rounds: dict[_Key, _Round] = {}
        """Under way."""
        self._probes: dict[int, _Key] = {}
        """By the number of their probes."""
        self._unseen: dict[_Key, None] = {}
        """Rounds that wait for the view of the nodes."""
        self._number = 0

    def waits(self) -> bool:
        return bool(self._unseen)

    # --- for owners -------------------------------------------------------------------------------

    def on_place(self, sender: Address, place: PlaceCalls) -> None:
        if self._fence.has(sender):
            return
        key = sender.worker_id, place.number
        known = self._rounds.get(key)
        if known is not None:
            if key not in self._unseen:
                self._settle(key, known)  # Who has not answered by now is not waited for.
            return
        begun = self._rounds[key] = _Round(sender, place)
        if self._policy is None:
            self._answer(key, begun, [])
            return
        self._view.watch()
        if self._view.ready:
            self._begin(self._policy, key, begun)
        else:
            self._unseen[key] = None

    def nodes_changed(self) -> None:
        """The view of the nodes may be there."""
        if self._unseen and self._view.ready:
            assert self._policy is not None, "only a policy that queues waits for the view"
            unseen, self._unseen = self._unseen, {}
            for key in unseen:
                self._begin(self._policy, key, self._rounds[key])

    def _begin(self, policy: Queueing, key: _Key, begun: _Round) -> None:
        place, nodes = begun.place, self._view.nodes
        need = place.resources
        begun.candidates = policy.candidates(need, place.count, nodes, self._rng, place.expected_ns)
        if not policy.probes:
            self._answer(key, begun, begun.candidates)
            return
        self._number += 1
        begun.number, begun.loads = self._number, {}
        self._probes[begun.number] = key
        begun.silent = dict.fromkeys(begun.candidates)
        for node_id in list(begun.silent):
            if node_id == self._view.local_id:
                self._note(begun, node_id, self._load(place))
            else:
                self._host.send(nodes[node_id].address, ProbeQueue(begun.number, need))
        if not begun.silent:
            self._settle(key, begun)

    def _note(self, begun: _Round, node_id: NodeId, found: int) -> None:
        begun.silent.pop(node_id, None)
        begun.loads[node_id] = found

    def _settle(self, key: _Key, begun: _Round) -> None:
        assert self._policy is not None, "only a policy that queues has rounds"
        loads = [(one, begun.loads.get(one, SILENT)) for one in begun.candidates]
        chosen = self._policy.settle(begun.place.count, loads) if loads else []
        self._answer(key, begun, chosen)

    def _answer(self, key: _Key, begun: _Round, chosen: Sequence[NodeId]) -> None:
        self._forget(key, begun)
        nodes = self._view.nodes
        raylets = [nodes[one].address for one in chosen if one in nodes]
        self._host.send(begun.owner, CallsPlaced(begun.place.number, raylets))

    def _forget(self, key: _Key, begun: _Round) -> None:
        del self._rounds[key]
        self._probes.pop(begun.number, None)
        self._unseen.pop(key, None)

    # --- among raylets ----------------------------------------------------------------------------

    def on_probe(self, sender: Address, probe: ProbeQueue) -> None:
        self._host.send(sender, QueueProbed(probe.number, self._load(probe)))

    def on_probed(self, sender: Address, probed: QueueProbed) -> None:
        key = self._probes.get(probed.number)
        if key is not None:
            self._heard(key, self._rounds[key], sender.node_id, probed.load)

    def _heard(self, key: _Key, begun: _Round, node_id: NodeId, found: int) -> None:
        if node_id in begun.silent:
            self._note(begun, node_id, found)
            if not begun.silent:
                self._settle(key, begun)

    def _load(self, asked: PlaceCalls | ProbeQueue) -> int:
        return load(asked.resources, self._queue.count, self._view.local.available)

    # --- losses -----------------------------------------------------------------------------------

    def owner_lost(self, address: Address) -> None:
        for key, begun in list(self._rounds.items()):
            if begun.owner.worker_id == address.worker_id:
                self._forget(key, begun)

    def node_lost(self, node_id: NodeId) -> None:
        for key, begun in list(self._rounds.items()):
            self._heard(key, begun, node_id, SILENT)
