"""What a role may ask of its surroundings. Never a decision: hosts perform, roles decide.

Each world implements these ports once: virtual time, or sockets and processes. All calls into the
roles of one process are made one at a time by its host.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from random import Random
from typing import Protocol, TypeAlias

import msgspec

from raysim.config import Config
from raysim.journal import Note
from raysim.protocol.disk import SpillDisk
from raysim.protocol.messages.base import Message
from raysim.protocol.messages.channels import ChannelWrite
from raysim.protocol.messages.tasks import ContainedRef, TaskStatus
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, TaskId
from raysim.spec.log import LogPart
from raysim.spec.resources import Accelerators
from raysim.spec.task import TaskCall, TaskTemplate


class Timer(Protocol):
    def cancel(self) -> None:
        """Not to be called any more. Harmless after it was."""


class Host(Protocol):
    """What every role has: who it is, the clock, messages, draws, the journal."""

    address: Address
    config: Config
    takes_notes: bool
    """Whether anybody reads what is noted: what is made for `note` alone need not be made otherwise."""

    def now_ns(self) -> int:
        """Monotonic time; only differences mean something."""

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> Timer:
        """Run `action` once, `delay_ns` from now or later."""

    def send(self, to: Address, message: Message) -> None:
        """Hand a message to the transport. Never blocks, never raises; a lost peer is reported to
        `Process.peer_lost`. A message to the own address is delivered as from a peer, never from inside `send`."""

    def rng(self, purpose: str) -> Random:
        """The named random stream: one per purpose, so that one more draw here shifts none there."""

    def note(self, note: Note) -> None:
        """Write what happened to the journal."""

    def buggify(self, place: str) -> bool:
        """Whether to take the rare branch of this place now. Never true but in a simulator that looks for bugs."""


class StoreAccess(Protocol):
    """The node's object store as one of its processes sees it: bytes at handles that the raylet lent or pinned."""

    def write(self, handle: int, parts: Sequence[bytes | memoryview]) -> None:
        """Copy the parts one after another to the beginning of the lent place."""

    def view(self, handle: int, size: int, released: Callable[[], None]) -> memoryview:
        """Read-only, zero-copy where the world can. `released` is called once, when nothing refers to the
        view or to anything made from it any more; from any thread, without arguments."""


class ObjectStore(Protocol):
    """The bytes of a node's objects, as the raylet sees them. The raylet decides what stays."""

    capacity: int
    """Bytes."""

    def create(self, size: int) -> int | None:
        """A place of so many bytes; its handle, or None when it does not fit now."""

    def delete(self, handle: int) -> None:
        """Give the place back."""

    def write_chunk(self, handle: int, offset: int, data: bytes, length: int) -> None:
        """`data` may be empty where the world carries sizes only."""

    def read_chunk(self, handle: int, offset: int, length: int) -> bytes:
        """Empty where the world carries sizes only."""

    def used(self) -> int:
        """Bytes handed out."""


class WorkerLauncher(Protocol):
    """Starts and ends worker processes of a node, for the raylet."""

    def start(self, token: int, env: str = "") -> None:
        """Begin to start a process, which will send RegisterWorker with this token. If that fails, or when
        the process ends, the host calls `Raylet.worker_ended(token, reason)`; what the process said last may
        arrive after that.

        `env`: its runtime environment, ready by then (see Environments); empty: the plain one."""

    def kill(self, token: int) -> None:
        """End it now (SIGKILL). Its end is reported as any other."""


class Environments(Protocol):
    """Makes runtime environments on a node, for the raylet. Texts are those of `raysim.spec.runtime_env`."""

    def has_package(self, uri: str) -> bool:
        """Whether it was added before."""

    def add_package(self, uri: str, data: bytes) -> None:
        """A package that an environment will ask for."""

    def set_up(self, env: str) -> None:
        """Begin to make it; its packages were added. The host calls `Raylet.env_finished(env, problem)` then."""

    def give_up(self, env: str) -> None:
        """Nobody waits for it any more. Harmless when it is there."""


class NodeLogs(Protocol):
    """The log files of a node, which its raylet shows."""

    def names(self) -> list[str]:
        """Sorted."""

    def read(self, name: str, offset: int, limit: int) -> LogPart | None:
        """At most so many bytes from there on; a negative `offset` counts from the end. None: it is no log file of
        this node, whatever the name leads to."""


class RayletHost(Host, Protocol):
    store: ObjectStore
    disk: SpillDisk
    workers: WorkerLauncher
    envs: Environments
    logs: NodeLogs

    def stop_node(self, reason: str) -> None:
        """The GCS fenced this node: end all its processes."""


class ControlStore(Protocol):
    """Durable tables of the GCS, committed in batches."""

    def load(self, table: str) -> dict[bytes, bytes]:
        """All that was committed."""

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Part of the batch under way."""

    def delete(self, table: str, key: bytes) -> None: ...

    def commit(self) -> None:
        """Returns when the batch is durable: nothing may be acknowledged before."""


class GcsHost(Host, Protocol):
    storage: ControlStore


class NodeProvider(Protocol):
    """Gets and ends machines, for the autoscaler: what it has started joins as any other node."""

    def launch(self, number: int, node_type: str) -> None:
        """Begin to start a node of this type. The host calls `Autoscaler.launched(number, node_id)` when it
        has begun to run, or `launch_failed(number)`."""

    def terminate(self, node_id: NodeId) -> None:
        """End it; it is not part of the cluster any more."""


class LocalArg(msgspec.Struct, gc=False):
    """An argument by reference, at hand: its payload, or its place in the node's store (pinned)."""

    slot: int | str
    payload: bytes | None = None
    handle: int = -1
    size: int = 0
    is_plain: bool = False
    """The payload is a value that refers to nothing."""


class RunnableTask(msgspec.Struct, gc=False, eq=False):
    """A call whose arguments are at hand and whose turn has come.

    `template` and `function` for a normal task; `actor` for a method call, and for the constructor,
    whose `call.method` is `__init__`.
    """

    call: TaskCall
    caller: Address
    args: Sequence[LocalArg]
    template: TaskTemplate | None = None
    function: bytes | None = None
    actor: ActorSpec | None = None
    incarnation: int = 0
    start_ns: int = -1
    """When it began; -1: it waits for those that the host was given before."""
    accelerators: Accelerators = {}
    cancelled: bool = False
    """Somebody cancelled it: set before it starts, or while it runs."""
    preempted: bool = False
    """Synthetic, and to stop where it is."""


class ReturnValue(msgspec.Struct, gc=False):
    """One serialised return value: parts that follow each other, `size` bytes in all.

    A synthetic task's value has a size and no parts.
    """

    parts: Sequence[bytes | memoryview]
    size: int
    contained: list[ContainedRef] = []
    is_error: bool = False
    held: bool = True
    """The references inside are held already, once each: the executor lets go of them."""


class Outcome(msgspec.Struct, gc=False):
    """What became of a call that ran."""

    status: TaskStatus
    returns: list[ReturnValue] = []
    failure: Failure | None = None
    exits: bool = False
    """The process ends after this call (exit_actor, sys.exit)."""
    crashed: bool = False
    """It ends as if it had crashed: an actor may restart."""
    items: int = 0
    """That a generator gave; set where it ends."""
    shown: str = ""
    """Of a constructor: what the actor says of itself, where its class has a `__repr__`."""
    end_ns: int = 0
    """When user code was done, of a call whose end is told later; 0: now."""


class Waiter:
    """Something that user code blocks on: finished once, by a role or by a time-out."""

    __slots__ = ("done", "wake")

    def __init__(self) -> None:
        self.done = False
        self.wake: Callable[[], None] | None = None
        """Set by the host while somebody blocks."""

    def finish(self) -> None:
        if not self.done:
            self.done = True
            if self.wake is not None:
                self.wake()


Execute: TypeAlias = Callable[[RunnableTask], Outcome]
"""Runs user code, in user context and without the lock."""


class Inbox(Protocol):
    """Where processes of this node put values of one compiled graph for this one, without a message.

    One thread at a time takes what has come, calls `block` and `close`.
    """

    place: str
    """By which the host of another process of the node finds it."""

    def take(self) -> list[ChannelWrite]:
        """What has come since the last time; of one writer in the order in which it wrote."""

    def serve(self, turn: Callable[[Execute], bool]) -> None:
        """Have `turn` called in the thread that runs an actor's methods, between those and without the lock,
        when something has come, after `ring`, and as long as it returns True. Until `close`."""

    def ring(self) -> None:
        """As if something had come. From any thread, under the lock."""

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        """As the host's, and until something has come."""

    def announce(self, action: Callable[[], None]) -> None:
        """Call `action` once, under the lock, as soon as something is there. The same one counts once."""

    def close(self) -> None:
        """Nothing is taken any more. Harmless the second time."""


class Outlet(Protocol):
    """Another process's inbox, to write to. By one thread at a time."""

    def write(
        self,
        number: int,
        channel: int,
        parts: Sequence[bytes | memoryview],
        size: int,
        is_error: bool,
    ) -> bool:
        """A pass's value, copied on return. False: it is too large, or there is no room now."""

    def close(self) -> None:
        """Harmless the second time."""


class ProcessHost(Host, Protocol):
    """The host of a process with user code: a driver or a worker."""

    store: StoreAccess
    pid: int
    """Of the operating system; 0 where the world has none."""
    unwinding: tuple[type[BaseException], ...]
    """What the host raises in user code to end it: never taken for a result."""
    lock: AbstractContextManager[object]
    """Held around every call from user code into roles; what was sent under it leaves when it is released."""
    guard: AbstractContextManager[object]
    """As `lock` for an interrupt, which waits until it is left, and nothing else: others go on meanwhile."""

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        """From user code, without the lock: wait until the waiter is done. False on time-out.

        Raises KeyboardInterrupt as Python does.
        """

    def run(self, task: RunnableTask) -> None:
        """Have user code run this soon, never from inside this call; the host then calls
        `Executor.finished(task, outcome)` under the lock. Synthetic work (`task.call.work`) runs no Python.

        Of an actor with `one_at_a_time` several are given ahead. They run one after another, in this order, and
        the ends of short ones may be told together."""

    def take_back(self, task: RunnableTask) -> bool:
        """It is not to run, and nothing is told of it. False: it has begun, or could not be stopped from it."""

    def interrupt(self, task: RunnableTask) -> None:
        """`task.cancelled` was set while it runs, or is about to: have its user code notice. A task gets
        a KeyboardInterrupt where it is, a coroutine CancelledError. Never from inside this call."""

    def preempt(self, task: RunnableTask) -> None:
        """`task.preempted` was set while it runs, or is about to: end it soon with NOT_RUN, where it has not ended.
        Of synthetic work only. Never from inside this call."""

    def outside(self, action: Callable[[], None]) -> None:
        """Run `action` in user context without the lock, soon, beside what runs already."""

    def soon(self, action: Callable[[], None]) -> None:
        """Run `action` under the lock, soon. From any thread, and from a finalizer: it only notes it down."""

    def inbox(self, graph_id: TaskId) -> Inbox | None:
        """None: there are messages only, in this world or just now."""

    def outlet(self, place: str) -> Outlet | None:
        """To the inbox of another process of this node; None: it cannot be reached."""

    def exit(self, reason: str) -> None:
        """End this process, after what was sent has left."""
