"""The owner: dispatches what concerns the objects, tasks and actor calls of one process. Decides nothing itself."""

from collections.abc import Callable

from raysim.journal import Infeasible
from raysim.protocol.host import ProcessHost
from raysim.protocol.messages import (
    ActorChanged,
    ActorRefused,
    ActorRegistered,
    AddBorrowers,
    BorrowersAdded,
    CallsPlaced,
    CancelOwned,
    ChannelRead,
    ChannelWrite,
    CopyAdded,
    CopyMoved,
    CopyRemoved,
    ExtentLent,
    ExtentRefused,
    FetchFailed,
    GeneratorItems,
    GraphOpened,
    LeaseLost,
    NodeRemoved,
    ObjectLocal,
    ObjectsResolved,
    PreemptLease,
    RemoveBorrowers,
    ResolveObjects,
    RevokeIdleLeases,
    TasksDone,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
    WorkInfeasible,
)
from raysim.protocol.owner.actor_calls import ActorCalls
from raysim.protocol.owner.actor_creation import ActorCreation
from raysim.protocol.owner.channels import Channels
from raysim.protocol.owner.extents import Extents
from raysim.protocol.owner.fetches import Fetches
from raysim.protocol.owner.graphs import Graphs
from raysim.protocol.owner.history import History
from raysim.protocol.owner.object_states import ObjectStates
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import OutOfMemory
from raysim.protocol.owner.streams import Streams
from raysim.protocol.owner.task_states import TaskStates
from raysim.protocol.owner.tasks import Tasks
from raysim.protocol.owner.testimony import Testimony
from raysim.protocol.process import Handlers
from raysim.protocol.spans import Spans
from raysim.spec.address import Address
from raysim.spec.ids import IdSource, NodeId, TaskId
from raysim.spec.task import TaskCall


class Owner:
    """Every driver and every worker is one: whoever submits, puts, or holds a reference."""

    def __init__(self, host: ProcessHost, raylet: Address, gcs: Address) -> None:
        self._host = host
        self.objects = ObjectTable(host)
        self.fetches = Fetches(host, self.objects, raylet)
        self.extents = Extents(host, raylet)
        self.streams = Streams(host, self.objects)
        self.history = History(host.config.task_history)
        self.spans = Spans(host)
        self.tasks = Tasks(host, self.objects, self.streams, self.history, raylet)
        self.actor_calls = ActorCalls(host, self.objects, self.streams, self.history, gcs)
        self.tasks.rebuild_method = self.actor_calls.rebuild
        self.actors = ActorCreation(host, self.objects, self.actor_calls, self.history, gcs)
        self.channels = Channels(host, self.objects, self.extents, raylet)
        self.graphs = Graphs(host, self.actor_calls, self.channels)
        self.testimony = Testimony(host, self.objects, self.tasks, self.actor_calls, self.actors)
        self.task_states = TaskStates(self.history, self.tasks, self.actor_calls, self.actors)
        self.object_states = ObjectStates(host, self.objects, self.fetches, self.task_states)
        self.when_node_lost: Callable[[NodeId], None] = lambda node_id: None
        """Set by another role of the process that deals with peers, too."""

    def start(self) -> None:
        """Nothing to do before the first call."""

    @staticmethod
    def handlers() -> Handlers["Owner"]:
        return {
            WorkerLeaseGranted: lambda owner: owner._on_granted,
            WorkerLeaseSpilled: lambda owner: owner.tasks.leases.requests.on_spilled,
            WorkerLeaseRejected: lambda owner: owner.tasks.leases.requests.on_rejected,
            CallsPlaced: lambda owner: owner.tasks.leases.requests.reservations.on_placed,
            WorkerLeaseRefused: lambda owner: (
                lambda _, m: owner.tasks.leases.on_refused(m.lease_id, m.failure)
            ),
            RevokeIdleLeases: lambda owner: (
                lambda _, m: owner.tasks.leases.on_revoke(m.node_id, m.for_ns, m.drains)
            ),
            PreemptLease: lambda owner: lambda _, m: owner.tasks.leases.on_preempt(m.lease_id),
            LeaseLost: lambda owner: owner._on_lease_lost,
            WorkInfeasible: lambda owner: lambda _, m: owner._host.note(Infeasible(m.text)),
            TasksDone: lambda owner: owner._on_tasks_done,
            CancelOwned: lambda owner: lambda _, m: owner.cancel(m.task_id, m.force, m.recursive),
            GeneratorItems: lambda owner: owner.streams.on_items,
            ChannelWrite: lambda owner: owner.graphs.on_write,
            ChannelRead: lambda owner: owner.channels.on_read,
            GraphOpened: lambda owner: owner.graphs.on_opened,
            ActorRegistered: lambda owner: owner.actors.on_registered,
            ActorRefused: lambda owner: owner.actors.on_refused,
            ActorChanged: lambda owner: owner._on_actor_changed,
            ResolveObjects: lambda owner: owner.objects.on_resolve,
            ObjectsResolved: lambda owner: owner.objects.on_resolved,
            AddBorrowers: lambda owner: owner.objects.on_add_borrowers,
            BorrowersAdded: lambda owner: owner.objects.on_borrowers_added,
            RemoveBorrowers: lambda owner: owner.objects.on_remove_borrowers,
            CopyAdded: lambda owner: owner.objects.copies.on_added,
            CopyMoved: lambda owner: owner.objects.copies.on_moved,
            CopyRemoved: lambda owner: owner.objects.copies.on_removed,
            ObjectLocal: lambda owner: owner.fetches.on_local,
            FetchFailed: lambda owner: owner.fetches.on_failed,
            ExtentLent: lambda owner: owner.extents.on_lent,
            ExtentRefused: lambda owner: owner.extents.on_refused,
            NodeRemoved: lambda owner: owner._on_node_removed,
        }

    def flush(self) -> None:
        """Somebody is about to wait: send everything that was gathered."""
        self.tasks.leases.flush()
        self.actor_calls.flush()
        self.channels.flush()

    def leave(self) -> None:
        """This process is about to end, of its own accord."""
        self.tasks.leases.leave()

    def cancel(self, task_id: TaskId, force: bool, recursive: bool) -> None:
        """A call of this process, whatever it has come to."""
        self.tasks.cancel(task_id, force, recursive)
        self.actor_calls.cancel(task_id, recursive)

    def cancel_children(self, parent: TaskCall, force: bool) -> None:
        """What this call has submitted so far, from here, and that has not ended."""
        made = IdSource(parent.task_id, parent.attempt).made
        for task_id in [*self.tasks.records, *self.actor_calls.records]:
            if made(task_id):
                self.cancel(task_id, force, recursive=True)

    def _on_granted(self, raylet: Address, m: WorkerLeaseGranted) -> None:
        self.tasks.leases.on_granted(raylet, m.lease_id, m.worker, m.accelerators)

    def _on_tasks_done(self, worker: Address, done: TasksDone) -> None:
        self.actor_calls.on_done(worker, done)
        self.tasks.on_done(worker, done)

    def _on_actor_changed(self, sender: Address, changed: ActorChanged) -> None:
        self.actor_calls.on_changed(sender, changed)
        self.actors.on_changed(changed.info)

    def _on_lease_lost(self, raylet: Address, lost: LeaseLost) -> None:
        memory = OutOfMemory(lost.final) if lost.out_of_memory else None
        self.tasks.leases.reported_lost(lost.worker, lost.reason, memory)

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
