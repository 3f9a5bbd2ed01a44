"""A worker on a fake host, with words for what owners, raylet and GCS say to it. Never runs user code."""

from typing import Any, TypeVar

import msgspec

from raysim.protocol.executor import Executor
from raysim.protocol.host import Outcome, ReturnValue, RunnableTask
from raysim.protocol.messages import (
    ContainedRef,
    Message,
    ObjectLocal,
    PushActorCalls,
    PushTasks,
    StartActor,
    TaskResult,
    TasksDone,
    TaskStatus,
    WorkerRegistered,
)
from raysim.protocol.owner import Owner
from raysim.protocol.process import Process
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import FunctionId, IdSource, ObjectId, TaskId, driver_task, job_id
from raysim.spec.resources import fixed
from raysim.spec.task import TaskArg, TaskCall, TaskTemplate
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.fake_process import FakeProcessHost

M = TypeVar("M", bound=Message)

MS = 1_000_000
GCS = address("head")
RAYLET = address("near")
WORKER = address("worker", "near")
CALLER = address("driver", "far")
OTHER = address("other", "third")
TOKEN = 7
TEMPLATE = TaskTemplate(FunctionId(b"f" * 28), "work", fixed({"CPU": 1}))
LARGE = 1 << 20


class WorkerRig:
    def __init__(self) -> None:
        self.host = FakeProcessHost(WORKER)
        self.owner = Owner(self.host, RAYLET, GCS)
        self.executor = Executor(self.host, self.owner, RAYLET, TOKEN)
        self.process = Process([self.owner, self.executor])
        self.process.start()
        self.ids = IdSource(driver_task(job_id(1)))

    def tell(self, sender: Address, message: Message) -> None:
        copy: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))
        self.process.receive(sender, copy)
        self.host.advance(0)

    def lose(self, peer: Address) -> None:
        self.process.peer_lost(peer)
        self.host.advance(0)

    def registered(self) -> None:
        self.tell(RAYLET, WorkerRegistered(GCS, "near"))
        self.host.take()

    def take(self, kind: type[M]) -> list[tuple[Address, M]]:
        self.host.advance(0)
        return [(to, sent) for to, sent in self.host.take() if isinstance(sent, kind)]

    def one(self, kind: type[M]) -> tuple[Address, M]:
        [found] = self.take(kind)
        return found

    def results(self) -> list[tuple[Address, TaskResult]]:
        """To whom the results went since the last `take`, in order."""
        return [(to, result) for to, done in self.take(TasksDone) for result in done.results]

    # Tasks.

    def call(self, *refs: TaskArg, **fields: Any) -> TaskCall:
        return TaskCall(self.ids.task(), 0, b"args", list(refs), **fields)

    def push(
        self, *calls: TaskCall, sender: Address = CALLER, function: bytes | None = b"function"
    ) -> None:
        self.tell(sender, PushTasks(1, TEMPLATE, list(calls), function))

    def pushed(self, count: int = 1) -> list[TaskCall]:
        calls = [self.call() for _ in range(count)]
        self.push(*calls)
        return calls

    def arg(self, slot: int = 0, owner: Address = CALLER, size: int = LARGE) -> TaskArg:
        """A stored argument that somebody owns."""
        return TaskArg(slot, self.ids.put(), owner, None, [address("far")], size)

    def local(self, object_id: ObjectId, handle: int = 3) -> None:
        self.tell(RAYLET, ObjectLocal(object_id, handle, LARGE))

    @property
    def running(self) -> RunnableTask:
        [task] = self.executor.running
        return task

    def task_of(self, call: TaskCall) -> RunnableTask:
        """Of one call that runs, or ran."""
        [task] = [task for task in self.host.ran if task.call.task_id == call.task_id]
        return task

    def ran(self) -> list[TaskId]:
        """The calls that user code was given, in order."""
        return [task.call.task_id for task in self.host.ran]

    def finish(
        self,
        *payloads: bytes,
        status: TaskStatus = TaskStatus.OK,
        contained: list[ContainedRef] | None = None,
        failure: Failure | None = None,
        exits: bool = False,
        crashed: bool = False,
        call: TaskCall | None = None,
    ) -> None:
        """User code is done with what it runs, `call` if that is not all. As the runtime does, holds
        what the returns contain."""
        self.owner.objects.hold(contained or [])
        values = [ReturnValue([p], len(p), list(contained or [])) for p in payloads]
        task = self.running if call is None else self.task_of(call)
        self.executor.finished(task, Outcome(status, values, failure, exits, crashed))
        self.host.ended(task)
        self.host.advance(0)

    # Actors.

    def spec(self, *refs: TaskArg, **fields: Any) -> ActorSpec:
        return ActorSpec(
            self.ids.actor(), FunctionId(b"c" * 28), "Counter", b"class", b"args", list(refs), CALLER,
            fixed({"CPU": 1}), {}, **fields,
        )  # fmt: skip

    def start_actor(self, *refs: TaskArg, incarnation: int = 0, **fields: Any) -> ActorSpec:
        spec = self.spec(*refs, **fields)
        self.tell(GCS, StartActor(spec, incarnation))
        return spec

    def actor(self, incarnation: int = 0, **fields: Any) -> ActorSpec:
        """One whose constructor has returned."""
        spec = self.start_actor(incarnation=incarnation, **fields)
        self.finish()
        self.host.take()
        self.host.ran.clear()
        return spec

    def method(self, spec: ActorSpec, sequence: int, *refs: TaskArg, group: str = "") -> TaskCall:
        task_id = self.ids.actor_task(spec.actor_id)
        return TaskCall(
            task_id, 0, b"args", list(refs), method="add", sequence=sequence, group=group
        )

    def push_actor(
        self, spec: ActorSpec, *calls: TaskCall, sender: Address = CALLER, incarnation: int = 0
    ) -> None:
        self.tell(sender, PushActorCalls(spec.actor_id, incarnation, list(calls)))
