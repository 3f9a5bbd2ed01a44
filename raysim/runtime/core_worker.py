"""A process of a program: its roles, its references, and the port that the API calls. Never a world.

Named after Ray's CoreWorker. The world gives it a host, routes messages into `process`, and, in a
worker, runs `execute` in user context for each task that the executor hands out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

from raysim.backend import (
    ActorRecord,
    CompiledGraph,
    ContextInfo,
    GraphOptions,
    InitOptions,
    Logs,
    PlacementGroupOptions,
)
from raysim.exceptions import AsyncioActorExit, RaySystemError
from raysim.protocol.driver import Driver
from raysim.protocol.executor import Executor
from raysim.protocol.explaining import Explaining
from raysim.protocol.host import Outcome, ProcessHost, RunnableTask, Waiter
from raysim.protocol.inspecting import Inspecting
from raysim.protocol.messages import CancelOwned, ContainedRef, PrepareEnv, RegisterJob
from raysim.protocol.messages.state import MetricSeen
from raysim.protocol.owner import Owner
from raysim.protocol.process import Process, Role
from raysim.protocol.queries import Queries
from raysim.protocol.uploads import Uploads
from raysim.runtime.call_sites import ACTOR, CREATED, PUT, TASK, CallSites
from raysim.runtime.calls import Calls
from raysim.runtime.execution import Execution
from raysim.runtime.explained import explain_id
from raysim.runtime.graphs import compile_graph
from raysim.runtime.log_files import LeftLogs, LogFiles
from raysim.runtime.measured import Measured
from raysim.runtime.object_ref import Holder, ObjectRef
from raysim.runtime.placement_groups import Groups
from raysim.runtime.shown import (
    available_resources,
    cluster_resources,
    node_table,
)
from raysim.runtime.states import inspect
from raysim.runtime.steps import Steps
from raysim.runtime.task_context import TaskContext, context_info, entered
from raysim.runtime.timeline import timeline
from raysim.runtime.unhandled import report
from raysim.runtime.values import NS, Values
from raysim.runtime.waiting import Waitable
from raysim.spec.address import Address
from raysim.spec.explanation import Explanation, Reason
from raysim.spec.ids import (
    ActorId,
    JobId,
    NodeId,
    ObjectId,
    PlacementGroupId,
    TaskId,
    driver_task,
    job_id,
    job_of_task,
    task_of_object,
)
from raysim.spec.node import NodeState
from raysim.spec.placement_group import GroupInfo
from raysim.spec.runtime_env import read_env
from raysim.spec.state import Inquiry, Listing, Noun

Answer = TypeVar("Answer")


class CoreWorker:
    """One process: a driver, or a worker."""

    def __init__(self, host: ProcessHost, raylet: Address, gcs: Address) -> None:
        self.host = host
        self.raylet = raylet
        self.gcs = gcs
        self.owner = Owner(host, raylet, gcs)
        self.queries = Queries(host, gcs)
        self.explaining = Explaining(host, gcs, self.owner, self.queries)
        self.inspecting = Inspecting(host, gcs, self.owner)
        self.measured = Measured()
        self.inspecting.metrics = self._metrics
        self.values = Values(self)
        self.calls = Calls(self)
        self.submit_task = self.calls.submit_task
        self.call_actor = self.calls.call_actor
        self.create_actor = self.calls.create_actor
        self.put = self.values.put
        self.groups = Groups(self)
        self.execution = Execution(self)
        self._steps = Steps(self.execution)
        self.executor: Executor | None = None
        self._driver: Driver | None = None
        self._uploads: Uploads | None = None
        self.namespace = ""
        self.left_logs: LeftLogs | None = None
        """What is at hand of the logs of nodes that are gone. Set by worlds that keep logs."""
        self.session_name = "session"
        self.session_dir = ""
        """Set by worlds that keep files."""
        self.runtime_env = ""
        """What calls inherit that are made here: the job's, or the worker's own."""
        self.retries_of: dict[ActorId, int] = {}
        self.devices: dict[str, list[str]] = {}
        """Resource to the ids of the node's pieces, where they are not simply 0, 1, 2 ..."""
        self.process: Process
        self._job = job_id(0)
        self._enter(driver_task(self._job))
        self._joined = Waiter()
        self.owner.objects.unhandled = partial(report, self)
        self.holder = Holder(self)
        self.released = self.holder.released
        self.kept: list[ObjectRef] = []
        """Implicit puts: alive until the call that carries them counts them itself."""
        self._pinned: list[ObjectRef] = []
        if host.config.record_ref_creation_sites:
            self._note_call_sites()

    @classmethod
    def driver(
        cls, host: ProcessHost, raylet: Address, gcs: Address, options: InitOptions
    ) -> "CoreWorker":
        self = cls(host, raylet, gcs)
        self.namespace = options.namespace
        self.runtime_env = options.runtime_env
        self._uploads = Uploads(host, gcs)
        job = RegisterJob(
            options.entrypoint,
            options.namespace,
            options.runtime_env,
            options.metadata,
            options.observer,
        )
        self._driver = Driver(host, raylet, gcs, job, host.pid, self._on_joined)
        self.owner.object_states.is_driver = True
        if options.config.record_ref_creation_sites and not host.config.record_ref_creation_sites:
            self._note_call_sites()  # It joined a cluster that does not.
        self.process = self._process(self._driver, self._uploads)
        return self

    @classmethod
    def worker(cls, host: ProcessHost, raylet: Address, gcs: Address, token: int) -> "CoreWorker":
        self = cls(host, raylet, gcs)
        self.executor = self.explaining.executor = Executor(host, self.owner, raylet, token)
        self.inspecting.executor = self.executor
        self.executor.before_leaving = self.inspecting.leave
        self.process = self._process(self.executor)
        return self

    def _process(self, *roles: Role) -> Process:
        asking = self.explaining, self.inspecting, self.queries
        return Process([self.owner, *roles, *asking, self.groups.role])

    def _metrics(self) -> list[MetricSeen]:
        return self.measured.rows(self.host.address, job_of_task(self._latest.task_id))

    def _note_call_sites(self) -> None:
        sites = CallSites(self.owner.objects.entries.__contains__)
        self.submit_task = sites.recorded(TASK, self.submit_task, list)
        self.call_actor = sites.recorded(ACTOR, self.call_actor, list)
        self.put = sites.recorded(PUT, self.put, lambda ref: [ref])
        self.create_actor = sites.recorded(CREATED, self.create_actor, lambda made: [made.ref])
        self.owner.object_states.site_of = sites.of

    # Life

    @property
    def is_driver(self) -> bool:
        return self._driver is not None

    def _on_joined(self, job: JobId) -> None:
        self._job = job
        self.namespace = self.namespace or f"anonymous-{job.hex()}"
        self._enter(driver_task(job))
        self._joined.finish()

    def join(self, timeout_ns: int | None) -> None:
        """Wait until raylet and GCS know this driver. Raises RaySystemError on time-out."""
        if not self.host.block(self._joined, timeout_ns):
            raise RaySystemError(
                "The cluster did not answer this driver's registration in time: is its head alive?"
            )

    def prepare(self, runtime_env: str, packages: Mapping[str, bytes]) -> None:
        assert self._uploads is not None, "a job's runtime environment is its driver's"
        for uri, data in packages.items():
            stored = Waiter()
            with self.host.lock:
                self._uploads.send(uri, data, stored.finish)
            self.block(stored, None)
        config = read_env(runtime_env).config
        if not runtime_env:
            return
        if config is None or config.eager_install:
            with self.host.lock:
                self.host.send(self.raylet, PrepareEnv(runtime_env))

    def leave(self) -> None:
        if self._driver is not None:
            with self.host.lock:
                self.inspecting.leave()
                self._driver.leave()

    def execute(self, task: RunnableTask) -> Outcome:
        """Run user code; in user context, without the lock."""
        self._begin(task)
        try:
            return self.execution.run(task)
        finally:
            if self.released:
                with self.host.lock:
                    self.drain()

    def execute_step(self, task: RunnableTask) -> Outcome:
        """As `execute`, for a method of a compiled graph in its turn."""
        self._latest = context = TaskContext(task.call.task_id, 0, task)
        entered.set(context)
        outcome = self._steps.run(task)
        if self.released:
            with self.host.lock:
                self.drain()
        return outcome

    async def execute_async(self, task: RunnableTask) -> Outcome:
        """Run a call of an asynchronous actor, on its event loop, without the lock."""
        self._begin(task)
        try:
            return await self.execution.run_async(task)
        finally:
            if self.released:
                with self.host.lock:
                    self.drain()

    def _begin(self, task: RunnableTask) -> None:
        call = task.call
        if task.start_ns < 0:
            task.start_ns = self.host.now_ns()
        self._latest = context = TaskContext(call.task_id, call.attempt, task)
        entered.set(context)
        actor = task.actor
        if actor is not None:
            self.namespace, self.runtime_env = actor.home, actor.runtime_env
        elif task.template is not None:
            self.namespace = task.template.namespace
            self.runtime_env = task.template.runtime_env

    def _enter(self, task_id: TaskId) -> None:
        """As a driver."""
        self._latest = TaskContext(task_id)
        entered.set(None)

    @property
    def context(self) -> TaskContext:
        """Of the running task; a thread that user code made itself counts to the latest one."""
        return entered.get() or self._latest

    def block(
        self,
        waiter: Waiter,
        timeout_ns: int | None,
        block: Callable[[Waiter, int | None], bool] | None = None,
    ) -> bool:
        """Wait in user code; a worker lends its CPUs on meanwhile. `block`: the host's, or an inbox's."""
        executor = self.executor
        with self.host.lock:
            self.owner.flush()
            if waiter.done:
                return True
            if executor is not None:
                executor.blocked()
        try:
            return (block or self.host.block)(waiter, timeout_ns)
        finally:
            if executor is not None:
                with self.host.lock:
                    executor.unblocked()

    # Why it waits

    def explain(self, ref: ObjectRef) -> Explanation:
        waiter = Waiter()
        found: list[Explanation] = []

        def answer(explanations: list[Explanation]) -> None:
            found.extend(explanations)
            waiter.finish()

        (entry,) = self.values.entries_of([ref])
        with self.host.lock:
            self.drain()
            if entry.failure is not None:
                text = f"Object {ref.hex()} failed: {entry.failure.text}"
                return Explanation(reason=Reason.FAILED, text=text, object_id=ref.hex())
            self.explaining.explain([ContainedRef(ref._id, ref._owner)], answer)
        self.block(waiter, None)
        return found[0]

    def explain_id(self, noun: Noun, identity: str) -> Explanation | None:
        return explain_id(self, noun, identity)

    # References

    def drain(self) -> None:
        """Count the references that went; under the lock."""
        if self.released:
            self.owner.objects.drop_locals(self.released)

    def adopt(self, refs: Iterable[ObjectRef]) -> None:
        """Count references that came in a value."""
        holder = self.holder
        with self.host.lock:
            objects = self.owner.objects
            entries = objects.entries
            for ref in refs:
                entry = entries.get(ref._id)
                if entry is None or (entry.epoch < 0 and entry.owner is not None):
                    entry = objects.borrow(ref._id, ref._owner)
                entry.local += 1
                ref._holder = holder

    def known_ref(self, object_id: ObjectId) -> ObjectRef | None:
        with self.host.lock:
            entry = self.owner.objects.entries.get(object_id)
            if entry is None:
                return None
            entry.local += 1
            return ObjectRef(object_id, entry.owner or self.host.address, self.holder)

    def pin_for_ever(self, ref: ObjectRef) -> None:
        with self.host.lock:
            self.owner.objects.entries[ref._id].local += 1
        self._pinned.append(ObjectRef(ref._id, ref._owner, None))

    # The port: raysim.backend.Backend

    def compile_graph(self, options: GraphOptions) -> CompiledGraph:
        return compile_graph(self, options)

    def get_actor(self, name: str, namespace: str) -> ActorRecord:
        return self.calls.get_actor(name, namespace)

    def kill_actor(self, actor_id: ActorId, no_restart: bool) -> None:
        with self.host.lock:
            self.owner.actors.kill(actor_id, no_restart)

    def exit_actor(self) -> NoReturn:
        if self.context_info().is_async:
            raise AsyncioActorExit("exit_actor() was called")
        raise SystemExit(0)

    def current_actor(self) -> ActorRecord | None:
        task = self.context.task
        if task is None or task.actor is None:
            return None
        spec = task.actor
        return ActorRecord(spec.actor_id, spec.class_name, spec.method_meta)

    def create_placement_group(self, options: PlacementGroupOptions) -> PlacementGroupId:
        return self.groups.create(options)

    def remove_placement_group(self, group_id: PlacementGroupId) -> None:
        self.groups.remove(group_id)

    def placement_group_ready(self, group_id: PlacementGroupId, value: Any) -> ObjectRef:
        return self.groups.ready(group_id, value)

    def wait_placement_group(self, group_id: PlacementGroupId, timeout: float) -> bool:
        return self.groups.wait(group_id, timeout)

    def placement_groups(
        self, group_id: PlacementGroupId | None = None, name: str = ""
    ) -> list[GroupInfo]:
        return self.groups.infos(group_id, name)

    def get(self, refs: Sequence[ObjectRef], timeout: float | None) -> list[Any]:
        return self.values.get(refs, timeout)

    def wait(
        self, refs: Sequence[Waitable], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[Waitable], list[Waitable]]:
        return self.values.wait(refs, num_returns, timeout, fetch_local)

    def free(self, refs: Sequence[ObjectRef]) -> None:
        entries = self.values.entries_of(refs)
        with self.host.lock:
            for entry in entries:
                self.owner.objects.free(entry)

    def cancel(self, ref: ObjectRef, force: bool, recursive: bool) -> None:
        [entry] = self.values.entries_of([ref])
        task_id = task_of_object(ref._id)
        with self.host.lock:
            if entry.owner is None:
                self.owner.cancel(task_id, force, recursive)
            elif not entry.ready:
                self.host.send(entry.owner, CancelOwned(task_id, force, recursive))

    def ask(self, question: Callable[[Callable[[Answer], None]], None]) -> Answer:
        """Put a question whose answer comes as a message, and wait for it."""
        waiter = Waiter()
        found: list[Answer] = []

        def answer(what: Answer) -> None:
            found.append(what)
            waiter.finish()

        with self.host.lock:
            question(answer)
        self.block(waiter, None)
        return found[0]

    def list_named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        namespace = None if all_namespaces else self.namespace
        names: list[tuple[str, str]] = self.ask(partial(self.queries.actor_names, namespace))
        return names

    def kv_put(self, namespace: str, key: bytes, value: bytes, overwrite: bool) -> bytes:
        there: bytes = self.ask(partial(self.queries.kv_put, namespace, key, value, overwrite))
        return there

    def kv_get(self, namespace: str, key: bytes, prefix: bool = False) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self.ask(partial(self.queries.kv_get, namespace, key, prefix))
        return found

    def kv_delete(self, namespace: str, key: bytes, prefix: bool = False) -> int:
        count: int = self.ask(partial(self.queries.kv_delete, namespace, key, prefix))
        return count

    def inspect(self, inquiry: Inquiry) -> Listing:
        return inspect(self, inquiry)

    def logs(self) -> Logs:
        if self.left_logs is None:
            raise NotImplementedError(
                "This world keeps no log files: what its processes print is on this program's own output. "
                "Use the cluster backend, or redirect the output."
            )
        return LogFiles(self, self.left_logs)

    def timeline(self) -> list[dict[str, Any]]:
        return timeline(self)

    def node_states(self) -> list[NodeState]:
        states: list[NodeState] = self.ask(self.queries.nodes)
        return states

    def nodes(self) -> list[dict[str, Any]]:
        return [node_table(state) for state in self.node_states()]

    def drain_node(self, node_id: bytes, reason: str, deadline_s: float | None) -> None:
        deadline_ns = 0 if deadline_s is None else max(1, round(deadline_s * 1e9))
        refusal: str = self.ask(
            partial(self.queries.drain_node, NodeId(node_id), reason, deadline_ns)
        )
        if refusal:
            raise ValueError(refusal)

    def cluster_resources(self) -> dict[str, float]:
        return cluster_resources(self.node_states())

    def available_resources(self) -> dict[str, float]:
        return available_resources(self.node_states())

    def context_info(self) -> ContextInfo:
        return context_info(self)

    def accelerators(self, task: RunnableTask | None) -> dict[str, list[str]]:
        """Ids of the GPUs that a call has."""
        if task is None or not task.accelerators:
            return {}
        return {
            name: [names[n] for n in numbers]
            if (names := self.devices.get(name))
            else [*map(str, numbers)]
            for name, numbers in task.accelerators.items()
        }

    def sleep(self, seconds: float) -> None:
        self.host.block(Waiter(), int(seconds * NS))

    def now(self) -> float:
        return self.host.now_ns() / NS
