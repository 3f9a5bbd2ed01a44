"""A GCS on a fake host, with words for what tests say to it. Never answers for the raylets."""

from typing import Any, TypeVar

import msgspec

from raysim.config import Config
from raysim.policies import create
from raysim.protocol.gcs import Gcs
from raysim.protocol.messages import (
    ActorChanged,
    ActorStarted,
    CreateActor,
    JobRegistered,
    Message,
    RegisterJob,
    RegisterNode,
    RequestWorkerLease,
    WorkerDied,
    WorkerLeaseGranted,
)
from raysim.protocol.process import Process
from raysim.spec.actor import ActorInfo, ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, FunctionId, IdSource, JobId, driver_task
from raysim.spec.node import NodeInfo
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import FakeHost, FakeStorage, address

M = TypeVar("M", bound=Message)

HEAD = address("head")
DRIVER = address("driver", "head")
SECOND_NS = 1_000_000_000
ONE_CPU = fixed({"CPU": 1})


def info(raylet: Address, name: str, cpus: float = 8) -> NodeInfo:
    return NodeInfo(raylet, fixed({"CPU": cpus}), name)


class Head:
    def __init__(self, storage: FakeStorage | None = None, config: Config | None = None) -> None:
        self.host = FakeHost(HEAD, config, storage)
        self.gcs = Gcs(self.host, create("hybrid", self.host.config))
        self.process = Process([self.gcs])
        self.process.start()
        self.host.advance(0)

    def restarted(self) -> "Head":
        """Another GCS on what this one had committed; what was in its batch is gone."""
        storage = FakeStorage()
        storage.tables = self.host.storage.tables
        return Head(storage, self.host.config)

    def tell(self, sender: Address, message: Message) -> None:
        """Deliver it as the wire would: a copy, with nothing shared."""
        wire = msgspec.msgpack.encode(message)
        copy: Any = msgspec.msgpack.decode(wire, type=type(message))
        self.process.receive(sender, copy)

    def take(self, kind: type[M]) -> list[tuple[Address, M]]:
        """The messages of this kind since the last `take`; everything else is dropped."""
        return [(to, sent) for to, sent in self.host.take() if isinstance(sent, kind)]

    def one(self, kind: type[M]) -> tuple[Address, M]:
        [found] = self.take(kind)
        return found

    # The cluster.

    def join(self, name: str, cpus: float = 8) -> Address:
        raylet = HEAD if name == "head" else address(name)
        self.tell(raylet, RegisterNode(info(raylet, name, cpus)))
        self.host.advance(0)
        return raylet

    def job(self, driver: Address = DRIVER) -> JobId:
        self.tell(driver, RegisterJob("program.py", "space"))
        return self.one(JobRegistered)[1].job_id

    # Actors.

    def spec(
        self, job: JobId, number: int = 1, owner: Address = DRIVER, **options: Any
    ) -> ActorSpec:
        source = IdSource(driver_task(job))
        actor_id: ActorId = [source.actor() for _ in range(number)][-1]
        fields: dict[str, Any] = {
            "placement": ONE_CPU,
            "lifetime": {},
            "namespace": "space",
        } | options
        return ActorSpec(
            actor_id, FunctionId(b"class"), "Counter", b"pickled", b"args", [], owner, **fields
        )

    def create(self, spec: ActorSpec) -> tuple[Address, RequestWorkerLease]:
        """Create it; the request for its worker, and the raylet that was asked."""
        self.tell(spec.owner, CreateActor(spec))
        return self.one(RequestWorkerLease)

    def grant(self, raylet: Address, request: RequestWorkerLease, name: str = "worker") -> Address:
        """The raylet answers the request with a worker."""
        worker = Address(raylet.node_id, address(name, str(raylet.node_id)).worker_id)
        self.tell(raylet, WorkerLeaseGranted(request.lease_id, worker))
        return worker

    def alive(self, spec: ActorSpec, name: str = "worker") -> tuple[Address, Address]:
        """Create it and let everything go well: its raylet and its worker."""
        raylet, request = self.create(spec)
        worker = self.grant(raylet, request, name)
        self.started(worker, spec)
        return raylet, worker

    def started(
        self, worker: Address, spec: ActorSpec, incarnation: int = 0, failure: Failure | None = None
    ) -> None:
        self.tell(worker, ActorStarted(spec.actor_id, incarnation, failure))

    def died(self, raylet: Address, worker: Address, intended: bool = False) -> None:
        self.tell(raylet, WorkerDied(worker, "exit code -9", intended))

    def news(self, to: Address = DRIVER) -> list[ActorInfo]:
        """What a subscriber was told since the last `take`."""
        return [changed.info for receiver, changed in self.take(ActorChanged) if receiver == to]
