"""An owner on a fake host, with words for what tests say to it. Never answers for raylets, workers or the GCS."""

from typing import Any, TypeVar

import msgspec

from raysim.config import Config
from raysim.protocol.messages import (
    BorrowEpoch,
    BorrowersAdded,
    ContainedRef,
    Message,
    PushActorCalls,
    PushTasks,
    RequestWorkerLease,
    Return,
    TaskResult,
    TasksDone,
    TaskStatus,
    WorkerLeaseGranted,
)
from raysim.protocol.owner import Owner
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.process import Process
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import (
    FunctionId,
    IdSource,
    ObjectId,
    TaskId,
    driver_task,
    job_id,
    return_id,
    task_of_object,
)
from raysim.spec.resources import fixed
from raysim.spec.task import Claim, TaskArg, TaskCall, TaskTemplate, Work
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.fake_process import FakeProcessHost

M = TypeVar("M", bound=Message)

MS = 1_000_000
SECOND_NS = 1_000_000_000
GCS = address("head")
RAYLET = address("near")
FAR = address("far")
DRIVER = address("driver", "near")
OTHER = address("other", "far")
TEMPLATE = TaskTemplate(FunctionId(b"f" * 28), "work", fixed({"CPU": 1}))
LARGE = 1 << 20
BACKGROUND_NS = 5 * SECOND_NS


def template(**options: Any) -> TaskTemplate:
    return msgspec.structs.replace(TEMPLATE, **options)


def stored(size: int = LARGE, contained: list[ContainedRef] | None = None) -> Return:
    return Return(None, size, contained or [])


def inline(payload: bytes = b"value", contained: list[ContainedRef] | None = None) -> Return:
    return Return(payload, len(payload), contained or [])


class OwnerRig:
    def __init__(self, own: Address = DRIVER, config: Config | None = None) -> None:
        self.host = FakeProcessHost(own, config)
        self.owner = Owner(self.host, RAYLET, GCS)
        self.process = Process([self.owner])
        self.process.start()
        self.objects = self.owner.objects
        self.entries = self.objects.entries
        self.ids = IdSource(driver_task(job_id(1)))

    def tell(self, sender: Address, message: Message) -> None:
        """Deliver it as the wire would, a copy with nothing shared; then let the turn end."""
        copy: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))
        self.process.receive(sender, copy)
        self.host.advance(0)

    def lose(self, peer: Address) -> None:
        self.process.peer_lost(peer)
        self.host.advance(0)

    def take(self, kind: type[M]) -> list[tuple[Address, M]]:
        """The messages of this kind since the last `take`; everything else is dropped."""
        self.owner.flush()
        self.host.advance(0)
        return [(to, sent) for to, sent in self.host.take() if isinstance(sent, kind)]

    def one(self, kind: type[M]) -> tuple[Address, M]:
        [found] = self.take(kind)
        return found

    # Objects.

    def put(
        self, payload: bytes = b"value", contained: list[ContainedRef] | None = None
    ) -> ObjectId:
        """An owned inline object with one local reference."""
        object_id = self.ids.put()
        entry = self.objects.create(object_id)
        entry.local = 1
        self.objects.carry(entry, contained or [])
        self.objects.set_inline(entry, payload, is_error=False)
        return object_id

    def put_stored(self, size: int = LARGE, holder: Address = RAYLET) -> ObjectId:
        object_id = self.ids.put()
        entry = self.objects.create(object_id)
        entry.local = 1
        self.objects.set_stored(entry, size, [holder])
        return object_id

    def drop(self, object_id: ObjectId) -> None:
        """The last Python reference goes."""
        self.objects.drop_local(object_id)
        self.host.advance(0)

    def acknowledge(self, owner: Address, *epochs: tuple[ObjectId, int]) -> None:
        self.tell(owner, BorrowersAdded([BorrowEpoch(o, e) for o, e in epochs]))

    def state(self, object_id: ObjectId) -> ObjectState:
        return self.entries[object_id].state

    def failure(self, object_id: ObjectId) -> FailureKind:
        failure = self.entries[object_id].failure
        assert failure is not None
        return failure.kind

    # Tasks.

    def arg(self, object_id: ObjectId, slot: int = 0) -> TaskArg:
        entry = self.entries[object_id]
        return TaskArg(slot, object_id, entry.owner or self.host.address)

    def submit(
        self,
        *args: ObjectId,
        what: TaskTemplate = TEMPLATE,
        nested: list[ContainedRef] | None = None,
        claim: Claim | None = None,
        work: Work | None = None,
    ) -> ObjectId:
        """One more call of `what`; its first return."""
        cls = self.owner.tasks.leases.class_of(what, b"function")
        task_id = self.ids.task()
        refs = [self.arg(object_id, slot) for slot, object_id in enumerate(args)]
        call = TaskCall(task_id, 0, b"args", refs, work)
        self.owner.tasks.submit(cls, call, nested or [], what.name, claim=claim)
        return return_id(task_id, 0)

    def grant(self, name: str = "worker", raylet: Address = RAYLET) -> Address:
        """The first request of those since the last `take` is granted; the others go unanswered."""
        requests = self.take(RequestWorkerLease)
        return self.granted(requests[0][1], name, raylet)

    def granted(
        self, request: RequestWorkerLease, name: str = "worker", raylet: Address = RAYLET
    ) -> Address:
        worker = Address(raylet.node_id, address(name, "any").worker_id)
        self.tell(raylet, WorkerLeaseGranted(request.lease_id, worker))
        return worker

    def pushed(self) -> list[TaskCall]:
        """The calls that were sent since the last `take`."""
        return [call for _, push in self.take(PushTasks) for call in push.calls]

    def pushed_actor(self) -> list[TaskCall]:
        return [call for _, push in self.take(PushActorCalls) for call in push.calls]

    def done(
        self,
        worker: Address,
        object_id: ObjectId,
        *returns: Return,
        attempt: int = 0,
        status: TaskStatus = TaskStatus.OK,
        failure: Failure | None = None,
        lasting: int = 10 * MS,
        raylet: Address = RAYLET,
    ) -> None:
        """The worker says how the call that makes this object ended."""
        result = self.result(object_id, *returns, attempt=attempt, status=status, failure=failure)
        result.end_ns = result.start_ns + lasting
        self.tell(worker, TasksDone(raylet, [result]))

    def result(
        self,
        object_id: ObjectId,
        *returns: Return,
        attempt: int = 0,
        status: TaskStatus = TaskStatus.OK,
        failure: Failure | None = None,
    ) -> TaskResult:
        task_id: TaskId = task_of_object(object_id)
        is_error = status in (TaskStatus.APPLICATION_ERROR, TaskStatus.RETRIABLE_ERROR)
        values = [msgspec.structs.replace(value, is_error=is_error) for value in returns]
        return TaskResult(task_id, attempt, status, values, 0, 10 * MS, failure)

    def ran(
        self, *args: ObjectId, what: TaskTemplate = TEMPLATE, result: Return | None = None
    ) -> ObjectId:
        """Submit a call, let it run on a new worker, give the lease back."""
        object_id = self.submit(*args, what=what)
        requests = self.take(RequestWorkerLease)
        worker = self.granted(requests[-1][1])
        self.done(worker, object_id, result or inline())
        self.host.advance(BACKGROUND_NS)
        self.host.take()
        return object_id

    def ref(self, object_id: ObjectId, owner: Address | None = None) -> ContainedRef:
        return ContainedRef(object_id, owner or self.host.address)

    def found(self, object_id: ObjectId) -> Entry:
        return self.entries[object_id]

    def assert_nothing_left(self) -> None:
        """Quiescence: no entry, no call, no lease, no timer."""
        self.host.advance(BACKGROUND_NS)
        assert self.entries == {}
        assert self.owner.tasks.records == {}
        assert self.host.timers == []
        assert not self.objects.owns_any


def learn_short_tasks(rig: OwnerRig) -> tuple[Address, bytes]:
    """A lease on which one task of 10 microseconds ran, so that more are pushed ahead."""
    first = rig.submit()
    worker = rig.grant()
    rig.done(worker, first, inline(), lasting=10_000)
    return worker, first
