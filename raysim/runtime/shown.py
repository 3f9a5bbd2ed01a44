"""Nodes and the running task in the words of Ray's tables. Never asks anybody for them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from raysim.protocol.host import RunnableTask
from raysim.spec.node import NodeState
from raysim.spec.placement_group import plain
from raysim.spec.resources import UNITS, floats, total


def node_table(state: NodeState) -> dict[str, Any]:
    """As `ray.nodes()` shows it, without the ports that this cluster does not have."""
    info = state.info
    return {
        "NodeID": info.address.node_id.hex(),
        "Alive": state.alive,
        "alive": state.alive,
        "NodeManagerAddress": info.ip or "127.0.0.1",
        "NodeManagerHostname": info.hostname,
        "NodeName": info.name,
        "DeathReasonMessage": state.death_reason,
        "Resources": {name: units / UNITS for name, units in info.total.items()}
        if state.alive
        else {},
        "Labels": dict(info.labels),
        "BytesPulled": state.stats.bytes_pulled,
        "ObjectStore": {"capacity": info.object_store_bytes, **msgspec.structs.asdict(state.stats)},
    }


def cluster_resources(states: Iterable[NodeState]) -> dict[str, float]:
    """What the live nodes have."""
    return floats(total(state.info.total for state in states if state.alive))


def available_resources(states: Iterable[NodeState]) -> dict[str, float]:
    """What the live nodes have free."""
    usable = [state for state in states if state.alive and state.drain is None]
    return floats(total(state.available for state in usable))


def task_name(task: RunnableTask | None) -> str | None:
    if task is None:
        return None
    if task.template is not None:
        return task.template.name
    if task.actor is None:
        return None
    return task.call.name or f"{task.actor.class_name}.{task.call.method}"


def assigned(task: RunnableTask | None) -> dict[str, float]:
    if task is None:
        return {}
    if task.template is not None:
        return floats(plain(task.template.resources))
    return floats(plain(task.actor.lifetime)) if task.actor is not None else {}


def own_label(instance: object) -> str | None:
    """What an actor says of itself, where its class has a `__repr__`."""
    if instance is None or type(instance).__repr__ is object.__repr__:
        return None
    try:
        return repr(instance)
    except Exception:  # noqa: BLE001  (whatever a user's __repr__ raises: its class has a name)
        return None
