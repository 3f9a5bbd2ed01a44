"""The GCS: hands messages to nodes, jobs and actors, and losses to all of them. Never decides itself.

Nothing from a node that was declared dead is served: its raylet is told to stop instead (fencing).
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from raysim.policies.base import Policy
from raysim.protocol.gcs.actors import ActorTable
from raysim.protocol.gcs.autoscaler import Autoscaler
from raysim.protocol.gcs.drains import Drains
from raysim.protocol.gcs.explanations import Explanations
from raysim.protocol.gcs.inspections import Inspections
from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.gcs.kv import KeyValueTable
from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.packages import PackageTable
from raysim.protocol.gcs.placement_groups import PlacementGroupTable
from raysim.protocol.gcs.quotas import Quotas
from raysim.protocol.gcs.tables import Tables
from raysim.protocol.host import GcsHost, NodeProvider
from raysim.protocol.messages import (
    ActorOutOfScope,
    ActorStarted,
    BundlesCommitted,
    BundlesPrepared,
    BundlesReturned,
    CheckProcesses,
    CreateActor,
    CreatePlacementGroup,
    DrainNode,
    ExplainActor,
    ExplainGroup,
    FinishJob,
    GetNamedActor,
    GetNodes,
    GetPackage,
    GetPlacementGroups,
    Healthy,
    InspectGcs,
    KeepMetrics,
    KeepTasks,
    KillActor,
    KvDelete,
    KvGet,
    KvPut,
    LeaseLost,
    ListNamedActors,
    NodeRemoved,
    PutPackage,
    RayletDrained,
    RayletDrains,
    RegisterJob,
    RegisterNode,
    RemovePlacementGroup,
    ReportResources,
    RequestQuota,
    RevokeIdleLeases,
    SubscribeActor,
    SubscribePlacementGroup,
    WatchNodes,
    WorkerDied,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
)
from raysim.protocol.process import Handler, Handlers
from raysim.spec.address import Address
from raysim.spec.autoscaling import AutoscalingSpec
from raysim.spec.ids import JobId, NodeId


class Gcs:
    """A role. Durable before it is acknowledged: see outbox."""

    def __init__(
        self,
        host: GcsHost,
        policy: Policy,
        autoscaling: AutoscalingSpec | None = None,
        provider: NodeProvider | None = None,
    ) -> None:
        self._outbox = outbox = Outbox(host)
        self._tables = tables = Tables(outbox)
        self.jobs = JobTable(outbox, tables, self._raylets, self._job_finished)
        self.nodes = NodeTable(
            outbox, tables, self.jobs.drivers, self._nodes_joined, self._node_lost
        )
        self.actors = ActorTable(outbox, tables, self.nodes, self.jobs, policy)
        self.quotas = Quotas(outbox, tables, self.jobs)
        self.groups = PlacementGroupTable(outbox, tables, self.nodes, self.jobs, self.quotas)
        self.quotas.freed = self.groups.placer.room_changed
        self.groups.changed = self.actors.scheduler.group_changed
        self.actors.scheduler.node_in_group = self.groups.node_for
        self.actors.died = self.groups.actor_dead
        self.autoscaler: Autoscaler | None = None
        if autoscaling is not None and provider is not None:
            self.autoscaler = Autoscaler(
                outbox,
                autoscaling,
                provider,
                self.nodes,
                self.actors.scheduler,
                self.groups.placer,
            )
            self.nodes.autoscales = True
        self.drains = Drains(outbox, self.nodes, self._node_drains)
        self.packages = PackageTable(outbox, self.jobs.programs, self._environments)
        self.kv = KeyValueTable(outbox)
        self.explanations = Explanations(outbox, self.actors, self.groups, self.nodes.views)
        self.inspections = Inspections(
            outbox, self.nodes, self.jobs, self.actors, self.groups, self.quotas
        )

    @staticmethod
    def handlers() -> Handlers["Gcs"]:
        table: Handlers[Gcs] = {
            RegisterNode: lambda gcs: gcs.on_register_node,
            ReportResources: lambda gcs: gcs.on_report,
            Healthy: lambda gcs: gcs.nodes.health.on_healthy,
            WatchNodes: lambda gcs: gcs.nodes.on_watch,
            GetNodes: lambda gcs: gcs.nodes.on_get,
            DrainNode: lambda gcs: gcs.drains.on_drain,
            RayletDrains: lambda gcs: gcs.on_raylet_drains,
            RayletDrained: lambda gcs: gcs.drains.on_drained,
            WorkerDied: lambda gcs: gcs.on_worker_died,
            RegisterJob: lambda gcs: gcs.jobs.on_register,
            FinishJob: lambda gcs: gcs.jobs.on_finish,
            CreateActor: lambda gcs: gcs.actors.on_create,
            SubscribeActor: lambda gcs: gcs.actors.on_subscribe,
            ActorStarted: lambda gcs: gcs.actors.on_started,
            KillActor: lambda gcs: gcs.actors.on_kill,
            ActorOutOfScope: lambda gcs: gcs.actors.on_out_of_scope,
            GetNamedActor: lambda gcs: gcs.actors.on_get_named,
            ListNamedActors: lambda gcs: gcs.actors.on_list_named,
            ExplainActor: lambda gcs: gcs.explanations.on_explain,
            ExplainGroup: lambda gcs: gcs.explanations.on_explain_group,
            InspectGcs: lambda gcs: gcs.inspections.on_inspect,
            KeepTasks: lambda gcs: gcs.inspections.on_keep,
            KeepMetrics: lambda gcs: gcs.inspections.on_keep_metrics,
            CreatePlacementGroup: lambda gcs: gcs.groups.on_create,
            SubscribePlacementGroup: lambda gcs: gcs.groups.on_subscribe,
            RemovePlacementGroup: lambda gcs: gcs.groups.on_remove,
            GetPlacementGroups: lambda gcs: gcs.groups.on_get,
            BundlesPrepared: lambda gcs: gcs.groups.placer.on_prepared,
            BundlesCommitted: lambda gcs: gcs.groups.placer.on_committed,
            BundlesReturned: lambda gcs: gcs.groups.placer.on_returned,
            RequestQuota: lambda gcs: gcs.quotas.on_request,
            PutPackage: lambda gcs: gcs.packages.on_put,
            GetPackage: lambda gcs: gcs.packages.on_get,
            KvPut: lambda gcs: gcs.kv.on_put,
            KvGet: lambda gcs: gcs.kv.on_get,
            KvDelete: lambda gcs: gcs.kv.on_delete,
            WorkerLeaseGranted: lambda gcs: gcs.actors.scheduler.on_granted,
            WorkerLeaseSpilled: lambda gcs: gcs.actors.scheduler.on_spilled,
            WorkerLeaseRefused: lambda gcs: gcs.actors.scheduler.on_refused,
            LeaseLost: lambda gcs: gcs.on_lease_lost,
            RevokeIdleLeases: lambda gcs: gcs.on_revoke,
        }
        return {kind: partial(_entry, handler) for kind, handler in table.items()}

    def start(self) -> None:
        epoch = self._tables.next_epoch()
        self.actors.scheduler.begin(epoch)
        self.groups.placer.begin(epoch)
        self.kv.load()
        self.jobs.load()
        self.packages.load()
        self.nodes.load()
        self.quotas.load()
        self.groups.load()
        self.actors.load()
        self._finish_what_was_begun()
        self.drains.load()
        if self.autoscaler is not None:
            self.autoscaler.start()
        self._outbox.settle()

    def _finish_what_was_begun(self) -> None:
        """What follows from a node's end or a job's: the commit that began it may have been torn."""
        for node_id, state in self.nodes.dead.items():
            self._node_lost(node_id, state.death_reason)
        for job in self.jobs.ended:
            self._job_finished(job)

    def peer_lost(self, peer: Address) -> None:
        if not self.nodes.peer_lost(peer) and not self.actors.suspect(peer):
            self.actors.process_gone(peer.worker_id, "the connection to it broke")
            self.groups.process_gone(peer.worker_id)
            self.jobs.process_gone(peer.worker_id)
        self._outbox.settle()

    def on_register_node(self, raylet: Address, register: RegisterNode) -> None:
        known = raylet.node_id in self.nodes.live
        self.nodes.on_register(raylet, register)
        self.drains.registered(raylet)
        if not known and raylet.node_id in self.nodes.live:
            self.inspections.node_joined(raylet, register.info.name)
        if known:
            # It may have missed all that was said while the GCS was away, or about to be.
            for node_id, state in self.nodes.dead.items():
                self._outbox.send(raylet, NodeRemoved(node_id, state.death_reason))
            if not self.nodes.is_draining(raylet.node_id):
                self.groups.keep(raylet)  # What runs in bundles there that were moved may end.
            there = self.actors.workers_at(raylet) + self.jobs.drivers_at(raylet.node_id)
            if there:
                self._outbox.send(raylet, CheckProcesses(there))

    def on_report(self, raylet: Address, report: ReportResources) -> None:
        self.nodes.views.on_report(raylet, report)
        if self.autoscaler is not None:
            self.autoscaler.on_report(raylet, report)
        self.groups.placer.room_changed()

    def on_raylet_drains(self, raylet: Address, answer: RayletDrains) -> None:
        self.drains.on_accepted(raylet, answer)
        if answer.idle and self.autoscaler is not None:
            self.autoscaler.on_idle(raylet, answer.accepted)

    def on_worker_died(self, raylet: Address, died: WorkerDied) -> None:
        worker = died.worker.worker_id
        self.inspections.process_ended(died)
        self.groups.process_gone(worker)
        self.actors.process_gone(worker, died.reason, died.intended, died.out_of_memory)
        self.jobs.process_gone(worker)

    def on_lease_lost(self, raylet: Address, lost: LeaseLost) -> None:
        if not self.actors.scheduler.lost_before_granted(raylet, lost.lease_id):
            # WorkerDied from the same raylet tells more (whether it was intended), if it arrives.
            self.actors.suspect(lost.worker)

    def on_revoke(self, raylet: Address, revoke: RevokeIdleLeases) -> None:
        """Nothing to return: every lease of the GCS is an actor, and none of them is idle."""

    def _environments(self) -> Iterator[str]:
        yield from self.jobs.environments()
        for actor in self.actors.directory.live.values():
            yield actor.spec.runtime_env

    def _raylets(self) -> list[Address]:
        return self.nodes.raylets()

    def _nodes_joined(self) -> None:
        self.actors.scheduler.nodes_joined()
        self.groups.placer.room_changed()

    def _node_drains(self, node_id: NodeId, reason: str) -> None:
        self.inspections.node_drains(node_id, reason)
        self.groups.node_drains(node_id)
        self.actors.node_drains(node_id, reason)

    def _node_lost(self, node_id: NodeId, reason: str) -> None:
        self.drains.node_gone(node_id)
        self.inspections.node_lost(node_id, reason)
        self.actors.node_gone(node_id, f"node {node_id.hex()[:8]} died: {reason}")
        self.groups.node_gone(node_id)
        self.quotas.node_gone(node_id)
        if self.autoscaler is not None:
            self.autoscaler.node_gone(node_id)
        self.jobs.node_gone(node_id)

    def _job_finished(self, job: JobId, observer: bool = False) -> None:
        if not observer:
            self.inspections.job_finished(job)
        self.actors.job_finished(job)
        self.groups.job_finished(job)
        self.quotas.job_finished(job)


def _entry(of: Callable[[Gcs], Handler], gcs: Gcs) -> Handler:
    """What nodes say that are taken for dead is not heard; what follows of the rest leaves once it is committed."""
    handler, fenced, settle = of(gcs), gcs.nodes.fenced, gcs._outbox.settle

    def handle(sender: Address, message: Any) -> None:
        if not fenced(sender):
            handler(sender, message)
            settle()

    return handle
