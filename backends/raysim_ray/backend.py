"""The port that the API calls, over Ray's API: in the driver, and in each of Ray's workers. Never waits itself."""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import ray

from raysim.backend import (
    ActorOptions,
    ActorRecord,
    CallOptions,
    ContextInfo,
    RemoteTarget,
    TaskOptions,
)
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.ids import ActorId
from raysim_ray import handles
from raysim_ray.context import RayContextInfo
from raysim_ray.entering import entered, entered_class, here, synthetic
from raysim_ray.errors import translating
from raysim_ray.options import actor_keywords, call_keywords, task_keywords
from raysim_ray.references import arguments, refs_to_ray, returned

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


class RayBackend:
    """One process of a program on Ray."""

    def __init__(self) -> None:
        self._functions: dict[RemoteTarget, Exported] = {}
        self._classes: dict[tuple[RemoteTarget, bool], Exported] = {}
        self._synthetic = ray.remote(entered(synthetic))

    # Tasks

    @translating
    def submit_task(
        self,
        function: RemoteTarget,
        options: TaskOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[ObjectRef]:
        if options.work is not None:
            args = (options.work, *args)
            call = self._synthetic.options(**task_keywords(options)).remote
        else:
            call = self._task(function, options)
        given, named = arguments(args, kwargs)
        return returned(call(*given, **named))

    def _task(self, target: RemoteTarget, options: TaskOptions) -> Callable[..., Any]:
        exported = self._functions.get(target)
        if exported is None:
            exported = Exported(ray.remote(entered(target.target)))
            self._functions[target] = exported
        return exported.call(options) or exported.keep(
            options, exported.remote.options(**task_keywords(options)).remote
        )

    # Actors

    @translating
    def create_actor(
        self,
        cls: RemoteTarget,
        options: ActorOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> ActorRecord:
        given, named = arguments(args, kwargs)
        handle = self._class(cls, options)(*given, **named)
        handles.forget_unheld()
        return ActorRecord(
            handles.id_of(handle), cls.name, options.method_meta, handles.HeldActor(handle)
        )

    def _class(self, target: RemoteTarget, options: ActorOptions) -> Callable[..., Any]:
        named = bool(options.name)
        exported = self._classes.get((target, named))
        if exported is None:
            assert isinstance(target.target, type), f"{target.name} is no class"
            made = entered_class(target.target, target.name, options.method_meta, named)
            exported = self._classes[target, named] = Exported(ray.remote(made))
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
    ) -> list[ObjectRef]:
        given, named = arguments(args, kwargs)
        call = getattr(handles.handle_of(actor_id), method)
        return returned(call.options(**call_keywords(options)).remote(*given, **named))

    @translating
    def get_actor(self, name: str, namespace: str) -> ActorRecord:
        return handles.record_of(ray.get_actor(name, namespace or None))

    @translating
    def kill_actor(self, actor_id: ActorId, no_restart: bool) -> None:
        ray.kill(handles.handle_of(actor_id), no_restart=no_restart)

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

    # Objects

    @translating
    def put(self, value: Any) -> ObjectRef:
        return returned(ray.put(value))[0]

    @translating
    def get(self, refs: Sequence[ObjectRef], timeout: float | None) -> list[Any]:
        values: list[Any] = ray.get(refs_to_ray(refs), timeout=timeout)
        return values

    @translating
    def wait(
        self, refs: Sequence[ObjectRef], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef], list[ObjectRef]]:
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

    # The cluster

    def nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ray.nodes()
        return found

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
