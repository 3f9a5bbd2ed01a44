"""raysim's options as Ray's keywords. Refuses by name what it does not know; never drops an option."""

import json
from typing import Any

import cloudpickle
import msgspec
from ray.util import scheduling_strategies as theirs
from ray.util.placement_group import PlacementGroup, PlacementGroupID

from raysim.api.methods import decode_methods
from raysim.backend import ActorOptions, CallOptions, TaskOptions
from raysim.spec.ids import CURRENT_GROUP
from raysim.spec.labels import Expression, Operator, Selector
from raysim.spec.task import (
    DYNAMIC,
    STREAMING,
    Default,
    InBundle,
    NodeAffinity,
    NodeLabels,
    Spread,
)

_PLAIN_TASK = ("num_cpus", "num_gpus", "max_retries", "name")
_TASK = {
    *_PLAIN_TASK,
    "capture",
    "hidden",
    "item_limit",
    "max_calls",  # Ray takes it where the function is made: see backend.py.
    "memory",
    "num_returns",
    "per_yield",  # As max_calls.
    "resources",
    "retry_exceptions",
    "runtime_env",
    "selectors",
    "strategy",
    "work",
}
_PLAIN_ACTOR = ("num_cpus", "num_gpus", "resources", "max_restarts", "max_task_retries")
_ACTOR = {
    *_PLAIN_ACTOR,
    "capture",
    "hidden",
    "memory",
    "object_store_memory",
    "max_concurrency",
    "concurrency_groups",  # Ray takes them where the class is made: see backend.py.
    "is_async",  # Ray looks at the class itself.
    "out_of_order",
    "name",
    "namespace",
    "get_if_exists",
    "detached",
    "runtime_env",
    "selectors",
    "strategy",
    "method_meta",
}
_CALL = {
    "concurrency_group",
    "hidden",
    "item_limit",
    "max_pending_calls",  # Ray takes it with the actor.
    "max_task_retries",
    "name",
    "num_returns",
    "retry_exceptions",
    "retry_only",
}
_RETURNS = {STREAMING: "streaming", DYNAMIC: "dynamic"}
_LIFETIMES = {None: None, True: "detached", False: "non_detached"}
_HIDDEN = {"enable_task_events": False}


def task_keywords(options: TaskOptions) -> dict[str, Any]:
    """For `ray.remote(f).options(...)`. Raises ValueError for an option that has no translation."""
    refuse_others(options, _TASK, "tasks")
    retried = options.retry_exceptions
    return {
        **{name: getattr(options, name) for name in _PLAIN_TASK},
        **_returning(options),
        **_given(memory=options.memory, resources=options.resources),
        "retry_exceptions": retried if isinstance(retried, bool) else list(retried),
        **(_HIDDEN if options.hidden else {}),
        **_placing(options),
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
            object_store_memory=options.object_store_memory,
            name=options.name,
            namespace=options.namespace,
            get_if_exists=options.get_if_exists,
            lifetime=_LIFETIMES[options.detached],
        ),
        **(_HIDDEN if options.hidden else {}),
        **_concurrency(options),
        **_placing(options),
    }


def call_keywords(options: CallOptions) -> dict[str, Any]:
    """For `handle.m.options(...)`. Raises ValueError for an option that has no translation."""
    refuse_others(options, _CALL, "actor methods")
    only = options.retry_only
    keywords = {
        **_returning(options),
        "retry_exceptions": list(cloudpickle.loads(only)) if only else options.retry_exceptions,
        **_given(concurrency_group=options.concurrency_group, name=options.name),
    }
    if options.hidden is not None:
        keywords["enable_task_events"] = not options.hidden
    if options.max_task_retries is not None:
        keywords["max_task_retries"] = options.max_task_retries
    return keywords


def _returning(options: TaskOptions | CallOptions) -> dict[str, Any]:
    count = options.num_returns
    return {
        "num_returns": _RETURNS.get(count, count),
        **_given(_generator_backpressure_num_objects=options.item_limit),
    }


def _concurrency(options: ActorOptions) -> dict[str, Any]:
    """What is not Ray's own default for such a class."""
    limit = options.max_concurrency
    is_plain = limit == 1 and not options.is_async
    methods = decode_methods(options.method_meta).values() if options.method_meta else ()
    pending = max((method.options.max_pending_calls for method in methods), default=-1)
    return {
        **({} if is_plain else {"max_concurrency": limit}),
        **({"allow_out_of_order_execution": True} if is_plain and options.out_of_order else {}),
        **({"max_pending_calls": pending} if pending != -1 else {}),
    }


def _placing(options: TaskOptions | ActorOptions) -> dict[str, Any]:
    selectors = [label_selector(selector) for selector in options.selectors]
    keywords = _given(
        scheduling_strategy=strategy(options.strategy, options.capture),
        runtime_env=json.loads(options.runtime_env) if options.runtime_env else None,
        label_selector=selectors[0] if selectors else None,
        fallback_strategy=[{"label_selector": selector} for selector in selectors[1:]],
    )
    match options.strategy:
        case InBundle(group_id=group_id, index=index) if group_id == CURRENT_GROUP:
            keywords["placement_group_bundle_index"] = index
    if options.capture is not None and "scheduling_strategy" not in keywords:
        keywords["placement_group_capture_child_tasks"] = options.capture
    return keywords


def strategy(wanted: object, capture: bool | None = None) -> Any:
    """Ray's scheduling strategy; `capture` is part of that of a placement group.

    Raises ValueError for one that has no translation.
    """
    match wanted:
        case None:
            return None
        case Default():
            return "DEFAULT"
        case Spread():
            return "SPREAD"
        case NodeAffinity():
            return theirs.NodeAffinitySchedulingStrategy(
                wanted.node_id.hex(),
                wanted.soft,
                _spill_on_unavailable=wanted.spill_on_unavailable,
                _fail_on_unavailable=wanted.fail_on_unavailable,
            )
        case NodeLabels(hard=hard, soft=soft):
            return theirs.NodeLabelSchedulingStrategy(_conditions(hard), soft=_conditions(soft))
        case InBundle(group_id=group_id) if group_id == CURRENT_GROUP:
            return (
                None  # The group of the caller, which Ray finds; only the index is said: see above.
            )
        case InBundle(group_id=group_id, index=index):
            group = PlacementGroup(PlacementGroupID(group_id))
            return theirs.PlacementGroupSchedulingStrategy(group, index, capture)
        case _:
            raise ValueError(
                f"scheduling_strategy={wanted!r} is not supported on the backend 'ray' yet."
            )


def label_selector(selector: Selector) -> dict[str, str]:
    """Ray's notation: key to `v`, `!v`, `in(a,b)` or `!in(a,b)`."""
    return {expression.key: _notation(expression) for expression in selector}


def _notation(expression: Expression) -> str:
    values = expression.values
    what = values[0] if len(values) == 1 else f"in({','.join(values)})"
    return f"!{what}" if expression.operator is Operator.NOT_IN else what


def _conditions(selector: Selector) -> dict[str, Any]:
    made = {
        Operator.IN: theirs.In,
        Operator.NOT_IN: theirs.NotIn,
        Operator.EXISTS: theirs.Exists,
        Operator.DOES_NOT_EXIST: theirs.DoesNotExist,
    }
    return {e.key: made[e.operator](*e.values) for e in selector}


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
