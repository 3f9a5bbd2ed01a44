"""Writes down every public name of the installed Ray Core: tools/ray_surface.json. Never judges raysim.

    python tools/ray_surface.py            # with Ray installed: take the names again
    python tools/ray_surface.py --check    # exit 1 if the file is of another surface

The file stands for Ray where it is not installed: see compatibility.py.
"""

import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("ray_surface.json")

NAMES_OF: dict[str, tuple[str, ...]] = {
    "ray.actor": ("ActorClass", "ActorHandle", "ActorMethod", "exit_actor", "method"),
    "ray.cluster_utils": ("AutoscalingCluster", "Cluster"),
    "ray.util.actor_pool": ("ActorPool",),
    "ray.util.joblib": ("register_ray",),
    "ray.util.placement_group": (
        "PlacementGroup",
        "get_current_placement_group",
        "get_placement_group",
        "placement_group",
        "placement_group_table",
        "remove_placement_group",
    ),
    "ray.util.queue": ("Empty", "Full", "Queue"),
    "ray.util.scheduling_strategies": (
        "DoesNotExist",
        "Exists",
        "In",
        "NodeAffinitySchedulingStrategy",
        "NodeLabelSchedulingStrategy",
        "NotIn",
        "PlacementGroupSchedulingStrategy",
    ),
}
"""Modules that do not say themselves what is public, by their documentation."""

MODULES = ("ray", "ray.util", "ray.dag", "ray.util.collective", "ray.util.iter", "ray.util.metrics")
MORE_MODULES = ("ray.util.multiprocessing", "ray.util.state")

NO_API = {
    "ray": {"__version__", "_config", "autoscaler", "data", "internal", "widgets", "workflow"},
    "ray.dag": {
        "BIND_INDEX_KEY",
        "COLLECTIVE_OPERATION_KEY",
        "DAGNODE_TYPE_KEY",
        "IS_CLASS_METHOD_OUTPUT_KEY",
        "PARENT_CLASS_NODE_KEY",
        "PREV_CLASS_METHOD_CALL_KEY",
        "plot",
    },
    "ray.util.iter": {"T", "U"},
    "ray.util.metrics": {"Metric"},
}
"""Listed, and no part of Ray Core's interface: other libraries of Ray, constants, what is empty."""

CLASSES = (
    "ray.ObjectRef",
    "ray.ObjectRefGenerator",
    "ray.remote_function.RemoteFunction",
    "ray.actor.ActorClass",
    "ray.actor.ActorMethod",
    "ray.runtime_context.RuntimeContext",
    "ray.util.placement_group.PlacementGroup",
    "ray.dag.DAGNode",
    "ray.dag.compiled_dag_node.CompiledDAG",
    "ray.util.ActorPool",
    "ray.util.queue.Queue",
    "ray.util.multiprocessing.Pool",
    "ray.util.multiprocessing.pool.AsyncResult",
    "ray.util.metrics.Counter",
    "ray.util.metrics.Gauge",
    "ray.util.metrics.Histogram",
    "ray.util.iter.ParallelIterator",
    "ray.util.iter.LocalIterator",
    "ray.cluster_utils.Cluster",
    "ray.cluster_utils.AutoscalingCluster",
)
PROTOCOLS = ("__await__", "__next__", "__anext__")
"""Special methods that are part of the interface."""


def public(module: Any) -> list[str]:
    """What a module offers: what it lists, else what it defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    home = module.__name__
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and str(getattr(value, "__module__", "")).startswith(home)
    ]


def module_section(path: str) -> dict[str, Any]:
    names = NAMES_OF.get(path) or public(importlib.import_module(path))
    return section(path, "module", set(names) - NO_API.get(path, set()))


def class_section(path: str) -> dict[str, Any]:
    home, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(home), name)
    return section(path, "class", [n for n in dir(cls) if n in PROTOCOLS or not n.startswith("_")])


def section(path: str, kind: str, names: Any) -> dict[str, Any]:
    return {"path": path, "kind": kind, "names": sorted(names)}


def surface() -> dict[str, Any]:
    """All sections, of the Ray that is installed."""
    import ray
    import ray.actor
    import ray.exceptions
    from ray._common import ray_option_utils as options
    from ray.runtime_env import RuntimeEnv

    errors = ray.exceptions.RayError
    kinds = vars(ray.exceptions).items()
    special = vars(ray.actor._modify_class(type("A", (), {})))
    # `ray.method` and `handle.m.options` take these; Ray keeps no table of them.
    methods = inspect.signature(ray.actor.ActorMethod._remote).parameters
    return {
        "version": ray.__version__,
        "sections": [
            section("ray", "module", {*public(ray), "dag", "exceptions"} - NO_API["ray"]),
            section("ray.init", "init", set(inspect.signature(ray.init).parameters) - {"kwargs"}),
            section("tasks", "task options", options.task_options),
            section("actors", "actor options", options.actor_options),
            section("actor methods", "method options", set(methods) - {"self", "args", "kwargs"}),
            section(
                "actors",
                "special methods",
                [n for n in special if n.startswith("__ray_") and n != "__ray_actor_class__"],
            ),
            section(
                "runtime_env",
                "runtime_env",
                [
                    f
                    for f in RuntimeEnv.known_fields
                    if not f.startswith("_ray") and f != "_inject_current_ray"
                ],
            ),
            section(
                "ray.exceptions",
                "module",
                [n for n, c in kinds if isinstance(c, type) and issubclass(c, errors)],
            ),
            *(module_section(path) for path in (*MODULES[1:], *MORE_MODULES, *NAMES_OF)),
            *(class_section(path) for path in CLASSES),
        ],
    }


def main(arguments: list[str]) -> int:
    text = json.dumps(surface(), indent=1) + "\n"
    if "--check" not in arguments:
        FILE.write_text(text)
        return 0
    if FILE.read_text() == text:
        return 0
    print(f"{FILE} is not of the Ray that is installed. Run: python {sys.argv[0]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
