"""What can be known of each thing in a cluster: Ray's classes and columns. Never how it is found out."""

# ruff: noqa: RUF009  (each call makes a field)

from dataclasses import dataclass
from typing import Any

from raysim.util.state.schema import Humanify, StateSchema, state_column

ACTOR_STATUS = ("DEPENDENCIES_UNREADY", "PENDING_CREATION", "ALIVE", "RESTARTING", "DEAD")
PLACEMENT_GROUP_STATUS = ("PENDING", "PREPARED", "CREATED", "REMOVED", "RESCHEDULING")
NODE_STATUS = ("ALIVE", "DRAINING", "DEAD")
"""Ray shows one that drains as ALIVE."""
JOB_STATUS = ("PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED")
JOB_TYPE = ("SUBMISSION", "DRIVER")
WORKER_TYPE = ("WORKER", "DRIVER", "SPILL_WORKER", "RESTORE_WORKER")
WORKER_EXIT_TYPE = (
    "SYSTEM_ERROR",
    "INTENDED_SYSTEM_EXIT",
    "USER_ERROR",
    "INTENDED_USER_EXIT",
    "NODE_OUT_OF_MEMORY",
)
TASK_TYPE = ("NORMAL_TASK", "ACTOR_CREATION_TASK", "ACTOR_TASK", "DRIVER_TASK")
TASK_STATUS = (
    "NIL",
    "PENDING_ARGS_AVAIL",
    "PENDING_NODE_ASSIGNMENT",
    "PENDING_OBJ_STORE_MEM_AVAIL",
    "PENDING_ARGS_FETCH",
    "SUBMITTED_TO_WORKER",
    "PENDING_ACTOR_TASK_ARGS_FETCH",
    "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY",
    "RUNNING",
    "RUNNING_IN_RAY_GET",
    "RUNNING_IN_RAY_WAIT",
    "FINISHED",
    "FAILED",
    "GETTING_AND_PINNING_ARGS",
)
REFERENCE_TYPE = (
    "ACTOR_HANDLE",
    "PINNED_IN_MEMORY",
    "LOCAL_REFERENCE",
    "USED_BY_PENDING_TASK",
    "CAPTURED_IN_OBJECT",
    "UNKNOWN_STATUS",
)


def _time() -> Any:
    """Milliseconds of Unix time."""
    return state_column(filterable=False, detail=True, format_fn=Humanify.timestamp)


def _amounts() -> Any:
    """Resource to quantity; None: has none."""
    return state_column(filterable=False, format_fn=Humanify.amounts)


def _launch_time() -> Any:
    """As `_time`; -1 where nobody noted it."""
    return state_column(
        filterable=False,
        detail=True,
        format_fn=lambda ms: "" if ms == -1 else Humanify.timestamp(ms),
    )


def _key(*words: str) -> Any:
    return state_column(filterable=True, words=words)


def _plain() -> Any:
    return state_column(filterable=False)


def _detail(filterable: bool = False) -> Any:
    return state_column(filterable=filterable, detail=True)


@dataclass
class ActorState(StateSchema):
    """An actor. `pid` is 0 until it was started; `node_id` is the last one of an actor that is gone."""

    actor_id: str = _key()
    class_name: str = _key()
    state: str = _key(*ACTOR_STATUS)
    job_id: str = _key()
    name: str | None = _key()
    node_id: str | None = _key()
    pid: int | None = _key()
    ray_namespace: str | None = _key()
    serialized_runtime_env: str | None = _detail()
    required_resources: dict[str, Any] | None = _detail()
    death_cause: dict[str, Any] | None = _detail()
    is_detached: bool | None = _detail()
    placement_group_id: str | None = _detail(filterable=True)
    repr_name: str | None = _detail(filterable=True)
    num_restarts: int = _detail()
    num_restarts_due_to_lineage_reconstruction: int = _detail()
    num_restarts_due_to_node_preemption: int = _detail()
    call_site: str | None = _detail()
    label_selector: dict[str, Any] | None = _detail()
    fallback_strategy: Any = _detail()


@dataclass
class PlacementGroupState(StateSchema):
    placement_group_id: str = _key()
    name: str = _key()
    creator_job_id: str = _key()
    state: str = _key(*PLACEMENT_GROUP_STATUS)
    bundles: list[dict[str, Any]] | None = _detail()
    is_detached: bool | None = _detail(filterable=True)
    stats: dict[str, Any] | None = _detail()
    topology_strategy: dict[str, Any] | None = _detail()
    topology_assignments: dict[str, Any] | None = _detail()


@dataclass
class NodeState(StateSchema):
    node_id: str = _key()
    node_ip: str = _key()
    is_head_node: bool = _key()
    state: str = _key(*NODE_STATUS)
    state_message: str | None = _plain()
    node_name: str = _key()
    resources_total: dict[str, Any] = state_column(
        filterable=False, format_fn=Humanify.node_resources
    )
    labels: dict[str, str] = _plain()
    start_time_ms: int | None = _time()
    end_time_ms: int | None = _time()


@dataclass
class DriverInfo:
    """Of a job. `pid` as text."""

    id: str
    node_ip_address: str
    pid: str


@dataclass
class JobState(StateSchema):
    """A driver's program. Times in ms of Unix time."""

    type: str = _key(*JOB_TYPE)
    job_id: str | None = _key()
    submission_id: str | None = _key()
    driver_info: DriverInfo | None = _plain()
    status: str = _key(*JOB_STATUS)
    entrypoint: str = _plain()
    message: str | None = _plain()
    error_type: str | None = _plain()
    start_time: int | None = _detail()
    end_time: int | None = _detail()
    metadata: dict[str, str] | None = _detail()
    runtime_env: dict[str, Any] | None = _detail()
    driver_agent_http_address: str | None = _detail()
    driver_node_id: str | None = _detail()
    driver_exit_code: int | None = _detail()
    priority: int | None = _plain()
    quota: dict[str, float] | None = _amounts()
    """What it may have at once in the whole cluster, and `quota_used` of it: these three are none of Ray's."""
    quota_used: dict[str, float] | None = _amounts()


@dataclass
class WorkerState(StateSchema):
    """A worker or a driver; `exit_type` of one that has ended."""

    worker_id: str = _key()
    is_alive: bool = _key()
    worker_type: str = _key(*WORKER_TYPE)
    exit_type: str | None = _key(*WORKER_EXIT_TYPE)
    node_id: str = _key()
    ip: str = _key()
    pid: int = _key()
    exit_detail: str | None = _detail()
    worker_launch_time_ms: int | None = _launch_time()
    worker_launched_time_ms: int | None = _launch_time()
    start_time_ms: int | None = _time()
    end_time_ms: int | None = _time()
    debugger_port: int | None = _detail(filterable=True)
    num_paused_threads: int | None = _detail(filterable=True)


@dataclass
class ClusterEventState(StateSchema):
    severity: str = _key()
    time: str = _plain()
    source_type: str = _key()
    message: str = _plain()
    event_id: str = _key()
    custom_fields: dict[str, Any] | None = _detail()


@dataclass
class TaskState(StateSchema):
    """One attempt of a task, of an actor's method, or of its constructor."""

    task_id: str = _key()
    attempt_number: int = _key()
    name: str = _key()
    state: str = _key(*TASK_STATUS)
    job_id: str = _key()
    actor_id: str | None = _key()
    type: str = _key(*TASK_TYPE)
    func_or_class_name: str = _key()
    parent_task_id: str = _key()
    node_id: str | None = _key()
    worker_id: str | None = _key()
    worker_pid: int | None = _key()
    error_type: str | None = _key()
    language: str | None = _detail(filterable=True)
    required_resources: dict[str, Any] | None = _detail()
    runtime_env_info: dict[str, Any] | None = _detail()
    placement_group_id: str | None = _detail(filterable=True)
    events: list[dict[str, Any]] | None = state_column(
        filterable=False, detail=True, format_fn=Humanify.events
    )
    profiling_data: dict[str, Any] | None = _detail()
    creation_time_ms: int | None = _time()
    start_time_ms: int | None = _time()
    end_time_ms: int | None = _time()
    task_log_info: dict[str, Any] | None = _detail()
    error_message: str | None = _detail()
    is_debugger_paused: bool | None = _detail(filterable=True)
    call_site: str | None = _detail()
    label_selector: dict[str, Any] | None = _detail()
    fallback_strategy: dict[str, Any] | None = _detail()


@dataclass
class ObjectState(StateSchema):
    """A reference that one process has to an object. Size in bytes, -1 where it is not known."""

    object_id: str = _key()
    object_size: int = state_column(
        filterable=True, format_fn=lambda size: "" if size < 0 else Humanify.memory(size)
    )
    task_status: str = _key(*TASK_STATUS)
    attempt_number: int = _key()
    reference_type: str = _key(*REFERENCE_TYPE)
    call_site: str = _key()
    type: str = _key(*WORKER_TYPE)
    pid: int = _key()
    ip: str = _key()


@dataclass
class RuntimeEnvState(StateSchema):
    """A runtime environment on one node. Duration in ms."""

    runtime_env: dict[str, Any] = _key()
    success: bool = _key()
    creation_time_ms: float | None = state_column(filterable=False, format_fn=Humanify.duration)
    node_id: str = _key()
    ref_cnt: int | None = _detail()
    error: str | None = _detail(filterable=True)
