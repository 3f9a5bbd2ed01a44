"""What goes wrong with processes and nodes. Never what goes wrong between them: see links."""

from __future__ import annotations

from typing import ClassVar

from raysim.faults.model import Fault, NodeName


class KillNode(Fault, frozen=True, kw_only=True, tag="kill_node"):
    """Kill a node at once: its raylet, its workers and the objects in its store.

    `node` counts from zero and node 0 is the head; without it, the seed draws one of the others.
    Never kills the head, which holds the GCS and the driver; never warns, never brings it back.
    """

    may_draw_head: ClassVar[bool] = False
    spares_head: ClassVar[bool] = True
    node: NodeName | None = None


class RestartNode(Fault, frozen=True, kw_only=True, tag="restart_node"):
    """Kill a node, and have an equal one join when `lasting` is over.

    The new node has another id, as in Ray, and nothing of the old one: a node keeps nothing that outlives it.
    Never restarts the head.
    """

    may_draw_head: ClassVar[bool] = False
    spares_head: ClassVar[bool] = True
    node: NodeName | None = None
    lasting: int = 5_000_000_000


class DrainNode(Fault, frozen=True, kw_only=True, tag="drain_node"):
    """Have a node leave in good order, as before maintenance: it takes on nothing new, calls there end, its actors with
    restarts left and the objects that it keeps are moved, and then it goes.

    What is left after `deadline` is lost with it. Never drains the head; never loses anything without a deadline,
    but what an actor keeps for itself, which starts anew.
    """

    may_draw_head: ClassVar[bool] = False
    spares_head: ClassVar[bool] = True
    node: NodeName | None = None
    deadline: int | None = None


class PauseNode(Fault, frozen=True, kw_only=True, tag="pause_node"):
    """All processes of a node stand still for `lasting`, alive but silent, as a virtual machine that is moved.

    What arrives waits and is handled afterwards, in order. One that stands still for longer than the GCS's
    health checks allow is declared dead, and stops when it hears of it. Never loses a message.
    """

    may_draw_head: ClassVar[bool] = False
    node: NodeName | None = None
    lasting: int = 5_000_000_000


class SlowNode(Fault, frozen=True, kw_only=True, tag="slow_node"):
    """A node's processors are `factor` times slower for `lasting`: synthetic work, the start of workers, and
    the handling of each message (`factor` - 1 times the latency within a node more).

    Never slows sleeps: they are waits, not work. Never changes an order within a connection.
    """

    node: NodeName | None = None
    factor: float = 10.0
    lasting: int | None = None


class KillRaylet(Fault, frozen=True, kw_only=True, tag="kill_raylet"):
    """Kill a node's raylet process. Its workers die with it, and all peers see their connections break at once.

    Never kills the head's; never leaves a worker behind, as children die with their parents.
    """

    may_draw_head: ClassVar[bool] = False
    spares_head: ClassVar[bool] = True
    node: NodeName | None = None


class PauseRaylet(Fault, frozen=True, kw_only=True, tag="pause_raylet"):
    """A node's raylet stands still for `lasting`, as under SIGSTOP; its workers go on. Never loses a message."""

    node: NodeName | None = None
    lasting: int = 5_000_000_000


class KillWorker(Fault, frozen=True, kw_only=True, tag="kill_worker"):
    """Kill one worker process, and with it the tasks and the actor that it runs.

    `node` counts from zero (the head's workers may be killed too); without it, the seed draws one.
    A worker that is busy is preferred. Never touches the raylet or the objects in its store.
    """

    node: NodeName | None = None


class PauseWorker(Fault, frozen=True, kw_only=True, tag="pause_worker"):
    """One worker, a busy one if there is any, stands still for `lasting`, as under SIGSTOP. Never loses a message."""

    node: NodeName | None = None
    lasting: int = 5_000_000_000


class KillActor(Fault, frozen=True, kw_only=True, tag="kill_actor"):
    """Kill the process of a living actor: the one named `actor`, or one that the seed draws.

    It restarts if its `max_restarts` allow it. Never counts as `ray.kill`, which nobody survives.
    """

    actor: str | None = None


class PauseActor(Fault, frozen=True, kw_only=True, tag="pause_actor"):
    """The process of a living actor stands still for `lasting`. Never loses a call."""

    actor: str | None = None
    lasting: int = 5_000_000_000


class FailConstructor(Fault, frozen=True, kw_only=True, tag="fail_constructor"):
    """The next `count` constructors of actors (of the class named `actor`, or of any) raise RuntimeError.

    Never runs the constructor that it has fail. An actor whose constructor raised is dead (Ray).
    """

    actor: str | None = None
    count: int = 1


class CrashConstructor(Fault, frozen=True, kw_only=True, tag="crash_constructor"):
    """The process of the next `count` constructors ends while they run; the actor restarts if it may.

    Never lets such a constructor return.
    """

    actor: str | None = None
    count: int = 1


class RestartGcs(Fault, frozen=True, kw_only=True, tag="restart_gcs"):
    """The GCS process ends, and starts again on what it had committed when `lasting` is over.

    With `durable=false` it starts on nothing: refused, as with Ray the cluster ends when its tables are gone.
    Never ends the head's raylet: with this fault in a run, the two are processes of their own.
    """

    lasting: int = 3_000_000_000
    durable: bool = True


class PauseGcs(Fault, frozen=True, kw_only=True, tag="pause_gcs"):
    """The GCS process stands still for `lasting`. Never loses a message, never what it wrote down."""

    lasting: int = 3_000_000_000


KINDS: tuple[type[Fault], ...] = (
    KillNode,
    RestartNode,
    PauseNode,
    SlowNode,
    KillRaylet,
    PauseRaylet,
    KillWorker,
    PauseWorker,
    KillActor,
    PauseActor,
    FailConstructor,
    CrashConstructor,
    RestartGcs,
    PauseGcs,
)
