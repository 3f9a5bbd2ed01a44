"""Requests that an idle node takes over from another, under a policy that steals. Never which ones: see policies.

The raylet that is asked answers the owners as if it sent the requests on (WorkerLeaseSpilled), and the thief
with their number. So an owner asks again at the thief, and whatever is lost is lost as for any request that
was sent on. Under another policy nothing of this happens.
"""

from heapq import merge
from itertools import islice
from typing import Final

from raysim.policies.base import Policy
from raysim.policies.stealing import Stealable
from raysim.policies.stealing import Stealing as Steals
from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import RequestsStolen, RequestWorkerLease, StealRequests
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.fence import Fence
from raysim.protocol.raylet.lease import Lease
from raysim.protocol.raylet.leases import Leases
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import CPU, fits
from raysim.spec.task import Default

SHOWN: Final = 1_000
"""Requests that wait, the oldest ones, among which a thief is given some. Ours."""


class Stealing:
    def __init__(
        self, host: Host, view: ClusterView, policy: Policy, leases: Leases, fence: Fence
    ) -> None:
        self._host = host
        self._view = view
        self._policy = policy if isinstance(policy, Steals) else None
        self._leases = leases
        self._fence = fence
        self._rng = host.rng("stealing")
        self._number = 0
        self._asked: NodeId | None = None
        """Who has not answered yet."""
        self._left: list[NodeId] = []
        """Whom to ask after that."""
        self._timer: Timer | None = None
        if self._policy is not None:
            leases.freed = self.look

    def watches(self) -> bool:
        """Whether it has to hear of the other nodes, whatever waits here."""
        return self._policy is not None

    def begin(self) -> None:
        """The node is registered. Those that start together with it have joined a moment later: who watched
        from now on would be told of them one by one."""
        if self._policy is not None:
            self._host.call_later(self._host.config.resource_report_period_ns, self._view.watch)

    # --- the thief --------------------------------------------------------------------------------

    def nodes_changed(self, changed: list[NodeView]) -> None:
        if self._policy is not None and any(view.queued for view in changed):
            self.look()

    def look(self) -> None:
        """Ask others for something to do, if there is nothing to do."""
        if self._policy is None or self._asked is not None or not self._is_idle():
            return
        view = self._view
        view.watch()
        if view.ready:
            self._left = self._policy.victims(view.nodes, view.local_id, self._rng)[::-1]
            self._ask_next()

    def _is_idle(self) -> bool:
        if self._view.drains:
            return False
        return not self._leases.book.queue.count and self._view.local.available.get(CPU, 0) > 0

    def _ask_next(self) -> None:
        self._asked = None
        if self._timer is not None:
            self._timer.cancel()
        while self._left and self._is_idle():
            to = self._view.nodes.get(self._left.pop())
            if to is not None:
                self._number += 1
                self._asked = to.address.node_id
                free = dict(self._view.local.available)
                self._host.send(to.address, StealRequests(self._number, free))
                # It may be lost, or the answer.
                retry_ns = self._host.config.request_retry_ns
                self._timer = self._host.call_later(retry_ns, self._ask_next)
                return

    def on_stolen(self, sender: Address, stolen: RequestsStolen) -> None:
        if sender.node_id != self._asked or stolen.number != self._number:
            return  # A second copy, or too late.
        if stolen.count:
            self._left = []
        self._ask_next()

    def node_lost(self, node_id: NodeId) -> None:
        if node_id == self._asked:
            self._ask_next()

    # --- the victim -------------------------------------------------------------------------------

    def on_steal(self, sender: Address, steal: StealRequests) -> None:
        if self._fence.has(sender):
            return
        given = self._loot(self._policy, steal) if self._policy is not None else []
        for lease in given:
            self._leases.hand_over(lease, sender)
        self._host.send(sender, RequestsStolen(steal.number, len(given)))

    def _loot(self, policy: Steals, steal: StealRequests) -> list[Lease]:
        book = self._leases.book
        queues = [waiting.values() for waiting in book.queue.shapes.values()]
        oldest = islice(merge(*queues, key=_order), SHOWN)
        found = {
            lease.order: lease
            for lease in oldest
            if _is_free(lease.request) and fits(lease.held, steal.free)
        }
        if not found:
            return []
        waiting = [
            Stealable(lease.order, lease.held, lease.request.expected_ns)
            for lease in found.values()
        ]
        running = [lease.request.expected_ns for lease in book.holding()]
        return [found[number] for number in policy.loot(waiting, running, steal.free)]


def _order(lease: Lease) -> int:
    return lease.order


def _is_free(request: RequestWorkerLease) -> bool:
    """Whether its call may run anywhere."""
    return (
        type(request.strategy) is Default
        and not request.selectors
        and request.claim is None
        and request.actor_id is None
    )
