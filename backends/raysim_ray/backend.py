"""The port that the API calls, over Ray's API: in the driver, and in each of Ray's workers. Never waits itself."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, cast

import msgspec
import ray
import ray.actor
import ray.util

from raysim.backend import (
    ActorOptions,
    ActorRecord,
    CallOptions,
    CompiledGraph,
    ContextInfo,
    GraphOptions,
    Logs,
    PlacementGroupOptions,
    RemoteTarget,
    TaskOptions,
)
from raysim.runtime.measured import Measured
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.explanation import Explanation
from raysim.spec.ids import ActorId, ObjectId, PlacementGroupId
from raysim.spec.placement_group import GroupInfo
from raysim.spec.state import Inquiry, Listing, Noun
from raysim_ray import handles, placement_groups, references
from raysim_ray.context import RayContextInfo
from raysim_ray.entering import entered, entered_class, here, synthetic
from raysim_ray.errors import translating
from raysim_ray.graphs import CalledGraph
from raysim_ray.options import actor_keywords, call_keywords, task_keywords
from raysim_ray.references import (
    Waitable,
    arguments,
    from_ray,
    refs_to_ray,
    returned,
    to_ray,
)
from raysim_ray.serializers import Mirror
from raysim_ray.timeline import Recorder

REMEMBERED = 64
"""Sets of options that are kept translated, for one function or class."""


class Exported(msgspec.Struct):
    """A function or class as Ray knows it. `calls`: by the identity of the options."""

    remote: Any
    calls: dict[int, tuple[object, Callable[..., Any]]] = {}

    def call(self, options: object) -> Callable[..., Any] | None:
        known = self.calls.get(id(options))
        return known[1] if known is not None and known[0] is options else None

    def keep(self, options: object, call: Callable[..., Any]) -> Callable[..., Any]:
        if len(self.calls) >= REMEMBERED:
            self.calls.clear()
        self.calls[id(options)] = (options, call)
        return call


def _call_of_task(exported: Exported, options: TaskOptions) -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # raysim has warned of `dynamic` already.
        call: Callable[..., Any] = exported.remote.options(**task_keywords(options)).remote
        return call


class RayBackend:
    """One process of a program on Ray."""

    def __init__(self, recorder: Recorder | None = None, mirror: Mirror | None = None) -> None:
        """Both are a driver's."""
        self._recorder = recorder
        self._mirror = mirror
        self.measured = Measured()
        self._functions: dict[tuple[RemoteTarget, int, int], Exported] = {}
        self._classes: dict[tuple[RemoteTarget, bytes, bool], Exported] = {}
        self._synthetic = ray.remote(entered(synthetic))

    # Tasks

    @translating
    def submit_task(
        self,
        function: RemoteTarget,
        options: TaskOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[Any]:
        if options.work is not None:
            args = (options.work, *args)
            call = self._synthetic.options(**task_keywords(options)).remote
        else:
            call = self._task(function, options)
        given, named = self._arguments(args, kwargs)
        return self._noted(returned(call(*given, **named)))

    def _arguments(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self._mirror is not None:
            self._mirror.update()
        return arguments(args, kwargs)

    def _noted(self, refs: list[Any]) -> list[Any]:
        if self._recorder is not None and refs:
            first = refs[0]
            ref = first if isinstance(first, ObjectRef) else first.completed()
            self._recorder.note(ref.task_id().binary())
        return refs

    def _task(self, target: RemoteTarget, options: TaskOptions) -> Callable[..., Any]:
        key = target, options.max_calls, options.per_yield
        exported = self._functions.get(key)
        if exported is None:
            made = {"max_calls": options.max_calls, "_num_objects_per_yield": options.per_yield}
            remote = ray.remote(**made)(entered(target.target))
            exported = self._functions[key] = Exported(remote)
        return exported.call(options) or exported.keep(options, _call_of_task(exported, options))

    # Actors

    @translating
    def create_actor(
        self,
        cls: RemoteTarget,
        options: ActorOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> ActorRecord:
        given, named = self._arguments(args, kwargs)
        handle = self._class(cls, options)(*given, **named)
        handles.forget_unheld()
        return ActorRecord(
            handles.id_of(handle), cls.name, options.method_meta, handles.HeldActor(handle)
        )

    def _class(self, target: RemoteTarget, options: ActorOptions) -> Callable[..., Any]:
        named = bool(options.name)
        key = target, options.method_meta, named
        exported = self._classes.get(key)
        if exported is None:
            assert isinstance(target.target, type), f"{target.name} is no class"
            made = entered_class(target.target, target.name, options.method_meta, named)
            groups = options.concurrency_groups
            remote = ray.remote(concurrency_groups=groups)(made) if groups else ray.remote(made)
            exported = self._classes[key] = Exported(remote)
        return exported.call(options) or exported.keep(
            options, exported.remote.options(**actor_keywords(options)).remote
        )

    @translating
    def call_actor(
        self,
        actor_id: ActorId,
        method: str,
        options: CallOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[Any]:
        given, named = self._arguments(args, kwargs)
        call = getattr(handles.handle_of(actor_id), method)
        refs = returned(call.options(**call_keywords(options)).remote(*given, **named))
        return self._noted(refs)

    @translating
    def get_actor(self, name: str, namespace: str) -> ActorRecord:
        return handles.record_of(ray.get_actor(name, namespace or None))

    @translating
    def kill_actor(self, actor_id: ActorId, no_restart: bool) -> None:
        ray.kill(handles.handle_of(actor_id), no_restart=no_restart)

    def compile_graph(self, options: GraphOptions) -> CompiledGraph:
        return CalledGraph(options, self._mirror)

    def exit_actor(self) -> NoReturn:
        ray.actor.exit_actor()
        raise AssertionError("Ray's exit_actor returned")

    @translating
    def list_named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        if not all_namespaces:
            namespace = str(ray.get_runtime_context().namespace)
            return [(name, namespace) for name in ray.util.list_named_actors()]
        rows = ray.util.list_named_actors(all_namespaces=True)
        return [(row["name"], row["namespace"]) for row in rows]

    def current_actor(self) -> ActorRecord | None:
        context = ray.get_runtime_context()
        if context.get_actor_id() is None:
            return None
        handle = context.current_actor
        described = here()
        if described is None:
            return handles.record_of(handle)
        return ActorRecord(
            handles.id_of(handle),
            described.class_name,
            described.method_meta,
            handles.HeldActor(handle),
        )

    def prepare(self, runtime_env: str, packages: Mapping[str, bytes]) -> None:
        """Nothing: `ray.init` was given the job's environment, and prepared it."""

    # Placement groups

    @translating
    def create_placement_group(self, options: PlacementGroupOptions) -> PlacementGroupId:
        return placement_groups.create(options)

    @translating
    def remove_placement_group(self, group_id: PlacementGroupId) -> None:
        placement_groups.remove(group_id)

    @translating
    def placement_group_ready(self, group_id: PlacementGroupId, value: Any) -> ObjectRef:
        (ref,) = returned(placement_groups.ready(group_id, value))
        assert isinstance(ref, ObjectRef), "a task with one return"
        return ref

    @translating
    def wait_placement_group(self, group_id: PlacementGroupId, timeout: float) -> bool:
        return placement_groups.wait(group_id, timeout)

    @translating
    def placement_groups(
        self, group_id: PlacementGroupId | None = None, name: str = ""
    ) -> list[GroupInfo]:
        return placement_groups.table(group_id, name)

    # Objects

    @translating
    def known_ref(self, object_id: ObjectId) -> ObjectRef | None:
        return references.around(ray.ObjectRef.from_binary(object_id))

    def put(self, value: Any) -> ObjectRef:
        if self._mirror is not None:
            self._mirror.update()
        return references.around(ray.put(to_ray(value)))

    @translating
    def get(self, refs: Sequence[ObjectRef], timeout: float | None) -> list[Any]:
        return list(map(from_ray, ray.get(refs_to_ray(refs), timeout=timeout)))

    @translating
    def wait(
        self, refs: Sequence[Waitable], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[Waitable], list[Waitable]]:
        given = refs_to_ray(refs)
        found, _ = ray.wait(
            given, num_returns=num_returns, timeout=timeout, fetch_local=fetch_local
        )
        ready = set(found)
        return (
            [ref for ref, theirs in zip(refs, given, strict=True) if theirs in ready],
            [ref for ref, theirs in zip(refs, given, strict=True) if theirs not in ready],
        )

    @translating
    def cancel(self, ref: ObjectRef, force: bool, recursive: bool) -> None:
        (given,) = refs_to_ray([ref])
        ray.cancel(given, force=force, recursive=recursive)

    def free(self, refs: Sequence[ObjectRef]) -> None:
        """Raises ValueError: this Ray has nothing of the kind any more."""
        raise ValueError(
            f"Ray {ray.__version__} cannot free objects by hand: drop the references to the "
            f"{len(refs)} objects instead, and they go."
        )

    def explain(self, ref: ObjectRef) -> Explanation:
        """Raises ValueError: what Ray decides with it keeps to itself."""
        raise ValueError(
            f"{ref!r} cannot be explained on the backend 'ray': Ray does not tell why it decided so. "
            "Run the program with backend='sim' or 'cluster', or see `ray status` and `ray list tasks`."
        )

    def explain_id(self, noun: Noun, identity: str) -> Explanation | None:
        """Raises ValueError, as above."""
        raise ValueError(
            f"{identity} of {noun} cannot be explained on the backend 'ray': Ray does not tell why it decided so. "
            "See `ray list` and `ray get`."
        )

    # The cluster

    # Ray's own functions for this are imported when they are asked for: every worker starts with this module.

    @translating
    def kv_put(self, namespace: str, key: bytes, value: bytes, overwrite: bool) -> bytes:
        from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

        _internal_kv_put(key, value, overwrite=overwrite, namespace=namespace.encode())
        return bytes(_internal_kv_get(key, namespace=namespace.encode()))

    @translating
    def kv_get(self, namespace: str, key: bytes, prefix: bool = False) -> dict[bytes, bytes]:
        from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_list

        space = namespace.encode()
        keys = sorted(_internal_kv_list(key, namespace=space)) if prefix else [key]
        found = {one: _internal_kv_get(one, namespace=space) for one in keys}
        return {one: value for one, value in found.items() if value is not None}

    @translating
    def kv_delete(self, namespace: str, key: bytes, prefix: bool = False) -> int:
        from ray.experimental.internal_kv import _internal_kv_del

        return int(_internal_kv_del(key, del_by_prefix=prefix, namespace=namespace.encode()))

    def inspect(self, inquiry: Inquiry) -> Listing:
        from raysim_ray.states import inspect

        return inspect(inquiry)

    def logs(self) -> Logs:
        from raysim_ray.states import RayLogs

        return RayLogs()

    def timeline(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ray.timeline()
        return found

    def nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ray.nodes()
        return found

    def drain_node(self, node_id: bytes, reason: str, deadline_s: float | None) -> None:
        raise NotImplementedError("Ray has nodes drained from its command line: ray drain-node.")

    def cluster_resources(self) -> dict[str, float]:
        found: dict[str, float] = ray.cluster_resources()
        return found

    def available_resources(self) -> dict[str, float]:
        found: dict[str, float] = ray.available_resources()
        return found

    def context_info(self) -> ContextInfo:
        return cast(ContextInfo, RayContextInfo())

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> float:
        return time.monotonic()
