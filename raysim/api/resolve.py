"""Makes what a backend understands of validated options, once per set of options. Never validates a value."""

import os
from collections.abc import Mapping
from typing import Any

from raysim.api.options import (
    ACTOR_OPTIONS,
    METHOD_OPTIONS,
    TASK_OPTIONS,
    refuse_unsupported,
    validate,
)
from raysim.api.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
)
from raysim.backend import ActorOptions, CallOptions, TaskOptions
from raysim.spec.labels import Selector, parse_selector
from raysim.spec.task import Default, Spread, Strategy

ACCELERATOR_SHARE = 0.001
"""Of the resource `accelerator_type:X` that one task asks for: enough to be placed there. Ray's."""

DEFAULT_MAX_RETRIES = 3
"""Of a task, after failures of the system. Ray: `max_retries`, env RAY_TASK_MAX_RETRIES."""

STREAMING = -1
"""In place of a number of returns: a generator that was given none."""


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
        max_retries=_default_retries() if retries is None else retries,
        retry_exceptions=retry if isinstance(retry, bool) else tuple(retry),
        name=given.get("name") or name,
        strategy=_strategy(given),
        selectors=_selectors(given),
        max_calls=given.get("max_calls") or 0,
    )


def actor_options(given: Mapping[str, Any], method_meta: bytes) -> ActorOptions:
    """Options of an actor class. Raises ValueError or TypeError."""
    validate(given, ACTOR_OPTIONS, "actors")
    if given.get("get_if_exists") and not given.get("name"):
        raise ValueError("The actor name must be specified to use `get_if_exists`.")
    refuse_unsupported(given, ACTOR_OPTIONS)
    return ActorOptions(
        num_cpus=given.get("num_cpus"),
        num_gpus=given.get("num_gpus"),
        memory=int(given.get("memory") or 0),
        resources=_resources(given),
        max_restarts=given.get("max_restarts") or 0,
        max_task_retries=given.get("max_task_retries") or 0,
        name=given.get("name") or "",
        namespace=given.get("namespace") or "",
        get_if_exists=given.get("get_if_exists", False),
        detached=given.get("lifetime") == "detached",
        strategy=_strategy(given),
        selectors=_selectors(given),
        method_meta=method_meta,
    )


def call_options(given: Mapping[str, Any], is_generator: bool) -> CallOptions:
    """Options of an actor method. Raises ValueError or TypeError."""
    validate(given, METHOD_OPTIONS, "actor methods")
    count = _returns(given, is_generator)
    refuse_unsupported(given, METHOD_OPTIONS)
    return CallOptions(
        num_returns=count,
        max_task_retries=given.get("max_task_retries"),
        retry_exceptions=bool(given.get("retry_exceptions")),
    )


def _returns(given: Mapping[str, Any], is_generator: bool) -> int:
    count: int | str | None = given.get("num_returns")
    if count is None:
        return STREAMING if is_generator else 1
    if isinstance(count, str):
        if not is_generator:
            raise ValueError(f"num_returns={count!r} is for generator functions only.")
        return STREAMING
    return count


def refuse_streaming(name: str) -> ValueError:
    """What a call of a generator without a number of returns gets."""
    return ValueError(
        f"{name} is a generator, and streaming generators are not supported by raysim yet. "
        "Give the number of values with num_returns=N, or return a list."
    )


def _resources(given: Mapping[str, Any]) -> dict[str, float] | None:
    resources: dict[str, float] | None = given.get("resources")
    accelerator = given.get("accelerator_type")
    if accelerator is None:
        return dict(resources) if resources is not None else None
    return {**(resources or {}), f"accelerator_type:{accelerator}": ACCELERATOR_SHARE}


def _strategy(given: Mapping[str, Any]) -> Strategy:
    strategy = given.get("scheduling_strategy")
    if isinstance(strategy, NodeAffinitySchedulingStrategy):
        return strategy.resolve()
    if isinstance(strategy, NodeLabelSchedulingStrategy):
        return strategy.resolve()
    return Spread() if strategy == "SPREAD" else Default()


def _selectors(given: Mapping[str, Any]) -> tuple[Selector, ...]:
    """The label_selector, then those to fall back on; none where the first is fulfilled by any node."""
    first = given.get("label_selector")
    if not first:
        return ()
    others = [one["label_selector"] or {} for one in given.get("fallback_strategy") or ()]
    return tuple(parse_selector(selector) for selector in (first, *others))


def _default_retries() -> int:
    return int(os.environ.get("RAY_TASK_MAX_RETRIES", DEFAULT_MAX_RETRIES))
