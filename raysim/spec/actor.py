"""What an actor is and which states it has. Never where it runs: see gcs."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, FunctionId
from raysim.spec.labels import Selector
from raysim.spec.resources import Wanted
from raysim.spec.task import Default, Strategy, TaskArg

METHOD_OPTIONS = "__ray_method_options__"
"""The attribute of a method that has the options which `@method` gave it."""


class ActorState(StrEnum):
    """Ray's `ActorTableData.ActorState`."""

    DEPENDENCIES_UNREADY = "DEPENDENCIES_UNREADY"
    PENDING_CREATION = "PENDING_CREATION"
    ALIVE = "ALIVE"
    RESTARTING = "RESTARTING"
    DEAD = "DEAD"


class ActorSpec(msgspec.Struct, frozen=True, gc=False):
    """All that is needed to start an actor, again and again."""

    actor_id: ActorId
    class_id: FunctionId
    class_name: str
    class_payload: bytes
    """The pickled class, so that a restart needs no living owner process."""
    args: bytes
    refs: Sequence[TaskArg]
    owner: Address
    placement: Wanted
    """What a node has to have to be chosen for it, best free (Ray: 1 CPU by default)."""
    lifetime: Wanted
    """What it holds while it lives (Ray: nothing by default)."""
    max_restarts: int = 0
    """-1 for ever."""
    max_task_retries: int = 0
    max_concurrency: int = 1
    """Calls of the default concurrency group that run at once."""
    name: str = ""
    namespace: str = ""
    detached: bool = False
    strategy: Strategy = Default()
    method_meta: bytes = b""
    """What a handle needs to know of the methods; opaque to the protocol."""
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, best first; none: any. Ray: `label_selector`, then `fallback_strategy`."""
    concurrency_groups: dict[str, int] = {}
    """Name to limit, of the concurrency groups that have a name."""
    is_async: bool = False
    """Has a coroutine method: all calls run on one event loop (Ray)."""
    out_of_order: bool = False
    """A call whose arguments are not ready does not hold up those behind it."""
    runtime_env: str = ""
    """Of its worker: see `raysim.spec.runtime_env`."""
    hidden: bool = False
    """Nobody is told of its calls who asks for the state of tasks. Ray: `enable_task_events`."""
    qualified_name: str = ""
    """Of the class, with what it is defined in: `f.<locals>.C`."""
    home: str = ""
    """The namespace of its job, which is that of what it makes and looks up, wherever its own name is."""

    @property
    def one_at_a_time(self) -> bool:
        """Its methods run one after another."""
        return not (self.is_async or self.max_concurrency > 1 or self.concurrency_groups)


class ActorInfo(msgspec.Struct, frozen=True, gc=False):
    """An actor as the GCS publishes it. `incarnation` counts its starts, from 0; `version` its changes."""

    actor_id: ActorId
    state: ActorState
    incarnation: int
    version: int
    address: Address = NOWHERE
    max_task_retries: int = 0
    name: str = ""
    namespace: str = ""
    class_name: str = ""
    owner: Address = NOWHERE
    death: Failure | None = None
    method_meta: bytes = b""
    out_of_order: bool = False
    hidden: bool = False
    shown: str = ""
    """What it says of itself, where its class has a `__repr__`."""
    moving: bool = False
    """Its node drains: it runs the calls that it has, and others wait for it to start elsewhere."""
