"""Requests for leases, from the first question to grant, refusal or cancellation. Never what a lease is used for."""

from collections.abc import Callable

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import CancelWorkerLease, RequestWorkerLease
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.spec.address import Address
from raysim.spec.ids import JobId, NodeId, job_of_task

LONGEST_RETRY = 30
"""Times `request_retry_ns` that an unanswered request waits at most until it is asked again. Ours."""


class LeaseRequest(msgspec.Struct):
    lease_id: int
    cls: SchedulingClass
    raylet: Address
    wait_ns: int
    hops: int = 0
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
        self._open: dict[int, LeaseRequest] = {}
        self._next_id = 0
        self._lost_nodes: set[NodeId] = set()
        """Nobody answers there any more, though others may still send requests on to them."""

    def ask_for(self, cls: SchedulingClass) -> None:
        """As many requests as calls wait, within a bound that grows with what was granted.

        Doubling at most every round trip, a large cluster fills fast, and a small one is not flooded
        with requests that would only queue.
        """
        most = max(self._config.max_pending_lease_requests, len(cls.leases) // 2)
        wanted = min(len(cls.queue), most)
        while len(cls.asked) < wanted:
            record = cls.queue[len(cls.asked)]
            self._next_id += 1
            raylet = self._prefer(record) or self._raylet
            retry_ns = self._config.request_retry_ns
            request = LeaseRequest(self._next_id, cls, raylet, retry_ns)
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
            ),
        )
        request.timer = self._host.call_later(request.wait_ns, lambda: self._ask_again(request))

    def _ask_again(self, request: LeaseRequest) -> None:
        """The request, or its answer, may be lost; or all is busy, for which ever longer waits are right."""
        if request.lease_id in self._open:
            longest_ns = LONGEST_RETRY * self._config.request_retry_ns
            request.wait_ns = min(2 * request.wait_ns, longest_ns)
            self._ask(request)

    def _ask_elsewhere(self, request: LeaseRequest, raylet: Address, hops: int) -> None:
        if request.timer is not None:
            request.timer.cancel()
        request.raylet, request.hops = raylet, hops
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
        for lease_id in list(cls.asked):
            raylet = self._open[lease_id].raylet
            self.answered(lease_id)
            self._host.send(raylet, CancelWorkerLease(lease_id))

    def spilled(self, sender: Address, lease_id: int, raylet: Address, hops: int) -> None:
        request = self._open.get(lease_id)
        if request is None or request.raylet != sender:
            return  # A second copy: another raylet is asked already.
        if raylet.node_id in self._lost_nodes:
            return  # The sender has yet to learn of the loss: it is asked again by the timer.
        self._ask_elsewhere(request, raylet, hops)

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
