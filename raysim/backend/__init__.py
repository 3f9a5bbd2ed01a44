"""The port between the API and a world, and the registry of worlds. Never a world itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import msgspec

from raysim.backend.options import (
    ActorOptions,
    BoundMethod,
    CallOptions,
    Channel,
    GraphOptions,
    InitOptions,
    NodeOptions,
    PlacementGroupOptions,
    RemoteTarget,
    TaskOptions,
)
from raysim.spec.explanation import Explanation
from raysim.spec.ids import ActorId, ObjectId, PlacementGroupId
from raysim.spec.log import LogPart
from raysim.spec.placement_group import GroupInfo
from raysim.spec.state import Inquiry, Listing, Noun

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from raysim.runtime.object_ref import ObjectRef
    from raysim.runtime.waiting import Waitable

__all__ = [
    "GROUP",
    "ActorOptions",
    "ActorRecord",
    "Backend",
    "BackendMissingError",
    "BoundMethod",
    "CallOptions",
    "Channel",
    "CompiledGraph",
    "ContextInfo",
    "GraphOptions",
    "InitOptions",
    "Logs",
    "NodeOptions",
    "PlacementGroupOptions",
    "RemoteTarget",
    "TaskOptions",
    "World",
    "load",
]

GROUP = "raysim.backends"
"""Entry-point group; each entry is a callable `create(options: InitOptions) -> World`."""


class ActorRecord(msgspec.Struct, frozen=True):
    """An actor as a handle is made from it."""

    actor_id: ActorId
    class_name: str
    method_meta: bytes
    ref: Any = None
    """The counted reference (an ObjectRef), or None for a weak handle."""


class ContextInfo(msgspec.Struct, frozen=True):
    """Who is running: what `get_runtime_context` shows. Ids in hex; None where Ray gives None."""

    job_id: str
    node_id: str
    worker_id: str
    task_id: str | None
    task_name: str | None
    actor_id: str | None
    actor_name: str | None
    namespace: str
    assigned_resources: dict[str, float]
    accelerators: dict[str, list[str]]
    """Resource (`GPU`) to the ids of those that the task or actor has, as CUDA_VISIBLE_DEVICES has them."""
    attempt: int
    was_reconstructed: bool
    is_driver: bool
    is_canceled: bool = False
    is_async: bool = False
    placement_group_id: str | None = None
    runtime_env: str = "{}"
    """As JSON."""
    captures: bool = False
    """Whether what it submits runs in its placement group."""
    function_name: str | None = None
    """With its module: `app.f`, `app.Counter.add`."""
    session_name: str = ""
    session_dir: str = ""
    """Where the cluster keeps its files; empty where it has none."""
    gcs_address: str = ""


class Logs(Protocol):
    """Files that the processes of a session write, by node."""

    def names(self, node_id: str) -> list[str]:
        """Sorted. Raises FileNotFoundError for an unknown node, TimeoutError for one that does not answer."""

    def read(self, node_id: str, name: str, offset: int) -> LogPart:
        """Some bytes of the file from there on, none at its end; a negative `offset` counts from the end.

        Raises FileNotFoundError, TimeoutError."""

    def of_worker(self, node_id: str, worker_id: str, pid: int, suffix: str) -> str:
        """The name of the file with what this process printed (`out`, `err`). Raises FileNotFoundError."""


class CompiledGraph(Protocol):
    """A graph whose channels are open: a pass costs no scheduling. For one thread at a time."""

    graph_id: bytes

    def is_open(self) -> bool:
        """Whether it was neither closed nor has lost an actor."""

    def start(self, values: Sequence[Any]) -> int:
        """Begin a pass with these inputs; its number, from 0. Values are serialised now."""

    def done(self, number: int) -> bool:
        """Whether `result` of this pass does not wait: its outputs are here, or will never be."""

    def wait(self, number: int, timeout: float | None) -> bool:
        """Until the pass is done; False when that takes more seconds than this."""

    async def ready(self, number: int) -> None:
        """Until the pass is done, in the running event loop."""

    def result(self, number: int, output: int) -> Any:
        """One output of a pass that is done. Raises what its method raised, or ActorDiedError."""

    def forget(self, number: int) -> None:
        """Nobody asks for the results of this pass any more."""

    def close(self) -> None: ...

    def close_soon(self) -> None:
        """From a finalizer, and from any thread."""


class Backend(Protocol):
    """What the API needs of a world, in one process of a program. All calls are from user code."""

    def submit_task(
        self,
        function: RemoteTarget,
        options: TaskOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[Any]:
        """The references to the returns; for `STREAMING` one ObjectRefGenerator."""

    def create_actor(
        self,
        cls: RemoteTarget,
        options: ActorOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> ActorRecord:
        """Raises ActorAlreadyExistsError when the name is taken."""

    def call_actor(
        self,
        actor_id: ActorId,
        method: str,
        options: CallOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list[Any]:
        """As `submit_task`."""

    def compile_graph(self, options: GraphOptions) -> CompiledGraph:
        """Open a graph at its actors, and wait until they take values. Raises ActorDiedError."""

    def get_actor(self, name: str, namespace: str) -> ActorRecord:
        """Raises ValueError when no live actor has this name."""

    def kill_actor(self, actor_id: ActorId, no_restart: bool) -> None: ...

    def exit_actor(self) -> NoReturn:
        """Raises what ends the actor that this code runs in, in good order."""

    def list_named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        """Name and namespace of those that live, in the order of their creation."""

    def current_actor(self) -> ActorRecord | None:
        """The actor that this code runs in."""

    def create_placement_group(self, options: PlacementGroupOptions) -> PlacementGroupId:
        """Raises RaySystemError when the name is taken."""

    def remove_placement_group(self, group_id: PlacementGroupId) -> None: ...

    def placement_group_ready(self, group_id: PlacementGroupId, value: Any) -> "ObjectRef":
        """A reference to `value`, there when the group is created, failed when it is removed."""

    def wait_placement_group(self, group_id: PlacementGroupId, timeout: float) -> bool:
        """Seconds; negative: for ever."""

    def placement_groups(
        self, group_id: PlacementGroupId | None = None, name: str = ""
    ) -> list[GroupInfo]:
        """All of them, or the one of this id, or the living one of this name in the namespace."""

    def prepare(self, runtime_env: str, packages: Mapping[str, bytes]) -> None:
        """These packages (by URI) are there on return, and the environment, the job's, may be set up already."""

    def known_ref(self, object_id: ObjectId) -> "ObjectRef | None":
        """One more reference to an object that this process knows."""

    def put(self, value: Any) -> "ObjectRef": ...

    def get(self, refs: Sequence["ObjectRef"], timeout: float | None) -> list[Any]:
        """Seconds. Raises GetTimeoutError, or the first error found."""

    def wait(
        self,
        refs: Sequence["Waitable"],
        num_returns: int,
        timeout: float | None,
        fetch_local: bool,
    ) -> tuple[list["Waitable"], list["Waitable"]]: ...

    def cancel(self, ref: "ObjectRef", force: bool, recursive: bool) -> None: ...

    def free(self, refs: Sequence["ObjectRef"]) -> None:
        """Drop the values of those that this process owns and that are there."""

    def explain(self, ref: "ObjectRef") -> Explanation:
        """Why the object is not ready."""

    def explain_id(self, noun: Noun, identity: str) -> Explanation | None:
        """Why a thing of this id (hex) is as it is; None: nobody knows such a thing. Raises RaySystemError."""

    def inspect(self, inquiry: Inquiry) -> Listing:
        """The state of the cluster. Raises RaySystemError when the GCS does not answer in time."""

    def kv_put(self, namespace: str, key: bytes, value: bytes, overwrite: bool) -> bytes:
        """Keep a value at the cluster; the one that is there then."""

    def kv_get(self, namespace: str, key: bytes, prefix: bool = False) -> dict[bytes, bytes]:
        """The value under this key, or, with `prefix`, all whose keys begin with it."""

    def kv_delete(self, namespace: str, key: bytes, prefix: bool = False) -> int:
        """How many there were."""

    def logs(self) -> Logs:
        """What the processes of the session wrote. Raises NotImplementedError where nothing is kept."""

    def timeline(self) -> list[dict[str, Any]]:
        """Attempts that have ended, as events of Chrome's tracing."""

    def nodes(self) -> list[dict[str, Any]]:
        """As `ray.nodes()`."""

    def drain_node(self, node_id: bytes, reason: str, deadline_s: float | None) -> None:
        """Have it leave in good order. Raises ValueError where it cannot."""

    def cluster_resources(self) -> dict[str, float]: ...

    def available_resources(self) -> dict[str, float]: ...

    def context_info(self) -> ContextInfo: ...

    def sleep(self, seconds: float) -> None:
        """In the world's time."""

    def now(self) -> float:
        """Seconds of the world's clock."""


class World(Protocol):
    """A running cluster, as the driver that started or joined it holds it."""

    name: str

    def connect(self, options: InitOptions | None = None) -> Backend:
        """A driver's process, one at a time: a new job. None: with the options that the world was made with;
        what they say of nodes and of the cluster itself was settled then."""

    def disconnect(self) -> None:
        """End the driver's process, and so its job. The cluster, a `shared` one, goes on."""

    def stop(self) -> None:
        """End the driver's process, and the cluster if `create` started it. Leaves nothing behind."""

    def address_info(self) -> dict[str, str]:
        """Where it is: what `init` returns."""

    def add_node(self, options: NodeOptions) -> str:
        """Start one more node; its id in hex. For `cluster_utils.Cluster`."""

    def kill_node(self, node_id: str, graceful: bool = False) -> None:
        """End a node as by loss of power: nobody is told. `graceful`: as by its operator, in good order."""

    def is_alive(self, node_id: str) -> bool:
        """Whether the node's processes run."""


class BackendMissingError(ImportError):
    """The backend's name is unknown, or its extra is not installed."""


@cache
def load(name: str) -> Callable[[InitOptions], World]:
    """The `create` function of a backend. Raises BackendMissingError with the line that installs it."""
    entry = _entry(name)
    with needed(name):
        create: Callable[[InitOptions], World] = entry.load()
    return create


def package_of(name: str) -> str:
    """Where a backend is, which is not imported. Raises BackendMissingError."""
    return _entry(name).module.partition(".")[0]


def _entry(name: str) -> "EntryPoint":
    # Imported here: 20 ms, which only the process that starts a world pays.
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise BackendMissingError(
            f"There is no backend {name!r}; installed are: {known}. "
            f"Install it with: pip install 'raysim-core[{name}]'"
        )
    return found[name]


@contextmanager
def needed(name: str) -> Iterator[None]:
    """Around the import of a backend: raises BackendMissingError for what it does not find."""
    try:
        yield
    except ImportError as error:
        raise BackendMissingError(
            f"Backend {name!r} needs {error.name!r}, which is not installed. "
            f"Install it with: pip install 'raysim-core[{name}]'"
        ) from error
