"""The GCS and real raylets, their messages delivered in any order between different pairs and some of
them twice, workers and nodes dying at any moment: what must hold of actors whatever happens."""

from collections import deque
from random import Random

import pytest

from raysim.config import MS, Config
from raysim.policies import create
from raysim.protocol.gcs import Gcs
from raysim.protocol.messages import (
    ActorChanged,
    ActorOutOfScope,
    ActorStarted,
    CheckHealth,
    CreateActor,
    FinishJob,
    KillActor,
    LeaseLost,
    Message,
    RegisterJob,
    RegisterWorker,
    StartActor,
    TerminateActor,
    WorkerDied,
    WorkerExiting,
)
from raysim.protocol.process import Process
from raysim.protocol.raylet import Raylet
from raysim.spec.actor import ActorInfo, ActorSpec, ActorState
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, FunctionId, IdSource, WorkerId, driver_task, job_id
from raysim.spec.node import NodeInfo
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import FakeHost, address

HEAD = address("head")
DRIVER = address("driver", "head")
STEP_NS = 20 * MS
ONCE = (LeaseLost, WorkerDied)
"""Told once on one connection, and then it is closed: their copies are tested elsewhere."""


class Cluster:
    def __init__(self, seed: int, nodes: int) -> None:
        self.rng = Random(seed)
        self.config = Config(health_check_period_ns=200 * MS, health_check_timeout_ns=400 * MS)
        self.processes: dict[WorkerId, Process] = {}
        self.hosts: dict[WorkerId, FakeHost] = {}
        self.raylets: dict[WorkerId, Raylet] = {}
        self.wires: dict[tuple[WorkerId, WorkerId], deque[tuple[Address, Address, Message]]] = {}
        self.workers: dict[WorkerId, tuple[Address, int, Address]] = {}
        """Living worker processes: address, token, raylet."""
        self.actors: dict[WorkerId, StartActor] = {}
        """What living workers have become."""
        self.news: dict[ActorId, ActorInfo] = {}
        self.names = 0
        for number in range(nodes):
            self.add_node(HEAD if number == 0 else address(f"node{number}"), is_head=number == 0)
        self.gcs = self.processes[HEAD.worker_id].roles[0]
        self.say(DRIVER, HEAD, RegisterJob("program.py", "space"))
        self.settle()

    def add_node(self, raylet: Address, is_head: bool = False) -> None:
        host = FakeHost(raylet, self.config)
        info = NodeInfo(raylet, fixed({"CPU": 2}), f"n{len(self.hosts)}", is_head=is_head)
        role = Raylet(host, info, HEAD, create("hybrid", self.config))
        gcs = [Gcs(host, create("hybrid", self.config))] if is_head else []
        self.hosts[raylet.worker_id] = host
        self.raylets[raylet.worker_id] = role
        process = self.processes[raylet.worker_id] = Process([*gcs, role])
        process.start()

    # The world: wires, worker processes, deaths.

    def say(self, sender: Address, to: Address, message: Message) -> None:
        wire = self.wires.setdefault((sender.worker_id, to.worker_id), deque())
        wire.append((sender, to, message))

    def collect(self) -> None:
        for host in list(self.hosts.values()):
            for to, message in host.take():
                self.say(host.address, to, message)
            started, host.workers.started = host.workers.started, []
            for token in started:
                self.names += 1
                worker = Address(host.address.node_id, address(f"w{self.names}", "x").worker_id)
                self.workers[worker.worker_id] = (worker, token, host.address)
                self.say(worker, host.address, RegisterWorker(token, self.names))
            killed, host.workers.killed = host.workers.killed, []
            for token in killed:
                for worker, known, raylet in list(self.workers.values()):
                    if known == token and raylet == host.address:
                        self.end_worker(worker, "SIGKILL")

    def deliver_one(self) -> bool:
        busy = [pair for pair, wire in self.wires.items() if wire]
        if not busy:
            return False
        sender, to, message = self.wires[self.rng.choice(busy)].popleft()
        copies = 2 if self.rng.random() < 0.1 and not isinstance(message, ONCE) else 1
        for _ in range(copies):
            self.arrive(sender, to, message)
        self.collect()
        return True

    def arrive(self, sender: Address, to: Address, message: Message) -> None:
        if to.worker_id in self.processes:
            self.processes[to.worker_id].receive(sender, message)
        elif to.worker_id in self.workers:
            self.at_worker(to, message)
        elif isinstance(message, ActorChanged) and to == DRIVER:
            known = self.news.get(message.info.actor_id)
            if known is None or known.version <= message.info.version:
                self.news[message.info.actor_id] = message.info

    def at_worker(self, worker: Address, message: Message) -> None:
        """As much of an executor as an actor's start and end need."""
        if isinstance(message, StartActor):
            actor_id = message.spec.actor_id
            others = [
                w
                for w, start in self.actors.items()
                if start.spec.actor_id == actor_id and w != worker.worker_id
            ]
            assert not others, f"actor {actor_id.hex()[:8]} lives twice"
            self.actors[worker.worker_id] = message
            self.say(worker, HEAD, ActorStarted(actor_id, message.incarnation))
        elif isinstance(message, TerminateActor):
            _, _, raylet = self.workers[worker.worker_id]
            self.say(worker, raylet, WorkerExiting("out of scope", intended=True))
            self.end_worker(worker, "exit")

    def end_worker(self, worker: Address, reason: str) -> None:
        _, token, raylet = self.workers.pop(worker.worker_id)
        self.actors.pop(worker.worker_id, None)
        while (wire := self.wires.get((worker.worker_id, raylet.worker_id))) and wire:
            self.arrive(*wire.popleft())
        self.raylets[raylet.worker_id].worker_ended(token, reason)
        self.processes[raylet.worker_id].peer_lost(worker)
        if self.rng.random() < 0.5:
            self.processes[HEAD.worker_id].peer_lost(worker)

    def kill_node(self, raylet: Address, broken_connection: bool) -> None:
        """Power loss: nothing of it is heard again; what it sent last may be lost."""
        del self.processes[raylet.worker_id], self.hosts[raylet.worker_id]
        del self.raylets[raylet.worker_id]
        for worker, _, owner in list(self.workers.values()):
            if owner == raylet:
                del self.workers[worker.worker_id]
                self.actors.pop(worker.worker_id, None)
                self.wires = {p: w for p, w in self.wires.items() if worker.worker_id not in p}
        self.wires = {p: w for p, w in self.wires.items() if raylet.worker_id not in p}
        if broken_connection:
            self.processes[HEAD.worker_id].peer_lost(raylet)

    def settle(self, steps: int = 10) -> None:
        for _ in range(steps):
            for host in list(self.hosts.values()):
                host.advance(STEP_NS)
            self.collect()
            while self.deliver_one():
                pass

    # Chaos.

    def disturb(self) -> None:
        kind = self.rng.random()
        if kind < 0.5 and self.workers:
            worker, _, _ = self.rng.choice(list(self.workers.values()))
            if kind < 0.1:
                # Only its connection to the GCS breaks: it runs until it is killed.
                self.processes[HEAD.worker_id].roles[0].peer_lost(worker)
            else:
                self.end_worker(worker, "exit code 1")
        elif kind < 0.6 and len(self.processes) > 2:
            raylet = self.rng.choice([h.address for h in self.hosts.values() if h.address != HEAD])
            self.kill_node(raylet, broken_connection=self.rng.random() < 0.5)
        elif kind < 0.75 and self.news:
            actor_id = self.rng.choice(list(self.news))
            self.say(DRIVER, HEAD, KillActor(actor_id, no_restart=self.rng.random() < 0.5))
        elif kind < 0.85 and self.news:
            self.say(DRIVER, HEAD, ActorOutOfScope(self.rng.choice(list(self.news))))
        elif kind < 0.9:
            self.names += 1
            self.add_node(address(f"late{self.names}"))
        self.collect()


def specs(cluster: Cluster, count: int) -> list[ActorSpec]:
    source = IdSource(driver_task(job_id(1)))
    one = fixed({"CPU": 1})
    return [
        ActorSpec(
            source.actor(),
            FunctionId(b"class"),
            "Counter",
            b"",
            b"",
            [],
            DRIVER,
            one,
            cluster.rng.choice([{}, one]),
            max_restarts=cluster.rng.choice([0, 1, -1]),
        )
        for _ in range(count)
    ]


def check_at_rest(cluster: Cluster) -> None:
    living = {start.spec.actor_id: worker for worker, start in cluster.actors.items()}
    for actor_id, info in cluster.news.items():
        if info.state is ActorState.ALIVE:
            assert living.get(actor_id) == info.address.worker_id
        else:
            assert actor_id not in living, f"{actor_id.hex()[:8]} is {info.state} and runs"
    for host in cluster.hosts.values():
        raylet = cluster.raylets[host.address.worker_id]
        held = sum(
            start.spec.lifetime.get("CPU", 0)
            for worker, start in cluster.actors.items()
            if cluster.workers[worker][2] == host.address
        )
        free = raylet.view.local.available["CPU"]
        assert free == raylet.view.local.total["CPU"] - held, "a node lost count of its CPUs"


@pytest.mark.parametrize("seed", range(60))
def test_actors_live_once_and_nodes_lose_nothing(seed: int) -> None:
    cluster = Cluster(seed, nodes=4)
    for spec in specs(cluster, 8):
        cluster.say(DRIVER, HEAD, CreateActor(spec))
        for _ in range(cluster.rng.randrange(12)):
            cluster.deliver_one()
        if cluster.rng.random() < 0.7:
            cluster.disturb()
    for _ in range(12):
        for _ in range(cluster.rng.randrange(30)):
            cluster.deliver_one()
        cluster.disturb()
        cluster.settle(1)
    # Faults end: room for all, and time to notice the last node that vanished.
    for number in range(4):
        cluster.add_node(address(f"spare{number}"))
    cluster.settle(250)
    assert len(cluster.news) == 8
    assert {info.state for info in cluster.news.values()} <= {ActorState.ALIVE, ActorState.DEAD}
    check_at_rest(cluster)
    cluster.say(DRIVER, HEAD, FinishJob(job_id(1)))
    cluster.settle(20)
    assert cluster.actors == {}
    assert {info.state for info in cluster.news.values()} == {ActorState.DEAD}
    check_at_rest(cluster)
    view = cluster.gcs.nodes.views.live
    assert {node.node_id: view[node.node_id].available for node in addresses(cluster)} == {
        host.address.node_id: cluster.raylets[worker].view.local.available
        for worker, host in cluster.hosts.items()
    }


def addresses(cluster: Cluster) -> list[Address]:
    return [host.address for host in cluster.hosts.values()]


def test_no_check_is_left_unanswered_by_a_living_raylet() -> None:
    cluster = Cluster(seed=1, nodes=3)
    cluster.settle(200)
    assert len(cluster.hosts) == 3
    assert not [m for wire in cluster.wires.values() for _, _, m in wire if type(m) is CheckHealth]
