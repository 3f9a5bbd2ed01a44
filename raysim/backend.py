"""The port between the API and a world, and the registry of worlds. Never a world itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from raysim.config import Config
from raysim.journal import Journal
from raysim.spec.ids import ActorId
from raysim.spec.labels import Selector
from raysim.spec.task import Default, Strategy, Work

if TYPE_CHECKING:
    from raysim.runtime.object_ref import ObjectRef

GROUP = "raysim.backends"
"""Entry-point group; each entry is a callable `create(options: InitOptions) -> World`."""


class NodeOptions(msgspec.Struct, frozen=True):
    """One node of a cluster that `init` starts. Quantities as users give them, sizes in bytes."""

    num_cpus: float = 1
    num_gpus: float = 0
    memory: int = 0
    resources: dict[str, float] = {}
    labels: dict[str, str] = {}
    object_store_memory: int | None = None
    """Bytes; None lets the world choose."""
    name: str = ""


class InitOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` was asked for, checked and with defaults filled in."""

    nodes: list[NodeOptions]
    """The head first."""
    address: str | None = None
    """An existing cluster to join instead of starting `nodes`."""
    namespace: str = ""
    config: Config = Config()
    seed: int = 0
    entrypoint: str = ""
    journal: Journal | None = None
    """Where the driver's (in `sim`: everybody's) journal goes; None keeps notes only."""
    world: Mapping[str, Any] = {}
    """Options that only one world has (`network`, `faults` of `sim`), by name; unknown ones are refused."""


class RemoteTarget:
    """A user's function or class behind `remote`: exported once per process, at its first call."""

    __slots__ = ("name", "target")

    def __init__(self, target: Callable[..., Any], name: str) -> None:
        self.target = target
        self.name = name


class TaskOptions(msgspec.Struct, frozen=True):
    """Options of a remote function, validated by the API. Ray: `ray_option_utils.py`."""

    num_cpus: float = 1
    num_gpus: float = 0
    memory: int = 0
    resources: dict[str, float] = {}
    num_returns: int = 1
    max_retries: int = 3
    retry_exceptions: bool | tuple[type[BaseException], ...] = False
    name: str = ""
    strategy: Strategy = Default()
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, best first; none: any."""
    max_calls: int = 0
    """Runs of the function after which its worker ends; 0: never."""
    work: Work | None = None
    """A synthetic task: runs no Python."""


class ActorOptions(msgspec.Struct, frozen=True):
    """Options of an actor class, validated by the API."""

    num_cpus: float | None = None
    num_gpus: float | None = None
    memory: int = 0
    resources: dict[str, float] | None = None
    max_restarts: int = 0
    max_task_retries: int = 0
    max_concurrency: int = 1
    name: str = ""
    namespace: str = ""
    get_if_exists: bool = False
    detached: bool = False
    strategy: Strategy = Default()
    selectors: tuple[Selector, ...] = ()
    method_meta: bytes = b""


class CallOptions(msgspec.Struct, frozen=True):
    """Options of one actor method."""

    num_returns: int = 1
    max_task_retries: int | None = None
    """None: the actor's."""
    retry_exceptions: bool = False


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


class Backend(Protocol):
    """What the API needs of a world, in one process of a program. All calls are from user code."""

    def submit_task(
        self,
        function: RemoteTarget,
        options: TaskOptions,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> list["ObjectRef"]: ...

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
    ) -> list["ObjectRef"]: ...

    def get_actor(self, name: str, namespace: str) -> ActorRecord:
        """Raises ValueError when no live actor has this name."""

    def kill_actor(self, actor_id: ActorId, no_restart: bool) -> None: ...

    def current_actor(self) -> ActorRecord | None:
        """The actor that this code runs in."""

    def put(self, value: Any) -> "ObjectRef": ...

    def get(self, refs: Sequence["ObjectRef"], timeout: float | None) -> list[Any]:
        """Seconds. Raises GetTimeoutError, or the first error found."""

    def wait(
        self,
        refs: Sequence["ObjectRef"],
        num_returns: int,
        timeout: float | None,
        fetch_local: bool,
    ) -> tuple[list["ObjectRef"], list["ObjectRef"]]: ...

    def cancel(self, ref: "ObjectRef", force: bool, recursive: bool) -> None: ...

    def nodes(self) -> list[dict[str, Any]]:
        """As `ray.nodes()`."""

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

    def connect(self) -> Backend:
        """The driver's own process. Once."""

    def stop(self) -> None:
        """End the driver's process, and the cluster if `create` started it. Leaves nothing behind."""

    def address_info(self) -> dict[str, str]:
        """Where it is: what `init` returns."""

    def add_node(self, options: NodeOptions) -> str:
        """Start one more node; its id in hex. For `cluster_utils.Cluster`."""

    def kill_node(self, node_id: str) -> None:
        """End a node as by loss of power: nobody is told."""


class BackendMissingError(ImportError):
    """The backend's name is unknown, or its extra is not installed."""


def load(name: str) -> Callable[[InitOptions], World]:
    """The `create` function of a backend. Raises BackendMissingError with the line that installs it."""
    # Imported here: 20 ms, which only the process that starts a world pays.
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise BackendMissingError(
            f"There is no backend {name!r}; installed are: {known}. "
            f"Install it with: pip install 'raysim-core[{name}]'"
        )
    try:
        create: Callable[[InitOptions], World] = found[name].load()
    except ImportError as error:
        raise BackendMissingError(
            f"Backend {name!r} needs {error.name!r}, which is not installed. "
            f"Install it with: pip install 'raysim-core[{name}]'"
        ) from error
    return create
