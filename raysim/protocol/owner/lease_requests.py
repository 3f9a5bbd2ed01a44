"""Requests for leases, from the first question to grant, refusal or cancellation. Never what a lease is used for."""

from collections.abc import Callable, Sequence

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import (
    CancelWorkerLease,
    RequestWorkerLease,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
)
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.reservations import Reservations
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.spec.address import Address
from raysim.spec.ids import JobId, NodeId, job_of_task
from raysim.spec.node import NodeView

LONGEST_RETRY = 3_600
"""Times `request_retry_ns` that an unanswered request waits at most until it is asked again. Ours."""


LONGEST_RETRY_OF_MANY = 30
"""The same where more calls may wait behind a class's requests: only so does the raylet learn how many. Ours."""


class LeaseRequest(msgspec.Struct):
    lease_id: int
    cls: SchedulingClass
    raylet: Address
    wait_ns: int
    hops: int = 0
    grant_or_reject: bool = False
    rejected_by: NodeView | None = None
    gpus: tuple[int, ...] = ()
    timer: Timer | None = None


class LeaseRequests:
    """Asks the own raylet, or the one that `prefer` names, and follows the request from raylet to raylet."""

    def __init__(
        self, host: Host, raylet: Address, prefer: Callable[[TaskRecord], Address | None]
    ) -> None:
        self._host = host
        self._config = host.config
        self._raylet = raylet
        self._prefer = prefer
        self.reservations = Reservations(host, raylet, self._reserve)
        self._open: dict[int, LeaseRequest] = {}
        self._next_id = 0
        self._lost_nodes: set[NodeId] = set()
        """Nobody answers there any more, though others may still send requests on to them."""

    def ask_for(self, cls: SchedulingClass) -> None:
        """As many requests as the calls that wait fill leases, within a bound that grows with what was granted.

        A lease takes as many of them as are worth pushing ahead: for short calls whose time is known, one may do.
        Doubling at most every round trip, a large cluster fills fast, and a small one is not flooded
        with requests that would only queue. Where they only queue the bound shrinks again: see `_ask_again`.
        """
        if cls.queues:
            self.reservations.ask_for(cls)
            return
        least = self._config.max_pending_lease_requests
        most = max(least, min(cls.most_asked, len(cls.leases) // 2))
        window = cls.window(self._config.push_window_ns, self._config.push_window_max)
        wanted = min(-(-len(cls.queue) // window), most)
        while len(cls.asked) < wanted:
            record = cls.queue[len(cls.asked)]
            raylet = self._prefer(record) or self._raylet
            if raylet.node_id in self._lost_nodes:
                raylet = (
                    self._raylet
                )  # The call has waited since before the loss, and says where its arguments were.
            self._open_at(cls, raylet)

    def _reserve(self, cls: SchedulingClass, raylets: Sequence[Address]) -> None:
        """Requests that wait where they are sent. Where no node could run them, the own raylet says so."""
        if not raylets:
            cls.queues = False
            self.ask_for(cls)
        for raylet in raylets:
            if raylet.node_id in self._lost_nodes:
                self._open_at(cls, self._raylet)
            else:
                self._open_at(cls, raylet, self._config.max_spillback_hops)

    def _open_at(self, cls: SchedulingClass, raylet: Address, hops: int = 0) -> None:
        self._next_id += 1
        request = LeaseRequest(self._next_id, cls, raylet, self._config.request_retry_ns, hops)
        cls.asked[request.lease_id] = None
        self._open[request.lease_id] = request
        self._ask(request)

    def _ask(self, request: LeaseRequest) -> None:
        cls = request.cls
        template = cls.template
        job: JobId = job_of_task(cls.queue[0].call.task_id) if cls.queue else JobId(b"\0" * 4)
        self._host.send(
            request.raylet,
            RequestWorkerLease(
                request.lease_id,
                job,
                template.resources,
                template.strategy,
                request.hops,
                max(0, len(cls.queue) - len(cls.asked)),
                selectors=template.selectors,
                runtime_env=template.runtime_env,
                grant_or_reject=request.grant_or_reject,
                rejected_by=request.rejected_by,
                retriable=template.max_retries != 0,
                gpus=request.gpus,
                claim=cls.claim,
                expected_ns=cls.expected_ns,
                near=cls.near,
            ),
        )
        wait_ns = 0 if self._host.buggify("owner.ask_again_early") else request.wait_ns
        request.timer = self._host.call_later(wait_ns, lambda: self._ask_again(request))

    def _ask_again(self, request: LeaseRequest) -> None:
        """The request, or its answer, may be lost; or all is busy, for which ever longer waits are right.

        The whole cluster is, if as many as there ever were wait for long: a few of them hold the place
        of all, and each that is granted lets one more be asked for. One that waits at a raylet that lives waits
        there: it is asked seldom, as hundreds may do so for days.
        """
        if request.lease_id not in self._open:
            return
        cls = request.cls
        least = self._config.max_pending_lease_requests
        longest = LONGEST_RETRY if len(cls.asked) < least else LONGEST_RETRY_OF_MANY
        longest_ns = longest * self._config.request_retry_ns
        if request.wait_ns >= longest_ns and len(cls.asked) > least and not cls.queues:
            self._give_up(request)
            cls.most_asked = len(cls.asked)
            return
        request.wait_ns = min(2 * request.wait_ns, longest_ns)
        self._ask(request)

    def _give_up(self, request: LeaseRequest) -> None:
        self.answered(request.lease_id)
        self._host.send(request.raylet, CancelWorkerLease(request.lease_id))

    def _ask_elsewhere(
        self,
        request: LeaseRequest,
        raylet: Address,
        hops: int,
        grant_or_reject: bool = False,
        rejected_by: NodeView | None = None,
        gpus: tuple[int, ...] = (),
    ) -> None:
        if request.timer is not None:
            request.timer.cancel()
        request.raylet, request.hops = raylet, hops
        request.grant_or_reject, request.rejected_by = grant_or_reject, rejected_by
        request.gpus = gpus
        request.wait_ns = self._config.request_retry_ns
        self._ask(request)

    def answered(self, lease_id: int) -> SchedulingClass | None:
        """The request is over; None where nobody asked, or does so any more."""
        request = self._open.pop(lease_id, None)
        if request is None:
            return None
        del request.cls.asked[lease_id]
        if request.timer is not None:
            request.timer.cancel()
        return request.cls

    def raylet_of(self, lease_id: int) -> Address:
        """Where a request that is under way waits now."""
        return self._open[lease_id].raylet

    def cancel(self, cls: SchedulingClass) -> None:
        """Nothing waits any more."""
        cls.awaited = 0
        for lease_id in list(cls.asked):
            self._give_up(self._open[lease_id])

    def on_spilled(self, sender: Address, spilled: WorkerLeaseSpilled) -> None:
        request = self._open.get(spilled.lease_id)
        if request is None or request.raylet != sender:
            return  # A second copy: another raylet is asked already.
        if spilled.raylet.node_id in self._lost_nodes:
            return  # The sender has yet to learn of the loss: it is asked again by the timer.
        self._ask_elsewhere(
            request, spilled.raylet, spilled.hops, spilled.grant_or_reject, gpus=spilled.gpus
        )

    def on_rejected(self, sender: Address, rejected: WorkerLeaseRejected) -> None:
        request = self._open.get(rejected.lease_id)
        if request is not None and request.raylet == sender:
            self._ask_elsewhere(request, self._raylet, request.hops, rejected_by=rejected.node)

    def is_lost(self, node_id: NodeId) -> bool:
        return node_id in self._lost_nodes

    def raylet_lost(self, raylet: Address) -> None:
        """Requests that wait there are asked again at the own raylet."""
        self._move_from(lambda at: at.worker_id == raylet.worker_id)

    def node_lost(self, node_id: NodeId) -> None:
        self._lost_nodes.add(node_id)
        self._move_from(lambda at: at.node_id == node_id)

    def _move_from(self, gone: Callable[[Address], bool]) -> None:
        for request in list(self._open.values()):
            if gone(request.raylet):
                self._ask_elsewhere(request, self._raylet, 0)
