"""raysim's options as Ray's keywords. Refuses by name what it does not know; never drops an option."""

from typing import Any

import msgspec
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysim.backend import ActorOptions, CallOptions, TaskOptions
from raysim.spec.task import Default, NodeAffinity, Spread

_PLAIN_TASK = ("num_cpus", "num_gpus", "num_returns", "max_retries", "name")
_TASK = {*_PLAIN_TASK, "memory", "resources", "retry_exceptions", "strategy", "work"}
_PLAIN_ACTOR = ("num_cpus", "num_gpus", "resources", "max_restarts", "max_task_retries")
_ACTOR = {
    *_PLAIN_ACTOR,
    "memory",
    "max_concurrency",
    "name",
    "namespace",
    "get_if_exists",
    "detached",
    "strategy",
    "method_meta",
}
_CALL = {"num_returns", "max_task_retries", "retry_exceptions"}


def task_keywords(options: TaskOptions) -> dict[str, Any]:
    """For `ray.remote(f).options(...)`. Raises ValueError for an option that has no translation."""
    refuse_others(options, _TASK, "tasks")
    retried = options.retry_exceptions
    return {
        **{name: getattr(options, name) for name in _PLAIN_TASK},
        **_given(memory=options.memory, resources=options.resources),
        "retry_exceptions": retried if isinstance(retried, bool) else list(retried),
        "scheduling_strategy": strategy(options.strategy),
    }


def actor_keywords(options: ActorOptions) -> dict[str, Any]:
    """For `ray.remote(C).options(...)`. Raises ValueError for an option that has no translation."""
    refuse_others(options, _ACTOR, "actors")
    plain = {name: getattr(options, name) for name in _PLAIN_ACTOR}
    return {
        # What was not given must stay so: Ray then places an actor with a CPU and keeps none.
        **{name: value for name, value in plain.items() if value is not None},
        **_given(
            memory=options.memory,
            name=options.name,
            namespace=options.namespace,
            get_if_exists=options.get_if_exists,
            lifetime="detached" if options.detached else None,
        ),
        **({"max_concurrency": options.max_concurrency} if options.max_concurrency != 1 else {}),
        "scheduling_strategy": strategy(options.strategy),
    }


def call_keywords(options: CallOptions) -> dict[str, Any]:
    """For `handle.m.options(...)`. Raises ValueError for an option that has no translation."""
    refuse_others(options, _CALL, "actor methods")
    keywords = {
        "num_returns": options.num_returns,
        "retry_exceptions": options.retry_exceptions,
    }
    if options.max_task_retries is not None:
        keywords["max_task_retries"] = options.max_task_retries
    return keywords


def strategy(wanted: object) -> Any:
    """Ray's scheduling strategy. Raises ValueError for one that has no translation."""
    match wanted:
        case Default():
            return "DEFAULT"
        case Spread():
            return "SPREAD"
        case NodeAffinity(node_id=node_id, soft=soft):
            return NodeAffinitySchedulingStrategy(node_id.hex(), soft)
        case _:
            raise ValueError(
                f"scheduling_strategy={wanted!r} is not supported on the backend 'ray' yet."
            )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def refuse_others(options: msgspec.Struct, known: set[str], of: str) -> None:
    """Raises ValueError for the first field that has no translation and is not at its default."""
    fresh = type(options)()
    for name in options.__struct_fields__:
        value = getattr(options, name)
        if name not in known and value != getattr(fresh, name):
            raise ValueError(
                f"Option {name}={value!r} of {of} is not supported on the backend 'ray' yet. "
                "Leave it out, or use another backend."
            )
