"""What the API asks of a world, checked, as data. Never how a world does it."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from raysim.config import Config
from raysim.journal import Journal
from raysim.spec.ids import ActorId
from raysim.spec.isolation import Isolation
from raysim.spec.labels import Selector
from raysim.spec.task import Claim, Strategy, Work


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
    """An existing cluster to join instead of starting `nodes`. `local`: none, whatever the environment says."""
    namespace: str = ""
    config: Config = Config()
    seed: int = 0
    entrypoint: str = ""
    journal: Journal | None = None
    """Where the driver's (in `sim`: everybody's) journal goes; None keeps notes only."""
    runtime_env: str = ""
    """Of the job, as `raysim.spec.runtime_env` has it. Its packages are uploaded once it is connected."""
    shared: bool = False
    """Drivers come and go, one after another, and the cluster goes on: `World.disconnect`."""
    isolation: Isolation | None = None
    """What of each machine is kept for the cluster's own processes; None: nothing is."""
    log_to_driver: bool = True
    """Whether what workers print is shown where the driver prints."""
    metadata: dict[str, str] = {}
    """Of the job, for people who ask."""
    observer: bool = False
    """The driver only looks, or acts for others: no job that people are shown."""
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
    """Or `STREAMING`, `DYNAMIC` of `raysim.spec.task`."""
    item_limit: int = 0
    """Items of a generator that wait to be taken, at most; 0: any number."""
    per_yield: int = 1
    """Items that a generator yields at once, as a tuple or a list."""
    max_retries: int = 3
    retry_exceptions: bool | tuple[type[BaseException], ...] = False
    name: str = ""
    strategy: Strategy | None = None
    """None: as the code that submits it, if its placement group captures that; else DEFAULT."""
    capture: bool | None = None
    """Whether what runs in a placement group has its children there; None: as the code that submits it."""
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, best first; none: any."""
    max_calls: int = 0
    """Runs of the function after which its worker ends; 0: never."""
    hidden: bool = False
    """Nobody is told of its calls who asks for the state of tasks."""
    runtime_env: str = ""
    """As `raysim.spec.runtime_env` has it: what differs from that of the code that submits it."""
    work: Work | None = None
    """A synthetic task: runs no Python."""
    claim: Claim | None = None
    """What it says of itself to the order of the queue."""


class ActorOptions(msgspec.Struct, frozen=True):
    """Options of an actor class, validated by the API."""

    num_cpus: float | None = None
    num_gpus: float | None = None
    memory: int = 0
    object_store_memory: int = 0
    """Of the node's, for placing it: no room is kept."""
    resources: dict[str, float] | None = None
    max_restarts: int = 0
    max_task_retries: int = 0
    max_concurrency: int = 1
    concurrency_groups: dict[str, int] = {}
    is_async: bool = False
    """Has a coroutine method."""
    out_of_order: bool = False
    name: str = ""
    namespace: str = ""
    get_if_exists: bool = False
    detached: bool | None = None
    """None: as the job has it. Ray: `JobConfig.default_actor_lifetime`."""
    strategy: Strategy | None = None
    """None: as the code that submits it, if its placement group captures that; else DEFAULT."""
    capture: bool | None = None
    """Whether what runs in a placement group has its children there; None: as the code that submits it."""
    selectors: tuple[Selector, ...] = ()
    hidden: bool = False
    """Nobody is told of its calls who asks for the state of tasks, unless the method says otherwise."""
    method_meta: bytes = b""
    runtime_env: str = ""
    """As `raysim.spec.runtime_env` has it: what differs from that of the code that creates it."""


class PlacementGroupOptions(msgspec.Struct, frozen=True):
    """A placement group as `placement_group()` was asked for it, checked."""

    bundles: list[dict[str, float]]
    strategy: str = "PACK"
    name: str = ""
    detached: bool = False
    soft_target_node_id: str | None = None
    """In hex; for STRICT_PACK."""
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, by bundle; none: any."""


class Channel(msgspec.Struct, frozen=True):
    """Stands in the arguments of a bound method for the value that comes through this channel."""

    number: int


class BoundMethod(msgspec.Struct, frozen=True):
    """A method that a compiled graph runs once in every pass."""

    actor_id: ActorId
    method: str
    args: tuple[Any, ...]
    """A `Channel` where a value of the pass belongs; anything else is the same in every pass."""
    kwargs: dict[str, Any]
    outputs: list[int]
    """The channels of its return values."""


class GraphOptions(msgspec.Struct, frozen=True):
    """A graph that is to be compiled, checked. No method reads what a later one writes."""

    methods: list[BoundMethod]
    inputs: list[int]
    """The channels of what a pass is started with."""
    outputs: list[int]
    """The channels of what it gives."""


class CallOptions(msgspec.Struct, frozen=True):
    """Options of one actor method."""

    num_returns: int = 1
    max_task_retries: int | None = None
    """None: the actor's."""
    retry_exceptions: bool = False
    retry_only: bytes = b""
    """The pickled tuple of exception classes that are retried; empty: all of them."""
    concurrency_group: str = ""
    max_pending_calls: int = -1
    """Of one caller on the actor; -1: any number."""
    hidden: bool | None = None
    """Nobody is told of the call who asks for the state of tasks; None: as the actor."""
    item_limit: int = 0
    """Items of a generator that wait to be taken, at most; 0: any number."""
    name: str = ""
    """Of the call, in place of the method's."""
