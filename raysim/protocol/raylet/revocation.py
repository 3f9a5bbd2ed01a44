"""Tells owners to keep no lease idle while others wait. Never takes a lease away: owners return them."""

from collections.abc import Mapping

from raysim.protocol.host import Host
from raysim.protocol.messages import RevokeIdleLeases
from raysim.protocol.raylet.lease import Lease, LeaseOwner, LeaseQueue, LeaseState
from raysim.protocol.raylet.workers import WorkerPool
from raysim.spec.ids import WorkerId

REVOKED_FOR = 10
"""Times `idle_lease_keep_ns` that an owner keeps no lease idle once it was told. Ours."""


class Revocation:
    """Each owner is told at most once in the time for which it obeys."""

    def __init__(
        self,
        host: Host,
        owners: Mapping[WorkerId, LeaseOwner],
        pool: WorkerPool,
        queue: LeaseQueue,
    ) -> None:
        self._host = host
        self._owners = owners
        self._pool = pool
        self._queue = queue
        self._for_ns = REVOKED_FOR * host.config.idle_lease_keep_ns

    def request_waits(self, starved: LeaseOwner) -> None:
        """A request waits for resources: nobody shall keep them idle, the one who asks neither."""
        due = {worker_id: one for worker_id, one in self._owners.items() if self._due(one)}
        judged: Lease | None = None
        for worker in self._pool.workers.values():  # Far fewer than requests.
            if not due:
                return  # As mostly: many wait for long, and are asked again and again.
            lease = worker.lease
            if lease is None or not _may_idle(lease):
                continue
            if judged is not None and _alike(lease, judged):
                continue  # The rule: one owner has most of a node.
            judged = lease
            owner = due.get(lease.owner.worker_id)
            if owner is not None and (owner is not starved or self._others_wait(lease)):
                del due[lease.owner.worker_id]
                self._revoke(owner)

    def node_drains(self) -> None:
        """Nothing more is to be pushed on what is lent."""
        node_id = self._host.address.node_id
        for owner in self._owners.values():
            self._host.send(owner.address, RevokeIdleLeases(node_id, self._for_ns, drains=True))

    def granted(self, lease: Lease) -> None:
        """Whoever gets a lease while others wait shall not keep it idle."""
        owner = self._owners[lease.owner.worker_id]
        if _may_idle(lease) and self._due(owner) and self._others_wait(lease):
            self._revoke(owner)

    def _others_wait(self, lease: Lease) -> bool:
        """Whether something waits that the owner's own next task on this lease would not serve."""
        for waiting in self._queue.shapes.values():
            head = next(iter(waiting.values()))
            if head.owner != lease.owner or head.held != lease.request.resources:
                return True
        return False

    def _due(self, owner: LeaseOwner) -> bool:
        """Whether what it was told last is over."""
        told_ns = owner.revoked_ns
        if self._host.buggify("raylet.revoke_again"):
            return True
        return told_ns is None or self._host.now_ns() - told_ns >= self._for_ns

    def _revoke(self, owner: LeaseOwner) -> None:
        owner.revoked_ns = self._host.now_ns()
        node_id = self._host.address.node_id
        self._host.send(owner.address, RevokeIdleLeases(node_id, self._for_ns))


def _alike(lease: Lease, other: Lease) -> bool:
    """Whether what waits means the same for both."""
    need, others = lease.request.resources, other.request.resources
    return lease.owner.worker_id == other.owner.worker_id and (need is others or need == others)


def _may_idle(lease: Lease) -> bool:
    request = lease.request
    return lease.state is LeaseState.GRANTED and request.actor_id is None and request.claim is None
