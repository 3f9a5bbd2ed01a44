"""Lease requests from arrival to return: queue, grant, spill. Never where they go: see placement.

Work-conserving: whenever resources come free, requests that fit get them in the same step. What
holds resources waits at most for a worker to start, and takes the first one that is ready.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from raysim.policies.orders import create_order
from raysim.protocol.host import RayletHost
from raysim.protocol.infeasible import InfeasibleWatch
from raysim.protocol.messages import (
    CancelWorkerLease,
    LeaseLost,
    PreemptLease,
    RequestWorkerLease,
    ReturnWorkerLease,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
)
from raysim.protocol.raylet.awaiting import Awaiting
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.groups import removed
from raysim.protocol.raylet.instances import Instances, numbers
from raysim.protocol.raylet.lease import (
    Lease,
    LeaseOwner,
    LeaseQueue,
    LeaseState,
    failure_of,
    is_in,
    taken,
)
from raysim.protocol.raylet.lease_book import LeaseBook, lease_key
from raysim.protocol.raylet.lending import Lending
from raysim.protocol.raylet.placement import Placement
from raysim.protocol.raylet.quotas import Quotas
from raysim.protocol.raylet.reports import Reports
from raysim.protocol.raylet.revocation import Revocation
from raysim.protocol.raylet.turns import Turns
from raysim.protocol.raylet.workers import Worker, WorkerPool
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import NodeId, PlacementGroupId
from raysim.spec.node import NodeView, has_room
from raysim.spec.placement_group import plain
from raysim.spec.resources import Resources, add, fits, subtract
from raysim.spec.runtime_env import read_env, shown


class Leases:
    def __init__(
        self,
        host: RayletHost,
        view: ClusterView,
        placement: Placement,
        pool: WorkerPool,
        reports: Reports,
        fence: Fence,
        gcs: Address,
    ) -> None:
        self._host = host
        self._view = view
        self._local = view.local
        self._placement = placement
        self._pool = pool
        self._reports = reports
        self._fence = fence
        self.instances = Instances(view.local)
        order = create_order(host.config.queue)
        queue = LeaseQueue(host.config.max_spillback_hops)
        self.book = book = LeaseBook(queue if order is None else Turns(host, view.local, order))
        self._owners, self._queue, self._homeless = book.owners, book.queue, book.homeless
        self._awaiting = Awaiting(pool)
        period_ns = host.config.infeasible_warning_period_ns
        self._infeasible = InfeasibleWatch(host, period_ns, view.nodes, book.hopeless)
        self.freed: Callable[[], None] | None = None
        """Told when something has ended here, where anybody wants to know."""
        self._closed = False
        self._revocation = Revocation(host, self._owners, pool, self._queue)
        self.quotas = Quotas(host, gcs, self)
        self.lending = Lending(view.local, self.quotas, reports, self._grant_queued)

    def close(self) -> None:
        """The node leaves: nothing is granted any more. Whoever asks hears of its end from the GCS."""
        self._closed = True

    def drain(self) -> None:
        """The node is to go: what waits is sent on, and what has a worker comes to its end.

        The view of the nodes does not have this one any more.
        """
        waiting = [
            lease
            for owner in self._owners.values()
            for lease in owner.leases.values()
            if lease.state is not LeaseState.GRANTED
        ]
        # Those that wait first, or they would be granted what the others give back.
        for lease in sorted(waiting, key=lambda lease: lease.state):
            owner = self._owners[lease.owner.worker_id]
            del owner.leases[lease.request.lease_id]
            self._end(lease, None)
        for lease in waiting:
            again = Lease(lease.owner, lease.request, lease.held, since_ns=self._host.now_ns())
            self._place(self._owners[lease.owner.worker_id], again)
        self._revocation.node_drains()

    # --- what owners say --------------------------------------------------------------------------

    def on_request(self, sender: Address, request: RequestWorkerLease) -> None:
        if self._closed:
            return
        owner = self._owners.get(sender.worker_id)
        if owner is None:
            if self._fence.has(sender):
                return  # It was under way when its sender was lost: nobody would return the lease.
            owner = self._owners[sender.worker_id] = LeaseOwner(sender)
        elif self._repeated(owner, request):
            return
        lease = Lease(sender, request, taken(request), since_ns=self._host.now_ns())
        if beyond := self.quotas.beyond(request):
            self._refuse(lease, failure_of(request, beyond))
        else:
            self._place(owner, lease)

    def on_return(self, sender: Address, returned: ReturnWorkerLease) -> None:
        owner = self._owners.get(sender.worker_id)
        lease = owner.leases.pop(returned.lease_id, None) if owner is not None else None
        if owner is None or lease is None:
            return  # A second copy: the first one freed the worker, which may be another's by now.
        owner.remember(returned.lease_id, None)
        if returned.worker_retires:
            worker = self._pool.by_token(lease.token)
            assert worker is not None, f"lease {returned.lease_id} was granted without a worker"
            self._pool.retire(worker, "it has run its max_calls")
        self._end(lease, None, failed=returned.worker_failed)

    def on_cancel(self, sender: Address, cancelled: CancelWorkerLease) -> None:
        owner = self._owners.get(sender.worker_id)
        if owner is None:
            if self._fence.has(sender):
                return
            owner = self._owners[sender.worker_id] = LeaseOwner(sender)
        lease = owner.leases.get(cancelled.lease_id)
        if lease is None:
            if owner.answered.get(cancelled.lease_id) is None:
                # It may have overtaken the request, which must then not be granted to nobody.
                owner.remember(cancelled.lease_id, None)
            return
        # It may have crossed the grant, which may be lost besides: the owner uses it in no case.
        del owner.leases[cancelled.lease_id]
        owner.remember(cancelled.lease_id, None)
        self._end(lease, None)
        self._grant_queued()  # It may have been the one for which the others had to wait.

    def _repeated(self, owner: LeaseOwner, request: RequestWorkerLease) -> bool:
        """Answer a second copy as the first; the owner cannot tell a lost answer from a slow one."""
        lease = owner.leases.get(request.lease_id)
        if lease is not None:
            if lease.worker is not None:
                gpus = numbers(lease.assigned)
                granted = WorkerLeaseGranted(request.lease_id, lease.worker, gpus)
                self._host.send(owner.address, granted)
                self._reports.changed()  # As after the first one.
            elif lease.state is LeaseState.QUEUED and not lease.admission:
                if request.backlog != lease.request.backlog:
                    lease.request = msgspec.structs.replace(lease.request, backlog=request.backlog)
                    self._reports.changed()
                self._revocation.request_waits(owner)
            return True
        if request.lease_id not in owner.answered:
            return False
        answer = owner.answered[request.lease_id]
        if answer is None:
            return True  # Its owner returned or cancelled it: nobody waits for an answer.
        if request.hops >= answer.hops:
            return False  # It went round and came back: a new decision.
        if answer.raylet.node_id not in self._view.nodes:
            return False  # The node that it was sent on to is gone.
        self._host.send(owner.address, answer)
        return True

    # --- what happens to workers ------------------------------------------------------------------

    def worker_ready(self, worker: Worker) -> None:
        """It registered, or was returned."""
        lease = self._awaiting.take_for(worker)
        if lease is None:
            self._pool.put_back(worker)
            return
        self._grant(lease, worker)
        # A report may have been sent since the lease took its resources: for whoever has asked they count twice
        # when this grant comes, until the next one.
        self._reports.changed()
        self._awaiting.want(worker.env)
        if lease.request.actor_id is not None:
            self._grant_queued()

    def worker_gone(self, worker: Worker, reason: str) -> None:
        """Its process is no more: what it held is free."""
        lease = worker.lease
        if lease is None:
            return
        if lease.state is LeaseState.GRANTED:
            lease.state = LeaseState.ENDED
            owner = self._owners.get(lease.owner.worker_id)
            if owner is not None:
                owner.leases.pop(lease.request.lease_id, None)
                lost = LeaseLost(lease.request.lease_id, worker.address, reason)
                self._host.send(lease.owner, lost)
        self._release(lease, worker)
        self._grant_queued()
        if self.freed is not None:
            self.freed()

    def env_failed(self, env: str, problem: str) -> None:
        """There is no such runtime environment here: those who wait for a worker in it are told."""
        for lease in self._awaiting.of(env):
            text = (
                f"Failed to set up runtime environment {shown(env)} on node "
                f"{self._view.local_id.hex()}: {problem}"
            )
            self._refuse(lease, Failure(FailureKind.RUNTIME_ENV_SETUP, text))

    def starts_failed(self, env: str, reason: str) -> None:
        """Workers do not start: those who wait for one are told, rather than left waiting for ever."""
        if read_env(env).has_own_start:
            self.env_failed(env, f"workers do not start in it ({reason}). Look at the node's log")
            return
        for lease in self._awaiting.of(env):
            text = (
                f"Node {self._view.local_id.hex()} cannot start worker processes ({reason}). "
                "Look at the node's log, or run on other nodes."
            )
            self._refuse(lease, failure_of(lease.request, text))

    # --- what happens to others -------------------------------------------------------------------

    def owner_lost(self, address: Address, reason: str, keep_actors: bool = False) -> None:
        owner = self._owners.pop(address.worker_id, None)
        if owner is None:
            return
        leases: Iterable[Lease] = owner.leases.values()
        if keep_actors:
            leases = [one for one in leases if one.request.actor_id is None or one.worker is None]
        self._end_all(leases, f"its lease's owner was lost: {reason}")

    def node_lost(self, node_id: NodeId, reason: str) -> None:
        for owner in list(self._owners.values()):
            if owner.address.node_id == node_id:
                self.owner_lost(owner.address, reason)

    def nodes_changed(self, changed: Sequence[NodeView]) -> None:
        """These have other resources than before, or are new: what waits may go there."""
        if self._view.ready:
            self._house()
        for waiting in list(self._queue.shapes.values()):
            need = next(iter(waiting.values())).held
            if any(has_room(need, view) for view in changed):
                self._spill_queued(waiting)
        self._count_queued()

    def _house(self) -> None:
        """Find a node for those that had none."""
        for lease in list(self._homeless.values()):
            where = self._placement.decide(lease.request)
            if where is None:
                self._infeasible.look()
            else:
                owner = self._owners[lease.owner.worker_id]
                del self._homeless[lease_key(lease)], owner.leases[lease.request.lease_id]
                self._route(owner, lease, where)

    def _spill_queued(self, waiting: dict[int, Lease]) -> None:
        while waiting:
            lease = self._queue.head(waiting)
            waited_ns = self._host.now_ns() - lease.since_ns
            to = self._placement.elsewhere(lease.request, waited_ns)
            if to is None:
                return
            self._queue.remove(lease)
            self._spill(self._owners[lease.owner.worker_id], lease, to)

    # --- placement groups -------------------------------------------------------------------------

    def room_added(self) -> None:
        """This node offers more than before."""
        self.nodes_changed([self._local])
        self._grant_queued()

    def refuse_group(self, group_id: PlacementGroupId) -> None:
        """The group is no more: nobody need wait for it."""
        waiting = [
            lease
            for owner in self._owners.values()
            for lease in owner.leases.values()
            if lease.state is not LeaseState.GRANTED and is_in(lease, group_id)
        ]
        # Those that wait first, or they would be granted what the others give back.
        for lease in sorted(waiting, key=lambda lease: lease.state):
            self._refuse(lease, removed(lease.request))

    def end_group(self, group_id: PlacementGroupId) -> Resources:
        """The group's bundles here are no more. What its workers hold of the node until they have ended."""
        self.refuse_group(group_id)
        kept: Resources = {}
        for worker in list(self._pool.workers.values()):
            lease = worker.lease
            if lease is None or not is_in(lease, group_id):
                continue
            add(self._local.available, lease.held)
            subtract(self._local.available, lease.lent)
            lease.held, lease.lent = plain(lease.held), plain(lease.lent)
            add(kept, lease.held)
            subtract(kept, lease.lent)
            self._pool.kill(worker, f"its placement group {group_id.hex()} was removed")
        return kept

    # --- queue, grant, spill ----------------------------------------------------------------------

    def _place(self, owner: LeaseOwner, lease: Lease) -> None:
        queue, request = self._queue, lease.request
        if queue.count and queue.shape(request) in queue.shapes and not request.grant_or_reject:
            # Others of its kind wait: there is room for it neither here nor on another node.
            self._enqueue(owner, lease)
            return
        if request.rejected_by is not None:
            self._view.saw(request.rejected_by)
        no_room = self._view.drains or not has_room(taken(request), self._local)
        if request.grant_or_reject and no_room:
            rejected = WorkerLeaseRejected(request.lease_id, self._view.snapshot())
            self._host.send(owner.address, rejected)
        elif self._placement.needs_view(request):
            self._wait_for_node(owner, lease)
        else:
            self._route(owner, lease, self._placement.decide(lease.request))

    def _route(self, owner: LeaseOwner, lease: Lease, where: NodeId | Failure | None) -> None:
        request = lease.request
        if where == self._view.local_id:
            if (
                request.claim is None
                and fits(lease.held, self._local.available)
                and self.instances.fits(lease.held)
            ):
                owner.leases[request.lease_id] = lease
                self._start(lease)
                if request.actor_id is not None:
                    self._grant_queued()
            else:
                self._enqueue(owner, lease)
        elif where is None:
            self._infeasible.look()
            self._wait_for_node(owner, lease)
        elif isinstance(where, Failure):
            self._refuse(lease, where)
        else:
            self._spill(owner, lease, where)

    def _enqueue(self, owner: LeaseOwner, lease: Lease) -> None:
        owner.leases[lease.request.lease_id] = lease
        self._queue.add(lease)
        if lease.request.claim is not None:
            self._grant_queued()  # It may be its turn, whoever waits already.
            if lease.state is not LeaseState.QUEUED:
                return
        self._count_queued()
        self._revocation.request_waits(owner)
        patience_ns = self._placement.patience_ns(lease.request)
        if patience_ns:
            self._host.call_later(patience_ns, partial(self._patience_over, lease))

    def _patience_over(self, lease: Lease) -> None:
        """It waits where its arguments are, and may go elsewhere from now on."""
        waits = lease.state is LeaseState.QUEUED and not lease.admission
        if waits and not self.book.is_homeless(lease):
            self._spill_queued(self._queue.shapes[self._queue.shape(lease.request)])
            self._count_queued()

    def _wait_for_node(self, owner: LeaseOwner, lease: Lease) -> None:
        """None that is known could run it."""
        owner.leases[lease.request.lease_id] = lease
        self._homeless[lease_key(lease)] = lease
        self._count_queued()
        if self._placement.unknown_node(lease.request):
            self._expect_node(lease)

    def _expect_node(self, lease: Lease) -> None:
        """Word of a node that has just joined may still be under way."""
        self._host.call_later(
            self._host.config.request_retry_ns, partial(self._still_unknown, lease)
        )

    def _spill(self, owner: LeaseOwner, lease: Lease, to: NodeId) -> None:
        request = lease.request
        lease.state = LeaseState.ENDED
        owner.leases.pop(request.lease_id, None)
        view = self._view.nodes[to]
        need, room = request.resources, has_room(request.resources, view)
        gpus = self._placement.gpus(need, view) if room else ()
        if room and not self._host.buggify("raylet.view_is_late"):
            self._view.deduct(to, need, gpus)
        hops = request.hops + 1
        answer = WorkerLeaseSpilled(request.lease_id, view.address, hops, room, gpus)
        owner.remember(request.lease_id, answer)
        self._host.send(owner.address, answer)

    def hand_over(self, lease: Lease, raylet: Address) -> None:
        """To a node that has nothing to do: it waits there from now on."""
        request, owner = lease.request, self._owners[lease.owner.worker_id]
        self._queue.remove(lease)
        lease.state = LeaseState.ENDED
        del owner.leases[request.lease_id]
        answer = WorkerLeaseSpilled(
            request.lease_id, raylet, max(request.hops + 1, self._host.config.max_spillback_hops)
        )
        owner.remember(request.lease_id, answer)
        self._host.send(owner.address, answer)
        self._count_queued()

    def _start(self, lease: Lease) -> None:
        """Its resources are there: take them, and a worker as soon as there is one, and its job's quota has room."""
        self._queue.started(lease)
        gpus = lease.request.gpus or self._placement.gpus(lease.held, self._local)
        subtract(self._local.available, lease.held)
        lease.assigned = self.instances.take(lease.held, gpus)
        if self.quotas.counts(lease):
            lease.state = LeaseState.ADMITTING
            lease.since_ns = self._host.now_ns()
            self.quotas.ask(lease)
            self._reports.changed()
        else:
            self._take_worker(lease)

    def _take_worker(self, lease: Lease) -> None:
        worker = self._pool.take(lease.request.runtime_env, lease.request.job_id)
        if worker is not None and self._host.buggify("raylet.start_anyway"):
            self._pool.put_back(worker)
            worker = None
        if worker is not None:
            self._grant(lease, worker)
        else:
            lease.state = LeaseState.STARTING
            lease.since_ns = self._host.now_ns()
            self._awaiting.add(lease)
        self._reports.changed()

    # What quotas ask for.

    def has_room(self, lease: Lease) -> bool:
        if self._view.drains or not fits(lease.held, self._local.available):
            return False
        return self.instances.fits(lease.held)

    def begin(self, lease: Lease) -> None:
        if lease.state is LeaseState.ADMITTING:
            self._take_worker(lease)
        else:
            self._start(lease)

    def park(self, lease: Lease) -> None:
        lease.state = LeaseState.QUEUED
        lease.since_ns = self._host.now_ns()
        self._give_up_room(lease)

    def place_again(self, lease: Lease) -> None:
        owner = self._owners[lease.owner.worker_id]
        del owner.leases[lease.request.lease_id]
        self._place(owner, lease)

    def _give_up_room(self, lease: Lease) -> None:
        """Of a lease that has no worker yet."""
        self._queue.ended(lease)
        add(self._local.available, lease.held)
        self.instances.give_back(lease.assigned)
        lease.assigned = {}
        self._grant_queued()
        self._reports.changed()

    def _grant(self, lease: Lease, worker: Worker) -> None:
        request = lease.request
        worker.lease = lease
        worker.job = request.job_id
        lease.state = LeaseState.GRANTED
        lease.since_ns = self._host.now_ns()
        lease.token = worker.token
        lease.worker = worker.address
        gpus = numbers(lease.assigned)
        self._host.send(lease.owner, WorkerLeaseGranted(request.lease_id, worker.address, gpus))
        if self._queue.count:
            self._revocation.granted(lease)

    def _grant_queued(self) -> None:
        if not self._queue.count:
            return
        available, instances = self._local.available, self.instances
        lease = self._queue.next(available, instances)
        while lease is not None:
            self._queue.remove(lease)
            self._start(lease)
            lease = self._queue.next(available, instances)
        victim = self._queue.victim()
        if victim is not None:
            self._host.send(victim.owner, PreemptLease(victim.request.lease_id))
        self._count_queued()

    def _refuse(self, lease: Lease, failure: Failure) -> None:
        owner = self._owners[lease.owner.worker_id]
        if owner.leases.pop(lease.request.lease_id, None) is not None:
            self._end(lease, None)
        self._host.send(lease.owner, WorkerLeaseRefused(lease.request.lease_id, failure))

    def _still_unknown(self, lease: Lease) -> None:
        if lease_key(lease) not in self._homeless or not self._placement.unknown_node(
            lease.request
        ):
            return
        if self._view.told:
            self._refuse(lease, self._placement.unknown_node_failure(lease.request))
        else:
            self._expect_node(lease)  # The GCS does not answer: nobody knows what nodes there are.

    # --- ending -----------------------------------------------------------------------------------

    def _end_all(self, leases: Iterable[Lease], why: str) -> None:
        """Those that wait first, or they would be granted what the others give back."""
        for lease in sorted(leases, key=lambda lease: lease.state):
            self._end(lease, why)
        self._grant_queued()

    def _end(self, lease: Lease, kill: str | None, *, failed: bool = False) -> None:
        """`kill`: why its worker, if it has one, may not be lent again. `failed`: its owner found the worker failed."""
        state, lease.state = lease.state, LeaseState.ENDED
        if state is LeaseState.GRANTED:
            worker = self._pool.by_token(lease.token)
            assert worker is not None, f"lease {lease.request.lease_id} is granted without a worker"
            # It may still run: its resources come back with the report of its end.
            if failed:
                self._pool.failed(worker, "its lease's owner found it failed")
                return
            if kill is not None or lease.request.actor_id is not None:
                self._pool.kill(worker, kill or "its lease as an actor was returned")
                return
            self._release(lease, worker)
            if not (worker.exiting or worker.ended):
                self.worker_ready(worker)
            self._grant_queued()
            if self.freed is not None:
                self.freed()
        elif state is LeaseState.STARTING:
            self._awaiting.remove(lease)
            self.quotas.ended(lease)
            self._give_up_room(lease)
            self._awaiting.want(lease.request.runtime_env)
        elif lease.admission:
            self.quotas.withdraw(lease)
            if state is LeaseState.ADMITTING:
                self._give_up_room(lease)
        elif state is LeaseState.QUEUED:
            if self._homeless.pop(lease_key(lease), None) is None:
                self._queue.remove(lease)
            self._count_queued()

    def _release(self, lease: Lease, worker: Worker) -> None:
        worker.lease = None
        worker.blocked = 0
        self.quotas.ended(lease)
        self._queue.ended(lease)
        add(self._local.available, lease.held)
        self.instances.give_back(lease.assigned)
        if lease.lent:
            subtract(self._local.available, lease.lent)
            lease.lent = {}
        self._reports.changed()

    def _count_queued(self) -> None:
        queued = self.book.queued()
        if queued != self._local.queued:
            # Only then: each report makes every raylet look again, which must end.
            self._local.queued = queued
            self._reports.changed()
