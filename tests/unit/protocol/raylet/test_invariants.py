"""Whatever owners and workers do, in whatever order: nothing is lent twice, nothing is lost, nothing idles."""

from random import Random

import pytest

from raysim.protocol.messages import (
    CancelWorkerLease,
    LeaseLost,
    ReturnWorkerLease,
    WorkerBlocked,
    WorkerLeaseGranted,
    WorkerUnblocked,
)
from raysim.protocol.raylet.lease import LeaseState
from raysim.spec.address import Address
from raysim.spec.resources import add, fits, fixed, subtract
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import Node

SHAPES = [fixed({"CPU": 1}), fixed({"CPU": 2}), fixed({"CPU": 0.5}), fixed({"CPU": 3}), {}]


class Crowd:
    """Owners that ask, cancel, return and die, and workers that start, block and die, at random."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.node = Node(cpus=4)
        self.names = 0
        self.owners = [self.new_owner() for _ in range(3)]
        self.asked: dict[Address, list[int]] = {owner: [] for owner in self.owners}
        self.last = 0
        self.up: set[int] = set()
        self.gone: set[int] = set()
        self.blocks: dict[Address, int] = {}

    def new_owner(self) -> Address:
        self.names += 1
        return address(f"owner-{self.names}", "there")

    def step(self) -> None:
        choices = [
            (8, self.request),
            (6, self.give_back),
            (2, self.cancel),
            (8, self.start),
            (2, self.end),
            (3, self.block),
            (1, self.lose_owner),
            (1, self.repeat),
        ]
        actions = [action for _, action in choices]
        self.rng.choices(actions, [weight for weight, _ in choices])[0]()

    def request(self) -> None:
        owner = self.rng.choice(self.owners)
        self.last += 1
        self.asked[owner].append(self.last)
        self.node.ask(owner, self.last, self.rng.choice(SHAPES))

    def repeat(self) -> None:
        owner = self.rng.choice(self.owners)
        if self.asked[owner]:
            self.node.ask(owner, self.rng.choice(self.asked[owner]))

    def give_back(self) -> None:
        owner = self.rng.choice(self.owners)
        granted = list(self.node.granted(owner))
        if granted:
            self.node.tell(
                owner, ReturnWorkerLease(self.rng.choice(granted), self.rng.random() < 0.1)
            )

    def cancel(self) -> None:
        owner = self.rng.choice(self.owners)
        if self.asked[owner]:
            self.node.tell(owner, CancelWorkerLease(self.rng.choice(self.asked[owner])))

    def start(self) -> None:
        waiting = [
            token
            for token in self.node.host.workers.started
            if token not in self.up and token not in self.gone
        ]
        if waiting:
            token = self.rng.choice(waiting)
            self.up.add(token)
            self.node.worker_up(token)

    def end(self) -> None:
        """Of a process that was told to, or of any."""
        killed = [token for token in self.node.host.workers.killed if token not in self.gone]
        alive = [token for token in self.node.host.workers.started if token not in self.gone]
        if killed or alive:
            self.finish(self.rng.choice(killed or alive))

    def finish(self, token: int) -> None:
        self.gone.add(token)
        self.node.end_worker(token)
        self.node.host.advance(0)

    def block(self) -> None:
        workers = list(self.node.raylet.pool.workers.values())
        if workers:
            worker = self.rng.choice(workers).address
            number = self.blocks.get(worker, 0)
            if self.rng.random() < 0.5:
                self.blocks[worker] = number + 1
                self.node.tell(worker, WorkerBlocked(number + 1))
            else:
                self.node.tell(worker, WorkerUnblocked(number))

    def lose_owner(self) -> None:
        lost = self.owners.pop(self.rng.randrange(len(self.owners)))
        self.node.lose(lost)
        self.owners.append(self.new_owner())
        self.asked[self.owners[-1]] = []

    def settle(self) -> None:
        """All processes come up, all owners go, all that was killed ends."""
        for owner in self.owners:
            self.node.lose(owner)
        for _ in range(3):
            waiting = [t for t in self.node.host.workers.started if t not in self.up | self.gone]
            for token in waiting:
                self.up.add(token)
                self.node.worker_up(token)
        for token in [t for t in self.node.host.workers.killed if t not in self.gone]:
            self.finish(token)


def check(node: Node) -> None:
    leases = node.raylet.leases
    known = [lease for owner in leases._owners.values() for lease in owner.leases.values()]
    holding = {
        id(lease): lease
        for lease in known
        if lease.state in (LeaseState.STARTING, LeaseState.GRANTED)
    }
    workers = node.raylet.pool.workers.values()
    # A worker that was killed holds what it had until its process is gone.
    holding |= {id(worker.lease): worker.lease for worker in workers if worker.lease is not None}
    expected = dict(node.info.total)
    for lease in holding.values():
        subtract(expected, lease.held)
        add(expected, lease.lent)
    assert node.raylet.view.local.available == expected
    leased = [worker.address for worker in workers if worker.lease is not None]
    granted = [lease.worker for lease in known if lease.state is LeaseState.GRANTED]
    assert len(granted) == len(set(granted)), "one worker is lent twice"
    assert set(granted) <= set(leased)
    queued = [lease for lease in known if lease.state is LeaseState.QUEUED]
    assert node.raylet.view.local.queued == len(queued)
    assert not any(fits(lease.held, expected) for lease in queued), "resources idle"
    awaiting = [lease for lease in known if lease.state is LeaseState.STARTING]
    idle = [one for one in workers if one.lease is None and not one.exiting]
    assert not (awaiting and idle), "a worker idles while a lease waits for one"


@pytest.mark.parametrize("seed", range(100))
def test_resources_are_conserved_and_never_idle_while_requests_wait(seed: int) -> None:
    crowd = Crowd(seed)
    for _ in range(120):
        crowd.step()
        check(crowd.node)
    crowd.settle()
    check(crowd.node)
    assert crowd.node.raylet.view.local.available == crowd.node.info.total
    assert crowd.node.raylet.view.local.queued == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_lease_is_granted_twice_to_different_workers_unless_it_was_lost(seed: int) -> None:
    crowd = Crowd(seed)
    for _ in range(200):
        crowd.step()
    given: dict[tuple[Address, int], Address] = {}
    for to, message in crowd.node.host.sent:
        if isinstance(message, LeaseLost):
            given.pop((to, message.lease_id), None)
        elif isinstance(message, WorkerLeaseGranted):
            key = to, message.lease_id
            assert given.setdefault(key, message.worker) == message.worker
