"""Has other nodes keep what this one does, as it is to go. Never what its own processes own: that goes with them.

Another raylet is asked to pull an object and to keep it. It tells the owner, who counts that copy from then on and
frees the one here: so at every moment there is one that its owner knows of. Whatever of that is lost is asked again.
"""

from collections.abc import Iterator

import msgspec

from raysim.protocol.host import RayletHost
from raysim.protocol.messages import AdoptionsFailed, AdoptObjects, FetchObject
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.store import Store
from raysim.protocol.raylet.stored import StoredObject
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, ObjectId
from raysim.spec.resources import OBJECT_STORE_MEMORY, UNITS

AT_ONCE = 64
"""Objects that are on their way. Ours."""


class _Asked(msgspec.Struct):
    """`refused`: nodes that could not keep it."""

    target: Address
    since_ns: int
    refused: dict[NodeId, None] = {}


class Evacuation:
    def __init__(self, host: RayletHost, store: Store, view: ClusterView) -> None:
        self._host = host
        self._store = store
        self._view = view
        self._asked: dict[ObjectId, _Asked] = {}
        self._turn = 0

    def left(self) -> bool:
        """Whether there is anything that only this node keeps."""
        return next(self._kept(), None) is not None

    def look(self) -> None:
        """Ask for what is not on its way, and again for what has been for long."""
        here = self._store.objects
        self._asked = {one: asked for one, asked in self._asked.items() if one in here}
        if not self.left():
            return
        self._view.watch()
        batches: dict[Address, list[FetchObject]] = {}
        for entry in self._due():
            target = self._target(entry)
            if target is not None:
                own = [self._host.address]
                wanted = FetchObject(entry.object_id, entry.size, own, entry.owner)
                batches.setdefault(target, []).append(wanted)
        for target, wanted_there in batches.items():
            self._host.send(target, AdoptObjects(wanted_there))

    def on_failed(self, sender: Address, failed: AdoptionsFailed) -> None:
        for object_id in failed.object_ids:
            asked = self._asked.get(object_id)
            if asked is not None and asked.target == sender:
                asked.refused[sender.node_id] = None
                asked.since_ns = -self._host.config.request_retry_ns  # At the next look.

    def _kept(self) -> Iterator[StoredObject]:
        own = self._host.address.node_id
        for entry in self._store.objects.values():
            if entry.primary and not entry.freed and entry.owner.node_id != own:
                yield entry

    def _due(self) -> Iterator[StoredObject]:
        before_ns = self._host.now_ns() - self._host.config.request_retry_ns
        for entry in self._kept():
            asked = self._asked.get(entry.object_id)
            if (asked is None and len(self._asked) < AT_ONCE) or (
                asked is not None and asked.since_ns <= before_ns
            ):
                yield entry

    def _target(self, entry: StoredObject) -> Address | None:
        """The one that was asked before, unless it refused or is gone; else the next with a store large enough."""
        asked = self._asked.get(entry.object_id)
        refused = {} if asked is None else asked.refused
        large = [
            view.address
            for node_id, view in self._view.nodes.items()
            if node_id not in refused
            and view.total.get(OBJECT_STORE_MEMORY, 0) >= entry.size * UNITS
        ]
        if not large:
            self._asked.pop(entry.object_id, None)  # All refused: each may have room the next time.
            return None
        if asked is not None and asked.target in large:
            target = asked.target
        else:
            self._turn += 1
            target = large[self._turn % len(large)]
        self._asked[entry.object_id] = _Asked(target, self._host.now_ns(), refused)
        return target
