"""The requests and leases of one raylet, and what others ask of them. Never what becomes of them: see leases."""

from collections.abc import Iterator
from typing import TypeAlias

from raysim.policies.choice import Wish
from raysim.protocol.raylet.lease import Lease, LeaseOwner, LeaseQueue, LeaseState
from raysim.spec.address import Address
from raysim.spec.autoscaling import Demand
from raysim.spec.ids import WorkerId
from raysim.spec.task import InBundle, NodeAffinity

LeaseKey: TypeAlias = tuple[WorkerId, int]


class LeaseBook:
    def __init__(self, queue: LeaseQueue) -> None:
        self.owners: dict[WorkerId, LeaseOwner] = {}
        """Who asked for leases here, and theirs that have not ended."""
        self.queue = queue
        """Requests that wait for room."""
        self.homeless: dict[LeaseKey, Lease] = {}
        """Requests that no known node could ever run, and those that wait for the view of the nodes."""

    def find(self, owner: WorkerId, lease_id: int) -> Lease | None:
        """One that has not ended."""
        known = self.owners.get(owner)
        return None if known is None else known.leases.get(lease_id)

    def is_homeless(self, lease: Lease) -> bool:
        return lease_key(lease) in self.homeless

    def ahead_of(self, lease: Lease) -> int:
        """Requests of its shape that came before."""
        waiting = self.queue.shapes[self.queue.shape(lease.request)]
        return sum(order < lease.order for order in waiting)

    def hopeless(self) -> Iterator[tuple[Address, Wish]]:
        """Tasks only: the GCS tells of actors."""
        for lease in self.homeless.values():
            request = lease.request
            if request.actor_id is None:
                wish = Wish(request.resources, request.strategy, request.selectors)
                yield lease.owner, wish

    def holding(self) -> Iterator[Lease]:
        """Those that have resources of this node."""
        for owner in self.owners.values():
            for lease in owner.leases.values():
                if lease.state is not LeaseState.QUEUED:
                    yield lease

    def holds_any(self) -> bool:
        return next(self.holding(), None) is not None

    def queued(self) -> int:
        """Requests that wait for resources, or for a node that has them."""
        return self.queue.count + len(self.homeless)

    def demand(self) -> list[Demand]:
        """What waits, by shape, with what waits behind it at its owners. Bundles count as their groups do."""
        found: list[Demand] = []
        shapes = [list(waiting.values()) for waiting in self.queue.shapes.values()]
        shapes += [[lease] for lease in self.homeless.values()]
        for waiting in shapes:
            request = waiting[0].request
            strategy = request.strategy
            if isinstance(strategy, InBundle):
                continue
            if isinstance(strategy, NodeAffinity) and not strategy.soft:
                continue  # No new node would be the one that it names.
            behind = {lease.owner.worker_id: lease.request.backlog for lease in waiting}
            count = len(waiting) + sum(behind.values())
            found.append(Demand(request.resources, request.selectors, count))
        return found


def lease_key(lease: Lease) -> LeaseKey:
    return lease.owner.worker_id, lease.request.lease_id
