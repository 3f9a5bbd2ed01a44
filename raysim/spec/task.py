"""What a task is: the part that calls share (template) and the part of each call. Never its state: see owner."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from raysim.spec.address import Address
from raysim.spec.ids import FunctionId, NodeId, ObjectId, PlacementGroupId, TaskId
from raysim.spec.labels import Selector
from raysim.spec.resources import Wanted

STREAMING = -1
"""In place of a number of returns: a generator, whose items are objects as they come. Its one return is
the end: no value, or the failure."""

DYNAMIC = -2
"""In place of a number of returns: a generator, whose one return is all references to its items."""


def returns_of(num_returns: int) -> int:
    """Objects that exist from the call on."""
    return 1 if num_returns < 0 else num_returns


class NodeAffinity(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Run on this node; `soft` means elsewhere when it is gone or can never fit."""

    node_id: NodeId
    soft: bool = False
    spill_on_unavailable: bool = False
    """A soft one goes elsewhere when the node has no room now, too."""
    fail_on_unavailable: bool = False
    """A hard one fails when the node has no room now, instead of waiting."""


class NodeLabels(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Run on a node with the `hard` labels, with the `soft` ones too if such a node has room."""

    hard: Selector
    soft: Selector = ()


class InBundle(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Run in a bundle of a placement group; the resources asked for are then the group's own.

    `index` -1: any bundle. `capture`: what this submits runs in the group, too, unless it says otherwise.
    """

    group_id: PlacementGroupId
    index: int = -1
    capture: bool = False


class Spread(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Best-effort round robin over the nodes (Ray: "SPREAD")."""


class Default(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """The cluster's policy decides (Ray: "DEFAULT")."""


Strategy: TypeAlias = Default | Spread | NodeAffinity | NodeLabels | InBundle


def group_of(strategy: Strategy) -> PlacementGroupId | None:
    """The placement group that it means."""
    return strategy.group_id if isinstance(strategy, InBundle) else None


class TaskTemplate(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What all calls of one remote function with the same options share.

    It is also their scheduling class: tasks of one template may follow each other on one lease.
    """

    function_id: FunctionId
    name: str
    resources: Wanted
    """Units of 1e-4."""
    num_returns: int = 1
    max_retries: int = 3
    """System failures that are tried again; -1 for ever. Ray: `max_retries`."""
    retry_exceptions: bool = False
    """Whether the application's exceptions count as retriable; which ones is decided beside the
    user's code (`retry_only` of the function payload)."""
    strategy: Strategy = Default()
    namespace: str = ""
    """Of the job: where its tasks look names up."""
    selectors: tuple[Selector, ...] = ()
    """Labels of the node, best first; none: any. Ray: `label_selector`, then `fallback_strategy`."""
    max_calls: int = 0
    """Runs after which the worker ends; 0: never. Ray: `max_calls`."""
    item_limit: int = 0
    """Items of a generator that wait to be taken, at most; 0: any number.
    Ray: `_generator_backpressure_num_objects`."""
    runtime_env: str = ""
    """Of the workers: see `raysim.spec.runtime_env`."""
    function_name: str = ""
    """As it was defined; `name` may be another one."""
    hidden: bool = False
    """Nobody is told of its calls who asks for the state of tasks. Ray: `enable_task_events`."""
    per_yield: int = 1
    """Items that a generator yields at once, as a tuple or a list. Ray: `_num_objects_per_yield`."""

    def scheduling_key(self) -> tuple[object, ...]:
        return (
            self.function_id,
            tuple(self.resources.items()),
            self.num_returns,
            self.max_retries,
            self.retry_exceptions,
            self.strategy,
            self.name,
            self.selectors,
            self.max_calls,
            self.item_limit,
            self.runtime_env,
            self.hidden,
            self.per_yield,
        )


class Claim(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a call says of itself to the order of the queue (`raysim.policies.queue`). Times in ns."""

    user: str = ""
    """Whose it is; empty: the job's user's, or else the job's."""
    expected_ns: int = -1
    """How long it will run; -1: as long as the calls of its function did before."""
    priority: int | None = None
    """Higher comes first; None: the job's."""
    within_ns: int = -1
    """From its submission until it should have ended; -1: nobody minds."""
    preemptible: bool = False
    """Whether it can stop, and go on later where it was. Only synthetic tasks can."""


class Work(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A synthetic task's doing: so long, results so large, no Python. Durations in ns, sizes in bytes."""

    duration_ns: int
    return_sizes: tuple[int, ...] = ()
    elsewhere: dict[NodeId, int] = {}
    """Of the nodes on which it takes another time, how long."""

    def lasts_ns(self, node_id: NodeId) -> int:
        return self.elsewhere.get(node_id, self.duration_ns) if self.elsewhere else self.duration_ns


class TaskArg(msgspec.Struct, gc=False, array_like=True):
    """A top-level reference among a call's arguments, to be replaced by its value.

    Exactly one of: `payload` (the value, inline), or `holders` (raylets with a copy in their store).
    """

    slot: int | str
    """Position, or keyword."""
    object_id: ObjectId
    owner: Address | None
    """None: whoever makes the call, as of most."""
    payload: bytes | None = None
    holders: list[Address] = []
    size: int = 0


class TaskCall(msgspec.Struct, gc=False, array_like=True):
    """One call, as it is pushed to a worker."""

    task_id: TaskId
    attempt: int
    args: bytes
    """The serialised `(args, kwargs)`, references of `refs` left out."""
    refs: Sequence[TaskArg] = ()
    work: Work | None = None
    method: str = ""
    """The actor's method; empty for a normal task."""
    sequence: int = -1
    """The caller's number of this actor call within the actor's incarnation."""
    group: str = ""
    """The concurrency group of an actor call; empty: the default one."""
    num_returns: int = 1
    """Of an actor call, where no template says it."""
    retry_exceptions: bool = False
    item_limit: int = 0
    """Of an actor call: as the template's."""
    retry_only: bytes = b""
    """Of an actor call: the pickled tuple of exception classes that are retried; empty: all."""
    name: str = ""
    """Of an actor call, in place of its method's. Ray: the method option `name`."""
    out_of_turn: bool = False
    """Of an actor call that is made again for a return that was lost: its turn was before, and calls that
    wait for that return may be ahead of it."""
