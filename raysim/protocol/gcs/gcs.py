"""The GCS: hands messages to nodes, jobs and actors, and losses to all of them. Never decides itself.

Nothing from a node that was declared dead is served: its raylet is told to stop instead (fencing).
"""

from collections.abc import Mapping
from typing import Any

from raysim.policies.base import Policy
from raysim.protocol.gcs.actors import ActorTable
from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.tables import Tables
from raysim.protocol.host import GcsHost
from raysim.protocol.messages import (
    ActorOutOfScope,
    ActorStarted,
    CreateActor,
    DrainNode,
    FinishJob,
    GetNamedActor,
    GetNodes,
    Healthy,
    KillActor,
    LeaseLost,
    Message,
    RegisterJob,
    RegisterNode,
    ReportResources,
    RevokeIdleLeases,
    SubscribeActor,
    WorkerDied,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.protocol.process import Handler
from raysim.spec.address import Address
from raysim.spec.ids import JobId, NodeId


class Gcs:
    """A role. Durable before it is acknowledged: see outbox."""

    def __init__(self, host: GcsHost, policy: Policy) -> None:
        self._outbox = outbox = Outbox(host)
        self._tables = tables = Tables(outbox)
        self.jobs = JobTable(outbox, tables, self._raylets, self._job_finished)
        self.nodes = NodeTable(
            outbox, tables, self.jobs.drivers, self._nodes_joined, self._node_lost
        )
        self.actors = ActorTable(outbox, tables, self.nodes, self.jobs, policy)

    def handlers(self) -> Mapping[type[Message], Handler]:
        nodes, jobs, actors = self.nodes, self.jobs, self.actors
        scheduler = actors.scheduler
        table: dict[type[Message], Handler] = {
            RegisterNode: nodes.on_register,
            ReportResources: nodes.views.on_report,
            Healthy: nodes.health.on_healthy,
            GetNodes: nodes.on_get,
            DrainNode: nodes.on_drain,
            WorkerDied: self.on_worker_died,
            RegisterJob: jobs.on_register,
            FinishJob: jobs.on_finish,
            CreateActor: actors.on_create,
            SubscribeActor: actors.on_subscribe,
            ActorStarted: actors.on_started,
            KillActor: actors.on_kill,
            ActorOutOfScope: actors.on_out_of_scope,
            GetNamedActor: actors.on_get_named,
            WorkerLeaseGranted: scheduler.on_granted,
            WorkerLeaseSpilled: scheduler.on_spilled,
            WorkerLeaseRefused: scheduler.on_refused,
            LeaseLost: self.on_lease_lost,
            RevokeIdleLeases: self.on_revoke,
        }
        return {kind: self._entry(handler) for kind, handler in table.items()}

    def start(self) -> None:
        self.actors.scheduler.begin(self._tables.next_epoch())
        self.jobs.load()
        self.nodes.load()
        self.actors.load()
        self._outbox.settle()

    def peer_lost(self, peer: Address) -> None:
        if not self.nodes.peer_lost(peer) and not self.actors.suspect(peer):
            self.actors.process_gone(peer.worker_id, "the connection to it broke")
            self.jobs.process_gone(peer.worker_id)
        self._outbox.settle()

    def on_worker_died(self, raylet: Address, died: WorkerDied) -> None:
        worker = died.worker.worker_id
        self.actors.process_gone(worker, died.reason, died.intended)
        self.jobs.process_gone(worker)

    def on_lease_lost(self, raylet: Address, lost: LeaseLost) -> None:
        if not self.actors.scheduler.lost_before_granted(raylet, lost.lease_id):
            # WorkerDied from the same raylet tells more (whether it was intended), if it arrives.
            self.actors.suspect(lost.worker)

    def on_revoke(self, raylet: Address, revoke: RevokeIdleLeases) -> None:
        """Nothing to return: every lease of the GCS is an actor, and none of them is idle."""

    def _entry(self, handler: Handler) -> Handler:
        fenced, settle = self.nodes.fenced, self._outbox.settle

        def handle(sender: Address, message: Any) -> None:
            if not fenced(sender):
                handler(sender, message)
                settle()

        return handle

    def _raylets(self) -> list[Address]:
        return self.nodes.raylets()

    def _nodes_joined(self) -> None:
        self.actors.scheduler.nodes_joined()

    def _node_lost(self, node_id: NodeId, reason: str) -> None:
        self.actors.node_gone(node_id, f"node {node_id.hex()[:8]} died: {reason}")
        self.jobs.node_gone(node_id)

    def _job_finished(self, job: JobId) -> None:
        self.actors.job_finished(job)
