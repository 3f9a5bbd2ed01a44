"""What Ray keeps under `ray.util`. Never needed by the protocol. Names are imported when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# At once: the module of this name would take the place of the function, were it imported later.
from raysim.util.placement_group import (
    get_current_placement_group,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

if TYPE_CHECKING:
    from raysim.util.actor_pool import ActorPool as ActorPool
    from raysim.util.check_serialize import inspect_serializability as inspect_serializability
    from raysim.util.debug import disable_log_once_globally as disable_log_once_globally
    from raysim.util.debug import enable_periodic_logging as enable_periodic_logging
    from raysim.util.debug import log_once as log_once
    from raysim.util.explanation import explain as explain
    from raysim.util.helpers import as_completed as as_completed
    from raysim.util.helpers import map_unordered as map_unordered
    from raysim.util.named_actors import list_named_actors as list_named_actors
    from raysim.util.node import drain_node as drain_node
    from raysim.util.node import get_node_instance_id as get_node_instance_id
    from raysim.util.node import get_node_ip_address as get_node_ip_address
    from raysim.util.serialization import deregister_serializer as deregister_serializer
    from raysim.util.serialization import register_serializer as register_serializer

_HOMES = {
    "ActorPool": "raysim.util.actor_pool",
    "as_completed": "raysim.util.helpers",
    "deregister_serializer": "raysim.util.serialization",
    "disable_log_once_globally": "raysim.util.debug",
    "enable_periodic_logging": "raysim.util.debug",
    "drain_node": "raysim.util.node",
    "explain": "raysim.util.explanation",
    "get_node_instance_id": "raysim.util.node",
    "get_node_ip_address": "raysim.util.node",
    "inspect_serializability": "raysim.util.check_serialize",
    "list_named_actors": "raysim.util.named_actors",
    "log_once": "raysim.util.debug",
    "map_unordered": "raysim.util.helpers",
    "register_serializer": "raysim.util.serialization",
}
"""Where each name is defined."""

_ALIASES = {"pdb": "rpdb", "ray_debugpy": "debugpy"}
"""Modules that have another name here, as in Ray."""

_MODULES = (
    "accelerators",
    "actor_group",
    "actor_pool",
    "collective",
    "iter",
    "metrics",
    "multiprocessing",
    "queue",
    "scheduling_strategies",
)

__all__ = [
    "ActorPool",
    "accelerators",
    "as_completed",
    "collective",
    "deregister_serializer",
    "disable_log_once_globally",
    "enable_periodic_logging",
    "explain",
    "get_current_placement_group",
    "get_node_instance_id",
    "get_node_ip_address",
    "get_placement_group",
    "inspect_serializability",
    "iter",
    "list_named_actors",
    "log_once",
    "map_unordered",
    "pdb",
    "placement_group",
    "placement_group_table",
    "ray_debugpy",
    "register_serializer",
    "remove_placement_group",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES or name in _ALIASES:
        value = import_module(f"raysim.util.{_ALIASES.get(name, name)}")
    else:
        raise AttributeError(f"module 'raysim.util' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES, *_ALIASES})
