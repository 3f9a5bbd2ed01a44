"""What a role asks of its surroundings, in virtual time. Never decides: performs, and writes the journal."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import msgspec

from raysim.config import Config
from raysim.journal import Note
from raysim.protocol.disk import SpillDisk
from raysim.protocol.host import (
    ControlStore,
    Environments,
    NodeLogs,
    ObjectStore,
    WorkerLauncher,
)
from raysim.protocol.messages import Message
from raysim.protocol.process import Process
from raysim.spec.address import Address
from raysim_sim.apart import take_apart
from raysim_sim.network import Connection

if TYPE_CHECKING:
    from raysim_sim.node import SimNode
    from raysim_sim.world import SimWorld


class Origin(NamedTuple):
    """Who had a process end, and how many records the journal had then: what had it do so is near there."""

    by: str
    records: int


class Timer(msgspec.Struct, gc=False):
    """Something a role wants to be told of later."""

    host: "SimHost"
    action: Callable[[], None] | None
    callbacks: Any
    set_at: int = 0
    """How many records the journal had when it was set: what set it is the last of them."""
    _ok: ClassVar[bool] = True

    def cancel(self) -> None:
        if self.action is not None:
            self.action = None
            self.host.clock.count_cancelled()


def _on_timer(timer: Timer) -> None:
    action, host = timer.action, timer.host
    if action is None:
        return
    if not host.runs:
        if not host.alive:
            timer.action = None
        host.hold(timer)
        return
    timer.action = None
    if host.trace:
        name = getattr(action, "__qualname__", None) or type(action).__name__
        host.journal.write(host.clock.now_ns, host.name, "timer", (name, timer.set_at))
    action()


_ON_TIMER: Final = (_on_timer,)


_LEADS_ON: Final = (
    "world", "node", "process", "core_worker", "executor", "outgoing", "incoming", "_network", "_held",
    "owner", "workers", "envs", "storage", "disk",
)  # fmt: skip
"""What a host has of its world."""


class SimHost:
    """One process of the cluster: its roles, its name, and what they may ask for."""

    process: Process
    takes_notes = True
    """Faults look at them, whether the journal has them or not."""

    def __init__(self, world: "SimWorld", node: "SimNode", name: str, address: Address) -> None:
        self.world = world
        self.node = node
        self.name = name
        self.address = address
        self.config: Config = world.config
        self.clock = world.clock
        self.trace = world.trace
        self.journal = world.journal
        self.alive = True
        self.ended_at: int | None = None
        """The record of its end, in a journal that has all."""
        self.runs = True
        """Alive, and not paused by a fault."""
        self._pauses = 0
        self._held: list[object] = []
        """What happened to it while it was paused."""
        self.outgoing: dict[bytes, Connection] = {}
        self.incoming: dict[bytes, Connection] = {}
        self._network = world.network
        world.network.add(self)

    def now_ns(self) -> int:
        return self.clock._now

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> Timer:
        timer = Timer(self, action, _ON_TIMER, self.journal.count if self.trace else 0)
        self.clock.after(delay_ns if delay_ns > 0 else 0, timer)
        return timer

    def send(self, to: Address, message: Message) -> None:
        if not self.alive:
            return
        connection = self.outgoing.get(to.worker_id)
        if connection is None:
            connection = self._network.connect(self, to)
        self._network.send(connection, message)

    def rng(self, purpose: str) -> Random:
        return self.world.streams.stream(f"{self.name}: {purpose}")

    def note(self, note: Note) -> None:
        self.world.noted(self, note)

    def buggify(self, place: str) -> bool:
        buggify = self.world.buggify
        return buggify is not None and buggify.strikes(place)

    def origin(self) -> Origin:
        """Of an end that this process has decided just now."""
        return Origin(self.name, self.journal.count)

    def end(self, reason: str, origin: Origin | None = None, resets: bool = True) -> None:
        """This process is no more. `resets`: its peers see their connections break."""
        if self.alive:
            if self.trace:
                self.ended_at = self.journal.count
                self.journal.write(self.clock.now_ns, self.name, "end", (reason, origin))
            self.alive = self.runs = False
            self._forget_held()
            self._network.ended(self, resets)

    def _forget_held(self) -> None:
        """Timers among it would keep what they act on for ever: the collector does not see into them."""
        for event in self._held:
            if isinstance(event, Timer):
                event.action = None
        self._held.clear()

    def let_go(self, takes_apart: bool) -> None:
        """The world is over: lead to nothing of it any more."""
        process = self.__dict__.get("process")
        if takes_apart and process is not None:
            take_apart(process.roles)
        for name in _LEADS_ON:
            self.__dict__.pop(name, None)

    # --- standing still ---

    def pause(self) -> None:
        """Alive but silent, until `resume` has been called as often."""
        self._pauses += 1
        self.runs = False

    def resume(self) -> None:
        self._pauses -= 1
        if self._pauses or not self.alive:
            return
        self.runs = True
        held, self._held = self._held, []
        for event in held:
            self.clock.after(0, event)

    def hold(self, event: object) -> None:
        """It is due, and this process does not run: for later, if it is only paused."""
        if self.alive:
            self._held.append(event)


class NodeHost(SimHost):
    """The host of a node process: raylet, and GCS on the head."""

    store: ObjectStore
    disk: SpillDisk
    workers: WorkerLauncher
    envs: Environments
    logs: NodeLogs
    storage: ControlStore
    """Of the head, where the GCS is in the same process as the raylet: see gcs_process."""

    def stop_node(self, reason: str) -> None:
        # Not from inside the role that asks: it is one of those that end.
        origin = self.origin()
        self.clock.call(0, lambda: self.node.stop(reason, origin))
