"""The owner: dispatches what concerns the objects, tasks and actor calls of one process. Decides nothing itself."""

from collections.abc import Callable, Mapping

from raysim.protocol.host import Host
from raysim.protocol.messages import (
    ActorChanged,
    ActorRefused,
    ActorRegistered,
    AddBorrowers,
    BorrowersAdded,
    CopyAdded,
    CopyRemoved,
    ExtentLent,
    ExtentRefused,
    FetchFailed,
    LeaseLost,
    Message,
    NodeRemoved,
    ObjectLocal,
    ObjectsResolved,
    RemoveBorrowers,
    ResolveObjects,
    RevokeIdleLeases,
    TasksDone,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.protocol.owner.actor_calls import ActorCalls
from raysim.protocol.owner.actor_creation import ActorCreation
from raysim.protocol.owner.extents import Extents
from raysim.protocol.owner.fetches import Fetches
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.tasks import Tasks
from raysim.protocol.owner.testimony import Testimony
from raysim.protocol.process import Handler
from raysim.spec.address import Address
from raysim.spec.ids import NodeId


class Owner:
    """Every driver and every worker is one: whoever submits, puts, or holds a reference."""

    def __init__(self, host: Host, raylet: Address, gcs: Address) -> None:
        self.objects = ObjectTable(host)
        self.fetches = Fetches(host, self.objects, raylet)
        self.extents = Extents(host, raylet)
        self.tasks = Tasks(host, self.objects, raylet)
        self.actor_calls = ActorCalls(host, self.objects, gcs)
        self.actors = ActorCreation(host, self.objects, self.actor_calls, gcs)
        self.testimony = Testimony(host, self.objects, self.tasks, self.actor_calls, self.actors)
        self.when_node_lost: Callable[[NodeId], None] = lambda node_id: None
        """Set by another role of the process that deals with peers, too."""

    def start(self) -> None:
        """Nothing to do before the first call."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        leases = self.tasks.leases
        return {
            WorkerLeaseGranted: lambda sender, m: leases.on_granted(
                sender, m.lease_id, m.worker, m.accelerators
            ),
            WorkerLeaseSpilled: lambda sender, m: leases.requests.spilled(
                sender, m.lease_id, m.raylet, m.hops
            ),
            WorkerLeaseRefused: lambda _, m: leases.on_refused(m.lease_id, m.failure),
            RevokeIdleLeases: lambda _, m: leases.on_revoke(m.node_id, m.for_ns),
            LeaseLost: self._on_lease_lost,
            TasksDone: self._on_tasks_done,
            ActorRegistered: self.actors.on_registered,
            ActorRefused: self.actors.on_refused,
            ActorChanged: self._on_actor_changed,
            ResolveObjects: self.objects.on_resolve,
            ObjectsResolved: self.objects.on_resolved,
            AddBorrowers: self.objects.on_add_borrowers,
            BorrowersAdded: self.objects.on_borrowers_added,
            RemoveBorrowers: self.objects.on_remove_borrowers,
            CopyAdded: self.objects.on_copy_added,
            CopyRemoved: self.objects.on_copy_removed,
            ObjectLocal: self.fetches.on_local,
            FetchFailed: self.fetches.on_failed,
            ExtentLent: self.extents.on_lent,
            ExtentRefused: self.extents.on_refused,
            NodeRemoved: self._on_node_removed,
        }

    def flush(self) -> None:
        """Somebody is about to wait: send everything that was gathered."""
        self.tasks.leases.flush()
        self.actor_calls.flush()

    def _on_tasks_done(self, worker: Address, done: TasksDone) -> None:
        self.actor_calls.on_done(worker, done)
        self.tasks.on_done(worker, done)

    def _on_actor_changed(self, sender: Address, changed: ActorChanged) -> None:
        self.actor_calls.on_changed(sender, changed)
        self.actors.on_changed(changed.info)

    def _on_lease_lost(self, raylet: Address, lost: LeaseLost) -> None:
        self.tasks.leases.worker_lost(lost.worker, lost.reason)

    def _on_node_removed(self, sender: Address, removed: NodeRemoved) -> None:
        self.tasks.leases.node_lost(removed.node_id, f"its node died: {removed.reason}")
        for peer in self.objects.peers_on(removed.node_id):
            self.objects.peer_lost(peer)
        self.objects.node_lost(removed.node_id)
        self.actor_calls.node_lost(removed.node_id)
        self.when_node_lost(removed.node_id)

    def peer_lost(self, peer: Address) -> None:
        self.tasks.leases.worker_lost(peer, "the worker process ended")
        self.tasks.leases.requests.raylet_lost(peer)
        self.actor_calls.worker_lost(peer)
        self.objects.peer_lost(peer)
