"""Submitting tasks, actors and actor calls: from Python arguments to the owner's records. Never scheduling."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raysim.backend import ActorOptions, ActorRecord, CallOptions, RemoteTarget, TaskOptions
from raysim.exceptions import PendingCallsLimitExceeded, from_failure
from raysim.protocol.host import Waiter
from raysim.protocol.messages import ContainedRef
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.object_ref_generator import ObjectRefGenerator
from raysim.runtime.pickler import dumps
from raysim.runtime.resources import actor_resources, placed, task_resources
from raysim.runtime.serialization import is_plain
from raysim.spec.actor import ActorInfo, ActorSpec
from raysim.spec.failure import Failure
from raysim.spec.ids import (
    ActorId,
    FunctionId,
    TaskId,
    actor_handle_object,
    first_return,
    function_id,
    return_id,
)
from raysim.spec.runtime_env import merged, read_env
from raysim.spec.task import (
    STREAMING,
    Claim,
    Default,
    InBundle,
    TaskArg,
    TaskCall,
    TaskTemplate,
    returns_of,
)

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

NOTHING_SAID = Claim()

NO_ARGUMENTS = b""
"""Of a call without arguments, or with nothing but references, which are apart: there is nothing to pickle."""


NOTHING: Final[tuple[bytes, Sequence[TaskArg], Sequence[ContainedRef]]] = (NO_ARGUMENTS, (), ())


class Exported(msgspec.Struct):
    """A function or class as this process sends it. `classes`: by the identity of the options."""

    key: FunctionId
    payload: bytes
    classes: dict[int, tuple[TaskOptions, SchedulingClass]] = {}


class Calls:
    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._host = worker.host
        self._owner = worker.owner
        self._exports: dict[RemoteTarget, Exported] = {}
        self._submit_call = self._owner.actor_calls.submit
        self._in_turn = worker.host.config.queue != "fifo"

    # Tasks

    def submit_task(
        self,
        target: RemoteTarget,
        options: TaskOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[ObjectRef]:
        worker = self._worker
        context = worker.context
        if context.task is not None or type(options.strategy) is InBundle:
            options = worker.groups.task(target.name, options)
        packed, refs, nested = self._pack(target.name, args, kwargs)
        with self._host.lock:
            if worker.released:
                worker.drain()
            cls = self._class(target, options)
            task_id = (context.source or context.ids).task()
            call = TaskCall(task_id, 0, packed, refs, options.work)
            claim = self._claim(options) if self._in_turn else None
            self._owner.tasks.submit(cls, call, nested, cls.template.name, context.task_id, claim)
            return self._returns(task_id, cls.template.num_returns)

    def _claim(self, options: TaskOptions) -> Claim | None:
        """None: it is served as soon as there is room. A call of a task's is, unless it says otherwise, as the
        task may wait for it; a placement group has its room already."""
        if type(options.strategy) is InBundle:
            return None
        if options.claim is None and self._worker.context.task is None:
            return NOTHING_SAID
        return options.claim

    def _returns(self, task_id: TaskId, count: int) -> list[Any]:
        """References to what a call that was just submitted returns; the owner counted them already."""
        worker, address = self._worker, self._host.address
        if worker.kept:
            worker.kept = []  # The call counts what it carries.
        if count == 1:
            return [ObjectRef(first_return(task_id), address, worker.holder)]
        if count == STREAMING:
            end = ObjectRef(return_id(task_id, 0), address, worker.holder)
            return [ObjectRefGenerator(end, worker)]
        count = returns_of(count)
        return [
            ObjectRef(return_id(task_id, index), address, worker.holder) for index in range(count)
        ]

    def _class(self, target: RemoteTarget, options: TaskOptions) -> SchedulingClass:
        exported = self._exports.get(target) or self._export(target, options)
        found = exported.classes.get(id(options))
        if found is not None and found[0] is options:
            return found[1]
        self._check_work(target, options)
        retried = options.retry_exceptions
        payload, key = exported.payload, exported.key
        if isinstance(retried, tuple):
            payload = _dump(target.name, (target.target, retried))
            key = function_id(payload)
        strategy = options.strategy or Default()
        template = TaskTemplate(
            key,
            options.name or target.name,
            placed(task_resources(options), strategy),
            options.num_returns,
            options.max_retries,
            bool(retried),
            strategy,
            self._worker.namespace,
            options.selectors,
            options.max_calls,
            options.item_limit,
            merged(self._worker.runtime_env, options.runtime_env),
            function_name=getattr(target.target, "__name__", target.name),
            hidden=options.hidden,
            per_yield=options.per_yield,
        )
        cls = self._owner.tasks.leases.class_of(template, payload)
        if len(exported.classes) >= 64:
            exported.classes.clear()
        exported.classes[id(options)] = (options, cls)
        return cls

    def _check_work(self, target: RemoteTarget, options: TaskOptions) -> None:
        work = options.work
        if work is not None and options.num_returns < 0:
            raise ValueError(
                f"Synthetic task {target.name} cannot be a generator: give num_returns a number."
            )
        if work is not None and len(work.return_sizes) != options.num_returns:
            raise ValueError(
                f"Synthetic task {target.name} has num_returns={options.num_returns}, but the sizes of "
                f"{len(work.return_sizes)} returns. Give Work one size for each."
            )

    def _export(self, target: RemoteTarget, options: TaskOptions | None = None) -> Exported:
        """Pickle the function now: once per process, as Ray does once per job."""
        is_synthetic = options is not None and options.work is not None
        if self._worker.values.before_pickling is not None:
            self._worker.values.before_pickling()
        payload = b"" if is_synthetic else _dump(target.name, (target.target, None))
        exported = self._exports[target] = Exported(
            function_id(payload or target.name.encode()), payload
        )
        return exported

    def _pack(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bytes, Sequence[TaskArg], Sequence[ContainedRef]]:
        """Serialise arguments now; top-level references apart, values too large for a message put first."""
        if not args and not kwargs:
            return NOTHING
        refs: list[TaskArg] = []
        values = [self._argument(i, value, refs) for i, value in enumerate(args)]
        named = {key: self._argument(key, value, refs) for key, value in kwargs.items()}
        if len(refs) == len(args) + len(kwargs):
            return NO_ARGUMENTS, refs, ()
        what = f"the arguments of {name}"
        serialize = self._worker.values.serialize
        serialized = serialize((values, named), what)
        if serialized.size > self._host.config.max_inline_bytes:
            values = [self._put_large(i, value, refs, what) for i, value in enumerate(values)]
            named = {key: self._put_large(key, value, refs, what) for key, value in named.items()}
            serialized = serialize((values, named), what)
        return serialized.join(), refs, serialized.contained

    def _argument(self, slot: int | str, value: Any, refs: list[TaskArg]) -> Any:
        if type(value) is not ObjectRef:
            return value
        self._worker.values.entries_of((value,))
        owner = value._owner
        refs.append(TaskArg(slot, value._id, None if owner is self._host.address else owner))
        return None

    def _put_large(self, slot: int | str, value: Any, refs: list[TaskArg], what: str) -> Any:
        """A value above the limit becomes an argument by reference (Ray: an implicit put)."""
        if is_plain(value) and not isinstance(value, bytes | str):
            return value
        serialized = self._worker.values.serialize(value, what)
        if serialized.size <= self._host.config.max_inline_bytes:
            return value
        ref = self._worker.values.put_serialized(serialized)
        self._worker.kept.append(ref)
        refs.append(TaskArg(slot, ref._id, None))
        return None

    # Actors

    def create_actor(
        self,
        target: RemoteTarget,
        options: ActorOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> ActorRecord:
        namespace = options.namespace or self._worker.namespace
        if options.get_if_exists:
            info = self.find_actor(options.name, namespace)
            if info is not None:
                return record_of(info)
        options = self._worker.groups.actor(target.name, options)
        detached = options.detached
        if detached is None:
            detached = read_env(self._worker.runtime_env).job.detached
        strategy = options.strategy or Default()
        packed, refs, nested = self._pack(target.name, args, kwargs)
        waiter = Waiter()
        refused: list[Failure] = []

        def answer(failure: Failure | None) -> None:
            if failure is not None:
                refused.append(failure)
            waiter.finish()

        with self._host.lock:
            self._worker.drain()
            exported = self._exports.get(target) or self._export(target)
            actor_id = self._worker.context.ids.actor()
            placement, lifetime = actor_resources(options)
            spec = ActorSpec(
                actor_id,
                exported.key,
                target.name,
                exported.payload,
                packed,
                refs,
                self._host.address,
                placed(placement, strategy),
                placed(lifetime, strategy),
                options.max_restarts,
                options.max_task_retries,
                options.max_concurrency,
                options.name,
                namespace,
                detached,
                strategy,
                options.method_meta,
                options.selectors,
                options.concurrency_groups,
                options.is_async,
                options.out_of_order,
                merged(self._worker.runtime_env, options.runtime_env),
                hidden=options.hidden,
                qualified_name=getattr(target.target, "__qualname__", target.name),
                home=self._worker.namespace,
            )
            self._owner.actors.create(spec, nested, answer, self._worker.context.task_id)
            self._worker.kept = []
            handle = None
            if not detached:
                object_id = actor_handle_object(actor_id)
                self._owner.objects.entries[object_id].local += 1
                handle = ObjectRef(object_id, self._host.address, self._worker.holder)
        self._worker.retries_of[actor_id] = options.max_task_retries
        if options.name:
            self._worker.block(waiter, None)
            if refused:
                if options.get_if_exists:
                    return self.get_actor(options.name, namespace)
                raise from_failure(refused[0])
        return ActorRecord(actor_id, target.name, options.method_meta, handle)

    def call_actor(
        self,
        actor_id: ActorId,
        method: str,
        options: CallOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[ObjectRef]:
        worker = self._worker
        if options.max_pending_calls > 0:
            self._check_pending(actor_id, method, options.max_pending_calls)
        packed, refs, nested = NOTHING
        if args or kwargs:
            packed, refs, nested = self._pack(method, args, kwargs)
        host = self._host
        with host.lock:
            if worker.released:
                worker.drain()
            context = worker.context
            task_id = (context.source or context.ids).actor_task(actor_id)
            retries = options.max_task_retries
            if retries is None:
                retries = worker.retries_of.get(actor_id)
                if retries is None:
                    retries = self._actor_retries(actor_id)
            call = TaskCall(
                task_id,
                0,
                packed,
                refs,
                None,
                method,
                -1,
                options.concurrency_group,
                options.num_returns,
                options.retry_exceptions,
                options.item_limit,
                options.retry_only,
                options.name,
            )
            name, parent = options.name or method, context.task_id
            first = self._submit_call(actor_id, call, nested, name, retries, parent, options.hidden)
            if options.num_returns == 1 and not worker.kept:
                return [ObjectRef(first, host.address, worker.holder)]
            return self._returns(task_id, options.num_returns)

    def _check_pending(self, actor_id: ActorId, method: str, limit: int) -> None:
        with self._host.lock:
            pending = self._owner.actor_calls.pending(actor_id)
        if pending >= limit:
            raise PendingCallsLimitExceeded(
                f"{method} could not be submitted to actor {actor_id.hex()[:8]}: {pending} calls of this "
                f"process have no result yet, and max_pending_calls={limit}. Get some results first."
            )

    def _actor_retries(self, actor_id: ActorId) -> int:
        info = self._owner.actor_calls.clients.of(actor_id).info
        return info.max_task_retries if info is not None else 0

    def find_actor(self, name: str, namespace: str) -> ActorInfo | None:
        where = namespace or self._worker.namespace
        info: ActorInfo | None = self._worker.ask(
            partial(self._worker.queries.named_actor, name, where)
        )
        return info

    def get_actor(self, name: str, namespace: str) -> ActorRecord:
        info = self.find_actor(name, namespace)
        if info is None:
            where = namespace or self._worker.namespace
            raise ValueError(
                f"Failed to look up actor with name '{name}'. No live actor of namespace '{where}' has this name: "
                "it was not created yet, or has ended, or its creator used another namespace."
            )
        self._worker.retries_of[info.actor_id] = info.max_task_retries
        return record_of(info)


def record_of(info: ActorInfo) -> ActorRecord:
    """A weak handle's record: it does not keep the actor alive."""
    return ActorRecord(info.actor_id, info.class_name, info.method_meta)


def _dump(name: str, what: object) -> bytes:
    try:
        payload: bytes = dumps(what)
    except Exception as error:
        raise TypeError(
            f"Could not serialize {name}: {type(error).__name__}: {error}. "
            "Check what it closes over: a lock, a socket, an open file?"
        ) from error
    return payload
