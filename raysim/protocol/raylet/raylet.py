"""The raylet of a node: hands each message, loss and timer to the part that it concerns. Decides nothing itself.

Parts: placement and leases, workers, store and pulls, the view of the cluster, reports to the GCS.
"""

from functools import partial

import msgspec

from raysim.journal import WorkerLost
from raysim.policies.base import Policy
from raysim.protocol.host import RayletHost
from raysim.protocol.messages import (
    AdoptionsFailed,
    AdoptObjects,
    CancelFetches,
    CancelWorkerLease,
    CheckHealth,
    CheckProcesses,
    ChunkMissing,
    CommitBundles,
    DrainRaylet,
    ExitWorker,
    ExplainLease,
    FetchObjects,
    FreeObjects,
    Healthy,
    InspectNode,
    JobFinished,
    KeepBundles,
    KillWorker,
    ListLogs,
    NodeDraining,
    NodeRefused,
    NodeRegistered,
    NodeRemoved,
    ObjectChunk,
    PackagePart,
    PlaceCalls,
    PlacementGroupChanged,
    PrepareBundles,
    PrepareEnv,
    ProbeQueue,
    PullChunk,
    QueueProbed,
    QuotaGranted,
    RayletDrains,
    ReadLog,
    RegisterDriver,
    RegisterNode,
    RegisterWorker,
    ReleasePins,
    RequestExtent,
    RequestsStolen,
    RequestWorkerLease,
    ResourceView,
    ReturnBundles,
    ReturnWorkerLease,
    SealObject,
    StealRequests,
    WorkerBlocked,
    WorkerDied,
    WorkerExiting,
    WorkerRegistered,
    WorkerUnblocked,
)
from raysim.protocol.messages.state import Ending
from raysim.protocol.process import LAST_WORDS_NS, Handlers
from raysim.protocol.raylet.bundles import Bundles
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.drain import RayletDrain
from raysim.protocol.raylet.envs import Envs
from raysim.protocol.raylet.explanations import Explanations
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.groups import Groups
from raysim.protocol.raylet.inspections import Inspections
from raysim.protocol.raylet.leases import Leases
from raysim.protocol.raylet.logs import Logs
from raysim.protocol.raylet.memory_monitor import MemoryMonitor
from raysim.protocol.raylet.placement import Placement
from raysim.protocol.raylet.probing import Probing
from raysim.protocol.raylet.pulls import Pulls
from raysim.protocol.raylet.reports import Reports
from raysim.protocol.raylet.restores import Restores
from raysim.protocol.raylet.stealing import Stealing
from raysim.protocol.raylet.store import Store
from raysim.protocol.raylet.workers import Worker, WorkerPool
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.labels import of_node as labels_of_node
from raysim.spec.node import NodeInfo, NodeView, StoreStats, offered
from raysim.spec.resources import fits


class Raylet:
    def __init__(self, host: RayletHost, info: NodeInfo, gcs: Address, policy: Policy) -> None:
        self._host = host
        labels = labels_of_node(info.address.node_id, info.labels)
        self._info = info = msgspec.structs.replace(info, labels=labels, total=offered(info))
        self._gcs = self.gcs = gcs
        self._registered = False
        self._registering = False
        self._drivers: dict[WorkerId, Address] = {}
        self._fence = Fence()
        self.view = ClusterView(host, info, gcs, self._nodes_changed, self._needs_others)
        self.reports = Reports(host, gcs, self.view.local, self._stats)
        self.store = Store(host, self._fence, self.reports.changed)
        self.restores = Restores(host, self.store, self._fence)
        self.pulls = Pulls(host, self.store, self._fence, self.restores)
        self.envs = Envs(host, gcs, self._env_ready, self._env_failed)
        self.pool = WorkerPool(host, info.total, self._starts_failed, self._make_env_ready)
        self.groups = Groups(host, self.view, gcs)
        placement = Placement(host, self.view, policy, self._fence, self.groups)
        self.leases = Leases(host, self.view, placement, self.pool, self.reports, self._fence, gcs)
        self.probing = Probing(host, self.view, policy, self.leases.book.queue, self._fence)
        self.stealing = Stealing(host, self.view, policy, self.leases, self._fence)
        self.reports.busy = self._busy
        self.memory = MemoryMonitor(host, self.pool)
        self.drain = RayletDrain(
            host, gcs, self.view, self.leases, self.pool, self.store, lambda: bool(self._drivers)
        )
        self.explanations = Explanations(host, self.view, self.leases, self.envs)
        self.inspections = Inspections(host, self.pool, self.envs, self.store.spans)
        self.logs = Logs(host)
        self.bundles = Bundles(host, self.view, self.leases, self.groups, self.reports)

    @staticmethod
    def handlers() -> Handlers["Raylet"]:
        return {
            NodeRegistered: lambda raylet: raylet._on_registered,
            NodeRefused: lambda raylet: raylet._on_refused,
            NodeRemoved: lambda raylet: raylet._on_node_removed,
            ResourceView: lambda raylet: raylet.view.on_view,
            ExplainLease: lambda raylet: raylet.explanations.on_explain,
            InspectNode: lambda raylet: raylet.inspections.on_inspect,
            ListLogs: lambda raylet: raylet.logs.on_list,
            ReadLog: lambda raylet: raylet.logs.on_read,
            CheckHealth: lambda raylet: raylet._on_check,
            CheckProcesses: lambda raylet: raylet._on_check_processes,
            JobFinished: lambda raylet: raylet._on_job_finished,
            DrainRaylet: lambda raylet: raylet._on_drain,
            NodeDraining: lambda raylet: raylet._on_node_draining,
            RegisterWorker: lambda raylet: raylet._on_register_worker,
            RegisterDriver: lambda raylet: raylet._on_register_driver,
            WorkerExiting: lambda raylet: raylet._on_exiting,
            WorkerBlocked: lambda raylet: raylet._on_blocked,
            WorkerUnblocked: lambda raylet: raylet._on_unblocked,
            KillWorker: lambda raylet: raylet._on_kill,
            RequestWorkerLease: lambda raylet: raylet.leases.on_request,
            ReturnWorkerLease: lambda raylet: raylet.leases.on_return,
            PlaceCalls: lambda raylet: raylet.probing.on_place,
            ProbeQueue: lambda raylet: raylet.probing.on_probe,
            QueueProbed: lambda raylet: raylet.probing.on_probed,
            StealRequests: lambda raylet: raylet.stealing.on_steal,
            RequestsStolen: lambda raylet: raylet.stealing.on_stolen,
            QuotaGranted: lambda raylet: raylet.leases.quotas.on_granted,
            CancelWorkerLease: lambda raylet: raylet.leases.on_cancel,
            PrepareBundles: lambda raylet: raylet.bundles.on_prepare,
            CommitBundles: lambda raylet: raylet.bundles.on_commit,
            ReturnBundles: lambda raylet: raylet.bundles.on_return,
            KeepBundles: lambda raylet: raylet.bundles.on_keep,
            PlacementGroupChanged: lambda raylet: raylet.bundles.on_changed,
            PrepareEnv: lambda raylet: raylet.envs.on_prepare,
            PackagePart: lambda raylet: raylet.envs.on_part,
            RequestExtent: lambda raylet: raylet.store.on_request_extent,
            SealObject: lambda raylet: raylet._on_seal,
            ReleasePins: lambda raylet: raylet.store.on_release_pins,
            FreeObjects: lambda raylet: raylet._on_free,
            FetchObjects: lambda raylet: raylet.pulls.on_fetch,
            CancelFetches: lambda raylet: raylet.pulls.on_cancel,
            PullChunk: lambda raylet: raylet.pulls.on_pull,
            ObjectChunk: lambda raylet: raylet.pulls.on_chunk,
            ChunkMissing: lambda raylet: raylet.pulls.on_missing,
            AdoptObjects: lambda raylet: raylet._on_adopt,
            AdoptionsFailed: lambda raylet: raylet.drain.evacuation.on_failed,
        }

    def start(self) -> None:
        self._register()

    @property
    def registered(self) -> bool:
        """The GCS knows this node."""
        return self._registered

    # --- the node and the GCS ---------------------------------------------------------------------

    def _register(self) -> None:
        """Ask until the GCS answers."""
        self._registering = not self._registered
        if self._registering:
            self._host.send(self._gcs, RegisterNode(self._info))
            self._host.call_later(self._host.config.request_retry_ns, self._register)

    def _on_registered(self, sender: Address, registered: NodeRegistered) -> None:
        for node_id in registered.dead:
            self._on_node_removed(sender, NodeRemoved(node_id, "it died before this one joined"))
        if not self._registered:
            self._registered = True
            if registered.autoscales:
                self.reports.demand = self.leases.book.demand
            for driver in self._drivers.values():
                self._welcome(driver)
            self.reports.begin()
            self.groups.ask_again()
            self.view.gcs_returned()
            self.leases.quotas.gcs_returned()
            self.stealing.begin()

    def _on_refused(self, sender: Address, refused: NodeRefused) -> None:
        self._host.stop_node(f"the GCS refused this node: {refused.reason}")

    def _on_check(self, sender: Address, check: CheckHealth) -> None:
        self._host.send(sender, Healthy(check.number))

    def _on_check_processes(self, sender: Address, check: CheckProcesses) -> None:
        for process in check.processes:
            if self._fence.has(process):
                reason = "it ended while the GCS was away"
                self._host.send(sender, WorkerDied(process, reason))

    def _stats(self) -> StoreStats:
        return self.restores.stats(self.pulls.bytes_pulled)

    # --- other nodes ------------------------------------------------------------------------------

    def _nodes_changed(self, changed: list[NodeView]) -> None:
        self.leases.nodes_changed(changed)
        self.probing.nodes_changed()
        self.stealing.nodes_changed(changed)

    def _needs_others(self) -> bool:
        waits = self.leases.book.queued() > 0 or self.probing.waits()
        return waits or self.stealing.watches()

    def _on_node_removed(self, sender: Address, removed: NodeRemoved) -> None:
        node_id = removed.node_id
        if node_id == self._info.address.node_id:
            self._host.stop_node(f"the GCS declared this node dead: {removed.reason}")
            return
        if not self._fence.add_node(node_id):
            return
        self.view.remove(node_id)
        for process in [worker.address for worker in self.pool.workers.values()]:
            self._host.send(process, removed)
        for driver in self._drivers.values():
            self._host.send(driver, removed)
        self._node_lost(node_id, f"node {node_id.hex()[:12]} died: {removed.reason}")

    def _node_lost(self, node_id: NodeId, reason: str) -> None:
        self.leases.node_lost(node_id, reason)
        self.probing.node_lost(node_id)
        self.stealing.node_lost(node_id)
        self.store.node_lost(node_id)
        self.pulls.node_lost(node_id)
        self.leases.nodes_changed([])

    def _on_job_finished(self, sender: Address, finished: JobFinished) -> None:
        self._process_lost(finished.driver, "its job finished")
        self.pool.job_finished(finished.job_id)

    def _busy(self) -> bool:
        local = self.view.local
        if (
            self._host.store.used() > 0
            or self.store.objects
            or not fits(local.total, local.available)
        ):
            return True
        return self.leases.book.holds_any()  # One that holds nothing, an actor say.

    def _on_drain(self, sender: Address, drain: DrainRaylet) -> None:
        accepted = True
        if drain.only_if_idle:
            accepted = not (self._busy() or self.leases.book.queued() or self._drivers)
        if not drain.only_if_idle:
            self.drain.begin(drain.reason)
        elif accepted:
            self.leases.close()
        self._host.send(sender, RayletDrains(accepted, drain.only_if_idle))

    def _on_node_draining(self, sender: Address, draining: NodeDraining) -> None:
        if not self._fence.has_node(draining.node_id):
            self.view.drain(draining.node_id, draining.reason)
            self.leases.nodes_changed([])

    # --- processes of this node -------------------------------------------------------------------

    def _on_register_worker(self, sender: Address, register: RegisterWorker) -> None:
        worker = self.pool.get(sender)
        if worker is not None:
            self._welcome(sender)  # A second copy.
            return
        worker = self.pool.registered(sender, register.token, register.pid)
        if worker is None:
            reason = f"no worker is expected with token {register.token}: it came too late"
            self._host.send(sender, ExitWorker(reason))
            return
        self._welcome(sender)
        self.leases.worker_ready(worker)

    def _on_register_driver(self, sender: Address, register: RegisterDriver) -> None:
        if self._fence.has(sender):
            return
        self._drivers[sender.worker_id] = sender
        self.inspections.driver_joined(sender, register)
        if self._registered:
            self._welcome(sender)

    def _welcome(self, process: Address) -> None:
        for node_id in self._fence.nodes():
            # It may be given a reference whose owner was there, and would wait for an answer for ever.
            self._host.send(process, NodeRemoved(node_id, "it died before this process began"))
        self._host.send(process, WorkerRegistered(self._gcs, self._info.name))

    def _on_exiting(self, sender: Address, exiting: WorkerExiting) -> None:
        worker = self.pool.get(sender)
        if worker is not None:
            self.pool.leaving(worker, exiting.reason, exiting.intended)

    def _on_blocked(self, sender: Address, blocked: WorkerBlocked) -> None:
        worker = self.pool.get(sender)
        if worker is not None:
            self.leases.lending.blocked(worker, blocked.number)

    def _on_unblocked(self, sender: Address, unblocked: WorkerUnblocked) -> None:
        worker = self.pool.get(sender)
        if worker is not None:
            self.leases.lending.unblocked(worker, unblocked.number)

    def _on_kill(self, sender: Address, kill: KillWorker) -> None:
        worker = self.pool.get(kill.worker)
        if worker is not None:
            self.pool.kill(worker, kill.reason)
        else:
            self._host.send(sender, WorkerDied(kill.worker, f"it was gone already: {kill.reason}"))

    def _starts_failed(self, env: str, reason: str) -> None:
        self.leases.starts_failed(env, reason)

    # --- runtime environments ---------------------------------------------------------------------

    def env_finished(self, env: str, problem: str | None) -> None:
        """The host has set it up, or could not."""
        self.envs.finished(env, problem)

    def _make_env_ready(self, env: str) -> bool:
        if self.envs.is_ready(env):
            return True
        self.envs.set_up(env)
        return False  # If it is ready by now, the pool was told.

    def _env_ready(self, env: str) -> None:
        self.pool.env_ready(env)

    def _env_failed(self, env: str, problem: str) -> None:
        self.leases.env_failed(env, problem)

    # --- objects ----------------------------------------------------------------------------------

    def _on_seal(self, sender: Address, seal: SealObject) -> None:
        entry = self.store.on_seal(sender, seal)
        if entry is not None:
            self.pulls.sealed(entry)

    def _on_free(self, sender: Address, free: FreeObjects) -> None:
        for object_id in free.object_ids:
            self.store.free(object_id)
            self.pulls.freed(object_id)
        self.store.room.serve()

    def _on_adopt(self, sender: Address, adopt: AdoptObjects) -> None:
        if self._fence.has(sender):
            return
        if self.view.drains:
            refused = [wanted.object_id for wanted in adopt.objects]
            self._host.send(sender, AdoptionsFailed(refused))
            return
        for wanted in adopt.objects:
            self.pulls.adopt(sender, wanted)

    # --- losses -----------------------------------------------------------------------------------

    def worker_ended(self, token: int, reason: str) -> None:
        """The host saw the end of a worker process that it started."""
        worker = self.pool.by_token(token)
        if worker is None:
            self.pool.start_ended(token, reason)
            return
        # What it said last, such as that it meant to end, may still be on its way; the end of its
        # connection comes behind that.
        self.pool.silent(worker, reason)
        self._host.call_later(LAST_WORDS_NS, partial(self._worker_lost, worker, reason))

    def peer_lost(self, peer: Address) -> None:
        worker = self.pool.get(peer)
        if worker is not None:
            if not worker.ended:
                self._host.workers.kill(worker.token)  # Only its connection broke: it must end too.
            self._worker_lost(worker, "the connection to it broke")
            return
        if peer.worker_id == self._gcs.worker_id:
            self._gcs_lost()
        elif self._is_raylet(peer):
            self.view.remove(peer.node_id)
        if self._drivers.pop(peer.worker_id, None) is not None:
            seen = self.inspections.driver_left(peer)
            self._host.send(self._gcs, WorkerDied(peer, "the driver ended", True, seen))
        self._process_lost(peer, "the connection to it broke")

    def _worker_lost(self, worker: Worker, reason: str) -> None:
        address = worker.address
        if self.pool.get(address) is None:
            return
        reason = worker.reason or worker.ended or reason
        self.pool.ended(worker)
        self.leases.worker_gone(worker, reason)
        seen = self.inspections.worker_ended(worker, reason)
        oom = worker.ending is Ending.NODE_OUT_OF_MEMORY
        self._host.send(self._gcs, WorkerDied(address, reason, worker.intended, seen, oom))
        if not worker.exiting:
            self._host.note(WorkerLost(address.node_id, address.worker_id, reason))
        self._process_lost(address, reason)

    def _process_lost(self, process: Address, reason: str) -> None:
        """As one that asked for leases, has things of the store, owns objects, or sends parts of them."""
        is_gcs = process.worker_id == self._gcs.worker_id
        if not is_gcs:
            self._fence.add(process)
        self.leases.owner_lost(process, reason, keep_actors=is_gcs)
        self.probing.owner_lost(process)
        self.store.process_lost(process)
        self.pulls.process_lost(process)
        self.restores.process_lost(process)

    def _gcs_lost(self) -> None:
        """It may come back, with what it wrote down: ask for it, now and then."""
        self._registered = False
        self.bundles.gcs_lost()
        if not self._registering:
            self._registering = True
            self._host.call_later(self._host.config.request_retry_ns, self._register)

    def _is_raylet(self, peer: Address) -> bool:
        view = self.view.nodes.get(peer.node_id)
        return view is not None and view.address.worker_id == peer.worker_id
