"""Ray Core's API, on a simulated cluster or on real processes: `import raysim as ray`. Runs nothing itself.

Names are imported when they are first used: a node process, which needs few of them, starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raysim import actor as actor
    from raysim import dag as dag
    from raysim import exceptions as exceptions
    from raysim import runtime_env as runtime_env
    from raysim import util as util
    from raysim.api.actors import ActorClass as ActorClass
    from raysim.api.cluster import available_resources as available_resources
    from raysim.api.cluster import cluster_resources as cluster_resources
    from raysim.api.cluster import nodes as nodes
    from raysim.api.cluster import timeline as timeline
    from raysim.api.context import RuntimeContext as RuntimeContext
    from raysim.api.context import get_gpu_ids as get_gpu_ids
    from raysim.api.context import get_runtime_context as get_runtime_context
    from raysim.api.functions import RemoteFunction as RemoteFunction
    from raysim.api.handles import ActorHandle as ActorHandle
    from raysim.api.handles import get_actor as get_actor
    from raysim.api.handles import kill as kill
    from raysim.api.ids import ActorClassID as ActorClassID
    from raysim.api.ids import ActorID as ActorID
    from raysim.api.ids import FunctionID as FunctionID
    from raysim.api.ids import JobID as JobID
    from raysim.api.ids import NodeID as NodeID
    from raysim.api.ids import PlacementGroupID as PlacementGroupID
    from raysim.api.ids import TaskID as TaskID
    from raysim.api.ids import UniqueID as UniqueID
    from raysim.api.ids import WorkerID as WorkerID
    from raysim.api.logging_config import LoggingConfig as LoggingConfig
    from raysim.api.methods import method as method
    from raysim.api.modes import SCRIPT_MODE as SCRIPT_MODE
    from raysim.api.modes import WORKER_MODE as WORKER_MODE
    from raysim.api.objects import cancel as cancel
    from raysim.api.objects import get as get
    from raysim.api.objects import put as put
    from raysim.api.objects import wait as wait
    from raysim.api.remote import remote as remote
    from raysim.api.session import init as init
    from raysim.api.session import is_initialized as is_initialized
    from raysim.api.session import shutdown as shutdown
    from raysim.runtime.object_ref import ObjectID as ObjectID
    from raysim.runtime.object_ref import ObjectRef as ObjectRef
    from raysim.runtime.object_ref_generator import (
        DynamicObjectRefGenerator as DynamicObjectRefGenerator,
    )
    from raysim.runtime.object_ref_generator import ObjectRefGenerator as ObjectRefGenerator

__version__ = "0.1.0"

_HOMES = {
    "ActorClass": "raysim.api.actors",
    "ActorClassID": "raysim.api.ids",
    "ActorHandle": "raysim.api.handles",
    "ActorID": "raysim.api.ids",
    "DynamicObjectRefGenerator": "raysim.runtime.object_ref_generator",
    "FunctionID": "raysim.api.ids",
    "JobID": "raysim.api.ids",
    "LoggingConfig": "raysim.api.logging_config",
    "NodeID": "raysim.api.ids",
    "ObjectID": "raysim.runtime.object_ref",
    "ObjectRef": "raysim.runtime.object_ref",
    "ObjectRefGenerator": "raysim.runtime.object_ref_generator",
    "PlacementGroupID": "raysim.api.ids",
    "RemoteFunction": "raysim.api.functions",
    "RuntimeContext": "raysim.api.context",
    "SCRIPT_MODE": "raysim.api.modes",
    "TaskID": "raysim.api.ids",
    "UniqueID": "raysim.api.ids",
    "WORKER_MODE": "raysim.api.modes",
    "WorkerID": "raysim.api.ids",
    "available_resources": "raysim.api.cluster",
    "cancel": "raysim.api.objects",
    "cluster_resources": "raysim.api.cluster",
    "get": "raysim.api.objects",
    "get_actor": "raysim.api.handles",
    "get_gpu_ids": "raysim.api.context",
    "get_runtime_context": "raysim.api.context",
    "init": "raysim.api.session",
    "is_initialized": "raysim.api.session",
    "kill": "raysim.api.handles",
    "method": "raysim.api.methods",
    "nodes": "raysim.api.cluster",
    "put": "raysim.api.objects",
    "remote": "raysim.api.remote",
    "shutdown": "raysim.api.session",
    "timeline": "raysim.api.cluster",
    "wait": "raysim.api.objects",
}
"""Where each name of the API is defined."""

_MODULES = (
    "actor",
    "cloudpickle",
    "cluster_utils",
    "dag",
    "exceptions",
    "job_config",
    "runtime_env",
    "util",
)

__all__ = [
    "SCRIPT_MODE",
    "WORKER_MODE",
    "ActorClass",
    "ActorClassID",
    "ActorHandle",
    "ActorID",
    "DynamicObjectRefGenerator",
    "FunctionID",
    "JobID",
    "LoggingConfig",
    "NodeID",
    "ObjectID",
    "ObjectRef",
    "ObjectRefGenerator",
    "PlacementGroupID",
    "RemoteFunction",
    "RuntimeContext",
    "TaskID",
    "UniqueID",
    "WorkerID",
    "__version__",
    "available_resources",
    "cancel",
    "cluster_resources",
    "exceptions",
    "get",
    "get_actor",
    "get_gpu_ids",
    "get_runtime_context",
    "init",
    "is_initialized",
    "kill",
    "method",
    "nodes",
    "put",
    "remote",
    "shutdown",
    "timeline",
    "util",
    "wait",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        value = import_module(f"raysim.{name}")
    else:
        raise AttributeError(f"module 'raysim' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
