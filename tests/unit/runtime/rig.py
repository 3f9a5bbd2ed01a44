"""A driver or a worker on a fake host, as a program uses it. Never a second process: tests answer for the others."""

import gc
from typing import Any, TypeVar

from raysim.backend import InitOptions, RemoteTarget, TaskOptions
from raysim.protocol.messages import (
    ExtentLent,
    JobRegistered,
    Message,
    ObjectLocal,
    PushTasks,
    RequestExtent,
    RequestWorkerLease,
    Return,
    TaskResult,
    TasksDone,
    TaskStatus,
    WorkerLeaseGranted,
    WorkerRegistered,
)
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.current import set_current
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.serialization import serialize
from raysim.spec.address import Address
from raysim.spec.ids import job_id
from raysim.spec.task import TaskCall, TaskTemplate
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.fake_process import FakeProcessHost

M = TypeVar("M", bound=Message)

GCS = address("head")
RAYLET = address("near")
DRIVER = address("driver", "near")
WORKER = address("worker", "near")
CALLER = address("caller", "far")
BACKGROUND_NS = 5_000_000_000
HANDLE = 3


class Session:
    """One process of a program."""

    def __init__(self, worker: bool = False) -> None:
        self.host = FakeProcessHost(WORKER if worker else DRIVER)
        if worker:
            self.core = CoreWorker.worker(self.host, RAYLET, GCS, 7)
        else:
            self.core = CoreWorker.driver(self.host, RAYLET, GCS, InitOptions(nodes=[]))
        self.core.process.start()
        set_current(self.core)
        self.tell(RAYLET, WorkerRegistered(GCS, "near"))
        if not worker:
            self.tell(GCS, JobRegistered(job_id(1)))
        self.host.take()
        self.entries = self.core.owner.objects.entries

    def tell(self, sender: Address, message: Message) -> None:
        self.core.process.receive(sender, message)
        self.host.advance(0)

    def of(self, kind: type[M]) -> list[M]:
        """The messages of this kind since the last time; everything else is dropped."""
        self.core.owner.flush()
        self.host.advance(0)
        return [sent for _, sent in self.host.take() if isinstance(sent, kind)]

    def lend(self) -> None:
        """The raylet answers the request for room."""
        [asked] = self.of(RequestExtent)
        self.tell(RAYLET, ExtentLent(asked.number, HANDLE))

    def put_large(self, value: Any) -> ObjectRef:
        self.host.while_blocked = self.lend
        ref = self.core.put(value)
        self.host.while_blocked = lambda: None
        return ref

    def local(self, ref: ObjectRef, handle: int = HANDLE) -> None:
        """The raylet has brought the object."""
        self.tell(RAYLET, ObjectLocal(ref._id, handle, self.entries[ref._id].size))

    def submit(self, function: Any, *args: Any, **options: Any) -> ObjectRef:
        target = RemoteTarget(function, getattr(function, "__name__", "work"))
        [ref] = self.core.submit_task(target, TaskOptions(**options), args, {})
        return ref

    def pushed(self) -> PushTasks:
        """Grant the first request; what is pushed then."""
        requests = self.of(RequestWorkerLease)
        self.tell(RAYLET, WorkerLeaseGranted(requests[0].lease_id, WORKER))
        [push] = self.of(PushTasks)
        return push

    def answer(self, value: Any) -> None:
        """The next call is run, by a worker that returns this."""
        call = self.pushed().calls[0]
        payload = serialize(value).join()
        result = TaskResult(call.task_id, 0, TaskStatus.OK, [Return(payload, len(payload))])
        self.tell(WORKER, TasksDone(RAYLET, [result]))

    def drain(self) -> None:
        gc.collect()
        self.host.advance(0)

    def assert_nothing_left(self) -> None:
        self.drain()
        self.host.advance(BACKGROUND_NS)
        assert self.entries == {}
        assert self.host.store.viewed == {}

    # A worker.

    def run(self, template: TaskTemplate, call: TaskCall, function: bytes) -> TaskResult | None:
        """Push this call, run it, report it; None where the report has to wait."""
        self.tell(CALLER, PushTasks(1, template, [call], function))
        return self.run_pushed()

    def run_pushed(self) -> TaskResult | None:
        task = self.host.ran.pop()
        outcome = self.core.execute(task)
        self.core.executor.finished(task, outcome)
        self.host.ended(task)
        self.host.advance(0)
        results = [r for _, done in self.host.of(TasksDone) for r in done.results]
        return results[-1] if results else None
