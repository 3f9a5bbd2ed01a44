"""Who is running: `get_runtime_context`. Never the program's own state."""

import os
import tempfile
import warnings
from typing import Any

from raysim.api.annotations import RayDeprecationWarning
from raysim.api.handles import ActorHandle
from raysim.api.ids import ActorID, JobID, NodeID, PlacementGroupID, TaskID
from raysim.api.runtime_env import RuntimeEnv
from raysim.api.session import auto_init
from raysim.backend import Backend, ContextInfo
from raysim.runtime.current import current

ACCELERATORS = ("GPU", "TPU", "HPU", "NPU", "neuron_cores", "RBLN", "FURIOSA", "MBLT", "TTNPU")
"""Kinds that Ray 2.60 knows. Those other than GPU are never assigned here: they need their vendors' hardware."""


class RuntimeContext:
    """Facts about the driver, task or actor that asks, at the time it asks. Ids are hex strings."""

    def get(self) -> dict[str, Any]:
        """`job_id`, `node_id`, `namespace`; in tasks `task_id`, and in actors `actor_id`. Deprecated in Ray."""
        _warn("get_xxx_id() methods to get relevant ids")
        info = _info()
        found: dict[str, Any] = {
            "job_id": JobID.from_hex(info.job_id),
            "node_id": NodeID.from_hex(info.node_id),
            "namespace": info.namespace,
        }
        if info.task_id is not None:
            found["task_id"] = TaskID.from_hex(info.task_id)
        if info.actor_id is not None:
            found["actor_id"] = ActorID.from_hex(info.actor_id)
        return found

    @property
    def job_id(self) -> JobID:
        """As `get_job_id()`. Deprecated in Ray."""
        _warn("get_job_id()")
        return JobID.from_hex(_info().job_id)

    @property
    def node_id(self) -> NodeID:
        """As `get_node_id()`. Deprecated in Ray."""
        _warn("get_node_id()")
        return NodeID.from_hex(_info().node_id)

    @property
    def task_id(self) -> TaskID | None:
        """As `get_task_id()`. Raises AssertionError on the driver. Deprecated in Ray."""
        _warn("get_task_id()")
        info = _info_of_worker()
        return None if info.task_id is None else TaskID.from_hex(info.task_id)

    @property
    def actor_id(self) -> ActorID | None:
        """As `get_actor_id()`. Raises AssertionError on the driver. Deprecated in Ray."""
        _warn("get_actor_id()")
        info = _info_of_worker()
        return None if info.actor_id is None else ActorID.from_hex(info.actor_id)

    def get_job_id(self) -> str:
        return _info().job_id

    def get_node_id(self) -> str:
        return _info().node_id

    def get_worker_id(self) -> str:
        return _info().worker_id

    def get_task_id(self) -> str | None:
        """None on the driver."""
        return _info().task_id

    def get_task_name(self) -> str | None:
        """None on the driver; `Class.method` in an actor."""
        return _info().task_name

    def get_actor_id(self) -> str | None:
        """None outside of an actor."""
        return _info().actor_id

    def get_actor_name(self) -> str | None:
        """Empty for an actor without name, None outside of an actor."""
        return _info().actor_name

    def get_assigned_resources(self) -> dict[str, float]:
        """What the task or actor holds. Raises AssertionError on the driver."""
        info = _info()
        assert not info.is_driver, "get_assigned_resources() is for tasks and actors only."
        return info.assigned_resources

    def get_accelerator_ids(self) -> dict[str, list[str]]:
        """Kind of accelerator to the ids of those that the task or actor has; empty lists on the driver."""
        return {kind: [] for kind in ACCELERATORS} | _info().accelerators

    def get_node_labels(self) -> dict[str, str]:
        """Of the node that the task or actor runs on."""
        backend = _backend()
        here = backend.context_info().node_id
        return next(dict(n["Labels"]) for n in backend.nodes() if n["NodeID"] == here)

    def get_placement_group_id(self) -> str | None:
        """Of the group that the task or actor runs in."""
        return _info().placement_group_id

    @property
    def current_placement_group_id(self) -> PlacementGroupID:
        """As `get_placement_group_id()`; the nil id outside of a group. Deprecated in Ray."""
        _warn("get_placement_group_id()")
        found = _info().placement_group_id
        return PlacementGroupID.nil() if found is None else PlacementGroupID.from_hex(found)

    @property
    def should_capture_child_tasks_in_placement_group(self) -> bool:
        """Whether what this code submits runs in its placement group, unless it says otherwise."""
        return _info().captures

    def is_canceled(self) -> bool:
        """Whether `cancel` was called for the call that asks, which may then end early.

        Raises RuntimeError on the driver and in an asynchronous actor, whose calls are cancelled
        as coroutines are.
        """
        info = _info()
        if info.is_driver:
            raise RuntimeError("is_canceled() is for tasks and actors, not for the driver.")
        if info.is_async:
            raise RuntimeError(
                "is_canceled() is not for asynchronous actors: their calls see CancelledError."
            )
        return info.is_canceled

    def get_task_function_name(self) -> str | None:
        """Of the function or method that runs, with its module; None on the driver."""
        return _info().function_name

    def get_session_name(self) -> str:
        """Of this run of the cluster."""
        return _info().session_name

    def get_temp_dir(self) -> str:
        """The folder under which the cluster keeps files of its sessions, if it has any."""
        return os.path.dirname(_info().session_dir) or tempfile.gettempdir()

    @property
    def gcs_address(self) -> str:
        """Where the head of the cluster can be reached."""
        return _info().gcs_address

    def get_resource_ids(self) -> dict[str, list[str]]:
        """As `get_accelerator_ids()`. Deprecated in Ray."""
        _warn("get_accelerator_ids()")
        return self.get_accelerator_ids()

    def get_runtime_env_string(self) -> str:
        """The runtime environment of the job, task or actor, as JSON."""
        return _info().runtime_env

    @property
    def runtime_env(self) -> RuntimeEnv:
        """The runtime environment of the job, task or actor."""
        return RuntimeEnv.deserialize(_info().runtime_env)

    @property
    def namespace(self) -> str:
        return _info().namespace

    @property
    def was_current_actor_reconstructed(self) -> bool:
        """Whether the actor was restarted. Raises AssertionError on the driver."""
        info = _info()
        assert not info.is_driver, "was_current_actor_reconstructed is for actors only."
        return info.was_reconstructed

    @property
    def current_actor(self) -> ActorHandle:
        """A handle of the actor that asks. Raises RuntimeError outside of one."""
        backend = _backend()
        if backend.context_info().actor_id is None:
            raise RuntimeError("This method is only available in an actor.")
        record = backend.current_actor()
        assert record is not None, "an actor without a record of itself"
        return ActorHandle(record)


def _backend() -> Backend:
    return current() or auto_init()


def _info() -> ContextInfo:
    return _backend().context_info()


def _info_of_worker() -> ContextInfo:
    info = _info()
    assert not info.is_driver, (
        "This is only available when the process is a worker: not on the driver."
    )
    return info


def _warn(instead: str) -> None:
    warnings.warn(
        f"This API is deprecated and may be removed in future Ray releases.\nUse {instead} instead",
        RayDeprecationWarning,
        stacklevel=3,
    )


def get_gpu_ids() -> list[int | str]:
    """The GPUs that the task or actor has: numbers, or names where CUDA_VISIBLE_DEVICES had names.

    Those that share a GPU have the same one. Empty on the driver, and on nodes without GPUs.
    """
    ids = _info().accelerators.get("GPU", [])
    return [int(one) if one.isdigit() else one for one in ids]


_CONTEXT = RuntimeContext()


def get_runtime_context() -> RuntimeContext:
    """What tells a task where it runs and who it is. Ray: `ray.get_runtime_context`."""
    return _CONTEXT
