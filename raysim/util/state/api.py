"""`list_*`, `get_*`, `summarize_*`: Ray's functions over StateApiClient. Never an answer of their own.

All of them ask the cluster that this process is connected to, and raise RayStateApiException when the
question is wrong or cannot be answered in full, ConnectionError where there is no connection.
"""

from typing import Any

from raysim.runtime.object_ref import ObjectRef
from raysim.util.state.client import StateApiClient
from raysim.util.state.options import (
    DEFAULT_LIMIT,
    DEFAULT_RPC_TIMEOUT,
    Filter,
    GetApiOptions,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)
from raysim.util.state.states import (
    ActorState,
    ClusterEventState,
    JobState,
    NodeState,
    ObjectState,
    PlacementGroupState,
    RuntimeEnvState,
    TaskState,
    WorkerState,
)


def _get(
    resource: StateResource, identity: str, address: str | None, timeout: int, explain: bool
) -> Any:
    options = GetApiOptions(timeout=timeout)
    return StateApiClient(address=address).get(resource, identity, options, _explain=explain)


def get_actor(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> ActorState | None:
    """The actor of this id, with details."""
    found: ActorState | None = _get(StateResource.ACTORS, id, address, timeout, _explain)
    return found


def get_job(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> JobState | None:
    """The job of this submission id. Drivers have none: `list_jobs` shows them."""
    found: JobState | None = _get(StateResource.JOBS, id, address, timeout, _explain)
    return found


def get_placement_group(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> PlacementGroupState | None:
    """The placement group of this id, with details."""
    resource = StateResource.PLACEMENT_GROUPS
    found: PlacementGroupState | None = _get(resource, id, address, timeout, _explain)
    return found


def get_node(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> NodeState | None:
    """The node of this id, with details."""
    found: NodeState | None = _get(StateResource.NODES, id, address, timeout, _explain)
    return found


def get_worker(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> WorkerState | None:
    """The worker or driver of this id, with details."""
    found: WorkerState | None = _get(StateResource.WORKERS, id, address, timeout, _explain)
    return found


def get_task(
    id: "str | ObjectRef",
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> TaskState | list[TaskState] | None:
    """The task of this id, or that makes this object; a list of its attempts if there were several."""
    task_id = id if isinstance(id, str) else id.task_id().hex()
    found: TaskState | list[TaskState] | None = _get(
        StateResource.TASKS, task_id, address, timeout, _explain
    )
    return found


def get_objects(
    id: str,
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    _explain: bool = False,
) -> list[ObjectState] | None:
    """The references to the object of this id, one for each process that has some; None for none."""
    found: list[ObjectState] | None = _get(StateResource.OBJECTS, id, address, timeout, _explain)
    return found


def _list(
    resource: StateResource,
    address: str | None,
    options: ListApiOptions,
    raise_on_missing_output: bool,
    explain: bool,
) -> list[Any]:
    client = StateApiClient(address=address)
    return client.list(resource, options, raise_on_missing_output, _explain=explain)


def list_actors(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ActorState]:
    """Actors, dead ones included."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.ACTORS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_placement_groups(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[PlacementGroupState]:
    """Placement groups, removed ones included."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.PLACEMENT_GROUPS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_nodes(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[NodeState]:
    """Nodes, dead ones included."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.NODES
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_jobs(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[JobState]:
    """Jobs, ended ones included."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.JOBS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_workers(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[WorkerState]:
    """Workers and drivers, ended ones included."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.WORKERS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_tasks(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[TaskState]:
    """Attempts of tasks, of actors' methods and of constructors, ended ones included."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.TASKS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_objects(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ObjectState]:
    """References to objects, by process."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.OBJECTS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_runtime_envs(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[RuntimeEnvState]:
    """Runtime environments, by node."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.RUNTIME_ENVS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def list_cluster_events(
    address: str | None = None,
    filters: list[Filter] | None = None,
    limit: int = DEFAULT_LIMIT,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ClusterEventState]:
    """What happened to nodes, jobs, workers and actors lately."""
    options = ListApiOptions(limit=limit, timeout=timeout, detail=detail, filters=filters)
    resource = StateResource.CLUSTER_EVENTS
    return _list(resource, address, options, raise_on_missing_output, _explain)


def _summarize(
    resource: SummaryResource,
    address: str | None,
    timeout: int,
    raise_on_missing_output: bool,
    explain: bool,
) -> dict[str, Any]:
    return StateApiClient(address=address).summary(
        resource,
        options=SummaryApiOptions(timeout=timeout),
        raise_on_missing_output=raise_on_missing_output,
        _explain=explain,
    )


def summarize_tasks(
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> dict[str, Any]:
    """Tasks by name and state."""
    resource = SummaryResource.TASKS
    return _summarize(resource, address, timeout, raise_on_missing_output, _explain)


def summarize_actors(
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> dict[str, Any]:
    """Actors by class and state."""
    resource = SummaryResource.ACTORS
    return _summarize(resource, address, timeout, raise_on_missing_output, _explain)


def summarize_objects(
    address: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> dict[str, Any]:
    """References by kind, and the size of their objects."""
    resource = SummaryResource.OBJECTS
    return _summarize(resource, address, timeout, raise_on_missing_output, _explain)
