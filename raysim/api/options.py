"""Which options there are and which values they take. Never applies them: see task_options, actor_options.

The order of the checks is Ray's (`ray_option_utils.py`): an unknown name is a ValueError, a wrong
type a TypeError, a bad value a ValueError, one option after another as they were given. What Ray
has and raysim has not is refused last, by name.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from raysim.api.placement_groups import PlacementGroup
from raysim.api.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)
from raysim.spec.labels import parse_selector
from raysim.spec.resources import to_units

Check: TypeAlias = Callable[[Any], str | None]
"""What is wrong with a value of the right type; None when nothing is."""

MOST = 2**31 - 1
"""That a count may be. Ray: it is an int32 there."""

_NONE = type(None)


class Option(msgspec.Struct, frozen=True):
    """One keyword of `remote`, `options` or `method`."""

    types: tuple[type, ...]
    check: Check = lambda _: None
    only: tuple[Any, ...] | None = None
    """Where raysim does not support the option: the values that change nothing."""

    def validate(self, name: str, value: Any) -> None:
        if not isinstance(value, self.types):
            wanted = " or ".join(t.__name__ for t in self.types)
            raise TypeError(
                f"The type of option {name!r} must be {wanted}, but it is {type(value).__name__}: "
                f"{value!r}."
            )
        problem = self.check(value)
        if problem is not None:
            raise ValueError(problem)

    def refuse_unsupported(self, name: str, value: Any) -> None:
        if self.only is not None and value not in self.only:
            raise ValueError(
                f"Option {name}={value!r} is not supported by raysim: it is for tensors that go from GPU to "
                "GPU. Leave it out."
            )


def _quantity(name: str) -> Check:
    def check(value: float | None) -> str | None:
        if value is None:
            return None
        if value < 0:
            return f"The quantity of resource {name} cannot be negative, but it is {value}."
        if value != 0 and to_units(value) == 0:
            return (
                f"The quantity of resource {name} cannot be finer than 0.0001, but it is {value}."
            )
        return None

    return check


def _resources(value: dict[str, float] | None) -> str | None:
    if value is None:
        return None
    for name in value:
        if not isinstance(name, str):
            raise AttributeError(f"resources must have names as keys, but one is {name!r}.")
    if "CPU" in value or "GPU" in value:
        return "Use num_cpus and num_gpus instead of 'CPU' and 'GPU' in resources."
    for name in ("memory", "object_store_memory", "bundle"):
        if name in value:
            return (
                f"resources cannot contain {name!r}: use the option of that name if there is one."
            )
    return next((p for name, v in value.items() if (p := _quantity(name)(v))), None)


def _at_least(name: str, least: int) -> Check:
    meaning = " (-1 means without limit)" if least == -1 else ""

    def check(value: int | None) -> str | None:
        if value is None:
            return None
        if value < least:
            return f"{name} must be at least {least}{meaning}, but it is {value}."
        if value > MOST:
            raise OverflowError(f"{name} must be at most {MOST}, but it is {value}.")
        return None

    return check


def _num_returns(value: int | str | None) -> str | None:
    if isinstance(value, str):
        if value in ("streaming", "dynamic"):
            return None
        raise TypeError(f"num_returns must be a whole number, but it is {value!r}.")
    return _at_least("num_returns", 0)(value)


def _retried_of_method(value: bool | Iterable[Any] | None) -> str | None:
    problem = _retry_exceptions(value)
    if problem is not None:
        raise AssertionError(problem)
    return None


def _retry_exceptions(value: bool | Iterable[Any] | None) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, list | tuple) and all(
        isinstance(v, type) and issubclass(v, Exception) for v in value
    ):
        return None
    return f"retry_exceptions must be a bool or a list of exception classes, but it is {value!r}."


def _concurrency_groups(value: dict[Any, Any] | list[Any] | None) -> str | None:
    if not value:
        return None
    if isinstance(value, list):
        return f"concurrency_groups must be a dict of names and limits, but it is {value!r}."
    for name, limit in value.items():
        if not isinstance(name, str) or not isinstance(limit, int):
            raise TypeError(
                f"concurrency_groups must give each name a whole number, but {name!r} has {limit!r}."
            )
        if limit < 1:
            return (
                f"concurrency_groups must give each name a limit of at least 1, but {name!r} has "
                f"{limit!r}."
            )
    return None


def _scheduling_strategy(value: object) -> str | None:
    if not isinstance(value, str) or value in ("DEFAULT", "SPREAD"):
        return None
    return (
        f"Invalid scheduling_strategy {value!r}. Valid are 'DEFAULT', 'SPREAD' and "
        "the strategies of raysim.util.scheduling_strategies."
    )


def _label_selector(value: dict[str, str] | None) -> str | None:
    try:
        parse_selector(value or {})
    except ValueError as error:
        return str(error)
    return None


def _fallback_strategy(value: list[Any] | None) -> str | None:
    for one in value or ():
        if not isinstance(one, dict) or list(one) != ["label_selector"]:
            return f"Each element of fallback_strategy must be {{'label_selector': ...}}, but one is {one!r}."
        selector = one["label_selector"]
        if selector is not None and not isinstance(selector, dict):
            return (
                f"The label_selector in fallback_strategy must be a dict, but it is {selector!r}."
            )
        problem = _label_selector(selector)
        if problem is not None:
            return problem
    return None


def _backpressure(value: int | None) -> str | None:
    if value != 0:
        return None
    return (
        "_generator_backpressure_num_objects=0 is not allowed. Use a value > 0. If the value is equal "
        "to 1, the behavior is identical to Python generator (generator 1 object whenever `next` is "
        "called). Use -1 to disable this feature."
    )


def _backpressure_of_actor(value: int | None) -> str | None:
    if value is None or value > 0 or value == -1:
        return None
    return (
        "_actor_generator_backpressure_num_objects must be > 0 to limit the items of the actor's "
        f"generators that wait to be taken, or -1 for any number, but it is {value}."
    )


def _own_labels(value: dict[Any, Any] | None) -> str | None:
    for pair in (value or {}).items():
        for what, one in zip(("key", "value"), pair, strict=True):
            if not isinstance(one, str):
                return f"Label {what} must be string, but got {type(one)}: {one!r}."
    return None


def _group(value: object) -> str | None:
    if isinstance(value, str) and value != "default" and value:
        raise AssertionError(f"placement_group must be a PlacementGroup, but it is {value!r}.")
    return None


def _per_yield(value: int | None) -> str | None:
    if value is None or value > 0:
        return None
    return (
        "_num_objects_per_yield is a private streaming generator option that must be set to a "
        "positive integer."
    )


def _not_empty(text: str) -> Check:
    return lambda value: text if value == "" else None


def _is_lifetime(value: str | None) -> str | None:
    if value in (None, "detached", "non_detached"):
        return None
    return f"lifetime must be None, 'detached' or 'non_detached', but it is {value!r}."


_COMMON: dict[str, Option] = {
    "label_selector": Option((dict, _NONE), _label_selector),
    "fallback_strategy": Option((list, _NONE), _fallback_strategy),
    "accelerator_type": Option((str, _NONE)),
    "memory": Option((float, int, _NONE), _quantity("memory")),
    "name": Option((str, _NONE)),
    "num_cpus": Option((float, int, _NONE), _quantity("num_cpus")),
    "num_gpus": Option((float, int, _NONE), _quantity("num_gpus")),
    "object_store_memory": Option((int, _NONE), _quantity("object_store_memory")),
    "placement_group": Option((str, PlacementGroup, _NONE), _group),
    "placement_group_bundle_index": Option((int,)),
    "placement_group_capture_child_tasks": Option((bool, _NONE)),
    "resources": Option((dict, _NONE), _resources),
    "runtime_env": Option((dict, _NONE)),
    "scheduling_strategy": Option(
        (
            str,
            NodeAffinitySchedulingStrategy,
            NodeLabelSchedulingStrategy,
            PlacementGroupSchedulingStrategy,
            _NONE,
        ),
        _scheduling_strategy,
    ),
    "enable_task_events": Option((bool,)),
    "_labels": Option((dict, _NONE), _own_labels),
}

TASK_OPTIONS: dict[str, Option] = {
    **_COMMON,
    "object_store_memory": Option(
        (int, _NONE),
        lambda v: None if v is None else "object_store_memory is not an option of tasks.",
    ),
    "max_calls": Option((int, _NONE), _at_least("max_calls", 0)),
    "max_retries": Option((int,), _at_least("max_retries", -1)),
    "num_returns": Option((int, str, _NONE), _num_returns),
    "retry_exceptions": Option((bool, list, tuple), _retry_exceptions),
    "_generator_backpressure_num_objects": Option((int, _NONE), _backpressure),
    "_num_objects_per_yield": Option((int, _NONE), _per_yield),
}
"""Of remote functions."""

ACTOR_OPTIONS: dict[str, Option] = {
    **_COMMON,
    "name": Option((str, _NONE), _not_empty("Actor name cannot be an empty string.")),
    "concurrency_groups": Option((list, dict, _NONE), _concurrency_groups),
    "enable_tensor_transport": Option((bool, _NONE), only=(None, False)),
    "lifetime": Option((str, _NONE), _is_lifetime),
    "max_concurrency": Option((int, _NONE), _at_least("max_concurrency", 0)),
    "max_restarts": Option((int,), _at_least("max_restarts", -1)),
    "max_task_retries": Option((int,), _at_least("max_task_retries", -1)),
    "max_pending_calls": Option((int,), _at_least("max_pending_calls", -1)),
    "namespace": Option(
        (str, _NONE), _not_empty('"" is not a valid namespace. Leave it out for the current one.')
    ),
    "get_if_exists": Option((bool,)),
    "allow_out_of_order_execution": Option((bool, _NONE)),
    "_actor_generator_backpressure_num_objects": Option((int, _NONE), _backpressure_of_actor),
}
"""Of actor classes."""

DECORATED_METHOD_OPTIONS: dict[str, Option] = {
    "num_returns": Option((int, str, _NONE), _num_returns),
    "max_task_retries": Option((int, _NONE), _at_least("max_task_retries", -1)),
    "retry_exceptions": Option((object,), _retried_of_method),
    "enable_task_events": Option((bool, _NONE)),
    "concurrency_group": Option((str, _NONE)),
    "tensor_transport": Option((str, _NONE), only=(None,)),
    "_generator_backpressure_num_objects": Option((int, _NONE), _backpressure),
    "_num_objects_per_yield": Option((int, _NONE), _per_yield),
}
"""Of `@method(...)`."""

METHOD_OPTIONS: dict[str, Option] = {
    **DECORATED_METHOD_OPTIONS,
    "name": Option((str,)),
    "_labels": Option((dict, _NONE), _own_labels),
}
"""Of actor methods, with those that only a call has: `handle.m.options(...)`."""


def validate(options: Mapping[str, Any], table: Mapping[str, Option], of: str) -> None:
    """Raises ValueError or TypeError for the first option that is wrong."""
    for name, value in options.items():
        option = table.get(name)
        if option is None:
            raise ValueError(unknown_name(name, table, of))
        option.validate(name, value)


def refuse_unsupported(options: Mapping[str, Any], table: Mapping[str, Option]) -> None:
    """Raises ValueError for the first option that Ray has and raysim has not."""
    for name, value in options.items():
        table[name].refuse_unsupported(name, value)


def unknown_name(name: str, table: Iterable[str], of: str) -> str:
    near = difflib.get_close_matches(name, table, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"Invalid option keyword {name} for {of}. {hint}Valid ones are {', '.join(table)}."
