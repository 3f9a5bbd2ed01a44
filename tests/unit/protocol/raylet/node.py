"""One raylet on a fake host, and the words that tests use of it. Never another raylet: tests play the others."""

import msgspec

from raysim.config import Config
from raysim.policies import create
from raysim.protocol.messages import (
    Message,
    NodeRegistered,
    RegisterWorker,
    RequestWorkerLease,
    ResourceView,
    WorkerDied,
    WorkerLeaseGranted,
    WorkerLeaseSpilled,
)
from raysim.protocol.process import Process
from raysim.protocol.raylet import Raylet
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, JobId, job_id
from raysim.spec.labels import of_node
from raysim.spec.node import NodeInfo, NodeView
from raysim.spec.resources import Resources, fixed
from raysim.spec.task import Default, Strategy
from tests.unit.protocol.fake_host import FakeHost, address

JOB = job_id(1)
ACTOR = ActorId(b"actor of a test.")
GCS = address("head")
MS = 1_000_000
PATIENT = Config(node_watch_keep_ns=10**18)
"""It watches the others for ever."""
CPU1 = fixed({"CPU": 1})


def info(name: str, cpus: float = 4, **more: float) -> NodeInfo:
    at = address(name)
    return NodeInfo(at, fixed({"CPU": cpus, **more}), name, labels=of_node(at.node_id, {}))


def joined(*infos: NodeInfo, whole: bool = False) -> ResourceView:
    """What the GCS tells those who watch of nodes that joined and are idle."""
    views = [NodeView(one.address, one.total, one.total, labels=one.labels) for one in infos]
    return ResourceView(views, whole)


class Node:
    """A node called `here` with `cpus` (and `more` resources); it knows the nodes of `others` (name to CPUs)."""

    def __init__(
        self,
        cpus: float = 4,
        others: dict[str, float] | None = None,
        config: Config | None = None,
        policy: str = "hybrid",
        registered: bool = True,
        **more: float,
    ) -> None:
        self.host = FakeHost(address("here"), config or PATIENT)
        self.info = info("here", cpus, **more)
        config = self.host.config
        self.raylet = Raylet(self.host, self.info, GCS, create(policy, config))
        self.process = Process([self.raylet])
        self.process.start()
        if registered:
            self.tell(GCS, NodeRegistered())
            others = others or {}
            self.tell(GCS, joined(*(info(name, has) for name, has in others.items()), whole=True))
            self.host.take()

    def tell(self, sender: Address, message: Message) -> list[tuple[Address, Message]]:
        """Deliver it; returns what was sent then."""
        before = len(self.host.sent)
        self.process.receive(sender, message)
        return self.host.sent[before:]

    def lose(self, peer: Address) -> list[tuple[Address, Message]]:
        before = len(self.host.sent)
        self.process.peer_lost(peer)
        return self.host.sent[before:]

    def end_worker(self, token: int, reason: str = "exit code 1") -> list[tuple[Address, Message]]:
        before = len(self.host.sent)
        worker = self.raylet.pool.by_token(token)
        self.raylet.worker_ended(token, reason)
        if worker is not None:
            self.process.peer_lost(worker.address)
        return self.host.sent[before:]

    def ask(
        self,
        owner: Address,
        lease_id: int,
        resources: Resources | None = None,
        strategy: Strategy | None = None,
        hops: int = 0,
        **more: object,
    ) -> list[tuple[Address, Message]]:
        asked = request(lease_id, resources, strategy, hops, **more)
        return self.tell(owner, asked)

    def worker_up(self, token: int) -> Address:
        """The process that was asked for with this token registers."""
        worker = worker_address(token)
        self.process.receive(worker, RegisterWorker(token, 1000 + token))
        return worker

    def lease(
        self,
        owner: Address,
        lease_id: int,
        resources: Resources | None = None,
        **more: object,
    ) -> Address:
        """A granted lease, its worker started where needed."""
        self.ask(owner, lease_id, resources, **more)
        started = self.host.workers.started
        granted = self.granted(owner)
        if lease_id not in granted:
            self.worker_up(started[-1])
            granted = self.granted(owner)
        return granted[lease_id]

    def granted(self, owner: Address) -> dict[int, Address]:
        """Lease id to worker, of all grants to this owner so far."""
        return {
            message.lease_id: message.worker
            for to, message in self.host.of(WorkerLeaseGranted)
            if to == owner
        }

    def gpus(self, owner: Address) -> dict[int, list[int]]:
        """Lease id to the numbers of its GPUs, of all grants to this owner so far."""
        return {
            message.lease_id: message.accelerators["GPU"]
            for to, message in self.host.of(WorkerLeaseGranted)
            if to == owner
        }

    def spilled(self) -> dict[int, Address]:
        return {message.lease_id: message.raylet for _, message in self.host.of(WorkerLeaseSpilled)}

    def free(self, name: str = "CPU") -> float:
        return self.raylet.view.local.available.get(name, 0) / 10_000

    def view_of(self, name: str, cpus: float, version: int, free: float | None = None) -> None:
        """The GCS says what that node has free."""
        available = fixed({"CPU": cpus if free is None else free})
        view = NodeView(address(name), fixed({"CPU": cpus}), available, version)
        self.process.receive(GCS, ResourceView([view]))


def worker_address(token: int) -> Address:
    return address(f"worker-{token}", "here")


def request(
    lease_id: int,
    resources: Resources | None = None,
    strategy: Strategy | None = None,
    hops: int = 0,
    job: JobId | None = None,
    **more: object,
) -> RequestWorkerLease:
    need = CPU1 if resources is None else resources
    return RequestWorkerLease(lease_id, job or JOB, need, strategy or Default(), hops, **more)


def deaths(sent: list[tuple[Address, Message]]) -> list[tuple[Address, WorkerDied]]:
    """What was told of ended processes, without the part that is for people."""
    return [
        (to, msgspec.structs.replace(message, seen=None))
        for to, message in sent
        if isinstance(message, WorkerDied)
    ]
