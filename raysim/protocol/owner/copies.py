"""In which stores objects lie, and what the loss of a copy means. Never a count of references."""

from typing import TYPE_CHECKING

from raysim.journal import ObjectGone
from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import CopyAdded, CopyMoved, CopyRemoved, FreeObjects
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import NodeId, ObjectId

if TYPE_CHECKING:
    from raysim.protocol.owner.objects import ObjectTable


class Copies:
    """What stands in `Entry.holders`: of borrowed objects as their owner said."""

    def __init__(self, host: Host, objects: "ObjectTable") -> None:
        self._host = host
        self._objects = objects
        self._on_node: dict[NodeId, dict[ObjectId, None]] = {}
        """Owned ones."""
        self._free: Batcher[ObjectId] = Batcher(host, FreeObjects)

    def add(self, entry: Entry, raylet: Address) -> None:
        if all(holder.worker_id != raylet.worker_id for holder in entry.holders):
            entry.holders += (raylet,)
            if entry.owner is None:
                self._on_node.setdefault(raylet.node_id, {})[entry.object_id] = None

    def free(self, object_id: ObjectId, raylet: Address) -> None:
        """This one counts for nothing: its object is out of scope, or is being made again."""
        self._free.add(raylet, object_id)

    def free_all(self, entry: Entry) -> None:
        for raylet in entry.holders:
            self._free.add(raylet, entry.object_id)
            self._unindex(entry.object_id, raylet.node_id)
        entry.holders = ()

    def _unindex(self, object_id: ObjectId, node_id: NodeId) -> None:
        on_node = self._on_node.get(node_id)
        if on_node is not None:
            on_node.pop(object_id, None)

    def lost(self, entry: Entry, node_id: NodeId, why: str = "") -> None:
        """With the last one the object is made again, if it is in use, or has failed."""
        entry.holders = tuple(h for h in entry.holders if h.node_id != node_id)
        self._unindex(entry.object_id, node_id)
        if entry.holders or entry.state != ObjectState.STORED:
            return
        if entry.in_use() and not self._objects.rebuild(entry):
            on = f"node {node_id.hex()[:8]}"
            how = f"lost on {on}: {why}" if why else f"lost with {on}"
            reason = f"{how}; no other copy, and no task to run again"
            self._host.note(ObjectGone(entry.object_id, reason))
            self._objects.fail(entry, FailureKind.OBJECT_LOST, f"was {reason}")

    def node_lost(self, node_id: NodeId) -> None:
        for object_id in list(self._on_node.pop(node_id, {})):
            entry = self._objects.entries.get(object_id)
            if entry is not None:
                self.lost(entry, node_id)

    def on_added(self, sender: Address, added: CopyAdded) -> None:
        entry = self._objects.entries.get(added.object_id)
        if entry is not None and entry.owner is None and entry.state == ObjectState.STORED:
            self.add(entry, added.raylet)
        else:
            # Gone already, or being made again, with other references inside perhaps.
            self.free(added.object_id, added.raylet)

    def on_moved(self, sender: Address, moved: CopyMoved) -> None:
        """The copy at `source` goes once this one counts."""
        entry = self._objects.entries.get(moved.object_id)
        if entry is not None and entry.owner is None and entry.state == ObjectState.STORED:
            self.add(entry, moved.raylet)
            self.lost(entry, moved.source.node_id)
            self.free(moved.object_id, moved.source)
            return
        self.free(moved.object_id, moved.raylet)
        if entry is None or entry.ready:
            self.free(moved.object_id, moved.source)

    def on_removed(self, sender: Address, removed: CopyRemoved) -> None:
        entry = self._objects.entries.get(removed.object_id)
        if entry is not None and entry.owner is None:
            self.lost(entry, removed.raylet.node_id, removed.why)
