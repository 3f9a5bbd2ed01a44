"""Makes what a backend understands of validated options, once per set of options. Never validates a value."""

import os
import warnings
from collections.abc import Mapping
from typing import Any

import cloudpickle

from raysim.api.annotations import RayDeprecationWarning
from raysim.api.claims import claim_of
from raysim.api.options import (
    ACTOR_OPTIONS,
    METHOD_OPTIONS,
    TASK_OPTIONS,
    refuse_unsupported,
    validate,
)
from raysim.api.runtime_env import call_env
from raysim.api.scheduling_strategies import PlacementGroupSchedulingStrategy, in_bundle
from raysim.backend import ActorOptions, CallOptions, TaskOptions
from raysim.spec.ids import CURRENT_GROUP
from raysim.spec.labels import Selector, parse_selector
from raysim.spec.task import DYNAMIC, STREAMING, Default, InBundle, Spread, Strategy

ACCELERATOR_SHARE = 0.001
"""Of the resource `accelerator_type:X` that one task asks for: enough to be placed there. Ray's."""

DEFAULT_MAX_RETRIES = 3
"""Of a task, after failures of the system. Ray: `max_retries`, env RAY_TASK_MAX_RETRIES."""

ASYNC_CONCURRENCY = 1000
"""Calls of an asynchronous actor that run at once. Ray: `DEFAULT_MAX_CONCURRENCY_ASYNC`."""

_DETACHED = {None: None, "detached": True, "non_detached": False}
"""By `lifetime`; None: as the job's actors are."""


def task_options(given: Mapping[str, Any], name: str, is_generator: bool) -> TaskOptions:
    """Options of a remote function called `name`. Raises ValueError or TypeError."""
    validate(given, TASK_OPTIONS, "remote functions")
    count = _returns(given, is_generator)
    refuse_unsupported(given, TASK_OPTIONS)
    retry = given.get("retry_exceptions", False)
    cpus, retries = given.get("num_cpus"), given.get("max_retries")
    return TaskOptions(
        num_cpus=1 if cpus is None else cpus,
        num_gpus=given.get("num_gpus") or 0,
        memory=int(given.get("memory") or 0),
        resources=_resources(given) or {},
        num_returns=count,
        item_limit=_item_limit(given),
        per_yield=given.get("_num_objects_per_yield") or 1,
        max_retries=_default_retries() if retries is None else int(retries),
        retry_exceptions=retry if isinstance(retry, bool) else tuple(retry),
        name=given.get("name") or name,
        strategy=_strategy(given),
        capture=_capture(given),
        selectors=_selectors(given),
        max_calls=given.get("max_calls") or 0,
        hidden=not given.get("enable_task_events", True),
        runtime_env=call_env(given.get("runtime_env")),
        claim=claim_of(given.get("_labels")),
    )


def actor_options(
    given: Mapping[str, Any], method_meta: bytes, is_async: bool = False
) -> ActorOptions:
    """Options of an actor class. Raises ValueError or TypeError."""
    validate(given, ACTOR_OPTIONS, "actors")
    if given.get("get_if_exists") and not given.get("name"):
        raise ValueError("The actor name must be specified to use `get_if_exists`.")
    refuse_unsupported(given, ACTOR_OPTIONS)
    if "object_store_memory" in given:
        warnings.warn(
            "Setting 'object_store_memory' for actors is deprecated: it places the actor, but keeps no "
            "room for its objects.",
            DeprecationWarning,
            stacklevel=4,
        )
    limit = given.get("max_concurrency") or (ASYNC_CONCURRENCY if is_async else 1)
    return ActorOptions(
        num_cpus=given.get("num_cpus"),
        num_gpus=given.get("num_gpus"),
        memory=int(given.get("memory") or 0),
        object_store_memory=int(given.get("object_store_memory") or 0),
        resources=_resources(given),
        max_restarts=int(given.get("max_restarts", 0)),
        max_task_retries=int(given.get("max_task_retries", 0)),
        max_concurrency=int(limit),
        concurrency_groups=dict(given.get("concurrency_groups") or {}),
        is_async=is_async,
        out_of_order=is_async or limit > 1 or bool(given.get("allow_out_of_order_execution")),
        name=given.get("name") or "",
        namespace=given.get("namespace") or "",
        get_if_exists=given.get("get_if_exists", False),
        detached=_DETACHED[given.get("lifetime")],
        strategy=_strategy(given),
        capture=_capture(given),
        selectors=_selectors(given),
        hidden=not given.get("enable_task_events", True),
        method_meta=method_meta,
        runtime_env=call_env(given.get("runtime_env")),
    )


def call_options(given: Mapping[str, Any], is_generator: bool) -> CallOptions:
    """Options of an actor method. Raises ValueError or TypeError."""
    validate(given, METHOD_OPTIONS, "actor methods")
    count = _returns(given, is_generator)
    refuse_unsupported(given, METHOD_OPTIONS)
    retried = given.get("retry_exceptions")
    retries = given.get("max_task_retries")
    shown = given.get("enable_task_events")
    return CallOptions(
        num_returns=count,
        item_limit=_item_limit(given),
        max_task_retries=None if retries is None else int(retries),
        retry_exceptions=bool(retried),
        retry_only=cloudpickle.dumps(tuple(retried)) if isinstance(retried, list | tuple) else b"",
        concurrency_group=given.get("concurrency_group") or "",
        hidden=None if shown is None else not shown,
        name=given.get("name") or "",
    )


def _returns(given: Mapping[str, Any], is_generator: bool) -> int:
    count: int | str | None = given.get("num_returns")
    if count is None:
        return STREAMING if is_generator else 1
    if isinstance(count, str):
        if not is_generator:
            raise ValueError(
                f"num_returns='{count}' can only be used with generator functions (functions that "
                "use 'yield'). The decorated function is not a generator function."
            )
        if count == "dynamic":
            warnings.warn(
                "num_returns='dynamic' is deprecated and will be removed in a future Ray release. "
                "Use num_returns='streaming' instead.",
                RayDeprecationWarning,
                stacklevel=5,
            )
            return DYNAMIC
        return STREAMING
    return int(count)


def _item_limit(given: Mapping[str, Any]) -> int:
    return max(0, int(given.get("_generator_backpressure_num_objects") or 0))


def refuse_decorators(given: Mapping[str, Any], per_yield: int) -> None:
    """Raises ValueError where `.options()` of a remote function has what only its decorator may have."""
    if given.get("_num_objects_per_yield", per_yield) != per_yield:
        raise ValueError(
            "_num_objects_per_yield cannot be overridden per task call. "
            "Use @ray.remote(_num_objects_per_yield=...) instead."
        )
    validate(given, TASK_OPTIONS, "remote functions")
    if "max_calls" in given:
        raise ValueError("Setting 'max_calls' is not supported in '.options()'.")


def _resources(given: Mapping[str, Any]) -> dict[str, float] | None:
    resources: dict[str, float] | None = given.get("resources")
    accelerator = given.get("accelerator_type")
    if accelerator is None:
        return dict(resources) if resources is not None else None
    return {**(resources or {}), f"accelerator_type:{accelerator}": ACCELERATOR_SHARE}


def _strategy(given: Mapping[str, Any]) -> Strategy | None:
    """None: whatever the code that submits it is captured in."""
    strategy = given.get("scheduling_strategy")
    group = given.get("placement_group", "default")
    index = given.get("placement_group_bundle_index", -1)
    if strategy is not None:
        if group not in (None, "default"):
            raise ValueError(
                "Placement groups should be specified via the scheduling_strategy option. The "
                "placement_group option is deprecated."
            )
        if isinstance(strategy, str):
            return Spread() if strategy == "SPREAD" else Default()
        resolved: Strategy = strategy.resolve()
        return resolved
    _warn_deprecated(given)
    if group == "default":
        return None if index == -1 else InBundle(CURRENT_GROUP, index)
    if isinstance(group, str):
        raise TypeError(f"placement_group must be a PlacementGroup, but it is {group!r}.")
    if group is None or group.is_empty:
        if index != -1:
            raise ValueError("If placement group is not set, the value of bundle index must be -1.")
        return Default()
    return in_bundle(group, index)


def _warn_deprecated(given: Mapping[str, Any]) -> None:
    for name, unset in (
        ("placement_group", "default"),
        ("placement_group_bundle_index", -1),
        ("placement_group_capture_child_tasks", None),
    ):
        if given.get(name, unset) != unset:
            warnings.warn(
                f"{name} parameter is deprecated. Use "
                "scheduling_strategy=PlacementGroupSchedulingStrategy(...) instead.",
                DeprecationWarning,
                stacklevel=6,  # Whoever called `options`.
            )


def _capture(given: Mapping[str, Any]) -> bool | None:
    strategy = given.get("scheduling_strategy")
    if isinstance(strategy, PlacementGroupSchedulingStrategy):
        return strategy.placement_group_capture_child_tasks
    capture: bool | None = given.get("placement_group_capture_child_tasks")
    return capture


def _selectors(given: Mapping[str, Any]) -> tuple[Selector, ...]:
    """The label_selector, then those to fall back on; none where the first is fulfilled by any node."""
    first = given.get("label_selector")
    if not first:
        return ()
    others = [one["label_selector"] or {} for one in given.get("fallback_strategy") or ()]
    return tuple(parse_selector(selector) for selector in (first, *others))


def _default_retries() -> int:
    return int(os.environ.get("RAY_TASK_MAX_RETRIES", DEFAULT_MAX_RETRIES))
