"""The queue of lease requests under an order of the user's: who waits, what runs, whose turn it is. Never grants.

Only a request with a claim waits for its turn, and it is of one call. Others (actors, tasks in placement groups,
what tasks submit) are served before, as soon as they fit: whoever has a worker may wait for just them.
"""

from heapq import heappop, heappush
from random import Random

from raysim.policies.queue import UNKNOWN, Queue, QueueOrder, Rank, Ranking, Running, Waiting
from raysim.protocol.host import Host
from raysim.protocol.raylet.instances import Instances
from raysim.protocol.raylet.lease import Lease, LeaseQueue, LeaseState, Shape
from raysim.spec.job import JobSettings
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources, add, fits
from raysim.spec.runtime_env import job_of_env
from raysim.spec.task import Claim

_NO_CLAIM = Claim()


class Turns(LeaseQueue):
    def __init__(self, host: Host, local: NodeView, order: QueueOrder | Ranking) -> None:
        super().__init__(host.config.max_spillback_hops)
        self._host = host
        self._rng: Random = host.rng("queue")
        self._order: QueueOrder | None = None if hasattr(order, "rank") else order
        self._rank = getattr(order, "rank", None)
        self._victim = getattr(order, "victim", None)
        self._local = local
        self._leases: dict[int, Lease] = {}
        """With a claim, waiting or running, by number."""
        self._waiting: dict[int, Waiting] = {}
        self._running: dict[int, Running] = {}
        self._used: dict[str, Resources] = {}
        self._heaps: dict[Shape, list[tuple[Rank, int]]] = {}
        """Ranked: by shape. Those that are gone leave when they come to the top."""
        self._preempted: int | None = None
        """It was told to stop: its place is that of the one that comes first."""
        self._shown = Queue(
            0, local.total, local.available, self._waiting, self._running, self._used
        )

    def add(self, lease: Lease) -> None:
        super().add(lease)
        claim = lease.request.claim
        if claim is None:
            return
        number, now = lease.order, self._host.now_ns()
        self._leases[number] = lease
        self._waiting[number] = waiting = Waiting(
            number,
            lease.held,
            _user(lease, claim),
            now,
            claim.expected_ns,
            _priority(lease, claim),
            UNKNOWN if claim.within_ns == UNKNOWN else now + claim.within_ns,
        )
        if self._rank is not None:
            heap = self._heaps.setdefault(self.shape(lease.request), [])
            heappush(heap, (self._rank(waiting), number))

    def remove(self, lease: Lease) -> None:
        super().remove(lease)
        if lease.request.claim is None:
            return
        del self._waiting[lease.order], self._leases[lease.order]
        shape = self.shape(lease.request)
        if shape not in self.shapes:
            self._heaps.pop(shape, None)

    def started(self, lease: Lease) -> None:
        if not lease.order:
            self._arrivals = lease.order = self._arrivals + 1
        claim = lease.request.claim or _NO_CLAIM
        self._leases[lease.order] = lease
        self._running[lease.order] = Running(
            lease.order,
            lease.held,
            _user(lease, claim),
            self._host.now_ns(),
            claim.expected_ns,
            _priority(lease, claim),
            claim.preemptible,
        )

    def ended(self, lease: Lease) -> None:
        one = self._running.pop(lease.order)
        del self._leases[lease.order]
        for_ns = self._host.now_ns() - one.started_ns
        used = self._used.setdefault(one.user, {})
        add(used, {name: units * for_ns for name, units in one.need.items()})
        if lease.order == self._preempted:
            self._preempted = None

    def head(self, waiting: dict[int, Lease]) -> Lease:
        """Of one shape."""
        lease = super().head(waiting)
        heap = self._heaps.get(self.shape(lease.request))
        return lease if heap is None else self._leases[self._top(heap)[1]]

    @property
    def ranked(self) -> bool:
        """Each has its place from its arrival on."""
        return self._order is None

    def before(self, lease: Lease) -> list[Waiting] | None:
        """By their ranks; where the order has none, in the order of arrival: it is not asked, as it may remember."""
        if lease.order not in self._waiting:
            return None
        if not self.ranked:
            return [one for number, one in self._waiting.items() if number < lease.order]
        places = sorted(
            place for heap in self._heaps.values() for place in heap if place[1] in self._waiting
        )
        numbers = [number for _, number in places]
        return [self._waiting[number] for number in numbers[: numbers.index(lease.order)]]

    def next(self, available: Resources, instances: Instances) -> Lease | None:
        unclaimed: list[tuple[Shape, Lease]] = []
        claimed: list[tuple[Shape, Lease]] = []
        for shape, waiting in self.shapes.items():
            lease = next(iter(waiting.values()))
            if fits(lease.held, available) and instances.fits(lease.held):
                (unclaimed if lease.request.claim is None else claimed).append((shape, lease))
        if unclaimed:
            return min(unclaimed, key=lambda one: one[1].order)[1]
        if not claimed:
            return None
        if self._order is None:
            return self._leases[min(self._top(self._heaps[shape]) for shape, _ in claimed)[1]]
        found = self._order.next(self._now(), self._rng)
        if found is None:
            return None
        lease = self._leases[found.number]
        return lease if fits(lease.held, available) and instances.fits(lease.held) else None

    def victim(self) -> Lease | None:
        """One that has to make room; one after the other."""
        if self._victim is None or not self._waiting or self._preempted is not None:
            return None
        found = self._victim(self._now(), self._rng)
        if found is None:
            return None
        lease = self._leases[found.number]
        if lease.state is not LeaseState.GRANTED:
            return None  # Its worker is about to start: it may be told at the next change.
        self._preempted = found.number
        return lease

    def _now(self) -> Queue:
        self._shown.now_ns = self._host.now_ns()
        self._shown.total, self._shown.free = self._local.total, self._local.available
        self._shown.gpus = self._local.gpus
        return self._shown

    def _top(self, heap: list[tuple[Rank, int]]) -> tuple[Rank, int]:
        while heap[0][1] not in self._waiting:
            heappop(heap)
        return heap[0]


def _user(lease: Lease, claim: Claim) -> str:
    return claim.user or _job(lease).user or lease.request.job_id.hex()


def _priority(lease: Lease, claim: Claim) -> int:
    return _job(lease).priority if claim.priority is None else claim.priority


def _job(lease: Lease) -> JobSettings:
    return job_of_env(lease.request.runtime_env)
