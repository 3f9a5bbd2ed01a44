"""Two or more processes' hosts inside one test process, with real sockets."""

import os
from collections.abc import Callable
from typing import Any

import msgspec

from raysim.config import Config
from raysim.protocol.messages import MESSAGES, Message, ObjectChunk
from raysim.protocol.process import Handlers, Process, Role
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId, named_node_id
from raysim.spec.tls import TlsFiles
from raysim_cluster.arena import Arena, ArenaAccess
from raysim_cluster.driver import DriverHost
from raysim_cluster.host import LoopHost
from raysim_cluster.session import Session


class Recorder:
    """A role that remembers what it was told, and may answer."""

    def __init__(self, *kinds: type[Message]) -> None:
        self.kinds = kinds
        self.heard: list[tuple[Address, Message]] = []
        self.lost: list[Address] = []
        self.on_message: Callable[[Address, Any], None] = lambda sender, message: None

    @staticmethod
    def handlers() -> Handlers["Recorder"]:
        return dict.fromkeys(MESSAGES, lambda recorder: recorder._hear)

    def start(self) -> None:
        pass

    def peer_lost(self, peer: Address) -> None:
        self.lost.append(peer)

    def messages(self) -> list[Message]:
        return [message for _, message in self.heard]

    def _hear(self, sender: Address, message: Message) -> None:
        if not isinstance(message, self.kinds):
            return
        if isinstance(message, ObjectChunk):
            # Its bytes are the role's only while its handler runs.
            message = msgspec.structs.replace(message, data=bytes(message.data))
        self.heard.append((sender, message))
        self.on_message(sender, message)


class Peers:
    """Makes hosts of one session and turns their loops."""

    def __init__(self, tls: TlsFiles | None = None) -> None:
        self.session = Session(os.urandom(8).hex(), os.urandom(32), tls=tls)
        self.hosts: list[LoopHost] = []

    def host(
        self,
        role: Role,
        *,
        node: str = "node-0",
        session: Session | None = None,
        worker_id: WorkerId | None = None,
        port: int = 0,
    ) -> LoopHost:
        """`worker_id`, `port`: new ones, unless given."""
        node_id, new = self._ids(node)
        session = session or self.session
        host = LoopHost(session, node_id, worker_id or new, **self._more(), port=port)
        host.attach(Process([role]))
        self.hosts.append(host)
        return host

    def driver_host(
        self, role: Recorder, *, node: str = "node-0", helper: bool = True
    ) -> DriverHost:
        """`helper`: whether the pump has its thread, which takes it from a test that does not pump for 2 ms."""
        arena = Arena.create(1 << 20)
        host = DriverHost(self.session, *self._ids(node), **self._more(), store=ArenaAccess(arena))
        host.attach(Process([role]))
        if helper:
            host.pump.start()
        self.hosts.append(host)
        return host

    def turn(self, done: Callable[[], bool], limit: int = 2_000) -> None:
        """Poll each simple host in turn until something holds."""
        for _ in range(limit):
            if done():
                return
            self.turn_once()
        raise AssertionError("it did not happen")

    def turn_once(self) -> None:
        for host in self.hosts:
            if not isinstance(host, DriverHost):
                host.settle()
                host.dispatch(host.poller.wait(host.sleep_ns(1_000_000)))
                host.settle()

    def close(self) -> None:
        for host in self.hosts:
            if isinstance(host, DriverHost):
                host.close_after(0)
            else:
                host.close()

    def _ids(self, node: str) -> tuple[NodeId, WorkerId]:
        return named_node_id(node), WorkerId(os.urandom(28))

    def _more(self) -> dict[str, Any]:
        return {"config": Config(), "seed": 0, "name": f"host-{len(self.hosts)}"}
