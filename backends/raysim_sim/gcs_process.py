"""The GCS as a process of its own on the head's machine, which can end and start again. Never its decisions.

Only where a fault strikes the GCS and not the head's raylet; else both are one process, as in production.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from raysim.journal import CommitBroken
from raysim.protocol.host import ControlStore
from raysim.protocol.messages import Message
from raysim.protocol.process import Handler, Process, Role
from raysim.spec.address import Address
from raysim.spec.ids import named_worker_id
from raysim_sim.control_store import CommitBrokenError, MemoryControlStore
from raysim_sim.hosts import Origin, SimHost, Timer

if TYPE_CHECKING:
    from raysim_sim.node import SimNode


class GcsHost(SimHost):
    """The host of one life of the GCS."""

    storage: ControlStore
    owner: "GcsProcess"

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> Timer:
        return super().call_later(delay_ns, _Guarded(self.owner, action))


class _Guarded:
    """What the process does on its own: a commit in which it ends, ends it."""

    __slots__ = ("__qualname__", "_action", "_owner")

    def __init__(self, owner: "GcsProcess", action: Callable[[], None]) -> None:
        self._owner = owner
        self._action = action
        self.__qualname__ = getattr(action, "__qualname__", type(action).__name__)

    def __call__(self) -> None:
        self._owner.run(self._action)


class _GuardedProcess(Process):
    """What others have it do."""

    def __init__(self, owner: "GcsProcess", roles: list[Role]) -> None:
        super().__init__(roles)
        self._owner = owner

    def start(self) -> None:
        self._owner.run(super().start)

    def _find(self, kind: type[Message]) -> Handler | None:
        handler = super()._find(kind)
        if handler is None:
            return None
        # Hosts call it directly from now on.
        guarded = self.handlers[kind] = partial(self._owner.run, handler)
        return guarded

    def peer_lost(self, peer: Address) -> None:
        self._owner.run(super().peer_lost, peer)


class GcsProcess:
    """All its lives: the address and the tables are the same in each."""

    def __init__(self, node: "SimNode", make: Callable[[GcsHost], Role]) -> None:
        self._node = node
        self._make = make
        self.name = f"{node.name}/gcs"
        self.address = Address(node.node_id, named_worker_id(self.name))
        self.storage = MemoryControlStore()
        self.down_ns = 0
        """How long it is away after a commit in which it ended."""
        self.host = self._start()

    def _start(self) -> GcsHost:
        host = GcsHost(self._node.world, self._node, self.name, self.address)
        host.storage = self.storage
        host.owner = self
        self.host = host
        host.process = _GuardedProcess(self, [self._make(host)])
        host.process.start()
        return host

    def crash(self, reason: str, origin: Origin | None) -> None:
        """The process ends; what it had committed stays."""
        self.host.end(reason, origin)
        self.storage.crash()

    def start_again(self) -> None:
        """Harmless where it lives, and where its machine is gone."""
        if not self.host.alive and self._node.alive:
            self._node.world.network.forget(self.host)
            self._start()

    def run(self, action: Callable[..., None], *args: object) -> None:
        """Under its roof: a commit that breaks is its end."""
        try:
            action(*args)
        except CommitBrokenError:
            self.host.note(CommitBroken())
            self.crash("a commit broke", self.host.origin())
            self._node.world.faults.expect(self.down_ns, self.start_again)
